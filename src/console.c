// SPDX-License-Identifier: Apache-2.0
#include "console.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "console_internal.h"

/* ---- who is outside ---- */

static bool has_peer(const struct console *console)
{
    return console->backend.in_fd >= 0 || console->backend.out_fd >= 0;
}

static void tell_peer(struct console *console, bool present)
{
    console->peer_told = present;
    for (size_t i = 0; i < console->client_count; i++)
        if (console->clients[i].peer_changed)
            console->clients[i].peer_changed(console->clients[i].context, present);
}

/* Who came since is told then. */
void console_follow_peer(struct console *console)
{
    if (console->peer_left && console->input_count > 0)
        return;
    if (console->peer_left && console->peer_told)
        tell_peer(console, false);
    console->peer_left = false;
    if (has_peer(console) && !console->peer_told)
        tell_peer(console, true);
}

/* ---- from create to destroy ---- */

void console_attach(struct console *console, const struct console_client *client)
{
    assert(console->client_count < MOST_CLIENTS);
    assert(console->client_count == 0 || client->listens);
    console->clients[console->client_count++] = *client;
    if (client->peer_changed && console->peer_told)
        client->peer_changed(client->context, true);
    console_follow_peer(console);
    console_resize(console);
    console_follow_input(console);
}

static void on_changed(void *context)
{
    struct console *console = context;

    event_loop_remove(console->config.loop, &console->out);
    console->peer_left |= !has_peer(console);
    console_follow_peer(console);
    console_resize(console);
    console_follow_input(console);
    atomic_store(&console->flush_armed, true);
    event_timer_arm(&console->flush, 0);
}

void console_resize(struct console *console)
{
    uint16_t columns, rows;

    if (!console_backend_size(&console->backend, &columns, &rows))
        return;
    for (size_t i = 0; i < console->client_count; i++)
        if (console->clients[i].resized)
            console->clients[i].resized(console->clients[i].context, columns, rows);
}

void console_resume(struct console *console)
{
    console_backend_resume(&console->backend);
    console_resize(console);
}

static void on_flush(struct event_timer *timer)
{
    console_drain(timer->context);
}

static void on_resume_input(struct event_notify *notify)
{
    console_offer_again(notify->context);
}

static bool create(struct console *console, struct error *error)
{
    const struct console_config *config = &console->config;

    console->ring = malloc(RING_BYTES);
    console->input = malloc(INPUT_BYTES);
    if (!console->ring || !console->input)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot allocate buffers for %s",
                         console->what);
    if (!event_timer_init(&console->flush, config->loop, on_flush, console, error) ||
        !event_notify_init(&console->resume_input, config->loop, on_resume_input, console, error))
        return false;
    console->silent = config->kind == CONSOLE_NONE;
    console->flush.name = "console flush";
    if (!console_backend_open(&console->backend, config->kind, config->path, error))
        return false;
    if (console->backend.terminal.raw)
        log_line(config->log, LOG_INFO, "Ctrl-A x leaves, Ctrl-A h helps");
    return true;
}

struct console *console_create(const struct console_config *config, struct error *error)
{
    struct console *console = aligned_alloc(CACHE_LINE_BYTES, sizeof(*console));

    if (!console) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the console");
        return NULL;
    }
    memset(console, 0, sizeof(*console));
    (void)pthread_mutex_init(&console->output_lock, NULL); /* cannot fail */
    strcpy(console->what, "the console");
    console->config = *config;
    console->backend.loop = config->loop;
    console->backend.log = config->log;
    console->backend.changed = on_changed;
    console->backend.context = console;
    console->backend.what = console->what;
    console->backend.port = config->port;
    if (config->port)
        (void)snprintf(console->what, sizeof(console->what), "port '%s'", config->port);
    if (create(console, error))
        return console;
    console_destroy(console);
    return NULL;
}

void console_destroy(struct console *console)
{
    if (!console)
        return;
    event_loop_remove(console->config.loop, &console->in);
    event_loop_remove(console->config.loop, &console->out);
    if (console->backend.ops)
        console_backend_close(&console->backend);
    event_notify_finish(&console->resume_input);
    event_timer_finish(&console->flush);
    if (console->lost > 0)
        log_line(console->config.log, LOG_WARNING,
                 "%llu bytes of console output were lost to a guest that did not wait",
                 (unsigned long long)console->lost);
    (void)pthread_mutex_destroy(&console->output_lock);
    free(console->input);
    free(console->ring);
    free(console);
}
