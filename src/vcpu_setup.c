// SPDX-License-Identifier: Apache-2.0
/* A vCPU before it runs: its KVM file, its features, its first registers. */
#include <errno.h>
#include <linux/kvm.h>

#include "kvm_sys.h"
#include "memory_map.h"
#include "vcpu.h"
#include "vcpu_private_lines.h"
#include "vcpu_registers.h"
#include "vcpu_watch.h"

bool vcpu_describe_target(const struct vm *vm, const struct vcpu_features *features,
                          struct kvm_vcpu_init *init, struct error *error)
{
    *init = (struct kvm_vcpu_init){0};
    if (!kvm_ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, init, "KVM_ARM_PREFERRED_TARGET", error))
        return false;
    init->features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
    if (features->pmu)
        init->features[0] |= 1U << KVM_ARM_VCPU_PMU_V3;
    if (features->sve)
        init->features[0] |= 1U << KVM_ARM_VCPU_SVE;
    if (features->pauth)
        init->features[0] |=
            1U << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1U << KVM_ARM_VCPU_PTRAUTH_GENERIC;
    if (features->aarch32_el1)
        init->features[0] |= 1U << KVM_ARM_VCPU_EL1_32BIT;
    return true;
}

static bool initialise(struct vcpu *vcpu, const struct kvm_vcpu_init *target, struct error *error)
{
    struct kvm_vcpu_init init = *target;
    const int sve = KVM_ARM_VCPU_SVE;

    if (vcpu->index > 0)
        init.features[0] |= 1U << KVM_ARM_VCPU_POWER_OFF;
    if (!kvm_ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init, "KVM_ARM_VCPU_INIT", error))
        return false;
    return !(init.features[0] & 1U << KVM_ARM_VCPU_SVE) ||
           kvm_ioctl(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &sve, "KVM_ARM_VCPU_FINALIZE", error);
}

bool vcpu_create(struct vcpu *vcpu, const struct vm *vm, uint32_t index,
                 const struct vcpu_environment *environment, const struct kvm_vcpu_init *init,
                 struct error *error)
{
    vcpu->index = index;
    vcpu->environment = environment;
    vcpu->bus = bus_view(environment->bus, index);
    vcpu->cursor = (struct bus_cursor){0};
    vcpu->has_private_lines = environment->private_lines != NULL;
    vcpu->private_levels = 0;
    vcpu->coalesced = environment->coalesced;
    vcpu_watch_init(vcpu);
    vcpu->run = NULL;
    vcpu->fd = kvm_sys_ioctl(vm->fd, KVM_CREATE_VCPU, index);
    if (vcpu->fd < 0)
        return error_set(error, ERROR_HOST, errno, "KVM_CREATE_VCPU failed for vCPU %u", index);
    vcpu->run = kvm_sys_map(vcpu->fd, environment->run_bytes);
    if (!vcpu->run) {
        (void)error_set(error, ERROR_HOST, errno, "cannot map the run area of vCPU %u", index);
        goto fail;
    }
    if (!initialise(vcpu, init, error)) {
        (void)error_add_context(error, "vCPU %u", index);
        goto fail;
    }
    if (environment->kvm_stats)
        kvm_stats_open(&vcpu->kvm_stats, vcpu->fd);
    return true;

fail:
    vcpu_destroy(vcpu);
    return false;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    struct kvm_stats kvm;

    kvm_stats_read(&vcpu->kvm_stats, &kvm);
    kvm_stats_add(&vcpu->kvm_before, &kvm);
    kvm_stats_close(&vcpu->kvm_stats);
    if (vcpu->run)
        kvm_sys_unmap(vcpu->run, vcpu->environment->run_bytes);
    if (vcpu->fd >= 0)
        kvm_sys_close(vcpu->fd);
    vcpu->run = NULL;
    vcpu->fd = -1;
}

static bool set_attribute(struct vcpu *vcpu, uint32_t group, uint64_t attribute, const void *value,
                          const char *name, struct error *error)
{
    const struct kvm_device_attr request = {
        .group = group,
        .attr = attribute,
        .addr = (uintptr_t)value,
    };
    return kvm_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &request, name, error);
}

/* Without a vGIC the PMU's interrupt has no number, and is a private line. */
static bool initialise_pmu(struct vcpu *vcpu, struct error *error)
{
    const int intid = GIC_PPI_BASE + PPI_PMU;

    return (vcpu->has_private_lines ||
            set_attribute(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &intid,
                          "setting the PMU's interrupt", error)) &&
           set_attribute(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL,
                         "initialising the PMU", error);
}

bool vcpu_finish_setup(struct vcpu *vcpu, const struct vcpu_features *features, gpa_t steal_time,
                       struct error *error)
{
    if (features->pmu && !initialise_pmu(vcpu, error))
        return false;
    if (vcpu->has_private_lines)
        vcpu_hide_gic_registers(vcpu);
    return !features->steal_time ||
           set_attribute(vcpu, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, &steal_time.value,
                         "placing the record of stolen time", error);
}

bool vcpu_read_affinity(struct vcpu *vcpu, uint64_t *affinity, struct error *error)
{
    const uint64_t affinity_fields = 0xff00ffffff;

    if (!vcpu_get_register(vcpu->fd, VCPU_REG_MPIDR, affinity, error))
        return false;
    *affinity &= affinity_fields;
    return true;
}

bool vcpu_set_entry(struct vcpu *vcpu, bool aarch32, gpa_t entry, gpa_t fdt, struct error *error)
{
    const uint64_t any_machine = UINT32_MAX; /* r1 of the 32-bit boot protocol */

    if (!vcpu_set_register(vcpu->fd, VCPU_REG_PC, entry.value, error))
        return false;
    if (!aarch32)
        return vcpu_set_register(vcpu->fd, VCPU_REG_X(0), fdt.value, error);
    return vcpu_set_register(vcpu->fd, VCPU_REG_X(1), any_machine, error) &&
           vcpu_set_register(vcpu->fd, VCPU_REG_X(2), fdt.value, error);
}
