// SPDX-License-Identifier: Apache-2.0
#include "image_fixture.h"

#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PACKED_BYTES_MAX = RAM_BYTES + (4 << 20), /* enough for what doesn't get smaller, too */
    LEGACY_BLOCK_BYTES = 8 << 20,
    CASE_SECONDS_MAX = 120,
};

struct guest_memory memory;
enum execution_state guest_state;

void make_memory(void)
{
    guest_state = EXECUTION_AARCH64;
    memory = (struct guest_memory){
        .base = GPA(RAM_BASE),
        .size_bytes = RAM_BYTES,
        .host = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    };
    ck_assert_ptr_ne(memory.host, MAP_FAILED);
}

void drop_memory(void)
{
    ck_assert_int_eq(munmap(memory.host, RAM_BYTES), 0);
}

void put(uint8_t *data, size_t offset, uint64_t value, size_t size_bytes)
{
    memcpy(data + offset, &value, size_bytes);
}

struct bytes make_bytes(size_t size_bytes)
{
    struct bytes bytes = {calloc(1, size_bytes), size_bytes};

    ck_assert_ptr_nonnull(bytes.data);
    return bytes;
}

struct bytes make_copy(struct bytes in)
{
    struct bytes out = make_bytes(in.size_bytes);

    memcpy(out.data, in.data, in.size_bytes);
    return out;
}

/* Neither constant nor random, so that every compressor has something to do. */
static void fill(uint8_t *data, size_t size_bytes)
{
    uint32_t state = 1;

    for (size_t i = 0; i < size_bytes; i++) {
        state = state * 1103515245 + 12345;
        data[i] = (uint8_t)(i % 7 ? i / 64 : state >> 16);
    }
}

struct bytes make_image(size_t size_bytes)
{
    struct bytes image = make_bytes(size_bytes);

    fill(image.data, size_bytes);
    memset(image.data, 0, 64);
    put(image.data, 0, 0x14000010, 4);
    put(image.data, 8, TEXT_OFFSET, 8);
    put(image.data, 16, IMAGE_SIZE, 8);
    put(image.data, 24, 0xa, 8);
    memcpy(image.data + 56, "ARM\x64", 4);
    return image;
}

/* A PE header whose one section ends where the file does, as Linux's does. */
void add_pe(struct bytes image)
{
    memcpy(image.data, "MZ", 2);
    put(image.data, 60, 64, 4);
    memcpy(image.data + 64, "PE\0", 4);
    put(image.data, 64 + 4, 0xaa64, 2);
    put(image.data, 64 + 6, 1, 2);
    put(image.data, 64 + 20, 0, 2);
    put(image.data, 64 + 24 + 16, image.size_bytes - 512, 4);
    put(image.data, 64 + 24 + 20, 512, 4);
}

struct bytes make_flat(size_t size_bytes)
{
    struct bytes flat = make_bytes(size_bytes);

    fill(flat.data, size_bytes);
    put(flat.data, 0, 0xd53800a0, 4); /* mrs x0, mpidr_el1 */
    return flat;
}

struct bytes make_flat_a32(size_t size_bytes)
{
    struct bytes flat = make_flat(size_bytes);

    put(flat.data, 0, 0xe10f0000, 4); /* mrs r0, cpsr */
    return flat;
}

struct bytes make_zimage(size_t size_bytes, uint32_t unpacked_bytes, uint32_t bss_bytes)
{
    const uint32_t header[] = {0x016f2818, 0,          (uint32_t)size_bytes,
                               0x04030201, 0x45454545, ZIMAGE_TABLE_OFFSET};
    const uint32_t table[] = {4, 0x5a534c4b, ZIMAGE_SIZE_OFFSET, bss_bytes, 0};
    struct bytes zimage = make_bytes(size_bytes);

    fill(zimage.data, size_bytes);
    for (size_t i = 0; i < 9; i++)
        put(zimage.data, i * 4, 0xe1a00000, 4); /* nop */
    memcpy(zimage.data + 0x24, header, sizeof(header));
    memcpy(zimage.data + ZIMAGE_TABLE_OFFSET, table, sizeof(table));
    put(zimage.data, ZIMAGE_SIZE_OFFSET, unpacked_bytes, 4);
    return zimage;
}

static const uint64_t elf_addresses[] = {0x1000, 0x200000};

/* Two segments; the second has bss. The entry is the fifth word of the first. */
struct bytes make_elf(uint16_t type, uint64_t physical, uint64_t virtual)
{
    struct bytes elf = make_bytes(0x3000);
    Elf64_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = type,
        .e_machine = EM_AARCH64,
        .e_version = EV_CURRENT,
        .e_entry = virtual + elf_addresses[0] + 16,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 3,
    };
    Elf64_Phdr segments[3] = {
        {.p_type = PT_LOAD, .p_offset = 0x2000, .p_filesz = 0x1000, .p_memsz = 0x4000},
        {.p_type = PT_LOAD, .p_offset = 0x1000, .p_filesz = 0x1000, .p_memsz = 0x1000},
        {.p_type = PT_NOTE, .p_offset = 0x1000, .p_filesz = 0x10, .p_memsz = 0x10},
    };

    for (size_t i = 0; i < 2; i++) {
        segments[i].p_paddr = physical + elf_addresses[1 - i];
        segments[i].p_vaddr = virtual + elf_addresses[1 - i];
    }
    fill(elf.data, elf.size_bytes);
    memcpy(elf.data, &header, sizeof(header));
    memcpy(elf.data + sizeof(header), segments, sizeof(segments));
    return elf;
}

struct bytes make_elf32(uint16_t type, uint32_t physical, uint32_t virtual)
{
    struct bytes elf = make_bytes(0x3000);
    Elf32_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = type,
        .e_machine = EM_ARM,
        .e_version = EV_CURRENT,
        .e_entry = virtual + (uint32_t)elf_addresses[0] + 16,
        .e_phoff = sizeof(Elf32_Ehdr),
        .e_ehsize = sizeof(Elf32_Ehdr),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 3,
    };
    Elf32_Phdr segments[3] = {
        {.p_type = PT_LOAD, .p_offset = 0x2000, .p_filesz = 0x1000, .p_memsz = 0x4000},
        {.p_type = PT_LOAD, .p_offset = 0x1000, .p_filesz = 0x1000, .p_memsz = 0x1000},
        {.p_type = PT_NOTE, .p_offset = 0x1000, .p_filesz = 0x10, .p_memsz = 0x10},
    };

    for (size_t i = 0; i < 2; i++) {
        segments[i].p_paddr = physical + (uint32_t)elf_addresses[1 - i];
        segments[i].p_vaddr = virtual + (uint32_t)elf_addresses[1 - i];
    }
    fill(elf.data, elf.size_bytes);
    memcpy(elf.data, &header, sizeof(header));
    memcpy(elf.data + sizeof(header), segments, sizeof(segments));
    return elf;
}

/* ---- packers -------------------------------------------------------------------------------- */

struct bytes pack_gzip(struct bytes in)
{
    struct bytes out = make_bytes(PACKED_BYTES_MAX);
    z_stream stream = {.next_in = in.data,
                       .avail_in = (unsigned int)in.size_bytes,
                       .next_out = out.data,
                       .avail_out = PACKED_BYTES_MAX};

    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.size_bytes = stream.total_out;
    ck_assert_int_eq(deflateEnd(&stream), Z_OK);
    return out;
}

static struct bytes pack_zstd(struct bytes in)
{
    struct bytes out = make_bytes(PACKED_BYTES_MAX);
    ZSTD_CCtx *context = ZSTD_createCCtx();

    /* As the kernel's build does, which pipes: without the size in it. */
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    out.size_bytes = ZSTD_compress2(context, out.data, PACKED_BYTES_MAX, in.data, in.size_bytes);
    ck_assert(!ZSTD_isError(out.size_bytes));
    (void)ZSTD_freeCCtx(context);
    return out;
}

static struct bytes pack_lz4(struct bytes in)
{
    struct bytes out = make_bytes(PACKED_BYTES_MAX);
    const LZ4F_preferences_t preferences = {
        .frameInfo = {.blockMode = LZ4F_blockLinked,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled}};

    out.size_bytes =
        LZ4F_compressFrame(out.data, PACKED_BYTES_MAX, in.data, in.size_bytes, &preferences);
    ck_assert(!LZ4F_isError(out.size_bytes));
    return out;
}

static struct bytes pack_lz4_legacy(struct bytes in)
{
    struct bytes out = make_bytes(PACKED_BYTES_MAX);
    size_t done = 4;

    put(out.data, 0, 0x184c2102, 4);
    for (size_t at = 0; at < in.size_bytes; at += LEGACY_BLOCK_BYTES) {
        size_t left = in.size_bytes - at;
        int count = LZ4_compress_default((const char *)in.data + at, (char *)out.data + done + 4,
                                         left < LEGACY_BLOCK_BYTES ? (int)left : LEGACY_BLOCK_BYTES,
                                         (int)(PACKED_BYTES_MAX - done - 4));

        ck_assert_int_gt(count, 0);
        put(out.data, done, (uint64_t)count, 4);
        done += 4 + (size_t)count;
    }
    out.size_bytes = done;
    return out;
}

static struct bytes pack_lzma_with(struct bytes in, lzma_stream *stream)
{
    struct bytes out = make_bytes(PACKED_BYTES_MAX);

    stream->next_in = in.data;
    stream->avail_in = in.size_bytes;
    stream->next_out = out.data;
    stream->avail_out = PACKED_BYTES_MAX;
    ck_assert_int_eq(lzma_code(stream, LZMA_FINISH), LZMA_STREAM_END);
    out.size_bytes = stream->total_out;
    lzma_end(stream);
    return out;
}

struct bytes pack_xz(struct bytes in)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    ck_assert_int_eq(lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC32), LZMA_OK);
    return pack_lzma_with(in, &stream);
}

static struct bytes pack_lzma(struct bytes in)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    ck_assert(!lzma_lzma_preset(&options, 0));
    ck_assert_int_eq(lzma_alone_encoder(&stream, &options), LZMA_OK);
    return pack_lzma_with(in, &stream);
}

const struct packer packers[PACKER_COUNT] = {
    {", gzip", "gzip", pack_gzip},
    {", zstd", "zstd22", pack_zstd},
    {", lz4", "lz4", pack_lz4_legacy},
    {", xz", "xzkern", pack_xz},
    {", lzma", "lzma", pack_lzma},
    {", lz4", "lz4", pack_lz4},
    {"", NULL, make_copy},
};

struct bytes make_zboot(struct bytes payload, const char *name)
{
    struct bytes zboot = make_bytes(payload.size_bytes + 128 + 4);

    memcpy(zboot.data, "MZ\0\0zimg", 8);
    put(zboot.data, 8, 128, 4);
    put(zboot.data, 12, payload.size_bytes, 4);
    memcpy(zboot.data + 24, name, strlen(name));
    put(zboot.data, 56, 0x818223cd, 4);
    memcpy(zboot.data + 128, payload.data, payload.size_bytes);
    put(zboot.data, 128 + payload.size_bytes, KERNEL_BYTES, 4);
    return zboot;
}

struct bytes append_bytes(struct bytes a, const void *data, size_t size_bytes)
{
    struct bytes both = make_bytes(a.size_bytes + size_bytes);

    memcpy(both.data, a.data, a.size_bytes);
    memcpy(both.data + a.size_bytes, data, size_bytes);
    free(a.data);
    return both;
}

/* ---- what is expected ----------------------------------------------------------------------- */

bool try_load(struct bytes file, struct image_placement *out, struct error *error)
{
    /* Apart, so that the sanitizer sees what reads beyond the end. */
    struct bytes copy = make_copy(file);
    struct image *image = image_open_memory(copy.data, copy.size_bytes, guest_state, error);
    bool good = image && image_load(image, &memory, out, error);

    if (image)
        image_close(image);
    free(copy.data);
    return good;
}

void expect_load(struct bytes file, struct image_placement *out)
{
    struct error error = {0};

    ck_assert_msg(try_load(file, out, &error), "%s", error.message);
}

void expect_refusal(struct bytes file, const char *part)
{
    struct image_placement out;
    struct error error = {0};

    ck_assert_msg(!try_load(file, &out, &error), "'%s' was expected", part);
    ck_assert_msg(error.code == ERROR_FILE && strstr(error.message, part), "'%s' is not in '%s'",
                  part, error.message);
}

void expect_range(const struct image_placement *out, uint64_t start, uint64_t end, uint64_t entry)
{
    ck_assert_uint_eq(out->start.value, RAM_BASE + start);
    ck_assert_uint_eq(out->end.value, RAM_BASE + end);
    ck_assert_uint_eq(out->entry.value, RAM_BASE + entry);
}

void expect_bytes(uint64_t offset, struct bytes bytes)
{
    ck_assert_mem_eq(memory.host + offset, bytes.data, bytes.size_bytes);
}

void write_file(const char *path, struct bytes bytes)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size_bytes, file), bytes.size_bytes);
    ck_assert_int_eq(fclose(file), 0);
}

void make_path(char path[64])
{
    (void)snprintf(path, 64, "/tmp/test_image.XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
}

TCase *image_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, make_memory, drop_memory);
    tcase_set_timeout(tests, CASE_SECONDS_MAX);
    suite_add_tcase(suite, tests);
    return tests;
}
