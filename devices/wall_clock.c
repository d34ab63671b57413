// SPDX-License-Identifier: Apache-2.0
#include "wall_clock.h"

#include <time.h>

uint64_t wall_clock_now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}
