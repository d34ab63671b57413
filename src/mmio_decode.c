// SPDX-License-Identifier: Apache-2.0
#include "mmio_decode.h"

#include <string.h>

/* ESR_EL2.ISS of a data abort (DDI 0487, D24.2.40) */
#define ISS_WNR (UINT64_C(1) << 6)

enum { VECTOR_BYTES = 16 };

static uint64_t extended_index(const struct load_store *instruction, uint64_t index)
{
    switch (instruction->extend) {
    case INDEX_UXTW:
        index = (uint32_t)index;
        break;
    case INDEX_SXTW:
        index = (uint64_t)(int64_t)(int32_t)index;
        break;
    case INDEX_LSL:
    case INDEX_SXTX:
        break;
    }
    return index << instruction->shift;
}

static uint64_t address_of(const struct load_store *instruction,
                           const struct mmio_operands *operands)
{
    uint64_t immediate = (uint64_t)instruction->immediate;

    switch (instruction->addressing) {
    case ADDRESSING_POST_INDEX:
        return operands->base;
    case ADDRESSING_REGISTER:
        return operands->base + extended_index(instruction, operands->index);
    case ADDRESSING_LITERAL:
        return operands->pc + immediate;
    case ADDRESSING_OFFSET:
    case ADDRESSING_PRE_INDEX:
    default:
        return operands->base + immediate;
    }
}

enum instruction_reason mmio_decode(const struct load_store *instruction,
                                    const struct mmio_operands *operands, gpa_t fault_ipa,
                                    uint64_t esr_iss, struct mmio_access *access)
{
    bool is_store = instruction->kind == LOAD_STORE_STORE;
    unsigned unit = instruction->access_bytes < ACCESS_64_BIT ? instruction->access_bytes
                                                              : (unsigned)ACCESS_64_BIT;
    uint64_t address = address_of(instruction, operands);

    if (instruction->kind == LOAD_STORE_ZERO_BLOCK)
        return INSTRUCTION_ZERO_BLOCK;
    *access = (struct mmio_access){
        .address = address,
        .new_base = operands->base + (uint64_t)instruction->immediate,
        .kind = is_store ? ACCESS_WRITE : ACCESS_READ,
        .width = ACCESS_8_BIT,
    };
    if (instruction->kind == LOAD_STORE_PREFETCH)
        return INSTRUCTION_DECODED;
    access->size_bytes = (uint32_t)instruction->access_bytes * instruction->register_count;
    access->fault_offset = (uint32_t)((fault_ipa.value - address) % MMIO_PAGE_BYTES);
    if (address % unit == 0)
        access->width = (enum access_width)unit;
    if (access->fault_offset >= access->size_bytes || is_store != ((esr_iss & ISS_WNR) != 0))
        return INSTRUCTION_MISMATCH;
    return INSTRUCTION_DECODED;
}

/* One register's bytes from memory's order to little-endian, or back. */
static void copy_ordered(uint8_t *to, const uint8_t *from, unsigned count, bool reversed)
{
    for (unsigned i = 0; i < count; i++)
        to[i] = from[reversed ? count - 1 - i : i];
}

void mmio_put_register(const struct load_store *instruction, unsigned which, bool big_endian,
                       const uint64_t halves[2], uint8_t bytes[MMIO_BYTES_MAX])
{
    uint8_t value[VECTOR_BYTES];

    memcpy(value, halves, sizeof(value));
    copy_ordered(bytes + (size_t)which * instruction->access_bytes, value,
                 instruction->access_bytes, big_endian);
}

void mmio_take_register(const struct load_store *instruction, unsigned which, bool big_endian,
                        const uint8_t bytes[MMIO_BYTES_MAX], uint64_t halves[2])
{
    uint8_t value[VECTOR_BYTES] = {0};

    copy_ordered(value, bytes + (size_t)which * instruction->access_bytes,
                 instruction->access_bytes, big_endian);
    memcpy(halves, value, sizeof(value));
    if (!instruction->sign_extend)
        return;
    unsigned unused = 64 - 8U * instruction->access_bytes;
    uint64_t extended = (uint64_t)((int64_t)(halves[0] << unused) >> unused);
    halves[0] = instruction->destination_bytes == sizeof(uint32_t) ? (uint32_t)extended : extended;
}
