// SPDX-License-Identifier: Apache-2.0
/* What a block device and its drivers say to each other (Virtual I/O Device 1.2, 5.2). Numbers are
 * little endian. */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include <stddef.h>
#include <stdint.h>

/* 5.2.3, feature bits */
enum virtio_blk_feature {
    VIRTIO_BLK_F_SEG_MAX = 2,
    VIRTIO_BLK_F_RO = 5,
    VIRTIO_BLK_F_BLK_SIZE = 6,
    VIRTIO_BLK_F_FLUSH = 9,
    VIRTIO_BLK_F_TOPOLOGY = 10,
    VIRTIO_BLK_F_MQ = 12,
    VIRTIO_BLK_F_DISCARD = 13,
    VIRTIO_BLK_F_WRITE_ZEROES = 14,
};

/* 5.2.4 */
struct virtio_blk_config {
    uint64_t capacity; /* in sectors of 512 bytes */
    uint32_t segment_bytes_max;
    uint32_t segment_count_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t block_bytes;
    uint8_t physical_block_exponent; /* log2 of the blocks in a physical one */
    uint8_t alignment_offset;
    uint16_t minimum_io_blocks;
    uint32_t optimal_io_blocks;
    uint8_t writeback;
    uint8_t unused0;
    uint16_t queue_count;
    uint32_t discard_sectors_max, discard_segments_max, discard_alignment_sectors;
    uint32_t zero_sectors_max, zero_segments_max;
    uint8_t zero_may_unmap;
    uint8_t unused1[3];
};
enum { VIRTIO_BLK_CONFIG_BYTES = 60 };
_Static_assert(offsetof(struct virtio_blk_config, unused1) + 3 == VIRTIO_BLK_CONFIG_BYTES, "");

/* 5.2.6 */
enum virtio_blk_type {
    VIRTIO_BLK_T_IN = 0,
    VIRTIO_BLK_T_OUT = 1,
    VIRTIO_BLK_T_FLUSH = 4,
    VIRTIO_BLK_T_GET_ID = 8,
    VIRTIO_BLK_T_DISCARD = 11,
    VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

enum virtio_blk_status { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };

struct virtio_blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

/* Of a discard or write-zeroes request. */
struct virtio_blk_range {
    uint64_t sector;
    uint32_t sector_count;
    uint32_t flags;
};

enum {
    VIRTIO_BLK_STATUS_BYTES = 1,
    VIRTIO_BLK_ID_BYTES = 20,
    VIRTIO_BLK_RANGE_UNMAP = 1U << 0,
    /* What ours takes: 64 MiB at a time, so that none takes long where zeros must be written. */
    VIRTIO_BLK_MOST_RANGE_SECTORS = 64 << 20 >> 9,
    VIRTIO_BLK_MOST_RANGES = 16,
};

#endif
