// SPDX-License-Identifier: Apache-2.0
/*
 * One virtual machine of KVM: the VM file, its memory slots, and the wires into its GIC.
 *
 * A struct vm is filled by vm_create() at power-on and emptied by vm_destroy() at power-off; a
 * reset of the machine is both. In between vm_is_open() is false and driving a line does nothing,
 * so that devices may outlive the VM. Created and destroyed by the I/O thread while no vCPU runs;
 * irq lines: any thread.
 */
#ifndef ARMLET_SRC_VM_H
#define ARMLET_SRC_VM_H

#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"
#include "armlet/irq.h"
#include "kvm.h"

struct vm {
    const struct kvm *kvm;
    int fd; /* -1 when there is no VM */
    uint32_t slot_count;
};

struct vm_config {
    gpa_t highest; /* the highest address that must be reachable */
    bool mte;      /* tagged memory for the guest */
};

/* A VM without memory or vCPUs. ERROR_HOST when the host can't address that much. */
bool vm_create(struct vm *vm, const struct kvm *kvm, const struct vm_config *config,
               struct error *error) WARN_UNUSED;
void vm_destroy(struct vm *vm);
bool vm_is_open(const struct vm *vm);

/* Makes host memory appear in the guest. The memory outlives the VM. */
bool vm_add_memory(struct vm *vm, const struct guest_memory *memory,
                   struct error *error) WARN_UNUSED;

/* Makes `line` a wire to the SPI with this INTID of whatever VM is in `vm` at the time. */
void vm_connect_irq(struct vm *vm, struct irq_line *line, uint32_t intid);

/*
 * Makes `line` a wire to an interrupt input of a vCPU, which is there when the VM has no vGIC: the
 * userspace GIC drives it. A vCPU that waits in WFI wakes up.
 */
enum vm_cpu_input { VM_CPU_IRQ, VM_CPU_FIQ };
void vm_connect_cpu_input(struct vm *vm, struct irq_line *line, uint32_t cpu,
                          enum vm_cpu_input input);

#endif
