// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of the GIC: version 2 (IHI 0048B) and 3 (IHI 0069H). For lib_gic.c, lib_its.c and the
 * guests that look behind the functions of guest.h.
 */
#ifndef ARMLET_GUESTS_GIC_REGISTERS_H
#define ARMLET_GUESTS_GIC_REGISTERS_H

/* The distributor; from GICD_IGROUPR to GICD_ICFGR, GICR_* of the SGI_base frame lie alike. */
enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IGROUPR = 0x080,
    GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180,
    GICD_ISPENDR = 0x200,
    GICD_ICPENDR = 0x280,
    GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800, /* GICv2 */
    GICD_ICFGR = 0xc00,
    GICD_SGIR = 0xf00,      /* GICv2 */
    GICD_CPENDSGIR = 0xf10, /* GICv2 */
    GICD_SPENDSGIR = 0xf20, /* GICv2 */
    GICD_IROUTER = 0x6000,  /* GICv3 */

    GICD_CTLR_ENABLE = 1 << 0,       /* GICv2; GICv3: EnableGrp1, or EnableGrp0 if DS */
    GICD_CTLR_ENABLE_GRP1A = 1 << 1, /* GICv3; EnableGrp1 if DS */
    GICD_CTLR_ARE = 1 << 4,
    GICD_TYPER_IT_LINES = 0x1f,
    GICD_SGIR_TARGET_SHIFT = 16,
    GICD_ICFGR_EDGE = 2,
};

#define GICD_CTLR_RWP (1U << 31)

/* A redistributor: RD_base, and SGI_base behind it. */
enum {
    GICR_CTLR = 0x0000,
    GICR_TYPER = 0x0008,
    GICR_WAKER = 0x0014,
    GICR_PROPBASER = 0x0070,
    GICR_PENDBASER = 0x0078,
    GICR_SGI_BASE = 0x10000,
    GICR_BYTES = 0x20000,
    GICR_BYTES_WITH_VLPIS = 0x40000,

    GICR_CTLR_ENABLE_LPIS = 1 << 0,
    GICR_CTLR_RWP = 1 << 3,
    GICR_TYPER_VLPIS = 1 << 1,
    GICR_TYPER_LAST = 1 << 4,
    GICR_TYPER_AFFINITY_SHIFT = 32,
    GICR_WAKER_PROCESSOR_SLEEP = 1 << 1,
    GICR_WAKER_CHILDREN_ASLEEP = 1 << 2,
};

/* The CPU interface of GICv2. */
enum {
    GICC_CTLR = 0x000,
    GICC_PMR = 0x004,
    GICC_BPR = 0x008,
    GICC_IAR = 0x00c,
    GICC_EOIR = 0x010,
    GICC_RPR = 0x014,
    GICC_HPPIR = 0x018,
    GICC_AIAR = 0x020,
    GICC_AEOIR = 0x024,
    GICC_DIR = 0x1000,
    GICC_CTLR_ENABLE = 1 << 0,
    GICC_CTLR_ENABLE_GRP1 = 1 << 1,
    GICC_CTLR_ACKCTL = 1 << 2,
    GICC_CTLR_FIQEN = 1 << 3,
    GICC_CTLR_EOIMODE = 1 << 9,
};

enum {
    GIC_INTIDS_PER_WORD = 32, /* of registers with a bit for each */
    GIC_FIRST_PPI = 16,
    GIC_FIRST_SPI = 32,
    GIC_FIRST_SPECIAL = 1020,
    GIC_FIRST_LPI = 8192,
};

#endif
