// SPDX-License-Identifier: Apache-2.0
/* The MSI frame: a number written is that SPI's pulse, and no other's. */
#include <check.h>

#include "fake_fdt_writer.h"
#include "timer_fixture.h"

Suite *unit_suite(void);

enum { TYPER = 0x008, SETSPI_NS = 0x040, IIDR = 0xfcc, FIRST = TIMER_FIXTURE_INTID, COUNT = 64 };

static struct timer_fixture t;

static void setup(void)
{
    timer_fixture_init(&t, "gicv2m");
}

static void teardown(void)
{
    timer_fixture_finish(&t);
}

static unsigned pulses(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert(!t.irqs[i].level);
        ck_assert_uint_eq(t.irqs[i].redundant, 0);
        sum += t.irqs[i].rises;
    }
    return sum;
}

START_TEST(it_says_which_spis_it_has)
{
    ck_assert_uint_eq(timer_get(&t, TYPER), FIRST << 16 | COUNT);
    ck_assert_uint_eq(timer_get(&t, IIDR), 0x0410043b);
    ck_assert_uint_eq(timer_get(&t, SETSPI_NS), 0);
    timer_put(&t, TYPER, 0);
    timer_put(&t, IIDR, 0);
    ck_assert_uint_eq(timer_get(&t, TYPER), FIRST << 16 | COUNT);
    ck_assert_uint_eq(t.device->size_bytes, 0x1000);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(t.device, TYPER, 0x044);
    check_bad_accesses(t.device, IIDR, 0xfc8);
    ck_assert_uint_eq(pulses(), 0);
}
END_TEST

START_TEST(each_number_pulses_its_line)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        timer_put(&t, SETSPI_NS, FIRST + i);
        ck_assert_uint_eq(t.irqs[i].rises, 1);
        t.device->ops->write(t.device, SETSPI_NS, ACCESS_16_BIT, FIRST + i);
        ck_assert_uint_eq(t.irqs[i].rises, 2);
        ck_assert_uint_eq(pulses(), 2 * (i + 1));
    }
    /* Bits above the number do not count. */
    timer_put(&t, SETSPI_NS, 0xfffffc00U | FIRST);
    ck_assert_uint_eq(t.irqs[0].rises, 3);
}
END_TEST

START_TEST(other_numbers_do_nothing)
{
    for (uint32_t intid = 0; intid < 1024; intid++) {
        if (intid < FIRST || intid >= FIRST + COUNT) {
            timer_put(&t, SETSPI_NS, intid);
        }
    }
    t.device->ops->write(t.device, SETSPI_NS, ACCESS_8_BIT, FIRST);
    t.device->ops->write(t.device, SETSPI_NS, ACCESS_64_BIT, FIRST);
    ck_assert_uint_eq(pulses(), 0);
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0x8020000), .spi = 48};

    t.device->ops->describe(t.device, &writer, &place);
    ck_assert_str_eq(writer.text, "v2m@8020000 { compatible='arm,gic-v2m-frame'; msi-controller; "
                                  "reg=<8020000 1000>; phandle=<5>; } ");
}
END_TEST

START_TEST(random_accesses_pulse_and_nothing_else)
{
    uint64_t state = 0x8020000;

    for (unsigned i = 0; i < 200000; i++) {
        random_access(t.device, SETSPI_NS, &state);
        if (i % 50 == 0) {
            timer_put(&t, SETSPI_NS, (uint32_t)random_next(&state) & 0xff);
        }
        if (i % 5000 == 0) {
            t.device->ops->reset(t.device);
        }
        ck_assert_uint_eq(timer_get(&t, TYPER), FIRST << 16 | COUNT);
    }
    ck_assert_uint_gt(pulses(), 500);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gicv2m");
    TCase *tcase = tcase_create("frame");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_says_which_spis_it_has);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, each_number_pulses_its_line);
    tcase_add_test(tcase, other_numbers_do_nothing);
    tcase_add_test(tcase, it_describes_itself);
    tcase_add_test(tcase, random_accesses_pulse_and_nothing_else);
    suite_add_tcase(suite, tcase);
    return suite;
}
