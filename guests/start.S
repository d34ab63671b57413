// SPDX-License-Identifier: Apache-2.0
/*
 * The arm64 Image header and the way to guest_entry(fdt): EL1, relocations, bss, a stack; MMU off,
 * as the boot protocol (Linux, Documentation/arch/arm64/booting.rst) hands it over.
 */
#include "cpu.h"

    .section .head, "ax"
    .global _start
_start:
    b start
    .long 0
    .quad 0            // text_offset
    .quad image_end - _start // with bss and stacks
    .quad IMAGE_FLAGS
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

start:
    mov x19, x0
    mrs x1, CurrentEL
    cmp x1, #CURRENT_EL_2
    b.ne 1f
    bl drop_to_el1
1:  adrp x1, boot_stack_top
    add x1, x1, :lo12:boot_stack_top
    mov sp, x1

    // R_AARCH64_RELATIVE entries alone: the linker is told to refuse text relocations, and every
    // symbol is our own. The image is linked at 0.
    adrp x1, relocations_start
    add x1, x1, :lo12:relocations_start
    adrp x2, relocations_end
    add x2, x2, :lo12:relocations_end
    adr x3, _start
2:  cmp x1, x2
    b.hs 3f
    ldp x4, x5, [x1], #RELA_INFO_END
    ldr x6, [x1], #RELA_BYTES - RELA_INFO_END
    add x6, x6, x3
    str x6, [x4, x3]
    b 2b

3:  adrp x1, bss_start
    add x1, x1, :lo12:bss_start
    adrp x2, bss_end
    add x2, x2, :lo12:bss_end
4:  cmp x1, x2
    b.hs 5f
    stp xzr, xzr, [x1], #16
    b 4b

5:  mov x0, x19
    mov x29, xzr
    bl guest_entry
    b .

// From EL2, whatever its E2H; keeps x0 and x19, returns at EL1 with the MMU off.
    .text
    .global drop_to_el1
drop_to_el1:
    mov x1, #HCR_EL2_RW
    msr hcr_el2, x1
    isb
    mrs x1, hcr_el2
    mov x3, #SCTLR_EL1_OFF & 0xffff
    movk x3, #SCTLR_EL1_OFF >> 16, lsl #16
    tbnz x1, #HCR_EL2_E2H_SHIFT, 1f
    msr sctlr_el1, x3
    mov x1, #CNTHCTL_EL1_ACCESS
    mov x2, #CPTR_EL2_RES1
    b 2f
1:  msr SCTLR_EL12, x3
    mov x1, #CNTHCTL_EL1_ACCESS << CNTHCTL_E2H_SHIFT
    mov x2, #CPACR_FPEN
2:  msr cnthctl_el2, x1
    msr cptr_el2, x2
    msr cntvoff_el2, xzr
    mrs x1, midr_el1
    msr vpidr_el2, x1
    mrs x1, mpidr_el1
    msr vmpidr_el2, x1
    mrs x1, id_aa64pfr0_el1
    ubfx x1, x1, #ID_AA64PFR0_GIC_SHIFT, #4
    cbz x1, 3f
    mov x1, #ICC_SRE_EL2_OPEN
    msr ICC_SRE_EL2, x1
    isb
3:  mov x1, #SPSR_EL1H_MASKED
    msr spsr_el2, x1
    msr elr_el2, x30
    eret

    .section .stacks, "aw", %nobits
    .balign 16
    .space BOOT_STACK_BYTES
boot_stack_top:
