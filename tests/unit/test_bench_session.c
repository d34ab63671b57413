// SPDX-License-Identifier: Apache-2.0
/*
 * `armlet bench` from options to a report: the floor on a fake KVM, and processes that stand in for
 * a VMM with a guest.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/bench_guest.h"
#include "bench/facts.h"
#include "bench/floor.h"
#include "bench/floor_guest.h"
#include "bench/print.h"
#include "bench/session.h"
#include "bench/vmm.h"
#include "doctor_fixture.h"
#include "exit_status.h"
#include "parse_options.h"

Suite *unit_suite(void);

/* What the program has linked in; here no one runs it. */
const uint8_t floor_guest[4], bench_guest[4], empty_guest[4];
const uint32_t floor_guest_bytes = 4, bench_guest_bytes = 4, empty_guest_bytes = 4;

static struct error error;
static struct options options;
static char directory[32];
static char guest_lines_path[64];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static char *read_all(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

static char *in_directory(const char *name)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void setup(void)
{
    doctor_fixture_set_up();
    error = (struct error){0};
    (void)snprintf(directory, sizeof(directory), "/tmp/armlet-bench-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(guest_lines_path, sizeof(guest_lines_path), "%s", in_directory("lines"));
    write_file(guest_lines_path, "bench: begin 1 1000000000\nbench: clock 1000 1000\r\n"
                                 "bench: run hvc\nbench: result hvc 10 1000*2 2000*1\n"
                                 "bench: run lpi\nbench: skip lpi no ITS\nbench: end\n");
}

static void teardown(void)
{
    char command[64];

    (void)snprintf(command, sizeof(command), "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
    options_finish(&options);
    doctor_fixture_tear_down();
}

/* ---- the floor ---- */

/* What the fake has where a VMM puts what is read: the floor leaves it. */
#define UNANSWERED 0xa5a5a5a5
#define FLOOR_READ                                                                                 \
    FAKE_READ(FLOOR_MMIO, 4, UNANSWERED), FAKE_WRITE(FLOOR_MMIO + FLOOR_READ_RESULT, 8, 1000)
#define FLOOR_WRITE                                                                                \
    FAKE_WRITE(FLOOR_MMIO, 4, 0), FAKE_WRITE(FLOOR_MMIO + FLOOR_WRITE_RESULT, 8, 2000)
#define FLOOR_BOTH FLOOR_READ, FLOOR_WRITE
#define FREQUENCY  500000000

/* One run of each kind, after three to warm up. */
static const struct fake_step floor_steps[] = {
    FAKE_WRITE(FLOOR_MMIO + FLOOR_FREQUENCY, 8, FREQUENCY),
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
    FLOOR_BOTH,
};

/* In whatever VM it is. */
static void play(const struct fake_step *steps, size_t count)
{
    for (size_t i = 0; i < FAKE_KVM_BOOTS; i++)
        fixture.kvm.scripts[i][0] = (struct fake_script){steps, count};
}

static struct bench_report *new_report(const char *filter)
{
    struct bench_report *report = bench_report_create(&error);

    ck_assert_ptr_nonnull(report);
    report->vmm = "test";
    ck_assert_msg(session_choose(report, filter, &error), "%s", error.message);
    return report;
}

START_TEST(the_floor_takes_what_its_guest_tells)
{
    struct bench_report *report = new_report("machine,immediate-exit");

    play(floor_steps, COUNT(floor_steps));
    ck_assert_msg(floor_measure(report, 1, &error), "%s", error.message);
    ck_assert_double_eq(bench_quantile(&report->results[BENCH_FLOOR_READ], 1), 20);
    ck_assert_double_eq(bench_quantile(&report->results[BENCH_FLOOR_WRITE], 1), 40);
    ck_assert(bench_is_measured(&report->results[BENCH_IMMEDIATE_EXIT]));
    ck_assert(bench_is_measured(&report->results[BENCH_MACHINE]));
    ck_assert(!bench_is_measured(&report->results[BENCH_HVC]));
    bench_report_destroy(report);
}
END_TEST

START_TEST(a_signal_does_not_disturb_the_floor)
{
    for (unsigned nth = 0; nth < 4; nth++) {
        struct bench_report *report = new_report("hvc");

        fixture.kvm.vm_count = 0;
        play(floor_steps, COUNT(floor_steps));
        fake_kvm_fail_request(&fixture.kvm, KVM_RUN, nth, EINTR);
        ck_assert_msg(floor_measure(report, 1, &error), "%s", error.message);
        ck_assert_double_eq(bench_quantile(&report->results[BENCH_FLOOR_READ], 1), 20);
        ck_assert_double_eq(bench_quantile(&report->results[BENCH_FLOOR_WRITE], 1), 40);
        bench_report_destroy(report);
    }
}
END_TEST

START_TEST(each_call_of_the_floor_fails)
{
    unsigned calls = 0;
    bool good = false;

    play(floor_steps, COUNT(floor_steps));
    for (unsigned nth = 0; !good; nth++) {
        struct bench_report *report = new_report("floor-read");
        fixture.kvm.vm_count = 0;
        fake_kvm_fail_nth(&fixture.kvm, nth, EPERM);
        error = (struct error){0};
        good = floor_measure(report, 1, &error);
        if (!good)
            assert_contains(error.message, "cannot measure the floor");
        ck_assert_uint_eq(fixture.kvm.open_count, 0);
        calls = nth;
        bench_report_destroy(report);
    }
    ck_assert_uint_gt(calls, 10);
    fake_kvm_fail_nothing(&fixture.kvm);
}
END_TEST

START_TEST(a_floor_that_leaves_otherwise)
{
    static const struct fake_step event[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    static const struct fake_step failure[] = {FAKE_ERROR(EFAULT)};
    struct bench_report *report = new_report("floor-read");

    play(event, COUNT(event));
    ck_assert(!floor_measure(report, 1, &error));
    assert_contains(error.message, "exit 24");
    play(failure, COUNT(failure));
    fixture.kvm.vm_count = 0;
    ck_assert(!floor_measure(report, 1, &error));
    assert_contains(error.message, "KVM_RUN failed");
    bench_report_destroy(report);
}
END_TEST

START_TEST(a_host_has_an_its_or_not)
{
    ck_assert(floor_has_its());
    fixture.kvm.device_types &= ~(1U << KVM_DEV_TYPE_ARM_VGIC_ITS);
    ck_assert(!floor_has_its());
    fake_kvm_install(NULL);
    ck_assert(!floor_has_its());
}
END_TEST

/* ---- the host ---- */

static const char *fact(const struct bench_report *report, const char *name)
{
    for (size_t i = 0; i < report->fact_count; i++)
        if (strcmp(report->facts[i].name, name) == 0)
            return report->facts[i].value;
    return NULL;
}

START_TEST(facts_of_a_host)
{
    struct bench_report *report = new_report(NULL);

    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: CSV2, BHB\n");
    put("/sys/devices/system/cpu/vulnerabilities/spectre_v1", "Mitigation: masking\n");
    put("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
    put("/proc/loadavg", "0.5 0 0 1/2 3\n");
    doctor_examine(&fixture.host, &fixture.report);
    bench_collect_facts(report, &fixture.host, &fixture.report);
    ck_assert_str_eq(fact(report, "governor"), "performance");
    ck_assert_str_eq(fact(report, "mitigations"), "spectre_v1, spectre_v2");
    ck_assert_str_eq(fact(report, "kernel"), "Linux 6.12.1-arm64");
    ck_assert_str_eq(fact(report, "isolated CPUs"), "none");
    ck_assert_str_eq(fact(report, "load"), "0.5 0 0 1/2 3");
    bench_report_destroy(report);
}
END_TEST

START_TEST(facts_of_a_host_that_says_nothing)
{
    struct bench_report *report = new_report(NULL);

    bench_collect_facts(report, &fixture.host, &fixture.report);
    ck_assert_str_eq(fact(report, "mitigations"), "none");
    ck_assert_str_eq(fact(report, "governor"), "none");
    ck_assert_str_eq(fact(report, "load"), "unknown");
    bench_report_destroy(report);
}
END_TEST

/* ---- processes ---- */

START_TEST(words_of_a_command)
{
    struct arena arena = {0};
    const struct vmm_texts texts = {"/g", "a b", NULL};
    char **arguments = vmm_arguments(
        &arena, "  vmm -k {guest}  -p {words} x={words}{guest}{{initrd} ", &texts, &error);

    ck_assert_str_eq(arguments[0], "vmm");
    ck_assert_str_eq(arguments[2], "/g");
    ck_assert_str_eq(arguments[4], "a b");
    ck_assert_str_eq(arguments[5], "x=a b/g{");
    ck_assert_ptr_null(arguments[6]);
    ck_assert_ptr_null(vmm_arguments(&arena, "", &texts, &error)[0]);
    arena_finish(&arena);
}
END_TEST

static bool answer(void *context, const char *text, uint32_t *reply, struct error *failure)
{
    unsigned *line = context;

    if (strcmp(text, "fail") == 0)
        return error_set(failure, ERROR_GUEST, 0, "as told");
    *reply = strcmp(text, "type") == 0 ? 2 : 0;
    (*line)++;
    return true;
}

static bool run_script(const char *script, unsigned *line, int *status)
{
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
    const struct vmm_process process = {.arguments = arguments, .line = answer, .context = line};

    *line = 0;
    error = (struct error){0};
    return vmm_run(&process, status, &error);
}

START_TEST(a_process_is_heard_and_answered)
{
    unsigned line;
    int status = 0;

    ck_assert(
        run_script("echo one; echo type; head -c 2; echo; printf unfinished", &line, &status));
    ck_assert_uint_eq(line, 3);
    ck_assert_int_eq(status, 0);
    ck_assert(run_script("head -c 10000 /dev/zero | tr '\\0' x; echo; exit 3", &line, &status));
    ck_assert_uint_eq(line, 1);
    ck_assert_int_eq(WEXITSTATUS(status), 3);
}
END_TEST

START_TEST(a_process_is_ended_when_it_says_what_is_wrong)
{
    unsigned line;
    int status = 0;

    ck_assert(!run_script("echo one; echo fail; sleep 1000", &line, &status));
    ck_assert_str_eq(error.message, "as told");
    ck_assert(WIFSIGNALED(status));
    ck_assert(!run_script("cat /dev/zero", &line, &status));
    assert_contains(error.message, "line without end");
}
END_TEST

START_TEST(whole_runs_are_measured)
{
    char *const good[] = {(char *)"true", NULL};
    char *const bad[] = {(char *)"false", NULL};
    char *const absent[] = {(char *)"/nowhere/vmm", NULL};
    char *const killed[] = {(char *)"sh", (char *)"-c", (char *)"kill -KILL $$", NULL};
    char *const signalled[] = {(char *)"sh", (char *)"-c", (char *)"trap : USR1; kill -USR1 $$",
                               NULL};
    uint64_t value = 0;

    ck_assert_msg(vmm_measure_time(good, &value, &error), "%s", error.message);
    ck_assert_uint_gt(value, 0);
    ck_assert_msg(vmm_measure_peak(good, &value, &error), "%s", error.message);
    ck_assert_uint_gt(value, 4096);
    ck_assert_msg(vmm_measure_peak(signalled, &value, &error), "%s", error.message);
    ck_assert(!vmm_measure_time(bad, &value, &error));
    assert_contains(error.message, "status 1");
    ck_assert(!vmm_measure_time(killed, &value, &error));
    assert_contains(error.message, "signal 9");
    ck_assert(!vmm_measure_time(absent, &value, &error));
    ck_assert(!vmm_measure_peak(absent, &value, &error));
    assert_contains(error.message, "status 127");
}
END_TEST

/* ---- all of it ---- */

START_TEST(filters_choose)
{
    struct bench_report *report = new_report("mmio-*,hvc");

    ck_assert(report->results[BENCH_HVC].chosen);
    ck_assert(report->results[BENCH_MMIO_WRITE_8].chosen);
    ck_assert(report->results[BENCH_FLOOR_READ].chosen);
    ck_assert(!report->results[BENCH_LPI].chosen);
    ck_assert(!session_choose(report, "hvc,nothing", &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    assert_contains(error.message, "'nothing'");
    ck_assert(!session_choose(report, "", &error));
    bench_report_destroy(report);
}
END_TEST

/* bench() with its standard output in a file; this host's own KVM is the fake one. */
static int run_bench(const char *output)
{
    int saved = dup(STDOUT_FILENO);
    int to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)fflush(stdout);
    ck_assert_int_ge(dup2(to, STDOUT_FILENO), 0);
    (void)close(to);
    error = (struct error){0};
    int status = bench(&options, &error);
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    (void)close(saved);
    return status;
}

static void parse_bench(const char *vmm, const char *filter, const char *save)
{
    options_finish(&options);
    ASSERT_PARSES(&options, "bench", "--settle", "0", "--runs", "1", "--vmm", vmm, "--filter",
                  filter, "--save", save);
}

START_TEST(from_options_to_a_report_and_a_comparison)
{
    char command[128];
    char *save = in_directory("saved.json");
    char *output = in_directory("output");
    struct bench_report *report = new_report("hvc,hvc-user,lpi,sysreg,fault-4k-absent,exec*,boot");

    (void)snprintf(command, sizeof(command), "cat %s", guest_lines_path);
    ASSERT_PARSES(&options, "bench", "--settle", "1ms", "--runs", "1", "--vmm", command);
    play(floor_steps, COUNT(floor_steps));
    report->runs = 1;
    ck_assert_msg(session_measure(report, &options, &error), "%s", error.message);
    ck_assert_double_eq(bench_quantile(&report->results[BENCH_HVC], 0.5), 100);
    ck_assert(report->counted);
    ck_assert_str_eq(report->results[BENCH_LPI].skipped, "no ITS");
    assert_contains(report->results[BENCH_SYSREG].skipped, "no such benchmark");
    assert_contains(report->results[BENCH_HVC_USER].skipped, "no such benchmark");
    assert_contains(report->results[BENCH_FAULT_4K_ABSENT].skipped, "the VMM takes its memory");
    ck_assert(bench_is_measured(&report->results[BENCH_EXEC]));
    ck_assert(bench_is_measured(&report->results[BENCH_EXEC_MEMORY]));
    assert_contains(report->results[BENCH_BOOT].skipped, "--kernel");
    FILE *file = fopen(save, "w");
    bench_print_json(file, report);
    ck_assert_int_eq(fclose(file), 0);
    bench_report_destroy(report);

    options_finish(&options);
    ASSERT_PARSES(&options, "bench", "--compare", save, save);
    ck_assert_int_eq(run_bench(output), EXIT_STATUS_OK);
    assert_contains(read_all(output), "same");
}
END_TEST

START_TEST(guests_that_end_too_early)
{
    static const struct {
        const char *vmm;
        const char *message;
    } early[] = {
        {"true", "'true' ended with status 0 before the guest did"},
        {"/nowhere/vmm", "status 127"},
        {"echo bench: begin", "makes no sense"},
    };

    for (size_t i = 0; i < COUNT(early); i++) {
        struct bench_report *report = new_report("hvc");
        options_finish(&options);
        ASSERT_PARSES(&options, "bench", "--settle", "0", "--runs", "1", "--vmm", early[i].vmm);
        report->runs = 1;
        fixture.kvm.vm_count = 0;
        play(floor_steps, COUNT(floor_steps));
        error = (struct error){0};
        ck_assert(!session_measure(report, &options, &error));
        assert_contains(error.message, early[i].message);
        bench_report_destroy(report);
    }
}
END_TEST

START_TEST(options_that_are_wrong)
{
    static const struct {
        const char *arguments[6];
        const char *message;
    } wrong[] = {
        {{"bench", "--runs", "0"}, "--runs 0"},
        {{"bench", "--runs", "10001"}, "10000"},
        {{"bench", "--cpu", "-1"}, "--cpu"},
        {{"bench", "--settle", "soon"}, "--settle soon"},
        {{"bench", "--filer", "hvc"}, "did you mean '--filter'"},
        {{"bench", "file"}, "unexpected 'file'"},
        {{"bench", "--irqchip", "kvm"}, "--irqchip kvm"},
        {{"bench", "--irqchip", "user", "--vmm", "true"}, "--vmm names another"},
        {{"bench", "--irq-delivery", "irqfd", "--vmm", "true"}, "--irq-delivery is for armlet's"},
        {{"bench", "--compare", "a"}, "two files"},
        {{"bench", "--compare", "a", "b", "c"}, "unexpected 'c'"},
        {{"bench", "--svg"}, "a file that isn't there yet"},
        {{"bnech"}, "did you mean 'bench'"},
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        ck_assert_msg(!parse(&options, &error, wrong[i].arguments), "%s", wrong[i].message);
        ck_assert_int_eq(error.code, ERROR_USAGE);
        assert_contains(error.message, wrong[i].message);
    }
}
END_TEST

START_TEST(cpus_that_may_not_be_used)
{
    struct bench_report *report = new_report("hvc");

    ASSERT_PARSES(&options, "bench", "--settle", "0", "--cpu", "4095");
    ck_assert(!session_measure(report, &options, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    assert_contains(error.message, "--cpu 4095");
    bench_report_destroy(report);
}
END_TEST

START_TEST(files_are_neither_lost_nor_left)
{
    char *save = in_directory("saved.json");
    char *output = in_directory("output");

    write_file(save, "precious");
    parse_bench("true", "hvc", save);
    ck_assert_int_ne(run_bench(output), EXIT_STATUS_OK);
    ck_assert_str_eq(read_all(save), "precious");
    ck_assert_int_eq(unlink(save), 0);
    ck_assert_int_ne(run_bench(output), EXIT_STATUS_OK);
    ck_assert_int_ne(access(save, F_OK), 0);
}
END_TEST

START_TEST(reports_that_cannot_be_read)
{
    char *output = in_directory("output");

    ASSERT_PARSES(&options, "bench", "--compare", "/nowhere/a", "/nowhere/b");
    ck_assert_int_eq(run_bench(output), EXIT_STATUS_FILE);
    assert_contains(error.message, "/nowhere/a");
    options_finish(&options);
    ASSERT_PARSES(&options, "bench", "--compare", "/tmp", "/tmp");
    ck_assert_int_eq(run_bench(output), EXIT_STATUS_FILE);
    options_finish(&options);
    ASSERT_PARSES(&options, "bench", "--compare", guest_lines_path, guest_lines_path);
    ck_assert_int_eq(run_bench(output), EXIT_STATUS_FILE);
    assert_contains(error.message, "an object is missing");
}
END_TEST

START_TEST(worse_figures_are_a_status)
{
    char *before = in_directory("before.json");
    char *after = in_directory("after.json");

    write_file(before, "{\"armlet_bench\": 1, \"benchmarks\": [{\"name\": \"hvc\", "
                       "\"distribution\": [[100, 5]]}]}");
    write_file(after, "{\"armlet_bench\": 1, \"benchmarks\": [{\"name\": \"hvc\", "
                      "\"distribution\": [[102, 5]]}]}");
    ASSERT_PARSES(&options, "bench", "--compare", before, after);
    ck_assert_int_eq(run_bench(in_directory("output")), EXIT_STATUS_WORSE);
    options_finish(&options);
    ASSERT_PARSES(&options, "bench", "--list");
    ck_assert_int_eq(run_bench(in_directory("output")), EXIT_STATUS_OK);
    assert_contains(read_all(in_directory("output")), "hvc-user");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("bench_session");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_floor_takes_what_its_guest_tells);
    tcase_add_test(tests, a_signal_does_not_disturb_the_floor);
    tcase_add_test(tests, each_call_of_the_floor_fails);
    tcase_add_test(tests, a_floor_that_leaves_otherwise);
    tcase_add_test(tests, a_host_has_an_its_or_not);
    tcase_add_test(tests, facts_of_a_host);
    tcase_add_test(tests, facts_of_a_host_that_says_nothing);
    tcase_add_test(tests, words_of_a_command);
    tcase_add_test(tests, a_process_is_heard_and_answered);
    tcase_add_test(tests, a_process_is_ended_when_it_says_what_is_wrong);
    tcase_add_test(tests, whole_runs_are_measured);
    tcase_add_test(tests, filters_choose);
    tcase_add_test(tests, from_options_to_a_report_and_a_comparison);
    tcase_add_test(tests, guests_that_end_too_early);
    tcase_add_test(tests, options_that_are_wrong);
    tcase_add_test(tests, cpus_that_may_not_be_used);
    tcase_add_test(tests, files_are_neither_lost_nor_left);
    tcase_add_test(tests, reports_that_cannot_be_read);
    tcase_add_test(tests, worse_figures_are_a_status);
    suite_add_tcase(suite, tests);
    return suite;
}
