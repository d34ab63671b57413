// SPDX-License-Identifier: Apache-2.0
/*
 * What is in guest memory when the boot CPU starts: kernel, initrd, device tree, placed by the
 * boot protocol (Linux, Documentation/arch/arm64/booting.rst; for a guest that starts in AArch32,
 * Documentation/arch/arm/booting.rst). I/O thread.
 */
#ifndef ARMLET_SRC_BOOT_H
#define ARMLET_SRC_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"
#include "image/image.h"
#include "options.h"

struct boot_files {
    struct image *kernel;
    uint64_t initrd_bytes; /* 0: none */
};

struct boot_layout {
    struct image_placement kernel;
    gpa_t initrd;
    uint64_t initrd_bytes;
    gpa_t fdt;
};

/* Opens what the options name, so that a bad file is told before anything else is done. */
bool boot_open_files(struct boot_files *files, const struct options *options,
                     struct error *error) WARN_UNUSED;
void boot_close_files(struct boot_files *files);

/*
 * Loads kernel and initrd and decides where the tree goes. The same files load again on each
 * reboot.
 */
bool boot_load(const struct boot_files *files, const struct options *options,
               const struct guest_memory *memory, struct boot_layout *layout,
               struct error *error) WARN_UNUSED;

/*
 * Finishes the malloc'd `fdt` (of the machine, or the operator's) with /chosen and overlays,
 * writes it where asked, and copies it to layout->fdt. Frees it in any case.
 */
bool boot_place_fdt(void *fdt, size_t fdt_bytes, const struct options *options,
                    const struct guest_memory *memory, const struct boot_layout *layout,
                    struct error *error) WARN_UNUSED;

#endif
