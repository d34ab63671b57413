// SPDX-License-Identifier: Apache-2.0
/* Kernels of every kind, made and packed here with the libraries that unpack them. */
#ifndef ARMLET_TESTS_UNIT_IMAGE_FIXTURE_H
#define ARMLET_TESTS_UNIT_IMAGE_FIXTURE_H

#include <check.h>
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/guest_memory.h"
#include "image/image.h"

enum {
    RAM_BYTES = 16 << 20,
    KERNEL_BYTES = 300000,
    SMALL_KERNEL_BYTES = 2000,
    TEXT_OFFSET = 0x10000,
    IMAGE_SIZE = 0x200000,
    ZIMAGE_TABLE_OFFSET = 0x400,
    ZIMAGE_SIZE_OFFSET = 0x600,
};

#define RAM_BASE 0x40000000ull

/* The caller frees `data`. */
struct bytes {
    uint8_t *data;
    size_t size_bytes;
};

/* The guest's RAM; make_memory() and drop_memory() are the fixture of each test. */
extern struct guest_memory memory;
/* Of what is loaded; AArch64 at the start of each test. */
extern enum execution_state guest_state;
void make_memory(void);
void drop_memory(void);

struct bytes make_bytes(size_t size_bytes);
struct bytes make_copy(struct bytes in);
struct bytes append_bytes(struct bytes a, const void *data, size_t size_bytes);
void put(uint8_t *data, size_t offset, uint64_t value, size_t size_bytes);

struct bytes make_image(size_t size_bytes);
/* Adds a PE header whose one section ends where the file does, as Linux's does. */
void add_pe(struct bytes image);
struct bytes make_flat(size_t size_bytes);
/* Two segments, 0x1000 and 0x200000 above the addresses; the second has bss. */
struct bytes make_elf(uint16_t type, uint64_t physical, uint64_t virtual);
/* The same for 32-bit Arm. */
struct bytes make_elf32(uint16_t type, uint32_t physical, uint32_t virtual);
/* Has a table that tells what it unpacks to. */
struct bytes make_zimage(size_t size_bytes, uint32_t unpacked_bytes, uint32_t bss_bytes);
struct bytes make_flat_a32(size_t size_bytes);
struct bytes make_zboot(struct bytes payload, const char *name);

struct packer {
    const char *name;
    const char *zboot_name; /* NULL: not used in them */
    struct bytes (*pack)(struct bytes in);
};

/* The last one packs nothing. */
enum { PACKER_COUNT = 7, COMPRESSOR_COUNT = PACKER_COUNT - 1 };
extern const struct packer packers[PACKER_COUNT];
struct bytes pack_gzip(struct bytes in);
struct bytes pack_xz(struct bytes in);

bool try_load(struct bytes file, struct image_placement *out, struct error *error);
void expect_load(struct bytes file, struct image_placement *out);
void expect_refusal(struct bytes file, const char *part);
/* All above RAM_BASE. */
void expect_range(const struct image_placement *out, uint64_t start, uint64_t end, uint64_t entry);
void expect_bytes(uint64_t offset, struct bytes bytes);

void make_path(char path[64]);
void write_file(const char *path, struct bytes bytes);

TCase *image_case(Suite *suite, const char *name);
/* image_faults.c */
void image_add_faults(Suite *suite);
/* image_aarch32.c */
void image_add_aarch32(Suite *suite);

#define ADD_EACH(tests, test, table)                                                               \
    tcase_add_loop_test(tests, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

#endif
