// SPDX-License-Identifier: Apache-2.0
#include "data_cache.h"

#include <stdint.h>

/* The smallest line of any data cache (DDI 0487, CTR_EL0.DminLine: log2 of words). */
static size_t line_bytes(void)
{
    const unsigned min_line_shift = 16;
    const unsigned min_line_mask = 0xf;
    uint64_t ctr;

    __asm__("mrs %0, ctr_el0" : "=r"(ctr));
    return sizeof(uint32_t) << (ctr >> min_line_shift & min_line_mask);
}

void data_cache_clean(const void *start, size_t size_bytes)
{
    uintptr_t line = line_bytes();
    uintptr_t end = (uintptr_t)start + size_bytes;

    /* Linux lets EL0 do this (SCTLR_EL1.UCI), or does it for us. */
    for (uintptr_t at = (uintptr_t)start & ~(line - 1); at < end; at += line)
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}
