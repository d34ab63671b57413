// SPDX-License-Identifier: Apache-2.0
/*
 * A device's interrupt line with somebody looking: counts how often it is raised, publishes
 * EVENT_IRQ, and hands the level on to the wire behind it.
 *
 * The machine connects `wire` to whatever controller there is. Threads
 * are those of armlet/irq.h: the device's lock orders what happens here.
 */
#ifndef ARMLET_SRC_IRQ_WATCH_H
#define ARMLET_SRC_IRQ_WATCH_H

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
    const struct event_hub *events;
};

/* Makes `line` what the device drives, once `wire` is connected. Both and the hub outlive it. */
void irq_watch_init(struct irq_watch *watch, struct irq_line *line, const struct event_hub *events);

#endif
