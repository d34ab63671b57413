// SPDX-License-Identifier: Apache-2.0
#include "virtiofsd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host_process.h"

enum {
    END_TRIES = 200,
    END_PAUSE_NS = 10000000,
    LAST_WORDS_MS = 1000,
};

/* Where distributions put it. */
static const char *const files[] = {"virtiofsd", "/usr/libexec/virtiofsd",
                                    "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd"};

/* ---- the socket: it wants one that listens, and nobody else is to get there first ---- */

/* Connects to a socket that listens, in a directory that only this user may enter. */
static bool connect_at(const struct sockaddr_un *address, int *listener, int *socket_fd)
{
    *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return *listener >= 0 && *socket_fd >= 0 &&
           bind(*listener, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
           listen(*listener, 1) == 0 &&
           connect(*socket_fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static bool make_sockets(int *listener, int *socket_fd, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[] = "/tmp/armlet-XXXXXX";

    if (!mkdtemp(directory))
        return error_set(error, ERROR_HOST, errno, "cannot make a directory below /tmp");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/fs", directory);
    bool good = connect_at(&address, listener, socket_fd);
    int code = errno;
    (void)unlink(address.sun_path);
    (void)rmdir(directory);
    return good || error_set(error, ERROR_HOST, code, "cannot make a socket for virtiofsd");
}

/* ---- the process ---- */

static bool spawn(struct virtiofsd *self, const char *directory, int listener, int messages,
                  struct error *error)
{
    char source[PATH_MAX + sizeof("source=")];
    const char *const words[] = {"virtiofsd", "--fd=3", "-o", source, NULL};
    int code = ENOENT;

    (void)snprintf(source, sizeof(source), "source=%s", directory);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && code == ENOENT; i++)
        code = host_process_start(files[i], words, listener, messages, &self->pid);
    if (code == 0)
        return true;
    self->pid = 0;
    if (code == ENOENT)
        return error_set(error, ERROR_HOST, 0,
                         "virtiofsd is not installed: install the package 'virtiofsd' "
                         "(of Debian 12: 'qemu-system-common'), or use via=9p");
    return error_set(error, ERROR_HOST, code, "cannot execute virtiofsd");
}

/* The last line that it has printed, of what there is now. */
static bool last_line(int fd, char line[VIRTIOFSD_LINE_BYTES])
{
    char bytes[VIRTIOFSD_LINE_BYTES];
    ssize_t got = read(fd, bytes, sizeof(bytes) - 1);

    if (got <= 0)
        return false;
    while (got > 0 && bytes[got - 1] == '\n')
        got--;
    bytes[got] = '\0';
    const char *start = strrchr(bytes, '\n');
    (void)snprintf(line, VIRTIOFSD_LINE_BYTES, "%s", start ? start + 1 : bytes);
    return true;
}

static bool quote(const struct virtiofsd *self, struct error *error)
{
    struct pollfd file = {self->messages, POLLIN, 0};
    char line[VIRTIOFSD_LINE_BYTES] = "";

    while (poll(&file, 1, LAST_WORDS_MS) > 0 && last_line(self->messages, line))
        ;
    if (line[0])
        return error_set(error, ERROR_HOST, 0, "virtiofsd failed: %s", line);
    return error_add_context(error, "virtiofsd doesn't come up");
}

bool virtiofsd_start(struct virtiofsd *self, const char *directory, struct error *error)
{
    int messages[2] = {VHOST_NO_FILE, VHOST_NO_FILE};
    int listener = VHOST_NO_FILE;
    bool good = false;

    *self = (struct virtiofsd){.socket = VHOST_NO_FILE, .messages = VHOST_NO_FILE};
    if (pipe2(messages, O_CLOEXEC) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pipe to virtiofsd");
    self->messages = messages[0];
    (void)fcntl(self->messages, F_SETFL, O_NONBLOCK);
    if (make_sockets(&listener, &self->socket, error) &&
        spawn(self, directory, listener, messages[1], error))
        good = true;
    if (listener != VHOST_NO_FILE)
        (void)close(listener);
    (void)close(messages[1]);
    if (good && vhost_user_init(&self->back_end, self->socket, error))
        return true;
    if (good)
        (void)quote(self, error);
    virtiofsd_stop(self);
    return false;
}

/* It ends by itself once the socket is closed; what doesn't is killed. */
static void reap(pid_t pid)
{
    for (int i = 0; i < END_TRIES; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        (void)nanosleep(&(struct timespec){.tv_nsec = END_PAUSE_NS}, NULL);
    }
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void virtiofsd_stop(struct virtiofsd *self)
{
    if (self->socket > STDERR_FILENO)
        (void)close(self->socket);
    if (self->messages > STDERR_FILENO)
        (void)close(self->messages);
    if (self->pid > 0)
        reap(self->pid);
    *self = (struct virtiofsd){.socket = VHOST_NO_FILE, .messages = VHOST_NO_FILE};
}

void virtiofsd_listen(struct virtiofsd *self, struct log *log)
{
    while (last_line(self->messages, self->last_words))
        log_line(log, LOG_DEBUG, "virtiofsd: %s", self->last_words);
}
