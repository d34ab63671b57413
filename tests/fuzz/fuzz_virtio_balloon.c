// SPDX-License-Identifier: Apache-2.0
/*
 * A balloon and a driver that the input is: a byte for what is negotiated, then eight bytes a step.
 * Steps offer lists of pages, statistics and reports of mostly plausible values, write descriptors,
 * memory, registers and the configuration, and let the timer fire. In the end the RAM behind the
 * driver's own is whole, and an honest driver's page is dropped.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/device.h"
#include "devices/builtin.h"
#include "devices/virtio.h"
#include "devices/virtio_balloon.h"
#include "devices/virtio_mmio.h"
#include "devices/virtqueue_layout.h"
#include "tests/unit/fake_event_loop.h"
#include "tests/unit/fake_irq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 8,
    STEP_BYTES = 8,
    QUEUE_BYTES = 0x400,
    DRIVER_AREA = 0x100, /* from the start of a queue's bytes */
    DEVICE_AREA = 0x200,
    LISTS = 0x2000,
    LIST_BYTES = 0x100,
    GIVEN = 0x4000, /* pages to give away */
    MEMORY_BYTES = 0x10000,
    PAGE = VIRTIO_BALLOON_PAGE_BYTES,
    BEYOND = 0x5a, /* what is around the guest's RAM */
};
#define BASE UINT64_C(0x40000000)

enum step_kind { LIST, STATS, DESCRIBE, OFFER, SERVE, TIMER, POKE, REGISTER, RESTART, STEP_KINDS };

static struct {
    struct fake_irq irq;
    struct log log;
    struct event_loop loop;
    struct guest_memory memory;
    struct device *device;
    uint8_t *around, *bytes; /* a page, the guest's RAM, and a page */
    uint16_t offered[VIRTIO_BALLOON_QUEUES];
} world;

static struct virtio *virtio(void)
{
    return container_of(world.device, struct virtio, device);
}

static void set(uint64_t offset, uint32_t value)
{
    world.device->ops->write(world.device, offset, ACCESS_32_BIT, value);
}

static void make_world(void)
{
    struct error error = {0};
    const struct property property = {"stats", "1s"};

    world.around = aligned_alloc(PAGE, MEMORY_BYTES + 2 * PAGE);
    if (!world.around)
        abort();
    memset(world.around, BEYOND, MEMORY_BYTES + 2 * PAGE);
    world.bytes = world.around + PAGE;
    world.memory = (struct guest_memory){GPA(BASE), MEMORY_BYTES, world.bytes};
    world.log.fd = -1;
    fake_irq_init(&world.irq);
    const struct device_resources resources = {
        .irq = &world.irq.line,
        .memory = &world.memory,
        .log = &world.log,
        .loop = &world.loop,
        .properties = {&property, 1},
    };

    world.device = virtio_balloon_class.create(&resources, &error);
    if (!world.device)
        abort();
}

static void serve(void)
{
    (void)pthread_mutex_lock(&virtio()->work);
    virtio()->model->serve(virtio());
    (void)pthread_mutex_unlock(&virtio()->work);
}

static void start(uint8_t negotiated)
{
    uint32_t features = (negotiated & 1U) << VIRTIO_BALLOON_F_STATS_VQ |
                        (negotiated >> 1 & 1U) << VIRTIO_BALLOON_F_PAGE_REPORTING;

    set(VIRTIO_MMIO_STATUS, 0);
    memset(world.bytes, 0, MEMORY_BYTES);
    memset(world.offered, 0, sizeof(world.offered));
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    set(VIRTIO_MMIO_DRIVER_FEATURES, features);
    set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    set(VIRTIO_MMIO_DRIVER_FEATURES, 1); /* VERSION_1 */
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FEATURES_OK);
    for (uint32_t i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
        const uint32_t at = (uint32_t)BASE + i * QUEUE_BYTES;

        set(VIRTIO_MMIO_QUEUE_SEL, i);
        set(VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
        set(VIRTIO_MMIO_QUEUE_DESC_LOW, at);
        set(VIRTIO_MMIO_QUEUE_DRIVER_LOW, at + DRIVER_AREA);
        set(VIRTIO_MMIO_QUEUE_DEVICE_LOW, at + DEVICE_AREA);
        set(VIRTIO_MMIO_QUEUE_READY, 1);
    }
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_DRIVER_OK);
}

static void describe(uint32_t queue, uint32_t index, uint64_t address, uint32_t length,
                     uint8_t flags, uint8_t next)
{
    const struct descriptor descriptor = {address, length, flags & 7, next % (ENTRIES + 1)};

    memcpy(world.bytes + queue * QUEUE_BYTES + index % ENTRIES * sizeof(descriptor), &descriptor,
           sizeof(descriptor));
}

static void offer(uint32_t queue, uint16_t head, uint8_t jump)
{
    uint8_t *area = world.bytes + queue * QUEUE_BYTES + DRIVER_AREA;

    memcpy(area + AVAILABLE_RING(world.offered[queue] % ENTRIES), &head, sizeof(head));
    world.offered[queue] = (uint16_t)(world.offered[queue] + 1 + (jump > 252 ? jump : 0));
    memcpy(area + AVAILABLE_INDEX, &world.offered[queue], sizeof(world.offered[queue]));
}

/* A list of pages, as good as the input's bytes are small. */
static void put_list(const uint8_t *step)
{
    const uint64_t at = LISTS + step[1] % 16 * LIST_BYTES;

    for (uint32_t i = 2; i < STEP_BYTES; i++) {
        uint32_t page = (uint32_t)(BASE / PAGE) + GIVEN / PAGE +
                        (step[i] < 200 ? step[i] % 24U : (uint32_t)step[i] << 24);

        memcpy(world.bytes + at + (i - 2) * sizeof(page), &page, sizeof(page));
    }
}

static void put_stats(const uint8_t *step)
{
    for (uint32_t i = 2; i < STEP_BYTES; i++) {
        const struct virtio_balloon_stat stat = {step[i], step[i]};

        memcpy(world.bytes + LISTS + step[1] % 16 * LIST_BYTES + (i - 2) * sizeof(stat), &stat,
               sizeof(stat));
    }
}

static void do_describe(const uint8_t *step)
{
    static const uint32_t lengths[] = {24, 4, 60, PAGE, 3, 0, 2 * PAGE + 1, UINT32_MAX};
    uint64_t address =
        step[3] & 1 ? BASE + GIVEN + step[3] * 0x80U : BASE + LISTS + step[3] % 16 * LIST_BYTES;

    describe(step[1] % VIRTIO_BALLOON_QUEUES, step[2], address, lengths[step[4] % 8], step[5],
             step[6]);
}

/* Any but the doorbell, which would have the other thread work beside this one. */
static void write_register(const uint8_t *step)
{
    uint32_t offset = step[1] * 4U % VIRTIO_MMIO_BYTES;

    if (offset != VIRTIO_MMIO_QUEUE_NOTIFY)
        set(step[2] & 1 ? VIRTIO_MMIO_CONFIG + step[1] % 16U * 4 : offset,
            step[3] | (uint32_t)step[4] << 24);
}

static void do_step(const uint8_t *step)
{
    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case LIST:
        put_list(step);
        break;
    case STATS:
        put_stats(step);
        break;
    case DESCRIBE:
        do_describe(step);
        break;
    case OFFER:
        offer(step[1] % VIRTIO_BALLOON_QUEUES, step[2] % (ENTRIES + 1), step[3]);
        break;
    case SERVE:
        serve();
        break;
    case TIMER:
        fake_event_loop_fire(&world.loop);
        break;
    case POKE:
        memcpy(world.bytes + (step[1] | (step[2] & 0x1f) << 8), step + 3, sizeof(uint16_t));
        break;
    case REGISTER:
        write_register(step);
        break;
    case RESTART:
        start(step[1]);
        break;
    case STEP_KINDS:
        break;
    }
}

static void check_honest(void)
{
    const uint32_t page = (uint32_t)((BASE + GIVEN) / PAGE);

    start(0);
    memcpy(world.bytes + LISTS, &page, sizeof(page));
    world.bytes[GIVEN] = 1;
    describe(VIRTIO_BALLOON_INFLATE, 0, BASE + LISTS, sizeof(page), 0, 0);
    offer(VIRTIO_BALLOON_INFLATE, 0, 0);
    serve();
    if (world.bytes[GIVEN] != 0)
        abort();
    for (size_t i = 0; i < PAGE; i++)
        if (world.around[i] != BEYOND || world.bytes[MEMORY_BYTES + i] != BEYOND)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.device)
        make_world();
    if (size == 0)
        return 0;
    start(data[0]);
    for (size_t at = 1; size - at >= STEP_BYTES; at += STEP_BYTES)
        do_step(&data[at]);
    serve();
    check_honest();
    return 0;
}
