// SPDX-License-Identifier: Apache-2.0
/* The memory-mapped generic timer: both frames, access control, conditions, and the alarm. */
#include <check.h>

#include "devices/tick_scale.h"
#include "devices/timer_alarm.h"
#include "fake_fdt_writer.h"
#include "timer_fixture.h"

Suite *unit_suite(void);

enum {
    CTL_FRQ = 0x00,
    CTL_NSAR = 0x04,
    CTL_TIDR = 0x08,
    CTL_ACR = 0x40,
    CTL_VOFF = 0x80,
    FRAME = 0x10000,
    PCT = FRAME + 0x00,
    VCT = FRAME + 0x08,
    FRQ = FRAME + 0x10,
    EL0ACR = FRAME + 0x14,
    VOFF = FRAME + 0x18,
    P_CVAL = FRAME + 0x20,
    P_TVAL = FRAME + 0x28,
    P_CTL = FRAME + 0x2c,
    V_CVAL = FRAME + 0x30,
    V_TVAL = FRAME + 0x38,
    V_CTL = FRAME + 0x3c,
    HALF = 4,
};

enum { ENABLE = 1, IMASK = 2, ISTATUS = 4, ALL_ACCESS = 0x3f, TICK_NS = 16 };

static struct timer_fixture t;

static uint32_t get(uint64_t offset)
{
    return timer_get(&t, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    timer_put(&t, offset, value);
}

static uint64_t get64(uint64_t offset)
{
    return t.device->ops->read(t.device, offset, ACCESS_64_BIT);
}

static void put64(uint64_t offset, uint64_t value)
{
    t.device->ops->write(t.device, offset, ACCESS_64_BIT, value);
}

static void skip_ticks(uint64_t ticks)
{
    timer_fixture_skip_to(&t, t.now_ns + ticks * TICK_NS);
}

static void setup(void)
{
    timer_fixture_init(&t, "timer-mmio");
}

static void teardown(void)
{
    ck_assert_uint_eq(t.irqs[0].redundant + t.irqs[1].redundant, 0);
    timer_fixture_finish(&t);
}

START_TEST(registers_have_their_reset_values)
{
    ck_assert_uint_eq(get(CTL_FRQ), FAKE_COUNTER_HZ);
    ck_assert_uint_eq(get(CTL_NSAR), 0);
    ck_assert_uint_eq(get(CTL_TIDR), 3); /* frame 0, with a virtual timer, without a second view */
    ck_assert_uint_eq(get(CTL_ACR), ALL_ACCESS);
    ck_assert_uint_eq(get64(CTL_VOFF), 0);
    ck_assert_uint_eq(get(FRQ), FAKE_COUNTER_HZ);
    ck_assert_uint_eq(get(EL0ACR), 0);
    ck_assert_uint_eq(get(P_CTL), 0);
    ck_assert_uint_eq(get(V_CTL), 0);
    for (uint64_t id = 0xfd0; id <= 0xffc; id += 4) {
        ck_assert_uint_eq(get(id), 0);
        ck_assert_uint_eq(get(FRAME + id), 0);
    }
    ck_assert(!t.loop.armed);
    ck_assert_uint_eq(t.device->size_bytes, 0x20000);
}
END_TEST

START_TEST(read_only_registers_ignore_writes)
{
    put(CTL_FRQ, 1);
    put(CTL_TIDR, 0);
    put64(PCT, 0);
    put(VCT, 0);
    put64(VOFF, 1);
    ck_assert_uint_eq(get(FRQ), FAKE_COUNTER_HZ);
    ck_assert_uint_eq(get(CTL_TIDR), 3);
    ck_assert_uint_eq(get64(PCT), ticks_now());
    ck_assert_uint_eq(get64(VOFF), 0);
}
END_TEST

START_TEST(wide_registers_can_be_accessed_by_halves)
{
    put64(P_CVAL, UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(get(P_CVAL), 0x55667788);
    ck_assert_uint_eq(get(P_CVAL + HALF), 0x11223344);
    put(P_CVAL + HALF, 0xaabbccdd);
    put(V_CVAL, 0x12);
    ck_assert_uint_eq(get64(P_CVAL), UINT64_C(0xaabbccdd55667788));
    ck_assert_uint_eq(get64(V_CVAL), 0x12);
    ck_assert_uint_eq(get(PCT + HALF), ticks_now() >> 32);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    static const uint64_t nowhere[] = {0x0c,   0x44,   0x88,         0xfcc,
                                       0x1000, 0xfffc, FRAME + 0x40, FRAME + 0x1000};
    static const struct {
        uint64_t offset;
        enum access_width width;
    } wrong[] = {{P_CVAL, ACCESS_8_BIT},      {P_CVAL, ACCESS_16_BIT}, {P_CVAL + 2, ACCESS_32_BIT},
                 {P_CVAL + 4, ACCESS_64_BIT}, {P_TVAL, ACCESS_64_BIT}, {CTL_ACR, ACCESS_8_BIT}};

    put64(P_CVAL, 7);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        t.device->ops->write(t.device, wrong[i].offset, wrong[i].width, 0xff);
        ck_assert_uint_eq(t.device->ops->read(t.device, wrong[i].offset, wrong[i].width), 0);
    }
    for (unsigned i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        put(nowhere[i], UINT32_MAX);
        ck_assert_uint_eq(get(nowhere[i]), 0);
    }
    ck_assert_uint_eq(get64(P_CVAL), 7);
    ck_assert_uint_eq(get(CTL_ACR), ALL_ACCESS);
}
END_TEST

START_TEST(the_counts_are_those_of_the_system_counter)
{
    ck_assert_uint_eq(get64(PCT), ticks_now());
    ck_assert_uint_eq(get64(VCT), ticks_now());
    skip_ticks(1000);
    ck_assert_uint_eq(get64(PCT), ticks_now());
    put64(CTL_VOFF, ticks_now());
    ck_assert_uint_eq(get64(VOFF), ticks_now());
    skip_ticks(55);
    ck_assert_uint_eq(get64(VCT), 55);
    ck_assert_uint_eq(get64(PCT), ticks_now());
}
END_TEST

/* Each bit of CNTACR0 opens its registers, and only those. */
START_TEST(access_control_hides_registers)
{
    static const struct {
        uint64_t offset;
        uint32_t bit;
    } registers[] = {{PCT, 1 << 0},    {PCT + 4, 1 << 0}, {VCT, 1 << 1},    {FRQ, 1 << 2},
                     {VOFF, 1 << 3},   {V_CVAL, 1 << 4},  {V_TVAL, 1 << 4}, {V_CTL, 1 << 4},
                     {P_CVAL, 1 << 5}, {P_TVAL, 1 << 5},  {P_CTL, 1 << 5}};

    put64(CTL_VOFF, 0x1111111122222222);
    put64(P_CVAL, UINT64_C(0x3333333344444444));
    put64(V_CVAL, UINT64_C(0x3333333344444444));
    put(P_CTL, IMASK);
    put(V_CTL, IMASK);
    for (uint32_t acr = 0; acr <= ALL_ACCESS; acr++) {
        put(CTL_ACR, acr);
        ck_assert_uint_eq(get(CTL_ACR), acr);
        for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
            bool open = (acr & registers[i].bit) != 0;
            ck_assert_int_eq(get(registers[i].offset) != 0, open);
        }
    }
    put(CTL_ACR, 0);
    put64(P_CVAL, 1);
    put(P_CTL, ENABLE);
    put(CTL_ACR, UINT32_MAX);
    ck_assert_uint_eq(get(CTL_ACR), ALL_ACCESS);
    ck_assert_uint_eq(get64(P_CVAL), UINT64_C(0x3333333344444444));
    ck_assert_uint_eq(get(P_CTL), IMASK);
}
END_TEST

START_TEST(a_compare_value_in_the_future_interrupts_then)
{
    put64(P_CVAL, ticks_now() + 1000000);
    ck_assert(!t.loop.armed);
    put(P_CTL, ENABLE);
    ck_assert(t.loop.armed);
    ck_assert_uint_eq(t.loop.delay_ns, 1000000 * TICK_NS);
    skip_ticks(999999);
    ck_assert_uint_eq(get(P_CTL), ENABLE);
    skip_ticks(1);
    ck_assert_uint_eq(get(P_CTL), ENABLE | ISTATUS);
    timer_fixture_fire(&t);
    ck_assert(t.irqs[0].level);
    ck_assert(!t.irqs[1].level);
    ck_assert(!t.loop.armed);
    put64(P_CVAL, ticks_now() + 5);
    ck_assert(!t.irqs[0].level);
    put(P_CTL, 0);
    ck_assert(!t.loop.armed);
}
END_TEST

START_TEST(a_met_condition_interrupts_unless_masked)
{
    put64(V_CVAL, 5);
    put(V_CTL, ENABLE | IMASK);
    ck_assert_uint_eq(get(V_CTL), ENABLE | IMASK | ISTATUS);
    ck_assert(!t.irqs[1].level);
    put(V_CTL, ENABLE);
    ck_assert(t.irqs[1].level);
    put(V_CTL, IMASK);
    ck_assert(!t.irqs[1].level);
    ck_assert_uint_eq(get(V_CTL), IMASK);
}
END_TEST

START_TEST(timer_values_are_signed_and_relative)
{
    put(V_TVAL, 1000);
    ck_assert_uint_eq(get64(V_CVAL), ticks_now() + 1000);
    skip_ticks(1500);
    ck_assert_int_eq((int32_t)get(V_TVAL), -500);
    put(V_TVAL, (uint32_t)-7);
    ck_assert_uint_eq(get64(V_CVAL), ticks_now() - 7);
    put(V_CTL, ENABLE);
    ck_assert(t.irqs[1].level);
}
END_TEST

START_TEST(the_offset_moves_the_virtual_timer)
{
    put64(V_CVAL, 100);
    put(V_CTL, ENABLE);
    ck_assert(t.irqs[1].level);
    put64(CTL_VOFF, ticks_now());
    ck_assert(!t.irqs[1].level);
    ck_assert_uint_eq(t.loop.delay_ns, 100 * TICK_NS);
}
END_TEST

START_TEST(the_sooner_timer_has_the_alarm)
{
    put(P_TVAL, 50000);
    put(V_TVAL, 20000);
    put(P_CTL, ENABLE);
    put(V_CTL, ENABLE);
    ck_assert_uint_eq(t.loop.delay_ns, 20000 * TICK_NS);
    timer_fixture_run_to(&t, t.now_ns + 20000 * TICK_NS);
    ck_assert(t.irqs[1].level);
    ck_assert(!t.irqs[0].level);
    timer_fixture_run_to(&t, t.now_ns + 30000 * TICK_NS);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(t.fired, 2);
}
END_TEST

START_TEST(the_farthest_compare_value_is_no_trouble)
{
    put64(P_CVAL, UINT64_MAX);
    put(P_CTL, ENABLE);
    ck_assert(t.loop.armed);
    ck_assert_uint_le(t.loop.delay_ns, TICKS_MOST_NS);
    ck_assert_uint_ge(t.loop.delay_ns, TICKS_MOST_NS / 2);
}
END_TEST

/* A tick of compare values in a row, as Linux does it: each alarm late, none later for it. */
START_TEST(a_row_of_deadlines_does_not_drift)
{
    uint64_t state = 7;
    uint64_t first = ticks_now();
    const uint64_t period = FAKE_COUNTER_HZ / 1000;

    put64(V_CVAL, first + period);
    put(V_CTL, ENABLE);
    for (uint64_t n = 1; n <= 5000; n++) {
        uint64_t due = ticks_to_ns(first + n * period - FAKE_COUNTER_START, FAKE_COUNTER_HZ);
        ck_assert_uint_ge(t.loop.due_ns, due);
        ck_assert_uint_lt(t.loop.due_ns, due + TICK_NS);
        timer_fixture_skip_to(&t, t.loop.due_ns + random_next(&state) % 800000);
        timer_fixture_fire(&t);
        ck_assert(t.irqs[1].level);
        put64(V_CVAL, first + (n + 1) * period);
        ck_assert(!t.irqs[1].level);
    }
}
END_TEST

START_TEST(hostile_deadlines_do_not_keep_the_host_busy)
{
    uint64_t end = t.now_ns + SECOND_NS;

    put(P_CTL, ENABLE);
    put(P_TVAL, 1);
    while (t.loop.due_ns <= end) {
        timer_fixture_skip_to(&t, t.loop.due_ns);
        timer_fixture_fire(&t);
        put(P_TVAL, 1);
    }
    ck_assert_uint_le(t.fired, SECOND_NS / TIMER_ALARM_FLOOR_NS + 1);
    ck_assert_uint_ge(t.fired, SECOND_NS / TIMER_ALARM_FLOOR_NS - 1);
}
END_TEST

START_TEST(reset_stops_both)
{
    put(P_CTL, ENABLE);
    put(V_TVAL, 100);
    put(V_CTL, ENABLE);
    put64(CTL_VOFF, 3);
    put(CTL_ACR, 0);
    ck_assert(t.irqs[0].level);
    t.device->ops->reset(t.device);
    ck_assert(!t.irqs[0].level);
    ck_assert(!t.loop.armed);
    ck_assert_uint_eq(get(CTL_ACR), ALL_ACCESS);
    ck_assert_uint_eq(get64(VOFF), 0);
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0xc020000), .spi = 115};

    t.device->ops->describe(t.device, &writer, &place);
    ck_assert_str_eq(writer.text,
                     "timer@c020000 { compatible='arm,armv7-timer-mem'; reg=<c020000 1000>; "
                     "#address-cells=<1>; #size-cells=<1>; ranges=<c020000 0 c020000 20000>; "
                     "frame@c030000 { frame-number=<0>; reg=<c030000 1000>; "
                     "interrupts=<0 73 4 0 74 4>; } } ");
}
END_TEST

START_TEST(a_failing_timer_fails_creation)
{
    timer_fixture_check_failure("timer-mmio", "memory-mapped timer");
}
END_TEST

static void check_invariants(void)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t ctl = get(i == 0 ? P_CTL : V_CTL);
        bool live = (ctl & (ENABLE | IMASK)) == ENABLE;

        /* The line may be later than the condition, until the alarm goes off. */
        if (t.irqs[i].level && (!live || (ctl & ISTATUS) == 0)) {
            ck_abort_msg("line %u is high, control %x", i, ctl);
        }
        if (live && !t.irqs[i].level && !t.loop.armed) {
            ck_abort_msg("timer %u will interrupt and has no alarm", i);
        }
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0xc020000;

    for (unsigned i = 0; i < 400000; i++) {
        uint64_t choice = random_next(&state);

        if ((choice & 3 << 20) == 0) {
            random_access(t.device, CTL_ACR, &state);
        } else {
            random_access(t.device, FRAME, &state);
        }
        if (choice % 16 == 1) {
            put(CTL_ACR, ALL_ACCESS);
            put64((choice & 1 << 10) != 0 ? P_CVAL : V_CVAL,
                  get64((choice & 1 << 10) != 0 ? PCT : VCT) + (choice >> 44));
        }
        if (choice % 4 == 0) {
            timer_fixture_run_to(&t, t.now_ns + (choice >> 44));
        }
        if (choice % 10007 == 0) {
            t.device->ops->reset(t.device);
        }
        put(CTL_ACR, ALL_ACCESS);
        check_invariants();
    }
    ck_assert_uint_gt(t.irqs[0].rises, 100);
    ck_assert_uint_gt(t.irqs[1].rises, 100);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("timer_mmio");
    TCase *tcase = tcase_create("frames");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_have_their_reset_values);
    tcase_add_test(tcase, read_only_registers_ignore_writes);
    tcase_add_test(tcase, wide_registers_can_be_accessed_by_halves);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, the_counts_are_those_of_the_system_counter);
    tcase_add_test(tcase, access_control_hides_registers);
    tcase_add_test(tcase, a_compare_value_in_the_future_interrupts_then);
    tcase_add_test(tcase, a_met_condition_interrupts_unless_masked);
    tcase_add_test(tcase, timer_values_are_signed_and_relative);
    tcase_add_test(tcase, the_offset_moves_the_virtual_timer);
    tcase_add_test(tcase, the_sooner_timer_has_the_alarm);
    tcase_add_test(tcase, the_farthest_compare_value_is_no_trouble);
    tcase_add_test(tcase, a_row_of_deadlines_does_not_drift);
    tcase_add_test(tcase, hostile_deadlines_do_not_keep_the_host_busy);
    tcase_add_test(tcase, reset_stops_both);
    tcase_add_test(tcase, it_describes_itself);
    tcase_add_test(tcase, a_failing_timer_fails_creation);
    tcase_add_test(tcase, random_accesses_keep_the_invariants);
    suite_add_tcase(suite, tcase);
    return suite;
}
