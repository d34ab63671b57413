// SPDX-License-Identifier: Apache-2.0
/*
 * Of guests/virtio_attack.c: a driver that knows both forms of rings, and what can be done to a
 * device on purpose. One chain is in flight on a queue at a time, so what an attack leaves behind
 * is easily known.
 */
#ifndef ARMLET_GUESTS_ATTACK_H
#define ARMLET_GUESTS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

enum {
    ATTACK_ENTRIES = 16,
    ATTACK_QUEUES = 8,
    ATTACK_SOON_MS = 20000,
    ATTACK_PAGE_BYTES = 4096,
    ATTACK_BUFFER_BYTES = 128 << 10,
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A part of a chain. */
struct piece {
    uint64_t address;
    uint32_t length;
    bool writable;
};
#define TAKES(bytes, length_)                                                                      \
    {                                                                                              \
        .address = (uint64_t)(bytes), .length = (length_)                                          \
    }
#define GIVES(bytes, length_)                                                                      \
    {                                                                                              \
        .address = (uint64_t)(bytes), .length = (length_), .writable = true                        \
    }

struct attack_ring {
    volatile uint8_t *descriptors, *driver, *device; /* a page each */
    uint16_t available;                              /* split: chains offered */
    uint16_t position, first;                        /* packed: next, and the last chain's */
    bool wrap, first_wrap;
};

/* What the driver has. */
struct attack {
    bool packed;
    uint64_t offered; /* features */
    uint32_t queue_count;
    struct attack_ring rings[ATTACK_QUEUES];
    uint8_t *out, *in; /* buffers of ATTACK_BUFFER_BYTES */
    uint32_t count;    /* of attacks that the device has got over */
};
extern struct attack attack;

/* A class of devices. */
struct victim {
    uint32_t id; /* DeviceID */
    const char *name;
    uint64_t features;      /* those that it is driven with, where they are offered */
    uint32_t eager_queues;  /* bit n: the device takes from queue n at once */
    bool (*use)(void);      /* honestly; whether it answers as it should */
    void (*specific)(void); /* attacks of its own; NULL: none */
};
extern const struct victim victims[]; /* ended by one without a name */

uint32_t attack_reg(uint64_t offset);
void attack_set(uint64_t offset, uint32_t value);
void attack_set_pair(uint64_t offset, uint64_t value);

/* Resets, and negotiates these and VERSION_1 and the form of the ring; whether it is taken. */
bool attack_negotiate(uint64_t features);
/* The selected queue's place and size, before it is ready. */
void attack_place(uint32_t queue, uint32_t entries);
/* All of it: resets the device and starts every queue. */
void attack_start(uint64_t features);
/* Descriptor `index` of a ring that has just been started; `next` is a packed one's buffer ID. */
void attack_describe(uint32_t queue, uint32_t index, const struct piece *piece, uint16_t flags,
                     uint16_t next);
/* Makes a chain available that begins there. Of packed rings those described are already. */
void attack_publish(uint32_t queue, uint16_t head);
void attack_notify(uint32_t queue);

/* A well-formed chain. */
void attack_offer(uint32_t queue, const struct piece *pieces, uint32_t count);
/* Waits for the chain offered last to be used; how much was written, UINT32_MAX: never used. */
uint32_t attack_wait(uint32_t queue);
/* Both, and the doorbell between them. */
uint32_t attack_ask(uint32_t queue, const struct piece *pieces, uint32_t count);

/* After each attack: resets the device, and uses it as an honest driver does. */
void attack_survived(const char *what);

/* attack_9p.c */
bool attack_9p_use(void);
void attack_9p(void);

#endif
