// SPDX-License-Identifier: Apache-2.0
#include "unix_listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

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
    const struct unix_listener *listener = context;
    struct stat status;

    (void)file;
    if (listener->inode && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        (void)unlink(listener->path);
}

/* The mode of the socket before it has a name is the one that it gets with it. */
static bool bind_and_listen(struct unix_listener *listener, const struct sockaddr_un *address,
                            struct error *error)
{
    struct stat status;

    if (fchmod(listener->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return error_set(error, ERROR_FILE, errno, "bind failed");
    if (lstat(address->sun_path, &status) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot find the socket just made");
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    if (listen(listener->fd, BACKLOG) != 0)
        return error_set(error, ERROR_HOST, errno, "listen failed");
    return guardian_create(&listener->guardian, remove_socket, listener, GUARDIAN_NO_FILE, error);
}

bool unix_listener_open(struct unix_listener *listener, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *listener = (struct unix_listener){.fd = -1, .path = path};
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, ERROR_FILE, 0,
                         "cannot make socket '%s': its path has more than %zu bytes", path,
                         sizeof(address.sun_path) - 1);
    (void)memcpy(address.sun_path, path, strlen(path));
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return error_set(error, ERROR_HOST, errno, "socket failed");
    if (!remove_stale(&address, error) || !bind_and_listen(listener, &address, error))
        return error_add_context(error, "cannot make socket '%s'", path);
    return true;
}

void unix_listener_close(struct unix_listener *listener)
{
    if (!listener->path)
        return;
    if (listener->fd >= 0)
        (void)close(listener->fd);
    listener->fd = -1;
    remove_socket(listener, GUARDIAN_NO_FILE);
    listener->inode = 0;
    guardian_dismiss(&listener->guardian);
}
