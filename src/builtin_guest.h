// SPDX-License-Identifier: Apache-2.0
/*
 * The bare-metal guest that runs when no kernel is given: guests/info.c as an arm64 Image, linked
 * into the program's read-only data by builtin_guest.S.
 */
#ifndef ARMLET_SRC_BUILTIN_GUEST_H
#define ARMLET_SRC_BUILTIN_GUEST_H

#include <stdint.h>

extern const uint8_t builtin_guest[];
extern const uint8_t builtin_guest_end[];

#endif
