// SPDX-License-Identifier: Apache-2.0
/*
 * The GICv3 interrupt translation service and LPIs (IHI 0069H, chapters 5 and 12), for machines
 * with machine.its. Each function waits until the ITS has done what it was told; a failed check
 * says that it has not. From one CPU at a time.
 */
#ifndef ARMLET_GUESTS_ITS_H
#define ARMLET_GUESTS_ITS_H

#include "guest.h"

enum {
    GITS_CTLR = 0x0000,
    GITS_TYPER = 0x0008,
    GITS_CBASER = 0x0080,
    GITS_CWRITER = 0x0088,
    GITS_CREADR = 0x0090,
    GITS_BASER = 0x0100,
    GITS_PIDR2 = 0xffe8,
    GITS_BASER_COUNT = 8,

    GITS_CTLR_ENABLED = 1 << 0,
    GITS_TYPER_PHYSICAL = 1 << 0,
    GITS_TYPER_PTA = 1 << 19,
    GITS_CREADR_STALLED = 1 << 0,
    GITS_PIDR2_ARCH_SHIFT = 4,
};
#define GITS_CTLR_QUIESCENT (1U << 31)
#define GITS_VALID          (1ULL << 63) /* of GITS_CBASER and GITS_BASER<n> */

/* The ITS and its tables, in memory_take(); after gic_init(). */
void its_init(void);
/* LPIs of the CPU that calls, before a collection is mapped to it; after gic_init_cpu(). */
void its_init_cpu(void);

/* Takes effect with the next its_invalidate() of an event that is mapped to the LPI. */
void its_configure_lpi(uint32_t lpi, uint8_t priority, bool enabled);

void its_map_device(uint32_t device, uint32_t event_bits);
void its_map_collection(uint32_t collection, uint32_t cpu_index);
void its_map_event(uint32_t device, uint32_t event, uint32_t lpi, uint32_t collection);
void its_move_event(uint32_t device, uint32_t event, uint32_t collection);
void its_discard_event(uint32_t device, uint32_t event);
void its_invalidate(uint32_t device, uint32_t event);
void its_interrupt(uint32_t device, uint32_t event); /* as if the device had written */
void its_clear(uint32_t device, uint32_t event);

#endif
