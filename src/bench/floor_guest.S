// SPDX-License-Identifier: Apache-2.0
/* The guest of the floor; see floor_guest.h. The loops are those of guests/bench_exits.c. */
#include "floor_guest.h"

    .section .rodata.floor_guest, "a"
    .balign 64
    .global floor_guest
    .type floor_guest, %object
floor_guest:
    mov x1, #FLOOR_MMIO
    mrs x3, cntfrq_el0
    str x3, [x1, #FLOOR_FREQUENCY]
1:  mov w0, #FLOOR_BATCH
    isb
    mrs x2, cntvct_el0
2:  ldr w3, [x1]
    subs w0, w0, #1
    b.ne 2b
    isb
    mrs x3, cntvct_el0
    sub x3, x3, x2
    str x3, [x1, #FLOOR_READ_RESULT]

    mov w0, #FLOOR_BATCH
    isb
    mrs x2, cntvct_el0
3:  str wzr, [x1]
    subs w0, w0, #1
    b.ne 3b
    isb
    mrs x3, cntvct_el0
    sub x3, x3, x2
    str x3, [x1, #FLOOR_WRITE_RESULT]
    b 1b
    .size floor_guest, . - floor_guest

    .global floor_guest_bytes
    .type floor_guest_bytes, %object
floor_guest_bytes:
    .long floor_guest_bytes - floor_guest
    .size floor_guest_bytes, 4

    .section .note.GNU-stack, "", %progbits
