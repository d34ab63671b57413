// SPDX-License-Identifier: Apache-2.0
/*
 * A device's interrupt line with somebody looking: counts how often it is raised, publishes
 * EVENT_IRQ, and hands the level on to the wire behind it.
 *
 * The machine connects `wire` to whatever controller there is, and may bring an event by which
 * pulses reach it sooner. Threads are those of armlet/irq.h: the device's lock orders what happens
 * here, but for irq_watch_set_event(), which the I/O thread calls, too, at power-off.
 */
#ifndef ARMLET_SRC_IRQ_WATCH_H
#define ARMLET_SRC_IRQ_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/device.h"
#include "armlet/events.h"
#include "armlet/irq.h"

struct irq_watch {
    _Alignas(CACHE_LINE_BYTES) struct irq_line wire; /* what is behind it */
    uint64_t raised;                                 /* low to high; see armlet/counters.h */
    const struct device *device;                     /* whose it is; NULL until it is created */
    bool level;
    _Atomic int event_fd; /* pulses the line (KVM_IRQFD); IRQ_NO_EVENT: there is none */
    const struct event_hub *events;
};

/* Makes `line` what the device drives, once `wire` is connected. Both and the hub outlive it. */
void irq_watch_init(struct irq_watch *watch, struct irq_line *line, const struct event_hub *events);

/* Pulses are signals on this eventfd from now on; IRQ_NO_EVENT: on the wire. */
void irq_watch_set_event(struct irq_watch *watch, int event_fd);

#endif
