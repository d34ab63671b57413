// SPDX-License-Identifier: Apache-2.0
/*
 * The outside of a console: two descriptors that come and go with whoever is there, and how to
 * write to them without ever waiting. console_backend.c has the kinds that are there from the
 * start, console_unix.c and console_pty.c those that someone connects to. I/O thread.
 */
#ifndef ARMLET_SRC_CONSOLE_BACKEND_H
#define ARMLET_SRC_CONSOLE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "armlet/error.h"
#include "armlet/event_loop.h"
#include "armlet/log.h"
#include "console.h"
#include "terminal.h"
#include "unix_listener.h"

struct console_backend;

struct console_backend_ops {
    bool (*open)(struct console_backend *backend, const char *path, struct error *error);
    void (*close)(struct console_backend *backend); /* may be NULL */
};

extern const struct console_backend_ops console_unix_ops;
extern const struct console_backend_ops console_pty_ops;

struct console_backend {
    const struct console_backend_ops *ops;
    const char *what; /* for messages: "the console", "port 'NAME'"; set before it is opened */
    bool port;        /* a program's: no text of ours among its bytes */
    struct event_loop *loop;
    struct log *log;
    /* Called when in_fd or out_fd became another. They are told before they are closed. */
    void (*changed)(void *context);
    void *context;

    int in_fd;        /* -1: no input now */
    int out_fd;       /* -1: nobody reads now */
    bool connectable; /* someone may connect, and leave, and connect again */
    bool interactive; /* a person's terminal: Ctrl-A is a prefix */
    bool out_blocks;  /* out_fd could not be had in non-blocking mode */
    bool out_is_socket;
    int input;         /* CONSOLE_STDIO: what in_fd is while standard input may be read */
    bool out_owned;    /* out_fd is ours to close; so is in_fd of a connectable kind */
    int write_failure; /* the errno that ended output for good; 0: none */
    struct terminal terminal;

    /* CONSOLE_UNIX and CONSOLE_PTY */
    struct event_source watch; /* the listening socket, or inotify on the slave */
    struct unix_listener listener;
    int master; /* of the pseudo-terminal; -1 otherwise */
};

bool console_backend_open(struct console_backend *backend, enum console_kind kind, const char *path,
                          struct error *error) WARN_UNUSED;

/*
 * write(2) to out_fd that never waits: fails with EAGAIN instead. Other errors mean that the
 * reader is gone or that the file can't take more.
 */
ssize_t console_backend_write(const struct console_backend *backend, const void *bytes,
                              size_t count);

/* Input is at its end. `gone`: the other end reads no more, too. */
void console_backend_input_ended(struct console_backend *backend, bool gone);
/* A write failed with os_errno: nobody reads any more. */
void console_backend_hang_up(struct console_backend *backend, int os_errno);
/* The size of the terminal outside, in characters; false: there is none. */
bool console_backend_size(const struct console_backend *backend, uint16_t *columns, uint16_t *rows);
/* After SIGCONT. */
void console_backend_resume(struct console_backend *backend);
void console_backend_close(struct console_backend *backend);

/* For the kinds: replaces the descriptors, owned from now on, and tells the console. -1: none. */
void console_backend_connect(struct console_backend *backend, int in_fd, int out_fd);

#endif
