// SPDX-License-Identifier: Apache-2.0
/*
 * An interrupt line as a device sees it: a wire with a level.
 *
 * The machine decides at wiring what is behind it (KVM_IRQ_LINE, a userspace GIC, a recorder in
 * tests); a device can't tell. Setting a level that the line already has is allowed and cheap for
 * the caller to avoid: devices remember what they drove. Any thread; a device that drives its
 * line from several threads orders its calls by its own lock.
 *
 * A pulse is an edge for a GIC input that the guest configured as edge-triggered; one that is
 * configured as level-sensitive may miss it.
 */
#ifndef ARMLET_IRQ_H
#define ARMLET_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct irq_line;

struct irq_ops {
    void (*set_level)(struct irq_line *line, bool level);
    void (*pulse)(struct irq_line *line);         /* NULL: the level goes up and down */
    int (*event_fd)(const struct irq_line *line); /* NULL: there is none */
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

enum { IRQ_NO_EVENT = -1 };

/* A short high level: an edge for a GIC that looks for one. The line was low. */
static inline void irq_line_pulse(struct irq_line *line)
{
    if (line->ops->pulse) {
        line->ops->pulse(line);
        return;
    }
    irq_line_set(line, true);
    irq_line_set(line, false);
}

/*
 * An eventfd each signal of which pulses the line, for whoever is to do so without this process
 * (vhost, say); or IRQ_NO_EVENT. There is one once device_regions_connect_irq() was granted, until
 * the VM is reset, and none while somebody is told of each interrupt. The line keeps it. Pulses
 * that come this way aren't counted.
 */
static inline int irq_line_event_fd(const struct irq_line *line)
{
    return line->ops->event_fd ? line->ops->event_fd(line) : IRQ_NO_EVENT;
}

#endif
