// SPDX-License-Identifier: Apache-2.0
/*
 * A PL011 that costs few exits: writes to UARTDR are coalesced, and all registers are read from a
 * page while reading them has no effect.
 *
 * Reading has an effect when the receive FIFO holds something (UARTDR takes it out), and when input
 * waits for a guest that polls (reads of UARTFR are counted): then there is no page, and reads exit
 * as ever. Writes are not coalesced in loopback, nor when the next one is to raise the transmit
 * interrupt that the guest waits for.
 *
 * A guest gets neither before it has written some characters in a row, so that those that print
 * little pay nothing, and loses coalescing when it is quiet, so that nothing needs to look into the
 * ring of a quiet guest. When the guest's or the operator's doing takes one away, it takes more
 * characters until the next attempt: switching costs tens of thousands of instructions.
 *
 * The caller holds the device's lock.
 */
#ifndef DEVICES_PL011_FAST_H
#define DEVICES_PL011_FAST_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/device_regions.h"
#include "pl011_registers.h"

struct pl011_fast {
    struct device_regions *regions; /* NULL: every access exits */
    uint32_t *page;                 /* NULL until it is first needed */
    bool page_on;
    bool coalesced;
    bool written;        /* since the last tick */
    uint32_t idle_ticks; /* in a row without a character */
    uint32_t characters; /* with something off that could be on */
    uint32_t threshold;  /* of `characters`, for an attempt to switch it on */
};

/* What the device is, beside its registers. */
struct pl011_fast_state {
    const struct pl011_registers *regs;
    uint32_t flags; /* UARTFR */
    bool tx_held;
    bool input_held;
};

/* In create. `regions` may be NULL. */
void pl011_fast_init(struct pl011_fast *fast, struct device_regions *regions);
/* The VM is gone, and nothing is switched on any more. */
void pl011_fast_reset(struct pl011_fast *fast);

/*
 * The state has changed: the page shows it, or goes. False if it had to go and couldn't: input must
 * not be taken.
 */
bool pl011_fast_follow(struct pl011_fast *fast, const struct pl011_fast_state *state);

/*
 * A character was written, coalesced or not. True if ticks are needed from now on, because writes
 * are coalesced.
 */
bool pl011_fast_count_character(struct pl011_fast *fast, const struct pl011_fast_state *state);

/* Some time has passed, and the ring was drained. False: no more ticks are needed. */
bool pl011_fast_tick(struct pl011_fast *fast);

#endif
