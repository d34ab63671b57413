// SPDX-License-Identifier: Apache-2.0
/* The dual timer: modes, sizes and prescalers, its alarm and its phase. */
#include <check.h>
#include <string.h>

#include "devices/tick_scale.h"
#include "devices/timer_alarm.h"
#include "fake_fdt_writer.h"
#include "sp804_fixture.h"
#include "timer_fixture.h"

Suite *unit_suite(void);

static struct timer_fixture t;

static uint32_t get(uint64_t offset)
{
    return timer_get(&t, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    timer_put(&t, offset, value);
}

static uint64_t tick_now(void)
{
    return ticks_of_ns(t.now_ns, HZ);
}

static uint64_t tick_ns(uint64_t tick)
{
    return ticks_to_ns(tick, HZ);
}

static void skip_ticks(uint64_t ticks)
{
    timer_fixture_skip_to(&t, tick_ns(tick_now() + ticks));
}

static void setup(void)
{
    timer_fixture_init(&t, "sp804");
}

static void teardown(void)
{
    ck_assert_uint_eq(t.irqs[0].redundant, 0);
    timer_fixture_finish(&t);
}

/* ---- registers ---- */

START_TEST(registers_have_their_reset_values)
{
    for (uint64_t timer = 0; timer <= TIMER2; timer += TIMER2) {
        ck_assert_uint_eq(get(timer + LOAD), 0);
        ck_assert_uint_eq(get(timer + VALUE), UINT32_MAX);
        ck_assert_uint_eq(get(timer + CONTROL), INT_ENABLE);
        ck_assert_uint_eq(get(timer + RIS), 0);
        ck_assert_uint_eq(get(timer + MIS), 0);
        ck_assert_uint_eq(get(timer + INT_CLR), 0);
    }
    ck_assert_uint_eq(get(ITCR), 0);
    ck_assert(!t.loop.armed);
    ck_assert_uint_eq(t.device->size_bytes, 0x1000);
}
END_TEST

START_TEST(it_identifies_itself)
{
    check_identification(t.device, 0x00141804);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(t.device, LOAD, 0x1c);
    check_bad_accesses(t.device, TIMER2 + LOAD, 0x40);
    check_bad_accesses(t.device, ITCR, 0xefc);
}
END_TEST

START_TEST(reserved_control_bits_stay_zero)
{
    put(CONTROL, UINT32_MAX);
    ck_assert_uint_eq(get(CONTROL), 0xef);
}
END_TEST

START_TEST(read_only_registers_ignore_writes)
{
    put(VALUE, 1);
    put(RIS, 1);
    put(MIS, 1);
    ck_assert_uint_eq(get(VALUE), UINT32_MAX);
    ck_assert_uint_eq(get(RIS), 0);
}
END_TEST

START_TEST(test_registers_drive_the_line)
{
    put(ITOP, 2);
    ck_assert(!t.irqs[0].level);
    put(ITCR, 1);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(get(ITOP), 0);
    put(ITOP, 0);
    ck_assert(!t.irqs[0].level);
    put(LOAD, 0);
    put(CONTROL, ENABLE | INT_ENABLE);
    ck_assert(!t.irqs[0].level);
    put(ITCR, 0);
    ck_assert(t.irqs[0].level);
}
END_TEST

START_TEST(reset_stops_it)
{
    put(LOAD, 5);
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE);
    skip_ticks(5);
    ck_assert_uint_eq(get(RIS), 1);
    t.device->ops->reset(t.device);
    ck_assert(!t.irqs[0].level);
    ck_assert(!t.loop.armed);
    ck_assert_uint_eq(get(LOAD), 0);
    ck_assert_uint_eq(get(VALUE), UINT32_MAX);
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0xc010000), .spi = 113};

    t.device->ops->describe(t.device, &writer, &place);
    ck_assert_str_eq(writer.text, "timer@c010000 { compatible='arm,sp804|arm,primecell'; "
                                  "reg=<c010000 1000>; spi=<113 4>; clocks=<2 2 2>; "
                                  "clock-names='timer1|timer2|apb_pclk'; } ");
}
END_TEST

START_TEST(a_failing_timer_fails_creation)
{
    timer_fixture_check_failure("sp804", "dual timer");
}
END_TEST

/* ---- counting ---- */

START_TEST(a_disabled_counter_stands_still)
{
    put(LOAD, 1000);
    skip_ticks(100);
    ck_assert_uint_eq(get(VALUE), 1000);
    put(CONTROL, ENABLE);
    skip_ticks(100);
    ck_assert_uint_eq(get(VALUE), 900);
    put(CONTROL, 0);
    skip_ticks(100);
    ck_assert_uint_eq(get(VALUE), 900);
    put(CONTROL, ENABLE);
    skip_ticks(1);
    ck_assert_uint_eq(get(VALUE), 899);
}
END_TEST

START_TEST(free_running_wraps_at_its_size)
{
    put(LOAD, 10);
    put(CONTROL, ENABLE);
    skip_ticks(9);
    ck_assert_uint_eq(get(RIS), 0);
    skip_ticks(1);
    ck_assert_uint_eq(get(VALUE), 0);
    ck_assert_uint_eq(get(RIS), 1);
    ck_assert_uint_eq(get(MIS), 0);
    skip_ticks(1);
    ck_assert_uint_eq(get(VALUE), UINT16_MAX);
    put(INT_CLR, 0);
    skip_ticks(UINT16_MAX - 1);
    ck_assert_uint_eq(get(RIS), 0);
    skip_ticks(1);
    ck_assert_uint_eq(get(RIS), 1);
    put(CONTROL, ENABLE | SIZE_32);
    skip_ticks(1);
    ck_assert_uint_eq(get(VALUE), UINT32_MAX);
}
END_TEST

START_TEST(sixteen_bits_count_the_low_half)
{
    put(LOAD, 0x12345678);
    ck_assert_uint_eq(get(LOAD), 0x12345678);
    ck_assert_uint_eq(get(VALUE), 0x5678);
    put(CONTROL, SIZE_32);
    put(LOAD, 0x12345678);
    ck_assert_uint_eq(get(VALUE), 0x12345678);
}
END_TEST

START_TEST(prescalers_divide)
{
    static const struct {
        uint32_t control, divisor;
    } scales[] = {{0, 1}, {PRE_16, 16}, {PRE_256, 256}, {PRE_16 | PRE_256, 256}};

    for (unsigned i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
        put(CONTROL, scales[i].control | ENABLE | SIZE_32);
        put(LOAD, 100);
        skip_ticks(scales[i].divisor * 7 - 1);
        ck_assert_uint_eq(get(VALUE), 94);
        skip_ticks(1);
        ck_assert_uint_eq(get(VALUE), 93);
    }
}
END_TEST

START_TEST(a_second_is_so_many_ticks)
{
    put(CONTROL, ENABLE | SIZE_32);
    put(LOAD, UINT32_MAX);
    timer_fixture_skip_to(&t, t.now_ns + 100 * SECOND_NS);
    ck_assert_uint_eq(UINT32_MAX - get(VALUE), 100U * HZ);
}
END_TEST

START_TEST(one_shot_halts_at_zero)
{
    put(CONTROL, ENABLE | ONE_SHOT | INT_ENABLE | SIZE_32);
    put(LOAD, 50);
    ck_assert_uint_eq(t.loop.due_ns, tick_ns(tick_now() + 50));
    timer_fixture_run_to(&t, t.now_ns + MILLISECOND_NS);
    ck_assert_uint_eq(t.fired, 1);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(get(VALUE), 0);
    put(INT_CLR, 1);
    timer_fixture_run_to(&t, t.now_ns + SECOND_NS);
    ck_assert(!t.irqs[0].level);
    ck_assert_uint_eq(t.fired, 1);
    put(LOAD, 7);
    skip_ticks(7);
    ck_assert_uint_eq(get(RIS), 1);
    put(INT_CLR, 1);
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32); /* goes on as periodic */
    ck_assert_uint_eq(get(RIS), 0);
    skip_ticks(3);
    ck_assert_uint_eq(get(VALUE), 4);
}
END_TEST

START_TEST(background_load_waits_for_zero)
{
    put(CONTROL, ENABLE | PERIODIC | SIZE_32);
    put(LOAD, 100);
    put(BG_LOAD, 30);
    ck_assert_uint_eq(get(LOAD), 30);
    ck_assert_uint_eq(get(BG_LOAD), 30);
    skip_ticks(99);
    ck_assert_uint_eq(get(VALUE), 1);
    ck_assert_uint_eq(get(RIS), 0);
    skip_ticks(1);
    ck_assert_uint_eq(get(VALUE), 30);
    ck_assert_uint_eq(get(RIS), 1);
    put(INT_CLR, 0);
    skip_ticks(30);
    ck_assert_uint_eq(get(RIS), 1);
}
END_TEST

START_TEST(loading_zero_expires_at_once)
{
    put(LOAD, 5);
    put(CONTROL, ENABLE | INT_ENABLE);
    put(LOAD, 0);
    ck_assert(t.irqs[0].level);
    put(CONTROL, ONE_SHOT | INT_ENABLE);
    put(INT_CLR, 0);
    put(LOAD, 0);
    ck_assert(!t.irqs[0].level);
    put(CONTROL, ENABLE | ONE_SHOT | INT_ENABLE);
    ck_assert(t.irqs[0].level);
    ck_assert(!t.loop.armed);
}
END_TEST

/* ---- the alarm ---- */

START_TEST(two_timers_share_the_line_and_the_alarm)
{
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
    put(TIMER2 + CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
    put(LOAD, 10 * TICKS_PER_MS);
    put(TIMER2 + LOAD, 3 * TICKS_PER_MS);
    uint64_t start = t.now_ns;
    timer_fixture_run_to(&t, start + 3 * MILLISECOND_NS);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(get(TIMER2 + MIS), 1);
    ck_assert_uint_eq(get(MIS), 0);
    timer_fixture_run_to(&t, start + 10 * MILLISECOND_NS);
    put(TIMER2 + INT_CLR, 1);
    ck_assert(t.irqs[0].level);
    put(INT_CLR, 1);
    ck_assert(!t.irqs[0].level);
    ck_assert_uint_eq(t.irqs[0].rises, 1);
}
END_TEST

START_TEST(what_cannot_be_seen_needs_no_alarm)
{
    put(LOAD, 100);
    put(CONTROL, ENABLE | PERIODIC);
    ck_assert(!t.loop.armed);
    skip_ticks(250);
    ck_assert_uint_eq(get(RIS), 1);
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE);
    ck_assert(t.irqs[0].level);
    ck_assert(!t.loop.armed);
    put(INT_CLR, 0);
    ck_assert(t.loop.armed);
    put(CONTROL, PERIODIC | INT_ENABLE);
    ck_assert(!t.loop.armed);
}
END_TEST

START_TEST(an_early_alarm_is_set_again)
{
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
    put(LOAD, 10 * TICKS_PER_MS);
    uint64_t due = t.loop.due_ns;
    timer_fixture_skip_to(&t, due - 1);
    timer_fixture_fire(&t);
    ck_assert(!t.irqs[0].level);
    /* No sooner than the floor after the last one, however little is left. */
    ck_assert_uint_eq(t.loop.due_ns, t.now_ns + TIMER_ALARM_FLOOR_NS);
}
END_TEST

START_TEST(missed_periods_are_one_interrupt)
{
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
    put(LOAD, TICKS_PER_MS);
    uint64_t start = tick_now();
    timer_fixture_skip_to(&t, tick_ns(start + 10 * TICKS_PER_MS + TICKS_PER_MS / 2));
    timer_fixture_fire(&t);
    ck_assert_uint_eq(t.irqs[0].rises, 1);
    ck_assert_uint_eq(get(VALUE), TICKS_PER_MS / 2);
    put(INT_CLR, 0);
    ck_assert_uint_eq(t.loop.due_ns, tick_ns(start + 11 * TICKS_PER_MS));
}
END_TEST

/* Thousands of periods, each alarm late and each answer later: every deadline is in phase. */
START_TEST(a_period_keeps_its_phase)
{
    static const uint32_t periods[] = {24000, 24001, 79999, 23999999};
    uint64_t state = 804;

    for (unsigned i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        uint32_t period = periods[i];
        put(CONTROL, SIZE_32);
        put(LOAD, period);
        put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
        put(INT_CLR, 0);
        uint64_t start = tick_now();
        for (uint64_t n = 1; n <= 5000; n++) {
            uint64_t due = tick_ns(start + n * period);
            ck_assert_uint_eq(t.loop.due_ns, due);
            uint64_t late = random_next(&state) % (tick_ns(period) / 2);
            timer_fixture_skip_to(&t, due + late);
            timer_fixture_fire(&t);
            ck_assert(t.irqs[0].level);
            timer_fixture_skip_to(&t, t.now_ns + random_next(&state) % (tick_ns(period) / 3));
            put(INT_CLR, 0);
        }
        ck_assert_uint_eq(get(VALUE), period - (tick_now() - start) % period);
    }
}
END_TEST

/* Answers every interrupt at once, for a second; returns how often the alarm went off. */
static unsigned storm(uint32_t load, uint32_t control)
{
    uint64_t end = t.now_ns + SECOND_NS;
    unsigned before = t.fired;

    put(CONTROL, control);
    put(LOAD, load);
    put(INT_CLR, 0);
    while (t.loop.armed && t.loop.due_ns <= end) {
        timer_fixture_skip_to(&t, t.loop.due_ns);
        timer_fixture_fire(&t);
        put(INT_CLR, 0);
    }
    timer_fixture_skip_to(&t, end);
    put(CONTROL, 0);
    return t.fired - before;
}

START_TEST(hostile_periods_do_not_keep_the_host_busy)
{
    const unsigned most = (unsigned)(SECOND_NS / TIMER_ALARM_FLOOR_NS) + 1;

    for (uint32_t load = 0; load < 1200; load += 7) {
        unsigned fired = storm(load, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
        ck_assert_uint_le(fired, most);
        ck_assert_uint_ge(fired, most - 2);
    }
    ck_assert_uint_le(storm(0, ENABLE | INT_ENABLE), most);
    ck_assert_uint_le(storm(0, ENABLE | ONE_SHOT | INT_ENABLE), 1);
    /* An honest period is not touched. */
    ck_assert_uint_eq(storm(TICKS_PER_MS, ENABLE | PERIODIC | INT_ENABLE | SIZE_32), 1000);
}
END_TEST

START_TEST(the_same_deadline_is_not_armed_again)
{
    put(CONTROL, ENABLE | PERIODIC | INT_ENABLE | SIZE_32);
    put(LOAD, TICKS_PER_MS);
    t.loop.delay_ns = 0;
    skip_ticks(10);
    (void)get(VALUE);
    put(TIMER2 + LOAD, 3);
    ck_assert_uint_eq(t.loop.delay_ns, 0);
}
END_TEST

static TCase *case_of_registers(void)
{
    TCase *tcase = tcase_create("registers");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_have_their_reset_values);
    tcase_add_test(tcase, it_identifies_itself);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, reserved_control_bits_stay_zero);
    tcase_add_test(tcase, read_only_registers_ignore_writes);
    tcase_add_test(tcase, test_registers_drive_the_line);
    tcase_add_test(tcase, reset_stops_it);
    tcase_add_test(tcase, it_describes_itself);
    tcase_add_test(tcase, a_failing_timer_fails_creation);
    return tcase;
}

static TCase *case_of_counting(void)
{
    TCase *tcase = tcase_create("counting");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_disabled_counter_stands_still);
    tcase_add_test(tcase, free_running_wraps_at_its_size);
    tcase_add_test(tcase, sixteen_bits_count_the_low_half);
    tcase_add_test(tcase, prescalers_divide);
    tcase_add_test(tcase, a_second_is_so_many_ticks);
    tcase_add_test(tcase, one_shot_halts_at_zero);
    tcase_add_test(tcase, background_load_waits_for_zero);
    tcase_add_test(tcase, loading_zero_expires_at_once);
    return tcase;
}

static TCase *case_of_alarm(void)
{
    TCase *tcase = tcase_create("alarm");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, two_timers_share_the_line_and_the_alarm);
    tcase_add_test(tcase, what_cannot_be_seen_needs_no_alarm);
    tcase_add_test(tcase, an_early_alarm_is_set_again);
    tcase_add_test(tcase, missed_periods_are_one_interrupt);
    tcase_add_test(tcase, a_period_keeps_its_phase);
    tcase_add_test(tcase, hostile_periods_do_not_keep_the_host_busy);
    tcase_add_test(tcase, the_same_deadline_is_not_armed_again);
    return tcase;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sp804");

    suite_add_tcase(suite, case_of_registers());
    suite_add_tcase(suite, case_of_counting());
    suite_add_tcase(suite, case_of_alarm());
    return suite;
}
