// SPDX-License-Identifier: Apache-2.0
#include "armlet/guest_memory.h"

bool guest_memory_span(const struct guest_memory *memory, gpa_t address, uint64_t size_bytes,
                       struct span *span)
{
    uint64_t offset = address.value - memory->base.value;

    /* Below the base the offset wraps to beyond the size. */
    if (size_bytes == 0 || offset >= memory->size_bytes ||
        size_bytes > memory->size_bytes - offset) {
        *span = (struct span){0};
        return false;
    }
    *span = (struct span){.data = memory->host + offset, .size_bytes = (size_t)size_bytes};
    return true;
}
