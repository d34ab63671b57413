// SPDX-License-Identifier: Apache-2.0
/*
 * Guest physical addresses as a type of their own.
 *
 * A gpa_t is what the Arm architecture calls an intermediate physical address (IPA; DDI 0487,
 * D8.1): 64 bits of which at most 52 are used. It never mixes with host pointers or plain
 * integers by accident; guest_memory_span() in guest_memory.h is the only way from it to host
 * memory. Pure values: any thread.
 */
#ifndef ARMLET_GPA_H
#define ARMLET_GPA_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gpa {
    uint64_t value;
} gpa_t;

#define GPA(address) ((gpa_t){.value = (address)})

/* The address `bytes` above `base`. The caller has checked that it does not wrap. */
static inline gpa_t gpa_add(gpa_t base, uint64_t bytes)
{
    return GPA(base.value + bytes);
}

/* Whether [base, base + size) wraps around the end of the 64-bit address space. */
static inline bool gpa_range_wraps(gpa_t base, uint64_t size_bytes)
{
    return size_bytes > 0 && base.value + (size_bytes - 1) < base.value;
}

#endif
