// SPDX-License-Identifier: Apache-2.0
/*
 * As much of a virtio driver as bare-metal guests need that measure a device: by MMIO where QEMU's
 * virt board has it, split rings, and a CPU that sleeps until the interrupt comes.
 */
#ifndef ARMLET_GUESTS_VIRTIO_DRIVER_H
#define ARMLET_GUESTS_VIRTIO_DRIVER_H

#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "guest.h"

#define VIRTIO_FEATURE_VERSION_1 (1UL << 32)

enum { DRIVER_ENTRIES = 32 };

struct driver_queue {
    uint32_t index;
    struct descriptor *descriptors; /* DRIVER_ENTRIES, zero at first */
    volatile uint8_t *available, *used;
    uint16_t offered; /* the available index, published by driver_publish() */
};

/* Whether there is a device of this kind; its interrupt is enabled then, with its own handler, and
 * is level-sensitive if bootargs say "level=1". */
bool driver_find(uint32_t device_id);
/* An empty queue in memory, which no device knows of. */
void driver_init_queue(struct driver_queue *queue, uint32_t index);
/* From reset to DRIVER_OK, with these features and the queues 0 to count - 1. */
void driver_start(uint64_t features, struct driver_queue *queues, uint32_t count);

/* The chain that begins with this descriptor is the device's, once it is published. */
void driver_offer(struct driver_queue *queue, uint16_t first);
void driver_publish(struct driver_queue *queue);
void driver_notify(const struct driver_queue *queue);
uint16_t driver_used_index(const struct driver_queue *queue);
/* Sleeps until so many more than at this used index are used. Interrupts are masked but for a
 * moment after each sleep, so that none is missed before one. */
void driver_wait(const struct driver_queue *queue, uint16_t used_index, uint32_t count);

#endif
