// SPDX-License-Identifier: Apache-2.0
/* guests/linux/init.c, the program that is the first process of guests of --run. */
#ifndef ARMLET_SRC_GUEST_INIT_H
#define ARMLET_SRC_GUEST_INIT_H

#include <stdint.h>

extern const uint8_t guest_init[];
extern const uint32_t guest_init_bytes;

#endif
