// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "armlet/events.h"

static const char *const names[EVENT_KIND_COUNT] = {
    [EVENT_MACHINE_STATE] = "machine-state",
    [EVENT_VCPU_STATE] = "vcpu-state",
    [EVENT_EXIT] = "exit",
    [EVENT_MMIO] = "mmio",
    [EVENT_HYPERCALL] = "hypercall",
    [EVENT_IRQ] = "irq",
    [EVENT_TIMER] = "timer",
    [EVENT_CONSOLE_OUTPUT] = "console-output",
    [EVENT_CONSOLE_INPUT] = "console-input",
    [EVENT_ERROR] = "error",
};

const char *event_kind_name(enum event_kind kind)
{
    return kind < EVENT_KIND_COUNT ? names[kind] : NULL;
}

enum event_kind event_kind_find(const char *name, size_t length)
{
    enum event_kind kind = 0;

    while (kind < EVENT_KIND_COUNT &&
           (strlen(names[kind]) != length || memcmp(names[kind], name, length) != 0))
        kind++;
    return kind;
}
