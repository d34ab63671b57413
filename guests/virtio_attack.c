// SPDX-License-Identifier: Apache-2.0
/*
 * A driver that means no good of whatever virtio device comes first in the tree: what can be done
 * with any device's registers and rings, and then what is particular to its class
 * (attack_devices.c, attack_9p.c). All of it with split rings, then with packed ones. After each
 * attack the device is reset and has to serve an honest driver.
 */
#include "../devices/virtio_mmio.h"
#include "../devices/virtqueue_layout.h"
#include "attack.h"

const char guest_name[] = "virtio_attack";

#define INDIRECT_DESC (1UL << 28)
#define EVENT_IDX     (1UL << 29)
enum { RESETS = 20, SCRIBBLES = 200, CANARY = 0x5a, FEATURE_BITS = 64 };

static const struct victim *victim;
static uint8_t *canary; /* a page that nobody was ever told of */

void attack_survived(const char *what)
{
    uint32_t failed_before = failed_checks();

    attack_start(victim->features);
    CHECK_EQ(attack_reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET, 0);
    CHECK(victim->use());
    for (uint32_t i = 0; i < ATTACK_PAGE_BYTES; i++)
        if (canary[i] != CANARY)
            CHECK(!"the canary lives");
    attack.count++;
    if (failed_checks() != failed_before)
        print("after '%s'\n", what);
}

/* ---- what breaks a queue ---- */

static void chain_loops(uint32_t queue)
{
    const struct piece piece = TAKES(attack.out, 16);

    for (uint32_t i = ATTACK_ENTRIES; i-- > 0;)
        attack_describe(queue, i, &piece, DESCRIPTOR_NEXT, (uint16_t)((i + 1) % ATTACK_ENTRIES));
    attack_publish(queue, 0);
}

static void one_buffer(uint32_t queue, uint64_t address, uint32_t length, uint16_t flags)
{
    const struct piece piece = {.address = address, .length = length};

    attack_describe(queue, 0, &piece, flags, 0);
    attack_publish(queue, 0);
}

static void buffer_is_registers(uint32_t queue)
{
    one_buffer(queue, machine.virtio_mmio, 64, 0);
}

static void buffer_before_memory(uint32_t queue)
{
    one_buffer(queue, machine.memory_base - 8, 64, DESCRIPTOR_WRITE);
}

static void buffer_beyond_memory(uint32_t queue)
{
    one_buffer(queue, machine.memory_base + machine.memory_bytes - 16, 64, DESCRIPTOR_WRITE);
}

static void buffer_wraps(uint32_t queue)
{
    one_buffer(queue, UINT64_MAX - 15, UINT32_MAX, DESCRIPTOR_WRITE);
}

static void buffer_is_empty(uint32_t queue)
{
    one_buffer(queue, (uint64_t)attack.out, 0, 0);
}

static void reads_after_writes(uint32_t queue)
{
    const struct piece gives = GIVES(attack.in, 16), takes = TAKES(attack.out, 16);

    attack_describe(queue, 1, &takes, 0, 0);
    attack_describe(queue, 0, &gives, DESCRIPTOR_NEXT, 1);
    attack_publish(queue, 0);
}

/* As many bytes as fit no 32 bits. The memory is there. */
static void chain_of_more_than_4_gib(uint32_t queue)
{
    const struct piece piece = TAKES(machine.memory_base, (uint32_t)machine.memory_bytes);

    CHECK(machine.memory_bytes * ATTACK_ENTRIES > UINT32_MAX);
    for (uint32_t i = ATTACK_ENTRIES; i-- > 0;)
        attack_describe(queue, i, &piece, i + 1 < ATTACK_ENTRIES ? DESCRIPTOR_NEXT : 0,
                        (uint16_t)(i + 1));
    attack_publish(queue, 0);
}

static void table_not_negotiated(uint32_t queue)
{
    one_buffer(queue, (uint64_t)attack.out, 32, DESCRIPTOR_INDIRECT);
}

static void (*const breaks[])(uint32_t queue) = {
    chain_loops,          buffer_is_registers, buffer_before_memory, buffer_beyond_memory,
    buffer_wraps,         buffer_is_empty,     reads_after_writes,   chain_of_more_than_4_gib,
    table_not_negotiated,
};

static void index_jumps(uint32_t queue)
{
    write16((uint64_t)attack.rings[queue].driver + AVAILABLE_INDEX, 0x8000);
}

static void head_beyond_table(uint32_t queue)
{
    attack_publish(queue, ATTACK_ENTRIES);
}

static void next_beyond_table(uint32_t queue)
{
    const struct piece piece = TAKES(attack.out, 16);

    attack_describe(queue, 0, &piece, DESCRIPTOR_NEXT, UINT16_MAX);
    attack_publish(queue, 0);
}

/* Packed rings have no indices. */
static void (*const split_breaks[])(uint32_t queue) = {index_jumps, head_beyond_table,
                                                       next_beyond_table};

/* Tables of descriptors; in `out`, which holds one of twice the queue's size. */
static void table(uint32_t queue, uint32_t size_bytes, uint16_t flags, uint16_t next)
{
    volatile struct descriptor *entries = (volatile struct descriptor *)attack.out;

    for (uint32_t i = 0; i < 2 * ATTACK_ENTRIES; i++) {
        entries[i].address = (uint64_t)attack.in;
        entries[i].length = 16;
        entries[i].flags = flags;
        entries[i].next = next ? next : (uint16_t)(i + 1);
    }
    one_buffer(queue, (uint64_t)attack.out, size_bytes, DESCRIPTOR_INDIRECT);
}

static void table_is_too_long(uint32_t queue)
{
    table(queue, 2 * ATTACK_ENTRIES * sizeof(struct descriptor), DESCRIPTOR_NEXT, 0);
}

static void table_is_cut(uint32_t queue)
{
    table(queue, sizeof(struct descriptor) + 1, 0, 0);
}

static void table_is_empty(uint32_t queue)
{
    table(queue, 0, 0, 0);
}

static void table_beyond_memory(uint32_t queue)
{
    one_buffer(queue, machine.memory_base + machine.memory_bytes - 16, 256, DESCRIPTOR_INDIRECT);
}

static void table_of_all_there_is(uint32_t queue)
{
    one_buffer(queue, 0, UINT32_MAX & ~15U, DESCRIPTOR_INDIRECT);
}

static void (*const table_breaks[])(uint32_t queue) = {
    table_is_too_long, table_is_cut, table_is_empty, table_beyond_memory, table_of_all_there_is};

static bool needs_reset(void *context)
{
    (void)context;
    return attack_reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET;
}

/* A queue that the device takes from only when it has something to say may not be looked at. */
static void break_queue(uint32_t queue, uint64_t features, void (*act)(uint32_t queue))
{
    attack_start(features);
    act(queue);
    attack_notify(queue);
    if (victim->eager_queues & 1U << queue) {
        CHECK(wait_until(needs_reset, NULL, ATTACK_SOON_MS));
        CHECK(attack_reg(VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG);
    }
    attack_survived("a queue was broken");
}

/* A queue that may not be looked at is worth fewer of them. */
static void break_queues(void)
{
    for (uint32_t queue = 0; queue < attack.queue_count; queue++) {
        uint32_t step = victim->eager_queues & 1U << queue ? 1 : 4;

        for (uint32_t i = 0; i < COUNT_OF(breaks); i += step)
            break_queue(queue, victim->features, breaks[i]);
        for (uint32_t i = 0; !attack.packed && i < COUNT_OF(split_breaks); i += step)
            break_queue(queue, victim->features, split_breaks[i]);
        for (uint32_t i = 0; i < COUNT_OF(table_breaks); i += step)
            break_queue(queue, victim->features | INDIRECT_DESC, table_breaks[i]);
    }
}

/* ---- rings that can't be ---- */

/* Of one queue after the other. */
static void misplace(uint64_t offset, uint64_t address, uint32_t entries)
{
    CHECK(attack_negotiate(victim->features & attack.offered));
    attack_place(attack.count % attack.queue_count, entries);
    if (offset)
        attack_set_pair(offset, address);
    attack_set(VIRTIO_MMIO_QUEUE_READY, 1);
    attack_set(VIRTIO_MMIO_STATUS, attack_reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
    CHECK(wait_until(needs_reset, NULL, ATTACK_SOON_MS));
    attack_notify(0);
    attack_survived("a ring that can't be");
}

static void misplace_rings(void)
{
    static const uint32_t areas[] = {VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DRIVER_LOW,
                                     VIRTIO_MMIO_QUEUE_DEVICE_LOW};

    for (uint32_t i = 0; i < COUNT_OF(areas); i++) {
        misplace(areas[i], machine.virtio_mmio, ATTACK_ENTRIES);
        misplace(areas[i], machine.memory_base + machine.memory_bytes, ATTACK_ENTRIES);
        misplace(areas[i], UINT64_MAX - 15, ATTACK_ENTRIES);
        misplace(areas[i], (uint64_t)attack.out + 1, ATTACK_ENTRIES);
    }
    misplace(0, 0, 0);
    misplace(0, 0, UINT32_MAX);
    if (!attack.packed)
        misplace(0, 0, ATTACK_ENTRIES - 1);
}

/* ---- what is only wrong ---- */

static void take_features(void)
{
    for (uint32_t bit = 0; bit < FEATURE_BITS; bit++)
        if (!(attack.offered & 1UL << bit)) {
            CHECK(!attack_negotiate(1UL << bit));
            attack_set(VIRTIO_MMIO_STATUS,
                       attack_reg(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
            CHECK_EQ(attack_reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_DRIVER_OK, 0);
            attack_notify(0);
        }
    attack_survived("features never offered");
}

/* With a device that runs, and with one that doesn't. */
static void write_registers(void)
{
    attack_start(victim->features);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t offset = 0; offset < VIRTIO_MMIO_BYTES; offset += 4) {
            uint64_t at = machine.virtio_mmio + offset;

            write32(at, ~offset);
            write16(at + 2, UINT16_MAX);
            write8(at + 1, UINT8_MAX);
            (void)read8(at + 3);
            (void)read16(at);
            (void)read32(at);
        }
        attack_set(VIRTIO_MMIO_STATUS, 0);
    }
    attack_survived("each register, written");
    attack_start(victim->features);
    for (uint32_t queue = 0; queue < 64; queue++)
        attack_set(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
    attack_set(VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
    attack_survived("doorbells of queues there aren't");
}

/* Requests of sorts on every queue, over and over in place: 16 of one descriptor. */
static void fill_queue(uint32_t queue)
{
    const struct piece piece = GIVES(attack.in, 64);

    for (uint32_t i = ATTACK_ENTRIES; i-- > 0;)
        attack_describe(queue, i, &piece, 0, (uint16_t)i);
    for (uint16_t i = 0; i < ATTACK_ENTRIES; i++)
        attack_publish(queue, i);
    attack_notify(queue);
}

static void reset_in_flight(void)
{
    for (uint32_t round = 0; round < RESETS; round++) {
        attack_start(victim->features);
        for (uint32_t queue = 0; queue < attack.queue_count; queue++)
            fill_queue(queue);
        attack_set(VIRTIO_MMIO_STATUS, 0);
        for (uint32_t i = 0; i < 64; i++)
            attack.in[i] = CANARY;
        attack_notify(0);
        CHECK_EQ(attack_reg(VIRTIO_MMIO_STATUS), 0);
        CHECK_EQ(attack_reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
        for (uint32_t i = 0; i < 64; i++)
            CHECK_EQ(attack.in[i], CANARY);
    }
    attack_survived("resets in flight");
    for (uint32_t queue = 0; queue < attack.queue_count; queue++) {
        attack_start(victim->features);
        fill_queue(queue);
        attack_set(VIRTIO_MMIO_QUEUE_SEL, queue);
        attack_set(VIRTIO_MMIO_QUEUE_READY, 0);
        CHECK_EQ(attack_reg(VIRTIO_MMIO_QUEUE_READY), 0);
        attack_set(VIRTIO_MMIO_QUEUE_READY, 1);
        CHECK_EQ(attack_reg(VIRTIO_MMIO_QUEUE_READY), 0);
        attack_survived("a queue stopped in flight");
    }
}

/* The device's thread reads them meanwhile. Events ask to be told at places that can't be. */
static void scribble(void)
{
    uint32_t noise = 1;

    for (uint32_t queue = 0; queue < attack.queue_count; queue++) {
        attack_start(victim->features | EVENT_IDX | INDIRECT_DESC);
        for (uint32_t i = 0; i < SCRIBBLES; i++) {
            const struct attack_ring *ring = &attack.rings[queue];

            noise = noise * 1664525 + 1013904223;
            const struct piece piece = {
                .address = noise & 1 ? (uint64_t)attack.in : machine.memory_base - 64,
                .length = noise >> 20,
                .writable = noise & 2,
            };
            attack_describe(queue, noise >> 28, &piece, (uint16_t)(noise >> 8 & 7),
                            (uint16_t)(noise >> 24));
            write16((uint64_t)ring->driver + USED_EVENT(ATTACK_ENTRIES), (uint16_t)noise);
            if (!attack.packed)
                attack_publish(queue, (uint16_t)(noise >> 27));
            else
                write32((uint64_t)ring->driver, noise);
            attack_notify(queue);
        }
        attack_survived("a ring that changes under the device");
    }
}

static void attack_with(bool packed)
{
    attack.packed = packed;
    attack.count = 0;
    attack_survived("nothing yet");
    take_features();
    break_queues();
    misplace_rings();
    write_registers();
    reset_in_flight();
    scribble();
    if (victim->specific)
        victim->specific();
    attack_survived("all of it");
    print("%s survived %d attacks, %s\n", victim->name, attack.count, packed ? "packed" : "split");
}

static uint8_t *take_pages(uint64_t size_bytes)
{
    return (uint8_t *)memory_take(size_bytes, ATTACK_PAGE_BYTES);
}

/* Whether the device is of a class that there is a driver for. */
static bool find_victim(void)
{
    for (victim = victims; victim->name; victim++)
        if (victim->id == attack_reg(VIRTIO_MMIO_DEVICE_ID))
            break;
    for (uint32_t half = 0; half < 2; half++) {
        attack_set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
        attack.offered |= (uint64_t)attack_reg(VIRTIO_MMIO_DEVICE_FEATURES) << (32 * half);
    }
    for (; attack.queue_count < ATTACK_QUEUES; attack.queue_count++) {
        struct attack_ring *ring = &attack.rings[attack.queue_count];

        attack_set(VIRTIO_MMIO_QUEUE_SEL, attack.queue_count);
        if (attack_reg(VIRTIO_MMIO_QUEUE_NUM_MAX) == 0)
            break;
        ring->descriptors = take_pages(ATTACK_PAGE_BYTES);
        ring->driver = take_pages(ATTACK_PAGE_BYTES);
        ring->device = take_pages(ATTACK_PAGE_BYTES);
    }
    return victim->name && attack.queue_count > 0;
}

void guest_main(void)
{
    CHECK(machine.virtio_mmio != 0);
    if (!machine.virtio_mmio)
        return;
    CHECK(find_victim());
    attack.out = take_pages(ATTACK_BUFFER_BYTES);
    canary = take_pages(ATTACK_PAGE_BYTES);
    attack.in = take_pages(ATTACK_BUFFER_BYTES);
    if (failed_checks())
        return;
    for (uint32_t i = 0; i < ATTACK_PAGE_BYTES; i++)
        canary[i] = CANARY;
    attack_with(false);
    attack_with(true);
}
