// SPDX-License-Identifier: Apache-2.0
/*
 * A virtqueue of either form, and a driver that the input is: a byte for the form, then seven bytes
 * a step. Steps write rings, descriptors and tables of mostly plausible values, and have the device
 * take and return chains meanwhile. Every byte that a chain lends is touched at both ends, so that
 * the sanitizer sees what isn't the guest's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtqueue.h"
#include "devices/virtqueue_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 8,
    STEP_BYTES = 7,
    DESCRIPTORS = 0x000,
    DRIVER_AREA = 0x100,
    DEVICE_AREA = 0x200,
    TABLE = 0x300,
    MEMORY_BYTES = 0x1000,
    PAGE_BYTES = 4096,
    TAKEN_MOST = 2 * ENTRIES,
};
#define BASE UINT64_C(0x40000000)

enum step_kind { DESCRIBE, DESCRIBE_TABLE, OFFER, POKE, TAKE, RETURN, SIGNAL, NOTIFY, STEP_KINDS };

struct world {
    uint8_t *bytes;
    struct virtqueue queue;
    struct virtqueue_chain taken[TAKEN_MOST];
    size_t taken_count;
    uint16_t offered;
};

static void touch(const struct virtqueue_chain *chain)
{
    size_t count = chain->readable_count + chain->writable_count;
    uint64_t total = 0;

    if (count == 0 || count > ENTRIES)
        abort();
    for (size_t i = 0; i < count; i++) {
        volatile uint8_t *bytes = chain->segments[i].iov_base;
        size_t last = chain->segments[i].iov_len - 1;

        total += last + 1;
        (void)bytes[0];
        (void)bytes[last];
        if (i >= chain->readable_count)
            bytes[last] = bytes[0];
    }
    if (total != chain->readable_bytes + chain->writable_bytes)
        abort();
}

/* A place near an edge, or anywhere. */
static uint64_t address_of(uint8_t choice)
{
    static const uint64_t places[] = {BASE + TABLE,
                                      BASE + DESCRIPTORS,
                                      BASE + 0x800,
                                      BASE + MEMORY_BYTES - 16,
                                      BASE + MEMORY_BYTES,
                                      BASE - 1,
                                      0,
                                      UINT64_MAX - 7};

    return places[choice % (sizeof(places) / sizeof(places[0]))] + (choice >> 5);
}

static uint32_t length_of(uint8_t choice)
{
    static const uint32_t lengths[] = {16, 32, 128, 1, 15, 0, MEMORY_BYTES, UINT32_MAX};

    return lengths[choice % (sizeof(lengths) / sizeof(lengths[0]))];
}

static void describe(struct world *world, size_t at, const uint8_t *step)
{
    uint16_t flags = (uint16_t)(step[4] | (step[5] & 0x80) << 8);

    if (world->queue.packed) {
        const struct packed_descriptor descriptor = {address_of(step[2]), length_of(step[3]),
                                                     step[6], flags};
        memcpy(world->bytes + at, &descriptor, sizeof(descriptor));
    } else {
        const struct descriptor descriptor = {address_of(step[2]), length_of(step[3]), flags,
                                              step[6]};
        memcpy(world->bytes + at, &descriptor, sizeof(descriptor));
    }
}

/* Makes the next entry of an available ring available, as a driver would. */
static void offer(struct world *world, uint8_t head, uint8_t jump)
{
    uint16_t value = head;

    memcpy(world->bytes + DRIVER_AREA + AVAILABLE_RING(world->offered % ENTRIES), &value,
           sizeof(value));
    world->offered = (uint16_t)(world->offered + 1 + (jump > 250 ? jump : 0));
    memcpy(world->bytes + DRIVER_AREA + AVAILABLE_INDEX, &world->offered, sizeof(world->offered));
}

static void take(struct world *world)
{
    if (world->taken_count == TAKEN_MOST)
        return;
    struct virtqueue_chain *chain = &world->taken[world->taken_count];

    if (virtqueue_take(&world->queue, chain) == VIRTQUEUE_TAKEN) {
        touch(chain);
        world->taken_count++;
        if (world->taken_count > ENTRIES)
            abort();
    }
}

static void do_step(struct world *world, const uint8_t *step)
{
    size_t index = step[1] % ENTRIES * sizeof(struct descriptor);

    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case DESCRIBE:
        describe(world, DESCRIPTORS + index, step);
        break;
    case DESCRIBE_TABLE:
        describe(world, TABLE + index, step);
        break;
    case OFFER:
        offer(world, step[1], step[2]);
        break;
    case POKE: /* any two bytes, event suppression among them */
        memcpy(world->bytes + (step[1] | (step[2] & 3) << 8), step + 3, sizeof(uint16_t));
        break;
    case TAKE:
        take(world);
        break;
    case RETURN:
        if (world->taken_count > 0)
            virtqueue_return(&world->queue, &world->taken[--world->taken_count], step[1]);
        break;
    case SIGNAL:
        (void)virtqueue_should_signal(&world->queue);
        break;
    case NOTIFY:
        virtqueue_set_notify(&world->queue, step[1] & 1);
        break;
    case STEP_KINDS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;

    if (size == 0)
        return 0;
    world = (struct world){.bytes = aligned_alloc(PAGE_BYTES, MEMORY_BYTES)};
    if (!world.bytes)
        abort();
    memset(world.bytes, 0, MEMORY_BYTES);
    const struct guest_memory memory = {GPA(BASE), MEMORY_BYTES, world.bytes};
    const struct virtqueue_layout layout = {
        .entries = data[0] & 8 ? ENTRIES : data[0] >> 4,
        .descriptors = GPA(BASE + DESCRIPTORS),
        .driver_area = GPA(BASE + DRIVER_AREA),
        .device_area = GPA(BASE + DEVICE_AREA),
        .packed = data[0] & 1,
        .indirect = data[0] & 2,
        .event_index = data[0] & 4,
    };

    if (layout.entries <= ENTRIES) {
        virtqueue_init(&world.queue, &memory, &layout);
        for (size_t at = 1; size - at >= STEP_BYTES; at += STEP_BYTES)
            do_step(&world, &data[at]);
    }
    free(world.bytes);
    return 0;
}
