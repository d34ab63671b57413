// SPDX-License-Identifier: Apache-2.0
/* What a vCPU counts and tells of. */
#include <check.h>
#include <errno.h>
#include <linux/psci.h>

#include "fake_ticks.h"
#include "kvm_guest.h"
#include "vcpu_watch.h"

Suite *unit_suite(void);

enum { MAX_EVENTS = 64 };

static struct guest guest;
static struct event seen[MAX_EVENTS];
static unsigned seen_count;

static void remember(void *context, const struct event *event)
{
    (void)context;
    ck_assert_uint_lt(seen_count, MAX_EVENTS);
    seen[seen_count++] = *event;
}

static void watch(uint32_t wanted, bool timed)
{
    const struct event_subscriber subscriber = {remember, NULL, wanted, timed};
    struct error error = {0};

    ck_assert(events_subscribe(&guest.events, &subscriber, &error));
}

static void setup(void)
{
    guest = (struct guest){0};
    seen_count = 0;
    guest_init(&guest);
}

static void teardown(void)
{
    guest_finish(&guest);
}

static const struct fake_step busy[] = {
    FAKE_WRITE(GUEST_DEVICE_BASE, 4, 0x12345678),
    FAKE_READ(GUEST_DEVICE_BASE, 1, 0x78),
    FAKE_READ(GUEST_NOWHERE, 4, 0),
    FAKE_EXIT(KVM_EXIT_INTR),
    FAKE_ERROR(EAGAIN),
    FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
};

static uint64_t sum_of_exits(const struct vcpu *vcpu)
{
    uint64_t sum = 0;

    for (size_t kind = 0; kind < EXIT_KIND_COUNT; kind++)
        sum += counter_read(&vcpu->counters.exits[kind]);
    return sum;
}

static void check_busy_counters(void)
{
    const struct vcpu_counters *counters = &guest.vcpus[0].counters;

    ck_assert_uint_eq(sum_of_exits(&guest.vcpus[0]), guest.fake.vm.vcpus[0].run_count);
    ck_assert_uint_eq(counters->exits[EXIT_KIND_MMIO], 3);
    ck_assert_uint_eq(counters->exits[EXIT_KIND_SIGNAL], 1);
    ck_assert_uint_eq(counters->exits[EXIT_KIND_AGAIN], 1);
    ck_assert_uint_eq(counters->exits[EXIT_KIND_SYSTEM_EVENT], 1);
    ck_assert_uint_eq(counters->hypercalls, 1);
    ck_assert_uint_eq(counters->devices[0].reads, 1);
    ck_assert_uint_eq(counters->devices[0].writes, 1);
    ck_assert_uint_eq(counters->unassigned.reads, 1);
    ck_assert_uint_eq(counters->unassigned.writes, 0);
}

START_TEST(exits_are_counted)
{
    uint64_t reads = fake_ticks_reads();

    guest.fake.scripts[0][0] = FAKE_SCRIPT(busy);
    guest_run(&guest);
    check_busy_counters();
    ck_assert_uint_eq(fake_ticks_reads(), reads); /* nobody asked for times */
}
END_TEST

START_TEST(exits_that_are_watched_are_counted_too)
{
    watch(EVENT_MASK_ALL, true);
    guest.fake.scripts[0][0] = FAKE_SCRIPT(busy);
    guest_run(&guest);
    check_busy_counters();
}
END_TEST

/* Every way that KVM_RUN returns has a kind, and its counter. */
START_TEST(exits_are_told_apart)
{
    static const struct {
        struct fake_step step;
        enum exit_kind kind;
    } rows[] = {
        {FAKE_FAIL_ENTRY(1), EXIT_KIND_FAIL_ENTRY},
        {FAKE_INTERNAL_ERROR(1), EXIT_KIND_INTERNAL_ERROR},
        {FAKE_EXIT(KVM_EXIT_HYPERCALL), EXIT_KIND_HYPERCALL},
        {FAKE_EXIT(KVM_EXIT_DEBUG), EXIT_KIND_DEBUG},
        {FAKE_EXIT(KVM_EXIT_IO), EXIT_KIND_OTHER},
        {FAKE_ERROR(EFAULT), EXIT_KIND_RUN_FAILED},
        {FAKE_ERROR(EINVAL), EXIT_KIND_RUN_FAILED},
    };

    guest.fake.scripts[0][0] = (struct fake_script){&rows[_i].step, 1};
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_FAILED);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[rows[_i].kind], 1);
    ck_assert_uint_eq(sum_of_exits(&guest.vcpus[0]), 1);
}
END_TEST

START_TEST(what_is_done_is_told)
{
    static const enum event_kind order[] = {
        EVENT_VCPU_STATE, EVENT_MMIO, EVENT_EXIT, EVENT_MMIO,      EVENT_EXIT, EVENT_MMIO,
        EVENT_EXIT,       EVENT_EXIT, EVENT_EXIT, EVENT_HYPERCALL, EVENT_EXIT, EVENT_VCPU_STATE,
    };
    const size_t count = sizeof(order) / sizeof(order[0]);

    watch(EVENT_MASK_ALL, false);
    guest.fake.scripts[0][0] = FAKE_SCRIPT(busy);
    guest_run(&guest);
    ck_assert_uint_eq(seen_count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(seen[i].kind, order[i]);
        ck_assert_uint_eq(seen[i].publisher,
                          order[i] == EVENT_VCPU_STATE ? EVENT_IO_THREAD : guest.vcpus[0].index);
        ck_assert_uint_eq(seen[i].ticks, 0);
    }
    ck_assert_int_eq(seen[0].vcpu_state.to, VCPU_RUNNING);
    ck_assert_int_eq(seen[count - 1].vcpu_state.to, VCPU_STOPPED);
    ck_assert_ptr_eq(seen[1].mmio.device, &guest.device.device);
    ck_assert_uint_eq(seen[1].mmio.address.value, GUEST_DEVICE_BASE);
    ck_assert_uint_eq(seen[1].mmio.value, 0x12345678);
    ck_assert_int_eq(seen[1].mmio.access, ACCESS_WRITE);
    ck_assert_int_eq(seen[3].mmio.access, ACCESS_READ);
    ck_assert_uint_eq(seen[3].mmio.value, 0x78);
    ck_assert_ptr_null(seen[5].mmio.device);
    ck_assert_uint_eq(seen[9].hypercall.function, PSCI_0_2_FN_SYSTEM_OFF);
    ck_assert_int_eq(seen[10].exit.reason, EXIT_KIND_SYSTEM_EVENT);
    ck_assert_uint_eq(seen[10].exit.kvm_reason, KVM_EXIT_SYSTEM_EVENT);
}
END_TEST

START_TEST(exits_have_times_for_who_asks)
{
    watch(EVENT_MASK(EVENT_EXIT), true);
    guest.fake.scripts[0][0] = FAKE_SCRIPT(busy);
    guest_run(&guest);
    ck_assert_uint_eq(seen_count, 6);
    for (unsigned i = 0; i < seen_count; i++) {
        ck_assert_uint_lt(seen[i].exit.entered, seen[i].exit.returned);
        ck_assert_uint_lt(seen[i].exit.returned, seen[i].ticks);
        if (i > 0)
            ck_assert_uint_lt(seen[i - 1].ticks, seen[i].exit.entered);
    }
}
END_TEST

START_TEST(a_reset_is_told_by_its_function)
{
    static const struct fake_step steps[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};

    watch(EVENT_MASK(EVENT_HYPERCALL), false);
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_uint_eq(seen_count, 1);
    ck_assert_uint_eq(seen[0].hypercall.function, PSCI_0_2_FN_SYSTEM_RESET);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vcpu_watch");
    TCase *tests = tcase_create("vcpu_watch");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, exits_are_counted);
    tcase_add_test(tests, exits_that_are_watched_are_counted_too);
    tcase_add_loop_test(tests, exits_are_told_apart, 0, 7);
    tcase_add_test(tests, what_is_done_is_told);
    tcase_add_test(tests, exits_have_times_for_who_asks);
    tcase_add_test(tests, a_reset_is_told_by_its_function);
    suite_add_tcase(suite, tests);
    return suite;
}
