// SPDX-License-Identifier: Apache-2.0
#include "translate.h"

#include <inttypes.h>

/* TCR_EL1 */
enum {
    TCR_T0SZ_SHIFT = 0,
    TCR_EPD0_SHIFT = 7,
    TCR_TG0_SHIFT = 14,
    TCR_T1SZ_SHIFT = 16,
    TCR_EPD1_SHIFT = 23,
    TCR_TG1_SHIFT = 30,
    TCR_IPS_SHIFT = 32,
    TCR_TBI0_SHIFT = 37,
    TCR_TBI1_SHIFT = 38,
    TCR_DS_SHIFT = 59,
    TCR_TSZ_MASK = 0x3f,
    TCR_TG_MASK = 3,
    TCR_IPS_MASK = 7,
    TCR_IPS_52_BITS = 6,
};

/* log2 of a granule's bytes */
enum { GRANULE_RESERVED = 0, GRANULE_4K = 12, GRANULE_16K = 14, GRANULE_64K = 16 };

enum {
    VA_HALF_BIT = 55, /* chooses TTBR0 or TTBR1, and what all bits above the size must equal */
    VA_TAG_SHIFT = 56,
    VA_BITS_MIN = 16,
    VA_BITS_MIN_64K = 17,
    VA_BITS_MAX = 48,
    VA_BITS_MAX_52 = 52, /* 64 KiB granule or TCR_EL1.DS */
    PA_BITS_MAX = 52,
    PA_LOW_BITS = 48,    /* the rest of the address is elsewhere in TTBR and descriptors */
    PA_LOW_BITS_DS = 50, /* ... in descriptors with TCR_EL1.DS */
    TTBR_HIGH_SHIFT = 2, /* of PA[51:48] */
    DESCRIPTOR_HIGH_SHIFT = 12,
    DESCRIPTOR_HIGH_SHIFT_DS = 8, /* of PA[51:50] */
    TABLE_ALIGNMENT_SHIFT = 6,
    DESCRIPTOR_SHIFT = 3, /* log2 of a descriptor's bytes */
    DESCRIPTOR_VALID = 1,
    DESCRIPTOR_TABLE_OR_PAGE = 2,
    LAST_LEVEL = 3, /* the first is down to -1 */
};

/* One half of the address space, as TCR_EL1 and a TTBR describe it. */
struct regime {
    unsigned granule_shift;
    unsigned va_bits;
    bool is_ds; /* FEAT_LPA2's descriptors: TCR_EL1.DS, which the 64 KiB granule ignores */
    bool walk_disabled;
    bool ignores_tag;
    bool big_endian;
    uint64_t table;
};

static uint64_t low_mask(unsigned bits)
{
    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

static uint64_t bits_between(uint64_t value, unsigned high, unsigned low)
{
    return value & low_mask(high) & ~low_mask(low);
}

/* The address bits from `low` up, which stand in `value` from `shift` on. */
static uint64_t high_address_bits(uint64_t value, unsigned shift, unsigned low)
{
    return (value >> shift & low_mask(PA_BITS_MAX - low)) << low;
}

static unsigned granule_of(uint64_t tcr, bool upper)
{
    static const uint8_t tg0[] = {GRANULE_4K, GRANULE_64K, GRANULE_16K, GRANULE_RESERVED};
    static const uint8_t tg1[] = {GRANULE_RESERVED, GRANULE_16K, GRANULE_4K, GRANULE_64K};

    return upper ? tg1[tcr >> TCR_TG1_SHIFT & TCR_TG_MASK]
                 : tg0[tcr >> TCR_TG0_SHIFT & TCR_TG_MASK];
}

static unsigned level_bits(const struct regime *regime)
{
    return regime->granule_shift - DESCRIPTOR_SHIFT;
}

static int first_level(const struct regime *regime)
{
    unsigned bits = regime->va_bits - regime->granule_shift;
    int levels = (int)((bits + level_bits(regime) - 1) / level_bits(regime));

    return LAST_LEVEL + 1 - levels;
}

/* How many bits of the address a descriptor of this level leaves untranslated. */
static unsigned level_shift(const struct regime *regime, int level)
{
    return regime->granule_shift + (unsigned)(LAST_LEVEL - level) * level_bits(regime);
}

/* A first table may be shorter than a granule, and is aligned to its size. */
static uint64_t first_table(const struct regime *regime, uint64_t tcr, uint64_t ttbr)
{
    unsigned shift = regime->va_bits - level_shift(regime, first_level(regime)) + DESCRIPTOR_SHIFT;
    bool large = regime->is_ds || (regime->granule_shift == GRANULE_64K &&
                                   (tcr >> TCR_IPS_SHIFT & TCR_IPS_MASK) == TCR_IPS_52_BITS);
    uint64_t high = large ? high_address_bits(ttbr, TTBR_HIGH_SHIFT, PA_LOW_BITS) : 0;

    if (large && shift < TABLE_ALIGNMENT_SHIFT)
        shift = TABLE_ALIGNMENT_SHIFT;
    return bits_between(ttbr, PA_LOW_BITS, shift) | high;
}

static bool regime_read(struct regime *regime, const struct translation_registers *registers,
                        bool upper, struct error *error)
{
    uint64_t tcr = registers->tcr_el1;
    unsigned size = tcr >> (upper ? TCR_T1SZ_SHIFT : TCR_T0SZ_SHIFT) & TCR_TSZ_MASK;
    unsigned granule = granule_of(tcr, upper);
    bool is_64k = granule == GRANULE_64K;

    if (granule == GRANULE_RESERVED)
        return error_set(error, ERROR_GUEST, 0, "TCR_EL1 0x%" PRIx64 " has a reserved granule",
                         tcr);
    *regime = (struct regime){
        .granule_shift = granule,
        .va_bits = 64 - size,
        .is_ds = !is_64k && (tcr >> TCR_DS_SHIFT & 1),
        .walk_disabled = tcr >> (upper ? TCR_EPD1_SHIFT : TCR_EPD0_SHIFT) & 1,
        .ignores_tag = tcr >> (upper ? TCR_TBI1_SHIFT : TCR_TBI0_SHIFT) & 1,
        .big_endian = registers->sctlr_el1 & SCTLR_EL1_EE,
    };
    if (regime->va_bits < (is_64k ? VA_BITS_MIN_64K : VA_BITS_MIN) ||
        regime->va_bits > (is_64k || regime->is_ds ? VA_BITS_MAX_52 : VA_BITS_MAX))
        return error_set(error, ERROR_GUEST, 0,
                         "TCR_EL1 0x%" PRIx64 " asks for addresses of %u bits", tcr,
                         regime->va_bits);
    regime->table = first_table(regime, tcr, upper ? registers->ttbr1_el1 : registers->ttbr0_el1);
    return true;
}

static bool check_address(const struct regime *regime, uint64_t va, bool upper, struct error *error)
{
    unsigned top = regime->ignores_tag ? VA_TAG_SHIFT : 64;
    uint64_t above = bits_between(va, top, regime->va_bits);

    if (above != (upper ? bits_between(UINT64_MAX, top, regime->va_bits) : 0))
        return error_set(error, ERROR_GUEST, 0, "0x%" PRIx64 " is in no half of the address space",
                         va);
    if (regime->walk_disabled)
        return error_set(error, ERROR_GUEST, 0, "table walks for 0x%" PRIx64 " are switched off",
                         va);
    return true;
}

static bool read_descriptor(const struct regime *regime, const struct guest_memory *memory,
                            gpa_t at, int level, uint64_t *descriptor, struct error *error)
{
    struct span span;

    if (!guest_memory_span(memory, at, sizeof(*descriptor), &span))
        return error_set(error, ERROR_GUEST, 0,
                         "the level %d table at 0x%" PRIx64 " is outside RAM", level, at.value);
    *descriptor = __atomic_load_n((const uint64_t *)(const void *)span.data, __ATOMIC_RELAXED);
    if (regime->big_endian)
        *descriptor = __builtin_bswap64(*descriptor);
    return true;
}

static bool may_be_block(const struct regime *regime, int level)
{
    int first;

    switch (regime->granule_shift) {
    case GRANULE_4K:
        first = regime->is_ds ? 0 : 1;
        break;
    case GRANULE_16K:
        first = regime->is_ds ? 1 : 2;
        break;
    default:
        first = 1; /* FEAT_LPA */
    }
    return level >= first && level < LAST_LEVEL;
}

/* The address in a descriptor that leaves `shift` bits to what it points to. */
static uint64_t descriptor_address(const struct regime *regime, uint64_t descriptor, unsigned shift)
{
    if (regime->is_ds)
        return bits_between(descriptor, PA_LOW_BITS_DS, shift) |
               high_address_bits(descriptor, DESCRIPTOR_HIGH_SHIFT_DS, PA_LOW_BITS_DS);
    if (regime->granule_shift == GRANULE_64K)
        return bits_between(descriptor, PA_LOW_BITS, shift) |
               high_address_bits(descriptor, DESCRIPTOR_HIGH_SHIFT, PA_LOW_BITS);
    return bits_between(descriptor, PA_LOW_BITS, shift);
}

static bool walk(const struct regime *regime, const struct guest_memory *memory, uint64_t va,
                 gpa_t *address, struct error *error)
{
    uint64_t table = regime->table;
    uint64_t offset = va & low_mask(regime->va_bits);

    for (int level = first_level(regime); level <= LAST_LEVEL; level++) {
        unsigned shift = level_shift(regime, level);
        gpa_t at = GPA(table + ((offset >> shift) << DESCRIPTOR_SHIFT));
        uint64_t descriptor = 0;

        if (!read_descriptor(regime, memory, at, level, &descriptor, error))
            return false;
        bool further = descriptor & DESCRIPTOR_TABLE_OR_PAGE;
        bool leaf = level == LAST_LEVEL ? further : !further && may_be_block(regime, level);
        offset &= low_mask(shift);
        if ((descriptor & DESCRIPTOR_VALID) && leaf) {
            *address = GPA(descriptor_address(regime, descriptor, shift) | offset);
            return true;
        }
        if (!(descriptor & DESCRIPTOR_VALID) || !further)
            return error_set(error, ERROR_GUEST, 0,
                             "0x%" PRIx64 " is not mapped: level %d descriptor 0x%" PRIx64, va,
                             level, descriptor);
        table = descriptor_address(regime, descriptor, regime->granule_shift);
    }
    return error_set(error, ERROR_INTERNAL, 0, "a table walk beyond the last level");
}

static bool translate_flat(const struct translation_registers *registers, uint64_t va, bool upper,
                           gpa_t *address, struct error *error)
{
    bool tagged = registers->tcr_el1 >> (upper ? TCR_TBI1_SHIFT : TCR_TBI0_SHIFT) & 1;

    if (bits_between(va, tagged ? VA_TAG_SHIFT : 64, PA_BITS_MAX) != 0)
        return error_set(error, ERROR_GUEST, 0, "0x%" PRIx64 " is no physical address", va);
    *address = GPA(va & low_mask(PA_BITS_MAX));
    return true;
}

bool translate_address(const struct translation_registers *registers,
                       const struct guest_memory *memory, uint64_t virtual_address, gpa_t *address,
                       struct error *error)
{
    bool upper = virtual_address >> VA_HALF_BIT & 1;
    struct regime regime = {0};

    if (!(registers->sctlr_el1 & SCTLR_EL1_M))
        return translate_flat(registers, virtual_address, upper, address, error);
    return regime_read(&regime, registers, upper, error) &&
           check_address(&regime, virtual_address, upper, error) &&
           walk(&regime, memory, virtual_address, address, error);
}
