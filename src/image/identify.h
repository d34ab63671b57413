// SPDX-License-Identifier: Apache-2.0
/*
 * What a file is, by its first bytes; what isn't a kernel for the guest's state is told by its
 * name, with what to do about it. Pure functions.
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
bool identify_kernel(const uint8_t *head, size_t head_bytes, enum execution_state state,
                     enum image_kind *kind, struct error *error) WARN_UNUSED;

/* Refuses what is for the state that the guest is not in; `what` is "an arm64 Image". */
bool identify_other_state(const char *what, enum execution_state guest, struct error *error);

/* What a kernel has to be built for: "arm64". Constant. */
const char *identify_state_name(enum execution_state state);

/*
 * Refuses what needs needed_bytes of memory, or, with 0, more than there is. Returns false. More
 * than any Arm system can address is no need but damage.
 */
bool identify_too_large(const struct guest_memory *memory, uint64_t needed_bytes,
                        struct error *error);

#endif
