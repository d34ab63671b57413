// SPDX-License-Identifier: Apache-2.0
/* The decoder against words that an assembler made, and against words that nobody made. */
#include <check.h>
#include <string.h>

#include "instruction.h"

Suite *unit_suite(void);

struct decoded_case {
    uint32_t word;
    struct load_store expected;
};

#define EXPECT(word_, kind_, addressing_, ...)                                                     \
    {                                                                                              \
        (word_),                                                                                   \
        {                                                                                          \
            .kind = LOAD_STORE_##kind_, .addressing = ADDRESSING_##addressing_, __VA_ARGS__        \
        }                                                                                          \
    }
#define GENERAL(bytes, destination, t)                                                             \
    .access_bytes = (bytes), .destination_bytes = (destination), .register_count = 1,              \
    .transfer = {(t)}
#define GENERAL_PAIR(bytes, destination, t, t2)                                                    \
    .access_bytes = (bytes), .destination_bytes = (destination), .register_count = 2,              \
    .transfer = {(t), (t2)}
#define SIMD(bytes, t)               .vector = true, GENERAL(bytes, 8, t)
#define SIMD_PAIR(bytes, t, t2)      .vector = true, GENERAL_PAIR(bytes, 8, t, t2)
#define AT(rn, offset)               .base = (rn), .immediate = (offset)
#define INDEX(rm, extension, amount) .index = (rm), .extend = INDEX_##extension, .shift = (amount)

static const struct decoded_case decoded_cases[] = {
    /* ldr w1, [x2] */
    EXPECT(0xb9400041, LOAD, OFFSET, GENERAL(4, 4, 1), AT(2, 0)),
    /* ldr x1, [sp, #32760] */
    EXPECT(0xf97fffe1, LOAD, OFFSET, GENERAL(8, 8, 1), AT(31, 32760)),
    /* ldrb w3, [x4, #4095] */
    EXPECT(0x397ffc83, LOAD, OFFSET, GENERAL(1, 4, 3), AT(4, 4095)),
    /* ldrh w3, [x4, #8190] */
    EXPECT(0x797ffc83, LOAD, OFFSET, GENERAL(2, 4, 3), AT(4, 8190)),
    /* ldrsb w3, [x4, #1] */
    EXPECT(0x39c00483, LOAD, OFFSET, GENERAL(1, 4, 3), AT(4, 1), .sign_extend = true),
    /* ldrsb x3, [x4, #1] */
    EXPECT(0x39800483, LOAD, OFFSET, GENERAL(1, 8, 3), AT(4, 1), .sign_extend = true),
    /* ldrsh w3, [x4, #2] */
    EXPECT(0x79c00483, LOAD, OFFSET, GENERAL(2, 4, 3), AT(4, 2), .sign_extend = true),
    /* ldrsh x3, [x4, #2] */
    EXPECT(0x79800483, LOAD, OFFSET, GENERAL(2, 8, 3), AT(4, 2), .sign_extend = true),
    /* ldrsw x3, [x4, #4] */
    EXPECT(0xb9800483, LOAD, OFFSET, GENERAL(4, 8, 3), AT(4, 4), .sign_extend = true),
    /* strb wzr, [x0] */
    EXPECT(0x3900001f, STORE, OFFSET, GENERAL(1, 4, 31), AT(0, 0)),
    /* strh w7, [x0, #2] */
    EXPECT(0x79000407, STORE, OFFSET, GENERAL(2, 4, 7), AT(0, 2)),
    /* str w7, [x0, #4] */
    EXPECT(0xb9000407, STORE, OFFSET, GENERAL(4, 4, 7), AT(0, 4)),
    /* str x7, [x0, #8] */
    EXPECT(0xf9000407, STORE, OFFSET, GENERAL(8, 8, 7), AT(0, 8)),
    /* ldr b0, [x1, #1] */
    EXPECT(0x3d400420, LOAD, OFFSET, SIMD(1, 0), AT(1, 1)),
    /* ldr h0, [x1, #2] */
    EXPECT(0x7d400420, LOAD, OFFSET, SIMD(2, 0), AT(1, 2)),
    /* ldr s0, [x1, #4] */
    EXPECT(0xbd400420, LOAD, OFFSET, SIMD(4, 0), AT(1, 4)),
    /* ldr d0, [x1, #8] */
    EXPECT(0xfd400420, LOAD, OFFSET, SIMD(8, 0), AT(1, 8)),
    /* ldr q31, [x1, #16] */
    EXPECT(0x3dc0043f, LOAD, OFFSET, SIMD(16, 31), AT(1, 16)),
    /* str q31, [sp, #65520] */
    EXPECT(0x3dbfffff, STORE, OFFSET, SIMD(16, 31), AT(31, 65520)),
    /* ldr w1, [x2], #4 */
    EXPECT(0xb8404441, LOAD, POST_INDEX, GENERAL(4, 4, 1), AT(2, 4)),
    /* ldr x1, [x2, #-256]! */
    EXPECT(0xf8500c41, LOAD, PRE_INDEX, GENERAL(8, 8, 1), AT(2, -256)),
    /* str w1, [sp], #255 */
    EXPECT(0xb80ff7e1, STORE, POST_INDEX, GENERAL(4, 4, 1), AT(31, 255)),
    /* strb w1, [x2, #-1]! */
    EXPECT(0x381ffc41, STORE, PRE_INDEX, GENERAL(1, 4, 1), AT(2, -1)),
    /* ldrsw x1, [x2], #-4 */
    EXPECT(0xb89fc441, LOAD, POST_INDEX, GENERAL(4, 8, 1), AT(2, -4), .sign_extend = true),
    /* ldr q0, [x1], #16 */
    EXPECT(0x3cc10420, LOAD, POST_INDEX, SIMD(16, 0), AT(1, 16)),
    /* str d9, [x1, #8]! */
    EXPECT(0xfc008c29, STORE, PRE_INDEX, SIMD(8, 9), AT(1, 8)),
    /* ldur x1, [x2, #-3] */
    EXPECT(0xf85fd041, LOAD, OFFSET, GENERAL(8, 8, 1), AT(2, -3)),
    /* stur w1, [x2, #255] */
    EXPECT(0xb80ff041, STORE, OFFSET, GENERAL(4, 4, 1), AT(2, 255)),
    /* ldursw x1, [x2, #1] */
    EXPECT(0xb8801041, LOAD, OFFSET, GENERAL(4, 8, 1), AT(2, 1), .sign_extend = true),
    /* ldur q1, [x2, #-16] */
    EXPECT(0x3cdf0041, LOAD, OFFSET, SIMD(16, 1), AT(2, -16)),
    /* ldtr x1, [x2, #8] */
    EXPECT(0xf8408841, LOAD, OFFSET, GENERAL(8, 8, 1), AT(2, 8)),
    /* sttrb w1, [x2, #-8] */
    EXPECT(0x381f8841, STORE, OFFSET, GENERAL(1, 4, 1), AT(2, -8)),
    /* ldr x1, [x2, x3] */
    EXPECT(0xf8636841, LOAD, REGISTER, GENERAL(8, 8, 1), AT(2, 0), INDEX(3, LSL, 0)),
    /* ldr w1, [x2, w3, uxtw #2] */
    EXPECT(0xb8635841, LOAD, REGISTER, GENERAL(4, 4, 1), AT(2, 0), INDEX(3, UXTW, 2)),
    /* str x1, [x2, w3, sxtw #3] */
    EXPECT(0xf823d841, STORE, REGISTER, GENERAL(8, 8, 1), AT(2, 0), INDEX(3, SXTW, 3)),
    /* ldrh w1, [x2, x3, sxtx #1] */
    EXPECT(0x7863f841, LOAD, REGISTER, GENERAL(2, 4, 1), AT(2, 0), INDEX(3, SXTX, 1)),
    /* ldr q1, [x2, x3, lsl #4] */
    EXPECT(0x3ce37841, LOAD, REGISTER, SIMD(16, 1), AT(2, 0), INDEX(3, LSL, 4)),
    /* ldrb w1, [x2, w30, uxtw] */
    EXPECT(0x387e4841, LOAD, REGISTER, GENERAL(1, 4, 1), AT(2, 0), INDEX(30, UXTW, 0)),
    /* ldp w1, w2, [x3] */
    EXPECT(0x29400861, LOAD, OFFSET, GENERAL_PAIR(4, 4, 1, 2), AT(3, 0)),
    /* ldp x1, x2, [x3, #-512] */
    EXPECT(0xa9600861, LOAD, OFFSET, GENERAL_PAIR(8, 8, 1, 2), AT(3, -512)),
    /* stp x1, xzr, [sp, #504] */
    EXPECT(0xa91fffe1, STORE, OFFSET, GENERAL_PAIR(8, 8, 1, 31), AT(31, 504)),
    /* stp w1, w2, [x3, #-8]! */
    EXPECT(0x29bf0861, STORE, PRE_INDEX, GENERAL_PAIR(4, 4, 1, 2), AT(3, -8)),
    /* ldp x1, x2, [x3], #16 */
    EXPECT(0xa8c10861, LOAD, POST_INDEX, GENERAL_PAIR(8, 8, 1, 2), AT(3, 16)),
    /* ldpsw x1, x2, [x3, #4] */
    EXPECT(0x69408861, LOAD, OFFSET, GENERAL_PAIR(4, 8, 1, 2), AT(3, 4), .sign_extend = true),
    /* ldpsw x1, x2, [x3], #-8 */
    EXPECT(0x68ff0861, LOAD, POST_INDEX, GENERAL_PAIR(4, 8, 1, 2), AT(3, -8), .sign_extend = true),
    /* ldnp x1, x2, [x3, #16] */
    EXPECT(0xa8410861, LOAD, OFFSET, GENERAL_PAIR(8, 8, 1, 2), AT(3, 16)),
    /* stnp w1, w2, [x3, #4] */
    EXPECT(0x28008861, STORE, OFFSET, GENERAL_PAIR(4, 4, 1, 2), AT(3, 4)),
    /* ldp s0, s1, [x2] */
    EXPECT(0x2d400440, LOAD, OFFSET, SIMD_PAIR(4, 0, 1), AT(2, 0)),
    /* stp d0, d1, [x2, #16]! */
    EXPECT(0x6d810440, STORE, PRE_INDEX, SIMD_PAIR(8, 0, 1), AT(2, 16)),
    /* ldp q0, q1, [x2, #-1024] */
    EXPECT(0xad600440, LOAD, OFFSET, SIMD_PAIR(16, 0, 1), AT(2, -1024)),
    /* stnp q2, q3, [x2, #1008] */
    EXPECT(0xac1f8c42, STORE, OFFSET, SIMD_PAIR(16, 2, 3), AT(2, 1008)),
    /* ldr w1, .+8 */
    EXPECT(0x18000041, LOAD, LITERAL, GENERAL(4, 4, 1), AT(0, 8)),
    /* ldr x1, .-1048576 */
    EXPECT(0x58800001, LOAD, LITERAL, GENERAL(8, 8, 1), AT(0, -1048576)),
    /* ldrsw x1, .+1048572 */
    EXPECT(0x987fffe1, LOAD, LITERAL, GENERAL(4, 8, 1), AT(0, 1048572), .sign_extend = true),
    /* ldr s1, .+4 */
    EXPECT(0x1c000021, LOAD, LITERAL, SIMD(4, 1), AT(0, 4)),
    /* ldr d1, .+4 */
    EXPECT(0x5c000021, LOAD, LITERAL, SIMD(8, 1), AT(0, 4)),
    /* ldr q1, .+16 */
    EXPECT(0x9c000081, LOAD, LITERAL, SIMD(16, 1), AT(0, 16)),
    /* ldar w1, [x2] */
    EXPECT(0x88dffc41, LOAD, OFFSET, GENERAL(4, 4, 1), AT(2, 0)),
    /* ldarb w1, [x2] */
    EXPECT(0x08dffc41, LOAD, OFFSET, GENERAL(1, 4, 1), AT(2, 0)),
    /* stlr x1, [sp] */
    EXPECT(0xc89fffe1, STORE, OFFSET, GENERAL(8, 8, 1), AT(31, 0)),
    /* stlrh w1, [x2] */
    EXPECT(0x489ffc41, STORE, OFFSET, GENERAL(2, 4, 1), AT(2, 0)),
    /* ldlar w1, [x2] */
    EXPECT(0x88df7c41, LOAD, OFFSET, GENERAL(4, 4, 1), AT(2, 0)),
    /* stllr w1, [x2] */
    EXPECT(0x889f7c41, STORE, OFFSET, GENERAL(4, 4, 1), AT(2, 0)),
    /* ldapr x1, [x2] */
    EXPECT(0xf8bfc041, LOAD, OFFSET, GENERAL(8, 8, 1), AT(2, 0)),
    /* ldaprb w1, [x2] */
    EXPECT(0x38bfc041, LOAD, OFFSET, GENERAL(1, 4, 1), AT(2, 0)),
    /* ldapur w1, [x2, #-4] */
    EXPECT(0x995fc041, LOAD, OFFSET, GENERAL(4, 4, 1), AT(2, -4)),
    /* ldapursw x1, [x2, #8] */
    EXPECT(0x99808041, LOAD, OFFSET, GENERAL(4, 8, 1), AT(2, 8), .sign_extend = true),
    /* stlur x1, [x2, #255] */
    EXPECT(0xd90ff041, STORE, OFFSET, GENERAL(8, 8, 1), AT(2, 255)),
    /* stlurb w1, [x2, #-256] */
    EXPECT(0x19100041, STORE, OFFSET, GENERAL(1, 4, 1), AT(2, -256)),
    /* prfm pldl1keep, [x2, #8] */
    EXPECT(0xf9800440, PREFETCH, OFFSET, AT(2, 8)),
    /* prfum pldl1keep, [x2, #-8] */
    EXPECT(0xf89f8040, PREFETCH, OFFSET, AT(2, -8)),
    /* prfm pldl1keep, [x2, x3] */
    EXPECT(0xf8a36840, PREFETCH, REGISTER, AT(2, 0), INDEX(3, LSL, 0)),
    /* prfm pldl1keep, .+8 */
    EXPECT(0xd8000040, PREFETCH, LITERAL, AT(0, 8)),
    /* dc zva, x5 */
    EXPECT(0xd50b7425, ZERO_BLOCK, OFFSET, AT(5, 0)),
};

struct refused_case {
    uint32_t word;
    enum instruction_reason reason;
};

static const struct refused_case refused_cases[] = {
    {0x8b020020, INSTRUCTION_NOT_MEMORY},        /* add x0, x1, x2 */
    {0xd503201f, INSTRUCTION_NOT_MEMORY},        /* nop */
    {0xd4000001, INSTRUCTION_NOT_MEMORY},        /* svc #0 */
    {0x14000000, INSTRUCTION_NOT_MEMORY},        /* b . */
    {0xd5380000, INSTRUCTION_NOT_MEMORY},        /* mrs x0, midr_el1 */
    {0xc85f7c41, INSTRUCTION_EXCLUSIVE},         /* ldxr x1, [x2] */
    {0xc8007c41, INSTRUCTION_EXCLUSIVE},         /* stxr w0, x1, [x2] */
    {0xc87f8c41, INSTRUCTION_EXCLUSIVE},         /* ldaxp x1, x3, [x2] */
    {0x0800fc41, INSTRUCTION_EXCLUSIVE},         /* stlxrb w0, w1, [x2] */
    {0xf8210062, INSTRUCTION_ATOMIC},            /* ldadd x1, x2, [x3] */
    {0xb8e18062, INSTRUCTION_ATOMIC},            /* swpal w1, w2, [x3] */
    {0x38211062, INSTRUCTION_ATOMIC},            /* ldclrb w1, w2, [x3] */
    {0xc8a17c62, INSTRUCTION_ATOMIC},            /* cas x1, x2, [x3] */
    {0x48207c82, INSTRUCTION_ATOMIC},            /* casp x0, x1, x2, x3, [x4] */
    {0x08e1fc62, INSTRUCTION_ATOMIC},            /* casalb w1, w2, [x3] */
    {0xf83fd060, INSTRUCTION_ATOMIC},            /* ld64b x0, [x3] */
    {0xf83f9060, INSTRUCTION_ATOMIC},            /* st64b x0, [x3] */
    {0xa540a000, INSTRUCTION_SCALABLE},          /* ld1w {z0.s}, p0/z, [x0] */
    {0xe5804000, INSTRUCTION_SCALABLE},          /* str z0, [x0] */
    {0x85800000, INSTRUCTION_SCALABLE},          /* ldr p0, [x0] */
    {0x4c407000, INSTRUCTION_STRUCTURE},         /* ld1 {v0.16b}, [x0] */
    {0x4c9f0800, INSTRUCTION_STRUCTURE},         /* st4 {v0.4s-v3.4s}, [x0], #64 */
    {0x0d400c00, INSTRUCTION_STRUCTURE},         /* ld1 {v0.b}[3], [x0] */
    {0xd9200820, INSTRUCTION_MEMORY_TAG},        /* stg x0, [x1] */
    {0xd9600020, INSTRUCTION_MEMORY_TAG},        /* ldg x0, [x1] */
    {0x69000440, INSTRUCTION_MEMORY_TAG},        /* stgp x0, x1, [x2] */
    {0xd50b7460, INSTRUCTION_MEMORY_TAG},        /* dc gva, x0 */
    {0xd50b7480, INSTRUCTION_MEMORY_TAG},        /* dc gzva, x0 */
    {0x19010440, INSTRUCTION_MEMORY_COPY},       /* cpyfp [x0]!, [x1]!, x2! */
    {0xf8a01c20, INSTRUCTION_POINTER_AUTH},      /* ldrab x0, [x1, #8]! */
    {0xd50b7e20, INSTRUCTION_CACHE_MAINTENANCE}, /* dc civac, x0 */
    {0xd50b7b20, INSTRUCTION_CACHE_MAINTENANCE}, /* dc cvau, x0 */
    {0xd50b7520, INSTRUCTION_CACHE_MAINTENANCE}, /* ic ivau, x0 */
    {0xd9a01420, INSTRUCTION_MEMORY_TAG},        /* st2g x0, [x1], #16 */
    {0xd9e00020, INSTRUCTION_MEMORY_TAG},        /* ldgm x0, [x1] */
    {0xd9411840, INSTRUCTION_ORDERED_PAIR},      /* ldiapp x0, x1, [x2] */
    {0xd9010840, INSTRUCTION_ORDERED_PAIR},      /* stilp x0, x1, [x2, #-16]! */
    {0xd9c00820, INSTRUCTION_ORDERED_PAIR},      /* ldapr x0, [x1], #8 */
    {0x0d418420, INSTRUCTION_STRUCTURE},         /* ldap1 {v0.d}[0], [x1] */
    {0xf8200420, INSTRUCTION_POINTER_AUTH},      /* ldraa x0, [x1] */
    {0x00000000, INSTRUCTION_NOT_MEMORY},        /* udf #0 */
    {0x80800000, INSTRUCTION_SCALABLE},          /* an SME outer product */
    {0x7c200400, INSTRUCTION_UNALLOCATED},       /* a SIMD form of ldraa */
    {0xb9c00000, INSTRUCTION_UNALLOCATED},       /* size 2, opc 3 */
    {0xf9c00000, INSTRUCTION_UNALLOCATED},       /* size 3, opc 3 */
    {0x7d800000, INSTRUCTION_UNALLOCATED},       /* a SIMD register of size 1 with opc 2 */
    {0xf8800400, INSTRUCTION_UNALLOCATED},       /* a prefetch with write-back */
    {0x3c000800, INSTRUCTION_UNALLOCATED},       /* an unprivileged SIMD access */
    {0x38200800, INSTRUCTION_UNALLOCATED},       /* an index of option 0 */
    {0xe9400000, INSTRUCTION_UNALLOCATED},       /* a pair of opc 3 */
    {0x68400000, INSTRUCTION_UNALLOCATED},       /* ldpsw without allocation */
    {0xdc000000, INSTRUCTION_UNALLOCATED},       /* a SIMD prefetch */
    {0x19000800, INSTRUCTION_ORDERED_PAIR},      /* stilp of size 0 */
    {0x19000c00, INSTRUCTION_UNALLOCATED},       /* stlur with operation 3 */
    {0x1d200000, INSTRUCTION_UNALLOCATED},       /* a SIMD atomic in the space of stlur */
    {0x8c000000, INSTRUCTION_UNALLOCATED},       /* structures with bit 31 */
    {0x09000000, INSTRUCTION_UNALLOCATED},       /* exclusives with bit 24 */
    {0x68000000, INSTRUCTION_UNALLOCATED},       /* stgp without allocation */
};

enum { DECODED_CASES = sizeof(decoded_cases) / sizeof(decoded_cases[0]) };
enum { REFUSED_CASES = sizeof(refused_cases) / sizeof(refused_cases[0]) };

START_TEST(a_load_or_store_is_decoded)
{
    const struct decoded_case *example = &decoded_cases[_i];
    const struct load_store *expected = &example->expected;
    struct load_store out;

    ck_assert_msg(instruction_decode(example->word, &out), "0x%08x", example->word);
    ck_assert_int_eq(out.reason, INSTRUCTION_DECODED);
    ck_assert_int_eq(out.kind, expected->kind);
    ck_assert_int_eq(out.addressing, expected->addressing);
    ck_assert_int_eq(out.extend, expected->extend);
    ck_assert_uint_eq(out.shift, expected->shift);
    ck_assert_uint_eq(out.index, expected->index);
    ck_assert_int_eq(out.vector, expected->vector);
    ck_assert_int_eq(out.sign_extend, expected->sign_extend);
    ck_assert_uint_eq(out.access_bytes, expected->access_bytes);
    ck_assert_uint_eq(out.destination_bytes, expected->destination_bytes);
    ck_assert_uint_eq(out.register_count, expected->register_count);
    ck_assert_uint_eq(out.transfer[0], expected->transfer[0]);
    ck_assert_uint_eq(out.transfer[1], expected->transfer[1]);
    ck_assert_uint_eq(out.base, expected->base);
    ck_assert_int_eq(out.immediate, expected->immediate);
}
END_TEST

START_TEST(anything_else_is_refused_with_its_reason)
{
    const struct refused_case *example = &refused_cases[_i];
    struct load_store out;

    ck_assert_msg(!instruction_decode(example->word, &out), "0x%08x", example->word);
    ck_assert_msg(out.reason == example->reason, "0x%08x: %s", example->word,
                  instruction_reason_text(out.reason));
    ck_assert_uint_eq(out.register_count, 0);
    ck_assert_uint_eq(out.access_bytes, 0);
}
END_TEST

START_TEST(only_write_back_changes_the_base)
{
    struct load_store out = {.addressing = ADDRESSING_OFFSET};

    ck_assert(!load_store_writes_back(&out));
    out.addressing = ADDRESSING_REGISTER;
    ck_assert(!load_store_writes_back(&out));
    out.addressing = ADDRESSING_LITERAL;
    ck_assert(!load_store_writes_back(&out));
    out.addressing = ADDRESSING_PRE_INDEX;
    ck_assert(load_store_writes_back(&out));
    out.addressing = ADDRESSING_POST_INDEX;
    ck_assert(load_store_writes_back(&out));
}
END_TEST

START_TEST(every_reason_has_a_text_of_its_own)
{
    for (unsigned i = 0; i < INSTRUCTION_REASON_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(instruction_reason_text((enum instruction_reason)i),
                             instruction_reason_text((enum instruction_reason)j));
}
END_TEST

/* What callers rely on, whatever the word. */
static void check_shape(uint32_t word, const struct load_store *out)
{
    bool moves = out->kind == LOAD_STORE_LOAD || out->kind == LOAD_STORE_STORE;
    unsigned bytes = out->access_bytes;

    ck_assert_msg(out->register_count <= 2 && (out->register_count > 0) == moves, "0x%08x", word);
    ck_assert_msg(moves ? bytes != 0 && bytes <= 16 && (bytes & (bytes - 1)) == 0 : bytes == 0,
                  "0x%08x", word);
    ck_assert_msg(bytes < 16 || out->vector, "0x%08x", word);
    ck_assert_msg(!out->sign_extend || (bytes <= 4 && out->kind == LOAD_STORE_LOAD), "0x%08x",
                  word);
    ck_assert_msg(out->transfer[0] < 32 && out->transfer[1] < 32, "0x%08x", word);
    ck_assert_msg(out->base < 32 && out->index < 32 && out->shift <= 4, "0x%08x", word);
    ck_assert_msg(moves || !load_store_writes_back(out), "0x%08x", word);
}

START_TEST(any_word_is_safe)
{
    enum { WORDS = 1000000 };
    const uint64_t multiplier = 6364136223846793005;
    const uint64_t increment = 1442695040888963407;
    uint64_t state = 1;

    for (unsigned i = 0; i < WORDS; i++) {
        state = state * multiplier + increment;
        uint32_t word = (uint32_t)(state >> 32);
        struct load_store out;

        if (i % 2) /* every second one a load or store */
            word = (word | 1U << 27) & ~(1U << 25);
        bool decoded = instruction_decode(word, &out);
        ck_assert_msg(decoded == (out.reason == INSTRUCTION_DECODED), "0x%08x", word);
        ck_assert_msg(out.reason < INSTRUCTION_REASON_COUNT, "0x%08x", word);
        if (decoded)
            check_shape(word, &out);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("instruction");
    TCase *cases = tcase_create("instruction");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_load_or_store_is_decoded, 0, DECODED_CASES);
    tcase_add_loop_test(cases, anything_else_is_refused_with_its_reason, 0, REFUSED_CASES);
    tcase_add_test(cases, only_write_back_changes_the_base);
    tcase_add_test(cases, every_reason_has_a_text_of_its_own);
    tcase_add_test(cases, any_word_is_safe);
    suite_add_tcase(suite, cases);
    return suite;
}
