// SPDX-License-Identifier: Apache-2.0
#include "instruction.h"

#include <assert.h>
#include <stddef.h>

/* Fields, by the names that DDI 0487 C4.1 and C6.2 give them. */
enum {
    SIZE_BYTE = 0,
    SIZE_WORD = 2,
    SIZE_DOUBLEWORD = 3,
    OPC_STORE = 0,
    OPC_LOAD = 1,
    OPC_LOAD_SIGNED_64 = 2, /* V = 0; PRFM with size 3 */
    OPC_LOAD_SIGNED_32 = 3, /* V = 0 */
    PAIR_OPC_SIGNED = 1,    /* V = 0: LDPSW */
    PAIR_OPC_RESERVED = 3,
    LITERAL_OPC_SIGNED = 2,   /* V = 0: LDRSW */
    LITERAL_OPC_PREFETCH = 3, /* V = 0: PRFM; V = 1: reserved */
    WORD_BYTES = 4,
    DOUBLEWORD_BYTES = 8,
    QUADWORD_BYTES = 16,
};

/* Pairs, bits 24:23; single registers, bits 11:10. */
enum pair_index { PAIR_NO_ALLOCATE, PAIR_POST_INDEX, PAIR_OFFSET, PAIR_PRE_INDEX };
enum single_index { SINGLE_UNSCALED, SINGLE_POST_INDEX, SINGLE_UNPRIVILEGED, SINGLE_PRE_INDEX };

static uint32_t field(uint32_t word, unsigned high, unsigned low)
{
    return (word >> low) & ((1U << (high - low + 1)) - 1);
}

static bool bit(uint32_t word, unsigned number)
{
    return (word >> number) & 1;
}

static int64_t signed_field(uint32_t word, unsigned high, unsigned low)
{
    return (int32_t)(word << (31 - high)) >> (31 - high + low);
}

static uint8_t rt(uint32_t word)
{
    return (uint8_t)field(word, 4, 0);
}

static uint8_t rn(uint32_t word)
{
    return (uint8_t)field(word, 9, 5);
}

static uint8_t rt2(uint32_t word)
{
    return (uint8_t)field(word, 14, 10);
}

static uint8_t rm(uint32_t word)
{
    return (uint8_t)field(word, 20, 16);
}

static void set_transfer(struct load_store *out, uint32_t word, enum load_store_kind kind,
                         unsigned access_bytes)
{
    out->kind = kind;
    out->access_bytes = (uint8_t)access_bytes;
    out->destination_bytes =
        access_bytes > WORD_BYTES || out->vector ? DOUBLEWORD_BYTES : WORD_BYTES;
    out->register_count = 1;
    out->transfer[0] = rt(word);
}

static void set_signed(struct load_store *out, unsigned destination_bytes)
{
    out->sign_extend = true;
    out->destination_bytes = (uint8_t)destination_bytes;
}

static void set_prefetch(struct load_store *out)
{
    out->kind = LOAD_STORE_PREFETCH;
}

/* Size and opc of a SIMD&FP register: opc<1> makes size 0 a quadword. */
static enum instruction_reason decode_vector(uint32_t word, struct load_store *out)
{
    uint32_t size = field(word, 31, 30);
    uint32_t opc = field(word, 23, 22);
    bool quadword = bit(opc, 1);

    if (quadword && size != SIZE_BYTE)
        return INSTRUCTION_UNALLOCATED;
    out->vector = true;
    set_transfer(out, word, bit(opc, 0) ? LOAD_STORE_LOAD : LOAD_STORE_STORE,
                 quadword ? QUADWORD_BYTES : 1U << size);
    return INSTRUCTION_DECODED;
}

/* Size, V and opc, which all the forms with one register share; not all of them have PRFM. */
static enum instruction_reason decode_size(uint32_t word, bool prefetch, struct load_store *out)
{
    uint32_t size = field(word, 31, 30);
    uint32_t opc = field(word, 23, 22);

    if (bit(word, 26))
        return decode_vector(word, out);
    if (size == SIZE_DOUBLEWORD && opc == OPC_LOAD_SIGNED_64 && prefetch) {
        set_prefetch(out);
        return INSTRUCTION_DECODED;
    }
    if ((opc == OPC_LOAD_SIGNED_64 && size == SIZE_DOUBLEWORD) ||
        (opc == OPC_LOAD_SIGNED_32 && size >= SIZE_WORD))
        return INSTRUCTION_UNALLOCATED;
    set_transfer(out, word, opc == OPC_STORE ? LOAD_STORE_STORE : LOAD_STORE_LOAD, 1U << size);
    if (opc == OPC_LOAD_SIGNED_64)
        set_signed(out, DOUBLEWORD_BYTES);
    else if (opc == OPC_LOAD_SIGNED_32)
        set_signed(out, WORD_BYTES);
    return INSTRUCTION_DECODED;
}

static unsigned scale(uint32_t word)
{
    if (bit(word, 26) && bit(word, 23))
        return 4; /* a quadword */
    return field(word, 31, 30);
}

static enum instruction_reason decode_unsigned_immediate(uint32_t word, struct load_store *out)
{
    out->base = rn(word);
    out->addressing = ADDRESSING_OFFSET;
    out->immediate = (int64_t)field(word, 21, 10) << scale(word);
    return decode_size(word, true, out);
}

static enum instruction_reason decode_immediate_9(uint32_t word, struct load_store *out)
{
    enum single_index index = field(word, 11, 10);

    out->base = rn(word);
    out->immediate = signed_field(word, 20, 12);
    if (index == SINGLE_POST_INDEX)
        out->addressing = ADDRESSING_POST_INDEX;
    else if (index == SINGLE_PRE_INDEX)
        out->addressing = ADDRESSING_PRE_INDEX;
    else
        out->addressing = ADDRESSING_OFFSET;
    if (index == SINGLE_UNPRIVILEGED && bit(word, 26))
        return INSTRUCTION_UNALLOCATED;
    return decode_size(word, index == SINGLE_UNSCALED, out);
}

static enum instruction_reason decode_register_offset(uint32_t word, struct load_store *out)
{
    uint32_t option = field(word, 15, 13);

    if (!bit(option, 1))
        return INSTRUCTION_UNALLOCATED;
    out->base = rn(word);
    out->addressing = ADDRESSING_REGISTER;
    out->index = rm(word);
    out->extend = (enum index_extend)option;
    out->shift = bit(word, 12) ? (uint8_t)scale(word) : 0;
    return decode_size(word, true, out);
}

/* Atomic memory operations, among which LDAPR is a plain load. */
static enum instruction_reason decode_atomic(uint32_t word, struct load_store *out)
{
    const uint32_t ldapr_mask = 0x3ffffc00;
    const uint32_t ldapr = 0x38bfc000;

    if ((word & ldapr_mask) != ldapr)
        return INSTRUCTION_ATOMIC;
    out->base = rn(word);
    set_transfer(out, word, LOAD_STORE_LOAD, 1U << field(word, 31, 30));
    return INSTRUCTION_DECODED;
}

/* size 111 V 0x: one register. */
static enum instruction_reason decode_single(uint32_t word, struct load_store *out)
{
    if (bit(word, 24))
        return decode_unsigned_immediate(word, out);
    if (!bit(word, 21))
        return decode_immediate_9(word, out);
    if (bit(word, 10)) {
        bool authenticated = field(word, 31, 30) == SIZE_DOUBLEWORD && !bit(word, 26);

        return authenticated ? INSTRUCTION_POINTER_AUTH : INSTRUCTION_UNALLOCATED;
    }
    return bit(word, 11) ? decode_register_offset(word, out) : decode_atomic(word, out);
}

/* The size of each register of a pair, or 0. */
static unsigned pair_bytes(uint32_t opc, bool vector)
{
    if (opc == PAIR_OPC_RESERVED)
        return 0;
    if (vector)
        return (unsigned)WORD_BYTES << opc;
    return opc == 2 ? DOUBLEWORD_BYTES : WORD_BYTES;
}

/* opc 101 V 0 index L: two registers. */
static enum instruction_reason decode_pair(uint32_t word, struct load_store *out)
{
    static const enum addressing modes[] = {
        [PAIR_NO_ALLOCATE] = ADDRESSING_OFFSET,
        [PAIR_POST_INDEX] = ADDRESSING_POST_INDEX,
        [PAIR_OFFSET] = ADDRESSING_OFFSET,
        [PAIR_PRE_INDEX] = ADDRESSING_PRE_INDEX,
    };
    uint32_t opc = field(word, 31, 30);
    enum pair_index index = field(word, 24, 23);
    bool load = bit(word, 22);
    unsigned bytes = pair_bytes(opc, bit(word, 26));

    out->vector = bit(word, 26);
    if (!out->vector && opc == PAIR_OPC_SIGNED) {
        if (index == PAIR_NO_ALLOCATE)
            return INSTRUCTION_UNALLOCATED;
        if (!load)
            return INSTRUCTION_MEMORY_TAG; /* STGP */
    }
    if (bytes == 0)
        return INSTRUCTION_UNALLOCATED;
    set_transfer(out, word, load ? LOAD_STORE_LOAD : LOAD_STORE_STORE, bytes);
    if (!out->vector && opc == PAIR_OPC_SIGNED)
        set_signed(out, DOUBLEWORD_BYTES);
    out->register_count = 2;
    out->transfer[1] = rt2(word);
    out->base = rn(word);
    out->addressing = modes[index];
    out->immediate = signed_field(word, 21, 15) * (int64_t)bytes;
    return INSTRUCTION_DECODED;
}

/* opc 011 V 00: relative to the PC. */
static enum instruction_reason decode_literal(uint32_t word, struct load_store *out)
{
    uint32_t opc = field(word, 31, 30);

    out->vector = bit(word, 26);
    out->addressing = ADDRESSING_LITERAL;
    out->immediate = signed_field(word, 23, 5) * INSTRUCTION_BYTES;
    if (opc == LITERAL_OPC_PREFETCH) {
        if (out->vector)
            return INSTRUCTION_UNALLOCATED;
        set_prefetch(out);
        return INSTRUCTION_DECODED;
    }
    if (!out->vector && opc == LITERAL_OPC_SIGNED) {
        set_transfer(out, word, LOAD_STORE_LOAD, WORD_BYTES);
        set_signed(out, DOUBLEWORD_BYTES);
        return INSTRUCTION_DECODED;
    }
    set_transfer(out, word, LOAD_STORE_LOAD, (unsigned)WORD_BYTES << opc);
    return INSTRUCTION_DECODED;
}

/* size 011 V 01: LDAPUR and STLUR, and what shares their space. */
static enum instruction_reason decode_ordered_unscaled(uint32_t word, struct load_store *out)
{
    const uint32_t tags = 0xd9;
    uint32_t operation = field(word, 11, 10);
    bool vector = bit(word, 26);

    if (bit(word, 21)) {
        if (field(word, 31, 24) == tags)
            return INSTRUCTION_MEMORY_TAG;
        return vector ? INSTRUCTION_UNALLOCATED : INSTRUCTION_ATOMIC;
    }
    if (operation == 1)
        return INSTRUCTION_MEMORY_COPY;
    if (operation == 2 && !vector)
        return INSTRUCTION_ORDERED_PAIR;
    if (operation != (vector ? 2 : 0))
        return INSTRUCTION_UNALLOCATED;
    out->base = rn(word);
    out->addressing = ADDRESSING_OFFSET;
    out->immediate = signed_field(word, 20, 12);
    return decode_size(word, false, out);
}

/* size 001000: exclusives, compare and swap, and the ordered loads and stores among them. */
static enum instruction_reason decode_exclusive(uint32_t word, struct load_store *out)
{
    uint32_t size = field(word, 31, 30);
    bool not_exclusive = bit(word, 23);
    bool pair_or_swap = bit(word, 21);

    if (not_exclusive && pair_or_swap)
        return INSTRUCTION_ATOMIC;
    if (!not_exclusive)
        return pair_or_swap && size < SIZE_WORD ? INSTRUCTION_ATOMIC : INSTRUCTION_EXCLUSIVE;
    out->base = rn(word);
    out->addressing = ADDRESSING_OFFSET;
    set_transfer(out, word, bit(word, 22) ? LOAD_STORE_LOAD : LOAD_STORE_STORE, 1U << size);
    return INSTRUCTION_DECODED;
}

/* Bits 29:28 tell the classes apart. */
static enum instruction_reason decode_load_store(uint32_t word, struct load_store *out)
{
    enum { CLASS_OTHER, CLASS_LITERAL, CLASS_PAIR, CLASS_SINGLE };

    switch (field(word, 29, 28)) {
    case CLASS_LITERAL:
        return bit(word, 24) ? decode_ordered_unscaled(word, out) : decode_literal(word, out);
    case CLASS_PAIR:
        return decode_pair(word, out);
    case CLASS_SINGLE:
        return decode_single(word, out);
    case CLASS_OTHER:
    default:
        break;
    }
    if (bit(word, 26))
        return bit(word, 31) ? INSTRUCTION_UNALLOCATED : INSTRUCTION_STRUCTURE;
    return bit(word, 24) ? INSTRUCTION_UNALLOCATED : decode_exclusive(word, out);
}

/* SYS #op1, C7, CRm, #op2, Xt: the DC and IC instructions (C5.3). */
static enum instruction_reason decode_system(uint32_t word, struct load_store *out)
{
    const uint32_t crm_zva = 4;
    enum { OP2_ZVA = 1, OP2_GVA = 3, OP2_GZVA = 4 };
    const uint32_t op1_el0 = 3;

    if (field(word, 18, 16) == op1_el0 && field(word, 11, 8) == crm_zva) {
        switch (field(word, 7, 5)) {
        case OP2_ZVA:
            out->kind = LOAD_STORE_ZERO_BLOCK;
            out->base = rt(word);
            return INSTRUCTION_DECODED;
        case OP2_GVA:
        case OP2_GZVA:
            return INSTRUCTION_MEMORY_TAG;
        default:
            break;
        }
    }
    return INSTRUCTION_CACHE_MAINTENANCE;
}

static enum instruction_reason decode(uint32_t word, struct load_store *out)
{
    const uint32_t sys_c7_mask = 0xfff8f000; /* SYS, any op1, CRn = C7 */
    const uint32_t sys_c7 = 0xd5087000;
    enum { OP0_RESERVED = 0, OP0_SVE = 2 };
    uint32_t op0 = field(word, 28, 25);

    if (bit(word, 27) && !bit(word, 25))
        return decode_load_store(word, out);
    if (op0 == OP0_SVE || (op0 == OP0_RESERVED && bit(word, 31)))
        return INSTRUCTION_SCALABLE;
    if ((word & sys_c7_mask) == sys_c7)
        return decode_system(word, out);
    return INSTRUCTION_NOT_MEMORY;
}

bool instruction_decode(uint32_t word, struct load_store *out)
{
    *out = (struct load_store){0};

    enum instruction_reason reason = decode(word, out);

    if (reason != INSTRUCTION_DECODED)
        *out = (struct load_store){.reason = reason};
    return reason == INSTRUCTION_DECODED;
}

const char *instruction_reason_text(enum instruction_reason reason)
{
    static const char *const texts[INSTRUCTION_REASON_COUNT] = {
        [INSTRUCTION_DECODED] = "a load or store",
        [INSTRUCTION_NOT_MEMORY] = "no load or store",
        [INSTRUCTION_UNALLOCATED] = "no known load or store",
        [INSTRUCTION_EXCLUSIVE] = "an exclusive access (LDXR, STXR)",
        [INSTRUCTION_ATOMIC] = "an atomic access (LDADD, SWP, CAS)",
        [INSTRUCTION_SCALABLE] = "an SVE or SME instruction",
        [INSTRUCTION_STRUCTURE] = "a structure access (LD1 to LD4, ST1 to ST4)",
        [INSTRUCTION_MEMORY_TAG] = "an access to memory tags",
        [INSTRUCTION_MEMORY_COPY] = "a memory copy or set (CPY, SET)",
        [INSTRUCTION_POINTER_AUTH] = "a load with pointer authentication (LDRAA, LDRAB)",
        [INSTRUCTION_ORDERED_PAIR] = "an ordered pair or write-back (LDIAPP, STILP)",
        [INSTRUCTION_CACHE_MAINTENANCE] = "cache maintenance",
        [INSTRUCTION_AARCH32] = "an AArch32 instruction",
        [INSTRUCTION_MISMATCH] = "not the instruction that faulted",
        [INSTRUCTION_ZERO_BLOCK] = "a block of zeroes (DC ZVA)",
        [INSTRUCTION_STRADDLES_MEMORY] = "one access to both memory and a device",
    };

    assert((unsigned)reason < INSTRUCTION_REASON_COUNT);
    return texts[reason];
}
