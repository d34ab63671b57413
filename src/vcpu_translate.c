// SPDX-License-Identifier: Apache-2.0
#include "vcpu_translate.h"

#include <inttypes.h>

#include "instruction.h"
#include "translate.h"
#include "vcpu_registers.h"

static bool refuse_aarch32(int vcpu_fd, struct error *error)
{
    uint64_t pstate;

    if (!vcpu_get_register(vcpu_fd, VCPU_REG_PSTATE, &pstate, error))
        return false;
    if (pstate & PSTATE_MODE_AARCH32)
        return error_set(error, ERROR_GUEST, 0, "%s", instruction_reason_text(INSTRUCTION_AARCH32));
    return true;
}

bool vcpu_translate(int vcpu_fd, const struct guest_memory *memory, uint64_t virtual_address,
                    gpa_t *address, struct error *error)
{
    struct translation_registers registers;

    return refuse_aarch32(vcpu_fd, error) &&
           vcpu_get_register(vcpu_fd, VCPU_REG_SCTLR_EL1, &registers.sctlr_el1, error) &&
           vcpu_get_register(vcpu_fd, VCPU_REG_TCR_EL1, &registers.tcr_el1, error) &&
           vcpu_get_register(vcpu_fd, VCPU_REG_TTBR0_EL1, &registers.ttbr0_el1, error) &&
           vcpu_get_register(vcpu_fd, VCPU_REG_TTBR1_EL1, &registers.ttbr1_el1, error) &&
           translate_address(&registers, memory, virtual_address, address, error);
}

bool vcpu_fetch_instruction(int vcpu_fd, const struct guest_memory *memory, uint64_t pc,
                            uint32_t *word, struct error *error)
{
    struct span span;
    gpa_t address;

    if (pc % INSTRUCTION_BYTES != 0)
        return error_set(error, ERROR_GUEST, 0, "the PC is misaligned");
    if (!vcpu_translate(vcpu_fd, memory, pc, &address, error))
        return error_add_context(error, "cannot fetch the instruction");
    if (!guest_memory_span(memory, address, INSTRUCTION_BYTES, &span))
        return error_set(error, ERROR_GUEST, 0, "the instruction is at 0x%" PRIx64 ", outside RAM",
                         address.value);
    *word = __atomic_load_n((const uint32_t *)(const void *)span.data, __ATOMIC_RELAXED);
    return true;
}
