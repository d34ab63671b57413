// SPDX-License-Identifier: Apache-2.0
/*
 * A disk, its transport and its virtqueues, and a driver that the input is: a byte for what is
 * negotiated, then eight bytes a step. Steps write rings, descriptors, headers and ranges of mostly
 * plausible values into guest memory, write registers, and have the device work. The device is
 * served on this thread, so that an input always does the same. In the end the image has its
 * length, and an honest driver is served.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "armlet/device.h"
#include "devices/builtin.h"
#include "devices/virtio.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_mmio.h"
#include "devices/virtqueue_layout.h"
#include "tests/unit/fake_irq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    QUEUES = 2,
    ENTRIES = 8,
    STEP_BYTES = 8,
    QUEUE_BYTES = 0x400,
    DRIVER_AREA = 0x100, /* from the start of a queue's bytes */
    DEVICE_AREA = 0x200,
    TABLE = 0x800,
    HEADERS = 0x900,
    RANGES = 0xa00,
    STATUS = 0xb00,
    DATA = 0x1000,
    MEMORY_BYTES = 0x8000,
    PAGE_BYTES = 4096,
    SECTOR = 512,
    IMAGE_BYTES = 64 * SECTOR,
};
#define BASE UINT64_C(0x40000000)

enum step_kind {
    DESCRIBE,
    DESCRIBE_TABLE,
    HEADER,
    RANGE,
    OFFER,
    SERVE,
    POKE,
    REGISTER,
    RESTART,
    STEP_KINDS
};

static struct {
    int image_fd;
    struct fake_irq irq;
    struct log log;
    struct guest_memory memory;
    struct device *device;
    uint8_t *bytes;
    uint8_t negotiated;
    uint16_t offered[QUEUES];
} world;

static struct virtio *virtio(void)
{
    return container_of(world.device, struct virtio, device);
}

static void set(uint64_t offset, uint32_t value)
{
    world.device->ops->write(world.device, offset, ACCESS_32_BIT, value);
}

static void set_pair(uint64_t offset, uint64_t value)
{
    set(offset, (uint32_t)value);
    set(offset + sizeof(uint32_t), (uint32_t)(value >> 32));
}

static void make_world(void)
{
    char path[64];
    struct error error = {0};

    world.image_fd = memfd_create("image", MFD_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", world.image_fd);
    world.bytes = aligned_alloc(PAGE_BYTES, MEMORY_BYTES);
    if (!world.bytes || ftruncate(world.image_fd, IMAGE_BYTES) != 0)
        abort();
    world.memory = (struct guest_memory){GPA(BASE), MEMORY_BYTES, world.bytes};
    world.log.fd = -1;
    fake_irq_init(&world.irq);
    const struct property properties[] = {{"path", path}, {"queues", "2"}};
    const struct device_resources resources = {
        .irq = &world.irq.line,
        .memory = &world.memory,
        .log = &world.log,
        .properties = {properties, 2},
    };

    world.device = virtio_blk_class.create(&resources, &error);
    if (!world.device) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
}

static void start(uint8_t negotiated)
{
    uint64_t features = VIRTIO_FEATURE(VIRTIO_F_VERSION_1);

    features |= negotiated & 1 ? VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) : 0;
    features |= negotiated & 2 ? VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) : 0;
    features |= negotiated & 4 ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0;
    features |= negotiated & 8 ? VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) : 0;
    set(VIRTIO_MMIO_STATUS, 0);
    memset(world.bytes, 0, DATA);
    memset(world.offered, 0, sizeof(world.offered));
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FEATURES_OK);
    for (uint32_t i = 0; i < QUEUES; i++) {
        set(VIRTIO_MMIO_QUEUE_SEL, i);
        set(VIRTIO_MMIO_QUEUE_NUM, ENTRIES);
        set_pair(VIRTIO_MMIO_QUEUE_DESC_LOW, BASE + i * QUEUE_BYTES);
        set_pair(VIRTIO_MMIO_QUEUE_DRIVER_LOW, BASE + i * QUEUE_BYTES + DRIVER_AREA);
        set_pair(VIRTIO_MMIO_QUEUE_DEVICE_LOW, BASE + i * QUEUE_BYTES + DEVICE_AREA);
        set(VIRTIO_MMIO_QUEUE_READY, 1);
    }
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_DRIVER_OK);
}

/* What the worker does when it is rung, until all is done. */
static void serve(void)
{
    (void)pthread_mutex_lock(&virtio()->work);
    virtio()->model->serve(virtio());
    virtio()->model->settle(virtio());
    (void)pthread_mutex_unlock(&virtio()->work);
}

/* ---- the driver ---- */

static uint64_t address_of(uint8_t choice)
{
    static const uint64_t places[] = {BASE + HEADERS,
                                      BASE + STATUS,
                                      BASE + DATA,
                                      BASE + RANGES,
                                      BASE + TABLE,
                                      BASE,
                                      BASE + MEMORY_BYTES - SECTOR,
                                      UINT64_MAX - 7};

    return places[choice % 8] + (choice >> 3) % 4 * 16;
}

static uint32_t length_of(uint8_t choice)
{
    static const uint32_t lengths[] = {16, 1, SECTOR, 2 * SECTOR, 32, SECTOR + 1, 128, UINT32_MAX};

    return lengths[choice % 8];
}

static uint64_t sector_of(uint8_t choice)
{
    static const uint64_t sectors[] = {0, 1, 62, 63, 64, UINT64_MAX, UINT64_MAX / SECTOR, 8};

    return sectors[choice % 8];
}

static void describe(uint64_t at, const uint8_t *step)
{
    uint16_t flags = step[5];

    if (world.negotiated & 1) {
        flags = (uint16_t)((flags & 0x7f) | (flags & 8 ? DESCRIPTOR_AVAILABLE : 0) |
                           (flags & 16 ? DESCRIPTOR_USED : 0));
        const struct packed_descriptor descriptor = {address_of(step[3]), length_of(step[4]),
                                                     step[6], flags};
        memcpy(world.bytes + at, &descriptor, sizeof(descriptor));
    } else {
        const struct descriptor descriptor = {address_of(step[3]), length_of(step[4]), flags & 7,
                                              step[6] % (ENTRIES + 1)};
        memcpy(world.bytes + at, &descriptor, sizeof(descriptor));
    }
}

static void put_header(const uint8_t *step)
{
    static const uint32_t types[] = {
        VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
        VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, UINT32_MAX,         VIRTIO_BLK_T_IN};
    const struct virtio_blk_header header = {.type = types[step[2] % 8],
                                             .sector = sector_of(step[3])};

    memcpy(world.bytes + HEADERS + step[1] % 4 * sizeof(header), &header, sizeof(header));
}

static void put_range(const uint8_t *step)
{
    const struct virtio_blk_range range = {sector_of(step[2]), step[3] > 250 ? UINT32_MAX : step[3],
                                           step[4] > 200 ? step[4] : step[4] & 1U};

    memcpy(world.bytes + RANGES + step[1] % 8 * sizeof(range), &range, sizeof(range));
}

static void offer(uint32_t queue, uint8_t head, uint8_t jump)
{
    uint8_t *area = world.bytes + queue * QUEUE_BYTES + DRIVER_AREA;
    uint16_t value = head % (ENTRIES + 1);

    memcpy(area + AVAILABLE_RING(world.offered[queue] % ENTRIES), &value, sizeof(value));
    world.offered[queue] = (uint16_t)(world.offered[queue] + 1 + (jump > 250 ? jump : 0));
    memcpy(area + AVAILABLE_INDEX, &world.offered[queue], sizeof(world.offered[queue]));
}

static void do_step(const uint8_t *step)
{
    uint32_t queue = step[1] >> 7;

    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case DESCRIBE:
        describe(queue * QUEUE_BYTES + step[2] % ENTRIES * sizeof(struct descriptor), step);
        break;
    case DESCRIBE_TABLE:
        describe(TABLE + step[2] % ENTRIES * sizeof(struct descriptor), step);
        break;
    case HEADER:
        put_header(step);
        break;
    case RANGE:
        put_range(step);
        break;
    case OFFER:
        offer(queue, step[2], step[3]);
        break;
    case SERVE:
        serve();
        break;
    case POKE:
        memcpy(world.bytes + (step[1] | (step[2] & 0xf) << 8), step + 3, sizeof(uint16_t));
        break;
    case REGISTER: /* the doorbell would have the other thread work beside this one */
        if (step[1] * 4U % VIRTIO_MMIO_BYTES != VIRTIO_MMIO_QUEUE_NOTIFY)
            set(step[1] * 4U % VIRTIO_MMIO_BYTES, step[2] | (uint32_t)step[3] << 24);
        break;
    case RESTART:
        world.negotiated = step[1];
        start(world.negotiated);
        break;
    case STEP_KINDS:
        break;
    }
}

/* The disk still reads, and is as long as it was. */
static void check_honest(void)
{
    const struct descriptor chain[] = {
        {BASE + HEADERS, sizeof(struct virtio_blk_header), DESCRIPTOR_NEXT, 1},
        {BASE + DATA, SECTOR, DESCRIPTOR_NEXT | DESCRIPTOR_WRITE, 2},
        {BASE + STATUS, 1, DESCRIPTOR_WRITE, 0},
    };
    struct stat status;

    world.negotiated = 8;
    start(world.negotiated);
    memcpy(world.bytes, chain, sizeof(chain));
    world.bytes[STATUS] = UINT8_MAX;
    offer(0, 0, 0);
    serve();
    if (world.bytes[STATUS] != VIRTIO_BLK_S_OK || fstat(world.image_fd, &status) != 0 ||
        status.st_size != IMAGE_BYTES)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.device)
        make_world();
    if (size == 0)
        return 0;
    memset(world.bytes, 0, MEMORY_BYTES);
    world.negotiated = data[0];
    start(world.negotiated);
    for (size_t at = 1; size - at >= STEP_BYTES; at += STEP_BYTES)
        do_step(&data[at]);
    serve();
    check_honest();
    return 0;
}
