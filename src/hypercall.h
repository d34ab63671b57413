// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls that armlet answers (armlet/hypercall.h): KVM hands on a range of SMCCC functions when
 * asked to by its filter, and answers all others itself
 * (Documentation/virt/kvm/devices/vm.rst, KVM_ARM_VM_SMCCC_FILTER).
 */
#ifndef ARMLET_SRC_HYPERCALL_H
#define ARMLET_SRC_HYPERCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/console.h"
#include "armlet/device.h"
#include "armlet/error.h"
#include "armlet/guest_memory.h"
#include "vm.h"

/* What the calls reach; all of it outlives the machine's run. */
struct hypercalls {
    struct console *console;
    const struct guest_memory *memory;
    struct guest_exit *guest_exit;
};

/* Whether the host's KVM has the filter: Linux 6.4 and later. */
bool hypercalls_can(const struct vm *vm);
/* Asks a VM for the range. Before its first vCPU runs. */
bool hypercalls_enable(const struct vm *vm, struct error *error) WARN_UNUSED;

/*
 * Answers a call of the range, or of none: NOT_SUPPORTED. `fd` is the vCPU's. Fails only when the
 * host does not let its registers be read or written. The vCPU's own thread.
 */
bool hypercall_answer(const struct hypercalls *hypercalls, int fd, uint32_t function,
                      struct error *error) WARN_UNUSED;

#endif
