// SPDX-License-Identifier: Apache-2.0
/* A counter that goes on by FAKE_TICKS_STEP each time that it is read: any machine, any thread. */
#ifndef TESTS_FAKE_TICKS_H
#define TESTS_FAKE_TICKS_H

#include "armlet/ticks.h"

enum { FAKE_TICKS_STEP = 10 };

#define FAKE_TICKS_PER_SECOND UINT64_C(1000000000)

/* How often it was read. */
uint64_t fake_ticks_reads(void);

#endif
