// SPDX-License-Identifier: Apache-2.0
/* What comes from outside: the keys that are for armlet, and who in the guest gets the rest. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "console_internal.h"

#define ATTENTION 0x01 /* Ctrl-A */

enum { CHUNK_BYTES = 4096 };

static const char help_text[] = "\r\n"
                                "Ctrl-A x       leave: end the guest at once\r\n"
                                "Ctrl-A s       ask the guest to shut down (its power key)\r\n"
                                "Ctrl-A h       this help\r\n"
                                "Ctrl-A Ctrl-A  send one Ctrl-A to the guest\r\n";

static void help(const struct console *console)
{
    if (console->backend.out_fd >= 0)
        (void)!console_backend_write(&console->backend, help_text, sizeof(help_text) - 1);
}

static void keep(struct console *console, uint8_t byte)
{
    if (console->input_start + console->input_count == INPUT_BYTES) {
        memmove(console->input, console->input + console->input_start, console->input_count);
        console->input_start = 0;
    }
    /* Only on a terminal more is read than can be kept: the keys of Ctrl-A still work then. */
    if (console->input_count < INPUT_BYTES)
        console->input[console->input_start + console->input_count++] = byte;
}

/* The key after Ctrl-A. */
static void obey(struct console *console, uint8_t key)
{
    switch (key) {
    case ATTENTION:
        keep(console, key);
        return;
    case 'x':
        console->config.command(console->config.context, CONSOLE_COMMAND_QUIT);
        return;
    case 's':
        console->config.command(console->config.context, CONSOLE_COMMAND_SHUTDOWN);
        return;
    default:
        help(console);
        return;
    }
}

static void take_key(struct console *console, uint8_t key)
{
    if (console->prefix) {
        console->prefix = false;
        obey(console, key);
    } else if (key == ATTENTION && console->backend.interactive) {
        console->prefix = true;
    } else {
        keep(console, key);
    }
}

/* Who gets input: the latest client that wants it. */
static const struct console_client *find_listener(const struct console *console)
{
    for (size_t i = console->client_count; i-- > 1;)
        if (console->clients[i].listens(console->clients[i].context))
            return &console->clients[i];
    return &console->clients[0];
}

/* Hands on what the client takes; what is left waits for console_resume_input(). */
static void offer(struct console *console)
{
    while (console->input_count > 0) {
        const struct console_client *client = find_listener(console);
        const uint8_t *bytes = console->input + console->input_start;
        size_t taken = client->input(client->context, bytes, console->input_count);

        if (taken == 0)
            return;
        counter_add(&console->counters.input, taken);
        console_publish(console, EVENT_CONSOLE_INPUT, bytes, taken, false);
        console->input_start += taken;
        console->input_count -= taken;
    }
    console->input_start = 0;
    console_follow_peer(console);
}

static bool wants_input(const struct console *console)
{
    return console->client_count > 0 && console->backend.in_fd >= 0 &&
           (console->backend.interactive || console->input_count == 0);
}

static void read_input(struct console *console, uint32_t events)
{
    uint8_t chunk[CHUNK_BYTES];
    ssize_t got = read(console->backend.in_fd, chunk, sizeof(chunk));

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        bool gone = got < 0 || events & (EPOLLHUP | EPOLLERR);

        /* Closed in one direction only: wait, for nothing but the rest to be closed. */
        if (!gone && console->in.registered)
            event_loop_modify(console->config.loop, &console->in, 0);
        console_backend_input_ended(&console->backend, gone);
        return;
    }
    for (ssize_t i = 0; i < got; i++)
        take_key(console, chunk[i]);
    offer(console);
}

static void on_input(struct event_source *source, uint32_t events);

/* Watches the input if more can be kept, and only then: a hang-up would be told for ever. */
void console_follow_input(struct console *console)
{
    struct error error = {0};
    bool wanted = wants_input(console);

    if (console->in.registered && (!wanted || console->in.fd != console->backend.in_fd))
        event_loop_remove(console->config.loop, &console->in);
    if (!wanted || console->in.registered)
        return;
    if (!console->in_unpollable) {
        console->in = (struct event_source){
            .fd = console->backend.in_fd,
            .callback = on_input,
            .context = console,
        };
        if (event_loop_add(console->config.loop, &console->in, EPOLLIN, &error))
            return;
        console->in_unpollable = true;
    }
    event_notify_send(&console->resume_input);
}

static void on_input(struct event_source *source, uint32_t events)
{
    struct console *console = source->context;

    read_input(console, events);
    console_follow_input(console);
}

void console_offer_again(struct console *console)
{
    offer(console);
    if (console->in_unpollable && wants_input(console))
        read_input(console, 0);
    console_follow_input(console);
}

void console_resume_input(struct console *console)
{
    event_notify_send(&console->resume_input);
}
