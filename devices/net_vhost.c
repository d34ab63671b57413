// SPDX-License-Identifier: Apache-2.0
#include "net_vhost.h"

#include "virtio_net.h"

/* What the kernel does, besides the TAP. */
static const uint64_t KERNEL_FEATURES =
    VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
    VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) |
    VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);

static uint32_t kernel_queues(const struct net_vhost *self)
{
    return 2 * self->link->pairs;
}

static void close_pairs(struct net_vhost *self)
{
    for (uint32_t i = 0; i < self->link->pairs; i++)
        vhost_close(&self->pairs[i]);
}

bool net_vhost_init(struct net_vhost *self, struct virtio *virtio, const struct net_link *link,
                    struct error *error)
{
    *self = (struct net_vhost){.link = link};
    for (uint32_t i = 0; i < link->pairs; i++)
        self->pairs[i] = VHOST_CLOSED;
    for (uint32_t i = 0; i < link->pairs; i++)
        if (!vhost_open(&self->pairs[i], VHOST_NET_PATH, error) ||
            !vhost_set_memory(&self->pairs[i], virtio->memory, error)) {
            close_pairs(self);
            return false;
        }
    if (!virtio_vhost_init(&self->events, virtio, kernel_queues(self), error)) {
        net_vhost_finish(self);
        return false;
    }
    virtio->offered &= self->pairs[0].features | ~KERNEL_FEATURES;
    return true;
}

void net_vhost_finish(struct net_vhost *self)
{
    close_pairs(self);
    virtio_vhost_finish(&self->events);
}

static bool give(struct net_vhost *self, uint32_t queue, struct error *error)
{
    const struct vhost *pair = &self->pairs[queue / 2];
    uint32_t index = queue % 2;

    self->given[queue] = true;
    return virtio_vhost_give(&self->events, pair, queue, index, error) &&
           vhost_net_set_tap(pair, index, self->link->fds[queue / 2], error);
}

static bool give_all(struct net_vhost *self, uint32_t queues, struct error *error)
{
    const struct virtio *virtio = self->events.virtio;

    for (uint32_t i = 0; i < queues; i++) {
        if (i % 2 == 0 &&
            !vhost_set_features(&self->pairs[i / 2], virtio->features & KERNEL_FEATURES, error))
            return false;
        if (virtio->active[i] && !give(self, i, error))
            return false;
    }
    return true;
}

/* Without MQ there is one pair, and the queue behind it is the worker's: it controls. */
void net_vhost_start(struct net_vhost *self)
{
    const struct virtio *virtio = self->events.virtio;
    uint32_t queues = virtio_has(virtio, VIRTIO_NET_F_MQ) ? kernel_queues(self) : 2;
    struct error error;

    virtio_vhost_begin(&self->events);
    if (!virtio_vhost_keep(&self->events, queues < kernel_queues(self) ? 1U << queues : 0,
                           &error) ||
        !give_all(self, queues, &error))
        virtio_vhost_failed(&self->events, &error);
}

void net_vhost_stop(struct net_vhost *self, uint32_t queue)
{
    const struct vhost *pair = &self->pairs[queue / 2];
    struct error error;

    if (!self->given[queue])
        return;
    self->given[queue] = false;
    if (!vhost_net_set_tap(pair, queue % 2, VHOST_NO_FILE, &error) ||
        !vhost_take_ring(pair, queue % 2, &error))
        virtio_vhost_complain(&self->events, &error);
}
