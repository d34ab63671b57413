// SPDX-License-Identifier: Apache-2.0
/* Accesses without a syndrome: what reaches the bus, what becomes of the registers, what not. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "mmio_decode.h"
#include "no_syndrome_fixture.h"
#include "translate.h"
#include "vcpu_registers.h"

Suite *unit_suite(void);

/* ---- general registers ---- */

START_TEST(a_pair_of_words_is_two_reads)
{
    set(VCPU_REG_X(3), RTC + 8);
    set(VCPU_REG_X(1), UINT64_MAX);
    carry_out(0x29400861, RTC + 8, ISS_READ); /* ldp w1, w2, [x3] */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_access(0, RTC + 8, 4);
    check_access(1, RTC + 12, 4);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC + 8, 4));
    ck_assert_uint_eq(get(VCPU_REG_X(2)), pattern(RTC + 12, 4));
    ck_assert_uint_eq(get(VCPU_REG_X(3)), RTC + 8);
    /* The fault may be reported for the second register. */
    carry_out(0x29400861, RTC + 12, ISS_READ);
    check_access(0, RTC + 8, 4);
}
END_TEST

START_TEST(a_pair_of_doublewords_writes_its_base_back)
{
    set(VCPU_REG_X(3), RTC);
    carry_out(0xa8c10861, RTC, ISS_READ); /* ldp x1, x2, [x3], #16 */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_access(1, RTC + 8, 8);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC, 8));
    ck_assert_uint_eq(get(VCPU_REG_X(2)), pattern(RTC + 8, 8));
    ck_assert_uint_eq(get(VCPU_REG_X(3)), RTC + 16);
}
END_TEST

START_TEST(a_stored_pair_of_words_drops_the_upper_halves)
{
    set(VCPU_REG_X(1), 0xaaaaaaaa11111111);
    set(VCPU_REG_X(2), 0xbbbbbbbb22222222);
    set(VCPU_REG_X(3), RTC + 16);
    carry_out(0x29bf0861, RTC + 8, ISS_WRITE); /* stp w1, w2, [x3, #-8]! */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_write(0, RTC + 8, 4, 0x11111111);
    check_write(1, RTC + 12, 4, 0x22222222);
    ck_assert_uint_eq(get(VCPU_REG_X(3)), RTC + 8);
}
END_TEST

START_TEST(register_31_is_zero_as_data_and_nothing_as_target)
{
    set(VCPU_REG_X(1), 0x1122334455667788);
    set(VCPU_REG_SP_EL1, RTC);
    carry_out(0xa91fffe1, RTC + 504, ISS_WRITE); /* stp x1, xzr, [sp, #504] */
    check_write(0, RTC + 504, 8, 0x1122334455667788);
    check_write(1, RTC + 512, 8, 0);
    set(VCPU_REG_X(3), RTC);
    carry_out(0x29407c61, RTC, ISS_READ); /* ldp w1, wzr, [x3] */
    ck_assert_uint_eq(fixture.access_count, 2);
    ck_assert_uint_eq(get(VCPU_REG_SP_EL1), RTC);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC, 4));
}
END_TEST

START_TEST(loads_extend_their_sign)
{
    set(VCPU_REG_X(3), RTC);
    carry_out(0x68ff0861, RTC, ISS_READ); /* ldpsw x1, x2, [x3], #-8 */
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC, 4) | 0xffffffff00000000);
    ck_assert_uint_eq(get(VCPU_REG_X(2)), pattern(RTC + 4, 4) | 0xffffffff00000000);
    ck_assert_uint_eq(get(VCPU_REG_X(3)), RTC - 8);
    set(VCPU_REG_X(4), RTC);
    carry_out(0x39c00483, RTC + 1, ISS_READ); /* ldrsb w3, [x4, #1] */
    check_access(0, RTC + 1, 1);
    ck_assert_uint_eq(get(VCPU_REG_X(3)), pattern(RTC + 1, 1) | 0xffffff00);
    carry_out(0x39800483, RTC + 1, ISS_READ); /* ldrsb x3, [x4, #1] */
    ck_assert_uint_eq(get(VCPU_REG_X(3)), pattern(RTC + 1, 1) | 0xffffffffffffff00);
    carry_out(0x79800483, RTC + 2, ISS_READ); /* ldrsh x3, [x4, #2] */
    ck_assert_uint_eq(get(VCPU_REG_X(3)), pattern(RTC + 2, 2) | 0xffffffffffff0000);
}
END_TEST

START_TEST(an_index_is_extended_and_shifted)
{
    set(VCPU_REG_X(2), RTC);
    set(VCPU_REG_X(3), 0xffffffff00000003);
    carry_out(0xb8635841, RTC + 12, ISS_READ); /* ldr w1, [x2, w3, uxtw #2] */
    check_access(0, RTC + 12, 4);
    set(VCPU_REG_X(2), RTC + 32);
    set(VCPU_REG_X(3), 0x00000000ffffffff);
    carry_out(0xf823d841, RTC + 24, ISS_WRITE); /* str x1, [x2, w3, sxtw #3] */
    check_write(0, RTC + 24, 8, pattern(RTC + 12, 4));
    set(VCPU_REG_X(3), UINT64_MAX);
    carry_out(0x7863f841, RTC + 30, ISS_READ); /* ldrh w1, [x2, x3, sxtx #1] */
    check_access(0, RTC + 30, 2);
    set(VCPU_REG_X(3), 2);
    carry_out(0x3ce37841, RTC + 64, ISS_READ); /* ldr q1, [x2, x3, lsl #4] */
    check_access(1, RTC + 72, 8);
}
END_TEST

START_TEST(an_address_has_all_its_bits)
{
    static const struct {
        enum index_extend extend;
        uint64_t address;
    } cases[] = {
        {INDEX_UXTW, 0x1000 + (UINT64_C(0xfffffff0) << 3)},
        {INDEX_SXTW, 0x1000 - 0x80},
        {INDEX_LSL, 0x1000 + (UINT64_C(0x1fffffff0) << 3)},
        {INDEX_SXTX, 0x1000 + (UINT64_C(0x1fffffff0) << 3)},
    };
    const struct mmio_operands operands = {.base = 0x1000, .index = 0x1fffffff0};
    struct load_store instruction = {.kind = LOAD_STORE_LOAD,
                                     .addressing = ADDRESSING_REGISTER,
                                     .shift = 3,
                                     .access_bytes = 8,
                                     .register_count = 1};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mmio_access access;

        instruction.extend = cases[i].extend;
        ck_assert_int_eq(
            mmio_decode(&instruction, &operands, GPA(cases[i].address), ISS_READ, &access),
            INSTRUCTION_DECODED);
        ck_assert_uint_eq(access.address, cases[i].address);
        ck_assert_uint_eq(access.size_bytes, 8);
        ck_assert_uint_eq(access.fault_offset, 0);
        ck_assert_int_eq(access.width, ACCESS_64_BIT);
    }
}
END_TEST

START_TEST(a_literal_is_relative_to_the_pc)
{
    uint64_t pc = RAM + RAM_BYTES - 4;

    set(VCPU_REG_PC, pc);
    carry_out(0x18000041, pc + 8, ISS_READ); /* ldr w1, .+8 */
    check_access(0, pc + 8, 4);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(pc + 8, 4));
}
END_TEST

START_TEST(what_is_not_aligned_goes_by_bytes)
{
    set(VCPU_REG_X(2), RTC + 8);
    carry_out(0xf85fd041, RTC + 5, ISS_READ); /* ldur x1, [x2, #-3] */
    ck_assert_uint_eq(fixture.access_count, 8);
    for (unsigned i = 0; i < 8; i++)
        check_access(i, RTC + 5 + i, 1);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC + 5, 8));
}
END_TEST

START_TEST(the_stack_pointer_is_that_in_use)
{
    static const uint64_t states[][2] = {
        {EL1H, VCPU_REG_SP_EL1}, {EL1T, VCPU_REG_SP_EL0}, {EL0T, VCPU_REG_SP_EL0}};

    for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        set(VCPU_REG_SP_EL0, 0);
        set(VCPU_REG_SP_EL1, 0);
        set(VCPU_REG_PSTATE, states[i][0]);
        set(states[i][1], RTC);
        carry_out(0xb80ff7e1, RTC, ISS_WRITE); /* str w1, [sp], #255 */
        check_write(0, RTC, 4, 0);
        ck_assert_uint_eq(get(states[i][1]), RTC + 255);
    }
}
END_TEST

START_TEST(where_nothing_is_zero_is_read)
{
    fixture.nothing_there = true;
    set(VCPU_REG_X(1), UINT64_MAX);
    set(VCPU_REG_X(2), UINT64_MAX);
    set(VCPU_REG_X(3), RTC);
    carry_out(0x29400861, RTC, ISS_READ); /* ldp w1, w2, [x3] */
    ck_assert_uint_eq(fixture.access_count, 2);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), 0);
    ck_assert_uint_eq(get(VCPU_REG_X(2)), 0);
}
END_TEST

START_TEST(a_hint_is_passed_over)
{
    carry_out(0xf9800440, RTC, ISS_READ); /* prfm pldl1keep, [x2, #8] */
    ck_assert_uint_eq(fixture.access_count, 0);
}
END_TEST

START_TEST(completion_clears_branch_type_and_step)
{
    const uint64_t others = UINT64_C(0xf00003c0) | EL1H;

    set(VCPU_REG_X(3), RTC);
    set(VCPU_REG_PSTATE, others | BTYPE | SS);
    carry_out(0x29400861, RTC, ISS_READ); /* ldp w1, w2, [x3] */
    ck_assert_uint_eq(get(VCPU_REG_PSTATE), others);
}
END_TEST

/* ---- vectors ---- */

static void check_vectors(void)
{
    set(VCPU_REG_X(1), RTC);
    carry_out(0x3cc10420, RTC, ISS_READ); /* ldr q0, [x1], #16 */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_access(0, RTC, 8);
    check_access(1, RTC + 8, 8);
    check_vector(0, pattern(RTC, 8), pattern(RTC + 8, 8));
    ck_assert_uint_eq(get(VCPU_REG_X(1)), RTC + 16);

    set(VCPU_REG_X(2), RTC);
    set_vector(1, UINT64_MAX, UINT64_MAX);
    carry_out(0x2d400440, RTC, ISS_READ); /* ldp s0, s1, [x2] */
    check_vector(0, pattern(RTC, 4), 0);
    check_vector(1, pattern(RTC + 4, 4), 0);

    set(VCPU_REG_X(2), RTC + 1024);
    carry_out(0xad600440, RTC, ISS_READ); /* ldp q0, q1, [x2, #-1024] */
    ck_assert_uint_eq(fixture.access_count, 4);
    check_vector(1, pattern(RTC + 16, 8), pattern(RTC + 24, 8));

    set_vector(31, 0x1111, 0x2222);
    set(VCPU_REG_SP_EL1, RTC - 65520);
    carry_out(0x3dbfffff, RTC, ISS_WRITE); /* str q31, [sp, #65520] */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_write(0, RTC, 8, 0x1111);
    check_write(1, RTC + 8, 8, 0x2222);

    set_vector(0, 0x3333, 0x4444);
    set_vector(1, 0x5555, 0x6666);
    set(VCPU_REG_X(2), RTC);
    carry_out(0x6d810440, RTC + 16, ISS_WRITE); /* stp d0, d1, [x2, #16]! */
    ck_assert_uint_eq(fixture.access_count, 2);
    check_write(0, RTC + 16, 8, 0x3333);
    check_write(1, RTC + 24, 8, 0x5555);
}

START_TEST(vectors_are_loaded_and_stored)
{
    check_vectors();
}
END_TEST

START_TEST(vectors_are_the_low_end_of_scalable_ones)
{
    fixture.has_sve = true;
    check_vectors();
    /* What is beyond V is zero after a load. */
    uint8_t *z0 = slot(KVM_REG_ARM64_SVE_ZREG(0, 0));

    memset(z0, 0xff, SLOT_BYTES);
    set(VCPU_REG_X(1), RTC);
    carry_out(0x3cc10420, RTC, ISS_READ); /* ldr q0, [x1], #16 */
    ck_assert_uint_eq(z0[0], pattern(RTC, 1));
    for (unsigned i = 16; i < SLOT_BYTES; i++)
        ck_assert_uint_eq(z0[i], 0);
}
END_TEST

/* ---- big-endian guests ---- */

START_TEST(bytes_follow_the_endianness_of_the_exception_level)
{
    set(VCPU_REG_SCTLR_EL1, SCTLR_EL1_EE);
    set(VCPU_REG_X(3), RTC);
    carry_out(0x29400861, RTC, ISS_READ); /* ldp w1, w2, [x3] */
    check_access(0, RTC, 4);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), __builtin_bswap32((uint32_t)pattern(RTC, 4)));
    ck_assert_uint_eq(get(VCPU_REG_X(2)), __builtin_bswap32((uint32_t)pattern(RTC + 4, 4)));
    set_vector(31, 0x1122, 0x3344);
    set(VCPU_REG_SP_EL1, RTC - 65520);
    carry_out(0x3dbfffff, RTC, ISS_WRITE); /* str q31, [sp, #65520] */
    check_write(0, RTC, 8, __builtin_bswap64(0x3344));
    check_write(1, RTC + 8, 8, __builtin_bswap64(0x1122));
    set(VCPU_REG_PSTATE, EL0T);
    carry_out(0x29400861, RTC, ISS_READ);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC, 4));
    set(VCPU_REG_SCTLR_EL1, SCTLR_EL1_E0E);
    carry_out(0x29400861, RTC, ISS_READ);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), __builtin_bswap32((uint32_t)pattern(RTC, 4)));
}
END_TEST

/* ---- two pages ---- */

START_TEST(an_access_may_touch_two_pages)
{
    uint64_t base = RTC + PAGE_BYTES - 8;

    set(VCPU_REG_X(3), base);
    carry_out(0xa9400861, base, ISS_READ); /* ldp x1, x2, [x3] */
    check_access(0, base, 8);
    check_access(1, base + 8, 8);
    carry_out(0xa9400861, base + 8, ISS_READ);
    check_access(0, base, 8);
    check_access(1, base + 8, 8);
}
END_TEST

START_TEST(the_second_page_is_where_the_guest_maps_it)
{
    map_pages();
    set(VCPU_REG_X(3), PAGE_BYTES - 8);
    carry_out(0xa9400861, RTC + PAGE_BYTES - 8, ISS_READ); /* ldp x1, x2, [x3] */
    check_access(0, RTC + PAGE_BYTES - 8, 8);
    check_access(1, GPIO, 8);
    carry_out(0xa9400861, GPIO, ISS_READ);
    check_access(0, RTC + PAGE_BYTES - 8, 8);
    check_access(1, GPIO, 8);
    set(VCPU_REG_X(2), PAGE_BYTES);
    carry_out(0xf85fd041, RTC + PAGE_BYTES - 3, ISS_READ); /* ldur x1, [x2, #-3] */
    check_access(2, RTC + PAGE_BYTES - 1, 1);
    check_access(3, GPIO, 1);
    ck_assert_uint_eq(get(VCPU_REG_X(1)), pattern(RTC + PAGE_BYTES - 3, 3) | pattern(GPIO, 5)
                                                                                 << 24);
    set(VCPU_REG_X(2), PAGE_BYTES - 4);
    carry_out(0xf85fd041, RTC + PAGE_BYTES - 7, ISS_READ); /* one byte is on the second page */
    check_access(6, RTC + PAGE_BYTES - 1, 1);
    check_access(7, GPIO, 1);
    set(VCPU_REG_X(3), 2 * PAGE_BYTES - 8);
    check_refused(0xa9400861, GPIO + PAGE_BYTES - 8, ISS_READ, "touches two pages");
}
END_TEST

START_TEST(half_an_access_to_memory_is_refused)
{
    set(VCPU_REG_X(3), RAM - 4);
    check_refused(0x29400861, RAM - 4, ISS_READ, "both memory and a device");
    set(VCPU_REG_X(3), RAM + RAM_BYTES - 4);
    check_refused(0x29400861, RAM + RAM_BYTES, ISS_READ, "both memory and a device");
}
END_TEST

/* ---- refusals ---- */

START_TEST(an_instruction_that_cannot_have_faulted_is_refused)
{
    set(VCPU_REG_X(3), RTC + 8);
    check_refused(0x29400861, RTC + 4, ISS_READ, "not the instruction that faulted");
    check_refused(0x29400861, RTC + 16, ISS_READ, "not the instruction that faulted");
    check_refused(0x29400861, RTC + 8, ISS_WRITE, "not the instruction that faulted");
    check_refused(0x29bf0861, RTC, ISS_READ, "not the instruction that faulted");
}
END_TEST

START_TEST(what_has_no_meaning_on_a_device_is_refused)
{
    check_refused(0xc85f7c41, RTC, ISS_READ, "exclusive"); /* ldxr x1, [x2] */
    check_log("armlet: warning: vCPU 3: access to 0x9010000 by the instruction at PC 0x40000000 "
              "(0xc85f7c41) refused: an exclusive access (LDXR, STXR)\n");
    check_refused(0xf8210062, RTC, ISS_WRITE, "atomic");          /* ldadd x1, x2, [x3] */
    check_refused(0xd50b7425, RTC, ISS_WRITE, "DC ZVA");          /* dc zva, x5 */
    check_refused(0xd503201f, RTC, ISS_READ, "no load or store"); /* nop */
}
END_TEST

START_TEST(an_instruction_that_cannot_be_read_is_refused)
{
    set(VCPU_REG_PC, RAM + 2);
    check_refused(0, RTC, ISS_READ, "(unknown) refused: the PC is misaligned");
    set(VCPU_REG_PC, RTC);
    check_refused(0, RTC, ISS_READ, "outside RAM");
    set(VCPU_REG_PC, RAM + RAM_BYTES);
    check_refused(0, RTC, ISS_READ, "outside RAM");
    map_pages();
    set(VCPU_REG_PC, 2 * PAGE_BYTES);
    check_refused(0, RTC, ISS_READ, "cannot fetch the instruction");
}
END_TEST

START_TEST(aarch32_is_refused)
{
    const uint64_t svc_mode = 0x13;

    set(VCPU_REG_PSTATE, svc_mode);
    check_refused(0x29400861, RTC, ISS_READ, "AArch32");
}
END_TEST

START_TEST(refusals_are_logged_at_a_limited_rate)
{
    enum { TIMES = 100, LINES = LOG_BURST + 3 }; /* and at 16, 32 and 64 */
    char text[TIMES * 200];
    unsigned lines = 0;

    for (unsigned i = 0; i < TIMES; i++)
        check_refused(0xc85f7c41, RTC, ISS_READ, "exclusive");
    read_log(text, sizeof(text));
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, LINES);
}
END_TEST

START_TEST(without_injection_a_refusal_ends_the_vcpu)
{
    fixture.environment.can_inject_abort = false;
    ck_assert(!handle(0xc85f7c41, RTC, ISS_READ)); /* ldxr x1, [x2] */
    ck_assert_int_eq(fixture.error.code, ERROR_GUEST);
    ck_assert_uint_eq(fixture.events_set, 0);
    ck_assert_ptr_eq(strstr(fixture.error.message, "vCPU 3: "), fixture.error.message);
    ck_assert_ptr_nonnull(strstr(fixture.error.message, "exclusive"));
}
END_TEST

/* ---- the host's failures ---- */

static void check_each_failure(uint32_t word, uint64_t iss)
{
    unsigned total;

    fixture_tear_down();
    fixture_set_up();
    map_pages();
    set(VCPU_REG_PSTATE, EL1H | BTYPE);
    set(VCPU_REG_X(2), PAGE_BYTES - 8);
    set(VCPU_REG_X(3), PAGE_BYTES - 8);
    const uint64_t pc = get(VCPU_REG_PC);

    ck_assert(handle(word, RTC + PAGE_BYTES - 8, iss));
    total = fixture.calls;
    for (unsigned i = 1; i <= total; i++) {
        set(VCPU_REG_PC, pc);
        set(VCPU_REG_PSTATE, EL1H | BTYPE);
        set(VCPU_REG_X(2), PAGE_BYTES - 8);
        set(VCPU_REG_X(3), PAGE_BYTES - 8);
        fixture.calls = 0;
        fixture.failing_call = i;
        ck_assert_msg(!handle(word, RTC + PAGE_BYTES - 8, iss), "call %u", i);
        ck_assert_int_eq(fixture.error.code, ERROR_HOST);
        ck_assert_int_eq(fixture.error.os_errno, EIO);
        ck_assert_ptr_eq(strstr(fixture.error.message, "vCPU 3: "), fixture.error.message);
        ck_assert_uint_eq(get(VCPU_REG_PC), pc);
    }
}

START_TEST(the_host_failing_anywhere_is_an_error)
{
    check_each_failure(0xa8c10861, ISS_READ);  /* ldp x1, x2, [x3], #16 */
    check_each_failure(0xa8810861, ISS_WRITE); /* stp x1, x2, [x3], #16 */
    check_each_failure(0x6cc10440, ISS_READ);  /* ldp d0, d1, [x2], #16 */
    check_each_failure(0x6c810440, ISS_WRITE); /* stp d0, d1, [x2], #16 */
    check_each_failure(0xf9400041, ISS_READ);  /* ldr x1, [x2] */
    check_each_failure(0xf87f6841, ISS_READ);  /* ldr x1, [x2, xzr] */
    check_each_failure(0xc85f7c41, ISS_READ);  /* ldxr x1, [x2]: the abort fails too */
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("no_syndrome");
    TCase *cases = tcase_create("no_syndrome");

    tcase_add_checked_fixture(cases, fixture_set_up, fixture_tear_down);
    tcase_add_test(cases, a_pair_of_words_is_two_reads);
    tcase_add_test(cases, a_pair_of_doublewords_writes_its_base_back);
    tcase_add_test(cases, a_stored_pair_of_words_drops_the_upper_halves);
    tcase_add_test(cases, register_31_is_zero_as_data_and_nothing_as_target);
    tcase_add_test(cases, loads_extend_their_sign);
    tcase_add_test(cases, an_index_is_extended_and_shifted);
    tcase_add_test(cases, an_address_has_all_its_bits);
    tcase_add_test(cases, a_literal_is_relative_to_the_pc);
    tcase_add_test(cases, what_is_not_aligned_goes_by_bytes);
    tcase_add_test(cases, the_stack_pointer_is_that_in_use);
    tcase_add_test(cases, where_nothing_is_zero_is_read);
    tcase_add_test(cases, a_hint_is_passed_over);
    tcase_add_test(cases, completion_clears_branch_type_and_step);
    tcase_add_test(cases, vectors_are_loaded_and_stored);
    tcase_add_test(cases, vectors_are_the_low_end_of_scalable_ones);
    tcase_add_test(cases, bytes_follow_the_endianness_of_the_exception_level);
    tcase_add_test(cases, an_access_may_touch_two_pages);
    tcase_add_test(cases, the_second_page_is_where_the_guest_maps_it);
    tcase_add_test(cases, half_an_access_to_memory_is_refused);
    tcase_add_test(cases, an_instruction_that_cannot_have_faulted_is_refused);
    tcase_add_test(cases, what_has_no_meaning_on_a_device_is_refused);
    tcase_add_test(cases, an_instruction_that_cannot_be_read_is_refused);
    tcase_add_test(cases, aarch32_is_refused);
    tcase_add_test(cases, refusals_are_logged_at_a_limited_rate);
    tcase_add_test(cases, without_injection_a_refusal_ends_the_vcpu);
    tcase_add_test(cases, the_host_failing_anywhere_is_an_error);
    suite_add_tcase(suite, cases);
    return suite;
}
