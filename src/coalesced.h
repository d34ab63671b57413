// SPDX-License-Identifier: Apache-2.0
/*
 * The ring of coalesced writes: what guests wrote to registers without an exit
 * (Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO).
 *
 * A VM has one ring for all its vCPUs and devices. KVM appends, in the order in which the writes
 * took effect; whoever drains hands the writes to their devices in that order, as if each had been
 * an exit. An entry leaves the ring only after its device has had it: a thread that finds the ring
 * empty may rely on all earlier writes having arrived. Each vCPU drains before it handles an exit,
 * so that a device sees coalesced writes and others in the guest's order. A ring that is full
 * makes the next write exit.
 *
 * Nobody is told when the first write enters an empty ring: a device that must not wait for the
 * guest's next exit drains from a timer.
 *
 * coalesced_init() to coalesced_detach(): the I/O thread, while no vCPU runs. The rest: any
 * thread, no device's lock held (draining takes `lock`, then devices take theirs).
 */
#ifndef ARMLET_SRC_COALESCED_H
#define ARMLET_SRC_COALESCED_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/events.h"
#include "bus.h"
#include "vm.h"

struct coalesced {
    /* Read at every exit. NULL until the first range is coalesced: then it costs nothing. */
    _Alignas(CACHE_LINE_BYTES) _Atomic(struct kvm_coalesced_mmio_ring *) ring;
    struct kvm_coalesced_mmio_ring *mapped; /* of the VM that is attached; NULL: it has none */
    uint32_t capacity;                      /* entries, one of which stays free */

    /* Guards the ring's `first` and what follows. */
    _Alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
    const struct bus *bus;
    struct bus_cursor cursor;
    uint64_t count;          /* writes that were handed on, of all VMs */
    uint64_t *device_writes; /* the same by device, in the order of the device table; or NULL */
    const struct event_hub *events; /* EVENT_MMIO; may be NULL */
};

void coalesced_init(struct coalesced *coalesced, const struct bus *bus);
void coalesced_finish(struct coalesced *coalesced);

/* A VM was made, and `run` is the run area of its vCPU 0, of run_bytes bytes. */
void coalesced_attach(struct coalesced *coalesced, const struct vm *vm, struct kvm_run *run,
                      size_t run_bytes);
/* Before that vCPU goes: what is in the ring is drained. Allowed when nothing is attached. */
void coalesced_detach(struct coalesced *coalesced);

/* Before the first range of a VM is coalesced; false: the host can't. Any number of times. */
bool coalesced_begin(struct coalesced *coalesced);

/* Whether writes wait in the ring. */
static inline bool coalesced_pending(const struct coalesced *coalesced)
{
    const struct kvm_coalesced_mmio_ring *ring =
        atomic_load_explicit(&coalesced->ring, memory_order_acquire);

    /* Acquire, with the release in coalesced_drain(): what has left the ring has arrived. */
    return ring && __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) !=
                       __atomic_load_n(&ring->last, __ATOMIC_RELAXED);
}

/* Hands on what is in the ring when it is called. */
void coalesced_drain(struct coalesced *coalesced);

#endif
