// SPDX-License-Identifier: Apache-2.0
/* What the library's files share among themselves; guests include guest.h alone. */
#ifndef ARMLET_GUESTS_LIB_H
#define ARMLET_GUESTS_LIB_H

#include "guest.h"

/* Of guest.ld. */
extern const char image_start[], image_end[];

/* cpu.S. */
void cpu_set_up(void);
void mmu_enable(const void *table);
void secondary_start(void);

/* lib_fdt.c: fills `machine`. */
void machine_find(const void *fdt);

/* lib_mmu.c: builds the table for machine's memory and turns the MMU on. */
void mmu_start(void);

/* lib_exception.c: what takes an IRQ; gic_init() sets it. */
void exception_set_irq_entry(void (*entry)(void));

/* lib_smp.c: records which CPU this is. */
void cpu_note_index(uint32_t index);

#endif
