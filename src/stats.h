// SPDX-License-Identifier: Apache-2.0
/*
 * What a machine did, in numbers: a snapshot of its counters, and the ways to show one.
 *
 * machine_stats.c takes it; stats_text.c makes a table for people of it, stats_json.c a document
 * for programs, explain.c sentences. Those three are pure functions of the snapshot. A snapshot of
 * a running machine is of a moment ago, and its numbers needn't fit together to the last one.
 */
#ifndef ARMLET_SRC_STATS_H
#define ARMLET_SRC_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "armlet/counters.h"
#include "armlet/device.h"
#include "console.h"
#include "kvm_stats.h"
#include "latency.h"
#include "options.h"

struct stats_vcpu {
    const struct vcpu_counters *counters;
    struct thread_usage usage;
    struct kvm_stats kvm;
};

struct stats_irq {
    uint32_t intid;
    uint64_t raised;
};

struct stats_device {
    const char *name;
    uint64_t base;
    size_t index; /* in the device table: of struct vcpu_counters' devices and of latencies */
    uint64_t coalesced_writes; /* that came without an exit */
    uint64_t bad_accesses;     /* to offsets or of widths that no register has */
    const struct stats_irq *irqs;
    size_t irq_count;
    const struct device_counter *counters; /* what it counts of its own; counter_read() them */
    size_t counter_count;
};

struct stats {
    bool running;        /* a moment's, and not the whole */
    uint64_t elapsed_ns; /* since the first power-on */
    uint32_t boots;      /* power-ons: one more than resets */
    const struct options *options;
    bool host_traps_ctr; /* reading CTR_EL0 leaves the guest: the host has no FEAT_EVT, or an older
                            kernel. False if it isn't known. */

    const struct stats_vcpu *vcpus;
    uint32_t vcpu_count;
    const struct stats_device *devices; /* by address */
    size_t device_count;
    size_t console_device; /* the one that the console is of; device_count: none is */
    struct console_counters console;

    const struct latency *latency; /* of all vCPUs together; NULL: not asked for */
    uint64_t ticks_per_second;
};

/* Sums over vCPUs. */
uint64_t stats_exits_of_kind(const struct stats *stats, enum exit_kind kind);
uint64_t stats_exits(const struct stats *stats);
struct access_counters stats_accesses(const struct stats *stats, size_t device);
struct access_counters stats_unassigned(const struct stats *stats);
uint64_t stats_hypercalls(const struct stats *stats);
uint64_t stats_interrupts(const struct stats_device *device);
struct thread_usage stats_usage(const struct stats *stats);
struct kvm_stats stats_kvm(const struct stats *stats);

/* Of one vCPU. */
uint64_t stats_vcpu_exits(const struct stats_vcpu *vcpu);
struct access_counters stats_vcpu_accesses(const struct stats *stats,
                                           const struct stats_vcpu *vcpu);

/* Failures of `out` are for its owner to look at (ferror). */
void stats_print_text(FILE *out, const struct stats *stats);
void stats_print_json(FILE *out, const struct stats *stats);

#endif
