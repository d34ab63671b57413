// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's console, and its ports: between what include/armlet/console.h lends to a device and
 * the outside (standard input and output, a pseudo-terminal, a file, a Unix socket).
 *
 * Output crosses from the vCPUs to the I/O thread in a ring without a lock: one producer at a time
 * (the client orders its calls), one consumer. It is written in batches, a millisecond after the
 * first byte or as soon as the ring is half full. When nobody reads for the moment (no one has
 * connected), the ring keeps the newest output; when nobody ever will, it is dropped. A port is no
 * log: its output is written at once, and waits for who reads it, and so does the guest.
 *
 * I/O thread, but for what include/armlet/console.h says.
 */
#ifndef ARMLET_SRC_CONSOLE_H
#define ARMLET_SRC_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/console.h"
#include "armlet/error.h"
#include "armlet/event_loop.h"
#include "armlet/events.h"
#include "armlet/log.h"
#include "options.h"

/* What the operator can ask for with Ctrl-A on a terminal. */
enum console_command {
    CONSOLE_COMMAND_QUIT,     /* Ctrl-A x */
    CONSOLE_COMMAND_SHUTDOWN, /* Ctrl-A s */
};

struct console_config {
    enum console_kind kind;
    const char *path; /* of CONSOLE_FILE and CONSOLE_UNIX; outlives the console */
    const char *port; /* its name, which outlives the console; NULL: it is the console */
    struct event_loop *loop;
    const struct event_hub *events; /* may be NULL */
    struct log *log;
    void (*command)(void *context, enum console_command command); /* may be NULL of a port */
    void *context;
};

/* ERROR_HOST or ERROR_FILE, naming what can't be opened. Input flows once a client is attached. */
struct console *console_create(const struct console_config *config,
                               struct error *error) WARN_UNUSED;

/*
 * Writes what is left, waiting for a slow reader for at most bound_ns; says whether all is out.
 * While no vCPU runs.
 */
bool console_flush(struct console *console, uint64_t bound_ns);

/*
 * Fails with ERROR_HOST if output could not be written, a full disk being the usual reason. That
 * its reader left is no failure.
 */
bool console_check(const struct console *console, struct error *error) WARN_UNUSED;

/* How many bytes the guest gave and took so far. Any thread; see armlet/counters.h. */
struct console_counters {
    uint64_t output;  /* bytes that the guest sent, whatever became of them */
    uint64_t dropped; /* ... of which nobody will see */
    uint64_t input;   /* bytes that the guest's UART took */
    uint64_t writes;  /* system calls that carried the output */
};
void console_count(const struct console *console, struct console_counters *counters);

/* The process was stopped and goes on (SIGCONT): the terminal is set again. */
void console_resume(struct console *console);
/* The terminal may have another size (SIGWINCH): clients are told. */
void console_resize(struct console *console);

/* Restores the terminal, removes the socket. NULL is allowed. */
void console_destroy(struct console *console);

#endif
