// SPDX-License-Identifier: Apache-2.0
/*
 * Back ends that serve a virtio device's queues in its stead: the host's kernel (vhost:
 * <linux/vhost.h>). They get guest memory, and of each queue where it is, an eventfd that is
 * signalled when the driver has something for it (kick), one for the opposite (call), and one for a
 * queue that makes no sense (error).
 *
 * Where a queue is was judged by virtqueue_init(): nothing goes to a back end that isn't RAM. What
 * is in it the back end judges, as virtqueue.c does.
 *
 * Failures are ERROR_HOST and name the call and the back end. One thread at a time.
 */
#ifndef DEVICES_VHOST_H
#define DEVICES_VHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/guest_memory.h"
#include "virtqueue.h"

enum { VHOST_NO_FILE = -1 };

#define VHOST_NET_PATH   "/dev/vhost-net"
#define VHOST_VSOCK_PATH "/dev/vhost-vsock"

struct vhost {
    const char *name; /* for people; constant */
    int fd;
    uint64_t features; /* that the back end can have */
};

struct vhost_ring {
    uint32_t index; /* the back end's number for it */
    const struct virtqueue *queue;
    int kick, call, error; /* eventfds, which the back end keeps using */
};

/*
 * Opens a device of the kernel's, makes this process its owner, and asks for its features. `path`
 * is constant. The device is for this process alone, and stops when it is closed.
 */
bool vhost_open(struct vhost *vhost, const char *path, struct error *error) WARN_UNUSED;
/* Allowed if it was closed or never opened, but for zeroed memory: see VHOST_CLOSED. */
void vhost_close(struct vhost *vhost);

#define VHOST_CLOSED ((struct vhost){.fd = VHOST_NO_FILE})

/* `memory` outlives the open back end. Before the first ring is started. */
bool vhost_set_memory(const struct vhost *vhost, const struct guest_memory *memory,
                      struct error *error) WARN_UNUSED;
/* What was negotiated, as far as the back end can have it. While no ring runs. */
bool vhost_set_features(const struct vhost *vhost, uint64_t features,
                        struct error *error) WARN_UNUSED;

/*
 * Hands a ring over, from its beginning on; it isn't served before the functions below say so.
 * Taking it back: once it isn't served any more the back end doesn't touch it.
 */
bool vhost_give_ring(const struct vhost *vhost, const struct vhost_ring *ring,
                     struct error *error) WARN_UNUSED;
bool vhost_take_ring(const struct vhost *vhost, uint32_t index, struct error *error) WARN_UNUSED;

/* vhost-net: from now on the ring is served, with frames of this TAP; VHOST_NO_FILE: no more. */
bool vhost_net_set_tap(const struct vhost *vhost, uint32_t index, int tap_fd,
                       struct error *error) WARN_UNUSED;

/* vhost-vsock: who the guest is, once; and whether its rings, 0 and 1, are served. */
bool vhost_vsock_set_cid(const struct vhost *vhost, uint64_t cid, struct error *error) WARN_UNUSED;
bool vhost_vsock_set_running(const struct vhost *vhost, bool on, struct error *error) WARN_UNUSED;

#endif
