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

#include "armlet/device.h"
#include "devices/builtin.h"
#include "devices/virtio.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_net.h"
#include "devices/virtqueue_layout.h"
#include "tests/unit/fake_event_loop.h"
#include "tests/unit/fake_irq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    RECEIVE,
    SEND,
    QUEUES,
    ENTRIES = 8,
    STEP_BYTES = 8,
    QUEUE_BYTES = 0x400,
    DRIVER_AREA = 0x100, /* from the start of a queue's bytes */
    DEVICE_AREA = 0x200,
    TABLE = 0x800,
    DATA = 0x1000,
    MEMORY_BYTES = 0x8000,
    PAGE_BYTES = 4096,
    FRAME_BYTES = 9000,
    HONEST_BYTES = 60,
};
#define BASE UINT64_C(0x40000000)

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
    struct fake_irq irq;
    struct event_loop loop;
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
    char fd[16];
    int ends[2];
    struct error error = {0};

    world.bytes = aligned_alloc(PAGE_BYTES, MEMORY_BYTES);
    if (!world.bytes || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    world.host = ends[1];
    (void)snprintf(fd, sizeof(fd), "%d", ends[0]);
    world.memory = (struct guest_memory){GPA(BASE), MEMORY_BYTES, world.bytes};
    world.log.fd = -1;
    fake_irq_init(&world.irq);
    const struct property properties[] = {{"fd", fd}};
    const struct device_resources resources = {
        .irq = &world.irq.line,
        .memory = &world.memory,
        .loop = &world.loop,
        .log = &world.log,
        .properties = {properties, 1},
    };

    world.device = virtio_net_class.create(&resources, &error);
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
    features |= negotiated & 8 ? VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) : 0;
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

/* What the worker does when it is rung. */
static void serve(void)
{
    (void)pthread_mutex_lock(&virtio()->work);
    virtio()->model->serve(virtio());
    (void)pthread_mutex_unlock(&virtio()->work);
}

static void settle(void)
{
    (void)pthread_mutex_lock(&virtio()->work);
    virtio()->model->settle(virtio());
    (void)pthread_mutex_unlock(&virtio()->work);
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
    case ARRIVE:
        arrive((step[1] | (size_t)step[2] << 8) % FRAME_BYTES);
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
    case SETTLE:
        settle();
        break;
    case RESTART:
        world.negotiated = step[1];
        start(world.negotiated);
        break;
    case STEP_KINDS:
        break;
    }
}

static uint16_t used(uint32_t queue)
{
    uint16_t index;

    memcpy(&index, world.bytes + queue * QUEUE_BYTES + DEVICE_AREA + USED_INDEX, sizeof(index));
    return index;
}

/* A frame still comes in, and one goes out. */
static void check_honest(void)
{
    const struct descriptor in = {BASE + DATA, 2048, DESCRIPTOR_WRITE, 0};
    const struct descriptor out = {BASE + 2 * DATA, VIRTIO_NET_HEADER_BYTES + HONEST_BYTES, 0, 0};
    uint8_t frame[FRAME_BYTES];

    world.negotiated = 0;
    serve();
    start(world.negotiated);
    serve();
    drain();
    memcpy(world.bytes, &in, sizeof(in));
    memcpy(world.bytes + QUEUE_BYTES, &out, sizeof(out));
    offer(SEND, 0, 0);
    serve();
    if (recv(world.host, frame, sizeof(frame), MSG_DONTWAIT) != HONEST_BYTES)
        abort();
    offer(RECEIVE, 0, 0);
    serve(); /* what came before: too long, and dropped, or the one that is expected */
    arrive(HONEST_BYTES);
    serve();
    if (used(RECEIVE) != 1)
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
    drain();
    check_honest();
    return 0;
}
