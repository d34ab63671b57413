// SPDX-License-Identifier: Apache-2.0
/*
 * A disk's image on the host: a raw file or a block device.
 *
 * It is locked (open file description locks, fcntl(2)): one that is written to is open once, one
 * that is only read may be so many times. It is never created, truncated or made longer.
 *
 * Functions that do input and output give 0 or an errno. They sleep. Any thread, several at once.
 */
#ifndef DEVICES_DISK_IMAGE_H
#define DEVICES_DISK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "armlet/error.h"

enum { DISK_SECTOR_BYTES = 512, DISK_MOST_SEGMENTS = 256 };

struct disk_image_config {
    const char *path; /* lives as long as the image */
    bool read_only;
    bool direct; /* around the host's page cache where requests are aligned to 4 KiB */
    bool raw;    /* raw, whatever its first bytes look like */
};

struct disk_image {
    const char *path;
    int fd;
    int direct_fd; /* -1: none */
    bool read_only;
    bool in_memory;                /* of the host: its file system has no disk (tmpfs) */
    uint64_t size_bytes;           /* a multiple of a sector, not 0 */
    uint32_t block_bytes;          /* what the host reads and writes at least */
    uint32_t physical_block_bytes; /* what it does so without reading first */
    uint32_t minimum_io_bytes;     /* the least that is no waste */
    uint32_t optimal_io_bytes;     /* what it likes best; 0: it doesn't say */
};

/* Fails with ERROR_FILE, also for images of other formats than raw. */
bool disk_image_open(struct disk_image *image, const struct disk_image_config *config,
                     struct error *error) WARN_UNUSED;
void disk_image_close(struct disk_image *image);

/* All segments, or an error; EIO for what is beyond the end. At most DISK_MOST_SEGMENTS. */
int disk_image_read(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                    size_t count) WARN_UNUSED;
int disk_image_write(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                     size_t count) WARN_UNUSED;

/* Which of its files to use for a transfer: around the page cache only what is aligned. */
int disk_image_file(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                    size_t count);
/* Drops what is done from the front; returns how many segments are left. */
size_t disk_segments_advance(struct iovec **segments, size_t count, size_t done);

/*
 * What was written before survives a loss of power. After a failure nobody knows what is left of
 * it, and a second call may succeed without having written it. Of several at once, one may be told
 * the failure of another: so there is one at a time.
 */
int disk_image_flush(const struct disk_image *image) WARN_UNUSED;

/* Gives the range back to the host, as far as that can; what it reads as is undefined. */
int disk_image_discard(const struct disk_image *image, uint64_t offset,
                       uint64_t size_bytes) WARN_UNUSED;
/* The range reads as zeros; with `unmap` the host may get it back. */
int disk_image_write_zeroes(const struct disk_image *image, uint64_t offset, uint64_t size_bytes,
                            bool unmap) WARN_UNUSED;

#endif
