// SPDX-License-Identifier: Apache-2.0
#include "cpio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_BYTES = 110, ALIGNMENT = 4 };

static void put(struct cpio *cpio, const void *data, size_t size_bytes)
{
    const char *at = data;

    while (size_bytes > 0 && cpio->code == 0) {
        ssize_t done = write(cpio->fd, at, size_bytes);

        if (done < 0 && errno != EINTR)
            cpio->code = errno;
        if (done <= 0)
            continue;
        at += done;
        size_bytes -= (size_t)done;
        cpio->written_bytes += (uint64_t)done;
    }
}

static void align(struct cpio *cpio)
{
    static const char zeros[ALIGNMENT] = {0};

    put(cpio, zeros, (ALIGNMENT - cpio->written_bytes % ALIGNMENT) % ALIGNMENT);
}

static void put_entry(struct cpio *cpio, const char *path, mode_t mode, size_t size_bytes,
                      unsigned major_number, unsigned minor_number)
{
    char header[HEADER_BYTES + 1];

    /* Magic, inode, mode, uid, gid, links, mtime, size, device, the device it is, name, check. */
    (void)snprintf(header, sizeof(header),
                   "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                   ++cpio->entry_count, (unsigned)mode, 0U, 0U, 1U, 0U, (unsigned)size_bytes, 0U,
                   0U, major_number, minor_number, (unsigned)strlen(path) + 1, 0U);
    put(cpio, header, HEADER_BYTES);
    put(cpio, path, strlen(path) + 1);
    align(cpio);
}

void cpio_add(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size_bytes)
{
    put_entry(cpio, path, mode, size_bytes, 0, 0);
    put(cpio, data, size_bytes);
    align(cpio);
}

void cpio_add_device(struct cpio *cpio, const char *path, mode_t mode, unsigned major_number,
                     unsigned minor_number)
{
    put_entry(cpio, path, mode, 0, major_number, minor_number);
}

bool cpio_finish(struct cpio *cpio, struct error *error)
{
    put_entry(cpio, "TRAILER!!!", 0, 0, 0, 0);
    return cpio->code == 0 ||
           error_set(error, ERROR_HOST, cpio->code, "cannot write the initramfs");
}
