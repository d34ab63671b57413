// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes of virtqueues (Virtual I/O Device 1.2, 2.7 and 2.8), for the device, its tests and
 * bare-metal drivers. Offsets are in bytes, numbers little endian.
 */
#ifndef DEVICES_VIRTQUEUE_LAYOUT_H
#define DEVICES_VIRTQUEUE_LAYOUT_H

#include <stdint.h>

/* 2.7.5; the flags of packed rings are the same ones and two more (2.8.1) */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

enum {
    DESCRIPTOR_NEXT = 1U << 0,
    DESCRIPTOR_WRITE = 1U << 1,
    DESCRIPTOR_INDIRECT = 1U << 2,
    DESCRIPTOR_AVAILABLE = 1U << 7,
    DESCRIPTOR_USED = 1U << 15,
    DESCRIPTOR_ALIGNMENT = 16,
};

/* 2.7.6, the available ring: flags, index, ring, used_event */
enum {
    AVAILABLE_FLAGS = 0,
    AVAILABLE_INDEX = 2,
    AVAILABLE_NO_INTERRUPT = 1,
    AVAILABLE_ALIGNMENT = 2,
};
#define AVAILABLE_RING(slot)     (4U + 2U * (slot))
#define USED_EVENT(entries)      AVAILABLE_RING(entries)
#define AVAILABLE_BYTES(entries) (USED_EVENT(entries) + 2U)

/* 2.7.8, the used ring: flags, index, ring, avail_event */
struct used_element {
    uint32_t id;
    uint32_t length;
};
enum {
    USED_FLAGS = 0,
    USED_INDEX = 2,
    USED_NO_NOTIFY = 1,
    USED_ALIGNMENT = 4,
};
#define USED_RING(slot)          (4U + 8U * (slot))
#define AVAILABLE_EVENT(entries) USED_RING(entries)
#define USED_BYTES(entries)      (AVAILABLE_EVENT(entries) + 2U)

/* 2.8.13, a packed ring's descriptor */
struct packed_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id;
    uint16_t flags;
};
enum { PACKED_LENGTH = 8, PACKED_ID = 12, PACKED_FLAGS = 14 };

/* 2.8.14, event suppression of either side */
enum {
    EVENT_OFFSET = 0,
    EVENT_OFFSET_MASK = 0x7fff,
    EVENT_WRAP = 1U << 15,
    EVENT_FLAGS = 2,
    EVENT_FLAGS_MASK = 3,
    EVENT_ENABLE = 0,
    EVENT_DISABLE = 1,
    EVENT_DESCRIPTOR = 2,
    EVENT_BYTES = 4,
    EVENT_ALIGNMENT = 4,
};

#endif
