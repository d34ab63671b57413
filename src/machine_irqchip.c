// SPDX-License-Identifier: Apache-2.0
#include "machine_irqchip.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "devices/gicv2.h"
#include "machine_internal.h"
#include "memory_map.h"

_Static_assert((int)GICV2_MAX_CPUS == (int)GICV2_MAX_VCPUS, "the options know what the GIC can");

enum { COUNT_TEXT_BYTES = sizeof(" 18446744073709551615") };

struct machine_irqchip {
    struct gicv2 *gic;
    struct device *distributors[GICV2_MAX_CPUS];
    struct device *cpu_interfaces[GICV2_MAX_CPUS];
    struct irq_line irq_inputs[GICV2_MAX_CPUS];
    struct irq_line fiq_inputs[GICV2_MAX_CPUS];
    struct irq_line private_lines[GICV2_MAX_CPUS][VCPU_PRIVATE_LINES];
};

static bool create_gic(struct machine *machine, struct machine_irqchip *irqchip,
                       struct error *error)
{
    const struct gicv2_config config = {
        .cpu_count = machine->options->vcpu_count,
        .intid_count = GIC_SPI_BASE + GIC_SPI_COUNT,
        .irq_outputs = irqchip->irq_inputs,
        .fiq_outputs = irqchip->fiq_inputs,
        .log = machine->log,
    };

    for (uint32_t i = 0; i < config.cpu_count; i++) {
        vm_connect_cpu_input(&machine->vm, &irqchip->irq_inputs[i], i, VM_CPU_IRQ);
        vm_connect_cpu_input(&machine->vm, &irqchip->fiq_inputs[i], i, VM_CPU_FIQ);
    }
    irqchip->gic = gicv2_create(&config, error);
    return irqchip->gic;
}

static void connect_cpu(struct machine_irqchip *irqchip, uint32_t cpu)
{
    static const enum ppi ppis[VCPU_PRIVATE_LINES] = {
        [VCPU_LINE_VIRTUAL_TIMER] = PPI_VIRTUAL_TIMER,
        [VCPU_LINE_PHYSICAL_TIMER] = PPI_PHYSICAL_TIMER,
        [VCPU_LINE_PMU] = PPI_PMU,
    };

    irqchip->distributors[cpu] = gicv2_distributor(irqchip->gic, cpu);
    irqchip->cpu_interfaces[cpu] = gicv2_cpu_interface(irqchip->gic, cpu);
    for (unsigned i = 0; i < VCPU_PRIVATE_LINES; i++)
        gicv2_connect_ppi(irqchip->gic, &irqchip->private_lines[cpu][i], cpu,
                          GIC_PPI_BASE + (uint32_t)ppis[i]);
}

bool machine_irqchip_create(struct machine *machine, struct error *error)
{
    uint32_t cpu_count = machine->options->vcpu_count;

    if (machine->options->irqchip != IRQCHIP_USER)
        return true;
    if (!kvm_check_extension(machine->kvm.fd, KVM_CAP_ARM_USER_IRQ))
        return error_set(error, ERROR_HOST, 0,
                         "--irqchip user: the host's KVM keeps the timers' interrupts to itself "
                         "(no KVM_CAP_ARM_USER_IRQ): use --irqchip kernel");
    struct machine_irqchip *irqchip = arena_alloc(&machine->arena, 1, sizeof(*irqchip), error);
    if (!irqchip)
        return false;
    machine->irqchip = irqchip;
    if (!create_gic(machine, irqchip, error))
        return false;
    for (uint32_t i = 0; i < cpu_count; i++)
        connect_cpu(irqchip, i);
    return bus_add_banked(&machine->bus, irqchip->distributors, cpu_count,
                          memory_map_region(REGION_GICD)->base, error) &&
           bus_add_banked(&machine->bus, irqchip->cpu_interfaces, cpu_count,
                          memory_map_region(REGION_GICC)->base, error);
}

void machine_irqchip_destroy(struct machine *machine)
{
    if (machine->irqchip)
        gicv2_destroy(machine->irqchip->gic);
    machine->irqchip = NULL;
}

void machine_irqchip_connect(struct machine *machine, struct irq_line *line, uint32_t intid)
{
    if (machine->irqchip)
        gicv2_connect_spi(machine->irqchip->gic, line, intid);
    else
        vm_connect_irq(&machine->vm, line, intid);
}

bool machine_irqchip_power_on(struct machine *machine, gpa_t high_redistributors,
                              struct error *error)
{
    const struct vgic_config config = {
        .choice = machine->options->gic,
        .its = machine->options->its == FEATURE_ON,
        .vcpu_count = machine->options->vcpu_count,
        .spi_count = machine->spi_count,
        .high_redistributors = high_redistributors,
    };

    machine->environment.private_lines = NULL;
    if (!machine->irqchip)
        return vgic_create(&machine->vgic, &machine->vm, &config, error);
    machine->environment.private_lines = machine->irqchip->private_lines;
    machine->vgic = (struct vgic){
        .version = GIC_VERSION_2,
        .fd = -1,
        .its_fd = -1,
        .config = config,
    };
    gicv2_reset(machine->irqchip->gic);
    return true;
}

bool machine_irqchip_finish_power_on(struct machine *machine, struct error *error)
{
    return machine->irqchip || vgic_finish_setup(&machine->vgic, error);
}

static void log_intid(const struct machine *machine, uint32_t intid)
{
    const struct gicv2 *gic = machine->irqchip->gic;
    char counts[GICV2_MAX_CPUS * COUNT_TEXT_BYTES] = "";
    size_t length = 0;
    uint64_t sum = 0;

    for (uint32_t cpu = 0; cpu < machine->options->vcpu_count; cpu++) {
        uint64_t count = gicv2_acknowledged(gic, cpu, intid);

        sum += count;
        length += (size_t)snprintf(counts + length, sizeof(counts) - length, " %" PRIu64, count);
    }
    if (sum > 0)
        log_line(machine->log, LOG_DEBUG, "INTID %u: taken %" PRIu64 " times, by vCPU:%s", intid,
                 sum, counts);
}

void machine_irqchip_log_counters(const struct machine *machine)
{
    if (!machine->irqchip)
        return;
    for (uint32_t intid = 0; intid < GIC_SPI_BASE + GIC_SPI_COUNT; intid++)
        log_intid(machine, intid);
}
