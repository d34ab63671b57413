// SPDX-License-Identifier: Apache-2.0
/*
 * The guests that are measured, arm64 Images in the program's read-only data (bench_guest.S):
 * guests/bench.c and, for what a VMM costs by itself, guests/empty.c.
 */
#ifndef ARMLET_SRC_BENCH_BENCH_GUEST_H
#define ARMLET_SRC_BENCH_BENCH_GUEST_H

#include <stdint.h>

extern const uint8_t bench_guest[], empty_guest[];
extern const uint32_t bench_guest_bytes, empty_guest_bytes;

#endif
