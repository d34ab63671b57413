// SPDX-License-Identifier: Apache-2.0
/* Kernels that are damaged, cut off or too large, and files that are no kernels. */
#include <stdlib.h>
#include <string.h>

#include "image_fixture.h"

/* No length less than the whole loads, or does anything that a sanitizer sees. */
START_TEST(truncation_at_every_length)
{
    struct bytes kernel = make_image(SMALL_KERNEL_BYTES);
    add_pe(kernel);
    struct bytes packed = packers[_i].pack(kernel);
    struct image_placement out;
    struct error error;

    for (size_t size_bytes = 0; size_bytes < packed.size_bytes; size_bytes++) {
        error = (struct error){0};
        ck_assert_msg(!try_load((struct bytes){packed.data, size_bytes}, &out, &error),
                      "%zu of %zu bytes are enough", size_bytes, packed.size_bytes);
        ck_assert_int_eq(error.code, ERROR_FILE);
        if (size_bytes > 100)
            ck_assert_msg(strstr(error.message, "truncated"), "%zu: %s", size_bytes, error.message);
    }
    expect_load(packed, &out);
    if (packers[_i].zboot_name) {
        struct bytes zboot = make_zboot(packed, packers[_i].zboot_name);

        for (size_t size_bytes = 64; size_bytes < zboot.size_bytes - 4; size_bytes++)
            expect_refusal((struct bytes){zboot.data, size_bytes}, "truncated: ");
        free(zboot.data);
    }
    free(packed.data);
    free(kernel.data);
}
END_TEST

START_TEST(damage_is_an_error_or_harmless)
{
    struct bytes kernel = make_image(SMALL_KERNEL_BYTES);
    struct bytes packed = packers[_i].pack(kernel);
    struct image_placement out;
    struct error error = {0};

    for (size_t i = 0; i < packed.size_bytes; i++) {
        packed.data[i] ^= 0x41;
        (void)try_load(packed, &out, &error);
        packed.data[i] ^= 0x41;
    }
    free(packed.data);
    free(kernel.data);
}
END_TEST

START_TEST(streams_in_a_row_and_what_follows)
{
    struct bytes kernel = make_image(KERNEL_BYTES);
    struct bytes head = packers[_i].pack((struct bytes){kernel.data, 1000});
    struct bytes tail = packers[_i].pack((struct bytes){kernel.data + 1000, KERNEL_BYTES - 1000});
    struct bytes both = append_bytes(head, tail.data, tail.size_bytes);
    struct image_placement out;

    expect_load(both, &out);
    expect_bytes(TEXT_OFFSET, kernel);
    uint32_t size_bytes = KERNEL_BYTES;

    memset(memory.host, 0, RAM_BYTES);
    both = append_bytes(both, &size_bytes, sizeof(size_bytes));
    expect_load(both, &out);
    expect_bytes(TEXT_OFFSET, kernel);
    free(both.data);
    free(tail.data);
    free(kernel.data);
}
END_TEST

START_TEST(bombs_are_refused)
{
    struct bytes bomb = make_bytes(RAM_BYTES + (1 << 20));

    put(bomb.data, 0, 0xd503201f, 4);
    struct bytes packed = packers[_i].pack(bomb);

    expect_refusal(packed, "--memory");
    free(packed.data);
    struct bytes elf = make_elf(ET_DYN, 0, 0);

    memcpy(bomb.data, elf.data, elf.size_bytes);
    packed = packers[_i].pack(bomb);
    if (packers[_i].zboot_name || _i < COMPRESSOR_COUNT)
        expect_refusal(packed, "--memory");
    free(packed.data);
    free(elf.data);
    free(bomb.data);
}
END_TEST

START_TEST(nested_packing_is_refused)
{
    struct bytes kernel = make_image(SMALL_KERNEL_BYTES);
    struct bytes once = packers[_i].pack(kernel);
    struct bytes twice = pack_gzip(once);

    expect_refusal(twice, "packed more than once");
    free(twice.data);
    free(once.data);
    free(kernel.data);
}
END_TEST

/* One field of the header or of a segment, and what is said about its value. */
static const struct {
    size_t offset;
    size_t size_bytes;
    uint64_t value;
    const char *part;
} elf_faults[] = {
#define HEADER(field) offsetof(Elf64_Ehdr, field), sizeof(((Elf64_Ehdr *)0)->field)
#define SEGMENT(field)                                                                             \
    sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, field), sizeof(((Elf64_Phdr *)0)->field)
    {EI_CLASS, 1, ELFCLASS32, "it is a 32-bit ELF file; armlet needs a 64-bit one"},
    {EI_DATA, 1, ELFDATA2MSB, "big-endian ELF"},
    {EI_DATA, 1, 0, "damaged: no byte order"},
    {HEADER(e_machine), EM_X86_64, "ELF file for x86-64"},
    {HEADER(e_machine), EM_ARM,
     "ELF file for 32-bit Arm; armlet needs one built for arm64, or "
     "--cpu aarch32=on"},
    {HEADER(e_machine), EM_RISCV, "ELF file for RISC-V"},
    {HEADER(e_machine), 0x1234, "ELF file for machine 4660"},
    {HEADER(e_type), ET_REL, "not linked yet"},
    {HEADER(e_type), ET_CORE, "core"},
    {HEADER(e_type), 77, "unknown type"},
    {HEADER(e_phnum), 0, "nothing to load"},
    {HEADER(e_phnum), 65, "65 program headers"},
    {HEADER(e_phnum), 0xffff, "65535 program headers"},
    {HEADER(e_phentsize), 32, "wrong size"},
    {HEADER(e_phoff), UINT64_MAX - 8, "damaged"},
    {HEADER(e_phoff), 0x2fff, "truncated: 12288 of"},
    {HEADER(e_entry), 0x0fff, "entry is in no segment"},
    {HEADER(e_entry), 0x1001, "odd address"},
    {SEGMENT(p_type), PT_INTERP, "a program for Linux"},
    {SEGMENT(p_filesz), 0x5000, "more bytes than memory"},
    {SEGMENT(p_offset), 0x2800, "truncated"},
    {SEGMENT(p_offset), UINT64_MAX, "damaged"},
    {SEGMENT(p_memsz), UINT64_MAX - 0x1000, "end of the address space"},
    {SEGMENT(p_memsz), 0x40000000, "--memory"},
    {SEGMENT(p_vaddr), UINT64_MAX - 0x1000, "end of the address space"},
    {SEGMENT(p_paddr), 0x1800, "overlap"},
    {SEGMENT(p_paddr), UINT64_MAX - 0x1000, "end of the address space"},
    {SEGMENT(p_paddr), 0x7000000000000000, "damaged: its header asks for more memory"},
};

START_TEST(elf_faults_are_told)
{
    struct bytes elf = make_elf(ET_DYN, 0, 0);

    put(elf.data, elf_faults[_i].offset, elf_faults[_i].value, elf_faults[_i].size_bytes);
    expect_refusal(elf, elf_faults[_i].part);
    struct bytes packed = pack_gzip(elf);
    struct image_placement out;
    struct error error = {0};

    ck_assert(!try_load(packed, &out, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    free(packed.data);
    free(elf.data);
}
END_TEST

START_TEST(elf_linked_where_there_is_no_ram)
{
    struct bytes elf = make_elf(ET_EXEC, 0x400000, 0x400000);

    expect_refusal(elf, "linked at 0x401000, where there's no RAM; link it at 0x40000000");
    free(elf.data);
    elf = make_elf(ET_EXEC, RAM_BASE + RAM_BYTES - 0x201000, 0);
    expect_refusal(elf, "--memory");
    free(elf.data);
    elf = make_elf(ET_DYN, 0, 0);
    for (size_t size_bytes = 4; size_bytes < elf.size_bytes; size_bytes += 7)
        expect_refusal((struct bytes){elf.data, size_bytes}, "truncated");
    put(elf.data, offsetof(Elf64_Ehdr, e_entry), 0x1010, 8);
    for (size_t i = 0; i < 2; i++)
        put(elf.data, sizeof(Elf64_Ehdr) + i * sizeof(Elf64_Phdr), PT_NULL, 4);
    expect_refusal(elf, "nothing to load");
    free(elf.data);
}
END_TEST

START_TEST(zboot_faults_are_told)
{
    struct bytes kernel = make_image(SMALL_KERNEL_BYTES);
    struct bytes packed = pack_gzip(kernel);
    struct bytes zboot = make_zboot(packed, "lzo");

    expect_refusal(zboot, "packed with 'lzo'");
    memcpy(zboot.data + 24, "gz\x1bp", 4);
    expect_refusal(zboot, "header is damaged");
    memset(zboot.data + 24, 'a', 32);
    expect_refusal(zboot, "packed with 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'");
    memcpy(zboot.data + 24, "gzip", 5);
    put(zboot.data, 8, UINT32_MAX, 4);
    put(zboot.data, 12, UINT32_MAX, 4);
    expect_refusal(zboot, "of 8589934590 bytes");
    put(zboot.data, 8, 100, 4);
    put(zboot.data, 12, 100, 4);
    expect_refusal(zboot, "no gzip data");
    put(zboot.data, 12, 0, 4);
    expect_refusal(zboot, "no gzip data");
    free(zboot.data);
    free(packed.data);
    free(kernel.data);
}
END_TEST

static void expect_refusal_of(const void *data, size_t size_bytes, const char *part)
{
    struct bytes file = make_bytes(size_bytes < 4096 ? 4096 : size_bytes);

    memcpy(file.data, data, size_bytes);
    expect_refusal(file, part);
    free(file.data);
}

static const struct {
    size_t offset;
    const char *bytes;
    size_t size_bytes;
    const char *part;
} foreigners[] = {
#define AT(offset, bytes, part)                                                                    \
    {                                                                                              \
        offset, bytes, sizeof(bytes) - 1, part                                                     \
    }
    AT(0x202, "HdrS", "x86 Linux kernel (bzImage)"),
    AT(0x24, "\x18\x28\x6f\x01",
       "32-bit Arm Linux kernel (zImage); armlet needs one built for arm64, or --cpu aarch32=on"),
    AT(56, "RSC\x05", "RISC-V"),
    AT(0, "\x27\x05\x19\x56", "uImage"),
    AT(0, "\xd0\x0d\xfe\xed", "--dtb"),
    AT(0, "070701", "--initrd"),
    AT(0, "\xc7\x71", "cpio"),
    AT(0, "BZh91AY&SY", "bunzip2"),
    AT(0, "\x89LZO\0\r\n\x1a\n", "lzop"),
    AT(0, "PK\x03\x04", "zip"),
    AT(0, "!<arch>\n", "Debian package"),
    AT(257, "ustar", "tar archive"),
    AT(32769, "CD001", "ISO 9660"),
    AT(0, "QFI\xfb", "qcow2"),
    AT(0, "hsqs", "squashfs"),
    AT(0, "#!/bin/sh\n", "a script"),
    AT(0, "MZ\x90", "EFI or Windows program, not"),
    AT(0, "", "nothing that armlet knows"),
    AT(0, "\xff\xff\xff\xff", "nothing that armlet knows"),
};

START_TEST(foreign_files_are_named)
{
    uint8_t data[33 << 10] = {0};

    memcpy(data + foreigners[_i].offset, foreigners[_i].bytes, foreigners[_i].size_bytes);
    expect_refusal_of(data, sizeof(data), foreigners[_i].part);
}
END_TEST

START_TEST(foreign_kernels_are_named_in_packings)
{
    struct bytes file = make_bytes(4096);

    memcpy(file.data + 0x202, "HdrS", 4);
    struct bytes packed = packers[_i].pack(file);

    expect_refusal(packed, "bzImage");
    free(packed.data);
    free(file.data);
}
END_TEST

START_TEST(efi_programs_are_named)
{
    uint8_t data[256] = "MZ";

    put(data, 60, 128, 4);
    memcpy(data + 128, "PE\0", 4);
    put(data, 132, 0xaa64, 2);
    expect_refusal_of(data, sizeof(data), "EFI program for arm64");
    put(data, 132, 0x8664, 2);
    expect_refusal_of(data, sizeof(data), "for x86-64");
    put(data, 60, UINT32_MAX, 4);
    expect_refusal_of(data, sizeof(data), "EFI or Windows program, not");
}
END_TEST

START_TEST(texts_and_scraps)
{
    static uint8_t text[] = "console=ttyAMA0\nroot=/dev/vda\n";
    static uint8_t scrap[] = {1, 2, 3, 4, 5};
    static uint8_t branch[] = {0, 0, 0, 0x14};

    expect_refusal((struct bytes){text, sizeof(text) - 1}, "it is a text");
    expect_refusal((struct bytes){scrap, sizeof(scrap)}, "it has 5 bytes");
    expect_refusal((struct bytes){scrap, 0}, "nothing in it");
    struct image_placement out;

    expect_load((struct bytes){branch, sizeof(branch)}, &out);
    expect_refusal((struct bytes){branch, 3}, "it has 3 bytes");
}
END_TEST

START_TEST(lzma_needs_a_sane_header)
{
    /* Nearly an lzma header each: a dictionary of no usual size, and more than can be. */
    static const uint8_t odd[] = {0x5d, 0, 0, 0x87, 0, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t large[] = {0x5d, 0, 0, 0x80, 0, 255, 255, 255, 255, 255, 255, 255, 254};
    static const uint8_t huge[] = {0x5d, 0, 0, 0, 0x40, 255, 255, 255, 255, 255, 255, 255, 255};

    expect_refusal_of(odd, sizeof(odd), "nothing that armlet knows");
    expect_refusal_of(large, sizeof(large), "nothing that armlet knows");
    expect_refusal_of(huge, sizeof(huge), "smaller window");
}
END_TEST

void image_add_faults(Suite *suite)
{
    TCase *tests = image_case(suite, "damage");

    ADD_EACH(tests, truncation_at_every_length, packers);
    ADD_EACH(tests, damage_is_an_error_or_harmless, packers);
    tcase_add_loop_test(tests, streams_in_a_row_and_what_follows, 0, COMPRESSOR_COUNT);
    ADD_EACH(tests, bombs_are_refused, packers);
    tcase_add_loop_test(tests, nested_packing_is_refused, 0, COMPRESSOR_COUNT);
    ADD_EACH(tests, elf_faults_are_told, elf_faults);
    tcase_add_test(tests, elf_linked_where_there_is_no_ram);
    tcase_add_test(tests, zboot_faults_are_told);
    tests = image_case(suite, "what is no kernel");
    ADD_EACH(tests, foreign_files_are_named, foreigners);
    ADD_EACH(tests, foreign_kernels_are_named_in_packings, packers);
    tcase_add_test(tests, efi_programs_are_named);
    tcase_add_test(tests, texts_and_scraps);
    tcase_add_test(tests, lzma_needs_a_sane_header);
}
