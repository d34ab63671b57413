// SPDX-License-Identifier: Apache-2.0
/*
 * Without a vGIC in the kernel: a vCPU's timers and PMU still are KVM's, which tells their levels
 * at each exit and exits when one changes (Documentation/virt/kvm/api.rst, KVM_CAP_ARM_USER_IRQ).
 */
#ifndef ARMLET_SRC_VCPU_PRIVATE_LINES_H
#define ARMLET_SRC_VCPU_PRIVATE_LINES_H

#include "vcpu.h"

/* Brings the levels to the environment's lines. The vCPU's own thread, after KVM_RUN. */
void vcpu_drive_private_lines(struct vcpu *vcpu);

/*
 * Tells the guest by ID_AA64PFR0_EL1 that there is no GIC in system registers, if this host lets
 * us, as Linux does since 6.12. Elsewhere a Linux guest warns of broken firmware, and goes on. I/O
 * thread.
 */
void vcpu_hide_gic_registers(struct vcpu *vcpu);

#endif
