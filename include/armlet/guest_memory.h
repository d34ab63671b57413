// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's RAM as the host sees it.
 *
 * guest_memory_span() is the one way from a guest physical address to a host pointer: it checks
 * the whole range and gives nothing otherwise. The bytes behind a span belong to the guest and
 * change under the reader's hands while a vCPU runs: copy what is checked, check the copy.
 * Spans: any thread, valid as long as the machine.
 */
#ifndef ARMLET_GUEST_MEMORY_H
#define ARMLET_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"

struct span {
    uint8_t *data;
    size_t size_bytes;
};

/* One block of RAM: [base, base + size_bytes). */
struct guest_memory {
    gpa_t base;
    uint64_t size_bytes;
    uint8_t *host; /* page aligned */
};

/*
 * The host bytes of [address, address + size_bytes) if all of it is RAM; false, and an empty
 * span, otherwise. A size of 0 is never in RAM.
 */
bool guest_memory_span(const struct guest_memory *memory, gpa_t address, uint64_t size_bytes,
                       struct span *span) WARN_UNUSED;

#endif
