// SPDX-License-Identifier: Apache-2.0
/* Kernels for a guest that starts in AArch32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image_fixture.h"

enum {
    LARGE_RAM_BYTES = 64 << 20,
    UNPACKED_BYTES = 700000,
    BSS_BYTES = 100000,
    WORK_BYTES = 1 << 20,
    FARTHEST_KERNEL = 0x308000,
};

static void make_small_memory(void)
{
    make_memory();
    guest_state = EXECUTION_AARCH32;
}

static void make_large_memory(void)
{
    make_small_memory();
    drop_memory();
    memory.size_bytes = LARGE_RAM_BYTES;
    memory.host = mmap(NULL, LARGE_RAM_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(memory.host, MAP_FAILED);
}

static void drop_large_memory(void)
{
    ck_assert_int_eq(munmap(memory.host, LARGE_RAM_BYTES), 0);
}

START_TEST(zimage_in_every_packing)
{
    struct bytes zimage = make_zimage(KERNEL_BYTES, UNPACKED_BYTES, BSS_BYTES);
    struct bytes packed = packers[_i].pack(zimage);
    const uint64_t end = FARTHEST_KERNEL + UNPACKED_BYTES + BSS_BYTES + KERNEL_BYTES + WORK_BYTES;
    struct image_placement out;
    char name[64];

    expect_load(packed, &out);
    expect_range(&out, 0x8000, end, 0x8000);
    expect_bytes(0x8000, zimage);
    (void)snprintf(name, sizeof(name), "zImage%s", packers[_i].name);
    ck_assert_str_eq(image_format_name(out.format), name);
    free(packed.data);
    free(zimage.data);
}
END_TEST

START_TEST(zimage_goes_behind_what_it_unpacks)
{
    struct bytes zimage = make_zimage(KERNEL_BYTES, UNPACKED_BYTES, BSS_BYTES);
    const uint64_t at = 32 << 20;
    struct image_placement out;

    memory.size_bytes = LARGE_RAM_BYTES - 1;
    expect_load(zimage, &out);
    ck_assert_uint_eq(out.entry.value, RAM_BASE + 0x8000);
    memory.size_bytes = LARGE_RAM_BYTES;
    expect_load(zimage, &out);
    expect_range(&out, at, at + KERNEL_BYTES + WORK_BYTES, at);
    expect_bytes(at, zimage);

    put(zimage.data, ZIMAGE_SIZE_OFFSET, 40 << 20, 4);
    expect_load(zimage, &out);
    expect_range(&out, at, FARTHEST_KERNEL + (40 << 20) + BSS_BYTES + KERNEL_BYTES + WORK_BYTES,
                 at);
    put(zimage.data, ZIMAGE_SIZE_OFFSET, 80 << 20, 4);
    expect_refusal(zimage, "it needs 85 MiB, the guest has 64 MiB: give it more with --memory");
    put(zimage.data, ZIMAGE_SIZE_OFFSET, UINT32_MAX, 4);
    expect_refusal(zimage, "--memory");
    free(zimage.data);
}
END_TEST

/* Its table is a hint: without one, or with a damaged one, armlet assumes the worst. */
static const struct {
    size_t offset;
    uint32_t value;
} table_faults[] = {
    {0x34, 0},
    {0x38, KERNEL_BYTES - 15},
    {0x38, UINT32_MAX},
    {ZIMAGE_TABLE_OFFSET + 4, 0},
    {ZIMAGE_TABLE_OFFSET + 8, KERNEL_BYTES - 3},
    {ZIMAGE_TABLE_OFFSET + 8, UINT32_MAX},
};

START_TEST(zimage_without_a_table)
{
    struct bytes zimage = make_zimage(KERNEL_BYTES, UNPACKED_BYTES, BSS_BYTES);
    struct image_placement out;

    put(zimage.data, table_faults[_i].offset, table_faults[_i].value, 4);
    expect_load(zimage, &out);
    expect_range(&out, 0x8000, FARTHEST_KERNEL + 6 * KERNEL_BYTES + WORK_BYTES, 0x8000);
    free(zimage.data);
}
END_TEST

START_TEST(zimage_faults_are_told)
{
    struct bytes zimage = make_zimage(KERNEL_BYTES, UNPACKED_BYTES, BSS_BYTES);
    struct bytes packed = pack_gzip((struct bytes){zimage.data, KERNEL_BYTES - 1});
    struct image_placement out;

    expect_refusal((struct bytes){zimage.data, KERNEL_BYTES - 1},
                   "the zImage is truncated: 299999 of 300000 bytes");
    expect_refusal(packed, "the zImage is truncated: 299999 of 300000 bytes");
    expect_refusal((struct bytes){zimage.data, 59}, "the zImage is truncated: 59 of at least 60");
    struct bytes appended = append_bytes(make_copy(zimage), "device tree", 11);

    expect_load(appended, &out);
    expect_bytes(0x8000, appended);
    put(zimage.data, 0x2c, 8, 4);
    expect_refusal((struct bytes){zimage.data, 59}, "the zImage is truncated: 59 of at least 60");
    expect_load((struct bytes){zimage.data, 60}, &out);
    put(zimage.data, 0x28, 8, 4);
    expect_refusal(zimage, "damaged: it ends before it starts");
    put(zimage.data, 0x30, 0x01020304, 4);
    expect_refusal(zimage, "big-endian zImage");
    free(appended.data);
    free(packed.data);
    free(zimage.data);
}
END_TEST

START_TEST(elf32_and_flat_in_every_packing)
{
    struct bytes elf = make_elf32(ET_EXEC, RAM_BASE, RAM_BASE);
    struct bytes flat = make_flat_a32(0x3000);
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
    ck_assert_int_eq(out.format.kind, IMAGE_ELF);

    expect_load(packed_flat, &out);
    expect_range(&out, 0x8000, 0xb000, 0x8000);
    expect_bytes(0x8000, flat);
    ck_assert_int_eq(out.format.kind, IMAGE_FLAT);
    free(packed_flat.data);
    free(packed_elf.data);
    free(flat.data);
    free(elf.data);
}
END_TEST

static const struct {
    uint16_t type;
    uint32_t physical;
    uint32_t virtual;
    uint64_t start; /* of the first segment, above RAM_BASE */
} elf_places[] = {
    {ET_EXEC, RAM_BASE + 0x7000, 0xc0007000, 0x8000},
    {ET_EXEC, 0xc0007000, 0xc0007000, 0x8000}, /* as vmlinux is */
    {ET_DYN, 0x600000, 0x600000, 0x1000},
    {ET_EXEC, 0xfffff000, 0xfffff000, 0},
};

START_TEST(elf32_places_by_type_and_address)
{
    struct bytes elf =
        make_elf32(elf_places[_i].type, elf_places[_i].physical, elf_places[_i].virtual);
    uint64_t start = elf_places[_i].start;
    struct image_placement out;

    expect_load(elf, &out);
    expect_range(&out, start, start + 0x203000, start + 16);
    expect_bytes(start, (struct bytes){elf.data + 0x1000, 0x1000});
    free(elf.data);
}
END_TEST

static const struct {
    size_t offset;
    size_t size_bytes;
    uint64_t value;
    const char *part;
} elf_faults[] = {
#define HEADER(field) offsetof(Elf32_Ehdr, field), sizeof(((Elf32_Ehdr *)0)->field)
#define SEGMENT(field)                                                                             \
    sizeof(Elf32_Ehdr) + offsetof(Elf32_Phdr, field), sizeof(((Elf32_Phdr *)0)->field)
    {EI_CLASS, 1, ELFCLASS64, "it is a 64-bit ELF file; armlet needs a 32-bit one"},
    {EI_DATA, 1, ELFDATA2MSB, "big-endian ELF"},
    {HEADER(e_machine), EM_386, "ELF file for x86; armlet needs one built for 32-bit Arm"},
    {HEADER(e_machine), 0x1234, "ELF file for machine 4660; armlet needs one built for 32-bit Arm"},
    {HEADER(e_type), ET_REL, "not linked yet"},
    {HEADER(e_phentsize), sizeof(Elf64_Phdr), "wrong size"},
    {HEADER(e_phoff), UINT32_MAX, "truncated: 12288 of"},
    {HEADER(e_entry), RAM_BASE + 0x1011, "the ELF file's entry is Thumb code"},
    {HEADER(e_entry), RAM_BASE + 0x1012, "odd address"},
    {HEADER(e_entry), 0x0fff, "entry is in no segment"},
    {SEGMENT(p_type), PT_INTERP, "a program for Linux"},
    {SEGMENT(p_filesz), 0x5000, "more bytes than memory"},
    {SEGMENT(p_memsz), UINT32_MAX, "--memory"},
    {SEGMENT(p_paddr), RAM_BASE + 0x1800, "overlap"},
    {SEGMENT(p_paddr), 0x1000, "where there's no RAM"},
};

START_TEST(elf32_faults_are_told)
{
    struct bytes elf = make_elf32(ET_EXEC, RAM_BASE, RAM_BASE);

    put(elf.data, elf_faults[_i].offset, elf_faults[_i].value, elf_faults[_i].size_bytes);
    expect_refusal(elf, elf_faults[_i].part);
    free(elf.data);
}
END_TEST

START_TEST(elf32_truncated_at_every_length)
{
    struct bytes elf = make_elf32(ET_EXEC, RAM_BASE, RAM_BASE);

    for (size_t size_bytes = 4; size_bytes < elf.size_bytes; size_bytes += 7)
        expect_refusal((struct bytes){elf.data, size_bytes}, "truncated");
    free(elf.data);
}
END_TEST

START_TEST(what_is_for_aarch64_is_refused)
{
    struct bytes image = make_image(KERNEL_BYTES);
    struct bytes packed = pack_gzip(image);
    struct bytes zboot = make_zboot(packed, "gzip");
    struct bytes elf = make_elf(ET_DYN, 0, 0);
    struct bytes flat = make_flat(0x3000);

    expect_refusal(image, "it is an arm64 Image, which --cpu aarch32=on can't start: leave out "
                          "aarch32=on");
    expect_refusal(packed, "leave out aarch32=on");
    expect_refusal(zboot, "leave out aarch32=on");
    expect_refusal(elf, "it is an ELF file for arm64, which --cpu aarch32=on can't start");
    expect_refusal(flat, "it does not start with a 32-bit Arm instruction");
    memcpy(flat.data + 0x202, "HdrS", 4);
    expect_refusal(flat, "bzImage); armlet needs one built for 32-bit Arm");
    free(flat.data);
    free(elf.data);
    free(zboot.data);
    free(packed.data);
    free(image.data);
}
END_TEST

START_TEST(what_is_for_aarch32_is_refused_without_it)
{
    struct bytes zimage = make_zimage(KERNEL_BYTES, UNPACKED_BYTES, BSS_BYTES);
    struct bytes elf = make_elf32(ET_EXEC, RAM_BASE, RAM_BASE);
    struct bytes flat = make_flat_a32(0x3000);

    guest_state = EXECUTION_AARCH64;
    expect_refusal(zimage, "(zImage); armlet needs one built for arm64, or --cpu aarch32=on");
    expect_refusal(elf, "for 32-bit Arm; armlet needs one built for arm64, or --cpu aarch32=on");
    expect_refusal(flat, "it does not start with an arm64 instruction");
    free(flat.data);
    free(elf.data);
    free(zimage.data);
}
END_TEST

START_TEST(scraps_and_programs)
{
    static uint8_t branch[] = {0xfe, 0xff, 0xff, 0xea};
    static uint8_t text[] = "caf\xc3\xa9\n";
    uint8_t program[256] = "MZ\0\xe1";
    struct image_placement out;

    expect_load((struct bytes){branch, sizeof(branch)}, &out);
    expect_refusal((struct bytes){branch, 3}, "it has 3 bytes");
    expect_refusal((struct bytes){text, sizeof(text) - 1}, "it is a text");
    put(program, 60, 128, 4);
    memcpy(program + 128, "PE\0", 4);
    put(program, 132, 0xaa64, 2);
    expect_refusal((struct bytes){program, sizeof(program)},
                   "program for arm64, not a kernel for 32-bit Arm");
    /* Linux for 32-bit Arm can be an EFI program as well. */
    put(program, 0x24, 0x016f2818, 4);
    put(program, 0x2c, sizeof(program), 4);
    expect_load((struct bytes){program, sizeof(program)}, &out);
    ck_assert_int_eq(out.format.kind, IMAGE_ZIMAGE);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*make)(void), void (*drop)(void))
{
    enum { SECONDS_MAX = 120 };
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, make, drop);
    tcase_set_timeout(tests, SECONDS_MAX);
    suite_add_tcase(suite, tests);
    return tests;
}

void image_add_aarch32(Suite *suite)
{
    TCase *tests = add_case(suite, "AArch32", make_small_memory, drop_memory);

    ADD_EACH(tests, zimage_in_every_packing, packers);
    ADD_EACH(tests, zimage_without_a_table, table_faults);
    tcase_add_test(tests, zimage_faults_are_told);
    ADD_EACH(tests, elf32_and_flat_in_every_packing, packers);
    ADD_EACH(tests, elf32_places_by_type_and_address, elf_places);
    ADD_EACH(tests, elf32_faults_are_told, elf_faults);
    tcase_add_test(tests, elf32_truncated_at_every_length);
    tcase_add_test(tests, what_is_for_aarch64_is_refused);
    tcase_add_test(tests, what_is_for_aarch32_is_refused_without_it);
    tcase_add_test(tests, scraps_and_programs);
    tests = add_case(suite, "AArch32 with enough memory", make_large_memory, drop_large_memory);
    tcase_add_test(tests, zimage_goes_behind_what_it_unpacks);
}
