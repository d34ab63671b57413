// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardian.h"
#include "terminal.h"

Suite *unit_suite(void);

enum { BOUND_MS = 10000 };

static struct log quiet_log = {.fd = -1};

/* A pseudo-terminal as an operator's: the slave's descriptor. */
static int open_terminal(int *master)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(*master, 0);
    ck_assert_int_eq(grantpt(*master), 0);
    ck_assert_int_eq(unlockpt(*master), 0);
    int slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    return slave;
}

static tcflag_t local_flags(int fd)
{
    struct termios settings;

    ck_assert_int_eq(tcgetattr(fd, &settings), 0);
    return settings.c_lflag & (ICANON | ECHO | ISIG);
}

/* ---- guardians ---- */

/* Tells by the file that it was given. */
static void write_a_byte(void *context, int file)
{
    (void)!write(file, context, 1);
}

static int wait_for_byte(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char byte = 0;

    ck_assert_int_eq(poll(&readable, 1, BOUND_MS), 1);
    return read(fd, &byte, 1) == 1 ? byte : -1;
}

START_TEST(guardian_that_is_dismissed_does_nothing)
{
    struct guardian guardian;
    struct error error = {0};
    char letter = 'g';
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert(guardian_create(&guardian, write_a_byte, &letter, ends[1], &error));
    guardian_dismiss(&guardian);
    ck_assert_int_eq(guardian.pid, 0);
    guardian_dismiss(&guardian);
    (void)close(ends[1]);
    ck_assert_int_eq(wait_for_byte(ends[0]), -1);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(guardian_cleans_up_after_a_killed_parent)
{
    char letter = 'g';
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    ck_assert_int_ge(parent, 0);
    if (parent == 0) {
        struct guardian guardian;
        struct error error = {0};
        if (guardian_create(&guardian, write_a_byte, &letter, ends[1], &error))
            (void)kill(getpid(), SIGKILL);
        _exit(1);
    }
    (void)close(ends[1]);
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    ck_assert_int_eq(wait_for_byte(ends[0]), 'g');
    ck_assert_int_eq(wait_for_byte(ends[0]), -1);
}
END_TEST

/* Whoever reads a pipe of the parent's sees its end when the parent goes. */
START_TEST(guardian_holds_no_other_file)
{
    struct guardian guardian;
    struct error error = {0};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert(guardian_create(&guardian, write_a_byte, NULL, GUARDIAN_NO_FILE, &error));
    (void)close(ends[1]);
    ck_assert_int_eq(wait_for_byte(ends[0]), -1);
    guardian_dismiss(&guardian);
}
END_TEST

START_TEST(guardian_ignores_the_signals_of_its_parents_group)
{
    struct guardian guardian;
    struct error error = {0};
    char letter = 'g';
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert(guardian_create(&guardian, write_a_byte, &letter, ends[1], &error));
    ck_assert_int_eq(kill(guardian.pid, SIGTERM), 0);
    ck_assert_int_eq(kill(guardian.pid, SIGHUP), 0);
    (void)close(guardian.fd); /* as if the parent were gone */
    ck_assert_int_eq(wait_for_byte(ends[0]), 'g');
    ck_assert_int_eq(waitpid(guardian.pid, NULL, 0), guardian.pid);
}
END_TEST

START_TEST(guardian_needs_descriptors)
{
    struct guardian guardian = {0};
    struct error error = {0};

    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert(!guardian_create(&guardian, write_a_byte, NULL, GUARDIAN_NO_FILE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

/* ---- terminals ---- */

START_TEST(raw_mode_and_back)
{
    struct terminal terminal;
    struct error error = {0};
    int master;
    int slave = open_terminal(&master);
    struct log log = {.fd = slave};

    terminal_init(&terminal, slave, &log);
    ck_assert_uint_eq(local_flags(slave), ICANON | ECHO | ISIG);
    ck_assert(terminal_make_raw(&terminal, &error));
    ck_assert(terminal.raw);
    ck_assert(atomic_load(&log.raw_terminal));
    ck_assert_uint_eq(local_flags(slave), 0);
    terminal_restore(&terminal);
    ck_assert(!atomic_load(&log.raw_terminal));
    ck_assert_uint_eq(local_flags(slave), ICANON | ECHO | ISIG);
    terminal_restore(&terminal);
}
END_TEST

START_TEST(raw_mode_again_keeps_what_was_found)
{
    struct terminal terminal;
    struct error error = {0};
    struct termios settings;
    int master;
    int slave = open_terminal(&master);

    terminal_init(&terminal, slave, &quiet_log);
    ck_assert(terminal_make_raw(&terminal, &error));
    ck_assert_int_eq(tcgetattr(slave, &settings), 0);
    settings.c_lflag |= ECHO; /* a shell, while we were stopped */
    ck_assert_int_eq(tcsetattr(slave, TCSANOW, &settings), 0);
    ck_assert(terminal_make_raw(&terminal, &error));
    ck_assert_uint_eq(local_flags(slave), 0);
    terminal_restore(&terminal);
    ck_assert_uint_eq(local_flags(slave), ICANON | ECHO | ISIG);
}
END_TEST

/* A process that makes the slave raw and is killed; `after` may change the settings before. */
static void die_raw(int slave, tcflag_t set_before_death)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct terminal terminal;
        struct error error = {0};
        struct termios settings;

        terminal_init(&terminal, slave, &quiet_log);
        if (terminal_make_raw(&terminal, &error) && tcgetattr(slave, &settings) == 0) {
            settings.c_lflag |= set_before_death;
            (void)tcsetattr(slave, TCSANOW, &settings);
            (void)kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

/* The slave's hang-up at the master tells that the guardian, its last user, is gone. */
static void wait_for_guardian(int master, int slave, tcflag_t *flags)
{
    struct pollfd hung_up = {.fd = master};

    *flags = 0;
    for (int i = 0; i < BOUND_MS && *flags != (ICANON | ECHO | ISIG); i++) {
        *flags = local_flags(slave);
        (void)poll(&hung_up, 1, 1);
    }
}

START_TEST(killed_it_leaves_the_terminal_as_it_was)
{
    tcflag_t flags;
    int master;
    int slave = open_terminal(&master);

    die_raw(slave, 0);
    wait_for_guardian(master, slave, &flags);
    ck_assert_uint_eq(flags, ICANON | ECHO | ISIG);
}
END_TEST

START_TEST(what_others_set_is_left_alone)
{
    struct pollfd hung_up;
    int master;
    int slave = open_terminal(&master);

    die_raw(slave, ISIG);
    ck_assert_uint_eq(local_flags(slave), ISIG);
    (void)close(slave);
    hung_up = (struct pollfd){.fd = master};
    ck_assert_int_eq(poll(&hung_up, 1, BOUND_MS), 1);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_uint_eq(local_flags(slave), ISIG);
}
END_TEST

START_TEST(in_the_background_nothing_is_touched)
{
    struct terminal terminal;
    struct error error = {0};
    int master;
    int slave = open_terminal(&master);

    /* A session with this terminal, whose foreground is another group. */
    pid_t leader = fork();
    ck_assert_int_ge(leader, 0);
    if (leader == 0) {
        (void)setsid();
        (void)close(slave);
        int fd = open(ptsname(master), O_RDWR);
        pid_t member = fork();
        if (member == 0) {
            (void)setpgid(0, 0);
            terminal_init(&terminal, fd, &quiet_log);
            bool good = !terminal_is_foreground(fd) && terminal_make_raw(&terminal, &error) &&
                        !terminal.raw && local_flags(fd) == (ICANON | ECHO | ISIG);
            terminal_restore(&terminal);
            _exit(good ? 0 : 1);
        }
        int status = 1;
        (void)waitpid(member, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(leader, &status, 0), leader);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(no_terminal_is_an_error)
{
    struct terminal terminal;
    struct error error = {0};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert(!terminal_is_foreground(ends[0]));
    /* Hung up between the look and the use. */
    int master;
    int slave = open_terminal(&master);
    terminal_init(&terminal, slave, &quiet_log);
    (void)close(master);
    ck_assert(!terminal_make_raw(&terminal, &error) || !terminal.raw);
    terminal_restore(&terminal);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("terminal");
    TCase *guardians = tcase_create("guardian");
    TCase *terminals = tcase_create("terminal");

    tcase_add_test(guardians, guardian_that_is_dismissed_does_nothing);
    tcase_add_test(guardians, guardian_cleans_up_after_a_killed_parent);
    tcase_add_test(guardians, guardian_holds_no_other_file);
    tcase_add_test(guardians, guardian_ignores_the_signals_of_its_parents_group);
    tcase_add_test(guardians, guardian_needs_descriptors);
    tcase_add_test(terminals, raw_mode_and_back);
    tcase_add_test(terminals, raw_mode_again_keeps_what_was_found);
    tcase_add_test(terminals, killed_it_leaves_the_terminal_as_it_was);
    tcase_add_test(terminals, what_others_set_is_left_alone);
    tcase_add_test(terminals, in_the_background_nothing_is_touched);
    tcase_add_test(terminals, no_terminal_is_an_error);
    suite_add_tcase(suite, guardians);
    suite_add_tcase(suite, terminals);
    return suite;
}
