// SPDX-License-Identifier: Apache-2.0
/*
 * What requests to a virtio disk cost, with as little of its own as can be: a driver that sleeps
 * until the interrupt comes, and handles it as Linux does; "level=1" makes that level-sensitive.
 * Runs on any VMM with virtio over MMIO where QEMU's virt board has it. Prints "disk_cost KIND NS",
 * nanoseconds a request; the disk has at least 16 MiB, which are written to. "load=N" has the Nth
 * kind alone.
 */
#include "../devices/virtio_blk.h"
#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "guest.h"

const char guest_name[] = "disk_cost";

enum {
    ENTRIES = 32,
    SLOTS = 32,
    SLOT_INTID = 48, /* of the first */
    RING_BYTES = 4096,
    SECTOR = 512,
    CHAIN = 3, /* descriptors: header, data, status */
    MOST_DEPTH = 8,
    MOST_BYTES = 65536,
    DISK_BYTES = 16 << 20,
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
static struct virtio_blk_header *headers;
static uint16_t offered;
static uint64_t seed = 1, position;

/* So many requests of a size are made available at once, and all are waited for. */
struct load {
    const char *name;
    enum virtio_blk_type type;
    uint32_t request_bytes, depth;
    bool is_random;
};
static const struct load loads[] = {
    {"read", VIRTIO_BLK_T_IN, 4096, 1, false},
    {"write", VIRTIO_BLK_T_OUT, 4096, 1, false},
    {"random-read-8", VIRTIO_BLK_T_IN, 4096, MOST_DEPTH, true},
    {"random-write-8", VIRTIO_BLK_T_OUT, 4096, MOST_DEPTH, true},
    {"64k-read-8", VIRTIO_BLK_T_IN, MOST_BYTES, MOST_DEPTH, false},
    {"64k-write-8", VIRTIO_BLK_T_OUT, MOST_BYTES, MOST_DEPTH, false},
};

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
            gic_set_edge(SLOT_INTID + slot, !bootargs_number("level", 0));
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

static void describe(const struct load *load)
{
    uint16_t data_flags = DESCRIPTOR_NEXT;

    if (load->type == VIRTIO_BLK_T_IN)
        data_flags |= DESCRIPTOR_WRITE;
    for (uint32_t i = 0; i < load->depth; i++) {
        struct descriptor *chain = &descriptors[i * CHAIN];
        uint16_t first = (uint16_t)(i * CHAIN);

        headers[i].type = load->type;
        chain[0] = (struct descriptor){(uint64_t)&headers[i], sizeof(*headers), DESCRIPTOR_NEXT,
                                       (uint16_t)(first + 1)};
        chain[1] = (struct descriptor){(uint64_t)(data + (uint64_t)i * MOST_BYTES),
                                       load->request_bytes, data_flags, (uint16_t)(first + 2)};
        chain[2] = (struct descriptor){(uint64_t)&status[i], 1, DESCRIPTOR_WRITE, 0};
    }
}

/* Where the next request goes, on the disk. */
static uint64_t next_sector(const struct load *load)
{
    enum { LCG_SHIFT = 33 };

    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    position = (position / load->request_bytes + 1) * load->request_bytes;
    uint64_t at = load->is_random ? (seed >> LCG_SHIFT) * load->request_bytes : position;

    return at % DISK_BYTES / SECTOR;
}

static uint16_t used_index(void)
{
    return *(volatile uint16_t *)(used + USED_INDEX);
}

/* Interrupts are masked but for a moment after each sleep, so that none is missed before one. */
static void do_round(const struct load *load)
{
    for (uint32_t i = 0; i < load->depth; i++) {
        headers[i].sector = next_sector(load);
        status[i] = UINT8_MAX;
        *(volatile uint16_t *)(available + AVAILABLE_RING(offered % ENTRIES)) =
            (uint16_t)(i * CHAIN);
        offered++;
    }
    __asm__ volatile("dmb ish" : : : "memory");
    *(volatile uint16_t *)(available + AVAILABLE_INDEX) = offered;
    __asm__ volatile("dsb sy" : : : "memory");
    write32(base + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
    while (used_index() != offered) {
        __asm__ volatile("wfi" : : : "memory");
        interrupts_unmask();
        __asm__ volatile("isb" : : : "memory");
        interrupts_mask();
    }
    for (uint32_t i = 0; i < load->depth; i++)
        CHECK_EQ(status[i], VIRTIO_BLK_S_OK);
}

static void measure(const struct load *load)
{
    uint64_t rounds = bootargs_number("operations", OPERATIONS) / load->depth;

    describe(load);
    for (uint32_t i = 0; i < WARM_UP; i++)
        do_round(load);
    uint64_t began = ticks_now();

    for (uint64_t i = 0; i < rounds; i++)
        do_round(load);
    uint64_t ticks = ticks_now() - began;

    print("disk_cost %s %lu\n", load->name,
          ticks * (NS_PER_SECOND / ticks_per_second()) / (rounds * load->depth));
}

void guest_main(void)
{
    descriptors = (struct descriptor *)memory_take(RING_BYTES, RING_BYTES);
    available = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    used = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    data = (volatile uint8_t *)memory_take(MOST_DEPTH * MOST_BYTES, RING_BYTES);
    headers = (struct virtio_blk_header *)memory_take(RING_BYTES, RING_BYTES);
    status = (volatile uint8_t *)(headers + MOST_DEPTH);
    interrupts_mask();
    CHECK(find_disk());
    if (failed_checks())
        return;
    uint64_t only = bootargs_number("load", 0);
    start();
    for (uint32_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        if (only == 0 || only == i + 1)
            measure(&loads[i]);
}
