// SPDX-License-Identifier: Apache-2.0
/*
 * A bounded ring of events from one thread to another, without a lock: one producer, one consumer.
 *
 * The producer may change while no event is under way (a thread is made, or joined). When the ring
 * is full, events are dropped and counted; the first one that fits again comes after a record of
 * kind TRACE_DROPPED that says how many are missing, so that the gap is where it was.
 */
#ifndef ARMLET_SRC_TRACE_RING_H
#define ARMLET_SRC_TRACE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/events.h"

enum {
    TRACE_DROPPED = EVENT_KIND_COUNT, /* no event's kind: mmio.value are missing after `ticks` */
    TRACE_RING_RECORDS = 1 << 16,     /* a power of two: 4 MiB, of which memory is what was used */
    TRACE_RING_WAKE = TRACE_RING_RECORDS / 16, /* after so many the consumer is woken */
};

struct trace_ring {
    /* The producer's. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t head; /* how many were ever put in */
    uint64_t known_tail;                              /* what `tail` was, or less */
    uint64_t missing;                                 /* dropped since the last record */
    uint64_t last_ticks;      /* where the last record on the vCPU's own track ends */
    _Atomic uint64_t dropped; /* all of them; read by anybody */
    /* The consumer's. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t tail; /* how many were ever taken out */
    /* Constant. */
    _Alignas(CACHE_LINE_BYTES) struct event *records;
};

static inline struct event *trace_ring_slot(const struct trace_ring *ring, uint64_t position)
{
    return &ring->records[position % TRACE_RING_RECORDS];
}

/* Whether `count` records fit. The producer. */
static inline bool trace_ring_has_room(struct trace_ring *ring, uint64_t head, uint64_t count)
{
    if (TRACE_RING_RECORDS - (head - ring->known_tail) >= count)
        return true;
    /* Acquire: the consumer is done with what it took out. */
    ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return TRACE_RING_RECORDS - (head - ring->known_tail) >= count;
}

/* The producer. Returns whether it is time to wake the consumer. */
static inline bool trace_ring_put(struct trace_ring *ring, const struct event *event)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t next = head;

    if (!trace_ring_has_room(ring, head, ring->missing ? 2 : 1)) {
        ring->missing++;
        atomic_store_explicit(&ring->dropped,
                              atomic_load_explicit(&ring->dropped, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return false;
    }
    if (ring->missing) {
        struct event gap = {.kind = TRACE_DROPPED};

        gap.ticks = ring->last_ticks;
        gap.mmio.value = ring->missing;
        *trace_ring_slot(ring, next++) = gap;
        ring->missing = 0;
    }
    *trace_ring_slot(ring, next++) = *event;
    if (event->kind == EVENT_EXIT || event->kind == EVENT_VCPU_STATE)
        ring->last_ticks = event->ticks;
    /* Release: what is in the records comes before their number. */
    atomic_store_explicit(&ring->head, next, memory_order_release);
    return next / TRACE_RING_WAKE != head / TRACE_RING_WAKE;
}

/* The oldest record, or NULL; valid until trace_ring_take(). The consumer. */
static inline const struct event *trace_ring_peek(const struct trace_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
        return NULL;
    return trace_ring_slot(ring, tail);
}

static inline void trace_ring_take(struct trace_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

#endif
