// SPDX-License-Identifier: Apache-2.0
#include "fake_irq.h"

static void set_level(struct irq_line *line, bool level)
{
    struct fake_irq *irq = line->controller;

    if (level == irq->level) {
        irq->redundant++;
    } else if (level) {
        irq->rises++;
    }
    irq->level = level;
}

static int event_fd_of(const struct irq_line *line)
{
    const struct fake_irq *irq = line->controller;

    return irq->event_fd;
}

void fake_irq_init(struct fake_irq *irq)
{
    static const struct irq_ops ops = {.set_level = set_level, .event_fd = event_fd_of};

    *irq = (struct fake_irq){
        .line = {.ops = &ops, .controller = irq},
        .event_fd = IRQ_NO_EVENT,
    };
}
