// SPDX-License-Identifier: Apache-2.0
#include "virtio_driver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096 };

void virtio_driver_init(struct virtio_driver *driver, const struct virtqueue_layout *features)
{
    *driver = (struct virtio_driver){
        .memory = {.base = GPA(DRIVER_BASE),
                   .size_bytes = DRIVER_MEMORY_BYTES,
                   .host = aligned_alloc(PAGE_BYTES, DRIVER_MEMORY_BYTES)},
        .layout = *features,
        .wrap = true,
        .used_wrap = true,
    };
    assert(driver->memory.host);
    memset(driver->memory.host, 0, DRIVER_MEMORY_BYTES);
    driver->layout.descriptors = GPA(DRIVER_BASE + DRIVER_DESCRIPTORS);
    driver->layout.driver_area = GPA(DRIVER_BASE + DRIVER_AREA);
    driver->layout.device_area = GPA(DRIVER_BASE + DRIVER_DEVICE_AREA);
}

void virtio_driver_finish(struct virtio_driver *driver)
{
    free(driver->memory.host);
}

void *virtio_driver_at(const struct virtio_driver *driver, uint64_t offset)
{
    return driver->memory.host + offset;
}

static uint16_t flags_of(const struct driver_buffer *buffer, bool more)
{
    return (uint16_t)((buffer->writable ? DESCRIPTOR_WRITE : 0) | (more ? DESCRIPTOR_NEXT : 0));
}

static void fill_table(struct virtio_driver *driver, const struct driver_buffer *buffers,
                       size_t count)
{
    struct descriptor *table = virtio_driver_at(driver, DRIVER_TABLE);
    struct packed_descriptor *packed = virtio_driver_at(driver, DRIVER_TABLE);

    for (size_t i = 0; i < count; i++) {
        bool more = i + 1 < count;

        if (driver->layout.packed) /* no NEXT, and an ID that says nothing (2.8.7) */
            packed[i] =
                (struct packed_descriptor){DRIVER_BASE + buffers[i].offset, buffers[i].size_bytes,
                                           UINT16_MAX, flags_of(&buffers[i], false)};
        else
            table[i] = (struct descriptor){DRIVER_BASE + buffers[i].offset, buffers[i].size_bytes,
                                           flags_of(&buffers[i], more), (uint16_t)(i + 1)};
    }
}

static uint16_t add_split(struct virtio_driver *driver, const struct driver_buffer *buffers,
                          size_t count, uint16_t extra_flags)
{
    struct descriptor *table = virtio_driver_at(driver, DRIVER_DESCRIPTORS);
    uint8_t *area = virtio_driver_at(driver, DRIVER_AREA);
    uint32_t entries = driver->layout.entries;
    uint16_t *index = (uint16_t *)(void *)(area + AVAILABLE_INDEX);
    uint16_t head = driver->next_descriptor;

    for (size_t i = 0; i < count; i++) {
        uint16_t at = driver->next_descriptor;

        driver->next_descriptor = (uint16_t)((at + 1U) % entries);
        table[at] =
            (struct descriptor){DRIVER_BASE + buffers[i].offset, buffers[i].size_bytes,
                                (uint16_t)(flags_of(&buffers[i], i + 1 < count) | extra_flags),
                                driver->next_descriptor};
    }
    memcpy(area + AVAILABLE_RING(*index % entries), &head, sizeof(head));
    __atomic_store_n(index, (uint16_t)(*index + 1), __ATOMIC_SEQ_CST);
    return head;
}

static uint16_t add_packed(struct virtio_driver *driver, const struct driver_buffer *buffers,
                           size_t count, uint16_t extra_flags)
{
    struct packed_descriptor *ring = virtio_driver_at(driver, DRIVER_DESCRIPTORS);
    struct packed_descriptor *first = &ring[driver->next_descriptor];
    uint16_t id = driver->next_descriptor;
    uint16_t first_flags = 0;

    for (size_t i = 0; i < count; i++) {
        struct packed_descriptor *at = &ring[driver->next_descriptor];
        uint16_t flags = (uint16_t)(flags_of(&buffers[i], i + 1 < count) | extra_flags |
                                    (driver->wrap ? DESCRIPTOR_AVAILABLE : DESCRIPTOR_USED));

        at->address = DRIVER_BASE + buffers[i].offset;
        at->length = buffers[i].size_bytes;
        at->id = id;
        if (at == first)
            first_flags = flags;
        else
            at->flags = flags;
        if (++driver->next_descriptor == driver->layout.entries) {
            driver->next_descriptor = 0;
            driver->wrap = !driver->wrap;
        }
    }
    driver->chain_entries[id] = (uint16_t)count;
    __atomic_store_n(&first->flags, first_flags, __ATOMIC_SEQ_CST);
    return id;
}

uint16_t virtio_driver_add(struct virtio_driver *driver, const struct driver_buffer *buffers,
                           size_t count, bool indirect)
{
    const struct driver_buffer table = {DRIVER_TABLE, (uint32_t)(count * sizeof(struct descriptor)),
                                        false};
    uint16_t flags = indirect ? DESCRIPTOR_INDIRECT : 0;

    if (indirect) {
        fill_table(driver, buffers, count);
        buffers = &table;
        count = 1;
    }
    return driver->layout.packed ? add_packed(driver, buffers, count, flags)
                                 : add_split(driver, buffers, count, flags);
}

static bool reap_packed(struct virtio_driver *driver, uint16_t *id, uint32_t *written_bytes)
{
    struct packed_descriptor *ring = virtio_driver_at(driver, DRIVER_DESCRIPTORS);
    struct packed_descriptor *at = &ring[driver->next_used];
    uint16_t flags = __atomic_load_n(&at->flags, __ATOMIC_ACQUIRE);
    bool available = flags & DESCRIPTOR_AVAILABLE;
    bool used = flags & DESCRIPTOR_USED;

    if (available != used || used != driver->used_wrap)
        return false;
    *id = at->id;
    *written_bytes = at->length;
    uint32_t next = (uint32_t)driver->next_used + driver->chain_entries[*id];
    if (next >= driver->layout.entries) {
        next -= driver->layout.entries;
        driver->used_wrap = !driver->used_wrap;
    }
    driver->next_used = (uint16_t)next;
    return true;
}

bool virtio_driver_reap(struct virtio_driver *driver, uint16_t *id, uint32_t *written_bytes)
{
    uint8_t *area = virtio_driver_at(driver, DRIVER_DEVICE_AREA);
    struct used_element element;

    if (driver->layout.packed)
        return reap_packed(driver, id, written_bytes);
    if (driver->next_used ==
        __atomic_load_n((uint16_t *)(void *)(area + USED_INDEX), __ATOMIC_ACQUIRE))
        return false;
    memcpy(&element, area + USED_RING(driver->next_used % driver->layout.entries), sizeof(element));
    driver->next_used++;
    *id = (uint16_t)element.id;
    *written_bytes = element.length;
    return true;
}
