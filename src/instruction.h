// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding A64 loads and stores (DDI 0487, C4.1 "Loads and Stores"), for the accesses to devices
 * that hardware reports without a syndrome.
 *
 * Decoded are the instructions that a device access can be made of: every load and store of one
 * or two general or SIMD&FP registers in every addressing mode, the ordered ones (LDAR, STLR,
 * LDAPR, LDAPUR, ...) as plain ones, prefetches, and DC ZVA. Refused with a reason is what has no
 * meaning on a device or what armlet does not carry out. Pure functions: any thread.
 */
#ifndef ARMLET_SRC_INSTRUCTION_H
#define ARMLET_SRC_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    INSTRUCTION_BYTES = 4,
    REGISTER_ZERO_OR_SP = 31, /* XZR where data is meant, SP where a base is */
};

enum load_store_kind {
    LOAD_STORE_LOAD,
    LOAD_STORE_STORE,
    LOAD_STORE_PREFETCH,   /* a hint: nothing is accessed */
    LOAD_STORE_ZERO_BLOCK, /* DC ZVA: stores DCZID_EL0's block of zeroes; the base is an X register
                            */
};

enum addressing {
    ADDRESSING_OFFSET,     /* base + immediate */
    ADDRESSING_PRE_INDEX,  /* base + immediate, which is the new base */
    ADDRESSING_POST_INDEX, /* base; base + immediate is the new base */
    ADDRESSING_REGISTER,   /* base + (extended index << shift) */
    ADDRESSING_LITERAL,    /* PC + immediate */
};

/* How the index register is widened; the values are the field "option". */
enum index_extend {
    INDEX_UXTW = 2,
    INDEX_LSL = 3,
    INDEX_SXTW = 6,
    INDEX_SXTX = 7,
};

enum instruction_reason {
    INSTRUCTION_DECODED,
    INSTRUCTION_NOT_MEMORY,        /* no load or store */
    INSTRUCTION_UNALLOCATED,       /* no instruction that is known here */
    INSTRUCTION_EXCLUSIVE,         /* LDXR, STXR, LDXP, ... */
    INSTRUCTION_ATOMIC,            /* LDADD, SWP, CAS, LD64B, ... */
    INSTRUCTION_SCALABLE,          /* SVE, SME */
    INSTRUCTION_STRUCTURE,         /* LD1 to LD4, ST1 to ST4 */
    INSTRUCTION_MEMORY_TAG,        /* STG, LDG, STGP, DC GVA, ... */
    INSTRUCTION_MEMORY_COPY,       /* CPYFP, SETP, ... */
    INSTRUCTION_POINTER_AUTH,      /* LDRAA, LDRAB */
    INSTRUCTION_ORDERED_PAIR,      /* FEAT_LRCPC3's LDIAPP, STILP and write-back forms */
    INSTRUCTION_CACHE_MAINTENANCE, /* DC, IC other than DC ZVA */
    INSTRUCTION_AARCH32,           /* for callers that find the guest in AArch32: not A64 at all */
    INSTRUCTION_MISMATCH,          /* mmio_decode: not the instruction that faulted */
    INSTRUCTION_ZERO_BLOCK,        /* mmio_decode: DC ZVA, whose size only hardware knows */
    INSTRUCTION_STRADDLES_MEMORY,  /* no_syndrome: one part is RAM */
    INSTRUCTION_REASON_COUNT,
};

struct load_store {
    enum instruction_reason reason; /* INSTRUCTION_DECODED, or why the rest is zero */
    enum load_store_kind kind;
    enum addressing addressing;
    enum index_extend extend;  /* ADDRESSING_REGISTER: of the index ... */
    uint8_t shift;             /* ... and how far it is shifted left */
    uint8_t index;             /* ... and its number; 31 is XZR */
    bool vector;               /* SIMD&FP registers */
    bool sign_extend;          /* loads of general registers */
    uint8_t access_bytes;      /* 1, 2, 4, 8 or 16 for each register; 0 for a hint or a block */
    uint8_t destination_bytes; /* what a general register gets: 4 (its top half is zero) or 8 */
    uint8_t register_count;    /* 1, 2; 0 for a hint or a block */
    uint8_t transfer[2];       /* Rt, Rt2: 31 is XZR, or V31 */
    uint8_t base;              /* Rn: 31 is SP, but XZR for LOAD_STORE_ZERO_BLOCK */
    int64_t immediate;         /* bytes */
};

/* Whether the base register gets a new value. */
static inline bool load_store_writes_back(const struct load_store *instruction)
{
    return instruction->addressing == ADDRESSING_PRE_INDEX ||
           instruction->addressing == ADDRESSING_POST_INDEX;
}

/* Any word is allowed. False if it is refused; out->reason says why and the rest is zero then. */
bool instruction_decode(uint32_t word, struct load_store *out);

/* What a reason means, for a message: "an exclusive access (LDXR, STXR)". Static. */
const char *instruction_reason_text(enum instruction_reason reason);

#endif
