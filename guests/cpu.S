// SPDX-License-Identifier: Apache-2.0
/* What C can't say: turning the MMU on, the first steps of a secondary CPU, the vectors. */
#include "cpu.h"

// void mmu_enable(const void *table): uses no memory, so that a CPU without a stack may call it.
    .section .text.mmu_enable, "ax"
    .global mmu_enable
mmu_enable:
    mov x1, #MAIR_EL1_SET
    msr mair_el1, x1
    mov x1, #TCR_EL1_SET & 0xffff
    movk x1, #TCR_EL1_SET >> 16, lsl #16
    mrs x2, id_aa64mmfr0_el1
    and x2, x2, #0xf
    mov x3, #TCR_IPS_48
    cmp x2, x3
    csel x2, x2, x3, lo
    orr x1, x1, x2, lsl #TCR_IPS_SHIFT
    msr tcr_el1, x1
    msr ttbr0_el1, x0
    dsb sy
    isb
    tlbi vmalle1
    ic iallu
    dsb sy
    isb
    mov x1, #SCTLR_EL1_OFF & 0xffff
    movk x1, #SCTLR_EL1_OFF >> 16, lsl #16
    mov x2, #SCTLR_EL1_M | SCTLR_EL1_C
    orr x2, x2, #SCTLR_EL1_I
    orr x1, x1, x2
    msr sctlr_el1, x1
    isb
    ret

// Where PSCI starts a CPU; x0, the context ID, is the CPU's index.
    .section .text.secondary_start, "ax"
    .global secondary_start
secondary_start:
    mov x19, x0
    mrs x1, CurrentEL
    cmp x1, #CURRENT_EL_2
    b.ne 1f
    bl drop_to_el1
1:  adrp x0, translation_table
    add x0, x0, :lo12:translation_table
    bl mmu_enable
    adrp x1, secondary_stacks
    add x1, x1, :lo12:secondary_stacks
    add x2, x19, #1
    add x1, x1, x2, lsl #GUEST_STACK_SHIFT
    mov sp, x1
    mov x29, xzr
    mov x0, x19
    bl secondary_main
    b .

// void cpu_set_up(void): vectors, and FP and SIMD without traps.
    .section .text.cpu_set_up, "ax"
    .global cpu_set_up
cpu_set_up:
    adrp x0, vectors
    add x0, x0, :lo12:vectors
    msr vbar_el1, x0
    mov x0, #CPACR_FPEN
    msr cpacr_el1, x0
    isb
    ret

    .macro vector number
    .balign 128
    sub sp, sp, #FRAME_BYTES
    stp x0, x1, [sp]
    mov x1, #\number
    b exception_entry
    .endm

    .section .text.vectors, "ax"
    .balign 2048
vectors:
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector \number
    .endr

    .balign 128
exception_entry:
    stp x2, x3, [sp, #2 * 8]
    stp x4, x5, [sp, #4 * 8]
    stp x6, x7, [sp, #6 * 8]
    stp x8, x9, [sp, #8 * 8]
    stp x10, x11, [sp, #10 * 8]
    stp x12, x13, [sp, #12 * 8]
    stp x14, x15, [sp, #14 * 8]
    stp x16, x17, [sp, #16 * 8]
    stp x18, x19, [sp, #18 * 8]
    stp x20, x21, [sp, #20 * 8]
    stp x22, x23, [sp, #22 * 8]
    stp x24, x25, [sp, #24 * 8]
    stp x26, x27, [sp, #26 * 8]
    stp x28, x29, [sp, #28 * 8]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    mrs x4, esr_el1
    mrs x5, far_el1
    stp x30, x2, [sp, #FRAME_X30]
    stp x3, x4, [sp, #FRAME_SPSR]
    str x5, [sp, #FRAME_FAR]
    mov x0, sp
    bl exception_dispatch
    ldp x30, x2, [sp, #FRAME_X30]
    ldr x3, [sp, #FRAME_SPSR]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x28, x29, [sp, #28 * 8]
    ldp x26, x27, [sp, #26 * 8]
    ldp x24, x25, [sp, #24 * 8]
    ldp x22, x23, [sp, #22 * 8]
    ldp x20, x21, [sp, #20 * 8]
    ldp x18, x19, [sp, #18 * 8]
    ldp x16, x17, [sp, #16 * 8]
    ldp x14, x15, [sp, #14 * 8]
    ldp x12, x13, [sp, #12 * 8]
    ldp x10, x11, [sp, #10 * 8]
    ldp x8, x9, [sp, #8 * 8]
    ldp x6, x7, [sp, #6 * 8]
    ldp x4, x5, [sp, #4 * 8]
    ldp x2, x3, [sp, #2 * 8]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME_BYTES
    eret

// One a CPU, by its index.
    .section .stacks, "aw", %nobits
    .balign 16
secondary_stacks:
    .space STACKS_COUNT << GUEST_STACK_SHIFT
