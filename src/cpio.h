// SPDX-License-Identifier: Apache-2.0
/*
 * Writes an initramfs: an archive in cpio's "newc" format (Linux, driver-api/early-userspace/
 * buffer-format.rst), to a file. The first error sticks and is told at the end. One thread.
 */
#ifndef ARMLET_SRC_CPIO_H
#define ARMLET_SRC_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "armlet/error.h"

struct cpio {
    int fd; /* the caller's */
    uint32_t entry_count;
    uint64_t written_bytes;
    int code; /* errno of the first write that failed */
};

/* `path` without a slash in front; its directories go first. `mode` has the type. */
void cpio_add(struct cpio *cpio, const char *path, mode_t mode, const void *data,
              size_t size_bytes);
void cpio_add_device(struct cpio *cpio, const char *path, mode_t mode, unsigned major_number,
                     unsigned minor_number);
bool cpio_finish(struct cpio *cpio, struct error *error) WARN_UNUSED;

#endif
