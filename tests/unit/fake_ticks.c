// SPDX-License-Identifier: Apache-2.0
#include "fake_ticks.h"

#include <stdatomic.h>

static _Atomic uint64_t reads;

uint64_t ticks_now(void)
{
    return FAKE_TICKS_STEP * (atomic_fetch_add(&reads, 1) + 1);
}

uint64_t ticks_per_second(void)
{
    return FAKE_TICKS_PER_SECOND;
}

uint64_t fake_ticks_reads(void)
{
    return atomic_load(&reads);
}
