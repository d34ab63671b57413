// SPDX-License-Identifier: Apache-2.0
/*
 * From time to ticks of a clock and back, in whole numbers: what is converted is always a point on
 * one scale, never a sum of rounded steps, so that nothing drifts. Pure functions: any thread.
 */
#ifndef DEVICES_TICK_SCALE_H
#define DEVICES_TICK_SCALE_H

#include <stdint.h>

#include "wall_clock.h"

/* Far enough for any deadline, near enough to be added to any present time: 146 years. */
#define TICKS_MOST_NS (UINT64_MAX / 4)

/* How many ticks of a clock of `hz` (1 to 2^32) have begun after `ns`. */
static inline uint64_t ticks_of_ns(uint64_t ns, uint64_t hz)
{
    return ns / NANOSECONDS_PER_SECOND * hz +
           ns % NANOSECONDS_PER_SECOND * hz / NANOSECONDS_PER_SECOND;
}

/* The first nanosecond at which ticks_of_ns() gives `ticks`; at most TICKS_MOST_NS. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    uint64_t seconds = ticks / hz;
    uint64_t rest = ticks % hz * NANOSECONDS_PER_SECOND;

    if (seconds >= TICKS_MOST_NS / NANOSECONDS_PER_SECOND) {
        return TICKS_MOST_NS;
    }
    return seconds * NANOSECONDS_PER_SECOND + (rest + hz - 1) / hz;
}

#endif
