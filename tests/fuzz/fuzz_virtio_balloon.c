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

#include "devices/builtin.h"
#include "devices/virtio_balloon.h"
#include "devices/virtio_mmio.h"
#include "tests/fuzz/virtio_fuzz.h"
#include "tests/unit/fake_event_loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 8,
    LISTS = 0x2000,
    LIST_BYTES = 0x100,
    GIVEN = 0x4000, /* pages to give away */
    MEMORY_BYTES = 0x10000,
    PAGE = VIRTIO_BALLOON_PAGE_BYTES,
    BEYOND = 0x5a, /* what is around the guest's RAM */
};

enum step_kind { LIST, STATS, DESCRIBE, OFFER, SERVE, TIMER, POKE, REGISTER, RESTART, STEP_KINDS };

static struct {
    struct event_loop loop;
    uint8_t *around; /* a page, the guest's RAM, and a page */
} world;

static struct virtio_fuzz driver = {.queue_count = VIRTIO_BALLOON_QUEUES, .entries = ENTRIES};

static void make_world(void)
{
    const struct property property = {"stats", "1s"};

    world.around = aligned_alloc(PAGE, MEMORY_BYTES + 2 * PAGE);
    if (!world.around)
        abort();
    memset(world.around, BEYOND, MEMORY_BYTES + 2 * PAGE);
    virtio_fuzz_create(&driver, &virtio_balloon_class,
                       (struct device_resources){.loop = &world.loop, .properties = {&property, 1}},
                       world.around + PAGE, MEMORY_BYTES);
}

static void start(uint8_t negotiated)
{
    uint64_t features = 0;

    features |= negotiated & 1 ? VIRTIO_FEATURE(VIRTIO_BALLOON_F_STATS_VQ) : 0;
    features |= negotiated & 2 ? VIRTIO_FEATURE(VIRTIO_BALLOON_F_PAGE_REPORTING) : 0;
    virtio_fuzz_start(&driver, features, MEMORY_BYTES);
}

static void describe(uint32_t queue, uint32_t index, uint64_t address, uint32_t length,
                     uint8_t flags, uint8_t next)
{
    const struct descriptor descriptor = {address, length, flags & 7, next % (ENTRIES + 1)};

    virtio_fuzz_put(&driver, queue, index, &descriptor);
}

/* A list of pages, as good as the input's bytes are small. */
static void put_list(const uint8_t *step)
{
    const uint64_t at = LISTS + step[1] % 16 * LIST_BYTES;

    for (uint32_t i = 2; i < STEP_BYTES; i++) {
        uint32_t page = (uint32_t)(BASE / PAGE) + GIVEN / PAGE +
                        (step[i] < 200 ? step[i] % 24U : (uint32_t)step[i] << 24);

        memcpy(driver.bytes + at + (i - 2) * sizeof(page), &page, sizeof(page));
    }
}

static void put_stats(const uint8_t *step)
{
    for (uint32_t i = 2; i < STEP_BYTES; i++) {
        const struct virtio_balloon_stat stat = {step[i], step[i]};

        memcpy(driver.bytes + LISTS + step[1] % 16 * LIST_BYTES + (i - 2) * sizeof(stat), &stat,
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
        virtio_fuzz_set(&driver, step[2] & 1 ? VIRTIO_MMIO_CONFIG + step[1] % 16U * 4 : offset,
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
        virtio_fuzz_offer(&driver, step[1] % VIRTIO_BALLOON_QUEUES, step[2] % (ENTRIES + 1),
                          step[3] > 252 ? step[3] : 0);
        break;
    case SERVE:
        virtio_fuzz_serve(&driver);
        break;
    case TIMER:
        fake_event_loop_fire(&world.loop);
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
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
    memcpy(driver.bytes + LISTS, &page, sizeof(page));
    driver.bytes[GIVEN] = 1;
    describe(VIRTIO_BALLOON_INFLATE, 0, BASE + LISTS, sizeof(page), 0, 0);
    virtio_fuzz_offer(&driver, VIRTIO_BALLOON_INFLATE, 0, 0);
    virtio_fuzz_serve(&driver);
    if (driver.bytes[GIVEN] != 0)
        abort();
    for (size_t i = 0; i < PAGE; i++)
        if (world.around[i] != BEYOND || driver.bytes[MEMORY_BYTES + i] != BEYOND)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!driver.device)
        make_world();
    if (size == 0)
        return 0;
    start(data[0]);
    virtio_fuzz_steps(data, size, do_step);
    virtio_fuzz_serve(&driver);
    check_honest();
    return 0;
}
