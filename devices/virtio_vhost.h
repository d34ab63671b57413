// SPDX-License-Identifier: Apache-2.0
/*
 * What models whose queues a back end serves have in common: the events between it and the
 * transport.
 *
 * A doorbell goes to the back end without anybody of armlet waking up; what the back end has for
 * the driver wakes the device's worker, which interrupts. Such a model has start() and stop(),
 * serve() that is virtio_vhost_serve() and what else it does, and none of handle() and settle().
 */
#ifndef DEVICES_VIRTIO_VHOST_H
#define DEVICES_VIRTIO_VHOST_H

#include "vhost.h"
#include "virtio.h"

struct virtio_vhost {
    struct virtio *virtio;
    int call, error; /* eventfds, of all its queues */
    int epoll;       /* what the worker watches: both */
    int kept;        /* the doorbell of a queue that the worker serves after all, or no file */
};

/* The first `queues` of the device's are a back end's. Between virtio_init() and virtio_start(). */
bool virtio_vhost_init(struct virtio_vhost *self, struct virtio *virtio, uint32_t queues,
                       struct error *error) WARN_UNUSED;
/* After the back ends were closed. Allowed on zeroed memory, and after a failure. */
void virtio_vhost_finish(struct virtio_vhost *self);

/* In start(): hands an active queue over, as the back end's ring `index`. */
bool virtio_vhost_give(const struct virtio_vhost *self, const struct vhost *vhost, uint32_t queue,
                       uint32_t index, struct error *error) WARN_UNUSED;

/*
 * In start(), before queues are given: the worker serves this queue, which has a doorbell of its
 * own, for it might have been a back end's; VIRTIO_VHOST_NONE: no more. False: the host failed.
 */
enum { VIRTIO_VHOST_NONE = VIRTIO_MOST_QUEUES };
bool virtio_vhost_keep(struct virtio_vhost *self, uint32_t queue, struct error *error) WARN_UNUSED;

/* On the worker: interrupts, if a back end called, and looks whether it found a queue broken. */
void virtio_vhost_serve(struct virtio_vhost *self);

/* In stop(): the host failed, which the log says; nothing else can be done. */
void virtio_vhost_complain(const struct virtio_vhost *self, const struct error *error);

/* Says that the host failed, and asks the driver for a reset. In start() and serve(). */
void virtio_vhost_failed(struct virtio_vhost *self, const struct error *error);

#endif
