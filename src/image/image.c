// SPDX-License-Identifier: Apache-2.0
#include "image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/elf.h"
#include "image/identify.h"
#include "image/zboot.h"

#define IMAGE_ALIGNMENT ((uint64_t)2 << 20)

/* Of a flat binary, and of an Image that doesn't tell its size (Linux before 3.17). */
#define DEFAULT_TEXT_OFFSET ((uint64_t)0x80000)

/* Where a 32-bit kernel is by default, and at the farthest (Linux, arch/arm/Makefile). */
#define AARCH32_TEXT_OFFSET     ((uint64_t)0x8000)
#define AARCH32_TEXT_OFFSET_MAX ((uint64_t)0x308000)

/* A zImage goes behind what it unpacks, unless that takes half of the memory. */
#define ZIMAGE_OFFSET ((uint64_t)32 << 20)

/* Linux, Documentation/arch/arm64/booting.rst, "Call the kernel image". */
struct arm64_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset;
};
_Static_assert(sizeof(struct arm64_header) == 64, "as it is in the file");

#define ARM64_FLAG_BIG_ENDIAN ((uint64_t)1)

/* Microsoft PE format: the COFF header behind the signature, and the section table behind it. */
enum {
    PE_SECTION_COUNT = 6,
    PE_OPTIONAL_HEADER_BYTES = 20,
    PE_HEADER_BYTES = 24,
    PE_SECTION_BYTES = 40,
    PE_SECTION_RAW_BYTES = 16,
    PE_SECTION_RAW_OFFSET = 20,
};

/*
 * Linux, arch/arm/boot/compressed/head.S and vmlinux.lds.S. The table is there since 4.15; its tag
 * for the size tells where in the zImage the size of the unpacked kernel stands, and that of bss.
 */
enum {
    ZIMAGE_START = 0x28,
    ZIMAGE_END = 0x2c,
    ZIMAGE_BYTE_ORDER = 0x30,
    ZIMAGE_HAS_TABLE = 0x34,
    ZIMAGE_TABLE = 0x38,
    ZIMAGE_HEADER_BYTES = 0x3c,
    ZIMAGE_TAG_BYTES = 16,
    ZIMAGE_TAG_KIND = 4,
    ZIMAGE_TAG_SIZE_OFFSET = 8,
    ZIMAGE_TAG_BSS_BYTES = 12,
};

#define ZIMAGE_BIG_ENDIAN 0x01020304u
#define ZIMAGE_MAGIC2     0x45454545u
#define ZIMAGE_TAG_SIZES  0x5a534c4bu

/* What the zImage uses behind itself while it unpacks: bss, stack, heap. */
#define ZIMAGE_WORK_BYTES ((uint64_t)1 << 20)
/* Kernels don't unpack to more than so many times their size. */
#define ZIMAGE_GROWTH_MAX 5

struct image {
    enum execution_state state;
    struct file file;
    struct packed packed;
    struct image_format format;
    struct arm64_header header; /* of an arm64 Image */
    uint64_t least_bytes;       /* what it has at least, unpacked; 0: not known */
};

/*
 * Linux is an EFI program as well, whose section table tells how long the file is. That is the one
 * way to see that an Image was cut off: image_size is what it takes in memory. What the head does
 * not reach has to be there as well. 0: not known.
 */
static uint64_t pe_end(const uint8_t *head, size_t head_bytes, uint64_t pe)
{
    if (memcmp(head, "MZ", 2) != 0)
        return 0;
    if (pe + PE_HEADER_BYTES > head_bytes)
        return pe + PE_HEADER_BYTES;
    if (memcmp(head + pe, "PE\0", sizeof(uint32_t)) != 0)
        return 0;
    size_t count = file_u32(head, pe + PE_SECTION_COUNT) & UINT16_MAX;
    size_t section =
        pe + PE_HEADER_BYTES + (file_u32(head, pe + PE_OPTIONAL_HEADER_BYTES) & UINT16_MAX);
    uint64_t end = section + count * PE_SECTION_BYTES;

    if (end > head_bytes)
        return end;
    for (; count > 0; count--, section += PE_SECTION_BYTES) {
        uint64_t raw_bytes = file_u32(head, section + PE_SECTION_RAW_BYTES);
        uint64_t raw_end = raw_bytes + file_u32(head, section + PE_SECTION_RAW_OFFSET);

        if (raw_bytes > 0 && raw_end > end)
            end = raw_end;
    }
    return end;
}

static bool check_length(const struct image *image, uint64_t has_bytes, struct error *error)
{
    if (has_bytes >= image->least_bytes)
        return true;
    return error_set(error, ERROR_FILE, 0, "the %s is truncated: %" PRIu64 " of %" PRIu64 " bytes",
                     image->format.kind == IMAGE_ZIMAGE ? "zImage" : "arm64 Image", has_bytes,
                     image->least_bytes);
}

/* As soon as the file is opened, where that is known by then. */
static bool check_file_length(const struct image *image, struct error *error)
{
    return image->packed.compression != COMPRESSION_NONE ||
           check_length(image, image->packed.extent.size_bytes, error);
}

static bool read_arm64_header(struct image *image, const uint8_t *head, size_t head_bytes,
                              struct error *error)
{
    struct arm64_header *header = &image->header;

    if (head_bytes < sizeof(*header))
        return error_set(error, ERROR_FILE, 0,
                         "the arm64 Image is truncated: %zu of at least %zu bytes", head_bytes,
                         sizeof(*header));
    memcpy(header, head, sizeof(*header));
    if (header->flags & ARM64_FLAG_BIG_ENDIAN)
        return error_set(error, ERROR_FILE, 0,
                         "it is a big-endian arm64 kernel; armlet needs a little-endian one");
    if (header->image_size == 0)
        header->text_offset = DEFAULT_TEXT_OFFSET;
    image->least_bytes = pe_end(head, head_bytes, header->pe_offset);
    return check_file_length(image, error);
}

static bool read_zimage_header(struct image *image, const uint8_t *head, size_t head_bytes,
                               struct error *error)
{
    if (head_bytes < ZIMAGE_HEADER_BYTES)
        return error_set(error, ERROR_FILE, 0, "the zImage is truncated: %zu of at least %d bytes",
                         head_bytes, ZIMAGE_HEADER_BYTES);
    uint32_t start = file_u32(head, ZIMAGE_START);
    uint32_t end = file_u32(head, ZIMAGE_END);

    if (file_u32(head, ZIMAGE_BYTE_ORDER) == ZIMAGE_BIG_ENDIAN)
        return error_set(error, ERROR_FILE, 0,
                         "it is a big-endian zImage; armlet needs a little-endian one");
    if (end <= start)
        return error_set(error, ERROR_FILE, 0, "the zImage is damaged: it ends before it starts");
    image->least_bytes = end - start > ZIMAGE_HEADER_BYTES ? end - start : ZIMAGE_HEADER_BYTES;
    return check_file_length(image, error);
}

static bool identify_unpacked(struct image *image, const uint8_t *head, size_t head_bytes,
                              struct error *error)
{
    if (!identify_kernel(head, head_bytes, image->state, &image->format.kind, error))
        return false;
    image->least_bytes = 0;
    switch (image->format.kind) {
    case IMAGE_ARM64:
        return read_arm64_header(image, head, head_bytes, error);
    case IMAGE_ZIMAGE:
        return read_zimage_header(image, head, head_bytes, error);
    case IMAGE_ELF:
        return elf_check(head, head_bytes, image->state, error);
    case IMAGE_FLAT:
    case IMAGE_KIND_COUNT:
        break;
    }
    return true;
}

static bool identify_packed(struct image *image, uint8_t *head, struct error *error)
{
    struct decompressor *decompressor = decompress_open(&image->packed, DECOMPRESS_PIECES, error);
    size_t head_bytes;

    if (!decompressor)
        return false;
    bool good = decompress_read(decompressor, head, IDENTIFY_HEAD_BYTES, &head_bytes, error);

    decompress_close(decompressor);
    if (!good)
        return false;
    if (zboot_detect(head, head_bytes) || compression_detect(head, head_bytes))
        return error_set(error, ERROR_FILE, 0, "it is packed more than once; unpack it once");
    return identify_unpacked(image, head, head_bytes, error) ||
           error_add_context(error, "what the %s data unpacks to",
                             compression_name(image->packed.compression));
}

static bool identify(struct image *image, uint8_t *head, struct error *error)
{
    const struct file *file = &image->file;
    size_t head_bytes =
        file->size_bytes < IDENTIFY_HEAD_BYTES ? (size_t)file->size_bytes : IDENTIFY_HEAD_BYTES;

    if (!file_read(file, 0, head, head_bytes, error))
        return false;
    image->packed = (struct packed){
        .extent = {.file = file, .size_bytes = file->size_bytes},
        .compression = compression_detect(head, head_bytes),
    };
    image->format = (struct image_format){.zboot = zboot_detect(head, head_bytes)};
    if (image->format.zboot && !zboot_find(file, head, head_bytes, &image->packed, error))
        return false;
    image->format.compression = image->packed.compression;
    if (image->packed.compression == COMPRESSION_NONE)
        return identify_unpacked(image, head, head_bytes, error);
    return identify_packed(image, head, error);
}

static bool identify_file(struct image *image, struct error *error)
{
    uint8_t *head = malloc(IDENTIFY_HEAD_BYTES);

    if (!head)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot look at the file");
    bool good = identify(image, head, error);

    free(head);
    return good;
}

static struct image *open_file(const struct file *file, enum execution_state state,
                               struct error *error)
{
    struct image *image = calloc(1, sizeof(*image));

    if (!image) {
        error_set(error, ERROR_HOST, ENOMEM, "cannot open");
        return NULL;
    }
    image->state = state;
    image->file = *file;
    if (identify_file(image, error))
        return image;
    free(image);
    return NULL;
}

struct image *image_open(const char *path, enum execution_state state, struct error *error)
{
    struct file file;

    if (!file_open(&file, path, error))
        return NULL;
    struct image *image = open_file(&file, state, error);

    if (!image)
        file_close(&file);
    return image;
}

struct image *image_open_memory(const void *data, size_t size_bytes, enum execution_state state,
                                struct error *error)
{
    struct file file;

    file_open_memory(&file, data, size_bytes);
    return open_file(&file, state, error);
}

void image_close(struct image *image)
{
    file_close(&image->file);
    free(image);
}

uint64_t image_file_bytes(const struct image *image)
{
    return image->file.size_bytes;
}

/* Unpacks everything to `span`, which ends where RAM does. */
static bool unpack(const struct image *image, const struct guest_memory *memory, struct span span,
                   size_t *got_bytes, struct error *error)
{
    struct decompressor *decompressor = decompress_open(&image->packed, DECOMPRESS_WHOLE, error);

    if (!decompressor)
        return false;
    bool good = decompress_read(decompressor, span.data, span.size_bytes, got_bytes, error) &&
                (decompress_ended(decompressor) || identify_too_large(memory, 0, error));

    decompress_close(decompressor);
    return good;
}

/* Above the start of RAM; what does not fit is told by the caller. False if it wraps. */
static bool find_offset(const struct image *image, const struct guest_memory *memory,
                        uint64_t *offset)
{
    uint64_t base = (memory->base.value + IMAGE_ALIGNMENT - 1) & ~(IMAGE_ALIGNMENT - 1);
    uint64_t skipped = base - memory->base.value;
    uint64_t text_offset = DEFAULT_TEXT_OFFSET;

    if (image->state == EXECUTION_AARCH32) {
        bool is_behind =
            image->format.kind == IMAGE_ZIMAGE && memory->size_bytes >= 2 * ZIMAGE_OFFSET;

        *offset = is_behind ? ZIMAGE_OFFSET : AARCH32_TEXT_OFFSET;
        return true;
    }
    if (image->format.kind == IMAGE_ARM64)
        text_offset = image->header.text_offset;
    return !__builtin_add_overflow(skipped, text_offset, offset);
}

/* What the kernel takes, as far as that's known before it is loaded. */
static uint64_t find_size(const struct image *image)
{
    uint64_t image_bytes = image->format.kind == IMAGE_ARM64 ? image->header.image_size : 0;

    if (image->packed.compression == COMPRESSION_NONE &&
        image_bytes < image->packed.extent.size_bytes)
        image_bytes = image->packed.extent.size_bytes;
    return image_bytes < image->least_bytes ? image->least_bytes : image_bytes;
}

/* How much the zImage unpacks to, bss included; by its own word if it gives one. */
static uint64_t zimage_unpacked_bytes(const uint8_t *zimage, size_t size_bytes)
{
    uint64_t guess = (uint64_t)size_bytes * ZIMAGE_GROWTH_MAX;
    size_t table = file_u32(zimage, ZIMAGE_TABLE);

    if (file_u32(zimage, ZIMAGE_HAS_TABLE) != ZIMAGE_MAGIC2 || size_bytes < ZIMAGE_TAG_BYTES ||
        table > size_bytes - ZIMAGE_TAG_BYTES ||
        file_u32(zimage, table + ZIMAGE_TAG_KIND) != ZIMAGE_TAG_SIZES)
        return guess;
    size_t size_offset = file_u32(zimage, table + ZIMAGE_TAG_SIZE_OFFSET);

    if (size_offset > size_bytes - sizeof(uint32_t))
        return guess;
    return (uint64_t)file_u32(zimage, size_offset) + file_u32(zimage, table + ZIMAGE_TAG_BSS_BYTES);
}

/*
 * The end of what a zImage at `offset` uses: itself, and what it unpacks to. Where the two would
 * overlap it first moves itself behind that.
 */
static bool find_zimage_end(const struct guest_memory *memory, uint64_t offset, size_t size_bytes,
                            uint64_t *end, struct error *error)
{
    uint64_t own_bytes = size_bytes + ZIMAGE_WORK_BYTES;
    uint64_t unpacked_end =
        AARCH32_TEXT_OFFSET_MAX + zimage_unpacked_bytes(memory->host + offset, size_bytes);

    *end = offset + own_bytes;
    if (unpacked_end > offset)
        *end = unpacked_end + own_bytes;
    return *end <= memory->size_bytes || identify_too_large(memory, *end, error);
}

/* All but ELF: the whole file at one place. */
static bool load_bytes(const struct image *image, const struct guest_memory *memory,
                       struct image_placement *out, struct error *error)
{
    uint64_t image_bytes = find_size(image);
    size_t got_bytes = 0;
    struct span span;
    uint64_t start;
    uint64_t end;

    if (!find_offset(image, memory, &start) || __builtin_add_overflow(start, image_bytes, &end))
        return identify_too_large(memory, UINT64_MAX, error);
    if (start >= memory->size_bytes || end > memory->size_bytes)
        return identify_too_large(memory, end, error);
    if (!guest_memory_span(memory, gpa_add(memory->base, start), memory->size_bytes - start, &span))
        return error_set(error, ERROR_INTERNAL, 0, "the kernel's place is outside of RAM");
    if (!unpack(image, memory, span, &got_bytes, error) || !check_length(image, got_bytes, error))
        return false;
    if (got_bytes > image_bytes)
        end = start + got_bytes;
    if (image->format.kind == IMAGE_ZIMAGE &&
        !find_zimage_end(memory, start, got_bytes, &end, error))
        return false;
    out->start = gpa_add(memory->base, start);
    out->end = gpa_add(memory->base, end);
    out->entry = out->start;
    return true;
}

bool image_load(const struct image *image, const struct guest_memory *memory,
                struct image_placement *out, struct error *error)
{
    struct image now = *image;
    bool changed;

    if (!file_refresh(&now.file, &changed, error))
        return false;
    /* A kernel that was replaced in place, between two reboots. */
    if (changed && !identify_file(&now, error))
        return false;
    now.packed.extent.file = &now.file;
    *out = (struct image_placement){.format = now.format};
    if (now.format.kind == IMAGE_ELF)
        return elf_load(&now.packed, now.state, memory, out, error);
    return load_bytes(&now, memory, out, error);
}

/* The strings are of every combination, so that nothing is put together at run time. */
#define NAME(kind, packing, end) (kind packing end)
#define PACKED_NAMES(kind, end)                                                                    \
    {                                                                                              \
        [COMPRESSION_NONE] = NAME(kind, "", end), [COMPRESSION_GZIP] = NAME(kind, ", gzip", end),  \
        [COMPRESSION_ZSTD] = NAME(kind, ", zstd", end),                                            \
        [COMPRESSION_LZ4] = NAME(kind, ", lz4", end),                                              \
        [COMPRESSION_LZ4_LEGACY] = NAME(kind, ", lz4", end),                                       \
        [COMPRESSION_XZ] = NAME(kind, ", xz", end),                                                \
        [COMPRESSION_LZMA] = NAME(kind, ", lzma", end),                                            \
    }
#define NAMES(kind)                                                                                \
    {                                                                                              \
        PACKED_NAMES(kind, ""), PACKED_NAMES(kind, " in EFI zboot")                                \
    }

static const char *const format_names[IMAGE_KIND_COUNT][2][COMPRESSION_COUNT] = {
    [IMAGE_ARM64] = NAMES("arm64 Image"),
    [IMAGE_ZIMAGE] = NAMES("zImage"),
    [IMAGE_ELF] = NAMES("ELF"),
    [IMAGE_FLAT] = NAMES("flat binary"),
};

const char *image_format_name(struct image_format format)
{
    return format_names[format.kind][format.zboot][format.compression];
}
