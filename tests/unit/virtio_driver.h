// SPDX-License-Identifier: Apache-2.0
/*
 * The driver's side of one virtqueue, in memory that stands for the guest's. What a well-behaved
 * driver does has functions; a hostile one writes where virtio_driver_at() points.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/guest_memory.h"
#include "devices/virtqueue.h"
#include "devices/virtqueue_layout.h"

/* Where it puts what, from the start of its memory. */
enum {
    DRIVER_DESCRIPTORS = 0x0000,
    DRIVER_AREA = 0x2000,
    DRIVER_DEVICE_AREA = 0x3000,
    DRIVER_TABLE = 0x4000,
    DRIVER_BUFFERS = 0x10000,
    DRIVER_MEMORY_BYTES = 0x40000,
};
#define DRIVER_BASE UINT64_C(0x40000000)

struct driver_buffer {
    uint64_t offset; /* in its memory */
    uint32_t size_bytes;
    bool writable;
};

struct virtio_driver {
    struct guest_memory memory;
    struct virtqueue_layout layout;
    uint16_t
        next_descriptor; /* of a split ring's table; of a packed ring, the next to make available */
    uint16_t next_used;
    bool wrap, used_wrap;
    uint16_t chain_entries[VIRTQUEUE_MOST_ENTRIES]; /* by buffer ID, of a packed ring */
};

/* Takes over what the layout says of entries and features. */
void virtio_driver_init(struct virtio_driver *driver, const struct virtqueue_layout *features);
void virtio_driver_finish(struct virtio_driver *driver);

void *virtio_driver_at(const struct virtio_driver *driver, uint64_t offset);

/* Makes a chain available, in a table of its own if `indirect`; returns its ID. */
uint16_t virtio_driver_add(struct virtio_driver *driver, const struct driver_buffer *buffers,
                           size_t count, bool indirect);

/* Takes what came back; false: nothing has. */
bool virtio_driver_reap(struct virtio_driver *driver, uint16_t *id, uint32_t *written_bytes);

#endif
