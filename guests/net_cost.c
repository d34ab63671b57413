// SPDX-License-Identifier: Apache-2.0
/*
 * What frames of a virtio network cost, with as little of its own as can be; the driver is
 * virtio_driver.h's. The other end drops what has one EtherType and sends back what has another, as
 * `net_peer reflect` does. Prints "net_cost KIND NS", nanoseconds a frame: sent, there and back,
 * and what of it is the guest's own.
 */
#include "../devices/virtio_net.h"
#include "virtio_driver.h"

const char guest_name[] = "net_cost";

enum {
    ID_NET = 1,
    RECEIVE = 0, /* queues */
    SEND = 1,
    QUEUES = 2,
    BUFFER_BYTES = 2048,
    FRAME_BYTES = 1514,
    PACKET_BYTES = VIRTIO_NET_HEADER_BYTES + FRAME_BYTES,
    MOST_DEPTH = 16,
    WARM_UP = 100,
    OPERATIONS = 3200,

    MAC_BYTES = VIRTIO_NET_MAC_BYTES,
    TYPE_AT = VIRTIO_NET_HEADER_BYTES + 2 * MAC_BYTES,
    TYPE_HIGH = 0x88, /* of local experiments (IEEE 802) */
    TYPE_REFLECTED = 0xb5,
    TYPE_DROPPED = 0xb6,
};
#define NS_PER_SECOND 1000000000UL

static struct driver_queue device_queues[QUEUES];
static struct driver_queue idle_queues[QUEUES]; /* nobody's but the guest's */
static struct driver_queue *queues;
static volatile uint8_t *sent, *received; /* DRIVER_ENTRIES buffers each */

/* So many frames are made available at once. */
struct load {
    const char *name;
    uint32_t depth;
    bool comes_back, stays_here;
};
static const struct load loads[] = {
    {"guest", 1, true, true},
    {"send", 1, false, false},
    {"echo", 1, true, false},
    {"send-16", MOST_DEPTH, false, false},
    {"echo-16", MOST_DEPTH, true, false},
};

static volatile uint8_t *buffer(volatile uint8_t *buffers, uint32_t index)
{
    return buffers + (uint64_t)index * BUFFER_BYTES;
}

static void make_frames(const struct load *load)
{
    for (uint32_t i = 0; i < MOST_DEPTH; i++) {
        volatile uint8_t *packet = buffer(sent, i);

        for (uint32_t byte = 0; byte < MAC_BYTES; byte++)
            packet[VIRTIO_NET_HEADER_BYTES + byte] = UINT8_MAX; /* to all */
        packet[VIRTIO_NET_HEADER_BYTES + MAC_BYTES] = 2;        /* from an address of its own */
        packet[TYPE_AT] = TYPE_HIGH;
        packet[TYPE_AT + 1] = load->comes_back ? TYPE_REFLECTED : TYPE_DROPPED;
        queues[SEND].descriptors[i] = (struct descriptor){(uint64_t)packet, PACKET_BYTES, 0, 0};
    }
    *(volatile uint16_t *)(queues[SEND].available + AVAILABLE_FLAGS) =
        load->comes_back ? AVAILABLE_NO_INTERRUPT : 0;
}

/* All buffers of the receive queue are the device's. */
static void lend_buffers(void)
{
    queues = device_queues;
    for (uint32_t i = 0; i < DRIVER_ENTRIES; i++) {
        queues[RECEIVE].descriptors[i] =
            (struct descriptor){(uint64_t)buffer(received, i), BUFFER_BYTES, DESCRIPTOR_WRITE, 0};
        driver_offer(&queues[RECEIVE], (uint16_t)i);
    }
    driver_publish(&queues[RECEIVE]);
    driver_notify(&queues[RECEIVE]);
}

/* Whether what came is the reflected frame. Its buffer is lent again. */
static bool take_frame(uint16_t position)
{
    uint32_t slot = position % DRIVER_ENTRIES;
    uint32_t id = *(volatile uint32_t *)(queues[RECEIVE].used + USED_RING(slot)) % DRIVER_ENTRIES;

    driver_offer(&queues[RECEIVE], (uint16_t)id);
    return buffer(received, id)[TYPE_AT + 1] == TYPE_REFLECTED;
}

static void notify_if_wanted(const struct driver_queue *queue)
{
    if (!(*(volatile uint16_t *)(queue->used + USED_FLAGS) & USED_NO_NOTIFY))
        driver_notify(queue);
}

static void offer_frames(const struct load *load)
{
    for (uint32_t i = 0; i < load->depth; i++)
        driver_offer(&queues[SEND], (uint16_t)i);
    driver_publish(&queues[SEND]);
    notify_if_wanted(&queues[SEND]);
}

/* What the device would have done, for a ring that isn't the device's. */
static void pretend(const struct load *load)
{
    buffer(received, 0)[TYPE_AT + 1] = TYPE_REFLECTED;
    *(volatile uint16_t *)(queues[RECEIVE].used + USED_INDEX) =
        (uint16_t)(driver_used_index(&queues[RECEIVE]) + load->depth);
}

static void do_round(const struct load *load)
{
    uint16_t position = driver_used_index(&queues[RECEIVE]);

    offer_frames(load);
    if (load->stays_here)
        pretend(load);
    if (!load->comes_back) {
        driver_wait(&queues[SEND], (uint16_t)(queues[SEND].offered - load->depth), load->depth);
        return;
    }
    for (uint32_t left = load->depth; left > 0;) {
        driver_wait(&queues[RECEIVE], position, left);
        for (uint32_t i = left; i > 0; i--)
            left -= take_frame(position++);
    }
    driver_publish(&queues[RECEIVE]);
    notify_if_wanted(&queues[RECEIVE]);
}

static void measure(const struct load *load)
{
    uint64_t rounds = bootargs_number("operations", OPERATIONS) / load->depth;

    queues = load->stays_here ? idle_queues : device_queues;
    make_frames(load);
    for (uint32_t i = 0; i < WARM_UP; i++)
        do_round(load);
    uint64_t began = ticks_now();

    for (uint64_t i = 0; i < rounds; i++)
        do_round(load);
    uint64_t ticks = ticks_now() - began;

    print("net_cost %s %lu\n", load->name,
          ticks * (NS_PER_SECOND / ticks_per_second()) / (rounds * load->depth));
}

static void make_idle_queues(void)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        driver_init_queue(&idle_queues[i], i);
        *(volatile uint16_t *)(idle_queues[i].used + USED_FLAGS) = USED_NO_NOTIFY;
    }
}

void guest_main(void)
{
    CHECK(driver_find(ID_NET));
    if (failed_checks())
        return;
    sent = (volatile uint8_t *)memory_take((uint64_t)MOST_DEPTH * BUFFER_BYTES, BUFFER_BYTES);
    received =
        (volatile uint8_t *)memory_take((uint64_t)DRIVER_ENTRIES * BUFFER_BYTES, BUFFER_BYTES);
    make_idle_queues();
    driver_start(VIRTIO_FEATURE_VERSION_1 | 1UL << VIRTIO_NET_F_MRG_RXBUF, device_queues, QUEUES);
    lend_buffers();
    for (uint32_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        measure(&loads[i]);
}
