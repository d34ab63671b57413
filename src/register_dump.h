// SPDX-License-Identifier: Apache-2.0
/*
 * What a vCPU was doing when it could not go on, as lines of the log: general registers, the
 * system registers that explain a fault, and the instruction at PC with its address.
 * While the vCPU is not in KVM_RUN.
 */
#ifndef ARMLET_SRC_REGISTER_DUMP_H
#define ARMLET_SRC_REGISTER_DUMP_H

#include <stdint.h>

#include "armlet/guest_memory.h"
#include "armlet/log.h"

/* One line: the instruction at PC. Nothing for a vCPU at address 0: it was never switched on. */
void register_dump_instruction(int vcpu_fd, uint32_t index, const struct guest_memory *memory,
                               struct log *log);

void register_dump(int vcpu_fd, uint32_t index, const struct guest_memory *memory, struct log *log);

#endif
