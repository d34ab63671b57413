// SPDX-License-Identifier: Apache-2.0
/* The identity map: one level-1 table of 1 GiB blocks, shared by all CPUs. */
#include "cpu.h"
#include "lib.h"

enum { BLOCK_SHIFT = 30, TABLE_ENTRIES = 1 << (TABLE_VA_BITS - BLOCK_SHIFT) };

/* VMSAv8-64 block descriptors (DDI0487, D8.3). */
#define DESC_BLOCK           1ULL
#define DESC_ATTR_INDEX(i)   ((uint64_t)(i) << 2)
#define DESC_INNER_SHAREABLE (3ULL << 8)
#define DESC_ACCESSED        (1ULL << 10)
#define DESC_NO_EXECUTE      (3ULL << 53)
#define DESC_DEVICE          (DESC_BLOCK | DESC_ATTR_INDEX(MAIR_DEVICE) | DESC_ACCESSED | DESC_NO_EXECUTE)
#define DESC_MEMORY                                                                                \
    (DESC_BLOCK | DESC_ATTR_INDEX(MAIR_NORMAL) | DESC_ACCESSED | DESC_INNER_SHAREABLE)

#define CTR_EL0_DMINLINE(ctr) ((uint32_t)((ctr) >> 16) & 0xfU) /* log2 of words */

/* cpu.S loads it on secondary CPUs. */
extern uint64_t translation_table[TABLE_ENTRIES];
_Alignas(TABLE_ENTRIES * sizeof(uint64_t)) uint64_t translation_table[TABLE_ENTRIES];

static void table_fill(void)
{
    uint64_t first = machine.memory_base >> BLOCK_SHIFT;
    uint64_t last = (machine.memory_base + machine.memory_bytes - 1) >> BLOCK_SHIFT;

    for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
        translation_table[i] =
            (i << BLOCK_SHIFT) | (i >= first && i <= last ? DESC_MEMORY : DESC_DEVICE);
}

/* What was written with the MMU off is in memory alone; what the caches hold of it is older. */
static void forget_cached_image(void)
{
    uint64_t line = sizeof(uint32_t) << CTR_EL0_DMINLINE(READ_SYSREG(ctr_el0));
    uint64_t end = (uint64_t)image_end;

    __asm__ volatile("dsb sy" : : : "memory");
    for (uint64_t at = (uint64_t)image_start & ~(line - 1); at < end; at += line)
        __asm__ volatile("dc ivac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

void mmu_start(void)
{
    table_fill();
    forget_cached_image();
    mmu_enable(translation_table);
}
