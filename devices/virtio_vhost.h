// SPDX-License-Identifier: Apache-2.0
/*
 * What models whose queues a back end serves have in common: the events between it and the
 * transport.
 *
 * A doorbell goes to the back end without anybody of armlet waking up, and what it has for the
 * driver to the guest's interrupt line; where that takes no events (irq_line_event_fd()), it wakes
 * the device's worker, which interrupts. Such a model has start() and stop(),
 * serve() that is virtio_vhost_serve() and what else it does, and none of handle() and settle().
 */
#ifndef DEVICES_VIRTIO_VHOST_H
#define DEVICES_VIRTIO_VHOST_H

#include "vhost.h"
#include "virtio.h"

struct virtio_vhost {
    struct virtio *virtio;
    int call, error; /* eventfds, of all its queues */
    int direct;      /* the line's, which back ends are told of instead of call; or IRQ_NO_EVENT */
    int epoll;       /* what the worker watches: both */
    uint32_t kept;   /* queues that the worker serves after all, a bit each */
};

/* The first `queues` of the device's are a back end's. Between virtio_init() and virtio_start(). */
bool virtio_vhost_init(struct virtio_vhost *self, struct virtio *virtio, uint32_t queues,
                       struct error *error) WARN_UNUSED;
/* After the back ends were closed. Allowed on zeroed memory, and after a failure. */
void virtio_vhost_finish(struct virtio_vhost *self);

/* In start(), first of all. */
void virtio_vhost_begin(struct virtio_vhost *self);

/* What a back end is told of an active queue, which is its ring `index`. */
struct vhost_ring virtio_vhost_ring(const struct virtio_vhost *self, uint32_t queue,
                                    uint32_t index);
/* In start(): hands it over to one of the kernel's. */
bool virtio_vhost_give(const struct virtio_vhost *self, const struct vhost *vhost, uint32_t queue,
                       uint32_t index, struct error *error) WARN_UNUSED;

/*
 * The worker serves these queues, a bit each, which have doorbells of their own, for they might be
 * a back end's: in start() before queues are given, or when the back end is gone. 0: none any more.
 * False: the host failed.
 */
bool virtio_vhost_keep(struct virtio_vhost *self, uint32_t queues, struct error *error) WARN_UNUSED;

/* The worker wakes up for this file, too, while it is readable. */
bool virtio_vhost_watch(const struct virtio_vhost *self, int fd, struct error *error) WARN_UNUSED;
void virtio_vhost_unwatch(const struct virtio_vhost *self, int fd);

/* On the worker: interrupts, if a back end called, and looks whether it found a queue broken. */
void virtio_vhost_serve(struct virtio_vhost *self);

/* In stop(): the host failed, which the log says; nothing else can be done. */
void virtio_vhost_complain(const struct virtio_vhost *self, const struct error *error);

/* Tells the driver that its buffers were used. */
void virtio_vhost_interrupt(const struct virtio_vhost *self);

/* Says that the host failed, and asks the driver for a reset. In start() and serve(). */
void virtio_vhost_failed(struct virtio_vhost *self, const struct error *error);

#endif
