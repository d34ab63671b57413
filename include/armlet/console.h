// SPDX-License-Identifier: Apache-2.0
/*
 * A character console: what is between a device and the outside (a terminal, a file, a socket).
 *
 * Output goes through a bounded ring that the I/O thread drains, so that a vCPU never waits for a
 * slow reader: the device sees CONSOLE_FULL coming (console_put() returns false), shows it to the
 * guest as a full transmit FIFO, and is told by `output_ready` when there is room again.
 * Input is pulled: the console calls `input` only while the device has said that it has room, so
 * that nothing is read from the outside that can't be kept.
 *
 * A client may hold its device's lock while it calls; its callbacks are called without any. The
 * console has a lock of its own for output if it has two clients: it orders them, and nothing else
 * is taken under it.
 */
#ifndef ARMLET_CONSOLE_H
#define ARMLET_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console;

/* What a device lends to its console. Callbacks run on the I/O thread; those after output_ready may
 * be NULL. */
struct console_client {
    void *context;
    /* Bytes from outside; returns how many were taken (the rest is offered again on resume). */
    size_t (*input)(void *context, const uint8_t *bytes, size_t count);
    /* The ring has room again after console_put() returned false, or console_put_some() few. */
    void (*output_ready)(void *context);
    /* Whether it is the one to get input now; NULL: it always is, unless another says so. */
    bool (*listens)(void *context);
    /* Somebody outside has come, or left: all that came from there was taken. */
    void (*peer_changed)(void *context, bool present);
    /* The terminal outside has this size, in characters. */
    void (*resized)(void *context, uint16_t columns, uint16_t rows);
    /*
     * Puts bytes that the guest wrote in another way than through the device, in order with those
     * that it did; returns how many, fewer when it holds back. Any thread.
     */
    size_t (*output)(void *context, const uint8_t *bytes, size_t count);
    /*
     * Puts the output that waits where the console can't see it. Called before the console writes,
     * and again every CONSOLE_COLLECT_MS as long as it returns true.
     */
    bool (*collect)(void *context);
};

enum {
    CONSOLE_COLLECT_MS = 2,
    CONSOLE_PORT_NAME_BYTES = 64, /* of the longest name of a port, with its NUL */
};

/* A console of the guest's that has a name, and is no terminal: a port. */
struct console_port {
    const char *name;
    struct console *console;
};

/* Attaches a client. Before the run; there are at most two, which share what is outside. */
void console_attach(struct console *console, const struct console_client *client);

/*
 * Queues one byte to the outside. False: the byte was taken, but the ring is now so full that the
 * client should hold back until output_ready. A client that goes on regardless loses bytes only
 * when the slack is used up, and those are counted. Any thread, calls ordered by the client.
 */
bool console_put(struct console *console, uint8_t byte);

/*
 * Queues bytes to the outside; returns how many there was room for. If not for all, output_ready
 * follows. Any thread, calls ordered by the client.
 */
size_t console_put_some(struct console *console, const uint8_t *bytes, size_t count);

/* For output of the guest's that is no device's: to the first client's `output`; 0 without one. */
size_t console_write(struct console *console, const uint8_t *bytes, size_t count);

/* From now on `collect` is called, until it returns false. Any thread. */
void console_collect(struct console *console);

/* The client took fewer bytes than offered and has room again: offer the rest. Any thread. */
void console_resume_input(struct console *console);

#endif
