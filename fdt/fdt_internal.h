// SPDX-License-Identifier: Apache-2.0
/* What the files of fdt/ share. I/O thread. */
#ifndef ARMLET_FDT_INTERNAL_H
#define ARMLET_FDT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"

/* fdt_file_load() without the context that names the file. */
void *fdt_read_file(const char *path, size_t *size_bytes, struct error *error) WARN_UNUSED;

/* The error for a tree of more than FDT_FILE_MAX_BYTES; returns false. */
bool fdt_too_large(struct error *error);

#endif
