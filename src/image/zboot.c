// SPDX-License-Identifier: Apache-2.0
#include "image/zboot.h"

#include <inttypes.h>
#include <string.h>

enum {
    ZBOOT_MAGIC = 4,
    ZBOOT_PAYLOAD_OFFSET = 8,
    ZBOOT_PAYLOAD_SIZE = 12,
    ZBOOT_COMPRESSION = 24, /* a string, padded with zeros */
    ZBOOT_COMPRESSION_BYTES = 32,
    ZBOOT_HEADER_BYTES = 64,
    PAYLOAD_HEAD_BYTES = 16,
};

/* Linux's names for its ways to pack (scripts/Makefile.lib); the way itself shows in the data. */
static const char *const known_names[] = {"gzip", "zstd", "zstd22", "lz4", "xz", "xzkern", "lzma"};

bool zboot_detect(const uint8_t *head, size_t head_bytes)
{
    return head_bytes >= ZBOOT_MAGIC + 4 && memcmp(head, "MZ", 2) == 0 &&
           memcmp(head + ZBOOT_MAGIC, "zimg", 4) == 0;
}

static bool check_name(const char *name, struct error *error)
{
    for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
        if (strcmp(name, known_names[i]) == 0)
            return true;
    for (const char *c = name; *c; c++)
        if (*c < '!' || *c > '~')
            return error_set(error, ERROR_FILE, 0,
                             "it is an EFI zboot image whose header is damaged");
    return error_set(error, ERROR_FILE, 0,
                     "it is an EFI zboot image packed with '%s'; "
                     "armlet unpacks gzip, zstd, lz4, xz and lzma",
                     name);
}

bool zboot_find(const struct file *file, const uint8_t *head, size_t head_bytes,
                struct packed *packed, struct error *error)
{
    char name[ZBOOT_COMPRESSION_BYTES + 1] = {0};
    uint8_t payload[PAYLOAD_HEAD_BYTES];

    if (head_bytes < ZBOOT_HEADER_BYTES)
        return error_set(error, ERROR_FILE, 0,
                         "the EFI zboot image is truncated: %zu bytes, not even a header",
                         head_bytes);
    uint64_t offset = file_u32(head, ZBOOT_PAYLOAD_OFFSET);
    uint64_t size_bytes = file_u32(head, ZBOOT_PAYLOAD_SIZE);

    memcpy(name, head + ZBOOT_COMPRESSION, ZBOOT_COMPRESSION_BYTES);
    if (!check_name(name, error))
        return false;
    if (offset + size_bytes > file->size_bytes)
        return error_set(error, ERROR_FILE, 0,
                         "the EFI zboot image is truncated: %" PRIu64 " of %" PRIu64 " bytes",
                         file->size_bytes, offset + size_bytes);
    size_t peeked = size_bytes < sizeof(payload) ? (size_t)size_bytes : sizeof(payload);

    if (!file_read(file, offset, payload, peeked, error))
        return false;
    packed->extent = (struct extent){file, offset, size_bytes};
    packed->compression = compression_detect(payload, peeked);
    if (packed->compression == COMPRESSION_NONE)
        return error_set(error, ERROR_FILE, 0,
                         "the EFI zboot image is damaged: there is no %s data in it", name);
    return true;
}
