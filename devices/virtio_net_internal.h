// SPDX-License-Identifier: Apache-2.0
/* What the network device's files share: the device (virtio_net.c) and its queues
 * (virtio_net_queues.c). All of it is used with `work` held. */
#ifndef DEVICES_VIRTIO_NET_INTERNAL_H
#define DEVICES_VIRTIO_NET_INTERNAL_H

#include "armlet/counters.h"
#include "armlet/event_loop.h"
#include "armlet/log.h"
#include "net_link.h"
#include "net_vhost.h"
#include "rate_limit.h"
#include "virtio.h"
#include "virtio_net.h"

_Static_assert(2 * (int)NET_MOST_PAIRS + 1 <= (int)VIRTIO_MOST_QUEUES, "with a control queue");

enum {
    NET_BATCH = 64, /* frames of one queue before others have their turn */
    NET_LENT = 2 * VIRTQUEUE_MOST_ENTRIES,
    NET_SEGMENTS = 1024, /* IOV_MAX */
    NET_PACKET_BYTES = VIRTIO_NET_HEADER_BYTES + NET_FRAME_BYTES,
};

/* Indices of a network's counters. */
enum net_counter {
    NET_SENT, /* by the guest */
    NET_SENT_BYTES,
    NET_RECEIVED,
    NET_RECEIVED_BYTES,
    NET_SEND_DROPS,    /* frames that are none, or that the host didn't take */
    NET_RECEIVE_DROPS, /* frames that the guest had no room for */
    NET_LIMITED,       /* how often the rate limit made it wait */
    NET_LINK_LOSSES,
    NET_COUNTERS,
};

/* Chains of a receive queue that were taken ahead, so that frames are read right into them. */
struct net_receiver {
    struct virtqueue_used lent[NET_LENT];
    uint32_t capacity[NET_LENT]; /* bytes of each chain */
    uint16_t segments[NET_LENT]; /* of each chain */
    struct iovec iov[NET_SEGMENTS];
    size_t first, end;         /* in lent */
    size_t iov_first, iov_end; /* in iov: the segments of all chains lent */
    uint64_t bytes;            /* of all chains lent */
    uint64_t most;             /* ... there have been at once */
    bool notify;               /* the driver is to say when there are more */
    bool starved;              /* a frame may wait for a chain */
    bool limited;              /* ... or for the rate limit */
    bool dry;                  /* the file had no frame any more, in this turn */
};

struct net {
    struct virtio virtio;
    struct net_link_config link_config;
    struct net_link link;
    struct net_vhost vhost; /* if the kernel moves the frames */
    bool has_vhost;
    struct virtio_net_config config;
    struct device_counter counters[NET_COUNTERS];
    struct log_limit failures;

    struct rate_limit send_limit, receive_limit;
    struct event_timer limit_timer; /* rings the doorbell when more may be done */
    struct event_timer retry_timer; /* ... when passt may be started again */
    uint64_t limit_wait_ns;         /* of this turn */
    _Atomic bool retry;

    bool ready;            /* what the driver negotiated was carried out */
    bool merges, segments; /* MRG_RXBUF; frames may be longer than any MTU */
    uint32_t pairs_in_use;
    bool send_blocked; /* the stream has to be flushed first */

    int epoll;                        /* of more than one file, or for more than input */
    uint32_t watched[NET_MOST_PAIRS]; /* events, as registered in it */
    struct net_receiver receivers[NET_MOST_PAIRS];
    uint8_t packet[NET_PACKET_BYTES]; /* what a receiver's chains don't hold, or one to copy */

    /* Of a stream, the frames that go out together. */
    struct virtqueue_used sent[NET_BATCH];
    uint32_t lengths[NET_BATCH];
    struct iovec out[NET_SEGMENTS];
};

static inline struct net *net_of(struct virtio *virtio)
{
    return container_of(virtio, struct net, virtio);
}

static inline void net_count(struct net *net, enum net_counter counter, uint64_t amount)
{
    counter_add(&net->counters[counter].value, amount);
}

/* Whether anything was done of one pair's queues; the caller comes again then. */
bool net_send_some(struct net *net, uint32_t pair);
bool net_receive_some(struct net *net, uint32_t pair);
/* Makes chains that were lent available again, or forgets them. */
void net_unlend(struct net *net, uint32_t pair);
void net_forget_lent(struct net *net, uint32_t pair);

/* virtio_net.c: the cable is pulled. */
void net_link_lost(struct net *net);
/* Whether frames of a direction have to wait. */
bool net_is_limited(struct net *net, struct rate_limit *limit);

#endif
