// SPDX-License-Identifier: Apache-2.0
/* Plugins: what is loaded, what is refused and how, and two machines with different ones. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "armlet/plugin.h"
#include "exit_status.h"
#include "kvm_machine.h"
#include "plugin_guard.h"
#include "plugin_loader.h"

Suite *unit_suite(void);

#define FREE_BASE UINT64_C(0x0c100000)

/* ---- refused ---- */

static void check_refused(enum error_code code, const char *message, const char *const *arguments)
{
    options_finish(&trial.options);
    ck_assert(parse(&trial.options, &trial.error, arguments));
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_str_eq(trial.error.message, message);
    ck_assert_int_eq(trial.error.code, code);
}

#define CHECK_REFUSED(code, message, ...)                                                          \
    check_refused(code, message, (const char *const[ARGUMENTS_MAX + 1]){"run", __VA_ARGS__})

#define CHECK_DEVICE_REFUSED(mode, message)                                                        \
    CHECK_REFUSED(ERROR_FILE, "cannot create device 'trial': " message, "--plugin",                \
                  "trial,mode=" mode, "--device", "trial")

START_TEST(what_is_no_plugin)
{
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin no_symbol: it is no plugin of armlet: it has no symbol 'armlet_plugin'",
                  "--plugin", "no_symbol");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin old_abi: it was compiled for plugin ABI 3, and this armlet has 2: "
                  "compile it again with this armlet's headers",
                  "--plugin", "old_abi");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin liar: its 'armlet_plugin' has 8 bytes instead of the 48 of plugin "
                  "ABI 2",
                  "--plugin", "liar");
}
END_TEST

START_TEST(what_is_no_shared_object)
{
    char path[] = "/tmp/armlet-plugin-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "not much", 8), 8);
    (void)close(fd);
    options_finish(&trial.options);
    OPTIONS("--plugin", path);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "cannot load it: "));
    (void)unlink(path);

    CHECK_REFUSED(ERROR_FILE,
                  "--plugin nothing.so: cannot load it: ./nothing.so: cannot open shared object "
                  "file: No such file or directory",
                  "--plugin", "nothing.so");
    options_finish(&trial.options);
    OPTIONS("--plugin", "nothing");
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "no such plugin was installed"));
}
END_TEST

START_TEST(names_that_are_too_long)
{
    static const char *const endings[] = {"", ".so"};
    char name[5000];

    for (size_t i = 0; i < 2; i++) {
        memset(name, 'x', sizeof(name));
        memcpy(name + sizeof(name) - 4, i ? endings[i] : "xxx", 4);
        name[sizeof(name) - 1] = '\0';
        ck_assert_ptr_null(plugin_loader_open(name, &trial.error));
        ck_assert_str_eq(trial.error.message, "too long a name");
    }
}
END_TEST

START_TEST(initialise_that_fails)
{
    CHECK_REFUSED(ERROR_HOST, "--plugin trial: 'trial' can't be initialised: the moon is wrong",
                  "--plugin", "trial,mode=fail");
    CHECK_REFUSED(ERROR_FILE, "--plugin trial: 'trial' can't be initialised: it gives no reason",
                  "--plugin", "trial,mode=silent");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin trial: 'trial' can't be initialised: there is a class of devices "
                  "'pl011' already",
                  "--plugin", "trial,mode=taken");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin trial: 'trial' can't be initialised: there is a class of devices "
                  "'trial' already",
                  "--plugin", "trial", "--plugin", "trial");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin trial: 'trial' can't be initialised: a class of devices has no name, "
                  "purpose or create()",
                  "--plugin", "trial,mode=hollow-class");
    CHECK_REFUSED(ERROR_USAGE, "--plugin trial: unknown property 'vlaue': did you mean 'value'?",
                  "--plugin", "trial,vlaue=3");
    CHECK_REFUSED(ERROR_USAGE, "--plugin trial: value=100: must be at most 99", "--plugin",
                  "trial,value=100");
}
END_TEST

START_TEST(devices_that_cant_be)
{
    CHECK_DEVICE_REFUSED("overlap", "it has to be at 0x09000000 to 0x09000fff, where 'pl011' is");
    CHECK_DEVICE_REFUSED("in-ram", "it has to be at 0x40000000 to 0x40000fff, where 'RAM' is");
    CHECK_DEVICE_REFUSED("odd", "it has to be at 0x0c200010, which is no multiple of 4 KiB");
    CHECK_DEVICE_REFUSED("huge-device", "the plugin's device has an impossible size of "
                                        "0xffffffffffffffff bytes");
    CHECK_DEVICE_REFUSED("hollow-device",
                         "the plugin's device has no name, read, write, reset or destroy");
    CHECK_REFUSED(ERROR_FILE,
                  "cannot create device 'second': it has to be at 0x0c300000 to 0x0c300fff, where "
                  "'trial' is",
                  "--plugin", "trial,mode=twins", "--device", "first", "--device", "second");
}
END_TEST

/* ---- crashes end the process, so they have a child of their own ---- */

static void check_crash(const char *plugin, const char *message)
{
    char log[512] = {0};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        trial.log.fd = ends[1];
        OPTIONS("--plugin", plugin);
        (void)trial_run(&trial, &trial.error);
        _exit(99);
    }
    int status = 0;
    (void)close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_ge(read(ends[0], log, sizeof(log) - 1), 0);
    (void)close(ends[0]);
    ck_assert_str_eq(log, message);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), EXIT_STATUS_FILE);
}

START_TEST(crashes_are_named)
{
    check_crash("trial,mode=segv",
                "armlet: --plugin trial: it crashed while it was loaded: Segmentation fault\n");
    check_crash("trial,mode=abort",
                "armlet: --plugin trial: it crashed while it was loaded: Aborted\n");
    check_crash("trial,mode=overflow",
                "armlet: --plugin trial: it crashed while it was loaded: Segmentation fault\n");
    check_crash("crash_early",
                "armlet: --plugin crash_early: it crashed while it was loaded: Aborted\n");
}
END_TEST

static void *abort_elsewhere(void *unused)
{
    (void)unused;
    abort();
}

START_TEST(crashes_of_others_are_theirs)
{
    struct plugin_guard guard;
    pthread_t thread;

    plugin_guard_enter(&guard, "innocent", STDERR_FILENO);
    ck_assert_int_eq(pthread_create(&thread, NULL, abort_elsewhere, NULL), 0);
    (void)pthread_join(thread, NULL);
}
END_TEST

START_TEST(the_guard_leaves_nothing_behind)
{
    struct plugin_guard guard;
    struct sigaction before;
    struct sigaction after;

    ck_assert_int_eq(sigaction(SIGABRT, NULL, &before), 0);
    plugin_guard_enter(&guard, "innocent", STDERR_FILENO);
    plugin_guard_leave(&guard);
    ck_assert_int_eq(sigaction(SIGABRT, NULL, &after), 0);
    ck_assert(before.sa_handler == after.sa_handler);
}
END_TEST

/* ---- loaded ---- */

START_TEST(a_plugin_brings_a_device)
{
    static const struct fake_step steps[] = {
        FAKE_READ(FREE_BASE, 4, 42),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS("--plugin", "trial,value=42", "--device", "trial");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(LOGGED("plugin 'trial' 1\n"));
    ck_assert(LOGGED("trial: device gone\n") && LOGGED("trial: finished\n"));
}
END_TEST

/* ---- exits ---- */

#define UART_DR UINT64_C(0x09000000)

static const struct fake_step accesses[] = {
    FAKE_READ(FREE_BASE + 0xff000, 4, 9),
    FAKE_READ(UART_DR, 2, 9),
    FAKE_WRITE(UART_DR, 1, 'x'),
    FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
};

static void check_ended(const char *plugin, enum error_code code, const char *message)
{
    options_finish(&trial.options);
    OPTIONS("--plugin", plugin);
    STEPS(&trial, 0, 0, accesses);
    trial.fake.vm_count = 0;
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_str_eq(trial.error.message, message);
    ck_assert_int_eq(trial.error.code, code);
    trial.error = (struct error){0};
}

START_TEST(plugins_end_a_run)
{
    static const struct fake_step reads[] = {FAKE_READ(UART_DR + 0x18, 4, 0)};

    OPTIONS("--plugin", "trial,mode=blame");
    STEPS(&trial, 0, 0, reads);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_GUEST);
    ck_assert_str_eq(trial.error.message,
                     "vCPU 0: plugin 'trial' ended the run: the guest looks at pl011+0x18");
    ck_assert(LOGGED("registers of vCPU 0:"));
    trial.error = (struct error){0};

    check_ended("trial,mode=error", ERROR_HOST,
                "vCPU 0: plugin 'trial' ended the run: it gives no reason");
    check_ended("trial,mode=nonsense", ERROR_INTERNAL,
                "vCPU 0: plugin 'trial' ended the run: its answer 99 is none");
    check_ended("trial,mode=handle,value=9", ERROR_INTERNAL,
                "vCPU 0: plugin 'trial' ended the run: it handled an exit of kind 'system-event', "
                "and only accesses can be handled");
}
END_TEST

START_TEST(plugins_that_ask_for_the_impossible)
{
    CHECK_REFUSED(ERROR_USAGE,
                  "--plugin trial: 'trial' can't be initialised: more than 16 look at exits",
                  "--plugin", "trial,mode=greedy");
    CHECK_REFUSED(
        ERROR_FILE,
        "--plugin trial: 'trial' can't be initialised: nobody is there to ask about exits",
        "--plugin", "trial,mode=nobody");
    CHECK_REFUSED(ERROR_FILE,
                  "--plugin trial: 'trial' can't be initialised: a subscriber to events has no "
                  "notify()",
                  "--plugin", "trial,mode=deaf");
}
END_TEST

START_TEST(plugins_see_exits_and_events)
{
    static const struct fake_step steps[] = {
        FAKE_READ(UART_DR + 0x18, 4, 0x97),
        FAKE_ERROR(EAGAIN),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    char line[64];

    OPTIONS("--plugin", "trial");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    (void)snprintf(line, sizeof(line), "trial: exits 0x%x, events 0x%x\n",
                   EXIT_KIND_MASK(EXIT_KIND_MMIO) | EXIT_KIND_MASK(EXIT_KIND_AGAIN) |
                       EXIT_KIND_MASK(EXIT_KIND_SYSTEM_EVENT),
                   EVENT_MASK(EVENT_MACHINE_STATE) | EVENT_MASK(EVENT_VCPU_STATE) |
                       EVENT_MASK(EVENT_EXIT) | EVENT_MASK(EVENT_MMIO) |
                       EVENT_MASK(EVENT_HYPERCALL));
    ck_assert_msg(LOGGED(line), "no '%s' in '%s'", line, trial_read(&trial, trial.log.fd));
}
END_TEST

static void *run_other(void *context)
{
    struct trial *other = context;

    other->thread = pthread_self();
    fake_kvm_install(&other->fake);
    ck_assert_msg(trial_run(other, &other->error), "%s", other->error.message);
    return NULL;
}

START_TEST(two_machines_have_different_plugins)
{
    static const struct fake_step steps[] = {
        FAKE_READ(FREE_BASE, 4, 7),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    static const struct fake_step other_steps[] = {
        FAKE_READ(FREE_BASE, 4, 8),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    static struct trial other;
    pthread_t thread;

    trial_init(&other);
    ASSERT_PARSES(&other.options, "run", "-m", "16M", "--console", "none", "--plugin",
                  "trial,value=8", "--device", "trial");
    STEPS(&other, 0, 0, other_steps);
    OPTIONS("--plugin", "trial,value=7", "--device", "trial");
    STEPS(&trial, 0, 0, steps);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_other, &other), 0);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(other.result.outcome, MACHINE_POWERED_OFF);
    trial_finish(&other);
}
END_TEST

START_TEST(nothing_is_needed_to_load_plugins)
{
    ck_assert(plugin_loader_prepare(NULL, &trial.error));
    OPTIONS("--plugin", "trial", "--device", "help");
    ck_assert(machine_print_devices(&trial.options, &trial.log, &trial.error));
    ck_assert(LOGGED("trial: finished\n"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("plugin");
    TCase *tests = tcase_create("plugin");

    tcase_add_checked_fixture(tests, trial_setup, trial_teardown);
    tcase_add_test(tests, what_is_no_plugin);
    tcase_add_test(tests, what_is_no_shared_object);
    tcase_add_test(tests, names_that_are_too_long);
    tcase_add_test(tests, initialise_that_fails);
    tcase_add_test(tests, devices_that_cant_be);
    tcase_add_test(tests, crashes_are_named);
    tcase_add_test_raise_signal(tests, crashes_of_others_are_theirs, SIGABRT);
    tcase_add_test(tests, the_guard_leaves_nothing_behind);
    tcase_add_test(tests, a_plugin_brings_a_device);
    tcase_add_test(tests, plugins_end_a_run);
    tcase_add_test(tests, plugins_that_ask_for_the_impossible);
    tcase_add_test(tests, plugins_see_exits_and_events);
    tcase_add_test(tests, two_machines_have_different_plugins);
    tcase_add_test(tests, nothing_is_needed_to_load_plugins);
    suite_add_tcase(suite, tests);
    return suite;
}
