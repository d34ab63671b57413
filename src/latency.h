// SPDX-License-Identifier: Apache-2.0
/*
 * How long exits take: for each vCPU, the time in the guest before an exit (KVM's own work
 * included) and the time in armlet after it, by the kind of exit and, for accesses, by device.
 *
 * In ticks (armlet/ticks.h). The memory comes from the arena before the run; a vCPU's thread
 * records into its own, and anybody may sum up at any time (see histogram.h).
 */
#ifndef ARMLET_SRC_LATENCY_H
#define ARMLET_SRC_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/error.h"
#include "armlet/exit_kind.h"
#include "histogram.h"

/* Up to one exit, and after it. */
struct latency_pair {
    struct histogram guest;
    struct histogram vmm;
};

struct latency {
    struct latency_pair kinds[EXIT_KIND_COUNT];
    size_t source_count;          /* devices, in the order of the device table, and `nowhere` */
    struct latency_pair *sources; /* of exits of EXIT_KIND_MMIO */
};

/* Empty latencies of a machine with so many devices; NULL when there is no memory. */
struct latency *latency_create(struct arena *arena, size_t device_count,
                               struct error *error) WARN_UNUSED;

/* One exit. `source` is the device's index, or the number of devices: nothing was there. */
void latency_record(struct latency *latency, enum exit_kind kind, size_t source,
                    uint64_t guest_ticks, uint64_t vmm_ticks);

/* Adds another vCPU's, of the same machine. */
void latency_merge(struct latency *sum, const struct latency *latency);
/* Makes a sum empty again. */
void latency_clear(struct latency *latency);

#endif
