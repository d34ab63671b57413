// SPDX-License-Identifier: Apache-2.0
/*
 * The device's side of one virtqueue (Virtual I/O Device 1.2, 2.6 to 2.8): split or packed ring,
 * indirect descriptors, event index.
 *
 * Rings and buffers are the guest's and change under the reader's hands. Each field is copied once
 * and the copy is checked; what virtqueue_take() gives are ranges of RAM that were checked whole.
 * A ring that makes no sense is broken: virtqueue_take() says so from then on, and the device asks
 * for a reset (2.1.2, DEVICE_NEEDS_RESET).
 *
 * One thread at a time, apart from the driver in the guest.
 */
#ifndef DEVICES_VIRTQUEUE_H
#define DEVICES_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "armlet/gpa.h"
#include "armlet/guest_memory.h"

/* Entries of the largest ring, and so descriptors of the longest chain (2.7.5.3.1). */
enum { VIRTQUEUE_MOST_ENTRIES = 256 };

/* Where the driver put a queue, and what was negotiated. */
struct virtqueue_layout {
    uint32_t entries; /* of a split ring a power of two; at most VIRTQUEUE_MOST_ENTRIES */
    gpa_t descriptors;
    gpa_t driver_area; /* available ring, or driver event suppression */
    gpa_t device_area; /* used ring, or device event suppression */
    bool packed, indirect, event_index;
};

struct virtqueue {
    const struct guest_memory *memory;
    uint32_t entries;
    bool packed, indirect, event_index;
    uint8_t *descriptors, *driver_area, *device_area;
    const char *broken; /* what the guest did, or NULL */

    /* Positions: free-running of a split ring, below `entries` of a packed one. */
    uint16_t next_available, next_used;
    bool available_wrap, used_wrap; /* wrap counters of a packed ring (2.8.1) */
    uint32_t outstanding;           /* entries that are taken and not returned */
    uint32_t returned;              /* entries returned so far, modulo 2^32 */
    uint32_t signalled;             /* `returned` when the driver was last signalled */
};

/* One request: what the device may read, then what it may write. */
struct virtqueue_chain {
    uint16_t id;      /* head of the chain, or buffer ID of a packed ring */
    uint16_t entries; /* of the ring that it takes up */
    size_t readable_count, writable_count;
    uint64_t readable_bytes, writable_bytes;
    struct iovec segments[VIRTQUEUE_MOST_ENTRIES]; /* readable ones first; none is empty */
};

enum virtqueue_state {
    VIRTQUEUE_EMPTY,  /* nothing is available */
    VIRTQUEUE_TAKEN,  /* the chain is the device's until virtqueue_return() */
    VIRTQUEUE_BROKEN, /* virtqueue->broken says why */
};

/* Starts at the beginning of the ring. A layout that can't be is a broken queue. */
void virtqueue_init(struct virtqueue *queue, const struct guest_memory *memory,
                    const struct virtqueue_layout *layout);

/*
 * Goes on where another side of the device's ended, of a split ring. It had returned what it took
 * in order; what it took and didn't return is available again.
 */
void virtqueue_resume(struct virtqueue *queue);

enum virtqueue_state virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *chain);

/* Makes the chain that was taken last, with so many entries, available again. */
void virtqueue_untake(struct virtqueue *queue, uint16_t entries);

/* What is told of a chain that is given back, if the chain itself isn't kept. */
struct virtqueue_used {
    uint16_t id, entries;
    uint32_t written_bytes;
};

/* Gives several back, which the driver sees all at once. */
void virtqueue_return_batch(struct virtqueue *queue, const struct virtqueue_used *used,
                            size_t count);

/* Gives a chain back, in any order, with so many bytes of its writable part written. */
void virtqueue_return(struct virtqueue *queue, const struct virtqueue_chain *chain,
                      uint32_t written_bytes);

/* Whether the driver wants an interrupt for what was returned since it was last asked. */
bool virtqueue_should_signal(struct virtqueue *queue);

/*
 * Whether the driver should notify. It is a hint while the device is at work anyway. Turned on, the
 * caller looks at the ring once more, for what came before the driver saw it.
 */
void virtqueue_set_notify(struct virtqueue *queue, bool on);

#endif
