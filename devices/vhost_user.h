// SPDX-License-Identifier: Apache-2.0
/*
 * A back end that is another process, which is told by messages on a Unix socket what the kernel's
 * are told by calls (vhost.h; the vhost-user protocol, as QEMU's documents have it). It maps guest
 * memory by a file that it is handed.
 *
 * Failures are ERROR_HOST; a back end that doesn't answer within VHOST_USER_PATIENCE_S has failed.
 * One thread at a time.
 */
#ifndef DEVICES_VHOST_USER_H
#define DEVICES_VHOST_USER_H

#include "vhost.h"

enum { VHOST_USER_PATIENCE_S = 20 };

struct vhost_user {
    int fd;              /* a connected stream socket, which stays the caller's */
    uint64_t features;   /* that the back end can have */
    uint64_t extensions; /* of the protocol, as agreed upon */
};

/* Says hello, and asks for the features. */
bool vhost_user_init(struct vhost_user *self, int fd, struct error *error) WARN_UNUSED;

/* What was negotiated, as far as the back end can have it. While no ring runs. */
bool vhost_user_set_features(struct vhost_user *self, uint64_t features,
                             struct error *error) WARN_UNUSED;
/* `memory_fd` is mapped at memory->host, from its beginning on. */
bool vhost_user_set_memory(struct vhost_user *self, const struct guest_memory *memory,
                           int memory_fd, struct error *error) WARN_UNUSED;

/* Hands a ring over, which is served from now on; and takes it back, finished. */
bool vhost_user_give_ring(struct vhost_user *self, const struct vhost_ring *ring,
                          struct error *error) WARN_UNUSED;
bool vhost_user_take_ring(struct vhost_user *self, uint32_t index, struct error *error) WARN_UNUSED;

#endif
