// SPDX-License-Identifier: Apache-2.0
#include "vcpu_private_lines.h"

#include <linux/kvm.h>

#include "vcpu_registers.h"

#define ID_AA64PFR0_GIC_MASK ((uint64_t)0xf << 24)

_Static_assert(1 << VCPU_LINE_VIRTUAL_TIMER == KVM_ARM_DEV_EL1_VTIMER &&
                   1 << VCPU_LINE_PHYSICAL_TIMER == KVM_ARM_DEV_EL1_PTIMER &&
                   1 << VCPU_LINE_PMU == KVM_ARM_DEV_PMU,
               "lines are numbered as KVM's bits");

void vcpu_drive_private_lines(struct vcpu *vcpu)
{
    uint32_t levels = (uint32_t)vcpu->run->s.regs.device_irq_level;
    uint32_t changed = levels ^ vcpu->private_levels;
    struct irq_line *lines = vcpu->environment->private_lines[vcpu->index];

    if (__builtin_expect(changed == 0, 1))
        return;
    vcpu->private_levels = levels;
    for (unsigned i = 0; i < VCPU_PRIVATE_LINES; i++)
        if (changed & 1U << i)
            irq_line_set(&lines[i], levels >> i & 1);
}

void vcpu_hide_gic_registers(struct vcpu *vcpu)
{
    struct error ignored;
    uint64_t value;

    if (!vcpu_get_register(vcpu->fd, VCPU_REG_ID_AA64PFR0_EL1, &value, &ignored) ||
        !(value & ID_AA64PFR0_GIC_MASK))
        return;
    value &= ~ID_AA64PFR0_GIC_MASK;
    (void)!vcpu_set_register(vcpu->fd, VCPU_REG_ID_AA64PFR0_EL1, value, &ignored);
}
