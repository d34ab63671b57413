// SPDX-License-Identifier: Apache-2.0
/* Where a machine's statistics go, and that they are those of what it did. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kvm_machine.h"

Suite *unit_suite(void);

#define UART UINT64_C(0x09000000)
#define GPIO UINT64_C(0x09030000)

enum {
    UARTDR = 0x000, /* PL011 (DDI 0183) */
    GPIOIS = 0x404, /* PL061 (DDI 0190) */
    GPIO_NO_REGISTER = 0x500,
    BOUND_S = 30,
    PATH_ROOM = 64,
};

static const struct fake_step busy[] = {
    FAKE_WRITE(GPIO + GPIOIS, 4, 1),          FAKE_READ(GPIO + GPIOIS, 4, 1),
    FAKE_READ(GPIO + GPIO_NO_REGISTER, 4, 0), FAKE_READ(0x0b000000, 4, 0),
    FAKE_WRITE(UART + UARTDR, 1, 'x'),        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
};

static char directory[PATH_ROOM];
static char path[2 * PATH_ROOM];

static void setup(void)
{
    trial_setup();
    (void)snprintf(directory, sizeof(directory), "/tmp/armlet-stats-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/file", directory);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(directory);
    trial_teardown();
}

static const char *file_text(void)
{
    static char text[64 * 1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ssize_t length = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    return text;
}

static unsigned count_in_file(const char *word)
{
    unsigned count = 0;

    for (const char *at = file_text(); (at = strstr(at, word)); at++)
        count++;
    return count;
}

static void put_file(const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(nothing_is_told_unasked)
{
    OPTIONS("-q");
    trial.log.threshold = LOG_ERROR;
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_str_eq(trial_read(&trial, trial.log.fd), "");
}
END_TEST

START_TEST(the_table_is_of_what_happened)
{
    OPTIONS("--stats", "-c", "2");
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(LOGGED("armlet: 2 vCPUs"));
    ck_assert(LOGGED("  exits to armlet"));
    ck_assert(LOGGED("KVM's own counters\n"));
    ck_assert(LOGGED("Console: 1 bytes out in 0 writes"));
}
END_TEST

START_TEST(json_counts_each_operation_through_resets)
{
    static const struct fake_step first[] = {
        FAKE_WRITE(GPIO + GPIOIS, 4, 1),
        FAKE_EVENT(KVM_SYSTEM_EVENT_RESET),
    };

    OPTIONS("--stats-file", path);
    STEPS(&trial, 0, 0, first);
    STEPS(&trial, 1, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(count_in_file("\"boots\": 2,"), 1);
    ck_assert_uint_eq(count_in_file("\"exits\": 8,"), 2); /* armlet's, and KVM's */
    ck_assert_uint_eq(count_in_file("\"mmio\": 6,"), 1);
    ck_assert_uint_eq(count_in_file("\"system-event\": 2,"), 1);
    ck_assert_uint_eq(count_in_file("\"hypercalls\": 2,"), 2); /* in all, and of vCPU 0 */
    ck_assert_uint_eq(count_in_file("\"bad_accesses\": 1,"), 1);
    ck_assert_ptr_nonnull(strstr(file_text(), "\"unassigned\": {\n    \"reads\": 1,"));
    ck_assert_ptr_nonnull(strstr(file_text(),
                                 "\"name\": \"pl061\",\n      \"address\": 151191552,\n"
                                 "      \"reads\": 2,\n      \"writes\": 2,"));
    ck_assert_ptr_nonnull(strstr(file_text(), "\"output_bytes\": 1,\n    \"dropped_bytes\": 1,"));
    ck_assert(!LOGGED("armlet: 1 vCPU,"));
}
END_TEST

/* Kicks at the end among them: the sum over vCPUs is the number of times that KVM_RUN returned. */
START_TEST(each_return_of_kvm_run_is_counted)
{
    static const struct fake_step little[] = {FAKE_WRITE(GPIO + GPIOIS, 4, 1)};
    const unsigned vcpu_count = 3;
    unsigned returns = 0;
    char text[PATH_ROOM];

    OPTIONS("--stats-file", path, "-c", "3");
    STEPS(&trial, 0, 0, busy);
    STEPS(&trial, 0, 1, little);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    for (unsigned i = 0; i < vcpu_count; i++)
        returns += trial.fake.vm.vcpus[i].run_count;
    ck_assert_uint_ge(returns, sizeof(busy) / sizeof(busy[0]));
    (void)snprintf(text, sizeof(text), "\"exits\": %u,", returns);
    ck_assert_ptr_eq(strstr(file_text(), "\"exits\": "), strstr(file_text(), text));
}
END_TEST

START_TEST(files_are_added_to)
{
    put_file("mine\n");
    OPTIONS("--stats=text", "--stats-file", path);
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_ptr_eq(strstr(file_text(), "mine\narmlet: 1 vCPU, "), file_text());
}
END_TEST

START_TEST(a_picture_takes_the_place_of_another)
{
    char old[40 * 1024];

    memset(old, 'x', sizeof(old) - 1);
    old[sizeof(old) - 1] = '\0';
    put_file(old);
    char argument[3 * PATH_ROOM];
    (void)snprintf(argument, sizeof(argument), "--latency=%s", path);
    OPTIONS(argument);
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_ptr_eq(strstr(file_text(), "<svg "), file_text());
    ck_assert_uint_eq(count_in_file(">mmio pl061</text>"), 2);
    ck_assert_uint_eq(count_in_file(">mmio unassigned</text>"), 2);
    ck_assert_uint_eq(count_in_file("</svg>\n"), 1);
    ck_assert_uint_eq(count_in_file("xxx"), 0);
    ck_assert(!LOGGED("exits to armlet"));
}
END_TEST

START_TEST(latencies_are_told)
{
    OPTIONS("--latency");
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(LOGGED("Time in armlet, after an exit"));
    ck_assert(LOGGED("    pl061 "));
    ck_assert(LOGGED("    (where nothing is) "));
}
END_TEST

START_TEST(explanations_come_last)
{
    OPTIONS("--explain");
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(LOGGED("\narmlet: where the time went\n- 1 vCPU for "));
    ck_assert(!LOGGED("exits to armlet"));
}
END_TEST

START_TEST(what_cant_be_written_is_told_before_the_run)
{
    char nowhere[2 * PATH_ROOM];

    (void)snprintf(nowhere, sizeof(nowhere), "%s/none/file", directory);
    OPTIONS("--stats-file", nowhere);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "cannot write to '"));
    ck_assert_uint_eq(trial.fake.vm_count, 0);
}
END_TEST

START_TEST(a_disk_that_is_full_is_told)
{
    OPTIONS("--stats-file", "/dev/full");
    STEPS(&trial, 0, 0, busy);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    ck_assert_str_eq(trial.error.message, "cannot write to '/dev/full': No space left on device");
}
END_TEST

START_TEST(a_dry_run_makes_no_file)
{
    OPTIONS("--stats-file", path);
    trial.options.dry_run = true;
    struct machine *machine = machine_create(&trial.options, &trial.log, &trial.error);
    ck_assert_ptr_nonnull(machine);
    machine_destroy(machine);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static void *run_beside(void *context)
{
    struct trial *self = context;

    fake_kvm_install(&self->fake);
    self->thread = pthread_self();
    return trial_run(self, &self->error) ? self : NULL;
}

START_TEST(two_machines_count_apart)
{
    static const struct fake_step little[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    static struct trial other;
    pthread_t threads[2];
    void *good[2];

    trial_init(&other);
    OPTIONS("--stats=json");
    ASSERT_PARSES(&other.options, "run", "-m", "16M", "--console", "none", "--stats=json",
                  "--latency");
    STEPS(&trial, 0, 0, busy);
    STEPS(&other, 0, 0, little);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, run_beside, &trial), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, run_beside, &other), 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &good[i]), 0);
        ck_assert_ptr_nonnull(good[i]);
    }
    ck_assert(LOGGED("\"exits\": 6,"));
    ck_assert(LOGGED("\"latency\": null"));
    ck_assert_ptr_nonnull(strstr(trial_read(&other, other.log.fd), "\"exits\": 1,"));
    ck_assert_ptr_nonnull(strstr(trial_read(&other, other.log.fd), "\"ticks_per_second\""));
    trial_finish(&other);
}
END_TEST

/* ---- SIGUSR1 ---- */

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* On the vCPU's thread, which goes on once the answer is there. */
static void ask_and_wait(void *context)
{
    struct trial *self = context;
    time_t end = now_s() + BOUND_S;
    char text[TRIAL_TEXT_BYTES];

    ck_assert_int_eq(pthread_kill(self->thread, SIGUSR1), 0);
    for (;;) {
        ssize_t length = pread(self->log.fd, text, sizeof(text) - 1, 0);

        text[length > 0 ? length : 0] = '\0';
        if (strstr(text, " so far\n") && strstr(text, "\nConsole: "))
            return;
        ck_assert_int_lt(now_s(), end);
        (void)sched_yield();
    }
}

START_TEST(a_signal_asks_at_any_time)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(GPIO + GPIOIS, 4, 1),
        FAKE_HOOK(ask_and_wait),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS(NULL);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert(LOGGED("  exits to armlet                               1\n"));
    ck_assert(LOGGED("KVM's own counters: n/a"));
}
END_TEST

START_TEST(a_terminal_in_raw_mode_gets_carriage_returns)
{
    OPTIONS("--stats");
    atomic_store(&trial.log.raw_terminal, true);
    STEPS(&trial, 0, 0, busy);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    const char *text = trial_read(&trial, trial.log.fd);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        ck_assert_int_eq(at[-1], '\r');
    ck_assert(LOGGED("1 bytes out in 0 writes"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine_stats");
    TCase *tests = tcase_create("machine_stats");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 2 * BOUND_S);
    tcase_add_test(tests, nothing_is_told_unasked);
    tcase_add_test(tests, the_table_is_of_what_happened);
    tcase_add_test(tests, json_counts_each_operation_through_resets);
    tcase_add_test(tests, each_return_of_kvm_run_is_counted);
    tcase_add_test(tests, files_are_added_to);
    tcase_add_test(tests, a_picture_takes_the_place_of_another);
    tcase_add_test(tests, latencies_are_told);
    tcase_add_test(tests, explanations_come_last);
    tcase_add_test(tests, what_cant_be_written_is_told_before_the_run);
    tcase_add_test(tests, a_disk_that_is_full_is_told);
    tcase_add_test(tests, a_dry_run_makes_no_file);
    tcase_add_test(tests, two_machines_count_apart);
    tcase_add_test(tests, a_signal_asks_at_any_time);
    tcase_add_test(tests, a_terminal_in_raw_mode_gets_carriage_returns);
    suite_add_tcase(suite, tests);
    return suite;
}
