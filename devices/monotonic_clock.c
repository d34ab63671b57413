// SPDX-License-Identifier: Apache-2.0
#include "monotonic_clock.h"

#include <time.h>

#include "wall_clock.h"

uint64_t monotonic_clock_now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}
