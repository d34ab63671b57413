// SPDX-License-Identifier: Apache-2.0
#include "console_fixture.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct console_fixture f;

static size_t client_input(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    if (count > f.room)
        count = f.room;
    memcpy(f.taken + f.taken_count, bytes, count);
    f.taken_count += count;
    f.room -= count;
    if (f.taken_count >= f.wanted)
        event_loop_stop(f.loop);
    return count;
}

static void client_output_ready(void *context)
{
    (void)context;
    f.ready_count++;
}

static bool client_collect(void *context)
{
    (void)context;
    f.collects++;
    if (f.elsewhere && *f.elsewhere)
        (void)console_put(f.console, (uint8_t)*f.elsewhere++);
    return f.goes_on;
}

static void on_bound(struct event_timer *timer)
{
    (void)timer;
    ck_abort_msg("waited in vain: client has '%.*s', outside has %zu bytes", (int)f.taken_count,
                 f.taken, f.seen_count);
}

static void on_command(void *context, enum console_command command)
{
    (void)context;
    f.command = command;
    f.command_count++;
    event_loop_stop(f.loop);
}

static void on_outside(struct event_source *source, uint32_t events)
{
    ssize_t got = read(source->fd, f.seen + f.seen_count, sizeof(f.seen) - f.seen_count);

    (void)events;
    if (got > 0)
        f.seen_count += (size_t)got;
    f.ended = got <= 0;
    if (f.ended || f.seen_count >= f.expected)
        event_loop_stop(f.loop);
}

void console_set_up(void)
{
    struct error error = {0};

    memset(&f, 0, sizeof(f));
    ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    f.loop = event_loop_create(&error);
    ck_assert_ptr_nonnull(f.loop);
    ck_assert(event_timer_init(&f.bound, f.loop, on_bound, NULL, &error));
    ck_assert_int_eq(pipe2(f.log_ends, O_CLOEXEC | O_NONBLOCK), 0);
    f.log = (struct log){.fd = f.log_ends[1], .threshold = LOG_INFO};
    f.room = TEXT_BYTES;
}

void console_tear_down(void)
{
    console_destroy(f.console);
    event_loop_remove(f.loop, &f.outside);
    event_timer_finish(&f.bound);
    event_loop_destroy(f.loop);
}

const char *logged(void)
{
    static char text[TEXT_BYTES];
    ssize_t got = read(f.log_ends[0], text, sizeof(text) - 1);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

bool create_console(enum console_kind kind, const char *path, struct error *error)
{
    const struct console_config config = {
        .kind = kind,
        .path = path,
        .loop = f.loop,
        .events = &f.events,
        .log = &f.log,
        .command = on_command,
    };
    const struct console_client client = {
        .input = client_input,
        .output_ready = client_output_ready,
        .collect = client_collect,
    };

    f.console = console_create(&config, error);
    if (f.console)
        console_attach(f.console, &client);
    return f.console;
}

void create_well(enum console_kind kind, const char *path)
{
    struct error error = {0};

    ck_assert_msg(create_console(kind, path, &error), "%s", error.message);
}

void run_console(void)
{
    struct error error = {0};

    event_timer_arm(&f.bound, BOUND_NS);
    ck_assert(event_loop_run(f.loop, &error));
    event_timer_disarm(&f.bound);
}

void watch(int fd)
{
    struct error error = {0};

    event_loop_remove(f.loop, &f.outside);
    f.outside = (struct event_source){.fd = fd, .callback = on_outside};
    ck_assert(event_loop_add(f.loop, &f.outside, EPOLLIN, &error));
}

void put(const char *text)
{
    for (; *text; text++)
        (void)console_put(f.console, (uint8_t)*text);
}

void expect_seen(const char *text)
{
    f.expected = f.seen_count + strlen(text);
    size_t start = f.seen_count;
    run_console();
    ck_assert_uint_eq(f.seen_count, f.expected);
    ck_assert_mem_eq(f.seen + start, text, strlen(text));
}

void expect_taken(const char *text)
{
    size_t start = f.taken_count;
    f.wanted = start + strlen(text);
    run_console();
    ck_assert_uint_eq(f.taken_count, f.wanted);
    ck_assert_mem_eq(f.taken + start, text, strlen(text));
}

void type(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}
