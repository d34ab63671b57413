// SPDX-License-Identifier: Apache-2.0
/*
 * Device trees that exist already, ours or the operator's: load, change, write (Devicetree
 * Specification v0.4, chapter 5, and the Linux bindings for /chosen).
 *
 * A tree is a malloc'd block of `size_bytes` bytes, packed. A call that changes one may move it:
 * it updates the pointer and the size it is given, and whatever happens the caller then owns the
 * one block that the pointer names (fdt_apply_overlay() says otherwise). A tree given to these
 * functions came from fdt_writer_finish() or fdt_file_load(), which check it.
 *
 * One thread at a time for a tree; the I/O thread before the guest runs.
 */
#ifndef ARMLET_FDT_FILE_H
#define ARMLET_FDT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"

enum {
    FDT_FILE_MAX_BYTES = 2 << 20, /* Documentation/arch/arm64/booting.rst: at most 2 MiB */
    FDT_RNG_SEED_BYTES = 64,
};

/*
 * What the boot loader tells the kernel in /chosen. A member that is absent leaves the tree's
 * property as it is, but for the initrd: without one the properties that name it are removed.
 */
struct fdt_chosen {
    const char *bootargs;    /* the kernel's command line, or NULL or "" */
    const char *stdout_path; /* path or alias of the console, or NULL */
    gpa_t initrd_start;
    uint64_t initrd_bytes;                /* 0: no initrd */
    uint64_t kaslr_seed;                  /* 0: none */
    uint8_t rng_seed[FDT_RNG_SEED_BYTES]; /* all zero: none */
};

/*
 * Reads a device tree blob of at most FDT_FILE_MAX_BYTES and checks all of it. ERROR_FILE says what
 * is wrong with the file, and what would do where that can be known. The caller frees the result.
 */
void *fdt_file_load(const char *path, size_t *size_bytes, struct error *error) WARN_UNUSED;

/* What fdt_file_load() checks, for bytes in memory. On success *tree_bytes <= size_bytes. */
bool fdt_check_bytes(const void *data, size_t size_bytes, size_t *tree_bytes,
                     struct error *error) WARN_UNUSED;

/*
 * Applies a compiled overlay to a tree and returns the new tree; the old one is freed, also on
 * failure, which returns NULL. An overlay that names nodes by label needs a tree with /__symbols__
 * (`dtc -@`, or fdt_writer_enable_symbols()); one that uses target-path does not.
 */
void *fdt_apply_overlay(void *fdt, size_t *size_bytes, const char *overlay_path,
                        struct error *error) WARN_UNUSED;

/* The same with an overlay in memory, which is only read. */
void *fdt_apply_overlay_bytes(void *fdt, size_t *size_bytes, const void *overlay,
                              size_t overlay_bytes, struct error *error) WARN_UNUSED;

/* Adds /chosen if it is missing. Fails only for want of memory or in a malformed tree. */
bool fdt_set_chosen(void **fdt, size_t *size_bytes, const struct fdt_chosen *chosen,
                    struct error *error) WARN_UNUSED;

/*
 * Makes [base, base + memory_bytes) all the RAM that the tree describes: the first usable memory
 * node below the root is changed (or one is added), any other is removed. Fails if the root's
 * #address-cells and #size-cells can't hold it.
 */
bool fdt_set_memory(void **fdt, size_t *size_bytes, gpa_t base, uint64_t memory_bytes,
                    struct error *error) WARN_UNUSED;

/*
 * Writes a tree to a file, made or truncated, or to standard output for "-". A failure may leave a
 * part of it behind.
 */
bool fdt_write_file(const char *path, const void *fdt, size_t size_bytes,
                    struct error *error) WARN_UNUSED;

#endif
