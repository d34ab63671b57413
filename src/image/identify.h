// SPDX-License-Identifier: Apache-2.0
/*
 * What a file is, by its first bytes; what isn't a kernel for arm64 is told by its name, with what
 * to do about it. Pure functions.
 */
#ifndef ARMLET_SRC_IMAGE_IDENTIFY_H
#define ARMLET_SRC_IMAGE_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/guest_memory.h"
#include "image/image.h"

/* How much is looked at: the farthest mark is that of an ISO 9660 volume, behind 16 sectors. */
enum { IDENTIFY_HEAD_BYTES = 36 << 10 };

/* For what is not packed (any more). `head` is the whole file if it's shorter than that. */
bool identify_kernel(const uint8_t *head, size_t head_bytes, enum image_kind *kind,
                     struct error *error) WARN_UNUSED;

/* Refuses what needs needed_bytes of memory, or, with 0, more than there is. Returns false. */
bool identify_too_large(const struct guest_memory *memory, uint64_t needed_bytes,
                        struct error *error);

#endif
