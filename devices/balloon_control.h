// SPDX-License-Identifier: Apache-2.0
/*
 * How a balloon's target is changed: a Unix socket of the host's. Who connects sends a line with a
 * size, as "256M", or an empty one, and gets a line of JSON with the target and what the guest has
 * given away so far. One client after the other. I/O thread.
 */
#ifndef DEVICES_BALLOON_CONTROL_H
#define DEVICES_BALLOON_CONTROL_H

#include "armlet/device.h"

struct balloon_control;

struct balloon_state {
    uint64_t target_bytes, actual_bytes;
};

struct balloon_control_config {
    struct event_loop *loop;
    const struct host_socket *socket;
    uint64_t most_bytes; /* of a target; less than that */
    void (*set)(void *context, uint64_t target_bytes);
    struct balloon_state (*get)(void *context);
    void *context;
};

struct balloon_control *balloon_control_create(const struct balloon_control_config *config,
                                               struct error *error) WARN_UNUSED;
void balloon_control_destroy(struct balloon_control *control); /* NULL is allowed */

#endif
