// SPDX-License-Identifier: Apache-2.0
#include "fake_wall_clock.h"

static uint64_t fixture_now_ns;

uint64_t wall_clock_now_ns(void)
{
    return fixture_now_ns;
}

void fake_wall_clock_set(uint64_t now_ns)
{
    fixture_now_ns = now_ns;
}
