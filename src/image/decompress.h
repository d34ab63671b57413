// SPDX-License-Identifier: Apache-2.0
/*
 * What is packed in a file, unpacked as a stream: gzip (RFC 1952), zstd (RFC 8878), lz4 frames and
 * the older lz4 format that Linux is built with (both: LZ4 Frame Format Description), xz, lzma.
 *
 * Streams of one format one after the other are one stream; other bytes behind the end are left
 * alone (Linux's build appends a size). Memory is bounded whatever the input says: no more than
 * DECOMPRESS_MEMORY_BYTES and what the caller lends. A decompressor belongs to one thread.
 */
#ifndef ARMLET_SRC_IMAGE_DECOMPRESS_H
#define ARMLET_SRC_IMAGE_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "image/file.h"

enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_ZSTD,
    COMPRESSION_LZ4,
    COMPRESSION_LZ4_LEGACY,
    COMPRESSION_XZ,
    COMPRESSION_LZMA,
    COMPRESSION_COUNT,
};

/* Linux packs kernels with windows of 128 MiB; what a window needs beside itself is small. */
#define DECOMPRESS_MEMORY_BYTES ((uint64_t)256 << 20)

/* By the magic number at the start; COMPRESSION_NONE when there is none that is known. */
enum compression compression_detect(const uint8_t *head, size_t head_bytes);

/* "gzip", as the command that makes it is called. */
const char *compression_name(enum compression compression);

/* A part of a file and how it's packed. */
struct packed {
    struct extent extent;
    enum compression compression;
};

enum decompress_use {
    DECOMPRESS_PIECES, /* any number of reads to anywhere */
    DECOMPRESS_WHOLE,  /* one read: formats that can, work in the caller's memory alone */
};

struct decompressor;

/* The file outlives the decompressor. NULL and ERROR_HOST when memory runs out. */
struct decompressor *decompress_open(const struct packed *packed, enum decompress_use use,
                                     struct error *error) WARN_UNUSED;
void decompress_close(struct decompressor *decompressor);

/*
 * Unpacks up to size_bytes; less than that only at the end. ERROR_FILE when the data is truncated
 * or damaged, which for the last bytes is known only once decompress_ended() is true.
 */
bool decompress_read(struct decompressor *decompressor, void *to, size_t size_bytes,
                     size_t *got_bytes, struct error *error) WARN_UNUSED;

/* Unpacks and drops up to size_bytes; *got_bytes is less only at the end. */
bool decompress_skip(struct decompressor *decompressor, uint64_t size_bytes, uint64_t *got_bytes,
                     struct error *error) WARN_UNUSED;

/* Whether all there is has been read, and is as it was when it was packed. */
bool decompress_ended(const struct decompressor *decompressor);

#endif
