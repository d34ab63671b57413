// SPDX-License-Identifier: Apache-2.0
/*
 * What fuzz targets of virtio devices share: guest memory, and a driver that does as it is told.
 * Queues lie one after the other from the start of memory. Without threads of its own. What can't
 * be made ends the program.
 */
#ifndef ARMLET_TESTS_FUZZ_VIRTIO_FUZZ_H
#define ARMLET_TESTS_FUZZ_VIRTIO_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/device.h"
#include "devices/virtio.h"
#include "devices/virtqueue_layout.h"
#include "tests/unit/fake_irq.h"

#define BASE UINT64_C(0x40000000) /* of guest memory */

enum {
    STEP_BYTES = 8,
    QUEUE_BYTES = 0x400,
    DRIVER_AREA = 0x100, /* from the start of a queue's bytes */
    DEVICE_AREA = 0x200,
    QUEUES_MOST = 8,
};

struct virtio_fuzz {
    struct fake_irq irq;
    struct log log;
    struct guest_memory memory;
    struct device *device; /* NULL: not made yet */
    uint8_t *bytes;        /* of guest memory */
    uint32_t queue_count;
    uint16_t entries; /* of each queue */
    uint16_t offered[QUEUES_MOST];
};

/* The resources get memory, interrupt and log; the device may be of use to several inputs. */
void virtio_fuzz_create(struct virtio_fuzz *self, const struct device_class *class,
                        struct device_resources resources, uint8_t *bytes, size_t size_bytes);
struct virtio *virtio_fuzz_device(const struct virtio_fuzz *self);
void virtio_fuzz_set(const struct virtio_fuzz *self, uint64_t offset, uint32_t value);
/* A reset, memory zeroed as far as `clear_bytes`, and all queues ready; VERSION_1 is added. */
void virtio_fuzz_start(struct virtio_fuzz *self, uint64_t features, size_t clear_bytes);
/* What the device's worker would do when it is rung. */
void virtio_fuzz_serve(const struct virtio_fuzz *self);
void virtio_fuzz_settle(const struct virtio_fuzz *self);

void virtio_fuzz_put(const struct virtio_fuzz *self, uint32_t queue, uint32_t index,
                     const struct descriptor *descriptor);
/* A descriptor of a split ring, or, with the flags' bits 3 and 4 for its own, of a packed one. */
void virtio_fuzz_describe(const struct virtio_fuzz *self, uint64_t at, bool packed,
                          const struct descriptor *descriptor);
/* Writes two bytes, step[3] and step[4], near the start of memory, where step[1] and step[2] say.
 */
void virtio_fuzz_poke(const struct virtio_fuzz *self, const uint8_t *step);
/* An input: a byte that is the caller's, then STEP_BYTES each. What is left over is ignored. */
void virtio_fuzz_steps(const uint8_t *data, size_t size, void (*do_step)(const uint8_t *step));
/* Makes a chain available, and moves the index by `jump` more. */
void virtio_fuzz_offer(struct virtio_fuzz *self, uint32_t queue, uint16_t head, uint8_t jump);

#endif
