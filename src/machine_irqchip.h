// SPDX-License-Identifier: Apache-2.0
/*
 * Which interrupt controller the machine has: KVM's, or with --irqchip user a GICv2 of devices/,
 * whose outputs are the vCPUs' inputs, and to which the levels of the vCPUs' timers come. And how
 * the devices' interrupts come to it: by calls of the GIC, by KVM_IRQ_LINE, or by irqfd.
 *
 * I/O thread, while no vCPU runs.
 */
#ifndef ARMLET_SRC_MACHINE_IRQCHIP_H
#define ARMLET_SRC_MACHINE_IRQCHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/irq.h"

struct machine;
struct machine_irqchip; /* the userspace GIC and its wires */

/* Before the devices, whose bus and lines it uses. Nothing to do for KVM's. */
bool machine_irqchip_create(struct machine *machine, struct error *error) WARN_UNUSED;
/* After the devices. */
void machine_irqchip_destroy(struct machine *machine);

/* Makes `line` a wire to this SPI of the machine's controller, as --irq-delivery asks for it. */
bool machine_irqchip_connect(struct machine *machine, struct irq_line *line, uint32_t intid,
                             struct error *error) WARN_UNUSED;

/* From power-on to power-off: once there is a VM, and once it has vCPUs. */
bool machine_irqchip_power_on(struct machine *machine, gpa_t high_redistributors,
                              struct error *error) WARN_UNUSED;
bool machine_irqchip_finish_power_on(struct machine *machine, struct error *error) WARN_UNUSED;
/* Before the VM goes; allowed without one. */
void machine_irqchip_power_off(struct machine *machine);

/*
 * How often each CPU took which interrupt of the userspace GIC, or which line was raised by an
 * event and how often the guest ended it: to the log, for --verbose.
 */
void machine_irqchip_log_counters(const struct machine *machine);

#endif
