// SPDX-License-Identifier: Apache-2.0
/*
 * Accesses to a device by instructions that hardware has no syndrome for (DDI 0487, ESR_EL2.ISV):
 * pairs, write-back and SIMD registers. The device is the PL031, whose registers are words; what a
 * doubleword does to it is whatever a plain doubleword does.
 *
 * With "atomic" in bootargs: those that no VMM can carry out end in an external abort.
 */
#include "primecell.h"

const char guest_name[] = "nisv";

enum {
    RTCDR = 0x000,
    RTCMR = 0x004,
    RTCLR = 0x008,
    RTCIMSC = 0x010,
    PERIPH_ID0 = 0x31,
    PERIPH_ID1 = 0x10,
    PCELL_ID0 = 0x0d,
    PCELL_ID1 = 0xf0,
    WORD = 4,
};

#define ALL_ONES    UINT64_MAX
#define NEGATIVE    0x89abcdefU
#define POSITIVE    0x12345678U
#define SIGNED(x)   ((uint64_t)(int64_t)(int32_t)(x))
#define DOUBLE_WORD 0x1122334455667701U

/* Two results and a base, which the instructions call %0, %1 and %2; X9 is free. */
#define LOAD(text, first, second, base)                                                            \
    __asm__ volatile(text : "=&r"(first), "=&r"(second), "+&r"(base) : : "memory", "x9")
#define STORE(text, first, second, base)                                                           \
    __asm__ volatile(text : "+&r"(base) : "r"(first), "r"(second) : "memory")
/* %0 and %1 become all of V0, which was all ones before. */
#define LOAD_V0(text, low, high, base)                                                             \
    LOAD("movi v0.16b, #0xff\n\t" text "\n\tumov %0, v0.d[0]\n\tumov %1, v0.d[1]", low, high, base)
/* V0 and V1 become %1 and %2. */
#define STORE_V(text, first, second, base)                                                         \
    STORE("fmov d0, %1\n\tfmov d1, %2\n\t" text, first, second, base)

static uint64_t ids(void)
{
    return machine.rtc + PRIMECELL_PERIPH_ID0;
}

static void clear(void)
{
    write32(machine.rtc + RTCMR, 0);
    write32(machine.rtc + RTCLR, 0);
    write32(machine.rtc + RTCIMSC, 0);
}

static void check_match_and_load(uint32_t match, uint32_t load)
{
    CHECK_EQ(read32(machine.rtc + RTCMR), match);
    CHECK_EQ(read32(machine.rtc + RTCLR), load);
    clear();
}

/* ---- pairs ---- */

static void check_load_pairs(void)
{
    uint64_t base = ids();
    uint64_t a, b;

    LOAD("ldp %w0, %w1, [%2]", a, b, base);
    CHECK_EQ(a, PERIPH_ID0);
    CHECK_EQ(b, PERIPH_ID1);
    LOAD("ldnp %w0, %w1, [%2, #16]", a, b, base);
    CHECK_EQ(a, PCELL_ID0);
    CHECK_EQ(b, PCELL_ID1);
    LOAD("ldp %0, %1, [%2]", a, b, base);
    CHECK_EQ(a, read64(ids()));
    CHECK_EQ(b, read64(ids() + 8));
    CHECK_EQ(base, ids());
    LOAD("ldp %w0, %w1, [%2], #16", a, b, base);
    CHECK_EQ(a, PERIPH_ID0);
    CHECK_EQ(b, PERIPH_ID1);
    CHECK_EQ(base, ids() + 16);
    LOAD("ldp %0, %1, [%2, #-16]!", a, b, base);
    CHECK_EQ(a, read64(ids()));
    CHECK_EQ(base, ids());
    a = ALL_ONES;
    LOAD("mov %0, #-1\n\tldp wzr, %w1, [%2]", a, b, base);
    CHECK_EQ(a, ALL_ONES);
    CHECK_EQ(b, PERIPH_ID1);
}

static void check_signed_pairs(void)
{
    uint64_t base = machine.rtc + RTCMR;
    uint64_t a, b;

    write32(machine.rtc + RTCMR, NEGATIVE);
    write32(machine.rtc + RTCLR, POSITIVE);
    LOAD("ldpsw %0, %1, [%2]", a, b, base);
    CHECK_EQ(a, SIGNED(NEGATIVE));
    CHECK_EQ(b, POSITIVE);
    LOAD("ldpsw %0, %1, [%2], #-4", a, b, base);
    CHECK_EQ(a, SIGNED(NEGATIVE));
    CHECK_EQ(b, POSITIVE);
    CHECK_EQ(base, machine.rtc);
    check_match_and_load(NEGATIVE, POSITIVE);
}

static void check_store_pairs(void)
{
    uint64_t base = machine.rtc;
    uint64_t a = ALL_ONES << 32 | NEGATIVE;
    uint64_t b = POSITIVE;

    STORE("stp %w1, %w2, [%0, #4]", a, b, base);
    check_match_and_load(NEGATIVE, POSITIVE);
    STORE("stp %w1, wzr, [%0, #4]", a, b, base);
    check_match_and_load(NEGATIVE, 0);
    STORE("stnp %w2, %w1, [%0, #4]", a, b, base);
    check_match_and_load(POSITIVE, NEGATIVE);
    CHECK_EQ(base, machine.rtc);
    STORE("stp %w1, %w2, [%0, #4]!", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCMR);
    check_match_and_load(NEGATIVE, POSITIVE);
    STORE("stp %w2, %w1, [%0], #-256", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCMR - 256);
    check_match_and_load(POSITIVE, NEGATIVE);
}

/* Doublewords: whatever two plain ones leave behind. */
static void check_store_double_pair(void)
{
    uint64_t base = machine.rtc;
    uint64_t a = POSITIVE;
    uint64_t b = DOUBLE_WORD;
    uint32_t match, load;

    write64(base, a);
    write64(base + 8, b);
    match = read32(base + RTCMR);
    load = read32(base + RTCLR);
    clear();
    STORE("stp %1, %2, [%0]", a, b, base);
    check_match_and_load(match, load);
}

/* ---- one register, with write-back ---- */

static void check_load_indexed(void)
{
    uint64_t base = ids();
    uint64_t a, b;

    LOAD("ldr %w0, [%2], #4\n\tldr %w1, [%2], #12", a, b, base);
    CHECK_EQ(a, PERIPH_ID0);
    CHECK_EQ(b, PERIPH_ID1);
    CHECK_EQ(base, ids() + 16);
    LOAD("ldrb %w0, [%2, #4]!\n\tldrh %w1, [%2, #-4]!", a, b, base);
    CHECK_EQ(a, PCELL_ID1);
    CHECK_EQ(b, PCELL_ID0);
    CHECK_EQ(base, ids() + 16);
    LOAD("ldr %0, [%2], #-8\n\tldr %1, [%2, #-8]!", a, b, base);
    CHECK_EQ(a, read64(ids() + 16));
    CHECK_EQ(b, read64(ids()));
    CHECK_EQ(base, ids());
    LOAD("ldur %w0, [%2, #4]\n\tldur %w1, [%2, #16]", a, b, base);
    CHECK_EQ(a, PERIPH_ID1);
    CHECK_EQ(b, PCELL_ID0);
}

static void check_signed_indexed(void)
{
    const uint32_t negative_parts = 0xffff8180;
    uint64_t match = machine.rtc + RTCMR;
    uint64_t base = match;
    uint64_t a, b;

    write32(match, negative_parts);
    LOAD("ldrsw %0, [%2], #8\n\tldrsw %1, [%2, #-8]!", a, b, base);
    CHECK_EQ(a, SIGNED(negative_parts));
    CHECK_EQ(b, SIGNED(negative_parts));
    CHECK_EQ(base, match);
    LOAD("ldrsb %0, [%2], #1\n\tldrsb %w1, [%2, #-1]!", a, b, base);
    CHECK_EQ(a, SIGNED(0xffffff80));
    CHECK_EQ(b, 0xffffff80);
    CHECK_EQ(base, match);
    LOAD("ldrsh %0, [%2], #2\n\tldrsh %w1, [%2, #-2]!", a, b, base);
    CHECK_EQ(a, SIGNED(negative_parts));
    CHECK_EQ(b, negative_parts);
    CHECK_EQ(base, match);
    clear();
}

static void check_store_indexed(void)
{
    uint64_t base = machine.rtc + RTCMR;
    uint64_t a = NEGATIVE;
    uint64_t b = POSITIVE;

    STORE("str %w1, [%0], #4\n\tstr %w2, [%0], #-256", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCLR - 256);
    check_match_and_load(NEGATIVE, POSITIVE);
    base = machine.rtc;
    STORE("strb %w1, [%0, #4]!\n\tstrh %w2, [%0, #4]!", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCLR);
    check_match_and_load((uint8_t)NEGATIVE, (uint16_t)POSITIVE);
    STORE("str wzr, [%0, #-8]!\n\tstr %w1, [%0, #4]!", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCMR);
    check_match_and_load(NEGATIVE, 0);
}

/* ---- the stack pointer as base: that of EL1, and that of EL0 ---- */

static void check_stack_pointers(void)
{
    uint64_t base = ids();
    uint64_t a, b;

    LOAD("mov x9, sp\n\tmov sp, %2\n\tldp %w0, %w1, [sp], #16\n\tmov %2, sp\n\tmov sp, x9", a, b,
         base);
    CHECK_EQ(a, PERIPH_ID0);
    CHECK_EQ(b, PERIPH_ID1);
    CHECK_EQ(base, ids() + 16);
    LOAD("msr spsel, #0\n\tmov sp, %2\n\tldp %w0, %w1, [sp, #-16]!\n\tmov %2, sp\n\tmsr spsel, #1",
         a, b, base);
    CHECK_EQ(a, PERIPH_ID0);
    CHECK_EQ(b, PERIPH_ID1);
    CHECK_EQ(base, ids());
}

/* ---- SIMD&FP registers ---- */

static void check_vector_loads(void)
{
    uint64_t base = ids();
    uint64_t low, high;

    LOAD_V0("ldr b0, [%2]", low, high, base);
    CHECK_EQ(low, PERIPH_ID0);
    CHECK_EQ(high, 0);
    LOAD_V0("ldr h0, [%2, #4]", low, high, base);
    CHECK_EQ(low, PERIPH_ID1);
    CHECK_EQ(high, 0);
    LOAD_V0("ldr s0, [%2], #4", low, high, base);
    CHECK_EQ(low, PERIPH_ID0);
    CHECK_EQ(high, 0);
    CHECK_EQ(base, ids() + WORD);
    LOAD_V0("ldr d0, [%2, #-4]!", low, high, base);
    CHECK_EQ(low, read64(ids()));
    CHECK_EQ(high, 0);
    CHECK_EQ(base, ids());
    LOAD_V0("ldr q0, [%2], #16", low, high, base);
    CHECK_EQ(low, read64(ids()));
    CHECK_EQ(high, read64(ids() + 8));
    CHECK_EQ(base, ids() + 16);
    LOAD_V0("ldp s0, s1, [%2]\n\tins v0.s[1], v1.s[0]", low, high, base);
    CHECK_EQ(low, (uint64_t)PCELL_ID1 << 32 | PCELL_ID0);
    LOAD_V0("ldp q1, q0, [%2, #-16]!", low, high, base);
    CHECK_EQ(low, read64(ids() + 16));
    CHECK_EQ(high, read64(ids() + 24));
    CHECK_EQ(base, ids());
}

static void check_vector_stores(void)
{
    uint64_t base = machine.rtc;
    uint64_t a = NEGATIVE;
    uint64_t b = POSITIVE;
    uint32_t mask;

    STORE_V("stp s0, s1, [%0, #4]!", a, b, base);
    CHECK_EQ(base, machine.rtc + RTCMR);
    check_match_and_load(NEGATIVE, POSITIVE);
    STORE_V("str s1, [%0], #4\n\tstr s0, [%0]", a, b, base);
    check_match_and_load(POSITIVE, NEGATIVE);
    base = machine.rtc;
    a = DOUBLE_WORD;
    write64(base + RTCIMSC, a);
    mask = read32(base + RTCIMSC);
    clear();
    STORE_V("str q0, [%0, #16]", a, b, base);
    CHECK_EQ(read32(base + RTCIMSC), mask);
    clear();
}

/* ---- what no VMM can do ---- */

enum {
    ESR_EC_SHIFT = 26,
    ESR_EC_MASK = 0x3f, /* above are bits that some versions of KVM set by mistake */
    ESR_EC_DATA_ABORT_SAME_EL = 0x25,
    ESR_DFSC_MASK = 0x3f,
    ESR_DFSC_EXTERNAL_ABORT = 0x10,
    ISAR0_ATOMIC_SHIFT = 20,
    ISAR0_ATOMIC_MASK = 0xf,
    INSTRUCTION_BYTES = 4,
};

enum { ABORTS_MAX = 8 };

static volatile uint32_t aborts;
static uint64_t abort_esr[ABORTS_MAX];

static void on_abort(struct exception_frame *frame)
{
    CHECK_EQ(frame->esr >> ESR_EC_SHIFT & ESR_EC_MASK, ESR_EC_DATA_ABORT_SAME_EL);
    CHECK_EQ(frame->esr & ESR_DFSC_MASK, ESR_DFSC_EXTERNAL_ABORT);
    CHECK_EQ(frame->far, machine.rtc + RTCMR);
    frame->elr += INSTRUCTION_BYTES;
    if (aborts < ABORTS_MAX)
        abort_esr[aborts] = frame->esr;
    aborts = aborts + 1;
}

/* The instruction had no effect on registers either. */
#define CHECK_ABORTS(text)                                                                         \
    do {                                                                                           \
        uint64_t base_ = machine.rtc + RTCMR;                                                      \
        uint64_t a_, b_;                                                                           \
        uint32_t before_ = aborts;                                                                 \
        LOAD("mov %0, #1\n\tmov %1, #2\n\t" text, a_, b_, base_);                                  \
        CHECK_EQ(aborts, before_ + 1);                                                             \
        CHECK_EQ(a_, 1);                                                                           \
        CHECK_EQ(b_, 2);                                                                           \
        CHECK_EQ(base_, machine.rtc + RTCMR);                                                      \
    } while (0)

static void check_atomics(void)
{
    uint64_t isar0 = READ_SYSREG(id_aa64isar0_el1);

    set_synchronous_handler(on_abort);
    CHECK_ABORTS("ldxr %w1, [%2]");
    if (isar0 >> ISAR0_ATOMIC_SHIFT & ISAR0_ATOMIC_MASK)
        CHECK_ABORTS(".arch_extension lse\n\tldadd %w0, %w1, [%2]");
    CHECK_ABORTS("ld1 {v0.s}[0], [%2]");
    set_synchronous_handler(NULL);
    CHECK_EQ(read32(machine.rtc + RTCMR), 0);
}

void guest_main(void)
{
    uint32_t now = read32(machine.rtc + RTCDR);

    clear();
    if (bootargs_has("atomic"))
        check_atomics();
    check_load_pairs();
    check_signed_pairs();
    check_store_pairs();
    check_store_double_pair();
    check_load_indexed();
    check_signed_indexed();
    check_store_indexed();
    check_stack_pointers();
    check_vector_loads();
    check_vector_stores();
    write32(machine.rtc + RTCLR, now);
    /* Last, so that no line of the VMM's about this guest comes in between. */
    for (uint32_t i = 0; i < aborts && i < ABORTS_MAX; i++)
        print("CAUGHT ESR 0x%lx\n", abort_esr[i]);
}
