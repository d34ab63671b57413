// SPDX-License-Identifier: Apache-2.0
/* What the block device's files share: the device (virtio_blk.c), and one request of the driver's
 * (virtio_blk_request.c). All of it is used with `work` held. */
#ifndef DEVICES_VIRTIO_BLK_INTERNAL_H
#define DEVICES_VIRTIO_BLK_INTERNAL_H

#include "armlet/counters.h"
#include "armlet/event_loop.h"
#include "armlet/log.h"
#include "disk_engine.h"
#include "rate_limit.h"
#include "virtio.h"
#include "virtio_blk.h"

_Static_assert((int)DISK_MOST_SEGMENTS >= (int)VIRTQUEUE_MOST_ENTRIES, "a chain fits");

enum {
    BLK_REQUESTS = 128, /* under way at once, of all queues together */
    BLK_MOST_QUEUES = 16,
};

/* Indices of a disk's counters. */
enum blk_counter {
    BLK_READS,
    BLK_READ_BYTES,
    BLK_WRITES,
    BLK_WRITTEN_BYTES,
    BLK_FLUSHES,
    BLK_DISCARDS,
    BLK_ZEROES,
    BLK_FAILURES, /* answered with an error, whoever's it was */
    BLK_LIMITED,  /* how often the rate limit made it wait */
    BLK_QUEUES,   /* requests of the first queue, then of each; of one alone they aren't told */
    BLK_COUNTERS = BLK_QUEUES + BLK_MOST_QUEUES,
};

struct blk_request {
    struct disk_io io;
    uint32_t queue;
    uint32_t written_bytes; /* of data; what the driver is told if all goes well */
    uint32_t ranges_done;
    struct virtio_blk_header header;
    struct blk_request *next; /* in one of the lists of struct blk */
    struct virtqueue_chain chain;
    struct iovec data[VIRTQUEUE_MOST_ENTRIES];
};

struct blk {
    struct virtio virtio;
    struct disk_image image;
    struct disk_engine *engine;
    struct virtio_blk_config config;
    uint8_t serial[VIRTIO_BLK_ID_BYTES];
    struct log_limit failures;
    struct device_counter counters[BLK_COUNTERS];

    struct rate_limit limit;
    struct event_timer limit_timer; /* rings the doorbell when more may be done */
    bool has_timer;

    struct blk_request *requests; /* BLK_REQUESTS, all there are */
    struct blk_request *unused;
    bool returned[BLK_MOST_QUEUES]; /* since the driver was last signalled */

    /* A flush is for all that asked before it began. Others wait for the next: one at a time. */
    struct disk_io flush;
    struct blk_request *flushing, *flush_waiting;
    bool lost; /* one failed: what was acknowledged may be gone, and none succeeds again */
};

/* Of a request whose chain is there: starts it, or finishes it at once. */
void blk_request_start(struct blk *blk, struct blk_request *request);

/* Goes on with what waited for this. */
void blk_io_done(struct blk *blk, struct disk_io *io);

/* How many bytes of data it moves, for the rate limit. Once it was started. */
uint32_t blk_request_bytes(const struct blk_request *request);

#endif
