// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's virtual addresses as one vCPU sees them now, by its own translation tables.
 *
 * ERROR_GUEST, with the reason, where the guest's state gives no answer (no mapping, tables outside
 * RAM, AArch32); ERROR_HOST when KVM doesn't hand out the registers. On the vCPU's own thread,
 * while it is not in KVM_RUN.
 */
#ifndef ARMLET_SRC_VCPU_TRANSLATE_H
#define ARMLET_SRC_VCPU_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"

bool vcpu_translate(int vcpu_fd, const struct guest_memory *memory, uint64_t virtual_address,
                    gpa_t *address, struct error *error) WARN_UNUSED;

/* The A64 instruction at `pc`, which must be in RAM. */
bool vcpu_fetch_instruction(int vcpu_fd, const struct guest_memory *memory, uint64_t pc,
                            uint32_t *word, struct error *error) WARN_UNUSED;

#endif
