// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "machine_internal.h"

static void print_range(const char *what, gpa_t start, uint64_t size_bytes)
{
    printf("%-10s 0x%010" PRIx64 " - 0x%010" PRIx64 "\n", what, start.value,
           start.value + size_bytes - 1);
}

static void print_features(const struct vcpu_features *features)
{
    printf("%-10s", "cpu");
    for (size_t i = 0; i < feature_table_count; i++) {
        bool enabled;

        memcpy(&enabled, (const char *)features + feature_table[i].enabled_offset, sizeof(enabled));
        printf(" %s=%s", feature_table[i].name, enabled ? "on" : "off");
    }
    printf("\n");
}

bool machine_print_plan(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;
    const struct boot_layout *layout = &machine->layout;

    if (!machine_power_on(machine, error))
        return false;
    printf("%-10s %u\n", "vcpus", options->vcpu_count);
    print_features(&machine->features);
    printf("%-10s GICv%d%s%s\n", "interrupts", (int)machine->vgic.version,
           machine->vgic.config.its ? " with ITS" : "", machine->irqchip ? " by armlet" : "");
    print_range("ram", machine->ram.memory.base, machine->ram.memory.size_bytes);
    printf("%-10s %s\n", "kernel", options->kernel_path ? options->kernel_path : "(built in)");
    printf("%-10s %s, entry 0x%" PRIx64 "\n", "format", image_format_name(layout->kernel.format),
           layout->kernel.entry.value);
    print_range("image", layout->kernel.start,
                layout->kernel.end.value - layout->kernel.start.value);
    if (layout->initrd_bytes)
        print_range("initrd", layout->initrd, layout->initrd_bytes);
    printf("%-10s 0x%010" PRIx64 "\n", "fdt", layout->fdt.value);
    for (size_t i = 0; i < machine->device_count; i++)
        print_range(machine->devices[i].device->name, machine->devices[i].place.base,
                    machine->devices[i].device->size_bytes);
    printf("%-10s %s\n", "append", options->append);
    if (fflush(stdout) != 0)
        return error_set(error, ERROR_HOST, 0, "cannot write to standard output");
    machine_power_off(machine);
    return machine_state_move(&machine->state, MACHINE_STOPPED, error);
}
