// SPDX-License-Identifier: Apache-2.0
#include "no_syndrome.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "instruction.h"
#include "kvm.h"
#include "mmio_decode.h"
#include "translate.h"
#include "vcpu_registers.h"
#include "vcpu_translate.h"

/* PSTATE, as SPSR_ELx has it */
#define PSTATE_BTYPE (UINT64_C(3) << 10)
#define PSTATE_SS    (UINT64_C(1) << 21)

/* One instruction on its way. */
struct attempt {
    struct vcpu *vcpu;
    uint64_t pc;
    uint64_t pstate;
    bool big_endian;
    bool fetched;
    uint32_t word;
    struct load_store instruction;
    struct mmio_access access;
    gpa_t pages[2]; /* of the first and of the last byte */
    uint8_t bytes[MMIO_BYTES_MAX];
};

static bool refuse_for(enum instruction_reason reason, struct error *error)
{
    return error_set(error, ERROR_GUEST, 0, "%s", instruction_reason_text(reason));
}

static bool is_el0(const struct attempt *attempt)
{
    return (attempt->pstate & PSTATE_EL_MASK) == 0;
}

static bool read_state(struct attempt *attempt, struct error *error)
{
    int fd = attempt->vcpu->fd;
    uint64_t sctlr;

    if (!vcpu_get_register(fd, VCPU_REG_PC, &attempt->pc, error) ||
        !vcpu_get_register(fd, VCPU_REG_PSTATE, &attempt->pstate, error) ||
        !vcpu_get_register(fd, VCPU_REG_SCTLR_EL1, &sctlr, error))
        return false;
    attempt->big_endian = sctlr & (is_el0(attempt) ? SCTLR_EL1_E0E : SCTLR_EL1_EE);
    if (attempt->pstate & PSTATE_MODE_AARCH32)
        return refuse_for(INSTRUCTION_AARCH32, error);
    return true;
}

static bool find_instruction(struct attempt *attempt, struct error *error)
{
    const struct vcpu *vcpu = attempt->vcpu;

    attempt->fetched = vcpu_fetch_instruction(vcpu->fd, vcpu->environment->memory, attempt->pc,
                                              &attempt->word, error);
    if (!attempt->fetched)
        return false;
    if (!instruction_decode(attempt->word, &attempt->instruction))
        return refuse_for(attempt->instruction.reason, error);
    return true;
}

/* ---- registers ---- */

static bool read_general(const struct attempt *attempt, unsigned number, uint64_t *value,
                         struct error *error)
{
    *value = 0;
    return number == REGISTER_ZERO_OR_SP ||
           vcpu_get_register(attempt->vcpu->fd, VCPU_REG_X(number), value, error);
}

static bool write_general(const struct attempt *attempt, unsigned number, uint64_t value,
                          struct error *error)
{
    return number == REGISTER_ZERO_OR_SP ||
           vcpu_set_register(attempt->vcpu->fd, VCPU_REG_X(number), value, error);
}

static uint64_t base_register(const struct attempt *attempt)
{
    if (attempt->instruction.base != REGISTER_ZERO_OR_SP)
        return VCPU_REG_X(attempt->instruction.base);
    if (is_el0(attempt) || !(attempt->pstate & PSTATE_SP_ELX))
        return VCPU_REG_SP_EL0;
    return VCPU_REG_SP_EL1;
}

static bool read_transfer(const struct attempt *attempt, unsigned which, uint64_t halves[2],
                          struct error *error)
{
    unsigned number = attempt->instruction.transfer[which];

    if (attempt->instruction.vector)
        return vcpu_get_vector(attempt->vcpu->fd, number, halves, error);
    halves[1] = 0;
    return read_general(attempt, number, &halves[0], error);
}

static bool write_transfer(const struct attempt *attempt, unsigned which, const uint64_t halves[2],
                           struct error *error)
{
    unsigned number = attempt->instruction.transfer[which];

    if (attempt->instruction.vector)
        return vcpu_set_vector(attempt->vcpu->fd, number, halves, error);
    return write_general(attempt, number, halves[0], error);
}

/* ---- the access ---- */

/* The page of the byte that did not fault: the other one, if the access touches two. */
static bool find_other_page(struct attempt *attempt, unsigned other, uint64_t address,
                            struct error *error)
{
    const struct vcpu *vcpu = attempt->vcpu;
    const struct guest_memory *memory = vcpu->environment->memory;
    struct span span;

    if (!vcpu_translate(vcpu->fd, memory, address, &attempt->pages[other], error))
        return error_add_context(error, "the access touches two pages");
    if (guest_memory_span(memory, attempt->pages[other], 1, &span))
        return refuse_for(INSTRUCTION_STRADDLES_MEMORY, error);
    return true;
}

static bool find_pages(struct attempt *attempt, gpa_t fault_ipa, struct error *error)
{
    const struct mmio_access *access = &attempt->access;
    uint64_t in_page = access->address % MMIO_PAGE_BYTES;
    uint64_t last = access->address + access->size_bytes - 1;
    unsigned faulting = in_page + access->fault_offset >= MMIO_PAGE_BYTES;

    if (access->size_bytes == 0)
        return true;
    attempt->pages[0] = attempt->pages[1] = fault_ipa;
    if (in_page + access->size_bytes > MMIO_PAGE_BYTES &&
        !find_other_page(attempt, !faulting, faulting ? access->address : last, error))
        return false;
    for (unsigned i = 0; i < 2; i++)
        attempt->pages[i].value &= ~(uint64_t)(MMIO_PAGE_BYTES - 1);
    return true;
}

static bool find_access(struct attempt *attempt, gpa_t fault_ipa, uint64_t esr_iss,
                        struct error *error)
{
    const struct load_store *instruction = &attempt->instruction;
    struct mmio_operands operands = {.pc = attempt->pc};
    enum instruction_reason reason;

    if (!vcpu_get_register(attempt->vcpu->fd, base_register(attempt), &operands.base, error) ||
        !read_general(attempt, instruction->index, &operands.index, error))
        return false;
    reason = mmio_decode(instruction, &operands, fault_ipa, esr_iss, &attempt->access);
    if (reason != INSTRUCTION_DECODED)
        return refuse_for(reason, error);
    return find_pages(attempt, fault_ipa, error);
}

static void access_bus(struct attempt *attempt)
{
    const struct mmio_access *access = &attempt->access;
    uint64_t in_page = access->address % MMIO_PAGE_BYTES;

    for (uint32_t done = 0; done < access->size_bytes; done += access->width) {
        uint64_t at = in_page + done;
        gpa_t address = gpa_add(attempt->pages[at / MMIO_PAGE_BYTES], at % MMIO_PAGE_BYTES);
        uint64_t value = 0;

        memcpy(&value, &attempt->bytes[done], access->width);
        (void)vcpu_access(attempt->vcpu, address, access->kind, access->width, &value);
        memcpy(&attempt->bytes[done], &value, access->width);
    }
}

static bool transfer(struct attempt *attempt, struct error *error)
{
    const struct load_store *instruction = &attempt->instruction;
    uint64_t halves[2];

    if (instruction->kind == LOAD_STORE_STORE)
        for (unsigned i = 0; i < instruction->register_count; i++) {
            if (!read_transfer(attempt, i, halves, error))
                return false;
            mmio_put_register(instruction, i, attempt->big_endian, halves, attempt->bytes);
        }
    access_bus(attempt);
    if (instruction->kind == LOAD_STORE_LOAD)
        for (unsigned i = 0; i < instruction->register_count; i++) {
            mmio_take_register(instruction, i, attempt->big_endian, attempt->bytes, halves);
            if (!write_transfer(attempt, i, halves, error))
                return false;
        }
    return true;
}

/* What every instruction that completes does besides. */
static bool finish(const struct attempt *attempt, struct error *error)
{
    int fd = attempt->vcpu->fd;
    uint64_t pstate = attempt->pstate & ~(PSTATE_BTYPE | PSTATE_SS);

    if (load_store_writes_back(&attempt->instruction) &&
        !vcpu_set_register(fd, base_register(attempt), attempt->access.new_base, error))
        return false;
    if (pstate != attempt->pstate && !vcpu_set_register(fd, VCPU_REG_PSTATE, pstate, error))
        return false;
    return vcpu_set_register(fd, VCPU_REG_PC, attempt->pc + INSTRUCTION_BYTES, error);
}

/* ---- what can't be done ---- */

static void log_refusal(const struct attempt *attempt, gpa_t fault_ipa, const char *reason)
{
    const struct vcpu_environment *environment = attempt->vcpu->environment;
    char word[sizeof("0x00000000")] = "unknown";

    if (!log_limit_pass(environment->refused_limit))
        return;
    if (attempt->fetched)
        (void)snprintf(word, sizeof(word), "0x%08" PRIx32, attempt->word);
    log_line(environment->log, LOG_WARNING,
             "vCPU %u: access to 0x%" PRIx64 " by the instruction at PC 0x%" PRIx64
             " (%s) refused: %s",
             attempt->vcpu->index, fault_ipa.value, attempt->pc, word, reason);
}

static bool inject_abort(const struct vcpu *vcpu, struct error *error)
{
    const struct kvm_vcpu_events events = {.exception = {.ext_dabt_pending = 1}};

    return kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events, "KVM_SET_VCPU_EVENTS", error) ||
           error_add_context(error, "vCPU %u", vcpu->index);
}

bool no_syndrome_handle(struct vcpu *vcpu, gpa_t fault_ipa, uint64_t esr_iss, struct error *error)
{
    struct attempt attempt = {.vcpu = vcpu};

    if (read_state(&attempt, error) && find_instruction(&attempt, error) &&
        find_access(&attempt, fault_ipa, esr_iss, error) && transfer(&attempt, error) &&
        finish(&attempt, error))
        return true;
    if (error->code != ERROR_GUEST)
        return error_add_context(error, "vCPU %u", vcpu->index);
    log_refusal(&attempt, fault_ipa, error->message);
    if (vcpu->environment->can_inject_abort)
        return inject_abort(vcpu, error);
    return error_add_context(error,
                             "vCPU %u: an access to 0x%" PRIx64
                             " that cannot be carried out, and no abort for it in this host's KVM",
                             vcpu->index, fault_ipa.value);
}
