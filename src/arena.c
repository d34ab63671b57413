// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Machines have a handful of long-lived allocations, so each block holds one of them. */
struct arena_block {
    _Alignas(CACHE_LINE_BYTES) struct arena_block *next;
    _Alignas(CACHE_LINE_BYTES) unsigned char bytes[];
};

void arena_finish(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

void *arena_alloc(struct arena *arena, size_t count, size_t element_bytes, struct error *error)
{
    size_t bytes;
    size_t total;
    struct arena_block *block = NULL;

    if (!__builtin_mul_overflow(count, element_bytes, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof(*block) + CACHE_LINE_BYTES - 1, &total))
        block = aligned_alloc(CACHE_LINE_BYTES, total & ~(size_t)(CACHE_LINE_BYTES - 1));
    if (!block) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate %zu x %zu bytes", count,
                        element_bytes);
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return memset(block->bytes, 0, bytes);
}
