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

#include "devices/builtin.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_mmio.h"
#include "tests/fuzz/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    QUEUES = 2,
    ENTRIES = 8,
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
    uint8_t negotiated;
} world;

static struct virtio_fuzz driver = {.queue_count = QUEUES, .entries = ENTRIES};

static void make_world(void)
{
    char path[64];

    world.image_fd = memfd_create("image", MFD_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", world.image_fd);
    if (ftruncate(world.image_fd, IMAGE_BYTES) != 0)
        abort();
    const struct property properties[] = {{"path", path}, {"queues", "2"}};

    virtio_fuzz_create(&driver, &virtio_blk_class,
                       (struct device_resources){.properties = {properties, 2}},
                       aligned_alloc(PAGE_BYTES, MEMORY_BYTES), MEMORY_BYTES);
}

static void start(uint8_t negotiated)
{
    uint64_t features = 0;

    features |= negotiated & 1 ? VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) : 0;
    features |= negotiated & 2 ? VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) : 0;
    features |= negotiated & 4 ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0;
    features |= negotiated & 8 ? VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) : 0;
    world.negotiated = negotiated;
    virtio_fuzz_start(&driver, features, DATA);
}

/* What the worker does when it is rung, until all is done. */
static void serve(void)
{
    virtio_fuzz_serve(&driver);
    virtio_fuzz_settle(&driver);
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
    const struct descriptor descriptor = {address_of(step[3]), length_of(step[4]), step[5],
                                          step[6]};

    virtio_fuzz_describe(&driver, at, world.negotiated & 1, &descriptor);
}

static void put_header(const uint8_t *step)
{
    static const uint32_t types[] = {
        VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
        VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, UINT32_MAX,         VIRTIO_BLK_T_IN};
    const struct virtio_blk_header header = {.type = types[step[2] % 8],
                                             .sector = sector_of(step[3])};

    memcpy(driver.bytes + HEADERS + step[1] % 4 * sizeof(header), &header, sizeof(header));
}

static void put_range(const uint8_t *step)
{
    const struct virtio_blk_range range = {sector_of(step[2]), step[3] > 250 ? UINT32_MAX : step[3],
                                           step[4] > 200 ? step[4] : step[4] & 1U};

    memcpy(driver.bytes + RANGES + step[1] % 8 * sizeof(range), &range, sizeof(range));
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
        virtio_fuzz_offer(&driver, queue, step[2] % (ENTRIES + 1), step[3] > 250 ? step[3] : 0);
        break;
    case SERVE:
        serve();
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
        break;
    case REGISTER: /* the doorbell would have the other thread work beside this one */
        if (step[1] * 4U % VIRTIO_MMIO_BYTES != VIRTIO_MMIO_QUEUE_NOTIFY)
            virtio_fuzz_set(&driver, step[1] * 4U % VIRTIO_MMIO_BYTES,
                            step[2] | (uint32_t)step[3] << 24);
        break;
    case RESTART:
        start(step[1]);
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

    start(8);
    memcpy(driver.bytes, chain, sizeof(chain));
    driver.bytes[STATUS] = UINT8_MAX;
    virtio_fuzz_offer(&driver, 0, 0, 0);
    serve();
    if (driver.bytes[STATUS] != VIRTIO_BLK_S_OK || fstat(world.image_fd, &status) != 0 ||
        status.st_size != IMAGE_BYTES)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!driver.device)
        make_world();
    if (size == 0)
        return 0;
    memset(driver.bytes, 0, MEMORY_BYTES);
    start(data[0]);
    virtio_fuzz_steps(data, size, do_step);
    serve();
    check_honest();
    return 0;
}
