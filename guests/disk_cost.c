// SPDX-License-Identifier: Apache-2.0
/*
 * What one request of 4 KiB to a virtio disk costs, one at a time, with as little of its own as can
 * be: a driver that sleeps until the interrupt comes, and lets it be handled as Linux does. Runs on
 * any VMM with virtio over MMIO where QEMU's virt board has it. Prints "disk_cost KIND NS" for
 * reads and writes; the disk has at least 1 MiB, which is written to.
 */
#include "../devices/virtio_blk.h"
#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "guest.h"

const char guest_name[] = "disk_cost";

enum {
    ENTRIES = 16,
    SLOTS = 32,
    SLOT_INTID = 48, /* of the first */
    REQUEST_BYTES = 4096,
    RING_BYTES = 4096,
    REQUEST_SECTORS = REQUEST_BYTES / 512,
    DISK_SECTORS = 2048,
    WARM_UP = 100,
    OPERATIONS = 2000,
    ID_BLOCK = 2,
};
#define SLOTS_BASE        0x0a000000UL
#define FEATURE_VERSION_1 (1UL << 32)
#define FEATURE_FLUSH     (1UL << VIRTIO_BLK_F_FLUSH)
#define NS_PER_SECOND     1000000000UL

static uint64_t base;
static struct descriptor *descriptors;
static volatile uint8_t *available, *used, *data, *status;
static struct virtio_blk_header *header;
static uint16_t offered;

static void set_pair(uint64_t offset, uint64_t value)
{
    write32(base + offset, (uint32_t)value);
    write32(base + offset + 4, (uint32_t)(value >> 32));
}

static void on_interrupt(uint32_t intid)
{
    (void)intid;
    write32(base + VIRTIO_MMIO_INTERRUPT_ACK, read32(base + VIRTIO_MMIO_INTERRUPT_STATUS));
}

static bool find_disk(void)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        base = SLOTS_BASE + (uint64_t)slot * VIRTIO_MMIO_BYTES;
        if (read32(base + VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC &&
            read32(base + VIRTIO_MMIO_DEVICE_ID) == ID_BLOCK) {
            gic_init(on_interrupt);
            gic_set_edge(SLOT_INTID + slot, false);
            gic_enable(SLOT_INTID + slot);
            return true;
        }
    }
    return false;
}

static void start(void)
{
    const uint64_t features = FEATURE_VERSION_1 | FEATURE_FLUSH;

    CHECK_EQ(read32(base + VIRTIO_MMIO_VERSION), VIRTIO_MMIO_MODERN);
    write32(base + VIRTIO_MMIO_STATUS, 0);
    write32(base + VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        write32(base + VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        write32(base + VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    write32(base + VIRTIO_MMIO_STATUS,
            read32(base + VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    write32(base + VIRTIO_MMIO_QUEUE_SEL, 0);
    write32(base + VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
    set_pair(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint64_t)descriptors);
    set_pair(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint64_t)available);
    set_pair(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint64_t)used);
    write32(base + VIRTIO_MMIO_QUEUE_READY, 1);
    write32(base + VIRTIO_MMIO_STATUS, read32(base + VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

static void describe(enum virtio_blk_type type)
{
    uint16_t data_flags = DESCRIPTOR_NEXT;

    if (type == VIRTIO_BLK_T_IN)
        data_flags |= DESCRIPTOR_WRITE;
    header->type = type;
    descriptors[0] = (struct descriptor){(uint64_t)header, sizeof(*header), DESCRIPTOR_NEXT, 1};
    descriptors[1] = (struct descriptor){(uint64_t)data, REQUEST_BYTES, data_flags, 2};
    descriptors[2] = (struct descriptor){(uint64_t)status, 1, DESCRIPTOR_WRITE, 0};
}

static uint16_t used_index(void)
{
    return *(volatile uint16_t *)(used + USED_INDEX);
}

/* Interrupts are masked but for a moment after each sleep, so that none is missed before one. */
static void do_one(uint32_t number)
{
    header->sector = (uint64_t)number * REQUEST_SECTORS % DISK_SECTORS;
    *status = UINT8_MAX;
    *(volatile uint16_t *)(available + AVAILABLE_RING(offered % ENTRIES)) = 0;
    __asm__ volatile("dmb ish" : : : "memory");
    offered++;
    *(volatile uint16_t *)(available + AVAILABLE_INDEX) = offered;
    __asm__ volatile("dsb sy" : : : "memory");
    write32(base + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
    while (used_index() != offered) {
        __asm__ volatile("wfi" : : : "memory");
        interrupts_unmask();
        __asm__ volatile("isb" : : : "memory");
        interrupts_mask();
    }
    CHECK_EQ(*status, VIRTIO_BLK_S_OK);
}

static void measure(const char *name, enum virtio_blk_type type)
{
    uint64_t operations = bootargs_number("operations", OPERATIONS);

    describe(type);
    for (uint32_t i = 0; i < WARM_UP; i++)
        do_one(i);
    uint64_t began = ticks_now();

    for (uint32_t i = 0; i < operations; i++)
        do_one(i);
    uint64_t ticks = ticks_now() - began;

    print("disk_cost %s %lu\n", name, ticks * (NS_PER_SECOND / ticks_per_second()) / operations);
}

void guest_main(void)
{
    descriptors = (struct descriptor *)memory_take(RING_BYTES, RING_BYTES);
    available = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    used = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    data = (volatile uint8_t *)memory_take(REQUEST_BYTES, RING_BYTES);
    header = (struct virtio_blk_header *)memory_take(RING_BYTES, RING_BYTES);
    status = (volatile uint8_t *)(header + 1);
    interrupts_mask();
    CHECK(find_disk());
    if (failed_checks())
        return;
    start();
    measure("read", VIRTIO_BLK_T_IN);
    measure("write", VIRTIO_BLK_T_OUT);
}
