// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "armlet/fdt_file.h"
#include "machine_watch.h"
#include "memory_map.h"
#include "vcpu_watch.h"

enum { STEAL_TIME_STRIDE = 64 }; /* DEN0057: a record is 64 bytes, 64-byte aligned */

static gpa_t ram_end(const struct machine *machine)
{
    return gpa_add(machine->ram.memory.base, machine->ram.memory.size_bytes);
}

/* The highest address anything of the machine uses, for the size of the guest's address space. */
static gpa_t highest_address(const struct machine *machine)
{
    uint32_t high = vgic_high_redistributor_count(machine->options->vcpu_count);
    gpa_t end = ram_end(machine);

    if (high)
        end = gpa_add(memory_map_high_redistributors(end), (uint64_t)high * GICV3_REDIST_BYTES);
    return GPA(end.value - 1);
}

static bool create_vm(struct machine *machine, struct error *error)
{
    const struct vm_config config = {
        .highest = highest_address(machine),
        .mte = machine->features.mte,
    };

    if (!vm_create(&machine->vm, &machine->kvm, &config, error) ||
        !vm_add_memory(&machine->vm, &machine->ram.memory, error))
        return false;
    machine->environment.can_inject_abort =
        kvm_check_extension(machine->vm.fd, KVM_CAP_ARM_INJECT_EXT_DABT);
    return true;
}

/* Decided anew for each VM: whether vCPUs are told is what the tree says, too. */
static bool create_hypercalls(struct machine *machine, struct error *error)
{
    enum feature_choice choice = machine->options->hypercalls;

    machine->environment.hypercalls = NULL;
    if (choice == FEATURE_OFF || (choice == FEATURE_AUTO && !hypercalls_can(&machine->vm)))
        return true;
    if (!hypercalls_can(&machine->vm))
        return error_set(error, ERROR_HOST, 0,
                         "--hypercalls on: this host's KVM hands on no hypercalls: it takes "
                         "Linux 6.4 or later");
    machine->hypercalls = (struct hypercalls){
        .console = machine->console,
        .memory = &machine->ram.memory,
        .guest_exit = &machine->guest_exit,
    };
    machine->environment.hypercalls = &machine->hypercalls;
    return hypercalls_enable(&machine->vm, error);
}

/* One record of stolen time a vCPU, in memory of their own beside RAM. */
static bool create_steal_time(struct machine *machine, struct error *error)
{
    const struct region *region = memory_map_region(REGION_PVTIME);
    const struct options backing = {.memory_bytes = region->size_bytes};

    if (!memory_mapping_create(&machine->pvtime, &backing, region->base, error))
        return false;
    memory_mapping_expect_little(&machine->pvtime.memory, &backing, region->base,
                                 region->size_bytes);
    return vm_add_memory(&machine->vm, &machine->pvtime.memory, error);
}

static bool create_vcpus(struct machine *machine, struct error *error)
{
    struct kvm_vcpu_init target;

    if (!vcpu_describe_target(&machine->vm, &machine->features, &target, error))
        return false;
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        if (!vcpu_create(&machine->vcpus[i], &machine->vm, i, &machine->environment, &target,
                         error))
            return false;
    coalesced_attach(&machine->coalesced, &machine->vm, machine->vcpus[0].run,
                     machine->environment.run_bytes);
    return true;
}

static bool finish_vcpus(struct machine *machine, struct error *error)
{
    gpa_t record = memory_map_region(REGION_PVTIME)->base;

    for (uint32_t i = 0; i < machine->options->vcpu_count; i++) {
        struct vcpu *vcpu = &machine->vcpus[i];

        if (!vcpu_finish_setup(vcpu, &machine->features,
                               gpa_add(record, (uint64_t)i * STEAL_TIME_STRIDE), error) ||
            !vcpu_read_affinity(vcpu, &machine->affinities[i], error))
            return error_add_context(error, "vCPU %u", i);
    }
    return true;
}

static void *build_fdt(struct machine *machine, size_t *size_bytes, struct error *error)
{
    const struct options *options = machine->options;
    const struct guest_memory *memory = &machine->ram.memory;
    const struct machine_description description = {
        .vcpu_count = options->vcpu_count,
        .affinities = machine->affinities,
        .vgic = &machine->vgic,
        .pmu = machine->features.pmu,
        .aarch32 = machine->features.aarch32_el1,
        .symbols = options->overlay_count > 0,
        .hypercalls = machine->environment.hypercalls,
        .ram_base = memory->base,
        .ram_bytes = memory->size_bytes,
        .devices = machine->devices,
        .device_count = machine->device_count,
    };

    if (!options->dtb_path)
        return machine_fdt_build(&description, size_bytes, error);
    void *fdt = fdt_file_load(options->dtb_path, size_bytes, error);
    if (!fdt || fdt_set_memory(&fdt, size_bytes, memory->base, memory->size_bytes, error))
        return fdt;
    (void)error_add_context(error, "cannot use device tree '%s'", options->dtb_path);
    free(fdt);
    return NULL;
}

static void log_layout(const struct machine *machine)
{
    const struct boot_layout *layout = &machine->layout;

    log_line(machine->log, LOG_DEBUG,
             "GICv%d%s, %s at 0x%" PRIx64 " to 0x%" PRIx64 ", entry 0x%" PRIx64,
             (int)machine->vgic.version, machine->vgic.config.its ? " with ITS" : "",
             image_format_name(layout->kernel.format), layout->kernel.start.value,
             layout->kernel.end.value, layout->kernel.entry.value);
    log_line(machine->log, LOG_DEBUG,
             "initrd of %" PRIu64 " bytes at 0x%" PRIx64 ", device tree at 0x%" PRIx64,
             layout->initrd_bytes, layout->initrd.value, layout->fdt.value);
}

static bool load(struct machine *machine, struct error *error)
{
    size_t fdt_bytes;

    if (!boot_load(&machine->files, machine->options, &machine->ram.memory, &machine->layout,
                   error))
        return false;
    log_layout(machine);
    void *fdt = build_fdt(machine, &fdt_bytes, error);
    return fdt &&
           boot_place_fdt(fdt, fdt_bytes, machine->options, &machine->ram.memory, &machine->layout,
                          error) &&
           vcpu_set_entry(&machine->vcpus[0], machine->features.aarch32_el1,
                          machine->layout.kernel.entry, machine->layout.fdt, error);
}

static bool grant_regions(struct machine *machine, struct error *error)
{
    /* A plugin that is asked about accesses is asked about each. */
    if (machine->filters.kinds & EXIT_KIND_MASK(EXIT_KIND_MMIO))
        return true;
    for (size_t i = 0; i < machine->device_count; i++)
        if (!machine_regions_apply(&machine->regions[i], machine->devices[i].place.base,
                                   !machine->irqchip, error))
            return error_add_context(error, "device '%s'", machine->devices[i].device->name);
    return true;
}

bool machine_power_on(struct machine *machine, struct error *error)
{
    for (size_t i = 0; i < machine->device_count; i++)
        machine->devices[i].device->ops->reset(machine->devices[i].device);
    return create_vm(machine, error) && create_hypercalls(machine, error) &&
           (!machine->features.steal_time || create_steal_time(machine, error)) &&
           machine_irqchip_power_on(machine, memory_map_high_redistributors(ram_end(machine)),
                                    error) &&
           create_vcpus(machine, error) && machine_irqchip_finish_power_on(machine, error) &&
           finish_vcpus(machine, error) && grant_regions(machine, error) && load(machine, error) &&
           machine_enter_state(machine, MACHINE_READY, error);
}

void machine_power_off(struct machine *machine)
{
    coalesced_detach(&machine->coalesced);
    for (size_t i = 0; i < machine->device_count; i++)
        machine_regions_forget(&machine->regions[i]);
    for (uint32_t i = 0; machine->vcpus && i < machine->options->vcpu_count; i++) {
        struct vcpu *vcpu = &machine->vcpus[i];
        enum vcpu_state from = vcpu->state;

        vcpu_destroy(vcpu);
        vcpu->state = VCPU_OFF;
        if (from != VCPU_OFF)
            vcpu_watch_state(vcpu, from);
    }
    machine_irqchip_power_off(machine);
    vgic_destroy(&machine->vgic);
    vm_destroy(&machine->vm);
    memory_mapping_destroy(&machine->pvtime);
}
