// SPDX-License-Identifier: Apache-2.0
/* Consoles on standard input and output: pipes, files, sockets, a terminal. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "console_fixture.h"

Suite *unit_suite(void);

/* Makes `fd` the standard file `number`. */
static void become(int fd, int number)
{
    ck_assert_int_eq(dup2(fd, number), number);
    (void)close(fd);
}

/* Standard input and output are pipes; the other ends are ours. */
static void use_pipes(int *to_input, int *from_output)
{
    int in[2];
    int out[2];

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    become(in[0], STDIN_FILENO);
    become(out[1], STDOUT_FILENO);
    *to_input = in[1];
    *from_output = out[0];
}

/* ---- pipes ---- */

START_TEST(pipes_both_ways)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    watch(out);
    put("hello");
    expect_seen("hello");
    type(in, "abc\001x");
    expect_taken("abc\001x"); /* Ctrl-A is nothing special in a pipe */
    ck_assert_int_eq(f.command_count, 0);
    ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

/* What the client has elsewhere comes without anybody putting it, until there is no more. */
START_TEST(output_that_waits_elsewhere_is_collected)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    watch(out);
    f.elsewhere = "abc";
    put("0");
    expect_seen("0a"); /* looked for before the write, and not again: it returned false */
    f.goes_on = true;
    console_collect(f.console);
    expect_seen("bc");
    f.goes_on = false;
    put("1");
    expect_seen("1");
    ck_assert_uint_ge(f.collects, 4);
}
END_TEST

START_TEST(input_waits_for_the_client)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    f.room = 2;
    type(in, "abcdef");
    expect_taken("ab");
    f.room = 3;
    console_resume_input(f.console);
    expect_taken("cde");
    f.room = 100;
    type(in, "gh");
    console_resume_input(f.console);
    expect_taken("fgh");
}
END_TEST

START_TEST(end_of_input_is_seen_once)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    type(in, "last");
    (void)close(in);
    expect_taken("last");
    watch(out);
    put("still here");
    expect_seen("still here");
}
END_TEST

START_TEST(end_of_input_waits_behind_untaken_input)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    f.room = 1;
    type(in, "last");
    (void)close(in);
    expect_taken("l");
    f.room = 100;
    console_resume_input(f.console);
    expect_taken("ast");
}
END_TEST

START_TEST(a_file_as_input)
{
    char name[] = "/tmp/test_console.XXXXXX";
    int in, out;

    use_pipes(&in, &out);
    int file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    type(file, "from a file");
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
    (void)unlink(name);
    become(file, STDIN_FILENO);
    f.room = 4;
    create_well(CONSOLE_STDIO, NULL);
    expect_taken("from");
    f.room = 100;
    console_resume_input(f.console);
    expect_taken(" a file");
    watch(out);
    put("on");
    expect_seen("on");
}
END_TEST

START_TEST(a_socket_as_output)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    become(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    become(ends[1], STDOUT_FILENO);
    create_well(CONSOLE_STDIO, NULL);
    watch(ends[0]);
    put("through a socket");
    expect_seen("through a socket");
}
END_TEST

START_TEST(a_slow_reader_loses_nothing)
{
    int in, out;
    unsigned held = 0;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    /* As a device does: hold back when told to, go on when told. */
    for (unsigned i = 0; i < MUCH_BYTES; i++) {
        if (console_put(f.console, (uint8_t)('a' + i % 26)))
            continue;
        held++;
        unsigned ready = f.ready_count;
        watch(out);
        f.expected = 0;
        while (f.ready_count == ready)
            run_console();
        event_loop_remove(f.loop, &f.outside);
    }
    ck_assert_uint_gt(held, 0);
    watch(out);
    f.expected = MUCH_BYTES;
    run_console();
    for (unsigned i = 0; i < MUCH_BYTES; i++)
        ck_assert_int_eq(f.seen[i], 'a' + (int)(i % 26));
    ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(a_client_that_does_not_wait_loses_bytes)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    for (unsigned i = 0; i < MUCH_BYTES; i++)
        (void)console_put(f.console, 'x');
    console_destroy(f.console);
    f.console = NULL;
    ck_assert_ptr_nonnull(strstr(logged(), "bytes of console output were lost"));
}
END_TEST

static _Atomic bool talking;

static void *talk_without_end(void *unused)
{
    while (atomic_load(&talking))
        (void)console_put(f.console, 'x');
    return unused;
}

static void on_tick(struct event_timer *timer)
{
    (void)timer;
    event_loop_stop(f.loop);
}

/* A guest that prints and prints: signals, timeouts and keys are still served. */
START_TEST(endless_output_leaves_time_for_the_rest)
{
    struct event_timer tick;
    struct error error;
    pthread_t talker;

    become(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
    ck_assert_int_eq(dup2(STDIN_FILENO, STDOUT_FILENO), STDOUT_FILENO);
    create_well(CONSOLE_STDIO, NULL);
    ck_assert(event_timer_init(&tick, f.loop, on_tick, NULL, &error));
    atomic_store(&talking, true);
    ck_assert_int_eq(pthread_create(&talker, NULL, talk_without_end, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        event_timer_arm(&tick, 1000000);
        run_console();
    }
    atomic_store(&talking, false);
    ck_assert_int_eq(pthread_join(talker, NULL), 0);
    event_timer_finish(&tick);
}
END_TEST

START_TEST(flush_has_a_bound)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    put("short");
    ck_assert(console_flush(f.console, BOUND_NS));
    /* More than the pipe takes, with nobody who reads. */
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 60000; k++)
            (void)console_put(f.console, 'x');
        (void)console_flush(f.console, 1000000);
    }
    ck_assert(!console_flush(f.console, 1000000));
}
END_TEST

START_TEST(a_reader_that_goes_away_is_told_once)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    (void)close(out);
    put("one");
    ck_assert(console_flush(f.console, BOUND_NS));
    put("two");
    ck_assert(console_flush(f.console, BOUND_NS));
    struct error error = {0};
    ck_assert(console_check(f.console, &error));
    const char *text = logged();
    ck_assert_ptr_nonnull(strstr(text, "output can't be written any more: Broken pipe"));
    ck_assert_ptr_null(strstr(strchr(text, '\n'), "Broken"));
}
END_TEST

/* ---- a terminal ---- */

static int use_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(dup2(slave, STDOUT_FILENO), STDOUT_FILENO);
    become(slave, STDIN_FILENO);
    return master;
}

START_TEST(terminal_is_raw_while_the_console_lives)
{
    struct termios settings;
    int master = use_terminal();

    create_well(CONSOLE_STDIO, NULL);
    ck_assert_int_eq(tcgetattr(STDIN_FILENO, &settings), 0);
    ck_assert_uint_eq(settings.c_lflag & (ICANON | ECHO | ISIG), 0);
    ck_assert_ptr_nonnull(strstr(logged(), "Ctrl-A h helps\n"));
    watch(master);
    put("a\r\nb");
    expect_seen("a\r\nb");
    type(master, "\003k");
    expect_taken("\003k");
    console_destroy(f.console);
    f.console = NULL;
    ck_assert_int_eq(tcgetattr(STDIN_FILENO, &settings), 0);
    ck_assert_uint_eq(settings.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
}
END_TEST

START_TEST(terminal_keys)
{
    int master = use_terminal();

    create_well(CONSOLE_STDIO, NULL);
    type(master, "\001s");
    run_console();
    ck_assert_int_eq(f.command, CONSOLE_COMMAND_SHUTDOWN);
    type(master, "\001x");
    run_console();
    ck_assert_int_eq(f.command, CONSOLE_COMMAND_QUIT);
    ck_assert_uint_eq(f.command_count, 2);
    type(master, "a\001\001b");
    expect_taken("a\001b");
    watch(master);
    type(master, "\001h");
    f.expected = 1;
    run_console();
    ck_assert_ptr_nonnull(strstr(f.seen, "Ctrl-A x"));
}
END_TEST

START_TEST(terminal_keys_work_when_the_guest_takes_nothing)
{
    int master = use_terminal();

    create_well(CONSOLE_STDIO, NULL);
    f.room = 0;
    for (unsigned i = 0; i < 200; i++) {
        char line[512];
        memset(line, 'k', sizeof(line));
        ck_assert_int_eq(write(master, line, sizeof(line)), (ssize_t)sizeof(line));
        f.wanted = 0; /* every offer ends the run */
        run_console();
    }
    type(master, "\001x");
    f.wanted = SIZE_MAX;
    run_console();
    ck_assert_int_eq(f.command, CONSOLE_COMMAND_QUIT);
}
END_TEST

START_TEST(terminal_is_raw_again_after_a_stop)
{
    struct termios settings;
    int master = use_terminal();

    create_well(CONSOLE_STDIO, NULL);
    ck_assert_int_eq(tcgetattr(STDIN_FILENO, &settings), 0);
    settings.c_lflag |= ICANON | ECHO;
    ck_assert_int_eq(tcsetattr(STDIN_FILENO, TCSANOW, &settings), 0);
    console_resume(f.console);
    ck_assert_int_eq(tcgetattr(STDIN_FILENO, &settings), 0);
    ck_assert_uint_eq(settings.c_lflag & (ICANON | ECHO), 0);
    type(master, "z");
    expect_taken("z");
}
END_TEST

START_TEST(resuming_without_a_terminal_does_nothing)
{
    int in, out;

    use_pipes(&in, &out);
    create_well(CONSOLE_STDIO, NULL);
    console_resume(f.console);
    type(in, "z");
    expect_taken("z");
}
END_TEST

START_TEST(terminal_that_hangs_up)
{
    int master = use_terminal();

    create_well(CONSOLE_STDIO, NULL);
    (void)close(master);
    put("to nobody");
    ck_assert(console_flush(f.console, BOUND_NS));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("console");
    TCase *stdio = tcase_create("stdio");
    TCase *terminal = tcase_create("terminal");

    tcase_add_checked_fixture(stdio, console_set_up, console_tear_down);
    tcase_set_timeout(stdio, 30);
    tcase_add_test(stdio, pipes_both_ways);
    tcase_add_test(stdio, input_waits_for_the_client);
    tcase_add_test(stdio, output_that_waits_elsewhere_is_collected);
    tcase_add_test(stdio, end_of_input_is_seen_once);
    tcase_add_test(stdio, end_of_input_waits_behind_untaken_input);
    tcase_add_test(stdio, a_file_as_input);
    tcase_add_test(stdio, a_socket_as_output);
    tcase_add_test(stdio, a_slow_reader_loses_nothing);
    tcase_add_test(stdio, a_client_that_does_not_wait_loses_bytes);
    tcase_add_test(stdio, endless_output_leaves_time_for_the_rest);
    tcase_add_test(stdio, flush_has_a_bound);
    tcase_add_test(stdio, a_reader_that_goes_away_is_told_once);
    tcase_add_checked_fixture(terminal, console_set_up, console_tear_down);
    tcase_add_test(terminal, terminal_is_raw_while_the_console_lives);
    tcase_add_test(terminal, terminal_keys);
    tcase_add_test(terminal, terminal_keys_work_when_the_guest_takes_nothing);
    tcase_add_test(terminal, terminal_is_raw_again_after_a_stop);
    tcase_add_test(terminal, resuming_without_a_terminal_does_nothing);
    tcase_add_test(terminal, terminal_that_hangs_up);
    suite_add_tcase(suite, stdio);
    suite_add_tcase(suite, terminal);
    return suite;
}
