// SPDX-License-Identifier: Apache-2.0
#include "irq_watch.h"

#include <unistd.h>

#include "armlet/counters.h"

static void publish(const struct irq_watch *watch, const struct irq_line *line, bool level)
{
    struct event event = {
        .kind = EVENT_IRQ,
        .irq = {.device = watch->device, .intid = line->intid, .level = level},
    };

    events_publish(watch->events, &event);
}

static void set_level(struct irq_line *line, bool level)
{
    struct irq_watch *watch = line->controller;

    if (level != watch->level) {
        watch->level = level;
        counter_add(&watch->raised, level);
        if (events_wanted(watch->events, EVENT_IRQ))
            publish(watch, line, level);
    }
    irq_line_set(&watch->wire, level);
}

static void pulse(struct irq_line *line)
{
    struct irq_watch *watch = line->controller;
    int event_fd = atomic_load_explicit(&watch->event_fd, memory_order_relaxed);
    const uint64_t one = 1;

    counter_add(&watch->raised, 1);
    if (events_wanted(watch->events, EVENT_IRQ)) {
        publish(watch, line, true);
        publish(watch, line, false);
    }
    if (event_fd == IRQ_NO_EVENT || write(event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        irq_line_pulse(&watch->wire);
}

static int event_fd_of(const struct irq_line *line)
{
    const struct irq_watch *watch = line->controller;

    return events_wanted(watch->events, EVENT_IRQ)
               ? IRQ_NO_EVENT
               : atomic_load_explicit(&watch->event_fd, memory_order_relaxed);
}

void irq_watch_init(struct irq_watch *watch, struct irq_line *line, const struct event_hub *events)
{
    static const struct irq_ops ops = {
        .set_level = set_level, .pulse = pulse, .event_fd = event_fd_of};

    *line = (struct irq_line){.ops = &ops, .controller = watch, .intid = watch->wire.intid};
    watch->raised = 0;
    watch->device = NULL;
    watch->level = false;
    watch->events = events;
    irq_watch_set_event(watch, IRQ_NO_EVENT);
}

void irq_watch_set_event(struct irq_watch *watch, int event_fd)
{
    atomic_store_explicit(&watch->event_fd, event_fd, memory_order_relaxed);
}
