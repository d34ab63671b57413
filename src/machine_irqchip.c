// SPDX-License-Identifier: Apache-2.0
#include "machine_irqchip.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "devices/gicv2.h"
#include "irq_resample.h"
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

static bool check_delivery(const struct machine *machine, struct error *error)
{
    if (machine->options->irq_delivery != IRQ_DELIVERY_IRQFD ||
        kvm_check_extension(machine->kvm.fd, KVM_CAP_IRQFD_RESAMPLE))
        return true;
    return error_set(error, ERROR_HOST, 0,
                     "--irq-delivery irqfd: the host's KVM doesn't tell when interrupts end "
                     "(no KVM_CAP_IRQFD_RESAMPLE): use --irq-delivery line");
}

bool machine_irqchip_create(struct machine *machine, struct error *error)
{
    uint32_t cpu_count = machine->options->vcpu_count;

    if (machine->options->irqchip != IRQCHIP_USER)
        return check_delivery(machine, error);
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
    for (; machine->resamples; machine->resamples = machine->resamples->next)
        irq_resample_finish(machine->resamples);
}

static bool connect_by_event(struct machine *machine, struct irq_line *line, uint32_t intid,
                             struct error *error)
{
    struct irq_resample *resample = arena_alloc(&machine->arena, 1, sizeof(*resample), error);

    if (!resample)
        return false;
    bool good = irq_resample_init(resample, &machine->vm, machine->loop, intid, error);
    resample->next = machine->resamples;
    machine->resamples = resample;
    irq_resample_line(resample, line);
    return good;
}

bool machine_irqchip_connect(struct machine *machine, struct irq_line *line, uint32_t intid,
                             struct error *error)
{
    if (machine->options->irq_delivery == IRQ_DELIVERY_IRQFD)
        return connect_by_event(machine, line, intid, error);
    if (machine->irqchip)
        gicv2_connect_spi(machine->irqchip->gic, line, intid);
    else
        vm_connect_irq(&machine->vm, line, intid);
    return true;
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
    if (machine->irqchip)
        return true;
    bool good = vgic_finish_setup(&machine->vgic, error);
    for (struct irq_resample *resample = machine->resamples; good && resample;
         resample = resample->next)
        good = irq_resample_connect(resample, error);
    return good;
}

void machine_irqchip_power_off(struct machine *machine)
{
    for (struct irq_resample *resample = machine->resamples; resample; resample = resample->next)
        irq_resample_disconnect(resample);
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

static void log_resample(const struct machine *machine, const struct irq_resample *resample)
{
    if (resample->raised_count > 0)
        log_line(machine->log, LOG_DEBUG,
                 "INTID %u: raised %" PRIu64 " times by event, %" PRIu64 " of them again; ended "
                 "%" PRIu64 " times",
                 resample->wire.intid, resample->raised_count, resample->raised_again_count,
                 resample->ended_count);
}

void machine_irqchip_log_counters(const struct machine *machine)
{
    for (const struct irq_resample *resample = machine->resamples; resample;
         resample = resample->next)
        log_resample(machine, resample);
    if (!machine->irqchip)
        return;
    for (uint32_t intid = 0; intid < GIC_SPI_BASE + GIC_SPI_COUNT; intid++)
        log_intid(machine, intid);
}
