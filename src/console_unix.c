// SPDX-License-Identifier: Apache-2.0
/* A console on a Unix socket: one client at a time, which may leave and come back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console_backend.h"

enum { BACKLOG = 4 };

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
                     "no file descriptors left: nobody can connect to the console any more");
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
    (void)send(fd, busy_text, sizeof(busy_text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(fd);
}

/* A socket that no process listens on any more is what a killed armlet leaves behind. */
static bool remove_stale(const struct sockaddr_un *address, struct error *error)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_FILE, 0, "it exists and is not a socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERROR_HOST, errno, "socket failed");
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    (void)close(fd);
    if (!refused)
        return error_set(error, ERROR_FILE, 0, "another process listens on it");
    if (unlink(address->sun_path) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot remove the stale socket");
    return true;
}

/* Also in the guardian. Another machine may have put its own socket there since. */
static void remove_socket(void *context, int file)
{
    const struct console_backend *backend = context;
    struct stat status;

    (void)file;
    if (backend->inode && lstat(backend->path, &status) == 0 && status.st_dev == backend->device &&
        status.st_ino == backend->inode)
        (void)unlink(backend->path);
}

/* The mode of the socket before it has a name is the one that it gets with it. */
static bool bind_and_listen(struct console_backend *backend, const struct sockaddr_un *address,
                            struct error *error)
{
    struct stat status;
    int fd = backend->watch.fd;

    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return error_set(error, ERROR_FILE, errno, "bind failed");
    if (lstat(address->sun_path, &status) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot find the socket just made");
    backend->device = status.st_dev;
    backend->inode = status.st_ino;
    if (listen(fd, BACKLOG) != 0)
        return error_set(error, ERROR_HOST, errno, "listen failed");
    return guardian_create(&backend->guardian, remove_socket, backend, GUARDIAN_NO_FILE, error) &&
           event_loop_add(backend->loop, &backend->watch, EPOLLIN, error);
}

static bool open_unix(struct console_backend *backend, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, ERROR_FILE, 0,
                         "cannot make socket '%s': its path has more than %zu bytes", path,
                         sizeof(address.sun_path) - 1);
    (void)memcpy(address.sun_path, path, strlen(path));
    backend->path = path;
    backend->connectable = true;
    backend->out_is_socket = true;
    backend->out_owned = true;
    backend->watch = (struct event_source){
        .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
        .callback = on_client,
        .context = backend,
    };
    if (backend->watch.fd < 0)
        return error_set(error, ERROR_HOST, errno, "socket failed");
    if (!remove_stale(&address, error) || !bind_and_listen(backend, &address, error))
        return error_add_context(error, "cannot make socket '%s'", path);
    return true;
}

static void close_unix(struct console_backend *backend)
{
    event_loop_remove(backend->loop, &backend->watch);
    if (backend->watch.fd >= 0)
        (void)close(backend->watch.fd);
    backend->watch.fd = -1;
    remove_socket(backend, GUARDIAN_NO_FILE);
    backend->inode = 0;
    guardian_dismiss(&backend->guardian);
}

const struct console_backend_ops console_unix_ops = {.open = open_unix, .close = close_unix};
