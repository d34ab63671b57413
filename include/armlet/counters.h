// SPDX-License-Identifier: Apache-2.0
/*
 * Counters: how often what happened, always on.
 *
 * A counter is a uint64_t that one thread at a time adds to (a vCPU's own thread, or whoever holds
 * the device's lock), without a lock or an atomic read-modify-write, in cache lines that no other
 * thread writes. Anybody may read one at any time with counter_read(): a value of a moment ago.
 * Several read one after the other needn't fit together while vCPUs run. They count from the
 * machine's creation and go on through resets.
 *
 * ARMLET_NO_COUNTERS leaves counting out. It is for measuring what counting costs (bench/exit-path)
 * and nothing else: --stats and --explain say zero then.
 */
#ifndef ARMLET_COUNTERS_H
#define ARMLET_COUNTERS_H

#include <stdint.h>

#include "armlet/exit_kind.h"

static inline void counter_add(uint64_t *counter, uint64_t amount)
{
#ifdef ARMLET_NO_COUNTERS
    (void)counter;
    (void)amount;
#else
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
#endif
}

static inline uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Accesses by one vCPU to one device, or to where no device is. */
struct access_counters {
    uint64_t reads;
    uint64_t writes;
};

/* Of one vCPU. Its thread alone adds. */
struct vcpu_counters {
    uint64_t exits[EXIT_KIND_COUNT]; /* their sum is how often KVM_RUN returned */
    uint64_t hypercalls;             /* PSCI and SMCCC calls that reached armlet */
    struct access_counters unassigned;
    struct access_counters *devices; /* one a device, in the order of the device table */
};

/* What the kernel accounts to one vCPU's thread (getrusage(2), RUSAGE_THREAD). */
struct thread_usage {
    uint64_t voluntary_switches;   /* it had to wait, in WFI for one */
    uint64_t involuntary_switches; /* another thread got its CPU */
    uint64_t minor_faults;         /* pages of the guest's memory that had to be provided, mostly */
    uint64_t major_faults;         /* ... that had to be read from a disk */
    uint64_t user_ns;              /* in the guest and in armlet */
    uint64_t system_ns;            /* in the kernel */
};

#endif
