// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that a guest may read around the data caches: one that maps a page of ours as Device
 * memory does so on hosts without FEAT_S2FWB (DDI 0487, D8.6), where stage 2 can't overrule it.
 * data_cache.c is for arm64; unit tests link a fake, for they run anywhere. Any thread.
 */
#ifndef ARMLET_SRC_DATA_CACHE_H
#define ARMLET_SRC_DATA_CACHE_H

#include <stddef.h>

/* What was written to these bytes is in memory when this returns (DC CVAC). */
void data_cache_clean(const void *start, size_t size_bytes);

#endif
