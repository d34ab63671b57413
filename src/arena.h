// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that lives as long as the machine and is released as one.
 *
 * One thread, before the run: the run loop allocates nothing. A failed allocation is an error of
 * the host.
 */
#ifndef ARMLET_SRC_ARENA_H
#define ARMLET_SRC_ARENA_H

#include <stddef.h>

#include "armlet/error.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

enum { CACHE_LINE_BYTES = 64 };

/* An empty arena needs no initialisation beyond zero. */
void arena_finish(struct arena *arena);

/* `count` zeroed elements, aligned to a cache line. */
void *arena_alloc(struct arena *arena, size_t count, size_t element_bytes,
                  struct error *error) WARN_UNUSED;

#endif
