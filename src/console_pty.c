// SPDX-License-Identifier: Apache-2.0
/* A console on a new pseudo-terminal, which programs open and close as they like. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "console_backend.h"

enum {
    NAME_BYTES = 64,
    EVENTS_BYTES = 1024, /* of inotify; what they say is looked up, not read */
};

/* While no program has the slave open, the master is hung up. */
static bool is_open(int master)
{
    struct pollfd state = {.fd = master};

    return poll(&state, 1, 0) >= 0 && !(state.revents & POLLHUP);
}

static void follow_slave(struct console_backend *backend)
{
    bool open = is_open(backend->master);

    if (open == (backend->out_fd >= 0))
        return;
    if (!open) {
        console_backend_connect(backend, -1, -1);
        return;
    }
    int in_fd = fcntl(backend->master, F_DUPFD_CLOEXEC, 0);
    int out_fd = fcntl(backend->master, F_DUPFD_CLOEXEC, 0);
    if (in_fd >= 0 && out_fd >= 0) {
        console_backend_connect(backend, in_fd, out_fd);
        return;
    }
    log_line(backend->log, LOG_WARNING, "no file descriptors left to connect %s", backend->what);
    if (in_fd >= 0)
        (void)close(in_fd);
}

static void on_slave(struct event_source *source, uint32_t events)
{
    char ignored[EVENTS_BYTES];

    (void)events;
    if (read(source->fd, ignored, sizeof(ignored)) > 0)
        follow_slave(source->context);
}

/* The guest's bytes pass unchanged: the line discipline of the slave does nothing to them. */
static bool make_raw(const char *name, struct error *error)
{
    struct termios settings;
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return error_set(error, ERROR_HOST, errno, "cannot open '%s'", name);
    bool good = tcgetattr(fd, &settings) == 0;
    cfmakeraw(&settings);
    good = good && tcsetattr(fd, TCSANOW, &settings) == 0;
    int failure = errno;
    (void)close(fd);
    return good || error_set(error, ERROR_HOST, failure, "cannot set up '%s'", name);
}

static bool watch_slave(struct console_backend *backend, const char *name, struct error *error)
{
    backend->watch = (struct event_source){
        .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
        .callback = on_slave,
        .context = backend,
    };
    if (backend->watch.fd < 0 || inotify_add_watch(backend->watch.fd, name, IN_OPEN | IN_CLOSE) < 0)
        return error_set(error, ERROR_HOST, errno, "cannot watch '%s'", name);
    return event_loop_add(backend->loop, &backend->watch, EPOLLIN, error);
}

static bool open_pty(struct console_backend *backend, const char *path, struct error *error)
{
    char name[NAME_BYTES];

    (void)path;
    backend->connectable = true;
    backend->out_owned = true;
    backend->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (backend->master < 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pseudo-terminal");
    if (grantpt(backend->master) != 0 || unlockpt(backend->master) != 0 ||
        ptsname_r(backend->master, name, sizeof(name)) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot set up a pseudo-terminal");
    if (!make_raw(name, error) || !watch_slave(backend, name, error))
        return false;
    log_line(backend->log, LOG_INFO, "%s is on %s", backend->what, name);
    return true;
}

static void close_pty(struct console_backend *backend)
{
    event_loop_remove(backend->loop, &backend->watch);
    if (backend->watch.fd >= 0)
        (void)close(backend->watch.fd);
    if (backend->master >= 0)
        (void)close(backend->master);
    backend->watch.fd = -1;
    backend->master = -1;
}

const struct console_backend_ops console_pty_ops = {.open = open_pty, .close = close_pty};
