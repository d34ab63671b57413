// SPDX-License-Identifier: Apache-2.0
/*
 * A driver of a virtio disk that means no good. After each thing that it does the device has to ask
 * for a reset, or to answer with an error, and after the reset it has to serve an honest driver.
 * Sector n of the disk is filled with the byte n.
 */
#include "../devices/virtio_blk.h"
#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "guest.h"

const char guest_name[] = "virtio_hostile";

enum { ENTRIES = 16, SOON_MS = 20000, RING_BYTES = 4096, RESETS = 200, SECTOR = 512 };
#define FEATURE(bit)      (1UL << (bit))
#define FEATURE_VERSION_1 FEATURE(32)
#define FEATURE_PACKED    FEATURE(34)

static struct descriptor *descriptors;
static volatile uint8_t *available, *used, *data;
static struct virtio_blk_header *header;
static uint16_t available_index;

static void put16(volatile uint8_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static uint16_t get16(const volatile uint8_t *at)
{
    return *(const volatile uint16_t *)at;
}

static uint32_t reg(uint64_t offset)
{
    return read32(machine.virtio_mmio + offset);
}

static void set(uint64_t offset, uint32_t value)
{
    write32(machine.virtio_mmio + offset, value);
}

static void set_pair(uint64_t offset, uint64_t value)
{
    set(offset, (uint32_t)value);
    set(offset + 4, (uint32_t)(value >> 32));
}

/* ---- an honest driver ---- */

static void clear(volatile uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = 0;
}

static bool negotiate(uint64_t features)
{
    set(VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ(reg(VIRTIO_MMIO_STATUS), 0);
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    set(VIRTIO_MMIO_STATUS, reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    return reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

static void start_at(uint64_t features, uint64_t ring, uint32_t entries)
{
    clear((volatile uint8_t *)descriptors, RING_BYTES);
    clear(available, RING_BYTES);
    clear(used, RING_BYTES);
    available_index = 0;
    CHECK(negotiate(features));
    set(VIRTIO_MMIO_QUEUE_SEL, 0);
    set(VIRTIO_MMIO_QUEUE_NUM, entries);
    set_pair(VIRTIO_MMIO_QUEUE_DESC_LOW, ring);
    set_pair(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint64_t)available);
    set_pair(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint64_t)used);
    set(VIRTIO_MMIO_QUEUE_READY, 1);
    set(VIRTIO_MMIO_STATUS, reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

static void start(uint64_t features)
{
    start_at(features | FEATURE_VERSION_1, (uint64_t)descriptors, ENTRIES);
}

static void describe(uint32_t index, uint64_t address, uint32_t length, uint16_t flags,
                     uint16_t next)
{
    descriptors[index].address = address;
    descriptors[index].length = length;
    descriptors[index].flags = flags;
    descriptors[index].next = next;
}

static void offer(uint16_t head)
{
    put16(available + AVAILABLE_RING(available_index % ENTRIES), head);
    __asm__ volatile("dmb ish" : : : "memory");
    available_index++;
    put16(available + AVAILABLE_INDEX, available_index);
    __asm__ volatile("dsb sy" : : : "memory");
}

static void notify(void)
{
    set(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* Describes a read, three descriptors from `first` on. */
static void describe_read(uint16_t first, uint64_t sector, uint32_t size_bytes)
{
    header->type = VIRTIO_BLK_T_IN;
    header->sector = sector;
    data[size_bytes] = 0xff;
    describe(first, (uint64_t)header, sizeof(*header), DESCRIPTOR_NEXT, (uint16_t)(first + 1));
    describe(first + 1U, (uint64_t)data, size_bytes, DESCRIPTOR_NEXT | DESCRIPTOR_WRITE,
             (uint16_t)(first + 2));
    describe(first + 2U, (uint64_t)(data + size_bytes), 1, DESCRIPTOR_WRITE, 0);
}

static bool all_is_used(void *context)
{
    (void)context;
    return get16(used + USED_INDEX) == available_index;
}

static uint8_t read_sector(uint64_t sector)
{
    describe_read(0, sector, SECTOR);
    offer(0);
    notify();
    CHECK(wait_until(all_is_used, NULL, SOON_MS));
    __asm__ volatile("dmb ish" : : : "memory");
    return data[SECTOR];
}

static void check_honest(void)
{
    start(0);
    for (uint8_t sector = 1; sector < 4; sector++) {
        CHECK_EQ(read_sector(sector), VIRTIO_BLK_S_OK);
        CHECK_EQ(data[0], sector);
        CHECK_EQ(data[SECTOR - 1], sector);
    }
    CHECK(reg(VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_USED_BUFFER);
    set(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_INTERRUPT_USED_BUFFER);
    CHECK_EQ(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET, 0);
}

/* ---- what breaks a queue ---- */

static void loop(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[2].flags |= DESCRIPTOR_NEXT;
    descriptors[2].next = 1;
    offer(0);
}

static void jump(void)
{
    put16(available + AVAILABLE_INDEX, 0x8000);
}

static void leave_table(void)
{
    offer(ENTRIES);
}

static void next_leaves_table(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[1].next = 0xffff;
    offer(0);
}

static void use_registers_as_buffer(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[1].address = machine.virtio_mmio;
    offer(0);
}

static void leave_memory(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[1].address = machine.memory_base + machine.memory_bytes - 16;
    offer(0);
}

static void wrap_around(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[1].address = UINT64_MAX - 15;
    descriptors[1].length = UINT32_MAX;
    offer(0);
}

static void use_indirect(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[0].flags = DESCRIPTOR_INDIRECT;
    offer(0);
}

static void read_after_write(void)
{
    describe_read(0, 0, SECTOR);
    descriptors[0].flags |= DESCRIPTOR_WRITE;
    descriptors[1].flags &= (uint16_t)~DESCRIPTOR_WRITE;
    offer(0);
}

static void (*const breaks[])(void) = {
    loop,         jump,        leave_table,  next_leaves_table, use_registers_as_buffer,
    leave_memory, wrap_around, use_indirect, read_after_write,
};

static bool needs_reset(void *context)
{
    (void)context;
    return reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET;
}

static void check_needs_reset(void)
{
    CHECK(wait_until(needs_reset, NULL, SOON_MS));
    CHECK(reg(VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG);
}

static void check_breaks(void)
{
    for (uint32_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        start(0);
        breaks[i]();
        __asm__ volatile("dsb sy" : : : "memory");
        notify();
        check_needs_reset();
        check_honest();
    }
    start(FEATURE_PACKED); /* a chain that goes round the ring */
    for (uint32_t i = 0; i < ENTRIES; i++)
        describe(i, (uint64_t)data, SECTOR, 0, DESCRIPTOR_AVAILABLE | DESCRIPTOR_NEXT);
    __asm__ volatile("dsb sy" : : : "memory");
    notify();
    check_needs_reset();
    start_at(FEATURE_VERSION_1, machine.virtio_mmio, ENTRIES);
    check_needs_reset();
    start_at(FEATURE_VERSION_1, (uint64_t)descriptors, ENTRIES - 1);
    check_needs_reset();
    check_honest();
}

/* ---- what is only wrong ---- */

static void check_features(void)
{
    CHECK(!negotiate(0));
    CHECK(!negotiate(FEATURE_VERSION_1 | FEATURE(63)));
    CHECK(!negotiate(FEATURE_VERSION_1 | FEATURE(0)));
    set(VIRTIO_MMIO_STATUS, reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
    CHECK_EQ(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_DRIVER_OK, 0);
    check_honest();
}

static void check_sectors(void)
{
    static const uint64_t sectors[] = {UINT64_MAX, UINT64_MAX / SECTOR, 1UL << 55, 1UL << 40};

    start(0);
    for (uint32_t i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++)
        CHECK_EQ(read_sector(sectors[i]), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(read_sector(1), VIRTIO_BLK_S_OK);
}

/* A request of a header and so many bytes behind it that the device reads; its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t header_bytes, uint32_t data_bytes)
{
    uint16_t next = data_bytes > 0 ? 1 : 2;

    header->type = type;
    header->sector = sector;
    data[SECTOR] = 0xff;
    describe(0, (uint64_t)header, header_bytes, DESCRIPTOR_NEXT, next);
    describe(1, (uint64_t)data, data_bytes, DESCRIPTOR_NEXT, 2);
    describe(2, (uint64_t)(data + SECTOR), 1, DESCRIPTOR_WRITE, 0);
    offer(0);
    notify();
    CHECK(wait_until(all_is_used, NULL, SOON_MS));
    __asm__ volatile("dmb ish" : : : "memory");
    return data[SECTOR];
}

static uint8_t request_range(uint32_t type, uint64_t sector, uint32_t sector_count, uint32_t flags)
{
    volatile struct virtio_blk_range *range = (volatile struct virtio_blk_range *)data;

    range->sector = sector;
    range->sector_count = sector_count;
    range->flags = flags;
    return request(type, 0, sizeof(*header), sizeof(*range));
}

/* Well formed as chains, and no requests. */
static void check_requests(void)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};

    start(0);
    CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, sizeof(*header) - 1, 0), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, sizeof(*header), SECTOR - 1), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(request(VIRTIO_BLK_T_OUT, UINT64_MAX, sizeof(*header), SECTOR), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, sizeof(*header), 0), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(request(UINT32_MAX, 0, sizeof(*header), SECTOR), VIRTIO_BLK_S_UNSUPP);
    CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, UINT64_MAX, sizeof(*header), SECTOR), VIRTIO_BLK_S_OK);
    for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        CHECK_EQ(request(types[i], 0, sizeof(*header), 0), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(request(types[i], 0, sizeof(*header), 15), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(request_range(types[i], UINT64_MAX, 1, 0), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(request_range(types[i], 1, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(request_range(types[i], UINT64_MAX / SECTOR, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(request_range(types[i], 1, 1, UINT32_MAX), VIRTIO_BLK_S_UNSUPP);
        CHECK_EQ(request_range(types[i], 1, 0, 0), VIRTIO_BLK_S_OK);
    }
    check_honest();
}

/* Each register at each width, with values that grow. */
static void check_registers(void)
{
    for (uint32_t offset = 0; offset < VIRTIO_MMIO_BYTES; offset += 4) {
        uint64_t at = machine.virtio_mmio + offset;

        write32(at, ~offset);
        write16(at + 2, 0xffff);
        write8(at + 1, 0xff);
        (void)read8(at + 3);
        (void)read16(at);
        (void)read32(at);
    }
    check_honest();
}

/* A reset while requests are under way: what comes after it isn't touched by what was before. */
static void check_resets_in_flight(void)
{
    for (uint32_t i = 0; i < RESETS; i++) {
        start(0);
        describe_read(0, 1, SECTOR);
        for (uint32_t n = 0; n < ENTRIES; n++)
            offer(0);
        notify();
        set(VIRTIO_MMIO_STATUS, 0);
        data[0] = 0xaa;
        put16(used + USED_INDEX, 0);
        notify();
        CHECK_EQ(reg(VIRTIO_MMIO_STATUS), 0);
        CHECK_EQ(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
        CHECK_EQ(data[0], 0xaa);
        CHECK_EQ(get16(used + USED_INDEX), 0);
    }
    check_honest();
}

/* The same for a queue that is stopped, and stays so. */
static void check_stopped_queue(void)
{
    start(0);
    set(VIRTIO_MMIO_QUEUE_READY, 0);
    CHECK_EQ(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    describe_read(0, 1, SECTOR);
    offer(0);
    notify();
    set(VIRTIO_MMIO_QUEUE_READY, 1);
    CHECK_EQ(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    CHECK_EQ(get16(used + USED_INDEX), 0);
    check_honest();
}

void guest_main(void)
{
    CHECK(machine.virtio_mmio != 0);
    if (!machine.virtio_mmio)
        return;
    CHECK_EQ(reg(VIRTIO_MMIO_DEVICE_ID), 2);
    descriptors = (struct descriptor *)memory_take(RING_BYTES, RING_BYTES);
    available = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    used = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    data = (volatile uint8_t *)memory_take(RING_BYTES, RING_BYTES);
    header = (struct virtio_blk_header *)memory_take(RING_BYTES, RING_BYTES);
    if (failed_checks())
        return;
    check_honest();
    check_features();
    check_breaks();
    check_sectors();
    check_requests();
    check_registers();
    check_resets_in_flight();
    check_stopped_queue();
}
