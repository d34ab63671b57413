// SPDX-License-Identifier: Apache-2.0
#include "console_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What a file in blocking mode takes at once when poll(2) calls it writable. */
enum { BLOCKING_WRITE_BYTES = 256 };

/* ---- standard input and output ---- */

/* Reading or writing a pipe, a terminal: but /dev/null and its like never make anybody wait. */
static bool may_block(const struct stat *status)
{
    return S_ISFIFO(status->st_mode) ||
           (S_ISCHR(status->st_mode) && major(status->st_rdev) != MEM_MAJOR);
}

/*
 * A blocking call would hold up everything, but O_NONBLOCK must not be set on a file that the
 * shell goes on using: pipes and terminals are opened anew, for a file status of our own. Returns
 * `fd` itself if that can't be.
 */
static int open_anew(int fd, int access)
{
    struct stat status;
    char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

    if (fstat(fd, &status) != 0 || !may_block(&status))
        return fd;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int anew = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return anew >= 0 ? anew : fd;
}

static void open_output(struct console_backend *backend)
{
    struct stat status;

    if (fstat(STDOUT_FILENO, &status) != 0)
        return;
    backend->out_is_socket = S_ISSOCK(status.st_mode);
    backend->out_fd = open_anew(STDOUT_FILENO, O_WRONLY);
    backend->out_owned = backend->out_fd != STDOUT_FILENO;
    backend->out_blocks = !backend->out_owned && may_block(&status);
}

static bool open_stdio(struct console_backend *backend, const char *path, struct error *error)
{
    (void)path;
    backend->interactive = isatty(STDIN_FILENO);
    terminal_init(&backend->terminal, STDIN_FILENO, backend->log);
    if (backend->interactive && !terminal_make_raw(&backend->terminal, error))
        return false;
    backend->input = open_anew(STDIN_FILENO, O_RDONLY);
    if (!backend->interactive || backend->terminal.raw)
        backend->in_fd = backend->input;
    open_output(backend);
    return true;
}

static void close_stdio(struct console_backend *backend)
{
    terminal_restore(&backend->terminal);
    if (backend->input > STDIN_FILENO)
        (void)close(backend->input);
    backend->input = -1;
}

static const struct console_backend_ops stdio_ops = {.open = open_stdio, .close = close_stdio};

/* ---- a file, and nothing ---- */

static bool open_file(struct console_backend *backend, const char *path, struct error *error)
{
    backend->out_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
    if (backend->out_fd < 0 && errno == ENXIO)
        return error_set(error, ERROR_FILE, 0,
                         "cannot open '%s' for %s: nobody has it open for reading", path,
                         backend->what);
    if (backend->out_fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot open '%s' for %s", path, backend->what);
    backend->out_owned = true;
    return true;
}

static bool open_nothing(struct console_backend *backend, const char *path, struct error *error)
{
    (void)backend;
    (void)path;
    (void)error;
    return true;
}

static const struct console_backend_ops file_ops = {.open = open_file};
static const struct console_backend_ops nothing_ops = {.open = open_nothing};

/* ---- all kinds ---- */

static const struct console_backend_ops *ops_of(enum console_kind kind)
{
    switch (kind) {
    case CONSOLE_STDIO:
        return &stdio_ops;
    case CONSOLE_PTY:
        return &console_pty_ops;
    case CONSOLE_FILE:
        return &file_ops;
    case CONSOLE_UNIX:
        return &console_unix_ops;
    case CONSOLE_NONE:
        break;
    }
    return &nothing_ops;
}

bool console_backend_open(struct console_backend *backend, enum console_kind kind, const char *path,
                          struct error *error)
{
    backend->ops = ops_of(kind);
    backend->in_fd = -1;
    backend->out_fd = -1;
    backend->input = -1;
    backend->master = -1;
    backend->watch.fd = -1;
    if (backend->ops->open(backend, path, error))
        return true;
    console_backend_close(backend);
    return false;
}

ssize_t console_backend_write(const struct console_backend *backend, const void *bytes,
                              size_t count)
{
    if (backend->out_is_socket)
        return send(backend->out_fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (backend->out_blocks) {
        struct pollfd ready = {.fd = backend->out_fd, .events = POLLOUT};

        if (poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        if (count > BLOCKING_WRITE_BYTES)
            count = BLOCKING_WRITE_BYTES;
    }
    return write(backend->out_fd, bytes, count);
}

void console_backend_connect(struct console_backend *backend, int in_fd, int out_fd)
{
    int old_in = backend->in_fd;
    int old_out = backend->out_fd;

    backend->in_fd = in_fd;
    backend->out_fd = out_fd;
    backend->changed(backend->context);
    /* Before it is closed: a vCPU's thread may have it open, too (vcpu.c). */
    if (old_out >= 0 && backend->out_is_socket)
        (void)shutdown(old_out, SHUT_RDWR);
    if (old_in >= 0)
        (void)close(old_in);
    if (old_out >= 0)
        (void)close(old_out);
}

void console_backend_input_ended(struct console_backend *backend, bool gone)
{
    if (!backend->connectable) {
        backend->in_fd = -1;
        backend->changed(backend->context);
    } else if (gone) {
        console_backend_connect(backend, -1, -1);
    }
}

void console_backend_hang_up(struct console_backend *backend, int os_errno)
{
    struct error error;

    if (backend->connectable) {
        console_backend_connect(backend, -1, -1);
        return;
    }
    backend->write_failure = os_errno;
    (void)error_set(&error, ERROR_HOST, os_errno, "%s: output can't be written any more",
                    backend->what);
    log_line(backend->log, LOG_WARNING, "%s", error.message);
    int fd = backend->out_fd;
    backend->out_fd = -1;
    backend->changed(backend->context);
    if (backend->out_owned)
        (void)close(fd);
}

bool console_backend_size(const struct console_backend *backend, uint16_t *columns, uint16_t *rows)
{
    int fd = backend->interactive ? STDIN_FILENO : backend->master;
    struct winsize size;

    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return false;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

void console_backend_resume(struct console_backend *backend)
{
    struct error error = {0};

    if (!backend->interactive)
        return;
    if (!terminal_make_raw(&backend->terminal, &error))
        log_line(backend->log, LOG_WARNING, "%s", error.message);
    backend->in_fd = terminal_is_foreground(STDIN_FILENO) ? backend->input : -1;
    backend->changed(backend->context);
}

void console_backend_close(struct console_backend *backend)
{
    if (backend->ops->close)
        backend->ops->close(backend);
    if (backend->connectable && backend->in_fd >= 0)
        (void)close(backend->in_fd);
    if (backend->out_owned && backend->out_fd >= 0)
        (void)close(backend->out_fd);
    backend->in_fd = -1;
    backend->out_fd = -1;
}
