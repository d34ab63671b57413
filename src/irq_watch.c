// SPDX-License-Identifier: Apache-2.0
#include "irq_watch.h"

#include "armlet/counters.h"

static void set_level(struct irq_line *line, bool level)
{
    struct irq_watch *watch = line->controller;

    if (level != watch->level) {
        watch->level = level;
        counter_add(&watch->raised, level);
        if (events_wanted(watch->events, EVENT_IRQ)) {
            struct event event = {
                .kind = EVENT_IRQ,
                .irq = {.device = watch->device, .intid = line->intid, .level = level},
            };
            events_publish(watch->events, &event);
        }
    }
    irq_line_set(&watch->wire, level);
}

void irq_watch_init(struct irq_watch *watch, struct irq_line *line, const struct event_hub *events)
{
    static const struct irq_ops ops = {.set_level = set_level};

    *line = (struct irq_line){.ops = &ops, .controller = watch, .intid = watch->wire.intid};
    watch->raised = 0;
    watch->device = NULL;
    watch->level = false;
    watch->events = events;
}
