// SPDX-License-Identifier: Apache-2.0
/* Whole machines on a fake KVM: from options to how it ended, and each call that fails between. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "devices/pl061.h"
#include "kvm_failures.h"
#include "kvm_machine.h"
#include "memory_map.h"
#include "vcpu_registers.h"

Suite *unit_suite(void);

#define UART     UINT64_C(0x09000000)
#define GPIO     UINT64_C(0x09030000)
#define KEY_MASK (1U << PL061_POWER_KEY_LINE)

enum {
    /* PL061 (DDI 0190) */
    GPIOIS = 0x404,
    GPIOIEV = 0x40c,
    GPIOIE = 0x410,
    GPIOMIS = 0x418,
    GPIOIC = 0x41c,
    KEY_INTID = GIC_SPI_BASE + 7,
    BRANCH_TO_SELF = 0x14000000,
};

static const struct fake_step power_off[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
static const struct fake_step reset[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};

/* ---- power-on to power-off ---- */

static uint32_t read_word(const struct trial *self, uint64_t address)
{
    uint32_t word;

    memcpy(&word, trial_memory(self, address), sizeof(word));
    return word;
}

static void check_loaded(void *context)
{
    struct trial *self = context;
    const uint32_t fdt_magic = 0xedfe0dd0; /* big-endian */

    ck_assert_uint_eq(read_word(self, fake_kvm_register(&self->fake, 0, VCPU_REG_PC)),
                      BRANCH_TO_SELF);
    ck_assert_uint_eq(read_word(self, fake_kvm_register(&self->fake, 0, VCPU_REG_X(0))), fdt_magic);
}

static void overwrite_kernel(void *context)
{
    const struct trial *self = context;

    memset(trial_memory(self, TRIAL_RAM), 0xff, TRIAL_RAM_BYTES);
}

START_TEST(a_guest_powers_off)
{
    static const struct fake_step steps[] = {
        FAKE_HOOK(check_loaded),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 1);
    ck_assert_uint_eq(trial.fake.vm.slot_count, 1);
    ck_assert(!LOGGED("error"));
}
END_TEST

START_TEST(any_vcpu_may_power_off)
{
    OPTIONS("-c", "3");
    STEPS(&trial, 0, 2, power_off);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(trial.fake.vm.vcpus[2].created);
    ck_assert(!trial.fake.vm.vcpus[3].created);
}
END_TEST

START_TEST(a_reset_is_a_new_vm_with_a_new_kernel)
{
    static const struct fake_step first[] = {
        FAKE_HOOK(check_loaded),
        FAKE_WRITE(GPIO + GPIOIE, 4, 0xff),
        FAKE_READ(GPIO + GPIOIE, 4, 0xff),
        FAKE_HOOK(overwrite_kernel),
        FAKE_EVENT(KVM_SYSTEM_EVENT_RESET),
    };
    static const struct fake_step second[] = {
        FAKE_HOOK(check_loaded),
        FAKE_READ(GPIO + GPIOIE, 4, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS("-c", "2");
    STEPS(&trial, 0, 0, first);
    STEPS(&trial, 1, 1, reset);
    STEPS(&trial, 2, 0, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 3);
}
END_TEST

static pthread_barrier_t together;

static void meet(void *context)
{
    (void)context;
    (void)pthread_barrier_wait(&together);
}

START_TEST(power_off_wins_over_a_reset_at_the_same_time)
{
    static const struct fake_step resets[] = {FAKE_HOOK(meet), FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};
    static const struct fake_step ends[] = {FAKE_HOOK(meet), FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};

    ck_assert_int_eq(pthread_barrier_init(&together, NULL, 2), 0);
    OPTIONS("-c", "2");
    STEPS(&trial, 0, 0, resets);
    STEPS(&trial, 0, 1, ends);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 1);
    ck_assert_int_eq(pthread_barrier_destroy(&together), 0);
}
END_TEST

START_TEST(without_reboots_a_reset_is_the_end)
{
    OPTIONS("--no-reboot");
    STEPS(&trial, 0, 0, reset);
    trial_check_run(MACHINE_RESET, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 1);
}
END_TEST

START_TEST(the_uart_reaches_the_console)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(UART, 1, 'o'),
        FAKE_WRITE(UART, 4, 'k'),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    char path[] = "/tmp/armlet-console-XXXXXX";
    int fd = mkstemp(path);
    char kind[sizeof(path) + sizeof("file:")];

    ck_assert_int_ge(fd, 0);
    (void)snprintf(kind, sizeof(kind), "file:%s", path);
    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", kind);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_str_eq(trial_read(&trial, fd), "ok");
    (void)close(fd);
    (void)unlink(path);
}
END_TEST

START_TEST(a_poor_host_will_do)
{
    OPTIONS(NULL);
    trial.fake.capability_count = 0;
    fake_kvm_set_capability(&trial.fake, KVM_CAP_ARM_PSCI_0_2, 1);
    trial.fake.device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V2;
    STEPS(&trial, 0, 0, power_off);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm.slot_count, 1);
    ck_assert_uint_eq(trial.fake.vm.vcpus[0].init.features[0], 1U << KVM_ARM_VCPU_PSCI_0_2);
}
END_TEST

START_TEST(a_dry_run_runs_nothing)
{
    int out = memfd_create("stdout", MFD_CLOEXEC);
    int usual = dup(STDOUT_FILENO);

    OPTIONS("-c", "2", "--dry-run");
    ck_assert_int_ge(out, 0);
    ck_assert_int_eq(fflush(stdout), 0);
    ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
    struct machine *machine = machine_create(&trial.options, &trial.log, &trial.error);
    bool good = machine && machine_print_plan(machine, &trial.error);
    machine_destroy(machine);
    ck_assert_int_ge(dup2(usual, STDOUT_FILENO), 0);
    (void)close(usual);
    ck_assert_msg(good, "%s", trial.error.message);
    ck_assert_ptr_nonnull(strstr(trial_read(&trial, out), "GICv3"));
    ck_assert_ptr_nonnull(strstr(trial_read(&trial, out), "0x0040000000 - 0x0040ffffff"));
    ck_assert_uint_eq(trial.fake.vm_count, 1);
    (void)close(out);
}
END_TEST

/* ---- ends that the guest doesn't choose ---- */

START_TEST(time_runs_out)
{
    OPTIONS("-c", "2", "--timeout", "20ms");
    trial_check_run(MACHINE_TIMED_OUT, 0);
    ck_assert(LOGGED("armlet: error: the guest did not end within --timeout\n"));
}
END_TEST

START_TEST(time_runs_out_through_resets)
{
    for (size_t boot = 0; boot < FAKE_KVM_BOOTS; boot++)
        STEPS(&trial, boot, 0, reset);
    OPTIONS("--timeout", "300ms");
    trial_check_run(MACHINE_TIMED_OUT, 0);
    ck_assert_uint_gt(trial.fake.vm_count, 1);
}
END_TEST

START_TEST(a_vcpu_that_fails_ends_the_machine)
{
    static const struct fake_step steps[] = {FAKE_INTERNAL_ERROR(1)};

    OPTIONS("-c", "3");
    STEPS(&trial, 0, 1, steps);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_GUEST);
    ck_assert_str_eq(trial.error.message, "vCPU 1: KVM internal error 1");
    ck_assert(LOGGED("registers of vCPU 1:"));
}
END_TEST

START_TEST(a_vcpu_that_cant_start_ends_the_machine)
{
    char cpus[32];

    (void)snprintf(cpus, sizeof(cpus), "%d,1023", sched_getcpu());
    OPTIONS("-c", "2", "--pin", cpus);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "cannot start vCPU 1 on host CPU 1023"));
}
END_TEST

START_TEST(what_cant_be_wired_is_told)
{
    OPTIONS("-k", "/nonexistent/Image");
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    options_finish(&trial.options);

    OPTIONS("--cpu", "mte=on");
    fake_kvm_set_capability(&trial.fake, KVM_CAP_ARM_MTE, 0);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    options_finish(&trial.options);

    OPTIONS("--gic", "2", "-c", "9");
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_USAGE);
    options_finish(&trial.options);

    fake_kvm_install(NULL);
    OPTIONS(NULL);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.os_errno, ENOENT);
    machine_destroy(NULL);
}
END_TEST

/* ---- signals and the power key ---- */

static void terminate(void *context)
{
    const struct trial *self = context;

    ck_assert_int_eq(pthread_kill(self->thread, SIGTERM), 0);
}

static void hang_up(void *context)
{
    const struct trial *self = context;

    ck_assert_int_eq(pthread_kill(self->thread, SIGHUP), 0);
}

static void go_on(void *context)
{
    const struct trial *self = context;

    ck_assert_int_eq(pthread_kill(self->thread, SIGCONT), 0);
}

#define WAIT_FOR_KEY                                                                               \
    FAKE_WRITE(GPIO + GPIOIEV, 4, KEY_MASK), FAKE_WRITE(GPIO + GPIOIE, 4, KEY_MASK),               \
        FAKE_HOOK(terminate), FAKE_WAIT_IRQ(KEY_INTID, true),                                      \
        FAKE_READ(GPIO + GPIOMIS, 4, KEY_MASK), FAKE_WRITE(GPIO + GPIOIC, 4, KEY_MASK),            \
        FAKE_WAIT_IRQ(KEY_INTID, false)

START_TEST(a_signal_presses_the_power_key_and_lets_it_go)
{
    static const struct fake_step level[] = {
        FAKE_WRITE(GPIO + GPIOIS, 4, KEY_MASK), FAKE_WRITE(GPIO + GPIOIEV, 4, KEY_MASK),
        FAKE_WRITE(GPIO + GPIOIE, 4, KEY_MASK), FAKE_HOOK(terminate),
        FAKE_WAIT_IRQ(KEY_INTID, true),         FAKE_WAIT_IRQ(KEY_INTID, false),
        FAKE_READ(GPIO + GPIOMIS, 4, 0),        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, level);
    trial_check_run(MACHINE_SIGNALLED, SIGTERM);
}
END_TEST

START_TEST(a_signal_presses_the_power_key)
{
    static const struct fake_step steps[] = {WAIT_FOR_KEY, FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};

    OPTIONS("-c", "2");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGTERM);
    ck_assert(LOGGED("asking the guest to shut down"));
    ck_assert(!LOGGED("error"));
}
END_TEST

START_TEST(a_guest_that_resets_instead_is_ended)
{
    static const struct fake_step steps[] = {WAIT_FOR_KEY, FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGTERM);
    ck_assert_uint_eq(trial.fake.vm_count, 1);
}
END_TEST

START_TEST(a_deaf_guest_is_ended_after_a_while)
{
    static const struct fake_step steps[] = {FAKE_HOOK(hang_up), FAKE_WAIT()};

    OPTIONS("--shutdown-timeout", "20ms");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGHUP);
    ck_assert(LOGGED("armlet: error: the guest did not power off when asked to"));
}
END_TEST

START_TEST(a_second_signal_ends_a_deaf_guest_at_once)
{
    static const struct fake_step steps[] = {WAIT_FOR_KEY, FAKE_HOOK(hang_up), FAKE_WAIT()};

    OPTIONS("--shutdown-timeout", "1h");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGHUP);
    ck_assert(!LOGGED("error"));
}
END_TEST

START_TEST(going_on_after_a_stop_is_not_an_end)
{
    static const struct fake_step steps[] = {FAKE_HOOK(go_on),
                                             FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

/* ---- the operator at a terminal ---- */

static int operators_side;

static void type_quit(void *context)
{
    (void)context;
    ck_assert_int_eq(write(operators_side, "\001x", 2), 2);
}

static void type_shutdown(void *context)
{
    (void)context;
    ck_assert_int_eq(write(operators_side, "\001s", 2), 2);
}

/* Runs with a terminal for standard input and output. */
static void run_on_terminal(enum machine_outcome outcome)
{
    int usual[2] = {dup(STDIN_FILENO), dup(STDOUT_FILENO)};

    operators_side = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(operators_side, 0);
    ck_assert(grantpt(operators_side) == 0 && unlockpt(operators_side) == 0);
    int guests_side = open(ptsname(operators_side), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(guests_side, 0);
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
        ck_assert_int_eq(dup2(guests_side, fd), fd);

    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--shutdown-timeout", "20ms");
    bool good = trial_run(&trial, &trial.error);
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
        ck_assert_int_eq(dup2(usual[fd], fd), fd);
        (void)close(usual[fd]);
    }
    (void)close(guests_side);
    (void)close(operators_side);
    ck_assert_msg(good, "%s", trial.error.message);
    ck_assert_int_eq(trial.result.outcome, outcome);
}

START_TEST(the_operator_leaves)
{
    static const struct fake_step steps[] = {FAKE_HOOK(type_quit), FAKE_WAIT()};

    STEPS(&trial, 0, 0, steps);
    run_on_terminal(MACHINE_QUIT);
    ck_assert(!LOGGED("error"));
}
END_TEST

START_TEST(the_operator_asks_for_a_shutdown)
{
    static const struct fake_step steps[] = {FAKE_HOOK(type_shutdown), FAKE_WAIT()};

    STEPS(&trial, 0, 0, steps);
    run_on_terminal(MACHINE_QUIT);
    ck_assert(LOGGED("the guest did not power off when asked to"));
}
END_TEST

/* ---- failures of the host ---- */

START_TEST(a_host_without_files_to_spare_is_told)
{
    enum { ENOUGH = 64 };
    struct rlimit usual, few;
    unsigned failures = 0;
    bool good = false;

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, power_off);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    few = usual;
    for (rlim_t spare = 0; !good && spare < ENOUGH; spare++) {
        unsigned before = trial_count_files();

        few.rlim_cur = spare;
        trial.fake.vm_count = 0;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        good = trial_run(&trial, &trial.error);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
        ck_assert_uint_eq(trial_count_files(), before);
        ck_assert_uint_eq(trial.fake.open_count, 0);
        if (good)
            break;
        failures++;
        ck_assert_int_eq(trial.error.code, ERROR_HOST);
        ck_assert_int_eq(trial.error.os_errno, EMFILE);
    }
    ck_assert(good);
    ck_assert_uint_gt(failures, 4);
}
END_TEST

START_TEST(each_call_fails)
{
    OPTIONS("-c", "2", "--gic", "3", "--its", "on", "--cpu=pmu=on,steal-time=on");
    STEPS(&trial, 0, 0, reset);
    STEPS(&trial, 1, 1, power_off);
    check_each_call_fails(&trial.fake, trial_attempt, &trial, 60);
}
END_TEST

START_TEST(messages_name_what_failed)
{
    static const struct kvm_failure failures[] = {
        {FAKE_KVM_OPEN, 0, 0, "cannot open /dev/kvm"},
        {KVM_GET_VCPU_MMAP_SIZE, 0, 0, "KVM_GET_VCPU_MMAP_SIZE"},
        {KVM_SET_USER_MEMORY_REGION, 0, 1, "cannot give the guest memory at 0x90a0000: KVM_SET"},
        {KVM_CREATE_VCPU, 0, 1, "KVM_CREATE_VCPU failed for vCPU 1"},
        {KVM_GET_ONE_REG, 0, 1, "vCPU 1: register 0x603000000013c005: KVM_GET_ONE_REG"},
        {KVM_CREATE_VM, 0, 1, "KVM_CREATE_VM failed"},
    };

    OPTIONS("-c", "2", "--cpu=steal-time=on");
    STEPS(&trial, 0, 0, reset);
    STEPS(&trial, 1, 1, power_off);
    check_messages(&trial.fake, trial_attempt, &trial, failures,
                   sizeof(failures) / sizeof(failures[0]));
}
END_TEST

/* ---- two at once ---- */

static void *run_beside(void *context)
{
    struct trial *self = context;

    self->thread = pthread_self();
    fake_kvm_install(&self->fake);
    return trial_run(self, &self->error) ? self : NULL;
}

START_TEST(two_machines_share_a_process)
{
    static const struct fake_step steps[] = {WAIT_FOR_KEY, FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    static struct trial other;
    pthread_t threads[2];
    void *good[2];

    trial_init(&other);
    OPTIONS("-c", "2");
    ASSERT_PARSES(&other.options, "run", "-m", "32M", "--console", "none", "--gic", "2",
                  "--no-reboot");
    STEPS(&trial, 0, 1, steps);
    STEPS(&other, 0, 0, reset);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, run_beside, &trial), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, run_beside, &other), 0);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], &good[i]), 0);
    ck_assert_msg(good[0], "%s", trial.error.message);
    ck_assert_msg(good[1], "%s", other.error.message);
    ck_assert_int_eq(trial.result.outcome, MACHINE_SIGNALLED);
    ck_assert_int_eq(trial.result.signal, SIGTERM);
    ck_assert_int_eq(other.result.outcome, MACHINE_RESET);
    ck_assert_uint_eq(trial.fake.vm.gic_type, KVM_DEV_TYPE_ARM_VGIC_V3);
    ck_assert_uint_eq(other.fake.vm.gic_type, KVM_DEV_TYPE_ARM_VGIC_V2);
    trial_finish(&other);
}
END_TEST

static void add_end_tests(TCase *tests)
{
    tcase_add_test(tests, time_runs_out);
    tcase_add_test(tests, time_runs_out_through_resets);
    tcase_add_test(tests, a_vcpu_that_fails_ends_the_machine);
    tcase_add_test(tests, a_vcpu_that_cant_start_ends_the_machine);
    tcase_add_test(tests, what_cant_be_wired_is_told);
    tcase_add_test(tests, a_signal_presses_the_power_key);
    tcase_add_test(tests, a_signal_presses_the_power_key_and_lets_it_go);
    tcase_add_test(tests, a_guest_that_resets_instead_is_ended);
    tcase_add_test(tests, a_deaf_guest_is_ended_after_a_while);
    tcase_add_test(tests, a_second_signal_ends_a_deaf_guest_at_once);
    tcase_add_test(tests, going_on_after_a_stop_is_not_an_end);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine");
    TCase *tests = tcase_create("machine");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, trial_setup, trial_teardown);
    tcase_add_test(tests, a_guest_powers_off);
    tcase_add_test(tests, any_vcpu_may_power_off);
    tcase_add_test(tests, a_reset_is_a_new_vm_with_a_new_kernel);
    tcase_add_test(tests, power_off_wins_over_a_reset_at_the_same_time);
    tcase_add_test(tests, without_reboots_a_reset_is_the_end);
    tcase_add_test(tests, the_uart_reaches_the_console);
    tcase_add_test(tests, a_poor_host_will_do);
    tcase_add_test(tests, a_dry_run_runs_nothing);
    add_boot_tests(tests);
    add_end_tests(tests);
    tcase_add_test(tests, the_operator_leaves);
    tcase_add_test(tests, the_operator_asks_for_a_shutdown);
    tcase_add_test(tests, a_host_without_files_to_spare_is_told);
    tcase_add_test(tests, each_call_fails);
    tcase_add_test(tests, messages_name_what_failed);
    tcase_add_test(tests, two_machines_share_a_process);
    suite_add_tcase(suite, tests);
    return suite;
}
