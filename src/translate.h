// SPDX-License-Identifier: Apache-2.0
/*
 * Stage 1 of the guest's address translation at EL1 and EL0 (DDI 0487, D8.2 and D8.3): from a
 * virtual address to the guest physical address, as the guest's own tables have it.
 *
 * Known are translation switched off, the 4, 16 and 64 KiB granules, both halves of the address
 * space with tagged addresses, 52-bit addresses with the 64 KiB granule (FEAT_LVA, FEAT_LPA) and,
 * if TCR_EL1.DS is set, with the others (FEAT_LPA2), and tables of either endianness. Permissions
 * and the access flag are not looked at: the guest's access has passed them already.
 *
 * The tables are the guest's and may change at any time: each descriptor is read once, from RAM
 * only, and there are at most five. Pure functions but for those reads: any thread.
 */
#ifndef ARMLET_SRC_TRANSLATE_H
#define ARMLET_SRC_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"

/* SCTLR_EL1 */
#define SCTLR_EL1_M   (UINT64_C(1) << 0)  /* stage 1 translates */
#define SCTLR_EL1_E0E (UINT64_C(1) << 24) /* data accesses at EL0 are big-endian */
#define SCTLR_EL1_EE  (UINT64_C(1) << 25) /* ... and so are those at EL1, and the tables */

struct translation_registers {
    uint64_t sctlr_el1;
    uint64_t tcr_el1;
    uint64_t ttbr0_el1;
    uint64_t ttbr1_el1;
};

/*
 * ERROR_GUEST, with what is wrong with the address or its tables, if there is no translation. The
 * address found is not checked to be RAM.
 */
bool translate_address(const struct translation_registers *registers,
                       const struct guest_memory *memory, uint64_t virtual_address, gpa_t *address,
                       struct error *error) WARN_UNUSED;

#endif
