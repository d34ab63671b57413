// SPDX-License-Identifier: Apache-2.0
/* What a balloon and its drivers say to each other (Virtual I/O Device 1.2, 5.5). Numbers are
 * little endian. */
#ifndef DEVICES_VIRTIO_BALLOON_H
#define DEVICES_VIRTIO_BALLOON_H

#include <stdint.h>

/* 5.5.2. Which of them there are depends on features; drivers count those alone. */
enum {
    VIRTIO_BALLOON_INFLATE,
    VIRTIO_BALLOON_DEFLATE,
    VIRTIO_BALLOON_STATS, /* with STATS_VQ */
    VIRTIO_BALLOON_QUEUES = 5,
};

/* 5.5.3, feature bits */
enum virtio_balloon_feature {
    VIRTIO_BALLOON_F_STATS_VQ = 1,
    VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 2,
    VIRTIO_BALLOON_F_PAGE_REPORTING = 5,
};

/* 5.5.4, in pages of 4 KiB whatever the guest's are */
struct virtio_balloon_config {
    uint32_t target_pages;
    uint32_t actual_pages; /* the driver writes it */
};
enum { VIRTIO_BALLOON_PAGE_BYTES = 4096 };

/* 5.5.6.4 */
struct virtio_balloon_stat {
    uint16_t tag;
    uint64_t value;
} __attribute__((packed));

enum virtio_balloon_tag {
    VIRTIO_BALLOON_S_SWAP_IN,
    VIRTIO_BALLOON_S_SWAP_OUT,
    VIRTIO_BALLOON_S_MAJFLT,
    VIRTIO_BALLOON_S_MINFLT,
    VIRTIO_BALLOON_S_MEMFREE,
    VIRTIO_BALLOON_S_MEMTOT,
    VIRTIO_BALLOON_S_AVAIL,
    VIRTIO_BALLOON_S_CACHES,
    VIRTIO_BALLOON_S_TAGS,
};

#endif
