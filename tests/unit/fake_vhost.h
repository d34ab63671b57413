// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's vhost devices, and TAPs for them, without a kernel: what was asked of them, and
 * which call of vhost's fails.
 *
 * Programs that link it wrap open() and ioctl(): files below /dev/vhost- and /dev/net/ are eventfds
 * of the fake's, and requests to either come to it. All others go on to the kernel.
 */
#ifndef TESTS_FAKE_VHOST_H
#define TESTS_FAKE_VHOST_H

#include <stdbool.h>
#include <stdint.h>

enum { FAKE_VHOST_RINGS = 4 };

struct fake_vhost_ring {
    uint32_t entries;
    const void *descriptors;
    int kick, call, error; /* as they were given; -1 */
    int tap;               /* vhost-net's back end; -1 */
};

/* Of all devices that are open. */
struct fake_vhost {
    int open_errno;        /* set by the test: 0 opens */
    unsigned fail;         /* the nth call from now on fails, from 1 on; 0: none */
    int fail_errno;        /* with this */
    unsigned calls;        /* so far */
    uint64_t features;     /* the device's; set by the test */
    uint64_t set_features; /* the driver's */
    uint64_t cid;
    bool running;
    unsigned opened, owned, memories, starts, stops, taken;
    unsigned offloads; /* of a TAP */
    unsigned attached; /* queues of TAPs, less those that were detached */
    uint64_t memory_bytes;
    struct fake_vhost_ring rings[FAKE_VHOST_RINGS];
};

extern struct fake_vhost fake_vhost;

void fake_vhost_init(void);

/* Signals an eventfd; and whether one was, which is taken. */
void fake_vhost_signal(int event_fd);
bool fake_vhost_was_signalled(int event_fd);

#endif
