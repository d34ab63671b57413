// SPDX-License-Identifier: Apache-2.0
/*
 * An interrupt line as a device sees it: a wire with a level.
 *
 * The machine decides at wiring what is behind it (KVM_IRQ_LINE, a userspace GIC, a recorder in
 * tests); a device can't tell. Setting a level that the line already has is allowed and cheap for
 * the caller to avoid: devices remember what they drove. Any thread; a device that drives its
 * line from several threads orders its calls by its own lock.
 */
#ifndef ARMLET_IRQ_H
#define ARMLET_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct irq_line;

struct irq_ops {
    void (*set_level)(struct irq_line *line, bool level);
};

struct irq_line {
    const struct irq_ops *ops;
    void *controller; /* the implementation's own */
    uint32_t intid;   /* GIC interrupt ID (IHI 0069, 2.2): 32 + SPI number */
};

static inline void irq_line_set(struct irq_line *line, bool level)
{
    line->ops->set_level(line, level);
}

/* A short high level: an edge for a GIC that looks for one. The line was low. */
static inline void irq_line_pulse(struct irq_line *line)
{
    irq_line_set(line, true);
    irq_line_set(line, false);
}

#endif
