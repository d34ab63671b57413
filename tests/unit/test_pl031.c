// SPDX-License-Identifier: Apache-2.0
/* The real-time clock: counting, loading, the alarm and its timer, and a host clock that steps. */
#include <check.h>
#include <string.h>

#include "armlet/log.h"
#include "fake_event_loop.h"
#include "fake_fdt_writer.h"
#include "fake_irq.h"
#include "fake_wall_clock.h"
#include "primecell_checks.h"

Suite *unit_suite(void);

enum {
    RTCDR = 0x00,
    RTCMR = 0x04,
    RTCLR = 0x08,
    RTCCR = 0x0c,
    RTCIMSC = 0x10,
    RTCRIS = 0x14,
    RTCMIS = 0x18,
    RTCICR = 0x1c,
};

#define SECOND     UINT64_C(1000000000)
#define FULL_CYCLE (UINT64_C(1) << 32)
#define START_S    UINT64_C(1700000000)
#define START_NS   (START_S * SECOND + SECOND / 4) /* a quarter into a second */

struct clock {
    struct event_loop loop;
    struct fake_irq irq;
    struct log log;
    struct device *device;
    uint64_t now_ns;
};

static struct clock rtc;

static uint32_t get(uint64_t offset)
{
    return device_read32(rtc.device, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    device_write32(rtc.device, offset, value);
}

static void set_time(uint64_t now_ns)
{
    rtc.now_ns = now_ns;
    fake_wall_clock_set(now_ns);
}

static struct device *create(struct error *error)
{
    struct device_resources resources = {.irq = &rtc.irq.line, .loop = &rtc.loop, .log = &rtc.log};

    return find_device_class("pl031")->create(&resources, error);
}

static void setup(void)
{
    struct error error = {0};

    memset(&rtc, 0, sizeof(rtc));
    rtc.log.fd = -1;
    fake_irq_init(&rtc.irq);
    set_time(START_NS);
    rtc.device = create(&error);
    ck_assert_ptr_nonnull(rtc.device);
}

static void teardown(void)
{
    rtc.device->ops->destroy(rtc.device);
    ck_assert_ptr_null(rtc.loop.timer);
}

START_TEST(registers_have_their_reset_values)
{
    ck_assert_uint_eq(get(RTCDR), START_S);
    ck_assert_uint_eq(get(RTCCR), 1);
    for (uint64_t offset = RTCMR; offset < 0xfe0; offset += 4) {
        if (offset != RTCCR) {
            ck_assert_uint_eq(get(offset), 0);
        }
    }
    ck_assert(!rtc.irq.level);
    ck_assert(!rtc.loop.armed);
    ck_assert_uint_eq(rtc.device->size_bytes, 0x1000);
}
END_TEST

START_TEST(it_identifies_itself)
{
    check_identification(rtc.device, 0x00141031);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(rtc.device, RTCMR, 0x20);
    check_bad_accesses(rtc.device, RTCLR, 0xfdc);
}
END_TEST

START_TEST(the_counter_follows_the_hosts_seconds)
{
    set_time(START_S * SECOND + SECOND - 1);
    ck_assert_uint_eq(get(RTCDR), START_S);
    set_time((START_S + 1) * SECOND);
    ck_assert_uint_eq(get(RTCDR), START_S + 1);
}
END_TEST

START_TEST(read_only_registers_ignore_writes)
{
    put(RTCDR, 5);
    put(RTCCR, 0);
    put(RTCRIS, 1);
    put(RTCMIS, 1);
    ck_assert_uint_eq(get(RTCDR), START_S);
    ck_assert_uint_eq(get(RTCCR), 1);
    ck_assert_uint_eq(get(RTCRIS), 0);
}
END_TEST

START_TEST(loading_sets_the_counter)
{
    put(RTCLR, 100);
    ck_assert_uint_eq(get(RTCLR), 100);
    ck_assert_uint_eq(get(RTCDR), 100);
    set_time(START_NS + 5 * SECOND);
    ck_assert_uint_eq(get(RTCDR), 105);
    ck_assert_uint_eq(get(RTCLR), 100);
}
END_TEST

START_TEST(the_counter_wraps)
{
    put(RTCLR, UINT32_MAX);
    set_time(START_NS + SECOND);
    ck_assert_uint_eq(get(RTCDR), 0);
    set_time(START_NS + 3 * SECOND);
    ck_assert_uint_eq(get(RTCDR), 2);
}
END_TEST

START_TEST(an_unmasked_alarm_arms_the_timer_to_the_edge_of_the_second)
{
    put(RTCMR, (uint32_t)START_S + 3);
    ck_assert(!rtc.loop.armed); /* nobody would see it */
    put(RTCIMSC, 1);
    ck_assert(rtc.loop.armed);
    ck_assert_uint_eq(rtc.loop.delay_ns, 3 * SECOND - SECOND / 4);
    set_time((START_S + 3) * SECOND);
    fake_event_loop_fire(&rtc.loop);
    ck_assert(rtc.irq.level);
    ck_assert_uint_eq(get(RTCRIS), 1);
    ck_assert_uint_eq(get(RTCMIS), 1);
    ck_assert(!rtc.loop.armed);
    put(RTCICR, 1);
    ck_assert_uint_eq(get(RTCRIS), 0);
    ck_assert(!rtc.irq.level);
    ck_assert_uint_eq(rtc.loop.delay_ns, FULL_CYCLE * SECOND);
}
END_TEST

START_TEST(a_masked_alarm_is_found_by_reading)
{
    put(RTCMR, (uint32_t)START_S + 2);
    set_time(START_NS + SECOND);
    ck_assert_uint_eq(get(RTCRIS), 0);
    set_time(START_NS + 10 * SECOND);
    ck_assert_uint_eq(get(RTCRIS), 1);
    ck_assert_uint_eq(get(RTCMIS), 0);
    ck_assert(!rtc.irq.level);
    put(RTCIMSC, 1);
    ck_assert(rtc.irq.level);
    put(RTCIMSC, 0);
    ck_assert(!rtc.irq.level);
}
END_TEST

START_TEST(reading_ahead_of_the_timer_finds_the_alarm)
{
    put(RTCMR, (uint32_t)START_S + 1);
    put(RTCIMSC, 1);
    set_time((START_S + 1) * SECOND);
    ck_assert_uint_eq(get(RTCDR), START_S + 1);
    ck_assert(rtc.irq.level);
    fake_event_loop_fire(&rtc.loop);
    ck_assert_uint_eq(rtc.irq.rises, 1);
}
END_TEST

START_TEST(a_match_with_the_present_is_at_once)
{
    put(RTCIMSC, 1);
    put(RTCMR, (uint32_t)START_S);
    ck_assert(rtc.irq.level);
    put(RTCICR, 1);
    ck_assert(!rtc.irq.level);
    put(RTCMR, 77);
    ck_assert(!rtc.irq.level);
    put(RTCLR, 77);
    ck_assert(rtc.irq.level);
}
END_TEST

START_TEST(an_alarm_is_met_once)
{
    put(RTCIMSC, 1);
    put(RTCMR, (uint32_t)START_S + 1);
    set_time(START_NS + SECOND);
    ck_assert_uint_eq(get(RTCRIS), 1);
    put(RTCICR, 1);
    ck_assert_uint_eq(get(RTCRIS), 0);
    set_time(START_NS + 2 * SECOND);
    ck_assert_uint_eq(get(RTCRIS), 0);
}
END_TEST

START_TEST(an_alarm_in_the_past_waits_for_the_wrap)
{
    put(RTCLR, 1000);
    put(RTCMR, 999);
    put(RTCIMSC, 1);
    ck_assert(!rtc.irq.level);
    ck_assert_uint_eq(rtc.loop.delay_ns, (FULL_CYCLE - 1) * SECOND - SECOND / 4);
    put(RTCMR, 1001);
    ck_assert_uint_eq(rtc.loop.delay_ns, SECOND - SECOND / 4);
}
END_TEST

START_TEST(a_timer_that_fires_early_is_armed_again)
{
    put(RTCMR, (uint32_t)START_S + 1);
    put(RTCIMSC, 1);
    set_time((START_S + 1) * SECOND - 10);
    fake_event_loop_fire(&rtc.loop);
    ck_assert(!rtc.irq.level);
    ck_assert(rtc.loop.armed);
    ck_assert_uint_eq(rtc.loop.delay_ns, 10);
}
END_TEST

START_TEST(a_timer_of_an_earlier_setting_does_nothing)
{
    put(RTCMR, (uint32_t)START_S + 1);
    put(RTCIMSC, 1);
    put(RTCIMSC, 0);
    ck_assert(!rtc.loop.armed);
    set_time(START_NS + SECOND);
    fake_event_loop_fire(&rtc.loop);
    ck_assert(!rtc.irq.level);
    ck_assert_uint_eq(get(RTCRIS), 1);
}
END_TEST

START_TEST(a_host_clock_that_steps_over_the_alarm_meets_it)
{
    put(RTCMR, (uint32_t)START_S + 60);
    put(RTCIMSC, 1);
    set_time(START_NS + 3600 * SECOND);
    (void)get(RTCDR);
    ck_assert(rtc.irq.level);
}
END_TEST

START_TEST(a_host_clock_that_steps_back_meets_no_alarm)
{
    put(RTCMR, (uint32_t)START_S + 60);
    put(RTCIMSC, 1);
    set_time(START_NS - 3600 * SECOND);
    ck_assert_uint_eq(get(RTCDR), START_S - 3600);
    ck_assert(!rtc.irq.level);
    fake_event_loop_fire(&rtc.loop);
    ck_assert_uint_eq(rtc.loop.delay_ns, 3660 * SECOND - SECOND / 4);
}
END_TEST

START_TEST(reset_returns_to_the_hosts_time)
{
    put(RTCLR, 5);
    put(RTCMR, 5);
    put(RTCIMSC, 1);
    ck_assert(rtc.irq.level);
    rtc.device->ops->reset(rtc.device);
    ck_assert(!rtc.irq.level);
    ck_assert(!rtc.loop.armed);
    ck_assert_uint_eq(get(RTCDR), START_S);
    ck_assert_uint_eq(get(RTCIMSC), 0);
}
END_TEST

START_TEST(a_failing_timer_fails_creation)
{
    struct error error = {0};

    rtc.loop.fail_init = true;
    ck_assert_ptr_null(create(&error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "real-time clock"));
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0x9010000), .spi = 2};

    rtc.device->ops->describe(rtc.device, &writer, &place);
    ck_assert_str_eq(writer.text, "pl031@9010000 { compatible='arm,pl031|arm,primecell'; "
                                  "reg=<9010000 1000>; spi=<2 4>; clocks=<2>; "
                                  "clock-names='apb_pclk'; } ");
    ck_assert_int_eq(writer.depth, 0);
}
END_TEST

static void check_invariants(void)
{
    uint32_t raw = get(RTCRIS);
    uint32_t mask = get(RTCIMSC);

    if (get(RTCMIS) != (raw & mask) || rtc.irq.level != ((raw & mask) != 0)) {
        ck_abort_msg("line %d, RIS %x, IMSC %x", rtc.irq.level, raw, mask);
    }
    if (mask != 0 && raw == 0 && !rtc.loop.armed) {
        ck_abort_msg("an unmasked alarm without a timer");
    }
    if (rtc.loop.armed && rtc.loop.delay_ns > FULL_CYCLE * SECOND) {
        ck_abort_msg("a timer beyond a cycle");
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0x9010000;

    for (unsigned i = 0; i < 3000000; i++) {
        uint64_t choice = random_next(&state);

        random_access(rtc.device, 0, &state);
        if (choice % 8 == 0) {
            set_time(rtc.now_ns + (choice >> 32));
        }
        if (choice % 64 == 1) {
            put(RTCMR, get(RTCDR) + (uint32_t)(choice >> 61));
        }
        if (choice % 64 == 2 && rtc.loop.armed) {
            set_time(rtc.now_ns + rtc.loop.delay_ns % (16 * SECOND));
            fake_event_loop_fire(&rtc.loop);
        }
        if (choice % 10007 == 0) {
            rtc.device->ops->reset(rtc.device);
            set_time(START_NS);
        }
        check_invariants();
    }
    ck_assert_uint_gt(rtc.irq.rises, 0);
    ck_assert_uint_eq(rtc.irq.redundant, 0);
}
END_TEST

static TCase *case_of_registers(void)
{
    TCase *tcase = tcase_create("registers");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_have_their_reset_values);
    tcase_add_test(tcase, it_identifies_itself);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, read_only_registers_ignore_writes);
    tcase_add_test(tcase, the_counter_follows_the_hosts_seconds);
    tcase_add_test(tcase, loading_sets_the_counter);
    tcase_add_test(tcase, the_counter_wraps);
    tcase_add_test(tcase, reset_returns_to_the_hosts_time);
    tcase_add_test(tcase, a_failing_timer_fails_creation);
    tcase_add_test(tcase, it_describes_itself);
    return tcase;
}

static TCase *case_of_alarm(void)
{
    TCase *tcase = tcase_create("alarm");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_unmasked_alarm_arms_the_timer_to_the_edge_of_the_second);
    tcase_add_test(tcase, a_masked_alarm_is_found_by_reading);
    tcase_add_test(tcase, reading_ahead_of_the_timer_finds_the_alarm);
    tcase_add_test(tcase, a_match_with_the_present_is_at_once);
    tcase_add_test(tcase, an_alarm_is_met_once);
    tcase_add_test(tcase, an_alarm_in_the_past_waits_for_the_wrap);
    tcase_add_test(tcase, a_timer_that_fires_early_is_armed_again);
    tcase_add_test(tcase, a_timer_of_an_earlier_setting_does_nothing);
    tcase_add_test(tcase, a_host_clock_that_steps_over_the_alarm_meets_it);
    tcase_add_test(tcase, a_host_clock_that_steps_back_meets_no_alarm);
    return tcase;
}

static TCase *case_of_random(void)
{
    TCase *tcase = tcase_create("random");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, random_accesses_keep_the_invariants);
    return tcase;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pl031");

    suite_add_tcase(suite, case_of_registers());
    suite_add_tcase(suite, case_of_alarm());
    suite_add_tcase(suite, case_of_random());
    return suite;
}
