// SPDX-License-Identifier: Apache-2.0
#include "fake_timer_clocks.h"

#include "devices/tick_scale.h"

static uint64_t fixture_now_ns;

uint64_t monotonic_clock_now_ns(void)
{
    return fixture_now_ns;
}

uint64_t ticks_now(void)
{
    return FAKE_COUNTER_START + ticks_of_ns(fixture_now_ns, FAKE_COUNTER_HZ);
}

uint64_t ticks_per_second(void)
{
    return FAKE_COUNTER_HZ;
}

void fake_timer_clocks_set(uint64_t now_ns)
{
    fixture_now_ns = now_ns;
}
