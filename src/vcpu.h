// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual CPU: its KVM file, its thread, and the loop around KVM_RUN.
 *
 * vcpu_create() to vcpu_set_entry() and vcpu_destroy() run on the I/O thread; vcpu_start() begins
 * the vCPU's own thread, which owns everything but `stop` until vcpu_join(). The thread leaves the
 * loop when the guest ended (PSCI), when the host can't go on, or when vcpu_stop() asked; it then
 * stores the outcome and sends `left`, and nothing else.
 *
 * The way from KVM_RUN's return to a device and to the next KVM_RUN takes no lock, allocates
 * nothing and makes no system call of its own; only coalesced writes that wait take their lock,
 * and accesses without a syndrome ask KVM for registers.
 */
#ifndef ARMLET_SRC_VCPU_H
#define ARMLET_SRC_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/counters.h"
#include "armlet/error.h"
#include "armlet/event_loop.h"
#include "armlet/events.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"
#include "armlet/lifecycle.h"
#include "armlet/log.h"
#include "bus.h"
#include "coalesced.h"
#include "exit_filter.h"
#include "hypercall.h"
#include "kvm_stats.h"
#include "latency.h"
#include "options.h"
#include "vcpu_features.h"
#include "vm.h"

struct kvm_run;
struct kvm_vcpu_init;

enum vcpu_outcome {
    VCPU_OUTCOME_STOPPED,  /* vcpu_stop() asked */
    VCPU_OUTCOME_SHUTDOWN, /* PSCI SYSTEM_OFF */
    VCPU_OUTCOME_RESET,    /* PSCI SYSTEM_RESET or SYSTEM_RESET2 */
    VCPU_OUTCOME_FAILED,   /* `error` says why: ERROR_GUEST or ERROR_HOST */
};

/* Interrupts of a vCPU's own that KVM hands out where it has no vGIC to take them. */
enum vcpu_private_line {
    VCPU_LINE_VIRTUAL_TIMER,
    VCPU_LINE_PHYSICAL_TIMER,
    VCPU_LINE_PMU,
    VCPU_PRIVATE_LINES,
};

/* What all vCPUs of a machine share; constant while they run. */
struct vcpu_environment {
    const struct bus *bus;
    struct coalesced *coalesced; /* drained before each exit is handled */
    const struct guest_memory *memory;
    const struct event_hub *events;      /* frozen */
    const struct exit_filters *filters;  /* plugins that are asked about exits; NULL: none */
    const struct hypercalls *hypercalls; /* NULL: KVM answers all of them */
    struct log *log;
    struct log_limit *unassigned_limit; /* of accesses to where nothing is */
    struct log_limit *refused_limit;    /* of accesses that can't be carried out */
    struct event_notify *left;          /* sent by a vCPU's thread that left the loop */
    size_t run_bytes;                   /* of a struct kvm_run's mapping */
    bool kvm_stats;                     /* what KVM counts is wanted */
    bool can_inject_abort;              /* KVM_CAP_ARM_INJECT_EXT_DABT */
    bool own_files;                     /* each thread may have a table of files of its own */
    /* One set a vCPU, by its index, for a VM without a vGIC; else NULL. */
    struct irq_line (*private_lines)[VCPU_PRIVATE_LINES];
};

struct vcpu {
    /* The run loop's own. */
    _Alignas(CACHE_LINE_BYTES) int fd; /* -1 when there is none */
    _Atomic bool stop;
    bool has_private_lines;
    struct kvm_run *run;
    struct bus_cursor cursor;                /* moved by carrying out an access, and only so */
    struct access_counters *cursor_counters; /* of the cursor's device */
    struct coalesced *coalesced;
    const struct bus *bus;
    uint32_t wanted_events; /* EVENT_MASK() of what is published, and VCPU_ASKS */
    const struct vcpu_environment *environment;

    _Alignas(CACHE_LINE_BYTES) struct vcpu_counters counters;

    /* Set up before, read after the run. */
    _Alignas(CACHE_LINE_BYTES) uint32_t index;
    int pin_cpu; /* host CPU, or PIN_NONE */
    enum vcpu_state state;
    enum vcpu_outcome outcome;
    pthread_t thread;
    _Atomic bool left;                 /* the thread is out of the run loop */
    _Atomic pid_t thread_id;           /* while it is in there; 0: it isn't */
    struct latency *latency;           /* NULL: not asked for */
    struct thread_usage usage;         /* of threads that have left */
    struct kvm_stats_reader kvm_stats; /* of the vCPU there is */
    struct kvm_stats kvm_before;       /* of those before resets */
    bool refused;                      /* a plugin ends the run; `error` says why */
    struct error error;
    uint32_t private_levels; /* as driven on the private lines: a bit each */
};

_Static_assert(offsetof(struct vcpu, counters) == CACHE_LINE_BYTES,
               "what the run loop reads stays on one cache line");

/* The signal that gets a vCPU's thread out of KVM_RUN; its handler does nothing. */
int vcpu_kick_signal(void);
/* Installs that handler and blocks the signal in this thread; vCPU threads unblock it. */
bool vcpu_prepare_signals(struct error *error) WARN_UNUSED;

/* vCPU `index` of `vm`, with the features chosen; all but vCPU 0 start powered off. */
bool vcpu_create(struct vcpu *vcpu, const struct vm *vm, uint32_t index,
                 const struct vcpu_environment *environment, const struct kvm_vcpu_init *init,
                 struct error *error) WARN_UNUSED;
/* The kvm_vcpu_init that all vCPUs of a machine with these features use. */
bool vcpu_describe_target(const struct vm *vm, const struct vcpu_features *features,
                          struct kvm_vcpu_init *init, struct error *error) WARN_UNUSED;
/* After the vGIC is initialised: what depends on it. */
bool vcpu_finish_setup(struct vcpu *vcpu, const struct vcpu_features *features, gpa_t steal_time,
                       struct error *error) WARN_UNUSED;
/* Where the boot CPU begins and what the boot protocol wants in its registers. */
bool vcpu_set_entry(struct vcpu *vcpu, bool aarch32, gpa_t entry, gpa_t fdt,
                    struct error *error) WARN_UNUSED;
/* MPIDR_EL1's affinity fields, for the device tree. */
bool vcpu_read_affinity(struct vcpu *vcpu, uint64_t *affinity, struct error *error) WARN_UNUSED;

bool vcpu_start(struct vcpu *vcpu, struct error *error) WARN_UNUSED;
void vcpu_stop(struct vcpu *vcpu); /* asks; returns at once. Nothing if it has no thread. */
/* Whether the thread has left the run loop since vcpu_start(), joined or not. */
bool vcpu_has_left(const struct vcpu *vcpu);
/* Waits for the thread to end. */
bool vcpu_join(struct vcpu *vcpu, struct error *error) WARN_UNUSED;
void vcpu_destroy(struct vcpu *vcpu);

/*
 * One access of the guest to the bus, counted, and logged (at a limited rate) where nothing is:
 * for KVM_EXIT_MMIO and for accesses that had to be decoded. The vCPU's own thread.
 */
bool vcpu_access(struct vcpu *vcpu, gpa_t address, enum access_kind kind, enum access_width width,
                 uint64_t *value);

#endif
