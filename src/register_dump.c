// SPDX-License-Identifier: Apache-2.0
#include "register_dump.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "vcpu_registers.h"
#include "vcpu_translate.h"

enum {
    GENERAL_REGISTERS = 31,
    REGISTERS_PER_LINE = 4,
    LINE_BYTES = 160,
};

struct named_register {
    const char *name;
    uint64_t id;
};

/* A register that can't be read shows as such: a dump is taken when things are wrong. */
static void print_register(char *line, size_t *used, int fd, const char *name, uint64_t id)
{
    struct error ignored;
    uint64_t value;
    int length;

    if (vcpu_get_register(fd, id, &value, &ignored))
        length = snprintf(line + *used, LINE_BYTES - *used, " %9s %016" PRIx64, name, value);
    else
        length = snprintf(line + *used, LINE_BYTES - *used, " %9s %16s", name, "unreadable");
    *used += length > 0 ? (size_t)length : 0;
}

static void dump_named(int fd, struct log *log, const struct named_register *registers,
                       size_t count)
{
    for (size_t i = 0; i < count; i += REGISTERS_PER_LINE) {
        char line[LINE_BYTES] = "";
        size_t used = 0;

        for (size_t j = i; j < count && j < i + REGISTERS_PER_LINE; j++)
            print_register(line, &used, fd, registers[j].name, registers[j].id);
        log_line(log, LOG_ERROR, "%s", line);
    }
}

void register_dump_instruction(int fd, uint32_t index, const struct guest_memory *memory,
                               struct log *log)
{
    struct error error;
    uint64_t pc;
    uint32_t word;

    if (!vcpu_get_register(fd, VCPU_REG_PC, &pc, &error) || pc == 0)
        return;
    if (vcpu_fetch_instruction(fd, memory, pc, &word, &error))
        log_line(log, LOG_ERROR, "vCPU %u: the instruction at 0x%" PRIx64 " is 0x%08" PRIx32, index,
                 pc, word);
    else
        log_line(log, LOG_ERROR, "vCPU %u: no instruction at 0x%" PRIx64 ": %s", index, pc,
                 error.message);
}

void register_dump(int vcpu_fd, uint32_t index, const struct guest_memory *memory, struct log *log)
{
    static const struct named_register system[] = {
        {"pc", VCPU_REG_PC},
        {"pstate", VCPU_REG_PSTATE},
        {"sp_el0", VCPU_REG_SP_EL0},
        {"sp_el1", VCPU_REG_SP_EL1},
        {"elr_el1", VCPU_REG_ELR_EL1},
        {"spsr_el1", VCPU_REG_SPSR_EL1},
        {"esr_el1", VCPU_REG_ESR_EL1},
        {"far_el1", VCPU_REG_FAR_EL1},
        {"vbar_el1", VCPU_REG_VBAR_EL1},
        {"sctlr_el1", VCPU_REG_SCTLR_EL1},
        {"ttbr0_el1", VCPU_REG_TTBR0_EL1},
        {"ttbr1_el1", VCPU_REG_TTBR1_EL1},
    };
    struct named_register general[GENERAL_REGISTERS];
    char names[GENERAL_REGISTERS][4];

    for (unsigned n = 0; n < GENERAL_REGISTERS; n++) {
        (void)snprintf(names[n], sizeof(names[n]), "x%u", n);
        general[n] = (struct named_register){names[n], VCPU_REG_X(n)};
    }
    log_line(log, LOG_ERROR, "registers of vCPU %u:", index);
    dump_named(vcpu_fd, log, general, GENERAL_REGISTERS);
    dump_named(vcpu_fd, log, system, sizeof(system) / sizeof(system[0]));
    register_dump_instruction(vcpu_fd, index, memory, log);
}
