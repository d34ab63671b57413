// SPDX-License-Identifier: Apache-2.0
/*
 * The entropy device and a driver that the input is: a byte for what is negotiated, then eight
 * bytes a step. The device's worker is stopped, and each step is done when it is over. In the end
 * what is around the guest's RAM is whole, and an honest driver gets its bytes.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "devices/builtin.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_worker.h"
#include "tests/fuzz/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 8,
    TABLE = 0x800,
    DATA = 0x1000,
    PAGE_BYTES = 4096,
    MEMORY_BYTES = 0x20000,
    HONEST_BYTES = 64,
    MOST_BYTES = 65536, /* of one request */
    BEYOND = 0x5a,      /* what is around the guest's RAM */
};

enum step_kind { DESCRIBE, DESCRIBE_TABLE, OFFER, SERVE, POKE, REGISTER, RESTART, STEP_KINDS };

static struct virtio_fuzz driver = {.queue_count = 1, .entries = ENTRIES};
static uint8_t *around; /* a page, the guest's RAM, and a page */
static uint8_t negotiated;

static void make_world(void)
{
    around = aligned_alloc(PAGE_BYTES, MEMORY_BYTES + 2 * PAGE_BYTES);
    if (!around)
        abort();
    memset(around, BEYOND, MEMORY_BYTES + 2 * PAGE_BYTES);
    virtio_fuzz_create(&driver, &virtio_rng_class, (struct device_resources){0},
                       around + PAGE_BYTES, MEMORY_BYTES);
    virtio_worker_stop(virtio_fuzz_device(&driver));
    atomic_store(&virtio_fuzz_device(&driver)->waiting, 0);
}

static void start(uint8_t how)
{
    uint64_t features = 0;

    features |= how & 1 ? VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) : 0;
    features |= how & 2 ? VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) : 0;
    features |= how & 4 ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0;
    negotiated = how;
    virtio_fuzz_start(&driver, features, DATA);
}

static void describe(uint64_t area, const uint8_t *step)
{
    static const uint64_t places[] = {
        BASE + DATA, BASE + DATA + 1,         BASE + TABLE,
        BASE,        BASE + MEMORY_BYTES - 1, BASE + MEMORY_BYTES - HONEST_BYTES,
        BASE - 1,    UINT64_MAX - 7};
    static const uint32_t lengths[] = {HONEST_BYTES,   1,   16,        MOST_BYTES, 257,
                                       MOST_BYTES + 1, 128, UINT32_MAX};
    const struct descriptor descriptor = {places[step[3] % 8], lengths[step[4] % 8], step[5],
                                          step[6]};

    virtio_fuzz_describe(&driver, area + step[2] % ENTRIES * sizeof(descriptor), negotiated & 1,
                         &descriptor);
}

static void do_step(const uint8_t *step)
{
    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case DESCRIBE:
        describe(0, step);
        break;
    case DESCRIBE_TABLE:
        describe(TABLE, step);
        break;
    case OFFER:
        virtio_fuzz_offer(&driver, 0, step[2] % (ENTRIES + 1), step[3] > 250 ? step[3] : 0);
        break;
    case SERVE:
        virtio_fuzz_serve(&driver);
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
        break;
    case REGISTER:
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

static void check_honest(void)
{
    const struct descriptor room = {BASE + DATA, HONEST_BYTES, DESCRIPTOR_WRITE, 0};
    struct used_element used;

    start(0);
    virtio_fuzz_put(&driver, 0, 0, &room);
    virtio_fuzz_offer(&driver, 0, 0, 0);
    virtio_fuzz_serve(&driver);
    memcpy(&used, driver.bytes + DEVICE_AREA + USED_RING(0), sizeof(used));
    if (used.length != HONEST_BYTES)
        abort();
    for (size_t i = 0; i < PAGE_BYTES; i++)
        if (around[i] != BEYOND || driver.bytes[MEMORY_BYTES + i] != BEYOND)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!driver.device)
        make_world();
    if (size > 0)
        start(data[0]);
    virtio_fuzz_steps(data, size, do_step);
    virtio_fuzz_serve(&driver);
    check_honest();
    return 0;
}
