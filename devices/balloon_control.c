// SPDX-License-Identifier: Apache-2.0
#include "balloon_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "armlet/event_loop.h"

enum { LINE_BYTES = 64, ANSWER_BYTES = 512 };

struct balloon_control {
    struct balloon_control_config config;
    struct event_source listener, client;
    char line[LINE_BYTES];
    size_t line_bytes;
};

static void end_client(struct balloon_control *control)
{
    event_loop_remove(control->config.loop, &control->client);
    if (control->client.fd >= 0)
        (void)close(control->client.fd);
    control->client.fd = -1;
    event_loop_modify(control->config.loop, &control->listener, EPOLLIN);
}

/* Sizes are written as the option's are, and refused in the same words. */
static bool do_line(struct balloon_control *control, const char *line, struct error *error)
{
    static const struct property_row rows[] = {{"size", PROPERTY_SIZE, 0, 0, 0, ""}, {0}};
    const struct balloon_control_config *config = &control->config;
    const struct property property = {"size", line};
    const struct property_list list = {&property, 1};
    uint64_t target_bytes;

    if (*line == '\0')
        return true;
    if (!property_list_read(&list, rows, &target_bytes, error))
        return false;
    if (target_bytes >= config->most_bytes)
        return error_set(error, ERROR_USAGE, 0, "the guest has %" PRIu64 "M in all",
                         config->most_bytes >> 20);
    config->set(config->context, target_bytes);
    return true;
}

/* No character of an error's message needs quoting but those that the client sent. */
static void quote(char *text)
{
    for (; *text; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            *text = '?';
}

/* A socket that was just connected takes one short line. */
static void answer(struct balloon_control *control)
{
    struct error error = {0};
    char text[ANSWER_BYTES];
    int length;

    if (do_line(control, control->line, &error)) {
        const struct balloon_state state = control->config.get(control->config.context);

        length = snprintf(text, sizeof(text),
                          "{\"target_bytes\": %" PRIu64 ", \"actual_bytes\": %" PRIu64 "}\n",
                          state.target_bytes, state.actual_bytes);
    } else {
        quote(error.message);
        length = snprintf(text, sizeof(text), "{\"error\": \"%s\"}\n", error.message);
    }
    if (length > 0 && (size_t)length < sizeof(text))
        (void)send(control->client.fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_line(struct event_source *source, uint32_t events)
{
    struct balloon_control *control = source->context;
    size_t room = sizeof(control->line) - control->line_bytes - 1;
    ssize_t got = recv(source->fd, control->line + control->line_bytes, room, MSG_DONTWAIT);

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        control->line_bytes += (size_t)got;
    control->line[control->line_bytes] = '\0';
    char *end = strpbrk(control->line, "\r\n");
    if (end)
        *end = '\0';
    else if (got > 0 && (size_t)got < room)
        return;
    if (end)
        answer(control);
    end_client(control);
}

/* The others wait in the socket's queue until this one has been answered. */
static void on_client(struct event_source *source, uint32_t events)
{
    struct balloon_control *control = source->context;
    struct error error = {0};
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    event_loop_modify(control->config.loop, source, 0);
    control->line_bytes = 0;
    control->client = (struct event_source){.fd = fd, .callback = on_line, .context = control};
    if (!event_loop_add(control->config.loop, &control->client, EPOLLIN, &error))
        end_client(control);
}

struct balloon_control *balloon_control_create(const struct balloon_control_config *config,
                                               struct error *error)
{
    struct balloon_control *control = calloc(1, sizeof(*control));

    if (!control) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the balloon's control");
        return NULL;
    }
    control->config = *config;
    control->client.fd = -1;
    control->listener =
        (struct event_source){.fd = config->socket->fd, .callback = on_client, .context = control};
    if (config->socket->fd < 0 || event_loop_add(config->loop, &control->listener, EPOLLIN, error))
        return control;
    free(control);
    return NULL;
}

void balloon_control_destroy(struct balloon_control *control)
{
    if (!control)
        return;
    event_loop_remove(control->config.loop, &control->client);
    if (control->client.fd >= 0)
        (void)close(control->client.fd);
    event_loop_remove(control->config.loop, &control->listener);
    free(control);
}
