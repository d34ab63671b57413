// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the console share; others include console.h.
 *
 *   console.c          who is inside and outside: clients, back end, peers
 *   console_output.c   the ring that output crosses
 *   console_input.c    keys, and who gets them
 */
#ifndef ARMLET_SRC_CONSOLE_INTERNAL_H
#define ARMLET_SRC_CONSOLE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/counters.h"
#include "console.h"
#include "console_backend.h"

enum {
    RING_BYTES = 64 * 1024,           /* a power of two */
    RING_FULL_BYTES = 60 * 1024,      /* the client is asked to hold back; the rest is slack */
    RING_SOON_BYTES = RING_BYTES / 2, /* written without further delay */
    RING_KEPT_BYTES = RING_BYTES / 2, /* of output that nobody has read yet */
    INPUT_BYTES = 64 * 1024,          /* typed ahead, on a terminal */
    MOST_CLIENTS = 2,
};

struct console {
    /* Written by the producer. */
    _Alignas(CACHE_LINE_BYTES) _Atomic size_t tail;
    uint64_t lost;
    uint64_t unheard; /* sent while the console is silent */

    /* Written by both, rarely. */
    _Alignas(CACHE_LINE_BYTES) _Atomic bool flush_armed; /* a flush will come without asking */
    _Atomic bool client_waits;

    /* Written by the I/O thread. */
    _Alignas(CACHE_LINE_BYTES) _Atomic size_t head;
    uint8_t *ring;
    bool silent;                      /* nobody will ever read, so that output is dropped at once */
    struct console_counters counters; /* but for `output`, which is the producer's */
    struct event_timer flush;
    struct event_source out; /* registered while the outside takes no more */

    struct event_source in;
    struct event_notify resume_input;
    bool in_unpollable; /* a regular file: always readable */
    bool prefix;        /* Ctrl-A came last */
    uint8_t *input;     /* what the client has not taken yet */
    size_t input_start;
    size_t input_count;

    bool peer_left; /* somebody, and a client isn't told yet */
    bool peer_told; /* clients know that somebody is there */

    struct console_client clients[MOST_CLIENTS]; /* constant from the run on */
    size_t client_count;
    pthread_mutex_t output_lock; /* orders producers, if there are two clients */
    struct console_config config;
    char what[CONSOLE_PORT_NAME_BYTES + sizeof("port ''")]; /* it is, for messages */
    struct console_backend backend;
};

/* console.c: that somebody left is told once all that came from there is taken. */
void console_follow_peer(struct console *console);

/* console_output.c */
void console_drain(struct console *console);
void console_publish(const struct console *console, enum event_kind kind, const uint8_t *bytes,
                     size_t count, bool dropped);

/* console_input.c: watches the input if more can be kept, and only then. */
void console_follow_input(struct console *console);
/* What waits is offered again, and more is read. */
void console_offer_again(struct console *console);

#endif
