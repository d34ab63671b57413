// SPDX-License-Identifier: Apache-2.0
#include "machine_fdt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "armlet/fdt_writer.h"
#include "memory_map.h"

enum {
    TREE_BYTES = 16384, /* all but the cpu nodes */
    BYTES_PER_CPU = 256,
    GICV2_CPU_MASK_SHIFT = 8, /* in a PPI's flags: which CPUs it is wired to */
    REG_CELLS = 4,            /* address and size, two cells each */
    IRQ_CELLS = 3,
};

static void put_64(uint32_t cells[2], uint64_t value)
{
    cells[0] = (uint32_t)(value >> 32);
    cells[1] = (uint32_t)value;
}

static void put_reg(uint32_t cells[REG_CELLS], gpa_t base, uint64_t size_bytes)
{
    put_64(&cells[0], base.value);
    put_64(&cells[2], size_bytes);
}

static void put_ppi(uint32_t cells[IRQ_CELLS], const struct machine_description *machine,
                    enum ppi ppi)
{
    uint32_t flags = FDT_IRQ_LEVEL_HIGH;

    if (machine->vgic->version == GIC_VERSION_2)
        flags |= ((1U << machine->vcpu_count) - 1) << GICV2_CPU_MASK_SHIFT;
    cells[0] = FDT_IRQ_PPI;
    cells[1] = (uint32_t)ppi;
    cells[2] = flags;
}

static void describe_cpus(struct fdt_writer *writer, const struct machine_description *machine)
{
    fdt_begin_node(writer, "cpus");
    fdt_prop_u32(writer, "#address-cells", 1);
    fdt_prop_u32(writer, "#size-cells", 0);
    for (uint32_t i = 0; i < machine->vcpu_count; i++) {
        fdt_begin_node_at(writer, "cpu", machine->affinities[i]);
        fdt_prop_string(writer, "device_type", "cpu");
        fdt_prop_string(writer, "compatible", "arm,armv8");
        fdt_prop_u32(writer, "reg", (uint32_t)machine->affinities[i]);
        fdt_prop_string(writer, "enable-method", "psci");
        fdt_end_node(writer);
    }
    fdt_end_node(writer);

    fdt_begin_node(writer, "psci");
    FDT_PROP_STRINGS(writer, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    fdt_prop_string(writer, "method", "hvc");
    fdt_end_node(writer);
}

static void describe_timer(struct fdt_writer *writer, const struct machine_description *machine)
{
    static const enum ppi timers[] = {PPI_SECURE_TIMER, PPI_PHYSICAL_TIMER, PPI_VIRTUAL_TIMER,
                                      PPI_HYP_TIMER};
    enum { TIMER_COUNT = sizeof(timers) / sizeof(timers[0]) };
    uint32_t cells[TIMER_COUNT * IRQ_CELLS];

    for (size_t i = 0; i < TIMER_COUNT; i++)
        put_ppi(&cells[i * IRQ_CELLS], machine, timers[i]);
    fdt_begin_node(writer, "timer");
    if (machine->aarch32)
        FDT_PROP_STRINGS(writer, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    else
        fdt_prop_string(writer, "compatible", "arm,armv8-timer");
    fdt_prop_cells(writer, "interrupts", cells, sizeof(cells) / sizeof(cells[0]));
    fdt_prop_empty(writer, "always-on");
    fdt_end_node(writer);
}

static void describe_pmu(struct fdt_writer *writer, const struct machine_description *machine)
{
    uint32_t cells[IRQ_CELLS];

    put_ppi(cells, machine, PPI_PMU);
    fdt_begin_node(writer, "pmu");
    fdt_prop_string(writer, "compatible", "arm,armv8-pmuv3");
    fdt_prop_cells(writer, "interrupts", cells, IRQ_CELLS);
    fdt_end_node(writer);
}

static void describe_its(struct fdt_writer *writer)
{
    const struct region *its = memory_map_region(REGION_ITS);

    fdt_begin_node_at(writer, "its", its->base.value);
    fdt_prop_string(writer, "compatible", "arm,gic-v3-its");
    fdt_prop_empty(writer, "msi-controller");
    fdt_prop_u32(writer, "#msi-cells", 1);
    fdt_prop_reg(writer, its->base, its->size_bytes);
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_ITS);
    fdt_end_node(writer);
}

static void describe_gicv3(struct fdt_writer *writer, const struct vgic *vgic)
{
    const struct region *gicd = memory_map_region(REGION_GICD);
    const struct region *gicr = memory_map_region(REGION_GICR);
    uint32_t high = vgic_high_redistributor_count(vgic->config.vcpu_count);
    uint32_t low = vgic->config.vcpu_count - high;
    uint32_t regs[3][REG_CELLS];

    put_reg(regs[0], gicd->base, gicd->size_bytes);
    put_reg(regs[1], gicr->base, (uint64_t)low * GICV3_REDIST_BYTES);
    put_reg(regs[2], vgic->config.high_redistributors, (uint64_t)high * GICV3_REDIST_BYTES);

    fdt_prop_string(writer, "compatible", "arm,gic-v3");
    fdt_prop_u32(writer, "#redistributor-regions", high ? 2 : 1);
    fdt_prop_cells(writer, "reg", regs[0], (high ? 3 : 2) * (size_t)REG_CELLS);
    if (vgic->config.its)
        describe_its(writer);
}

static void describe_gicv2(struct fdt_writer *writer)
{
    const uint64_t cpu_interface_bytes = 0x2000; /* IHI 0048: GICC is two 4 KiB pages */
    const struct region *gicd = memory_map_region(REGION_GICD);
    uint32_t cells[2 * REG_CELLS];

    put_reg(&cells[0], gicd->base, gicd->size_bytes);
    put_reg(&cells[REG_CELLS], memory_map_region(REGION_GICC)->base, cpu_interface_bytes);
    fdt_prop_string(writer, "compatible", "arm,cortex-a15-gic");
    fdt_prop_cells(writer, "reg", cells, 2 * (size_t)REG_CELLS);
}

/* Its node belongs below the interrupt controller's. */
static bool is_msi_frame(const struct device *device)
{
    return strcmp(device->name, "gicv2m") == 0;
}

/* Those of the devices that are, or are not, the MSI frame. */
static void describe_devices(struct fdt_writer *writer, const struct machine_description *machine,
                             bool msi_frame)
{
    for (size_t i = 0; i < machine->device_count; i++) {
        const struct machine_device *entry = &machine->devices[i];

        if (entry->device->ops->describe && is_msi_frame(entry->device) == msi_frame)
            entry->device->ops->describe(entry->device, writer, &entry->place);
    }
}

static void describe_gic(struct fdt_writer *writer, const struct machine_description *machine)
{
    const struct vgic *vgic = machine->vgic;

    fdt_begin_node_at(writer, "intc", memory_map_region(REGION_GICD)->base.value);
    fdt_prop_u32(writer, "#interrupt-cells", IRQ_CELLS);
    fdt_prop_empty(writer, "interrupt-controller");
    fdt_prop_u32(writer, "#address-cells", 2);
    fdt_prop_u32(writer, "#size-cells", 2);
    fdt_prop_empty(writer, "ranges");
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_GIC);
    if (vgic->version == GIC_VERSION_3)
        describe_gicv3(writer, vgic);
    else
        describe_gicv2(writer);
    describe_devices(writer, machine, true);
    fdt_end_node(writer);
}

static void describe_memory(struct fdt_writer *writer, const struct machine_description *machine)
{
    fdt_begin_node_at(writer, "memory", machine->ram_base.value);
    fdt_prop_string(writer, "device_type", "memory");
    fdt_prop_reg(writer, machine->ram_base, machine->ram_bytes);
    fdt_end_node(writer);
}

static void describe_clock(struct fdt_writer *writer)
{
    fdt_begin_node(writer, "apb-pclk");
    fdt_prop_string(writer, "compatible", "fixed-clock");
    fdt_prop_u32(writer, "#clock-cells", 0);
    fdt_prop_u32(writer, "clock-frequency", FDT_CLOCK_HZ);
    fdt_prop_string(writer, "clock-output-names", "clk24mhz");
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_CLOCK);
    fdt_end_node(writer);
}

static void describe_names(struct fdt_writer *writer)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/pl011@%" PRIx64,
                   memory_map_region(REGION_UART)->base.value);
    fdt_begin_node(writer, "aliases");
    fdt_prop_string(writer, "serial0", path);
    fdt_end_node(writer);
    fdt_begin_node(writer, "chosen");
    fdt_prop_string(writer, "stdout-path", path);
    fdt_end_node(writer);
}

/* By the conduit that PSCI has; the functions are those of armlet/hypercall.h. */
static void describe_hypercalls(struct fdt_writer *writer)
{
    fdt_begin_node(writer, "hypercalls");
    fdt_prop_string(writer, "compatible", "armlet,hypercalls");
    fdt_prop_string(writer, "method", "hvc");
    fdt_end_node(writer);
}

void *machine_fdt_build(const struct machine_description *machine, size_t *size_bytes,
                        struct error *error)
{
    size_t capacity = TREE_BYTES + (size_t)machine->vcpu_count * BYTES_PER_CPU;
    struct fdt_writer *writer = fdt_writer_create(capacity, error);

    if (!writer)
        return NULL;
    if (machine->symbols)
        fdt_writer_enable_symbols(writer);
    fdt_prop_string(writer, "compatible", "linux,dummy-virt");
    fdt_prop_string(writer, "model", "armlet");
    describe_names(writer);
    describe_memory(writer, machine);
    describe_cpus(writer, machine);
    describe_timer(writer, machine);
    if (machine->pmu)
        describe_pmu(writer, machine);
    describe_gic(writer, machine);
    describe_clock(writer);
    if (machine->hypercalls)
        describe_hypercalls(writer);
    describe_devices(writer, machine, false);
    return fdt_writer_finish(writer, size_bytes, error);
}
