// SPDX-License-Identifier: Apache-2.0
/* The guest that runs when no kernel is given; see builtin_guest.h. */
    .section .rodata.builtin_guest, "a"
    .balign 64
    .global builtin_guest
    .type builtin_guest, %object
builtin_guest:
    .incbin "guests/info"
    .size builtin_guest, . - builtin_guest

    .global builtin_guest_end
    .type builtin_guest_end, %object
builtin_guest_end:
    .byte 0
    .size builtin_guest_end, 1

    .section .note.GNU-stack, "", %progbits
