// SPDX-License-Identifier: Apache-2.0
/* The first process of guests of --run; see guest_init.h. */
    .section .rodata.guest_init, "a"
    .balign 64
    .global guest_init
    .type guest_init, %object
guest_init:
    .incbin "guests/linux/init"
    .size guest_init, . - guest_init
    .set guest_init_length, . - guest_init

    .balign 4
    .global guest_init_bytes
    .type guest_init_bytes, %object
guest_init_bytes:
    .word guest_init_length
    .size guest_init_bytes, 4

    .section .note.GNU-stack, "", %progbits
