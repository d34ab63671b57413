// SPDX-License-Identifier: Apache-2.0
/* A time of day that the test sets. */
#ifndef TESTS_FAKE_WALL_CLOCK_H
#define TESTS_FAKE_WALL_CLOCK_H

#include "devices/wall_clock.h"

void fake_wall_clock_set(uint64_t now_ns);

#endif
