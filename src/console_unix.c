// SPDX-License-Identifier: Apache-2.0
/* A console on a Unix socket: one client at a time, which may leave and come back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "console_backend.h"

static const char busy_text[] = "armlet: someone else is connected to this console\r\n";

/* While the guest takes no input, nobody looks whether its sender is still there. */
static bool is_gone(int fd)
{
    struct pollfd state = {.fd = fd};

    return poll(&state, 1, 0) > 0 && state.revents & (POLLHUP | POLLERR);
}

static void on_client(struct event_source *source, uint32_t events)
{
    struct console_backend *backend = source->context;
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            log_line(backend->log, LOG_WARNING,
                     "no file descriptors left: nobody can connect to %s any more", backend->what);
            event_loop_remove(backend->loop, source);
        }
        return;
    }
    if (backend->out_fd >= 0 && is_gone(backend->out_fd))
        console_backend_connect(backend, -1, -1);
    /* Two descriptors of one socket, so that each direction can be watched by itself. */
    int out_fd = backend->out_fd < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (out_fd >= 0) {
        console_backend_connect(backend, fd, out_fd);
        return;
    }
    if (!backend->port)
        (void)send(fd, busy_text, sizeof(busy_text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(fd);
}

static bool open_unix(struct console_backend *backend, const char *path, struct error *error)
{
    backend->connectable = true;
    backend->out_is_socket = true;
    backend->out_owned = true;
    if (!unix_listener_open(&backend->listener, path, error))
        return false;
    backend->watch = (struct event_source){
        .fd = backend->listener.fd,
        .callback = on_client,
        .context = backend,
    };
    return event_loop_add(backend->loop, &backend->watch, EPOLLIN, error);
}

static void close_unix(struct console_backend *backend)
{
    event_loop_remove(backend->loop, &backend->watch);
    unix_listener_close(&backend->listener);
}

const struct console_backend_ops console_unix_ops = {.open = open_unix, .close = close_unix};
