// SPDX-License-Identifier: Apache-2.0
/* Consoles that are ports, and one that two devices share. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console_fixture.h"

Suite *unit_suite(void);

enum { RING_BYTES = 60 * 1024 };

static char directory[] = "/tmp/armlet-port-XXXXXX";
static char socket_path[64];
static bool second_listens;
static char second_taken[TEXT_BYTES];
static size_t second_count;
static unsigned second_ready;
static char peers[32]; /* '+' came, '-' left */

static void set_up(void)
{
    console_set_up();
    (void)strcpy(directory, "/tmp/armlet-port-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(socket_path, sizeof(socket_path), "%s/s", directory);
    second_listens = false;
    second_count = second_ready = 0;
    memset(peers, 0, sizeof(peers));
    memset(second_taken, 0, sizeof(second_taken));
}

static void tear_down(void)
{
    console_tear_down();
    (void)unlink(socket_path);
    (void)rmdir(directory);
}

static size_t take(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    if (count > f.room)
        count = f.room;
    memcpy(second_taken + second_count, bytes, count);
    second_count += count;
    f.room -= count;
    event_loop_stop(f.loop);
    return count;
}

static void note_ready(void *context)
{
    (void)context;
    second_ready++;
    event_loop_stop(f.loop);
}

static bool listens(void *context)
{
    (void)context;
    return second_listens;
}

static void note_peer(void *context, bool present)
{
    (void)context;
    peers[strlen(peers)] = present ? '+' : '-';
    event_loop_stop(f.loop);
}

static const struct console_client second = {
    .input = take,
    .output_ready = note_ready,
    .listens = listens,
    .peer_changed = note_peer,
};

static void create_port(enum console_kind kind)
{
    const struct console_config config = {
        .kind = kind,
        .path = socket_path,
        .port = "agent",
        .loop = f.loop,
        .log = &f.log,
    };
    struct error error = {0};

    f.console = console_create(&config, &error);
    ck_assert_msg(f.console, "%s", error.message);
    console_attach(f.console, &second);
}

static int connect_to_port(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, socket_path, sizeof(socket_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* ---- ports ---- */

START_TEST(output_waits_for_its_reader)
{
    static uint8_t much[RING_BYTES + 1000];

    create_port(CONSOLE_UNIX);
    for (size_t i = 0; i < sizeof(much); i++)
        much[i] = (uint8_t)(i * 7);
    ck_assert_uint_eq(console_put_some(f.console, much, sizeof(much)), RING_BYTES);
    ck_assert_uint_eq(console_put_some(f.console, much, 1), 0);
    int fd = connect_to_port();
    run_console();
    ck_assert_str_eq(peers, "+");
    watch(fd);
    while (second_ready == 0)
        run_console();
    ck_assert_uint_eq(console_put_some(f.console, much + RING_BYTES, 1000), 1000);
    f.expected = sizeof(much);
    while (f.seen_count < sizeof(much))
        run_console();
    ck_assert_mem_eq(f.seen, much, sizeof(much));
    (void)close(fd);
}
END_TEST

/* Somebody has left once what came from there is taken. */
START_TEST(who_left_is_told_behind_the_input)
{
    create_port(CONSOLE_UNIX);
    f.room = 2;
    int fd = connect_to_port();
    type(fd, "input");
    (void)close(fd);
    while (second_count < 2)
        run_console();
    ck_assert_str_eq(peers, "+");
    fd = connect_to_port();
    type(fd, "more");
    f.room = TEXT_BYTES;
    console_resume_input(f.console);
    while (strlen(peers) < 3 || second_count < 9)
        run_console();
    ck_assert_str_eq(peers, "+-+");
    ck_assert_str_eq(second_taken, "inputmore");
    (void)close(fd);
}
END_TEST

START_TEST(a_second_client_gets_nothing)
{
    char byte;

    create_port(CONSOLE_UNIX);
    int fd = connect_to_port();
    run_console();
    int other = connect_to_port();
    type(fd, "x");
    while (second_count == 0)
        run_console();
    ck_assert_int_eq(recv(other, &byte, 1, 0), 0);
    (void)close(other);
    (void)close(fd);
}
END_TEST

START_TEST(messages_name_the_port)
{
    struct error error = {0};

    create_port(CONSOLE_PTY);
    ck_assert_ptr_nonnull(strstr(logged(), "port 'agent' is on /dev/pts/"));
    console_destroy(f.console);
    (void)strcpy(socket_path, "/dev/full");
    create_port(CONSOLE_FILE);
    ck_assert_str_eq(peers, "+");
    ck_assert_uint_eq(console_put_some(f.console, (const uint8_t *)"x", 1), 1);
    (void)console_flush(f.console, BOUND_NS);
    ck_assert(!console_check(f.console, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "port 'agent'"));
    (void)strcpy(socket_path, "/tmp/armlet-port");
}
END_TEST

/* ---- two clients ---- */

START_TEST(output_of_both_is_written)
{
    int ends[2];
    char path[32];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
    create_well(CONSOLE_FILE, path);
    console_attach(f.console, &second);
    watch(ends[0]);
    put("one ");
    ck_assert_uint_eq(console_put_some(f.console, (const uint8_t *)"two ", 4), 4);
    put("three");
    expect_seen("one two three");
}
END_TEST

START_TEST(input_goes_to_who_listens)
{
    create_well(CONSOLE_UNIX, socket_path);
    console_attach(f.console, &second);
    int fd = connect_to_port();
    while (peers[0] != '+')
        run_console();
    type(fd, "first");
    expect_taken("first");
    second_listens = true;
    type(fd, "second");
    while (second_count < 6)
        run_console();
    ck_assert_str_eq(second_taken, "second");
    second_listens = false;
    type(fd, "again");
    expect_taken("again");
    (void)close(fd);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("console_ports");
    TCase *port = tcase_create("ports");
    TCase *shared = tcase_create("shared");

    tcase_add_checked_fixture(port, set_up, tear_down);
    tcase_add_test(port, output_waits_for_its_reader);
    tcase_add_test(port, who_left_is_told_behind_the_input);
    tcase_add_test(port, a_second_client_gets_nothing);
    tcase_add_test(port, messages_name_the_port);
    suite_add_tcase(suite, port);
    tcase_add_checked_fixture(shared, set_up, tear_down);
    tcase_add_test(shared, output_of_both_is_written);
    tcase_add_test(shared, input_goes_to_who_listens);
    suite_add_tcase(suite, shared);
    return suite;
}
