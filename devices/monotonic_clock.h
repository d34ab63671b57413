// SPDX-License-Identifier: Apache-2.0
/* The clock of the event loop's timers, behind a function so that tests can bring their own. */
#ifndef DEVICES_MONOTONIC_CLOCK_H
#define DEVICES_MONOTONIC_CLOCK_H

#include <stdint.h>

/* Nanoseconds on CLOCK_MONOTONIC: from an arbitrary start, never back. Any thread. */
uint64_t monotonic_clock_now_ns(void);

#endif
