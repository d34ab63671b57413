// SPDX-License-Identifier: Apache-2.0
/* The host's time of day, behind a function so that tests can bring their own. Any thread. */
#ifndef DEVICES_WALL_CLOCK_H
#define DEVICES_WALL_CLOCK_H

#include <stdint.h>

enum { NANOSECONDS_PER_SECOND = 1000000000 };

/* Nanoseconds since 1970-01-01 00:00 UTC; may step when the host's clock is set. */
uint64_t wall_clock_now_ns(void);

#endif
