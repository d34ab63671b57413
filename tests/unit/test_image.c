// SPDX-License-Identifier: Apache-2.0
/* Kernels of every kind in every packing, where they go, and the files they come from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/file.h"
#include "image_fixture.h"

START_TEST(image_in_every_packing)
{
    struct bytes kernel = make_image(KERNEL_BYTES);
    struct bytes packed = packers[_i].pack(kernel);
    struct image_placement out;
    char name[64];

    expect_load(packed, &out);
    expect_range(&out, TEXT_OFFSET, TEXT_OFFSET + IMAGE_SIZE, TEXT_OFFSET);
    expect_bytes(TEXT_OFFSET, kernel);
    (void)snprintf(name, sizeof(name), "arm64 Image%s", packers[_i].name);
    ck_assert_str_eq(image_format_name(out.format), name);
    if (packers[_i].zboot_name) {
        struct bytes zboot = make_zboot(packed, packers[_i].zboot_name);

        memset(memory.host, 0, RAM_BYTES);
        expect_load(zboot, &out);
        expect_bytes(TEXT_OFFSET, kernel);
        (void)snprintf(name, sizeof(name), "arm64 Image%s in EFI zboot", packers[_i].name);
        ck_assert_str_eq(image_format_name(out.format), name);
        free(zboot.data);
    }
    free(packed.data);
    free(kernel.data);
}
END_TEST

START_TEST(elf_and_flat_in_every_packing)
{
    struct bytes elf = make_elf(ET_DYN, 0, 0);
    struct bytes flat = make_flat(0x3000);
    struct bytes packed_elf = packers[_i].pack(elf);
    struct bytes packed_flat = packers[_i].pack(flat);
    struct image_placement out;

    memset(memory.host, 0xee, RAM_BYTES);
    expect_load(packed_elf, &out);
    expect_range(&out, 0x1000, 0x204000, 0x1010);
    expect_bytes(0x1000, (struct bytes){elf.data + 0x1000, 0x1000});
    expect_bytes(0x200000, (struct bytes){elf.data + 0x2000, 0x1000});
    for (size_t i = 0x201000; i < 0x204000; i++)
        ck_assert_uint_eq(memory.host[i], 0);
    ck_assert_uint_eq(memory.host[0x204000], 0xee);
    ck_assert_uint_eq(memory.host[0xfff], 0xee);
    ck_assert_int_eq(out.format.kind, IMAGE_ELF);

    expect_load(packed_flat, &out);
    expect_range(&out, 0x80000, 0x83000, 0x80000);
    expect_bytes(0x80000, flat);
    ck_assert_int_eq(out.format.kind, IMAGE_FLAT);
    free(packed_flat.data);
    free(packed_elf.data);
    free(flat.data);
    free(elf.data);
}
END_TEST

/* Reboots: from a file, over what a guest left behind. */
START_TEST(loading_again_gives_the_same)
{
    struct bytes kernel = make_image(KERNEL_BYTES);
    struct bytes packed = packers[_i].pack(kernel);
    struct image_placement first;
    struct image_placement second;
    struct error error = {0};
    char path[64];

    make_path(path);
    write_file(path, packed);
    struct image *image = image_open(path, EXECUTION_AARCH64, &error);

    ck_assert_msg(image != NULL, "%s", error.message);
    ck_assert_uint_eq(image_file_bytes(image), packed.size_bytes);
    ck_assert(image_load(image, &memory, &first, &error));
    expect_bytes(TEXT_OFFSET, kernel);
    memset(memory.host, 0x5a, RAM_BYTES);
    ck_assert(image_load(image, &memory, &second, &error));
    expect_bytes(TEXT_OFFSET, kernel);
    expect_range(&second, TEXT_OFFSET, TEXT_OFFSET + IMAGE_SIZE, TEXT_OFFSET);
    ck_assert_uint_eq(first.end.value, second.end.value);

    /* Another one in the same file is seen, too. */
    struct bytes flat = make_flat(5000);

    write_file(path, flat);
    ck_assert_msg(image_load(image, &memory, &second, &error), "%s", error.message);
    expect_bytes(0x80000, flat);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert(!image_load(image, &memory, &second, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "empty"));
    image_close(image);
    (void)unlink(path);
    free(flat.data);
    free(packed.data);
    free(kernel.data);
}
END_TEST

START_TEST(image_sizes_and_offsets)
{
    struct bytes kernel = make_image(KERNEL_BYTES);
    struct image_placement out;

    put(kernel.data, 16, 0, 8);
    expect_load(kernel, &out);
    expect_range(&out, 0x80000, 0x80000 + KERNEL_BYTES, 0x80000);
    put(kernel.data, 16, RAM_BYTES - TEXT_OFFSET, 8);
    expect_load(kernel, &out);
    put(kernel.data, 16, RAM_BYTES - TEXT_OFFSET + 1, 8);
    expect_refusal(kernel, "needs 17 MiB, the guest has 16 MiB: give it more with --memory");
    put(kernel.data, 16, IMAGE_SIZE, 8);
    put(kernel.data, 8, UINT64_MAX - 5, 8);
    expect_refusal(kernel, "damaged");
    put(kernel.data, 8, UINT64_MAX / 2, 8);
    expect_refusal(kernel, "damaged");
    put(kernel.data, 8, RAM_BYTES, 8);
    expect_refusal(kernel, "--memory");
    put(kernel.data, 8, 0, 8);
    put(kernel.data, 16, UINT64_MAX, 8);
    expect_refusal(kernel, "it is damaged: ");
    put(kernel.data, 16, ((uint64_t)1 << 52) + 1, 8);
    expect_refusal(kernel, "it is damaged: ");
    put(kernel.data, 16, (uint64_t)1 << 52, 8);
    expect_refusal(kernel, "it needs 4294967296 MiB, the guest has 16 MiB: give it more");
    put(kernel.data, 16, 64, 8); /* less than the file has: the file counts */
    expect_load(kernel, &out);
    expect_range(&out, 0, KERNEL_BYTES, 0);
    put(kernel.data, 24, 0xb, 8);
    expect_refusal(kernel, "big-endian arm64 kernel");
    expect_refusal((struct bytes){kernel.data, 60}, "truncated");
    free(kernel.data);
}
END_TEST

START_TEST(ram_that_is_not_aligned)
{
    struct bytes kernel = make_image(KERNEL_BYTES);
    struct image_placement out;

    memory.base = GPA(RAM_BASE + 0x100000);
    expect_load(kernel, &out);
    ck_assert_uint_eq(out.entry.value, RAM_BASE + 0x200000 + TEXT_OFFSET);
    expect_bytes(0x100000 + TEXT_OFFSET, kernel);
    memory.size_bytes = 0x1000;
    expect_refusal(kernel, "--memory");
    memory.size_bytes = RAM_BYTES;
    free(kernel.data);
}
END_TEST

static const struct {
    uint16_t type;
    uint64_t physical;
    uint64_t virtual;
    uint64_t start; /* of the first segment, above RAM_BASE */
} elf_places[] = {
    {ET_EXEC, RAM_BASE, RAM_BASE, 0x1000},
    {ET_EXEC, RAM_BASE + 0x80000, 0xffff000000080000, 0x81000},
    {ET_DYN, RAM_BASE + 0x80000, 0x80000, 0x81000},
    {ET_DYN, 0xffff800080000000, 0xffff800080000000, 0x1000},
    {ET_EXEC, 0xffffffc010080000, 0xffffffc010080000, 0x81000},
    {ET_EXEC, (uint64_t)-0x1000, 0xffff000000000000, 0},
    {ET_DYN, 0x600000, 0x600000, 0x1000},
};

START_TEST(elf_places_by_type_and_address)
{
    struct bytes elf =
        make_elf(elf_places[_i].type, elf_places[_i].physical, elf_places[_i].virtual);
    uint64_t start = elf_places[_i].start;
    struct image_placement out;

    expect_load(elf, &out);
    expect_range(&out, start, start + 0x203000, start + 16);
    expect_bytes(start, (struct bytes){elf.data + 0x1000, 0x1000});
    expect_bytes(start + 0x1ff000, (struct bytes){elf.data + 0x2000, 0x1000});
    free(elf.data);
}
END_TEST

/* Segments in any order of their addresses, sharing bytes of the file: read more than once. */
START_TEST(elf_segments_may_share_bytes)
{
    struct bytes elf = make_elf(ET_DYN, 0, 0);
    struct image_placement out;

    put(elf.data, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_offset), 0x1800, 8);
    expect_load(elf, &out);
    expect_bytes(0x200000, (struct bytes){elf.data + 0x1800, 0x1000});
    struct bytes packed = pack_xz(elf);

    memset(memory.host, 0, RAM_BYTES);
    expect_load(packed, &out);
    expect_bytes(0x200000, (struct bytes){elf.data + 0x1800, 0x1000});
    free(packed.data);
    free(elf.data);
}
END_TEST

static void expect_path_refusal(const char *path, const char *part)
{
    struct error error = {0};
    uint64_t size_bytes;

    ck_assert_ptr_null(image_open(path, EXECUTION_AARCH64, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_msg(strstr(error.message, part), "'%s' is not in '%s'", part, error.message);
    error = (struct error){0};
    ck_assert(!file_size(path, &size_bytes, &error));
    ck_assert_msg(strstr(error.message, part), "'%s' is not in '%s'", part, error.message);
    error = (struct error){0};
    ck_assert(!file_load(path, (struct span){memory.host, 1}, &size_bytes, &error));
    ck_assert_msg(strstr(error.message, part), "'%s' is not in '%s'", part, error.message);
}

START_TEST(paths_that_are_no_files)
{
    char path[64];

    expect_path_refusal("/", "is a directory");
    expect_path_refusal("/dev/null", "is a device");
    expect_path_refusal("/nonexistent/Image", "No such file");
    make_path(path);
    expect_path_refusal(path, "empty");
    (void)unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_path_refusal(path, "is a pipe");
    (void)unlink(path);
}
END_TEST

START_TEST(file_load_reads_all_or_tells)
{
    struct bytes content = make_flat(KERNEL_BYTES);
    struct error error = {0};
    uint64_t size_bytes = 0;
    char path[64];

    make_path(path);
    write_file(path, content);
    ck_assert(file_size(path, &size_bytes, &error));
    ck_assert_uint_eq(size_bytes, KERNEL_BYTES);
    size_bytes = 0;
    ck_assert(file_load(path, (struct span){memory.host, KERNEL_BYTES}, &size_bytes, &error));
    ck_assert_uint_eq(size_bytes, KERNEL_BYTES);
    expect_bytes(0, content);
    for (int difference = -1; difference <= 1; difference += 2) {
        struct span span = {memory.host, (size_t)(KERNEL_BYTES + difference)};

        ck_assert(!file_load(path, span, &size_bytes, &error));
        ck_assert_ptr_nonnull(strstr(error.message, "size changed"));
    }
    (void)unlink(path);
    free(content.data);
}
END_TEST

START_TEST(file_reads_stay_inside)
{
    struct bytes content = make_flat(100);
    struct error error = {0};
    struct file file;
    uint8_t read_back[100];
    char path[64];

    make_path(path);
    write_file(path, content);
    ck_assert(file_open(&file, path, &error));
    ck_assert(file_read(&file, 10, read_back, 90, &error));
    ck_assert_mem_eq(read_back, content.data + 10, 90);
    ck_assert(!file_read(&file, 10, read_back, 91, &error));
    ck_assert(!file_read(&file, UINT64_MAX, read_back, 2, &error));
    ck_assert_int_eq(truncate(path, 50), 0);
    ck_assert(!file_read(&file, 0, read_back, 100, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "became shorter"));
    file_close(&file);
    (void)unlink(path);
    free(content.data);
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("image");
    TCase *tests = image_case(suite, "kernels");

    ADD_EACH(tests, image_in_every_packing, packers);
    ADD_EACH(tests, elf_and_flat_in_every_packing, packers);
    ADD_EACH(tests, loading_again_gives_the_same, packers);
    tcase_add_test(tests, image_sizes_and_offsets);
    tcase_add_test(tests, ram_that_is_not_aligned);
    ADD_EACH(tests, elf_places_by_type_and_address, elf_places);
    tcase_add_test(tests, elf_segments_may_share_bytes);
    tests = image_case(suite, "files");
    tcase_add_test(tests, paths_that_are_no_files);
    tcase_add_test(tests, file_load_reads_all_or_tells);
    tcase_add_test(tests, file_reads_stay_inside);
    image_add_faults(suite);
    image_add_aarch32(suite);
    return suite;
}
