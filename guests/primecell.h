// SPDX-License-Identifier: Apache-2.0
/* What the guests for Arm's PrimeCell peripherals share: the identification registers. */
#ifndef ARMLET_GUESTS_PRIMECELL_H
#define ARMLET_GUESTS_PRIMECELL_H

#include "guest.h"

enum {
    PRIMECELL_PERIPH_ID0 = 0xfe0,
    PRIMECELL_PERIPH_ID1 = 0xfe4,
    PRIMECELL_PERIPH_ID2 = 0xfe8, /* revision in bits [7:4] */
    PRIMECELL_PERIPH_ID3 = 0xfec,
    PRIMECELL_PCELL_ID0 = 0xff0,
    PRIMECELL_PCELL_ID1 = 0xff4,
    PRIMECELL_PCELL_ID2 = 0xff8,
    PRIMECELL_PCELL_ID3 = 0xffc,
    PRIMECELL_REVISION_SHIFT = 4,
    PRIMECELL_NOT_REVISION = 0xf, /* the rest of PERIPH_ID2 */
};

/* The identification of a part ("0x011": PL011) by Arm, of any revision, at each width. */
static inline void check_primecell_ids(uint64_t base, uint32_t part)
{
    const uint32_t designer_low = 0x1 << 4; /* Arm is 0x41 */
    const uint32_t designer_high = 0x4;

    CHECK_EQ(read32(base + PRIMECELL_PERIPH_ID0), part & 0xff);
    CHECK_EQ(read32(base + PRIMECELL_PERIPH_ID1), designer_low | part >> 8);
    CHECK_EQ(read32(base + PRIMECELL_PERIPH_ID2) & PRIMECELL_NOT_REVISION, designer_high);
    CHECK_EQ(read32(base + PRIMECELL_PERIPH_ID3), 0);
    CHECK_EQ(read32(base + PRIMECELL_PCELL_ID0), 0x0d);
    CHECK_EQ(read32(base + PRIMECELL_PCELL_ID1), 0xf0);
    CHECK_EQ(read32(base + PRIMECELL_PCELL_ID2), 0x05);
    CHECK_EQ(read32(base + PRIMECELL_PCELL_ID3), 0xb1);
    for (uint64_t id = base + PRIMECELL_PERIPH_ID0; id <= base + PRIMECELL_PCELL_ID3; id += 4) {
        CHECK_EQ(read8(id), read32(id));
        CHECK_EQ(read16(id), read32(id));
    }
}

#endif
