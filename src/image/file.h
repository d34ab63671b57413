// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the operator, read and never mapped: a file that someone truncates meanwhile is an
 * error, not a SIGBUS. Only regular files: they have a size, and can be read again on a reboot.
 * No state beyond the structs; one thread a struct.
 */
#ifndef ARMLET_SRC_IMAGE_FILE_H
#define ARMLET_SRC_IMAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "armlet/error.h"
#include "armlet/guest_memory.h"

/*
 * The size of the file, at least 1. ERROR_FILE when it can't be opened, is empty, or is no regular
 * file; the message says which, and doesn't repeat the path.
 */
bool file_size(const char *path, uint64_t *size_bytes, struct error *error) WARN_UNUSED;

/*
 * Reads the whole file into the span, which has the size that file_size() told; *size_bytes is how
 * much that was. ERROR_FILE when the file has another size by now, or gets one while it's read.
 */
bool file_load(const char *path, struct span span, uint64_t *size_bytes,
               struct error *error) WARN_UNUSED;

/* An open file, or bytes in memory that pass for one. */
struct file {
    int fd;              /* -1: in memory */
    const uint8_t *data; /* in memory: the bytes, the caller's */
    uint64_t size_bytes;
    struct timespec modified;
};

/* Errors as file_size() has them. */
bool file_open(struct file *file, const char *path, struct error *error) WARN_UNUSED;
void file_open_memory(struct file *file, const void *data, size_t size_bytes);
void file_close(struct file *file);

/* Looks at the size again; *changed is whether the content may be another than before. */
bool file_refresh(struct file *file, bool *changed, struct error *error) WARN_UNUSED;

/* Reads exactly [offset, offset + size_bytes); ERROR_FILE when the file ends before that. */
bool file_read(const struct file *file, uint64_t offset, void *to, size_t size_bytes,
               struct error *error) WARN_UNUSED;

/* A part of a file. Whoever makes one has checked that it's inside of the file. */
struct extent {
    const struct file *file;
    uint64_t offset;
    uint64_t size_bytes;
};

/* All formats here are little endian, as every host is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are copied as they are");

/* The field at data + offset; the caller has checked the bounds. */
static inline uint32_t file_u32(const uint8_t *data, size_t offset)
{
    uint32_t value;

    __builtin_memcpy(&value, data + offset, sizeof(value));
    return value;
}

#endif
