// SPDX-License-Identifier: Apache-2.0
/* Consoles elsewhere: files, Unix sockets, pseudo-terminals. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console_fixture.h"

Suite *unit_suite(void);

/* ---- files ---- */

START_TEST(a_file_is_added_to)
{
    char name[] = "/tmp/test_console.XXXXXX";
    char text[TEXT_BYTES];
    int file = mkstemp(name);

    ck_assert_int_ge(file, 0);
    type(file, "kept ");
    create_well(CONSOLE_FILE, name);
    put("and added to");
    ck_assert(console_flush(f.console, BOUND_NS));
    ck_assert_int_eq(pread(file, text, sizeof(text), 0), 17);
    ck_assert_mem_eq(text, "kept and added to", 17);
    (void)unlink(name);
    (void)close(file);
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    struct error error = {0};

    create_well(CONSOLE_FILE, "/dev/full");
    ck_assert(console_check(f.console, &error));
    put("x");
    ck_assert(console_flush(f.console, BOUND_NS));
    ck_assert_ptr_nonnull(strstr(logged(), "No space left"));
    ck_assert(!console_check(f.console, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "No space left"));
}
END_TEST

START_TEST(files_that_cannot_be_opened)
{
    struct error error = {0};

    ck_assert(!create_console(CONSOLE_FILE, "/nowhere/at/all", &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/at/all"));

    char name[] = "/tmp/test_console.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(name));
    char fifo[64];
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", name);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert(!create_console(CONSOLE_FILE, fifo, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "nobody has it open"));
    (void)unlink(fifo);
    (void)rmdir(name);
}
END_TEST

START_TEST(nothing_takes_everything)
{
    create_well(CONSOLE_NONE, NULL);
    for (unsigned i = 0; i < MUCH_BYTES; i++)
        ck_assert(console_put(f.console, 'x'));
    ck_assert(console_flush(f.console, 0));
}
END_TEST

/* ---- Unix sockets ---- */

static char directory[] = "/tmp/test_console.XXXXXX";
static char socket_path[sizeof(directory) + sizeof("/socket")];

static void make_directory(void)
{
    console_set_up();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(socket_path, sizeof(socket_path), "%s/socket", directory);
}

static void remove_directory(void)
{
    console_tear_down();
    (void)unlink(socket_path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static int connect_to_console(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, socket_path, sizeof(socket_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

START_TEST(socket_talks_to_one_client_after_the_other)
{
    struct stat status;

    create_well(CONSOLE_UNIX, socket_path);
    ck_assert_int_eq(stat(socket_path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    put("kept for the first; ");
    int first = connect_to_console();
    watch(first);
    expect_seen("kept for the first; ");
    type(first, "in");
    expect_taken("in");

    int second = connect_to_console();
    watch(second);
    f.expected = f.seen_count + 1;
    run_console();
    ck_assert_ptr_nonnull(strstr(f.seen, "someone else is connected"));
    (void)close(second);

    event_loop_remove(f.loop, &f.outside);
    (void)close(first);
    put("for the third");
    int third = connect_to_console();
    watch(third);
    expect_seen("for the third");
    type(third, "again");
    expect_taken("again");
    console_destroy(f.console);
    f.console = NULL;
    ck_assert_int_ne(stat(socket_path, &status), 0);
}
END_TEST

START_TEST(socket_client_that_leaves_untaken_input_makes_room)
{
    create_well(CONSOLE_UNIX, socket_path);
    f.room = 0;
    int first = connect_to_console();
    type(first, "never taken");
    f.wanted = 0;
    run_console();
    (void)close(first);
    int second = connect_to_console();
    watch(second);
    put("welcome");
    expect_seen("welcome");
}
END_TEST

START_TEST(socket_closed_in_one_direction_still_reads)
{
    create_well(CONSOLE_UNIX, socket_path);
    int fd = connect_to_console();
    type(fd, "all");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    expect_taken("all");
    watch(fd);
    put("and the answer");
    expect_seen("and the answer");
}
END_TEST

START_TEST(socket_without_a_client_keeps_the_newest_output)
{
    create_well(CONSOLE_UNIX, socket_path);
    for (unsigned i = 0; i < 500; i++) {
        for (unsigned k = 0; k < 1000; k++)
            (void)console_put(f.console, 'o');
        (void)console_flush(f.console, 0);
    }
    put("newest");
    int fd = connect_to_console();
    watch(fd);
    f.expected = 6;
    while (f.seen_count < 6 || memcmp(f.seen + f.seen_count - 6, "newest", 6) != 0)
        run_console();
    ck_assert_uint_le(f.seen_count, 64 * 1024);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, socket_path, sizeof(socket_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
    create_well(CONSOLE_UNIX, socket_path);
    (void)close(connect_to_console());
}
END_TEST

START_TEST(socket_in_use_and_other_files_stay)
{
    struct error error = {0};
    struct stat status;

    create_well(CONSOLE_UNIX, socket_path);
    struct console *first = f.console;
    ck_assert(!create_console(CONSOLE_UNIX, socket_path, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "another process listens"));
    (void)close(connect_to_console());
    console_destroy(first);

    int file = open(socket_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    (void)close(file);
    ck_assert(!create_console(CONSOLE_UNIX, socket_path, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "not a socket"));
    ck_assert_int_eq(stat(socket_path, &status), 0);
}
END_TEST

START_TEST(socket_paths_that_cannot_be)
{
    struct error error = {0};
    char long_path[200];

    memset(long_path, 'p', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    ck_assert(!create_console(CONSOLE_UNIX, long_path, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "more than 107 bytes"));
    ck_assert(!create_console(CONSOLE_UNIX, "/nowhere/socket", &error));
    ck_assert_ptr_nonnull(strstr(error.message, "No such file"));
}
END_TEST

START_TEST(socket_of_a_killed_process_is_removed)
{
    struct stat status;
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        create_well(CONSOLE_UNIX, socket_path);
        (void)kill(getpid(), SIGKILL);
    }
    (void)close(ends[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)!read(ends[0], &byte, 1);
    /* Its guardian may still be at it. */
    for (unsigned i = 0; i < 10000 && stat(socket_path, &status) == 0; i++)
        (void)poll(NULL, 0, 1);
    ck_assert_int_ne(stat(socket_path, &status), 0);
}
END_TEST

/* ---- a pseudo-terminal ---- */

START_TEST(pty_is_opened_and_closed_at_will)
{
    char name[64];

    create_well(CONSOLE_PTY, NULL);
    ck_assert_int_eq(sscanf(logged(), "armlet: the console is on %63s", name), 1);
    put("before anyone came; ");
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    watch(fd);
    expect_seen("before anyone came; ");
    type(fd, "typed\001x");
    expect_taken("typed\001x");
    event_loop_remove(f.loop, &f.outside);
    (void)close(fd);

    put("in between; ");
    fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    watch(fd);
    expect_seen("in between; ");
    type(fd, "again");
    expect_taken("again");
    event_loop_remove(f.loop, &f.outside);
    (void)close(fd);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("console_kinds");
    TCase *files = tcase_create("files and pseudo-terminals");
    TCase *sockets = tcase_create("sockets");

    tcase_add_checked_fixture(files, console_set_up, console_tear_down);
    tcase_add_test(files, a_file_is_added_to);
    tcase_add_test(files, a_full_disk_is_told);
    tcase_add_test(files, files_that_cannot_be_opened);
    tcase_add_test(files, nothing_takes_everything);
    tcase_add_test(files, pty_is_opened_and_closed_at_will);
    tcase_add_checked_fixture(sockets, make_directory, remove_directory);
    tcase_add_test(sockets, socket_talks_to_one_client_after_the_other);
    tcase_add_test(sockets, socket_client_that_leaves_untaken_input_makes_room);
    tcase_add_test(sockets, socket_closed_in_one_direction_still_reads);
    tcase_add_test(sockets, socket_without_a_client_keeps_the_newest_output);
    tcase_add_test(sockets, stale_socket_is_replaced);
    tcase_add_test(sockets, socket_in_use_and_other_files_stay);
    tcase_add_test(sockets, socket_paths_that_cannot_be);
    tcase_add_test(sockets, socket_of_a_killed_process_is_removed);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, sockets);
    return suite;
}
