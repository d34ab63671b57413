// SPDX-License-Identifier: Apache-2.0
/* Walks of translation tables that each test builds itself, good ones and hostile ones. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "translate.h"

Suite *unit_suite(void);

#define KIB(n)    ((uint64_t)(n) << 10)
#define MIB(n)    ((uint64_t)(n) << 20)
#define GIB(n)    ((uint64_t)(n) << 30)
#define RAM       GIB(1)
#define RAM_BYTES MIB(2)

/* TCR_EL1: both halves have the same granule and size; IPS is 48 bits. */
#define TG0_4K  (UINT64_C(0) << 14)
#define TG0_64K (UINT64_C(1) << 14)
#define TG0_16K (UINT64_C(2) << 14)
#define TG1_16K (UINT64_C(1) << 30)
#define TG1_4K  (UINT64_C(2) << 30)
#define TG1_64K (UINT64_C(3) << 30)
#define TG_4K   (TG0_4K | TG1_4K)
#define TG_16K  (TG0_16K | TG1_16K)
#define TG_64K  (TG0_64K | TG1_64K)
#define BITS(n) ((uint64_t)(64 - (n)) | (uint64_t)(64 - (n)) << 16)
#define EPD0    (UINT64_C(1) << 7)
#define EPD1    (UINT64_C(1) << 23)
#define IPS_52  (UINT64_C(6) << 32)
#define TBI0    (UINT64_C(1) << 37)
#define TBI1    (UINT64_C(1) << 38)
#define DS      (UINT64_C(1) << 59)

/* Descriptors; the attributes must not matter. */
#define INVALID    UINT64_C(0)
#define BLOCK      UINT64_C(1)
#define TABLE      UINT64_C(3)
#define PAGE       UINT64_C(3)
#define CONTIGUOUS (UINT64_C(1) << 52)
#define ATTRIBUTES (UINT64_C(0x0060000000000f04))
/* With TCR_EL1.DS: no SH, which gives its place to address bits 51 and 50. */
#define ATTRIBUTES_DS (ATTRIBUTES & ~HIGH_DS(3))
#define HIGH_DS(bits) (UINT64_C(bits) << 8)
#define UPPER_HALF    UINT64_C(0xffff000000000000)

static uint64_t ram[RAM_BYTES / sizeof(uint64_t)] __attribute__((aligned(4096)));

static struct guest_memory memory_at(uint64_t base)
{
    return (struct guest_memory){GPA(base), RAM_BYTES, (uint8_t *)ram};
}

static struct guest_memory memory(void)
{
    return memory_at(RAM);
}

static void clear(void)
{
    memset(ram, 0, sizeof(ram));
}

static void put(uint64_t table, uint64_t index, uint64_t descriptor)
{
    ram[(table - RAM) / sizeof(uint64_t) + index] = descriptor;
}

static struct translation_registers registers(uint64_t tcr)
{
    return (struct translation_registers){
        .sctlr_el1 = SCTLR_EL1_M,
        .tcr_el1 = tcr,
        .ttbr0_el1 = RAM,
        .ttbr1_el1 = RAM + KIB(64),
    };
}

static void check_at_in(const struct guest_memory *guest, const struct translation_registers *regs,
                        uint64_t va, uint64_t expected)
{
    struct error error = {0};
    gpa_t address = GPA(0);

    ck_assert_msg(translate_address(regs, guest, va, &address, &error), "0x%lx: %s", va,
                  error.message);
    ck_assert_uint_eq(address.value, expected);
}

static void check_at(const struct translation_registers *regs, uint64_t va, uint64_t expected)
{
    struct guest_memory guest = memory();

    check_at_in(&guest, regs, va, expected);
}

static void check_refused(const struct translation_registers *regs, uint64_t va, const char *reason)
{
    struct guest_memory guest = memory();
    struct error error = {0};
    gpa_t address;

    ck_assert_msg(!translate_address(regs, &guest, va, &address, &error), "0x%lx", va);
    ck_assert_int_eq(error.code, ERROR_GUEST);
    ck_assert_msg(strstr(error.message, reason) != NULL, "0x%lx: %s", va, error.message);
}

START_TEST(without_translation_addresses_are_physical)
{
    struct translation_registers regs = {0};

    check_at(&regs, 0, 0);
    check_at(&regs, 0x9010004, 0x9010004);
    check_at(&regs, (UINT64_C(1) << 52) - 1, (UINT64_C(1) << 52) - 1);
    check_refused(&regs, UINT64_C(1) << 52, "no physical address");
    check_refused(&regs, UINT64_C(0xaa) << 56, "no physical address");
    regs.tcr_el1 = TBI0;
    check_at(&regs, UINT64_C(0xaa) << 56 | 0x1234, 0x1234);
    check_refused(&regs, UINT64_C(1) << 53, "no physical address");
}
END_TEST

START_TEST(pages_of_4k_are_found_through_four_levels)
{
    struct translation_registers regs = registers(TG_4K | BITS(48));
    uint64_t va = UINT64_C(0x123456789abc);

    clear();
    put(RAM, va >> 39, (RAM + KIB(4)) | TABLE);
    put(RAM + KIB(4), va >> 30 & 0x1ff, (RAM + KIB(8)) | TABLE | ATTRIBUTES);
    put(RAM + KIB(8), va >> 21 & 0x1ff, (RAM + KIB(12)) | TABLE);
    put(RAM + KIB(12), va >> 12 & 0x1ff, 0xfedcba987000 | PAGE | ATTRIBUTES | CONTIGUOUS);
    check_at(&regs, va, 0xfedcba987abc);
    check_at(&regs, va - 0xabc, 0xfedcba987000);
    check_at(&regs, va + 0x543, 0xfedcba987fff);
    check_refused(&regs, va + 0x544, "level 3 descriptor 0x0");
    check_refused(&regs, va + MIB(2), "level 2");
    check_refused(&regs, va + GIB(1), "level 1");
    check_refused(&regs, va + GIB(512), "level 0");
    regs.ttbr0_el1 |= UINT64_C(0x1234) << 48 | 1; /* ASID, CnP */
    check_at(&regs, va, 0xfedcba987abc);
}
END_TEST

START_TEST(blocks_of_4k_tables_end_the_walk)
{
    struct translation_registers regs = registers(TG_4K | BITS(39));

    clear();
    put(RAM, 0, BLOCK | ATTRIBUTES);
    put(RAM, 1, GIB(7) | BLOCK | CONTIGUOUS);
    put(RAM, 2, (RAM + KIB(4)) | TABLE);
    put(RAM + KIB(4), 511, MIB(6) | BLOCK | ATTRIBUTES);
    check_at(&regs, 0x9010ffc, 0x9010ffc);
    check_at(&regs, GIB(1) + 0x3fffffff, GIB(7) + 0x3fffffff);
    check_at(&regs, GIB(3) - 1, MIB(8) - 1);
    check_refused(&regs, GIB(3), "level 1");
}
END_TEST

START_TEST(a_block_where_none_can_be_is_refused)
{
    struct translation_registers regs = registers(TG_4K | BITS(48));

    clear();
    put(RAM, 0, BLOCK);
    check_refused(&regs, 0, "level 0 descriptor 0x1");
    regs = registers(TG_16K | BITS(47));
    check_refused(&regs, 0, "level 1 descriptor 0x1");
    regs = registers(TG_4K | BITS(21));
    check_refused(&regs, 0, "level 3 descriptor 0x1"); /* reserved */
}
END_TEST

START_TEST(granules_of_16k)
{
    struct translation_registers regs = registers(TG_16K | BITS(48));

    clear();
    put(RAM, 1, (RAM + KIB(16)) | TABLE); /* level 0 has two entries */
    put(RAM + KIB(16), 3, (RAM + KIB(32)) | TABLE);
    put(RAM + KIB(32), 5, MIB(64) | BLOCK);
    put(RAM + KIB(32), 6, (RAM + KIB(48)) | TABLE);
    put(RAM + KIB(48), 7, KIB(16) * 9 | PAGE);
    uint64_t va = UINT64_C(1) << 47 | UINT64_C(3) << 36;
    check_at(&regs, va | UINT64_C(5) << 25 | 0x1ffffff, MIB(64) + 0x1ffffff);
    check_at(&regs, va | UINT64_C(6) << 25 | UINT64_C(7) << 14 | 0x3fff, KIB(160) - 1);
    regs = registers(TG_16K | BITS(36));
    regs.ttbr0_el1 = RAM + KIB(32);
    check_at(&regs, UINT64_C(5) << 25, MIB(64));
}
END_TEST

START_TEST(granules_of_64k)
{
    struct translation_registers regs = registers(TG_64K | BITS(48));

    clear();
    put(RAM, 2, (RAM + KIB(64)) | TABLE); /* level 1 */
    put(RAM + KIB(64), 3, MIB(512) * 5 | BLOCK);
    put(RAM + KIB(64), 4, (RAM + KIB(128)) | TABLE);
    put(RAM + KIB(128), 8191, KIB(64) * 77 | PAGE | ATTRIBUTES);
    uint64_t va = UINT64_C(2) << 42;
    check_at(&regs, va | UINT64_C(3) << 29 | 0x1fffffff, MIB(512) * 6 - 1);
    check_at(&regs, (va | UINT64_C(5) << 29) - 1, KIB(64) * 78 - 1);
}
END_TEST

START_TEST(addresses_of_52_bits_with_64k)
{
    struct translation_registers regs = registers(TG_64K | BITS(52) | IPS_52);
    uint64_t va = UINT64_C(0xf) << 48 | UINT64_C(1) << 42;
    uint64_t index = va >> 42;

    clear();
    put(RAM, index, UINT64_C(3) << 42 | UINT64_C(0xa) << 12 | BLOCK);
    put(RAM, index + 1, (RAM + KIB(64)) | TABLE);
    put(RAM + KIB(64), 0, (RAM + KIB(128)) | TABLE);
    put(RAM + KIB(128), 0, KIB(64) * 3 | UINT64_C(0xf) << 12 | PAGE);
    check_at(&regs, va + 5, UINT64_C(0xa) << 48 | UINT64_C(3) << 42 | 5);
    check_at(&regs, va + (UINT64_C(1) << 42), UINT64_C(0xf) << 48 | KIB(64) * 3);
    regs.ttbr0_el1 |= UINT64_C(1) << 2; /* bit 48 of the table's address */
    check_refused(&regs, va, "outside RAM");
    regs.tcr_el1 &= ~IPS_52;
    check_at(&regs, va + 5, UINT64_C(0xa) << 48 | UINT64_C(3) << 42 | 5);
}
END_TEST

/* What would be bits of its address for a smaller table are bits 51 and 50 here. */
START_TEST(a_small_first_table_of_52_bits_is_aligned_to_64_bytes)
{
    struct translation_registers regs = registers(TG_64K | BITS(30) | IPS_52);
    struct guest_memory high = memory_at(UINT64_C(0xc) << 48 | RAM);

    clear();
    put(RAM + 64, 1, MIB(512) * 9 | BLOCK);
    regs.ttbr0_el1 = (RAM + 64) | UINT64_C(0xc) << 2;
    check_at_in(&high, &regs, MIB(512), MIB(512) * 9);
}
END_TEST

/* Only descriptors differ with a size that needs no further level. */
START_TEST(pages_of_4k_with_ds)
{
    struct translation_registers regs = registers(TG_4K | BITS(48) | DS);
    uint64_t va = UINT64_C(0x123456789abc);

    clear();
    put(RAM, va >> 39, (RAM + KIB(4)) | TABLE);
    put(RAM + KIB(4), va >> 30 & 0x1ff, (RAM + KIB(8)) | TABLE | ATTRIBUTES_DS);
    put(RAM + KIB(8), va >> 21 & 0x1ff, (RAM + KIB(12)) | TABLE);
    put(RAM + KIB(12), va >> 12 & 0x1ff, 0x3fedcba987000 | HIGH_DS(3) | PAGE | ATTRIBUTES_DS);
    check_at(&regs, va, 0xffedcba987abc);
    put(RAM + KIB(12), va >> 12 & 0x1ff, 0x2fedcba987000 | HIGH_DS(1) | PAGE | CONTIGUOUS);
    check_at(&regs, va, 0x6fedcba987abc);
    regs.tcr_el1 &= ~DS; /* now bits 9 and 8 are attributes, and 49 and 48 nothing */
    check_at(&regs, va, 0xfedcba987abc);
}
END_TEST

START_TEST(level_minus_1_of_4k_with_ds)
{
    struct translation_registers regs = registers(TG_4K | BITS(52) | DS);
    uint64_t va = UINT64_C(0xf123456789abc);
    uint64_t upper = UINT64_MAX << 52;

    clear();
    put(RAM, 15, (RAM + KIB(4)) | TABLE); /* 16 entries */
    put(RAM + KIB(4), va >> 39 & 0x1ff, (RAM + KIB(8)) | TABLE);
    put(RAM + KIB(8), va >> 30 & 0x1ff, (RAM + KIB(12)) | TABLE);
    put(RAM + KIB(12), va >> 21 & 0x1ff, (RAM + KIB(16)) | TABLE);
    put(RAM + KIB(16), va >> 12 & 0x1ff, GIB(5) | HIGH_DS(2) | PAGE);
    check_at(&regs, va, UINT64_C(2) << 50 | GIB(5) | 0xabc);
    check_refused(&regs, va + KIB(4), "level 3 descriptor 0x0");
    check_refused(&regs, va + GIB(512), "level 0 descriptor 0x0");
    check_refused(&regs, 0, "level -1 descriptor 0x0");
    check_refused(&regs, UINT64_C(1) << 52, "no half");
    put(RAM, 0, BLOCK);
    check_refused(&regs, 0, "level -1 descriptor 0x1");
    put(RAM + KIB(64), 15, (RAM + KIB(4)) | TABLE);
    check_at(&regs, upper | va, UINT64_C(2) << 50 | GIB(5) | 0xabc);
    regs.ttbr0_el1 = 0;
    check_refused(&regs, 0, "level -1 table");
    regs = registers(TG_4K | BITS(49) | DS); /* two entries, which fill 64 bytes alone */
    put(RAM, 1, (RAM + KIB(4)) | TABLE);
    check_at(&regs, (va & ((UINT64_C(1) << 49) - 1)), UINT64_C(2) << 50 | GIB(5) | 0xabc);
}
END_TEST

START_TEST(blocks_of_4k_tables_with_ds)
{
    struct translation_registers regs = registers(TG_4K | BITS(48) | DS);

    clear();
    put(RAM, 0, GIB(512) * 0x5ff | HIGH_DS(2) | BLOCK | ATTRIBUTES_DS);
    put(RAM, 1, (RAM + KIB(4)) | TABLE);
    put(RAM + KIB(4), 0, UINT64_C(3) << 48 | GIB(7) | HIGH_DS(1) | BLOCK);
    put(RAM + KIB(4), 1, (RAM + KIB(8)) | TABLE);
    put(RAM + KIB(8), 511, MIB(6) | HIGH_DS(3) | BLOCK | CONTIGUOUS);
    check_at(&regs, GIB(512) - 1, UINT64_C(2) << 50 | (GIB(512) * 0x600 - 1));
    check_at(&regs, GIB(513) - 1, UINT64_C(7) << 48 | (GIB(8) - 1));
    check_at(&regs, GIB(514) - 1, UINT64_C(3) << 50 | (MIB(8) - 1));
}
END_TEST

START_TEST(granules_of_16k_with_ds)
{
    struct translation_registers regs = registers(TG_16K | BITS(52) | DS);
    uint64_t va = UINT64_C(31) << 47; /* level 0 has 32 entries */

    clear();
    put(RAM, 0, BLOCK);
    put(RAM, 31, (RAM + KIB(16)) | TABLE | ATTRIBUTES_DS);
    put(RAM + KIB(16), 2, GIB(64) * 0x3003 | HIGH_DS(3) | BLOCK | ATTRIBUTES_DS);
    put(RAM + KIB(16), 3, (RAM + KIB(32)) | TABLE);
    put(RAM + KIB(32), 5, UINT64_C(2) << 48 | MIB(64) | HIGH_DS(1) | BLOCK);
    put(RAM + KIB(32), 6, (RAM + KIB(48)) | TABLE);
    put(RAM + KIB(48), 7, KIB(16) * 9 | HIGH_DS(2) | PAGE | CONTIGUOUS);
    check_refused(&regs, 0, "level 0 descriptor 0x1");
    check_at(&regs, va + GIB(64) * 3 - 1, UINT64_C(3) << 50 | (GIB(64) * 0x3004 - 1));
    va += GIB(64) * 3;
    check_at(&regs, va + MIB(32) * 6 - 1, UINT64_C(6) << 48 | (MIB(96) - 1));
    check_at(&regs, va + MIB(32) * 6 + KIB(16) * 8 - 1, UINT64_C(2) << 50 | (KIB(160) - 1));
    check_refused(&regs, UINT64_C(1) << 52, "no half");
}
END_TEST

/* Tables are found at all 52 bits of an address, whatever IPS says. */
START_TEST(tables_at_52_bits_with_ds)
{
    struct guest_memory high = memory_at(UINT64_C(0xd) << 48 | RAM);
    struct translation_registers regs = registers(TG_4K | BITS(39) | DS);
    uint64_t to_high = UINT64_C(1) << 48 | HIGH_DS(3);

    clear();
    put(RAM, 1, (RAM + KIB(16)) | to_high | TABLE);
    put(RAM + KIB(16), 2, MIB(10) | BLOCK);
    regs.ttbr0_el1 = RAM | UINT64_C(0xd) << 2;
    check_at_in(&high, &regs, GIB(1) + MIB(4), MIB(10));
    regs = registers(TG_16K | BITS(47) | DS);
    regs.ttbr0_el1 = RAM | UINT64_C(0xd) << 2;
    put(RAM, 1, (RAM + KIB(16)) | to_high | TABLE);
    put(RAM + KIB(16), 2, MIB(96) | BLOCK);
    check_at_in(&high, &regs, GIB(64) + MIB(64), MIB(96));
    regs.ttbr0_el1 = RAM;
    check_refused(&regs, GIB(64) + MIB(64), "level 2 table at 0xd000040004010 is outside RAM");
}
END_TEST

START_TEST(a_small_first_table_with_ds_is_aligned_to_64_bytes)
{
    struct translation_registers regs = registers(TG_4K | BITS(31) | DS);
    struct guest_memory high = memory_at(UINT64_C(0xf) << 48 | RAM);

    clear();
    put(RAM + 64, 1, GIB(9) | BLOCK);
    regs.ttbr0_el1 = (RAM + 64) | UINT64_C(0xf) << 2 | 1; /* CnP */
    check_at_in(&high, &regs, GIB(1), GIB(9));
    put(RAM + 16, 1, GIB(3) | BLOCK);
    regs = registers(TG_4K | BITS(31));
    regs.ttbr0_el1 = RAM + 16;
    check_at(&regs, GIB(1), GIB(3));
}
END_TEST

START_TEST(granules_of_64k_ignore_ds)
{
    struct translation_registers regs = registers(TG_64K | BITS(48) | DS);

    clear();
    put(RAM, 0, MIB(512) | HIGH_DS(3) | UINT64_C(3) << 48 | BLOCK);
    put(RAM, 2, (RAM + KIB(64)) | TABLE);
    put(RAM + KIB(64), 3, MIB(512) * 5 | HIGH_DS(3) | UINT64_C(0x6) << 12 | BLOCK);
    check_at(&regs, 7, 7); /* 4 TiB */
    check_at(&regs, UINT64_C(2) << 42 | UINT64_C(3) << 29, UINT64_C(6) << 48 | MIB(512) * 5);
    regs.ttbr0_el1 |= UINT64_C(0xf) << 2;
    check_at(&regs, 7, 7);
    /* The other half may have a granule to which it matters. */
    regs = registers(TG0_64K | TG1_4K | BITS(48) | DS);
    put(RAM + KIB(64), 0, GIB(512) | HIGH_DS(1) | BLOCK);
    check_at(&regs, UPPER_HALF | 7, UINT64_C(1) << 50 | GIB(512) | 7);
    check_at(&regs, 7, 7);
}
END_TEST

START_TEST(each_half_has_its_own_table)
{
    struct translation_registers regs = registers(TG_4K | BITS(39));
    uint64_t upper = UINT64_MAX << 39;

    clear();
    put(RAM, 0, GIB(4) | BLOCK);
    put(RAM + KIB(64), 0, GIB(8) | BLOCK);
    put(RAM + KIB(64), 511, GIB(9) | BLOCK);
    check_at(&regs, 8, GIB(4) + 8);
    check_at(&regs, upper + 8, GIB(8) + 8);
    check_at(&regs, UINT64_MAX, GIB(10) - 1);
    check_refused(&regs, UINT64_C(1) << 39, "no half");
    check_refused(&regs, upper - 1, "no half");
    check_refused(&regs, UINT64_C(1) << 63, "no half");
    regs.tcr_el1 |= EPD0;
    check_refused(&regs, 8, "switched off");
    check_at(&regs, upper + 8, GIB(8) + 8);
    regs.tcr_el1 ^= EPD0 | EPD1;
    check_at(&regs, 8, GIB(4) + 8);
    check_refused(&regs, upper + 8, "switched off");
    /* A granule and a size of its own. */
    regs = registers(TG0_4K | TG1_64K | 25 | (64 - 42) << 16);
    put(RAM + KIB(64), 1, MIB(512) * 3 | BLOCK);
    check_at(&regs, 8, GIB(4) + 8);
    check_at(&regs, (UINT64_MAX << 42) + MIB(512), MIB(512) * 3);
}
END_TEST

START_TEST(tags_are_ignored_where_the_guest_wants_it)
{
    struct translation_registers regs = registers(TG_4K | BITS(39));
    uint64_t lower = UINT64_C(0xab) << 56 | 16;
    uint64_t upper = (UINT64_MAX << 39 & ~(UINT64_C(0xff) << 56)) | 16;

    clear();
    put(RAM, 0, GIB(4) | BLOCK);
    put(RAM + KIB(64), 0, GIB(8) | BLOCK);
    check_refused(&regs, lower, "no half");
    check_refused(&regs, upper, "no half");
    regs.tcr_el1 |= TBI0;
    check_at(&regs, lower, GIB(4) + 16);
    check_refused(&regs, lower | UINT64_C(1) << 50, "no half");
    check_refused(&regs, upper, "no half");
    regs.tcr_el1 |= TBI1;
    check_at(&regs, upper, GIB(8) + 16);
}
END_TEST

START_TEST(tables_may_be_big_endian)
{
    struct translation_registers regs = registers(TG_4K | BITS(39));

    clear();
    put(RAM, 1, __builtin_bswap64(GIB(6) | BLOCK));
    regs.sctlr_el1 |= SCTLR_EL1_EE;
    check_at(&regs, GIB(1) + 4, GIB(6) + 4);
}
END_TEST

START_TEST(tables_outside_ram_are_refused)
{
    struct translation_registers regs = registers(TG_4K | BITS(39));
    static const uint64_t bad[] = {0, RAM - KIB(4), RAM + RAM_BYTES, UINT64_C(0xfffffffff000)};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        clear();
        put(RAM, 0, bad[i] | TABLE);
        check_refused(&regs, 0, "level 2 table");
        regs.ttbr0_el1 = bad[i];
        check_refused(&regs, 0, "level 1 table");
        regs.ttbr0_el1 = RAM;
    }
}
END_TEST

START_TEST(tables_that_point_to_themselves_end)
{
    struct translation_registers regs = registers(TG_4K | BITS(48));

    clear();
    for (uint64_t i = 0; i < 512; i++)
        put(RAM, i, RAM | TABLE);
    check_at(&regs, 0x123456789abc, RAM + 0xabc);
    regs = registers(TG_4K | BITS(52) | DS);
    check_at(&regs, 0xf123456789abc, RAM + 0xabc);
}
END_TEST

START_TEST(what_is_reserved_or_unknown_is_refused)
{
    struct translation_registers regs = registers(UINT64_C(3) << 14 | TG1_4K | BITS(48));

    clear();
    check_refused(&regs, 0, "reserved granule");
    regs = registers(TG0_4K | BITS(48));
    check_refused(&regs, UPPER_HALF, "reserved granule");
    regs = registers(TG_4K | BITS(49));
    check_refused(&regs, 0, "49 bits");
    regs = registers(TG_16K | BITS(49));
    check_refused(&regs, 0, "49 bits");
    regs = registers(TG_4K | BITS(53) | DS);
    check_refused(&regs, 0, "53 bits");
    regs = registers(TG_16K | BITS(53) | DS);
    check_refused(&regs, 0, "53 bits");
    regs = registers(TG_4K | BITS(15) | DS);
    check_refused(&regs, 0, "15 bits");
    regs = registers(TG_64K | BITS(53));
    check_refused(&regs, 0, "53 bits");
    regs = registers(TG_4K); /* T0SZ = 0 */
    check_refused(&regs, 0, "64 bits");
    regs = registers(TG_4K | 63);
    check_refused(&regs, 0, "1 bits");
    regs = registers(TG_64K | BITS(16));
    check_refused(&regs, 0, "16 bits");
}
END_TEST

static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* No registers and tables, whatever they hold, do more than fail. */
START_TEST(anything_in_registers_and_tables_is_safe)
{
    enum { ROUNDS = 200000 };
    struct guest_memory guest = memory();
    const uint64_t in_ram = (RAM_BYTES - 1) & ~(uint64_t)7;
    const uint64_t page_in_ram = (RAM_BYTES - 1) & ~(KIB(4) - 1);

    for (size_t i = 0; i < sizeof(ram) / sizeof(ram[0]); i++)
        ram[i] = i % 2 ? random_number() : (RAM + (random_number() & page_in_ram)) | TABLE;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct translation_registers regs = {
            .sctlr_el1 = random_number() | SCTLR_EL1_M,
            .tcr_el1 = random_number(),
            .ttbr0_el1 = RAM + (random_number() & in_ram),
            .ttbr1_el1 = RAM + (random_number() & in_ram),
        };
        uint64_t va = random_number() >> random_number() % 64;
        struct error error = {0};
        gpa_t address;

        if (i % 2)
            va = ~va;
        if (translate_address(&regs, &guest, va, &address, &error))
            ck_assert_uint_lt(address.value, UINT64_C(1) << 52);
        else
            ck_assert_int_eq(error.code, ERROR_GUEST);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("translate");
    TCase *cases = tcase_create("translate");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, without_translation_addresses_are_physical);
    tcase_add_test(cases, pages_of_4k_are_found_through_four_levels);
    tcase_add_test(cases, blocks_of_4k_tables_end_the_walk);
    tcase_add_test(cases, a_block_where_none_can_be_is_refused);
    tcase_add_test(cases, granules_of_16k);
    tcase_add_test(cases, granules_of_64k);
    tcase_add_test(cases, addresses_of_52_bits_with_64k);
    tcase_add_test(cases, a_small_first_table_of_52_bits_is_aligned_to_64_bytes);
    tcase_add_test(cases, pages_of_4k_with_ds);
    tcase_add_test(cases, level_minus_1_of_4k_with_ds);
    tcase_add_test(cases, blocks_of_4k_tables_with_ds);
    tcase_add_test(cases, granules_of_16k_with_ds);
    tcase_add_test(cases, tables_at_52_bits_with_ds);
    tcase_add_test(cases, a_small_first_table_with_ds_is_aligned_to_64_bytes);
    tcase_add_test(cases, granules_of_64k_ignore_ds);
    tcase_add_test(cases, each_half_has_its_own_table);
    tcase_add_test(cases, tags_are_ignored_where_the_guest_wants_it);
    tcase_add_test(cases, tables_may_be_big_endian);
    tcase_add_test(cases, tables_outside_ram_are_refused);
    tcase_add_test(cases, tables_that_point_to_themselves_end);
    tcase_add_test(cases, what_is_reserved_or_unknown_is_refused);
    tcase_add_test(cases, anything_in_registers_and_tables_is_safe);
    suite_add_tcase(suite, cases);
    return suite;
}
