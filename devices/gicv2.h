// SPDX-License-Identifier: Apache-2.0
/*
 * The GICv2 (ARM IHI 0048B): distributor and CPU interfaces of up to 8 CPUs, without Security
 * Extensions, with both interrupt groups and with 32 priorities.
 *
 * What a CPU sees depends on which CPU looks: SGIs, PPIs and the CPU interface are banked. So each
 * CPU has a struct device of its own for either block, and the machine puts them at one address,
 * each into the view of its CPU. A write by CPU n's device is a write by CPU n.
 *
 * Interrupts come in by lines that gicv2_connect_spi() and gicv2_connect_ppi() make, and leave by
 * the IRQ and FIQ lines lent at create, which change only when their level does. Those are driven
 * under the GIC's lock, so that levels arrive in the order in which they came about.
 *
 * What the architecture leaves open, as KVM's own vGICv2 has it: PPIs are level-sensitive, SGIs can
 * be disabled, a machine of one CPU has target registers like any other. A write that sets pending
 * is forgotten, of a level-sensitive interrupt too, when the interrupt is acknowledged.
 *
 * Threads: create, connect, reset, destroy on the I/O thread while no vCPU runs; the rest, any. A
 * device may drive its line with its own lock held; the GIC calls out to the lent lines only.
 */
#ifndef DEVICES_GICV2_H
#define DEVICES_GICV2_H

#include <stdint.h>

#include "armlet/device.h"
#include "armlet/error.h"
#include "armlet/irq.h"
#include "armlet/log.h"

enum {
    GICV2_MAX_CPUS = 8,
    GICV2_MAX_INTIDS = 1020,
    GICV2_FIRST_PPI = 16, /* as an INTID */
    GICV2_FIRST_SPI = 32,
    GICV2_DISTRIBUTOR_BYTES = 0x1000,
    GICV2_CPU_INTERFACE_BYTES = 0x2000,
};

struct gicv2;

struct gicv2_config {
    uint32_t cpu_count;           /* 1 to 8 */
    uint32_t intid_count;         /* a multiple of 32 from 64 on, or 1020: INTIDs below exist */
    struct irq_line *irq_outputs; /* one a CPU, lent */
    struct irq_line *fiq_outputs; /* one a CPU, lent */
    struct log *log;              /* or NULL */
};

struct gicv2 *gicv2_create(const struct gicv2_config *config, struct error *error) WARN_UNUSED;
void gicv2_destroy(struct gicv2 *gic); /* NULL is allowed */
/* As after a reset of the hardware. Lines of SPIs keep the level that their devices drive, those of
 * PPIs are low. */
void gicv2_reset(struct gicv2 *gic);

/* The register blocks as this CPU sees them; owned by the GIC. */
struct device *gicv2_distributor(struct gicv2 *gic, uint32_t cpu);
struct device *gicv2_cpu_interface(struct gicv2 *gic, uint32_t cpu);

/* How often a CPU has taken this interrupt since create, through resets. Any thread: recent, not
 * exact. */
uint64_t gicv2_acknowledged(const struct gicv2 *gic, uint32_t cpu, uint32_t intid);

/* Make `line` a wire to this SPI, or to this PPI of a CPU. */
void gicv2_connect_spi(struct gicv2 *gic, struct irq_line *line, uint32_t intid);
void gicv2_connect_ppi(struct gicv2 *gic, struct irq_line *line, uint32_t cpu, uint32_t intid);

#endif
