// SPDX-License-Identifier: Apache-2.0
/* The watchdog: its lock, the interrupt, the bite, and what keeps it from biting. */
#include <check.h>

#include "devices/tick_scale.h"
#include "devices/timer_alarm.h"
#include "fake_fdt_writer.h"
#include "timer_fixture.h"

Suite *unit_suite(void);

enum {
    LOAD = 0x000,
    VALUE = 0x004,
    CONTROL = 0x008,
    INT_CLR = 0x00c,
    RIS = 0x010,
    MIS = 0x014,
    LOCK = 0xc00,
    ITCR = 0xf00,
    ITOP = 0xf04,
};

enum { INTEN = 1, RESEN = 2, KEY = 0x1acce551, HZ = 24000000, SECOND = HZ };

static struct timer_fixture t;

static uint32_t get(uint64_t offset)
{
    return timer_get(&t, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    timer_put(&t, offset, value);
}

/* Runs for so many seconds, and a little longer. */
static void run_seconds(uint64_t seconds)
{
    timer_fixture_run_to(&t, t.now_ns + seconds * SECOND_NS + 1000);
}

static void setup(void)
{
    timer_fixture_init(&t, "sp805");
}

static void teardown(void)
{
    ck_assert_uint_eq(t.irqs[0].redundant, 0);
    ck_assert_uint_eq(t.reset_request.redundant, 0);
    timer_fixture_finish(&t);
}

START_TEST(registers_have_their_reset_values)
{
    ck_assert_uint_eq(get(LOAD), UINT32_MAX);
    ck_assert_uint_eq(get(VALUE), UINT32_MAX);
    for (uint64_t offset = CONTROL; offset < 0xfe0; offset += 4) {
        ck_assert_uint_eq(get(offset), 0);
    }
    ck_assert(!t.loop.armed);
    ck_assert_uint_eq(t.device->size_bytes, 0x1000);
}
END_TEST

START_TEST(it_identifies_itself)
{
    check_identification(t.device, 0x00141805);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(t.device, LOAD, 0x18);
    check_bad_accesses(t.device, LOCK, 0xc04);
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

START_TEST(the_lock_keeps_all_else_from_being_written)
{
    put(LOCK, 0);
    ck_assert_uint_eq(get(LOCK), 1);
    put(LOAD, 5);
    put(CONTROL, INTEN | RESEN);
    put(ITCR, 1);
    put(ITOP, 3);
    ck_assert_uint_eq(get(LOAD), UINT32_MAX);
    ck_assert_uint_eq(get(CONTROL), 0);
    ck_assert_uint_eq(get(ITCR), 0);
    ck_assert(!t.reset_request.level);
    put(LOCK, KEY);
    ck_assert_uint_eq(get(LOCK), 0);
    put(LOAD, 5);
    ck_assert_uint_eq(get(LOAD), 5);
}
END_TEST

START_TEST(it_interrupts_then_bites)
{
    put(LOAD, 2 * SECOND);
    put(CONTROL, INTEN | RESEN);
    ck_assert_uint_eq(t.loop.due_ns,
                      ticks_to_ns(ticks_of_ns(t.now_ns, HZ) + 2 * (uint64_t)SECOND, HZ));
    run_seconds(1);
    ck_assert_uint_le(get(VALUE), SECOND);
    ck_assert_uint_ge(get(VALUE), SECOND - 100);
    ck_assert(!t.irqs[0].level);
    run_seconds(1);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(get(RIS), 1);
    ck_assert_uint_eq(get(MIS), 1);
    run_seconds(1);
    ck_assert(!t.reset_request.level);
    run_seconds(1);
    ck_assert(t.reset_request.level);
    ck_assert_uint_eq(get(VALUE), 0);
    ck_assert_uint_eq(t.fired, 2);
    put(INT_CLR, 1); /* too late */
    run_seconds(100);
    ck_assert(t.reset_request.level);
    t.device->ops->reset(t.device);
    ck_assert(!t.reset_request.level);
    ck_assert(!t.irqs[0].level);
    ck_assert(!t.loop.armed);
}
END_TEST

START_TEST(fed_it_never_bites)
{
    put(LOAD, SECOND);
    put(CONTROL, INTEN | RESEN);
    for (unsigned i = 0; i < 1000; i++) {
        timer_fixture_run_to(&t, t.now_ns + SECOND_NS + SECOND_NS / 2); /* after the interrupt */
        ck_assert(t.irqs[0].level);
        put(INT_CLR, i);
        ck_assert_uint_eq(get(VALUE), SECOND);
        ck_assert(!t.irqs[0].level);
    }
    for (unsigned i = 0; i < 1000; i++) {
        put(INT_CLR, i);
        timer_fixture_run_to(&t, t.now_ns + SECOND_NS - 100);
    }
    ck_assert_uint_eq(t.irqs[0].rises, 1000);
    ck_assert_uint_eq(t.reset_request.rises, 0);
}
END_TEST

START_TEST(without_resen_it_only_interrupts)
{
    put(LOAD, SECOND);
    put(CONTROL, INTEN);
    run_seconds(10);
    ck_assert(t.irqs[0].level);
    ck_assert_uint_eq(t.fired, 1);
    ck_assert(!t.loop.armed);
    ck_assert(!t.reset_request.level);
    put(CONTROL, INTEN | RESEN); /* and now it is a second from biting */
    run_seconds(1);
    ck_assert(t.reset_request.level);
}
END_TEST

START_TEST(disabled_it_stands_still_and_starts_anew)
{
    put(LOAD, SECOND);
    put(CONTROL, INTEN | RESEN);
    run_seconds(1);
    ck_assert(t.irqs[0].level);
    put(CONTROL, RESEN);
    ck_assert(!t.irqs[0].level);
    ck_assert(!t.loop.armed);
    uint32_t value = get(VALUE);
    run_seconds(1000);
    ck_assert_uint_eq(get(VALUE), value);
    put(CONTROL, INTEN | RESEN);
    ck_assert_uint_eq(get(VALUE), SECOND);
}
END_TEST

START_TEST(loading_zero_interrupts_at_once)
{
    put(CONTROL, INTEN);
    put(LOAD, 0);
    ck_assert(t.irqs[0].level);
}
END_TEST

/* An I/O thread that slept over several periods owes the guest the interrupt before the bite. */
START_TEST(a_late_host_gives_the_guest_its_chance)
{
    put(LOAD, SECOND);
    put(CONTROL, INTEN | RESEN);
    timer_fixture_skip_to(&t, t.now_ns + 10 * SECOND_NS);
    timer_fixture_fire(&t);
    ck_assert(t.irqs[0].level);
    ck_assert(!t.reset_request.level);
    ck_assert_uint_eq(get(VALUE), SECOND);
    timer_fixture_run_to(&t, t.now_ns + SECOND_NS - 1000);
    ck_assert(!t.reset_request.level);
    run_seconds(0);
    ck_assert(t.reset_request.level);
}
END_TEST

START_TEST(test_registers_drive_both_outputs)
{
    put(ITOP, 2);
    ck_assert(!t.irqs[0].level);
    put(ITCR, 1);
    ck_assert(t.irqs[0].level);
    ck_assert(!t.reset_request.level);
    put(ITOP, 1);
    ck_assert(!t.irqs[0].level);
    ck_assert(t.reset_request.level);
    put(ITCR, 0);
    ck_assert(!t.reset_request.level);
}
END_TEST

START_TEST(it_works_without_a_reset_output)
{
    struct device_resources resources = {.irq = t.lines, .loop = &t.loop, .log = &t.log};
    struct error error = {0};

    t.device->ops->destroy(t.device);
    t.device = find_device_class("sp805")->create(&resources, &error);
    ck_assert_ptr_nonnull(t.device);
    put(LOAD, 1);
    put(CONTROL, INTEN | RESEN);
    run_seconds(1);
    ck_assert_uint_eq(get(VALUE), 0);
    ck_assert(!t.reset_request.level);
}
END_TEST

START_TEST(hostile_periods_do_not_keep_the_host_busy)
{
    uint64_t end = t.now_ns + SECOND_NS;

    put(LOAD, 1);
    put(CONTROL, INTEN);
    while (t.loop.armed && t.loop.due_ns <= end) {
        timer_fixture_skip_to(&t, t.loop.due_ns);
        timer_fixture_fire(&t);
        put(INT_CLR, 0);
    }
    ck_assert_uint_le(t.fired, SECOND_NS / TIMER_ALARM_FLOOR_NS + 1);
    ck_assert_uint_ge(t.fired, SECOND_NS / TIMER_ALARM_FLOOR_NS - 1);
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0xc011000), .spi = 114};

    t.device->ops->describe(t.device, &writer, &place);
    ck_assert_str_eq(writer.text, "watchdog@c011000 { compatible='arm,sp805|arm,primecell'; "
                                  "reg=<c011000 1000>; spi=<114 4>; clocks=<2 2>; "
                                  "clock-names='wdog_clk|apb_pclk'; } ");
}
END_TEST

START_TEST(a_failing_timer_fails_creation)
{
    timer_fixture_check_failure("sp805", "watchdog");
}
END_TEST

static void check_invariants(void)
{
    uint32_t control = get(CONTROL);
    uint32_t raw = get(RIS);

    ck_assert_uint_eq(get(MIS), (control & INTEN) != 0 ? raw : 0);
    if (get(ITCR) != 0) {
        return;
    }
    if (t.irqs[0].level != (get(MIS) != 0)) {
        ck_abort_msg("line %d, MIS %x", t.irqs[0].level, get(MIS));
    }
    if ((control & INTEN) != 0 && !t.reset_request.level && (raw == 0 || (control & RESEN) != 0) &&
        !t.loop.armed) {
        ck_abort_msg("a counter that will interrupt or bite has no alarm");
    }
    if (t.reset_request.level && t.loop.armed) {
        ck_abort_msg("it bit and counts on");
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0xc011000;

    for (unsigned i = 0; i < 400000; i++) {
        uint64_t choice = random_next(&state);

        random_access(t.device, (choice & 7 << 20) == 0 ? 0xf00 : 0, &state);
        if (choice % 32 == 1) {
            put(LOCK, KEY);
            put(LOAD, (uint32_t)(choice >> 40));
        }
        if (choice % 4 == 0) {
            timer_fixture_run_to(&t, t.now_ns + (choice >> 36));
        }
        if (choice % 997 == 0) {
            t.device->ops->reset(t.device);
        }
        check_invariants();
    }
    ck_assert_uint_gt(t.irqs[0].rises, 100);
    ck_assert_uint_gt(t.reset_request.rises, 10);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sp805");
    TCase *tcase = tcase_create("watchdog");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_have_their_reset_values);
    tcase_add_test(tcase, it_identifies_itself);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, read_only_registers_ignore_writes);
    tcase_add_test(tcase, the_lock_keeps_all_else_from_being_written);
    tcase_add_test(tcase, it_interrupts_then_bites);
    tcase_add_test(tcase, fed_it_never_bites);
    tcase_add_test(tcase, without_resen_it_only_interrupts);
    tcase_add_test(tcase, disabled_it_stands_still_and_starts_anew);
    tcase_add_test(tcase, loading_zero_interrupts_at_once);
    tcase_add_test(tcase, a_late_host_gives_the_guest_its_chance);
    tcase_add_test(tcase, test_registers_drive_both_outputs);
    tcase_add_test(tcase, it_works_without_a_reset_output);
    tcase_add_test(tcase, hostile_periods_do_not_keep_the_host_busy);
    tcase_add_test(tcase, it_describes_itself);
    tcase_add_test(tcase, a_failing_timer_fails_creation);
    tcase_add_test(tcase, random_accesses_keep_the_invariants);
    suite_add_tcase(suite, tcase);
    return suite;
}
