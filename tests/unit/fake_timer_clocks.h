// SPDX-License-Identifier: Apache-2.0
/* The clocks that timer devices read, both at one time, which the test sets. */
#ifndef TESTS_FAKE_TIMER_CLOCKS_H
#define TESTS_FAKE_TIMER_CLOCKS_H

#include "armlet/ticks.h"
#include "devices/monotonic_clock.h"

enum { FAKE_COUNTER_HZ = 62500000 };

/* The counter is so many ticks ahead of what the time makes it. */
#define FAKE_COUNTER_START (UINT64_C(1) << 40)

void fake_timer_clocks_set(uint64_t now_ns);

#endif
