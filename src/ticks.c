// SPDX-License-Identifier: Apache-2.0
#include "armlet/ticks.h"

uint64_t ticks_now(void)
{
    uint64_t ticks;

    /* The counter may be read ahead of what comes before it in the program, but for the barrier. */
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}

uint64_t ticks_per_second(void)
{
    uint64_t frequency;

    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}
