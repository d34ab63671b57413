// SPDX-License-Identifier: Apache-2.0
/*
 * ELF executables for bare AArch64 and AArch32 (System V ABI, "Object Files"; ELF for the Arm
 * 64-bit Architecture, AAELF64; ELF for the Arm Architecture, AAELF32). Which are loaded, and where
 * to, is in image/image.h. One thread.
 */
#ifndef ARMLET_SRC_IMAGE_ELF_H
#define ARMLET_SRC_IMAGE_ELF_H

#include "image/image.h"

/* Whether the header is one of a file that may be loaded. */
bool elf_check(const uint8_t *head, size_t head_bytes, enum execution_state state,
               struct error *error) WARN_UNUSED;

/* Fills in start, end and entry of `out`. */
bool elf_load(const struct packed *packed, enum execution_state state,
              const struct guest_memory *memory, struct image_placement *out,
              struct error *error) WARN_UNUSED;

#endif
