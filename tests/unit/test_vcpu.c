// SPDX-License-Identifier: Apache-2.0
/* A vCPU: how it is set up, what its run loop makes of each exit, how it is stopped, and where. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/psci.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "kvm_failures.h"
#include "kvm_guest.h"
#include "memory_map.h"
#include "vcpu_registers.h"

Suite *unit_suite(void);

static struct guest guest;

static void setup(void)
{
    guest = (struct guest){0};
    guest_init(&guest);
}

static void teardown(void)
{
    guest_finish(&guest);
}

static const struct vcpu_features all_features = {
    .pmu = true, .sve = true, .pauth = true, .steal_time = true, .aarch32_el1 = false};

/* ---- set-up ---- */

static bool create_and_destroy(void *context, struct error *error)
{
    (void)context;
    if (!guest_create(&guest, error))
        return false;
    guest_destroy(&guest);
    return true;
}

START_TEST(each_call_fails)
{
    guest.features = all_features;
    check_each_call_fails(&guest.fake, create_and_destroy, NULL, 25);
}
END_TEST

START_TEST(messages_name_what_failed)
{
    static const struct kvm_failure failures[] = {
        {KVM_ARM_PREFERRED_TARGET, 0, 0, "KVM_ARM_PREFERRED_TARGET"},
        {KVM_CREATE_VCPU, 0, 0, "KVM_CREATE_VCPU failed for vCPU 0"},
        {KVM_CREATE_VCPU, 0, 1, "KVM_CREATE_VCPU failed for vCPU 1"},
        {FAKE_KVM_MAP, 0, 1, "cannot map the run area of vCPU 1"},
        {KVM_ARM_VCPU_INIT, 0, 1, "vCPU 1: KVM_ARM_VCPU_INIT"},
        {KVM_ARM_VCPU_FINALIZE, 0, 1, "vCPU 1: KVM_ARM_VCPU_FINALIZE"},
        {KVM_SET_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_CTRL, 0, "placing the record of stolen time"},
        {KVM_GET_ONE_REG, 0, 0, "register 0x603000000013c005: KVM_GET_ONE_REG"},
        {KVM_SET_ONE_REG, 0, 0, "register 0x6030000000100040: KVM_SET_ONE_REG"},
        {KVM_SET_ONE_REG, 0, 1, "register 0x6030000000100000: KVM_SET_ONE_REG"},
    };

    guest.features = all_features;
    check_messages(&guest.fake, create_and_destroy, NULL, failures,
                   sizeof(failures) / sizeof(failures[0]));
    /* The GIC's groups have the same numbers as the PMU's. */
    guest.features = (struct vcpu_features){.pmu = true};
    static const struct kvm_failure pmu[] = {
        {KVM_SET_DEVICE_ATTR, KVM_ARM_VCPU_PMU_V3_CTRL, 2, "setting the PMU's interrupt"},
        {KVM_SET_DEVICE_ATTR, KVM_ARM_VCPU_PMU_V3_CTRL, 3, "initialising the PMU"},
    };
    check_messages(&guest.fake, create_and_destroy, NULL, pmu, sizeof(pmu) / sizeof(pmu[0]));
}
END_TEST

START_TEST(features_reach_the_vcpus)
{
    const uint32_t least = 1U << KVM_ARM_VCPU_PSCI_0_2;
    const uint32_t all = least | 1U << KVM_ARM_VCPU_PMU_V3 | 1U << KVM_ARM_VCPU_SVE |
                         1U << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1U << KVM_ARM_VCPU_PTRAUTH_GENERIC;
    const struct fake_vcpu *vcpus = guest.fake.vm.vcpus;
    struct error error = {0};

    ck_assert(guest_create(&guest, &error));
    ck_assert_uint_eq(vcpus[0].init.features[0], least);
    ck_assert_uint_eq(vcpus[1].init.features[0], least | 1U << KVM_ARM_VCPU_POWER_OFF);
    ck_assert(!vcpus[0].finalised);
    guest_destroy(&guest);

    guest.features = all_features;
    ck_assert(guest_create(&guest, &error));
    ck_assert_uint_eq(vcpus[0].init.features[0], all);
    ck_assert_uint_eq(vcpus[1].init.features[0], all | 1U << KVM_ARM_VCPU_POWER_OFF);
    ck_assert(vcpus[0].finalised && vcpus[1].finalised);
    ck_assert_uint_eq(fake_kvm_attribute(&guest.fake, FAKE_ON_VCPU, KVM_ARM_VCPU_PMU_V3_CTRL,
                                         KVM_ARM_VCPU_PMU_V3_IRQ)
                          ->value,
                      GIC_PPI_BASE + PPI_PMU);
    ck_assert_ptr_nonnull(fake_kvm_attribute(&guest.fake, FAKE_ON_VCPU, KVM_ARM_VCPU_PMU_V3_CTRL,
                                             KVM_ARM_VCPU_PMU_V3_INIT));
    ck_assert_uint_eq(fake_kvm_attribute(&guest.fake, FAKE_ON_VCPU, KVM_ARM_VCPU_PVTIME_CTRL,
                                         KVM_ARM_VCPU_PVTIME_IPA)
                          ->value,
                      GUEST_RAM_BASE + 64);
    ck_assert_uint_eq(guest.affinities[0], 0);
    ck_assert_uint_eq(guest.affinities[1], 1);
}
END_TEST

START_TEST(the_boot_cpu_gets_its_entry)
{
    const uint64_t fdt = GUEST_RAM_BASE + GUEST_RAM_BYTES / 2;
    struct error error = {0};

    ck_assert(guest_create(&guest, &error));
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_PC), GUEST_RAM_BASE);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(0)), fdt);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 1, VCPU_REG_PC), 0);
    guest_destroy(&guest);

    guest.features.aarch32_el1 = true;
    ck_assert(guest_create(&guest, &error));
    ck_assert(guest.fake.vm.vcpus[1].init.features[0] & 1U << KVM_ARM_VCPU_EL1_32BIT);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_PC), GUEST_RAM_BASE);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(0)), 0);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(1)), UINT32_MAX);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(2)), fdt);
}
END_TEST

/* ---- the run loop ---- */

START_TEST(accesses_reach_the_device)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(GUEST_DEVICE_BASE, 8, 0x1122334455667788),
        FAKE_READ(GUEST_DEVICE_BASE, 8, 0x1122334455667788),
        FAKE_READ(GUEST_DEVICE_BASE, 4, 0x55667788),
        FAKE_READ(GUEST_DEVICE_BASE, 2, 0x7788),
        FAKE_READ(GUEST_DEVICE_BASE, 1, 0x88),
        FAKE_WRITE(GUEST_DEVICE_BASE + 8, 4, 0xaabbccddeeff0011),
        FAKE_READ(GUEST_DEVICE_BASE + 8, 8, 0xeeff0011),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_SHUTDOWN);
    ck_assert_uint_eq(guest.device.writes, 2);
    ck_assert_uint_eq(guest.device.reads, 5);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_MMIO], 7);
    ck_assert_uint_eq(guest.counters[0][0].writes, 2);
    ck_assert_uint_eq(guest.counters[0][0].reads, 5);
    ck_assert_uint_eq(guest.vcpus[0].counters.unassigned.reads, 0);
    ck_assert_str_eq(guest_read_log(&guest), "");
}
END_TEST

START_TEST(unassigned_accesses_are_harmless_and_logged)
{
    static const struct fake_step steps[] = {
        FAKE_READ(GUEST_NOWHERE, 4, 0),        FAKE_WRITE(GUEST_NOWHERE, 2, 1),
        FAKE_READ(UINT64_MAX - 3, 4, 0),       FAKE_READ(GUEST_DEVICE_BASE + 0xffc, 8, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_uint_eq(guest.vcpus[0].counters.unassigned.reads, 3);
    ck_assert_uint_eq(guest.vcpus[0].counters.unassigned.writes, 1);
    ck_assert_uint_eq(guest_count_log(&guest, "armlet: warning: vCPU 0: 4-byte read from 0xa000000,"
                                              " where nothing is: reads as zero\n"),
                      1);
    ck_assert_uint_eq(guest_count_log(&guest, "armlet: warning: vCPU 0: 2-byte write to 0xa000000,"
                                              " where nothing is: ignored\n"),
                      1);
    ck_assert_uint_eq(guest_count_log(&guest, "\n"), 4);
}
END_TEST

START_TEST(a_guest_cant_flood_the_log)
{
    enum { ACCESSES = 1000, LINES = LOG_BURST + 6 }; /* 16, 32, ... 512 */
    static struct fake_step steps[ACCESSES + 1];

    for (size_t i = 0; i < ACCESSES; i++)
        steps[i] = (struct fake_step)FAKE_WRITE(GUEST_NOWHERE, 1, i);
    steps[ACCESSES] = (struct fake_step)FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN);
    guest.fake.scripts[0][0] = (struct fake_script){steps, ACCESSES + 1};
    guest_run(&guest);
    ck_assert_uint_eq(guest.vcpus[0].counters.unassigned.writes, ACCESSES);
    ck_assert_uint_eq(guest_count_log(&guest, "\n"), LINES);
}
END_TEST

START_TEST(some_returns_mean_nothing)
{
    static const struct fake_step steps[] = {
        FAKE_ERROR(EAGAIN), FAKE_EXIT(KVM_EXIT_INTR),
        FAKE_ERROR(EINTR),  FAKE_WRITE(GUEST_DEVICE_BASE, 1, 7),
        FAKE_ERROR(EINTR),  FAKE_EVENT(KVM_SYSTEM_EVENT_RESET),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_RESET);
    ck_assert_int_eq(guest.vcpus[0].state, VCPU_STOPPED);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_SIGNAL], 3);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_AGAIN], 1);
    ck_assert_uint_eq(guest.device.writes, 1);
    ck_assert_str_eq(guest_read_log(&guest), "");
}
END_TEST

/* What nobody can carry on from. */
static const struct {
    struct fake_step step;
    enum error_code code;
    int os_errno;
    const char *message;
} endings[] = {
    {FAKE_EVENT(KVM_SYSTEM_EVENT_CRASH), ERROR_GUEST, 0, "vCPU 0: the guest reports a crash"},
    {FAKE_EVENT(77), ERROR_GUEST, 0, "vCPU 0: system event 77, which armlet doesn't know"},
    {FAKE_EXIT(KVM_EXIT_HYPERCALL), ERROR_GUEST, 0, "vCPU 0: unhandled exit 3"},
    {FAKE_EXIT(UINT32_MAX), ERROR_GUEST, 0, "vCPU 0: unhandled exit 4294967295"},
    {FAKE_INTERNAL_ERROR(2), ERROR_GUEST, 0, "vCPU 0: KVM internal error 2"},
    {FAKE_FAIL_ENTRY(0x10), ERROR_HOST, 0,
     "vCPU 0: the host can't enter the guest, hardware reason 0x10"},
    {FAKE_ERROR(EFAULT), ERROR_HOST, EFAULT, "vCPU 0: the host could not provide guest memory"},
    {FAKE_ERROR(ENOMEM), ERROR_HOST, ENOMEM, "vCPU 0: the host could not provide guest memory"},
    {FAKE_ERROR(EHWPOISON), ERROR_HOST, EHWPOISON, "could not provide guest memory"},
    {FAKE_ERROR(ENOSYS), ERROR_GUEST, ENOSYS, "an access that this host's KVM can't describe"},
    {FAKE_ERROR(EIO), ERROR_HOST, EIO, "vCPU 0: KVM_RUN failed: Input/output error"},
};

START_TEST(the_end_comes_with_registers)
{
    const uint32_t nop = 0xd503201f;
    const struct vcpu *vcpu = &guest.vcpus[0];

    memcpy(guest.memory.host, &nop, sizeof(nop));
    guest.fake.scripts[0][0] = (struct fake_script){&endings[_i].step, 1};
    guest_run(&guest);
    ck_assert_int_eq(vcpu->outcome, VCPU_OUTCOME_FAILED);
    ck_assert_int_eq(vcpu->state, VCPU_FAILED);
    ck_assert_int_eq(vcpu->error.code, endings[_i].code);
    ck_assert_int_eq(vcpu->error.os_errno, endings[_i].os_errno);
    ck_assert_msg(strstr(vcpu->error.message, endings[_i].message), "%s", vcpu->error.message);

    ck_assert_uint_eq(guest_count_log(&guest, "armlet: error: registers of vCPU 0:\n"), 1);
    ck_assert_uint_eq(guest_count_log(&guest, " x0 0000000040008000 "), 1);
    ck_assert_uint_eq(guest_count_log(&guest, " pc 0000000040000000 "), 1);
    ck_assert_uint_eq(guest_count_log(&guest, " ttbr1_el1 "), 1);
    ck_assert_uint_eq(
        guest_count_log(&guest, "vCPU 0: the instruction at 0x40000000 is 0xd503201f\n"), 1);
}
END_TEST

START_TEST(registers_that_cant_be_read_show_as_such)
{
    const struct fake_step step = FAKE_EXIT(KVM_EXIT_UNKNOWN);
    struct error error = {0};

    guest.fake.scripts[0][0] = (struct fake_script){&step, 1};
    ck_assert(guest_create(&guest, &error));
    fake_kvm_set_register(&guest.fake, 0, VCPU_REG_PC, GUEST_NOWHERE);
    fake_kvm_fail_request(&guest.fake, KVM_GET_ONE_REG, 3, EIO);
    guest_run_created(&guest);
    ck_assert_uint_eq(guest_count_log(&guest, "unreadable"), 1);
    ck_assert_uint_eq(guest_count_log(&guest, " x3       unreadable\n"), 1);
    ck_assert_uint_eq(guest_count_log(&guest, "vCPU 0: no instruction at 0xa000000: "), 1);
}
END_TEST

/* ---- accesses without a syndrome ---- */

static void start_at_instruction(uint32_t word, uint64_t base)
{
    struct error error = {0};

    memcpy(guest.memory.host, &word, sizeof(word));
    ck_assert(guest_create(&guest, &error));
    fake_kvm_set_register(&guest.fake, 0, VCPU_REG_X(0), base);
    guest_run_created(&guest);
}

START_TEST(a_pair_is_loaded_without_a_syndrome)
{
    const uint32_t ldp_x1_x2_x0 = 0xa9400801;
    static const struct fake_step steps[] = {
        FAKE_NO_SYNDROME(GUEST_DEVICE_BASE, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest.device.registers[0] = 0x1111;
    guest.device.registers[1] = 0x2222;
    start_at_instruction(ldp_x1_x2_x0, GUEST_DEVICE_BASE);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_SHUTDOWN);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_NO_SYNDROME], 1);
    ck_assert_uint_eq(guest.counters[0][0].reads, 2);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(1)), 0x1111);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_X(2)), 0x2222);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_PC), GUEST_RAM_BASE + 4);
    ck_assert_uint_eq(guest.fake.vm.vcpus[0].events_count, 0);
}
END_TEST

static const uint32_t ldxr_x1_x0 = 0xc85f7c01;

START_TEST(what_cant_be_decoded_becomes_an_abort)
{
    static const struct fake_step steps[] = {
        FAKE_NO_SYNDROME(GUEST_DEVICE_BASE, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    start_at_instruction(ldxr_x1_x0, GUEST_DEVICE_BASE);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_SHUTDOWN);
    ck_assert_uint_eq(guest.fake.vm.vcpus[0].events_count, 1);
    ck_assert(guest.fake.vm.vcpus[0].events.exception.ext_dabt_pending);
    ck_assert_uint_eq(guest.device.reads, 0);
    ck_assert_uint_eq(fake_kvm_register(&guest.fake, 0, VCPU_REG_PC), GUEST_RAM_BASE);
}
END_TEST

START_TEST(without_aborts_the_guest_ends)
{
    const struct fake_step step = FAKE_NO_SYNDROME(GUEST_DEVICE_BASE, 0);

    guest.fake.scripts[0][0] = (struct fake_script){&step, 1};
    guest.environment.can_inject_abort = false;
    start_at_instruction(ldxr_x1_x0, GUEST_DEVICE_BASE);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_FAILED);
    ck_assert_int_eq(guest.vcpus[0].error.code, ERROR_GUEST);
    ck_assert_uint_eq(guest_count_log(&guest, "registers of vCPU 0:"), 1);
}
END_TEST

START_TEST(an_abort_that_cant_be_injected_is_the_hosts_fault)
{
    const struct fake_step step = FAKE_NO_SYNDROME(GUEST_DEVICE_BASE, 0);

    guest.fake.scripts[0][0] = (struct fake_script){&step, 1};
    fake_kvm_fail_request(&guest.fake, KVM_SET_VCPU_EVENTS, 0, EIO);
    start_at_instruction(ldxr_x1_x0, GUEST_DEVICE_BASE);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_FAILED);
    ck_assert_int_eq(guest.vcpus[0].error.code, ERROR_HOST);
    ck_assert_str_eq(guest.vcpus[0].error.message,
                     "vCPU 0: KVM_SET_VCPU_EVENTS failed: Input/output error");
}
END_TEST

/* ---- stopping ---- */

static void check_stopped(struct vcpu *vcpu)
{
    struct error error = {0};

    ck_assert_msg(vcpu_join(vcpu, &error), "%s", error.message);
    ck_assert(vcpu_has_left(vcpu));
    ck_assert_int_eq(vcpu->outcome, VCPU_OUTCOME_STOPPED);
    ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
    ck_assert_uint_eq(vcpu->run->immediate_exit, 0);
}

START_TEST(a_kick_comes_through_at_any_time)
{
    enum { ROUNDS = 300 };
    struct error error = {0};

    /* Before the thread has begun, on its way into KVM_RUN, or in it: as it happens. */
    ck_assert(guest_create(&guest, &error));
    for (unsigned round = 0; round < ROUNDS; round++) {
        guest.vcpus[0].state = VCPU_OFF;
        ck_assert(vcpu_start(&guest.vcpus[0], &error));
        for (unsigned delay = 0; delay < round % 8; delay++)
            (void)sched_yield();
        vcpu_stop(&guest.vcpus[0]);
        check_stopped(&guest.vcpus[0]);
    }
}
END_TEST

static void stop(void *context)
{
    vcpu_stop(context);
}

START_TEST(a_kick_right_before_the_guest_is_entered_is_not_lost)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(GUEST_DEVICE_BASE, 4, 0),
        FAKE_READ(GUEST_DEVICE_BASE, 4, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    /* The signal is taken while the device answers; what is left of the kick is the flag. */
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest.device.on_write = stop;
    guest.device.context = &guest.vcpus[0];
    guest_run(&guest);
    check_stopped(&guest.vcpus[0]);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_MMIO], 1);
    ck_assert_uint_eq(guest.vcpus[0].counters.exits[EXIT_KIND_SIGNAL], 1);
    ck_assert_uint_eq(guest.device.reads, 0);
}
END_TEST

START_TEST(a_read_is_finished_before_a_kick_counts)
{
    static const struct fake_step steps[] = {
        FAKE_READ(GUEST_DEVICE_BASE, 4, 5),
        FAKE_HOOK(stop),
    };

    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest.fake.hook_context = &guest.vcpus[0];
    guest.device.registers[0] = 5;
    guest_run(&guest);
    check_stopped(&guest.vcpus[0]);
    ck_assert_ptr_null(guest.fake.vm.vcpus[0].reading);
}
END_TEST

START_TEST(stopping_one_that_left_or_never_ran_does_nothing)
{
    static const struct fake_step step = FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN);
    struct vcpu *vcpu = &guest.vcpus[0];
    struct error error = {0};

    guest.fake.scripts[0][0] = (struct fake_script){&step, 1};
    ck_assert(guest_create(&guest, &error));
    vcpu_stop(vcpu);
    ck_assert(vcpu_join(vcpu, &error));
    ck_assert_int_eq(vcpu->state, VCPU_OFF);

    ck_assert(vcpu_start(vcpu, &error));
    guest_await(&guest, 0);
    vcpu_stop(vcpu);
    ck_assert(vcpu_join(vcpu, &error));
    ck_assert_int_eq(vcpu->outcome, VCPU_OUTCOME_SHUTDOWN);
    vcpu_stop(vcpu);
    ck_assert(vcpu_join(vcpu, &error));
    ck_assert_int_eq(vcpu->state, VCPU_STOPPED);

    ck_assert(!vcpu_start(vcpu, &error));
    ck_assert_int_eq(error.code, ERROR_INTERNAL);
    ck_assert_str_eq(error.message, "a vCPU can't go from 'stopped' to 'running'");
}
END_TEST

START_TEST(vcpus_run_beside_each_other)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(GUEST_DEVICE_BASE + 16, 8, 1),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    struct error error = {0};

    guest.fake.scripts[0][1] = FAKE_SCRIPT(steps);
    ck_assert(guest_create(&guest, &error));
    ck_assert(vcpu_start(&guest.vcpus[0], &error));
    ck_assert(vcpu_start(&guest.vcpus[1], &error));
    guest_await(&guest, 1);
    ck_assert(!vcpu_has_left(&guest.vcpus[0]));
    vcpu_stop(&guest.vcpus[0]);
    vcpu_stop(&guest.vcpus[1]);
    check_stopped(&guest.vcpus[0]);
    ck_assert(vcpu_join(&guest.vcpus[1], &error));
    ck_assert_int_eq(guest.vcpus[1].outcome, VCPU_OUTCOME_SHUTDOWN);
}
END_TEST

/* ---- pinning ---- */

static void note_cpus(void *context)
{
    ck_assert_int_eq(sched_getaffinity(0, sizeof(cpu_set_t), context), 0);
}

START_TEST(a_pinned_vcpu_runs_where_it_must)
{
    static const struct fake_step steps[] = {
        FAKE_HOOK(note_cpus),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    int cpu = sched_getcpu();
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest.fake.hook_context = &cpus;
    guest.vcpus[0].pin_cpu = cpu;
    guest_run(&guest);
    ck_assert_int_eq(CPU_COUNT(&cpus), 1);
    ck_assert(CPU_ISSET((size_t)cpu, &cpus));
}
END_TEST

START_TEST(a_cpu_that_isnt_there_is_told)
{
    static const int missing[] = {CPU_SETSIZE - 1, CPU_SETSIZE, 1 << 20};
    struct vcpu *vcpu = &guest.vcpus[0];
    struct error error = {0};

    ck_assert(guest_create(&guest, &error));
    vcpu->pin_cpu = missing[_i];
    ck_assert(!vcpu_start(vcpu, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, EINVAL);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot start vCPU 0 on host CPU"));
    ck_assert_int_eq(vcpu->state, VCPU_FAILED);
    vcpu_stop(vcpu);
    ck_assert(vcpu_join(vcpu, &error));
}
END_TEST

/* ---- files ---- */

static void open_a_file(void *context)
{
    int *opened = context;

    *opened = dup(STDERR_FILENO);
    ck_assert_int_ge(*opened, 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(a_thread_has_files_of_its_own_where_it_may)
{
    static const struct fake_step steps[] = {FAKE_HOOK(open_a_file),
                                             FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    bool own = _i;
    int opened = -1;

    guest.fake.hook_context = &opened;
    guest.fake.scripts[0][0] = (struct fake_script){steps, 2};
    guest.environment.own_files = own;
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_SHUTDOWN);
    ck_assert_int_ne(is_open(opened), own);
    if (!own)
        (void)close(opened);
}
END_TEST

static void add_run_tests(TCase *tests)
{
    tcase_add_loop_test(tests, a_thread_has_files_of_its_own_where_it_may, 0, 2);
    tcase_add_test(tests, accesses_reach_the_device);
    tcase_add_test(tests, unassigned_accesses_are_harmless_and_logged);
    tcase_add_test(tests, a_guest_cant_flood_the_log);
    tcase_add_test(tests, some_returns_mean_nothing);
    tcase_add_loop_test(tests, the_end_comes_with_registers, 0,
                        sizeof(endings) / sizeof(endings[0]));
    tcase_add_test(tests, registers_that_cant_be_read_show_as_such);
    tcase_add_test(tests, a_pair_is_loaded_without_a_syndrome);
    tcase_add_test(tests, what_cant_be_decoded_becomes_an_abort);
    tcase_add_test(tests, without_aborts_the_guest_ends);
    tcase_add_test(tests, an_abort_that_cant_be_injected_is_the_hosts_fault);
    tcase_add_test(tests, a_kick_comes_through_at_any_time);
    tcase_add_test(tests, a_kick_right_before_the_guest_is_entered_is_not_lost);
    tcase_add_test(tests, a_read_is_finished_before_a_kick_counts);
    tcase_add_test(tests, stopping_one_that_left_or_never_ran_does_nothing);
    tcase_add_test(tests, vcpus_run_beside_each_other);
    tcase_add_test(tests, a_pinned_vcpu_runs_where_it_must);
    tcase_add_loop_test(tests, a_cpu_that_isnt_there_is_told, 0, 3);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vcpu");
    TCase *tests = tcase_create("vcpu");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_call_fails);
    tcase_add_test(tests, messages_name_what_failed);
    tcase_add_test(tests, features_reach_the_vcpus);
    tcase_add_test(tests, the_boot_cpu_gets_its_entry);
    add_run_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}
