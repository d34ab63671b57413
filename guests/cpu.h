// SPDX-License-Identifier: Apache-2.0
/*
 * What start.S, cpu.S and the library's C agree on: bits of the system registers that they set, and
 * the layout of struct exception_frame. Macros alone, since the assembler reads it too.
 */
#ifndef ARMLET_GUESTS_CPU_H
#define ARMLET_GUESTS_CPU_H

/* Little endian, pages of 4 KiB, loaded anywhere in memory (booting.rst, "flags"). */
#define IMAGE_FLAGS 0xa

#define BOOT_STACK_BYTES  16384
#define GUEST_STACK_SHIFT 12  /* GUEST_STACK_BYTES */
#define STACKS_COUNT      512 /* GUEST_MAX_CPUS */

#define RELA_BYTES    24 /* struct Elf64_Rela: r_offset, r_info, r_addend */
#define RELA_INFO_END 16

#define CURRENT_EL_2 (2 << 2)

/* ---- EL2 (DDI0487, D19.2) ---- */
#define HCR_EL2_RW            (1 << 31)
#define HCR_EL2_E2H_SHIFT     34
#define CNTHCTL_EL1_ACCESS    3 /* EL1PCTEN, EL1PCEN */
#define CNTHCTL_E2H_SHIFT     10
#define CPTR_EL2_RES1         0x33ff
#define ID_AA64PFR0_GIC_SHIFT 24
#define ICC_SRE_EL2_OPEN      0xf /* Enable, DIB, DFB, SRE */
#define SPSR_EL1H_MASKED      0x3c5
#define SCTLR_EL12            s3_5_c1_c0_0
#define ICC_SRE_EL2           s3_4_c12_c9_5

/* ---- EL1 ---- */
#define SCTLR_EL1_OFF 0x30d00800 /* the RES1 bits of Armv8.0 */
#define SCTLR_EL1_M   (1 << 0)
#define SCTLR_EL1_C   (1 << 2)
#define SCTLR_EL1_I   (1 << 12)
#define CPACR_FPEN    (3 << 20)

/* Index 0: Device-nGnRE; 1: Normal, write-back, allocating. */
#define MAIR_DEVICE  0
#define MAIR_NORMAL  1
#define MAIR_EL1_SET 0xff04

#define TABLE_VA_BITS 39
/* T0SZ; IRGN0, ORGN0 write-back; SH0 inner shareable; TG0 4 KiB; no TTBR1. */
#define TCR_EL1_SET   ((64 - TABLE_VA_BITS) | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23))
#define TCR_IPS_SHIFT 32
#define TCR_IPS_48    5

/* ---- struct exception_frame ---- */
#define FRAME_X30   (30 * 8)
#define FRAME_SPSR  (32 * 8)
#define FRAME_FAR   (34 * 8)
#define FRAME_BYTES 288 /* a multiple of 16, as SP demands */

#endif
