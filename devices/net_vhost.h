// SPDX-License-Identifier: Apache-2.0
/*
 * A TAP whose frames the host's kernel moves (/dev/vhost-net): the receive and send queues are its,
 * the control queue stays the worker's. One device of the kernel's is one pair of queues.
 *
 * Owned by the network device; all with `work` held but for init and finish.
 */
#ifndef DEVICES_NET_VHOST_H
#define DEVICES_NET_VHOST_H

#include "net_link.h"
#include "virtio_vhost.h"

struct net_vhost {
    struct virtio_vhost events;
    const struct net_link *link;
    struct vhost pairs[NET_MOST_PAIRS];
    bool given[VIRTIO_MOST_QUEUES];
};

/*
 * Between virtio_init() and virtio_start(). Takes from `virtio->offered` what the kernel can't
 * have. Fails if the kernel has no vhost-net, or not for this user: all is as before then.
 */
bool net_vhost_init(struct net_vhost *self, struct virtio *virtio, const struct net_link *link,
                    struct error *error) WARN_UNUSED;
/* Before the link is closed. */
void net_vhost_finish(struct net_vhost *self);

void net_vhost_start(struct net_vhost *self);
void net_vhost_stop(struct net_vhost *self, uint32_t queue);

#endif
