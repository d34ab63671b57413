// SPDX-License-Identifier: Apache-2.0
/* What the kernel says of a vCPU and of its thread. */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "kvm_guest.h"
#include "kvm_stats.h"
#include "thread_usage.h"

Suite *unit_suite(void);

static struct guest guest;

static void setup(void)
{
    guest = (struct guest){0};
    guest_init(&guest);
    guest.environment.kvm_stats = true;
}

static void teardown(void)
{
    guest_finish(&guest);
}

static const struct fake_step steps[] = {
    FAKE_WRITE(GUEST_DEVICE_BASE, 4, 1),
    FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
};

START_TEST(a_vcpu_is_counted_by_kvm)
{
    struct kvm_stats stats;

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    kvm_stats_read(&guest.vcpus[0].kvm_stats, &stats);
    ck_assert(kvm_stats_has(&stats, KVM_STAT_EXITS));
    ck_assert_uint_eq(stats.values[KVM_STAT_EXITS], guest.fake.vm.vcpus[0].run_count);
    ck_assert_uint_eq(stats.values[KVM_STAT_WFI], FAKE_STAT_WFI);
    ck_assert_uint_eq(stats.values[KVM_STAT_HVC], FAKE_STAT_HVC);
    ck_assert_uint_eq(stats.values[KVM_STAT_HALT_WAIT_NS], FAKE_STAT_HALT_WAIT_NS);
    ck_assert(!kvm_stats_has(&stats, KVM_STAT_WFE));
    ck_assert_uint_eq(stats.values[KVM_STAT_WFE], 0);
}
END_TEST

START_TEST(what_was_counted_outlives_the_vcpu)
{
    const struct vcpu *vcpu = &guest.vcpus[0];

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    guest_destroy(&guest);
    ck_assert(!vcpu->kvm_stats.is_open);
    ck_assert_uint_eq(vcpu->kvm_before.values[KVM_STAT_WFI], FAKE_STAT_WFI);
    ck_assert(kvm_stats_has(&vcpu->kvm_before, KVM_STAT_EXITS));
}
END_TEST

START_TEST(a_host_without_counters_is_fine)
{
    struct error error = {0};
    struct kvm_stats stats;

    fake_kvm_fail_request(&guest.fake, KVM_GET_STATS_FD, 0, EINVAL);
    ck_assert_msg(guest_create(&guest, &error), "%s", error.message);
    kvm_stats_read(&guest.vcpus[0].kvm_stats, &stats);
    ck_assert_uint_eq(stats.known, 0);
    kvm_stats_read(&guest.vcpus[1].kvm_stats, &stats);
    ck_assert_uint_ne(stats.known, 0); /* only the first one failed */
}
END_TEST

START_TEST(stats_have_names)
{
    for (enum kvm_stat stat = 0; stat < KVM_STAT_COUNT; stat++)
        ck_assert_ptr_nonnull(kvm_stat_name(stat));
}
END_TEST

/* ---- threads ---- */

static void sleep_a_little(void)
{
    const struct timespec little = {.tv_nsec = 100000};

    (void)nanosleep(&little, NULL);
}

START_TEST(a_thread_is_accounted)
{
    enum { SLEEPS = 20 };
    struct thread_usage own = {0};
    struct thread_usage before;
    struct thread_usage after;

    ck_assert(thread_usage_read(gettid(), &before));
    for (int i = 0; i < SLEEPS; i++)
        sleep_a_little();
    ck_assert(thread_usage_read(gettid(), &after));
    ck_assert_uint_ge(after.voluntary_switches, before.voluntary_switches + SLEEPS);
    thread_usage_add_own(&own);
    ck_assert_uint_ge(own.voluntary_switches, after.voluntary_switches);
    ck_assert_uint_ge(own.minor_faults, after.minor_faults);
    ck_assert_uint_gt(own.minor_faults, 0);
    ck_assert_uint_gt(own.user_ns + own.system_ns, 0);
}
END_TEST

START_TEST(a_thread_that_is_gone_has_no_usage)
{
    struct thread_usage usage;

    ck_assert(!thread_usage_read(INT32_MAX, &usage));
    ck_assert_uint_eq(usage.minor_faults, 0);
}
END_TEST

START_TEST(a_vcpus_thread_adds_up)
{
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].thread_id, 0);
    ck_assert_uint_gt(guest.vcpus[0].usage.minor_faults + guest.vcpus[0].usage.system_ns +
                          guest.vcpus[0].usage.user_ns,
                      0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("kvm_stats");
    TCase *tests = tcase_create("kvm_stats");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_vcpu_is_counted_by_kvm);
    tcase_add_test(tests, what_was_counted_outlives_the_vcpu);
    tcase_add_test(tests, a_host_without_counters_is_fine);
    tcase_add_test(tests, stats_have_names);
    tcase_add_test(tests, a_thread_is_accounted);
    tcase_add_test(tests, a_thread_that_is_gone_has_no_usage);
    tcase_add_test(tests, a_vcpus_thread_adds_up);
    suite_add_tcase(suite, tests);
    return suite;
}
