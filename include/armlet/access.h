// SPDX-License-Identifier: Apache-2.0
/*
 * The width and direction of one access to a device: what a data abort's syndrome calls SAS and
 * WnR (DDI 0487, ESR_ELx, ISS encoding for a Data Abort). Pure values: any thread.
 */
#ifndef ARMLET_ACCESS_H
#define ARMLET_ACCESS_H

#include <stdint.h>

enum access_width {
    ACCESS_8_BIT = 1,
    ACCESS_16_BIT = 2,
    ACCESS_32_BIT = 4,
    ACCESS_64_BIT = 8,
};

enum access_kind {
    ACCESS_READ,
    ACCESS_WRITE,
};

/* All ones in the bits that an access of this width transfers. */
static inline uint64_t access_mask(enum access_width width)
{
    return UINT64_MAX >> (-8U * (unsigned)width % 64);
}

#endif
