// SPDX-License-Identifier: Apache-2.0
/* Offsets and bits of the GICv2's registers (ARM IHI 0048B, chapter 4). */
#ifndef DEVICES_GICV2_REGISTERS_H
#define DEVICES_GICV2_REGISTERS_H

/* Distributor; the arrays' last word is that of INTID 1019. */
enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_IGROUPR = 0x080,
    GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180,
    GICD_ISPENDR = 0x200,
    GICD_ICPENDR = 0x280,
    GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICD_ICFGR_END = 0xd00,
    GICD_SGIR = 0xf00,
    GICD_CPENDSGIR = 0xf10,
    GICD_SPENDSGIR = 0xf20,
    GICD_SPENDSGIR_END = 0xf30,
    GICD_PIDR4 = 0xfd0, /* PIDR4..7, PIDR0..3, CIDR0..3, one byte in each word */
};

#define GICD_CTLR_MASK 0x3U /* EnableGrp0, EnableGrp1 */

#define GICD_TYPER_CPU_NUMBER_SHIFT 5

#define GICD_SGIR_INTID_MASK        0xfU
#define GICD_SGIR_TARGETS_SHIFT     16
#define GICD_SGIR_TARGETS_MASK      0xffU
#define GICD_SGIR_FILTER_SHIFT      24
#define GICD_SGIR_FILTER_MASK       0x3U
#define GICD_SGIR_FILTER_LIST       0U
#define GICD_SGIR_FILTER_ALL_OTHERS 1U
#define GICD_SGIR_FILTER_SELF       2U

/* CPU interface */
enum {
    GICC_CTLR = 0x000,
    GICC_PMR = 0x004,
    GICC_BPR = 0x008,
    GICC_IAR = 0x00c,
    GICC_EOIR = 0x010,
    GICC_RPR = 0x014,
    GICC_HPPIR = 0x018,
    GICC_ABPR = 0x01c,
    GICC_AIAR = 0x020,
    GICC_AEOIR = 0x024,
    GICC_AHPPIR = 0x028,
    GICC_APR0 = 0x0d0,
    GICC_NSAPR0 = 0x0e0,
    GICC_IIDR = 0x0fc,
    GICC_DIR = 0x1000,
};

#define GICC_CTLR_ACKCTL  (1U << 2)
#define GICC_CTLR_FIQEN   (1U << 3)
#define GICC_CTLR_CBPR    (1U << 4)
#define GICC_CTLR_EOIMODE (1U << 9)
/* Also EnableGrp0 and EnableGrp1; there is no interrupt to bypass, so the bypass bits are zero. */
#define GICC_CTLR_MASK                                                                             \
    (0x3U | GICC_CTLR_ACKCTL | GICC_CTLR_FIQEN | GICC_CTLR_CBPR | GICC_CTLR_EOIMODE)

#define GICC_BPR_MASK 0x7U
enum { GICC_BPR_MIN = 2, GICC_ABPR_MIN = 3 }; /* for five bits of priority */

#define GICC_IAR_INTID_MASK   0x3ffU
#define GICC_IAR_SOURCE_SHIFT 10

/* GICD_IIDR, GICC_IIDR: of Arm, with the product 'a'; the CPU interface is of version 2. */
#define GICD_IIDR_VALUE 0x6100043bU
#define GICC_IIDR_VALUE 0x0612043bU

#endif
