// SPDX-License-Identifier: Apache-2.0
/* The guests that are measured; see bench_guest.h. */
    .macro guest name, file
    .balign 64
    .global \name
    .type \name, %object
\name:
    .incbin "\file"
    .size \name, . - \name

    .balign 4
    .global \name\()_bytes
    .type \name\()_bytes, %object
\name\()_bytes:
    .long \name\()_bytes - \name
    .size \name\()_bytes, 4
    .endm

    .section .rodata.bench_guest, "a"
    guest bench_guest, "guests/bench"
    guest empty_guest, "guests/empty"

    .section .note.GNU-stack, "", %progbits
