// SPDX-License-Identifier: Apache-2.0
/*
 * From a decoded load or store to what it asks of the bus: which addresses, how wide, and how the
 * bytes stand to registers.
 *
 * One instruction is one run of consecutive bytes, up to two registers of 16. The bus sees it in
 * naturally aligned accesses of at most 8 bytes, all of one width: that of a register, or single
 * bytes if the address is not aligned to it. Pure functions: any thread.
 */
#ifndef ARMLET_SRC_MMIO_DECODE_H
#define ARMLET_SRC_MMIO_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/gpa.h"
#include "instruction.h"

enum {
    MMIO_BYTES_MAX = 32,
    MMIO_PAGE_BYTES = 4096, /* the finest translation granule: lower bits of VA and IPA agree */
};

/* What the address is made of, before the access. */
struct mmio_operands {
    uint64_t base;  /* Rn, or the SP in use */
    uint64_t index; /* Rm */
    uint64_t pc;
};

struct mmio_access {
    uint64_t address;      /* virtual, of the first byte; perhaps with a tag */
    uint64_t new_base;     /* if the instruction writes back */
    uint32_t size_bytes;   /* 0: a hint, which accesses nothing */
    uint32_t fault_offset; /* of the byte whose address KVM reported */
    enum access_kind kind;
    enum access_width width; /* of each access to the bus; it divides size_bytes */
};

/*
 * INSTRUCTION_DECODED and `access`, or the reason against it: INSTRUCTION_MISMATCH when the
 * instruction can't be the one that faulted at fault_ipa with this syndrome (ESR_EL2.ISS), since
 * the guest has changed it meanwhile.
 */
enum instruction_reason mmio_decode(const struct load_store *instruction,
                                    const struct mmio_operands *operands, gpa_t fault_ipa,
                                    uint64_t esr_iss, struct mmio_access *access);

/* Puts a register of a store, low half first, where it belongs in the access's bytes. */
void mmio_put_register(const struct load_store *instruction, unsigned which, bool big_endian,
                       const uint64_t halves[2], uint8_t bytes[MMIO_BYTES_MAX]);

/* What a load gives register `which`, extended to all its bits. */
void mmio_take_register(const struct load_store *instruction, unsigned which, bool big_endian,
                        const uint8_t bytes[MMIO_BYTES_MAX], uint64_t halves[2]);

#endif
