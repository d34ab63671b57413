// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU's registers by KVM_GET_ONE_REG and KVM_SET_ONE_REG (Documentation/virt/kvm/api.rst, 4.68).
 * Only while the vCPU is not in KVM_RUN: on its own thread, or on the I/O thread before and after.
 */
#ifndef ARMLET_SRC_VCPU_REGISTERS_H
#define ARMLET_SRC_VCPU_REGISTERS_H

#include <linux/kvm.h>
#include <stdint.h>

#include "armlet/error.h"

#define VCPU_CORE_REG(field)                                                                       \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

#define VCPU_REG_X(n)                                                                              \
    (VCPU_CORE_REG(regs.regs[0]) + (uint64_t)(n) * (sizeof(uint64_t) / sizeof(uint32_t)))
#define VCPU_REG_SP_EL0   VCPU_CORE_REG(regs.sp)
#define VCPU_REG_SP_EL1   VCPU_CORE_REG(sp_el1)
#define VCPU_REG_PC       VCPU_CORE_REG(regs.pc)
#define VCPU_REG_PSTATE   VCPU_CORE_REG(regs.pstate)
#define VCPU_REG_ELR_EL1  VCPU_CORE_REG(elr_el1)
#define VCPU_REG_SPSR_EL1 VCPU_CORE_REG(spsr[0])

#define VCPU_REG_MPIDR           ARM64_SYS_REG(3, 0, 0, 0, 5)
#define VCPU_REG_ID_AA64PFR0_EL1 ARM64_SYS_REG(3, 0, 0, 4, 0)
#define VCPU_REG_SCTLR_EL1       ARM64_SYS_REG(3, 0, 1, 0, 0)
#define VCPU_REG_TTBR0_EL1       ARM64_SYS_REG(3, 0, 2, 0, 0)
#define VCPU_REG_TTBR1_EL1       ARM64_SYS_REG(3, 0, 2, 0, 1)
#define VCPU_REG_TCR_EL1         ARM64_SYS_REG(3, 0, 2, 0, 2)
#define VCPU_REG_ESR_EL1         ARM64_SYS_REG(3, 0, 5, 2, 0)
#define VCPU_REG_FAR_EL1         ARM64_SYS_REG(3, 0, 6, 0, 0)
#define VCPU_REG_VBAR_EL1        ARM64_SYS_REG(3, 0, 12, 0, 0)

/* PSTATE (DDI 0487, SPSR_ELx) */
#define PSTATE_MODE_AARCH32 0x10U
#define PSTATE_SP_ELX       0x01U
#define PSTATE_EL_MASK      0x0cU

bool vcpu_get_register(int fd, uint64_t id, uint64_t *value, struct error *error) WARN_UNUSED;
bool vcpu_set_register(int fd, uint64_t id, uint64_t value, struct error *error) WARN_UNUSED;

/* SIMD and floating-point register V0..V31: the low and the high half. */
bool vcpu_get_vector(int fd, unsigned number, uint64_t halves[2], struct error *error) WARN_UNUSED;
bool vcpu_set_vector(int fd, unsigned number, const uint64_t halves[2],
                     struct error *error) WARN_UNUSED;

#endif
