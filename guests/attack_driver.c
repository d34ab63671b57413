// SPDX-License-Identifier: Apache-2.0
/* A driver of any virtio device, in the form of ring that `attack.packed` says. */
#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "attack.h"

#define VERSION_1   (1UL << 32)
#define RING_PACKED (1UL << 34)

struct attack attack;

static void put16(volatile uint8_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static uint16_t get16(const volatile uint8_t *at)
{
    return *(const volatile uint16_t *)at;
}

static uint32_t get32(const volatile uint8_t *at)
{
    return *(const volatile uint32_t *)at;
}

static void barrier(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

uint32_t attack_reg(uint64_t offset)
{
    return read32(machine.virtio_mmio + offset);
}

void attack_set(uint64_t offset, uint32_t value)
{
    write32(machine.virtio_mmio + offset, value);
}

void attack_set_pair(uint64_t offset, uint64_t value)
{
    attack_set(offset, (uint32_t)value);
    attack_set(offset + 4, (uint32_t)(value >> 32));
}

bool attack_negotiate(uint64_t features)
{
    features |= VERSION_1 | (attack.packed ? RING_PACKED : 0);
    attack_set(VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ(attack_reg(VIRTIO_MMIO_STATUS), 0);
    attack_set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        attack_set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        attack_set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    attack_set(VIRTIO_MMIO_STATUS, attack_reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    return attack_reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

void attack_place(uint32_t queue, uint32_t entries)
{
    const struct attack_ring *ring = &attack.rings[queue];

    attack_set(VIRTIO_MMIO_QUEUE_SEL, queue);
    attack_set(VIRTIO_MMIO_QUEUE_NUM, entries);
    attack_set_pair(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint64_t)ring->descriptors);
    attack_set_pair(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint64_t)ring->driver);
    attack_set_pair(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint64_t)ring->device);
}

static void clear_ring(struct attack_ring *ring)
{
    for (uint32_t i = 0; i < ATTACK_PAGE_BYTES; i += sizeof(uint64_t)) {
        *(volatile uint64_t *)(ring->descriptors + i) = 0;
        *(volatile uint64_t *)(ring->driver + i) = 0;
        *(volatile uint64_t *)(ring->device + i) = 0;
    }
    ring->available = ring->position = 0;
    ring->wrap = true;
}

void attack_start(uint64_t features)
{
    CHECK(attack_negotiate(features & attack.offered));
    for (uint32_t queue = 0; queue < attack.queue_count; queue++) {
        clear_ring(&attack.rings[queue]);
        attack_place(queue, ATTACK_ENTRIES);
        attack_set(VIRTIO_MMIO_QUEUE_READY, 1);
    }
    attack_set(VIRTIO_MMIO_STATUS, attack_reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

/* Its flags come last, for in a packed ring they make it the device's. */
static void write_descriptor(volatile uint8_t *at, const struct piece *piece, uint16_t flags,
                             uint16_t next)
{
    *(volatile uint64_t *)at = piece->address;
    *(volatile uint32_t *)(at + PACKED_LENGTH) = piece->length;
    flags = (uint16_t)(flags | (piece->writable ? DESCRIPTOR_WRITE : 0));
    put16(at + (attack.packed ? PACKED_ID : offsetof(struct descriptor, next)), next);
    barrier();
    put16(at + (attack.packed ? PACKED_FLAGS : offsetof(struct descriptor, flags)), flags);
}

void attack_describe(uint32_t queue, uint32_t index, const struct piece *piece, uint16_t flags,
                     uint16_t next)
{
    if (attack.packed)
        flags |= DESCRIPTOR_AVAILABLE;
    write_descriptor(attack.rings[queue].descriptors + index * sizeof(struct descriptor), piece,
                     flags, next);
}

void attack_publish(uint32_t queue, uint16_t head)
{
    struct attack_ring *ring = &attack.rings[queue];

    if (!attack.packed) {
        put16(ring->driver + AVAILABLE_RING(ring->available % ATTACK_ENTRIES), head);
        barrier();
        put16(ring->driver + AVAILABLE_INDEX, ++ring->available);
    }
    barrier();
}

void attack_notify(uint32_t queue)
{
    barrier();
    attack_set(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* From the last to the first, which makes all of them available. */
static void offer_packed(struct attack_ring *ring, const struct piece *pieces, uint32_t count)
{
    ring->first = ring->position;
    ring->first_wrap = ring->wrap;
    for (uint32_t i = count; i-- > 0;) {
        uint32_t at = ring->position + i;
        bool wrap = at >= ATTACK_ENTRIES ? !ring->wrap : ring->wrap;
        uint16_t flags = wrap ? DESCRIPTOR_AVAILABLE : DESCRIPTOR_USED;

        if (i + 1 < count)
            flags |= DESCRIPTOR_NEXT;
        write_descriptor(ring->descriptors + at % ATTACK_ENTRIES * sizeof(struct descriptor),
                         &pieces[i], flags, 0);
    }
    ring->position = (uint16_t)(ring->position + count);
    if (ring->position >= ATTACK_ENTRIES) {
        ring->position -= ATTACK_ENTRIES;
        ring->wrap = !ring->wrap;
    }
}

void attack_offer(uint32_t queue, const struct piece *pieces, uint32_t count)
{
    struct attack_ring *ring = &attack.rings[queue];

    if (attack.packed) {
        offer_packed(ring, pieces, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        attack_describe(queue, i, &pieces[i], i + 1 < count ? DESCRIPTOR_NEXT : 0,
                        (uint16_t)(i + 1));
    attack_publish(queue, 0);
}

static bool is_used(void *context)
{
    const struct attack_ring *ring = context;

    if (!attack.packed)
        return get16(ring->device + USED_INDEX) == ring->available;
    uint16_t flags =
        get16(ring->descriptors + ring->first * sizeof(struct packed_descriptor) + PACKED_FLAGS);

    return (bool)(flags & DESCRIPTOR_USED) == ring->first_wrap &&
           (bool)(flags & DESCRIPTOR_AVAILABLE) == ring->first_wrap;
}

uint32_t attack_wait(uint32_t queue)
{
    struct attack_ring *ring = &attack.rings[queue];

    if (!wait_until(is_used, ring, ATTACK_SOON_MS))
        return UINT32_MAX;
    barrier();
    if (attack.packed)
        return get32(ring->descriptors + ring->first * sizeof(struct packed_descriptor) +
                     PACKED_LENGTH);
    return get32(ring->device + USED_RING((uint32_t)(ring->available - 1) % ATTACK_ENTRIES) +
                 offsetof(struct used_element, length));
}

uint32_t attack_ask(uint32_t queue, const struct piece *pieces, uint32_t count)
{
    attack_offer(queue, pieces, count);
    attack_notify(queue);
    return attack_wait(queue);
}
