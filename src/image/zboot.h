// SPDX-License-Identifier: Apache-2.0
/*
 * EFI zboot images: a kernel packed behind a small EFI program that unpacks it (Linux,
 * drivers/firmware/efi/libstub/zboot-header.S). The program is left alone, the kernel taken out.
 * Pure functions.
 */
#ifndef ARMLET_SRC_IMAGE_ZBOOT_H
#define ARMLET_SRC_IMAGE_ZBOOT_H

#include "image/decompress.h"

bool zboot_detect(const uint8_t *head, size_t head_bytes);

/*
 * Where the kernel is in `file`, which starts with `head`. ERROR_FILE when that is not all in the
 * file, or packed with something that armlet doesn't unpack.
 */
bool zboot_find(const struct file *file, const uint8_t *head, size_t head_bytes,
                struct packed *packed, struct error *error) WARN_UNUSED;

#endif
