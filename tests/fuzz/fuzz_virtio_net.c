// SPDX-License-Identifier: Apache-2.0
/*
 * A network device on a socket, its transport and its virtqueues, and a driver that the input is: a
 * byte for what is negotiated, then eight bytes a step. Steps write rings, descriptors and tables
 * of mostly plausible values into guest memory, have frames come from the host, write registers,
 * and have the device work. The device is served on this thread, so that an input always does the
 * same. In the end an honest driver is served.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/builtin.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_net.h"
#include "tests/fuzz/virtio_fuzz.h"
#include "tests/unit/fake_event_loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    RECEIVE,
    SEND,
    QUEUES,
    ENTRIES = 8,
    TABLE = 0x800,
    DATA = 0x1000,
    MEMORY_BYTES = 0x8000,
    PAGE_BYTES = 4096,
    FRAME_BYTES = 9000,
    HONEST_BYTES = 60,
};

enum step_kind {
    DESCRIBE,
    DESCRIBE_TABLE,
    ARRIVE,
    OFFER,
    SERVE,
    POKE,
    REGISTER,
    SETTLE,
    RESTART,
    STEP_KINDS
};

static struct {
    int host;
    struct event_loop loop;
    uint8_t negotiated;
} world;

static struct virtio_fuzz driver = {.queue_count = QUEUES, .entries = ENTRIES};

static void make_world(void)
{
    char fd[16];
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    world.host = ends[1];
    (void)snprintf(fd, sizeof(fd), "%d", ends[0]);
    const struct property properties[] = {{"fd", fd}};

    virtio_fuzz_create(
        &driver, &virtio_net_class,
        (struct device_resources){.loop = &world.loop, .properties = {properties, 1}},
        aligned_alloc(PAGE_BYTES, MEMORY_BYTES), MEMORY_BYTES);
}

static void start(uint8_t negotiated)
{
    uint64_t features = 0;

    features |= negotiated & 1 ? VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) : 0;
    features |= negotiated & 2 ? VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) : 0;
    features |= negotiated & 4 ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0;
    features |= negotiated & 8 ? VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) : 0;
    world.negotiated = negotiated;
    virtio_fuzz_start(&driver, features, DATA);
}

static void arrive(size_t bytes)
{
    static const uint8_t frame[FRAME_BYTES] = {2, 2, 2, 2, 2, 2};

    (void)send(world.host, frame, bytes, MSG_DONTWAIT);
}

static void drain(void)
{
    uint8_t frame[FRAME_BYTES];

    while (recv(world.host, frame, sizeof(frame), MSG_DONTWAIT) > 0)
        ;
}

/* ---- the driver ---- */

static uint64_t address_of(uint8_t choice)
{
    static const uint64_t places[] = {BASE + DATA,
                                      BASE + DATA + 1,
                                      BASE + 2 * DATA,
                                      BASE + MEMORY_BYTES - 1,
                                      BASE + TABLE,
                                      BASE,
                                      BASE + MEMORY_BYTES - 2048,
                                      UINT64_MAX - 7};

    return places[choice % 8] + (choice >> 3) % 4 * 16;
}

static uint32_t length_of(uint8_t choice)
{
    static const uint32_t lengths[] = {2048, 12, 1, 26, 1514, 128, 32, UINT32_MAX};

    return lengths[choice % 8];
}

static void describe(uint64_t at, const uint8_t *step)
{
    const struct descriptor descriptor = {address_of(step[3]), length_of(step[4]), step[5],
                                          step[6]};

    virtio_fuzz_describe(&driver, at, world.negotiated & 1, &descriptor);
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
    case ARRIVE:
        arrive((step[1] | (size_t)step[2] << 8) % FRAME_BYTES);
        break;
    case OFFER:
        virtio_fuzz_offer(&driver, queue, step[2] % (ENTRIES + 1), step[3] > 250 ? step[3] : 0);
        break;
    case SERVE:
        virtio_fuzz_serve(&driver);
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
        break;
    case REGISTER: /* the doorbell would have the other thread work beside this one */
        if (step[1] * 4U % VIRTIO_MMIO_BYTES != VIRTIO_MMIO_QUEUE_NOTIFY)
            virtio_fuzz_set(&driver, step[1] * 4U % VIRTIO_MMIO_BYTES,
                            step[2] | (uint32_t)step[3] << 24);
        break;
    case SETTLE:
        virtio_fuzz_settle(&driver);
        break;
    case RESTART:
        start(step[1]);
        break;
    case STEP_KINDS:
        break;
    }
}

static uint16_t used(uint32_t queue)
{
    uint16_t index;

    memcpy(&index, driver.bytes + queue * QUEUE_BYTES + DEVICE_AREA + USED_INDEX, sizeof(index));
    return index;
}

/* A frame still comes in, and one goes out. */
static void check_honest(void)
{
    const struct descriptor in = {BASE + DATA, 2048, DESCRIPTOR_WRITE, 0};
    const struct descriptor out = {BASE + 2 * DATA, VIRTIO_NET_HEADER_BYTES + HONEST_BYTES, 0, 0};
    uint8_t frame[FRAME_BYTES];

    virtio_fuzz_serve(&driver);
    start(0);
    virtio_fuzz_serve(&driver);
    drain();
    memcpy(driver.bytes, &in, sizeof(in));
    memcpy(driver.bytes + QUEUE_BYTES, &out, sizeof(out));
    virtio_fuzz_offer(&driver, SEND, 0, 0);
    virtio_fuzz_serve(&driver);
    if (recv(world.host, frame, sizeof(frame), MSG_DONTWAIT) != HONEST_BYTES)
        abort();
    virtio_fuzz_offer(&driver, RECEIVE, 0, 0);
    virtio_fuzz_serve(
        &driver); /* what came before: too long, and dropped, or the one that is expected */
    arrive(HONEST_BYTES);
    virtio_fuzz_serve(&driver);
    if (used(RECEIVE) != 1)
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
    virtio_fuzz_serve(&driver);
    drain();
    check_honest();
    return 0;
}
