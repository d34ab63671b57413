// SPDX-License-Identifier: Apache-2.0
/* data_cache.h where guests and we see the same memory. */
#include "data_cache.h"

void data_cache_clean(const void *start, size_t size_bytes)
{
    (void)start;
    (void)size_bytes;
}
