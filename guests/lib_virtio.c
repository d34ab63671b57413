// SPDX-License-Identifier: Apache-2.0
#include "virtio_driver.h"

enum {
    SLOTS = 32,
    SLOT_INTID = 48, /* of the first */
    RING_BYTES = 4096,
    HALF_BITS = 32,
};
#define SLOTS_BASE 0x0a000000UL

static uint64_t base;

static void set_pair(uint64_t offset, uint64_t value)
{
    write32(base + offset, (uint32_t)value);
    write32(base + offset + 4, (uint32_t)(value >> HALF_BITS));
}

static void on_interrupt(uint32_t intid)
{
    (void)intid;
    write32(base + VIRTIO_MMIO_INTERRUPT_ACK, read32(base + VIRTIO_MMIO_INTERRUPT_STATUS));
}

bool driver_find(uint32_t device_id)
{
    interrupts_mask();
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        base = SLOTS_BASE + (uint64_t)slot * VIRTIO_MMIO_BYTES;
        if (read32(base + VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC &&
            read32(base + VIRTIO_MMIO_DEVICE_ID) == device_id) {
            gic_init(on_interrupt);
            gic_set_edge(SLOT_INTID + slot, !bootargs_number("level", 0));
            gic_enable(SLOT_INTID + slot);
            return true;
        }
    }
    return false;
}

void driver_init_queue(struct driver_queue *queue, uint32_t index)
{
    *queue = (struct driver_queue){
        .index = index,
        .descriptors = (struct descriptor *)memory_take(RING_BYTES, RING_BYTES),
        .available = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES),
        .used = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES),
    };
}

static void start_queue(struct driver_queue *queue, uint32_t index)
{
    driver_init_queue(queue, index);
    write32(base + VIRTIO_MMIO_QUEUE_SEL, index);
    write32(base + VIRTIO_MMIO_QUEUE_NUM, DRIVER_ENTRIES);
    set_pair(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint64_t)queue->descriptors);
    set_pair(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint64_t)queue->available);
    set_pair(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint64_t)queue->used);
    write32(base + VIRTIO_MMIO_QUEUE_READY, 1);
}

void driver_start(uint64_t features, struct driver_queue *queues, uint32_t count)
{
    CHECK_EQ(read32(base + VIRTIO_MMIO_VERSION), VIRTIO_MMIO_MODERN);
    write32(base + VIRTIO_MMIO_STATUS, 0);
    write32(base + VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        write32(base + VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        write32(base + VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (HALF_BITS * half)));
    }
    write32(base + VIRTIO_MMIO_STATUS,
            read32(base + VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    for (uint32_t i = 0; i < count; i++)
        start_queue(&queues[i], i);
    write32(base + VIRTIO_MMIO_STATUS, read32(base + VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

void driver_offer(struct driver_queue *queue, uint16_t first)
{
    uint32_t slot = queue->offered % DRIVER_ENTRIES;

    *(volatile uint16_t *)(queue->available + AVAILABLE_RING(slot)) = first;
    queue->offered++;
}

void driver_publish(struct driver_queue *queue)
{
    __asm__ volatile("dmb ish" : : : "memory");
    *(volatile uint16_t *)(queue->available + AVAILABLE_INDEX) = queue->offered;
    __asm__ volatile("dsb sy" : : : "memory");
}

void driver_notify(const struct driver_queue *queue)
{
    write32(base + VIRTIO_MMIO_QUEUE_NOTIFY, queue->index);
}

uint16_t driver_used_index(const struct driver_queue *queue)
{
    return *(volatile uint16_t *)(queue->used + USED_INDEX);
}

void driver_wait(const struct driver_queue *queue, uint16_t used_index, uint32_t count)
{
    while ((uint16_t)(driver_used_index(queue) - used_index) < count) {
        __asm__ volatile("wfi" : : : "memory");
        interrupts_unmask();
        __asm__ volatile("isb" : : : "memory");
        interrupts_mask();
    }
}
