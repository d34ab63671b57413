// SPDX-License-Identifier: Apache-2.0
/*
 * The floor: what KVM itself costs on this host, with no device model around it.
 *
 * A machine as small as one can be (a vGIC and one vCPU as armlet makes them, a page of code that
 * reads and writes MMIO) in a loop around KVM_RUN that does nothing. No VMM on this host can be
 * faster than that. One thread; it has to be on the CPU that the guests are measured on.
 */
#ifndef ARMLET_SRC_BENCH_FLOOR_H
#define ARMLET_SRC_BENCH_FLOOR_H

#include "report.h"

/*
 * Measures the benchmarks of `report` that are chosen: floor-read, floor-write, immediate-exit,
 * machine, `runs` samples of each.
 */
bool floor_measure(struct bench_report *report, uint32_t runs, struct error *error) WARN_UNUSED;

/* Whether guests of this host can have an ITS. */
bool floor_has_its(void);

#endif
