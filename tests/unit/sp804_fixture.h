// SPDX-License-Identifier: Apache-2.0
/* The SP804's registers, for its tests. */
#ifndef TESTS_SP804_FIXTURE_H
#define TESTS_SP804_FIXTURE_H

enum {
    LOAD = 0x00,
    VALUE = 0x04,
    CONTROL = 0x08,
    INT_CLR = 0x0c,
    RIS = 0x10,
    MIS = 0x14,
    BG_LOAD = 0x18,
    TIMER2 = 0x20,
    ITCR = 0xf00,
    ITOP = 0xf04,
};

enum {
    ONE_SHOT = 1 << 0,
    SIZE_32 = 1 << 1,
    PRE_16 = 1 << 2,
    PRE_256 = 2 << 2,
    INT_ENABLE = 1 << 5,
    PERIODIC = 1 << 6,
    ENABLE = 1 << 7,
};

enum { HZ = 24000000, TICKS_PER_MS = HZ / 1000 };

#endif
