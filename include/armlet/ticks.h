// SPDX-License-Identifier: Apache-2.0
/*
 * The clock of events and latencies: ticks of the virtual counter (CNTVCT_EL0, DDI 0487 D12), which
 * all CPUs of the host share and any program may read. Read only where somebody asked for times.
 * Any thread.
 */
#ifndef ARMLET_TICKS_H
#define ARMLET_TICKS_H

#include <stdint.h>

/* Ticks since an arbitrary moment; never less than an earlier reading of any thread. */
uint64_t ticks_now(void);

/* How many there are in a second (CNTFRQ_EL0): 1e9 on Armv9 hosts, 24e6 to 250e6 on earlier ones.
 */
uint64_t ticks_per_second(void);

#endif
