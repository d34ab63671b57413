// SPDX-License-Identifier: Apache-2.0
/* The UART without exits: what is switched on and off when, and that the page tells the truth. */
#include <check.h>
#include <string.h>

#include "fake_console.h"
#include "fake_irq.h"
#include "fake_regions.h"
#include "pl011_fixture.h"

Suite *unit_suite(void);

enum { ENOUGH = 8, QUIET_TICKS = 10 };

static struct pl011_fixture uart;
static struct fake_regions regions;

static void setup(void)
{
    fake_regions_init(&regions);
    pl011_fixture_setup_with(&uart, &regions.regions);
}

static void teardown(void)
{
    pl011_fixture_teardown(&uart);
}

static void write_characters(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        device_write32(uart.device, UARTDR, 'x');
}

static bool tick(void)
{
    return uart.console.client.collect(uart.console.client.context);
}

/* What a guest reads from the page is what it would read by an exit, but for UARTFR's counting. */
static void check_page(void)
{
    ck_assert(regions.page_on);
    for (uint64_t offset = UARTRSR; offset < DEVICE_REGION_PAGE_BYTES; offset += 4) {
        uint32_t word;

        memcpy(&word, regions.page + offset, sizeof(word));
        ck_assert_msg(word == device_read32(uart.device, offset), "offset 0x%x", (unsigned)offset);
    }
    ck_assert_int_eq(regions.page[UARTDR], 0);
}

START_TEST(nothing_is_asked_of_the_host_for_a_few_characters)
{
    ck_assert_uint_eq(regions.coalesced_offset, UARTDR);
    ck_assert_uint_eq(regions.coalesced_bytes, 4);
    ck_assert_uint_eq(regions.page_offset, 0);
    write_characters(ENOUGH - 1);
    ck_assert_uint_eq(regions.switches, 0);
    ck_assert_uint_eq(uart.console.collects, 0);
}
END_TEST

START_TEST(a_guest_that_talks_gets_both)
{
    write_characters(ENOUGH);
    ck_assert(regions.coalesced);
    ck_assert_uint_eq(uart.console.collects, 1);
    check_page();
    write_characters(1000);
    ck_assert_uint_eq(regions.switches, 2);
    ck_assert_uint_eq(uart.console.collects, 1);
    ck_assert_uint_eq(uart.console.output_count, ENOUGH + 1000);
}
END_TEST

START_TEST(the_page_follows_each_register)
{
    static const uint32_t offsets[] = {UARTILPR, UARTIBRD, UARTFBRD,  UARTLCR_H, UARTCR,
                                       UARTIFLS, UARTIMSC, UARTDMACR, UARTRSR,   UARTICR};

    write_characters(ENOUGH);
    device_write32(uart.device, UARTCR, CR_ENABLE);
    check_page();
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        device_write32(uart.device, offsets[i], 0x3f & ~CR_LBE);
        check_page();
        ck_assert_uint_eq(regions.changed_from, 0);
        ck_assert_uint_ge(regions.changed_to, UARTDMACR + 4);
    }
    device_write32(uart.device, UARTIMSC, INT_TX);
    write_characters(1);
    check_page();
    ck_assert(uart.irq.level);
}
END_TEST

START_TEST(a_full_console_shows_in_the_page)
{
    uint32_t flags;

    write_characters(ENOUGH);
    uart.console.full = true;
    write_characters(1);
    memcpy(&flags, regions.page + UARTFR, sizeof(flags));
    ck_assert_uint_eq(flags & (FR_TXFF | FR_BUSY | FR_TXFE), FR_TXFF | FR_BUSY);
    check_page();
    device_write32(uart.device, UARTIMSC, INT_TX); /* it comes when there is room: no reason */
    ck_assert(regions.coalesced);
    fake_console_drain(&uart.console);
    memcpy(&flags, regions.page + UARTFR, sizeof(flags));
    ck_assert_uint_eq(flags & (FR_TXFF | FR_BUSY | FR_TXFE), FR_TXFE);
    check_page();
}
END_TEST

/* The page is gone before there is anything to read. */
START_TEST(input_takes_the_page_away_until_it_is_read)
{
    pl011_fixture_open(&uart, INT_INPUT);
    write_characters(ENOUGH);
    ck_assert(regions.page_on);
    ck_assert_uint_eq(fake_console_type(&uart.console, "ab"), 2);
    ck_assert(!regions.page_on);
    ck_assert(regions.coalesced);
    write_characters(10 * ENOUGH);
    ck_assert(!regions.page_on);
    ck_assert_uint_eq(device_read32(uart.device, UARTDR), 'a');
    ck_assert_uint_eq(device_read32(uart.device, UARTDR), 'b');
    write_characters(ENOUGH);
    ck_assert(!regions.page_on); /* not so soon again */
    write_characters(2 * ENOUGH);
    check_page();
}
END_TEST

START_TEST(a_guest_that_polls_the_page_is_noticed)
{
    device_write32(uart.device, UARTCR, CR_ENABLE);
    write_characters(ENOUGH);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    ck_assert(!regions.page_on);
    ck_assert_uint_ne(device_read32(uart.device, UARTFR) & FR_RXFE, 0);
    ck_assert_uint_ne(device_read32(uart.device, UARTFR) & FR_RXFE, 0);
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 1);
    ck_assert_uint_eq(device_read32(uart.device, UARTDR), 'a');
}
END_TEST

START_TEST(a_page_that_stays_keeps_input_outside)
{
    pl011_fixture_open(&uart, INT_INPUT);
    write_characters(ENOUGH);
    regions.stuck = true;
    unsigned collects = uart.console.collects;
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    ck_assert(!uart.irq.level);
    ck_assert_uint_eq(uart.console.collects, collects + 1);
    check_page();
    regions.stuck = false;
    (void)tick();
    ck_assert_uint_ge(uart.console.resumes, 1);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 1);
    ck_assert(!regions.page_on);
    ck_assert(uart.irq.level);
}
END_TEST

START_TEST(loopback_takes_both_away)
{
    device_write32(uart.device, UARTCR, CR_ENABLE);
    write_characters(ENOUGH);
    device_write32(uart.device, UARTCR, CR_ENABLE | CR_LBE);
    ck_assert(!regions.coalesced);
    ck_assert(!regions.page_on);
    write_characters(100);
    ck_assert(!regions.coalesced && !regions.page_on);
    ck_assert_uint_eq(device_read32(uart.device, UARTDR), 'x');
    ck_assert_uint_eq(uart.console.output_count, ENOUGH);
}
END_TEST

START_TEST(a_guest_that_awaits_the_transmit_interrupt_gets_it_at_once)
{
    write_characters(ENOUGH);
    device_write32(uart.device, UARTIMSC, INT_TX);
    ck_assert(uart.irq.level);
    ck_assert(regions.coalesced);
    device_write32(uart.device, UARTICR, INT_TX);
    ck_assert(!uart.irq.level);
    ck_assert(!regions.coalesced);
    write_characters(1);
    ck_assert(uart.irq.level);
}
END_TEST

START_TEST(switching_to_and_fro_becomes_rare)
{
    for (unsigned i = 0; i < 100000; i++) {
        write_characters(1);
        device_write32(uart.device, UARTCR, CR_ENABLE | CR_LBE);
        device_write32(uart.device, UARTCR, CR_ENABLE);
        device_write32(uart.device, UARTICR, INT_ALL);
    }
    ck_assert_uint_lt(regions.switches, 200);
}
END_TEST

START_TEST(a_quiet_guest_is_not_looked_after)
{
    write_characters(ENOUGH);
    for (int i = 0; i < QUIET_TICKS; i++)
        ck_assert(tick());
    unsigned drains = regions.drains;
    ck_assert(!tick());
    ck_assert(!regions.coalesced);
    ck_assert_uint_eq(regions.drains, drains + 2); /* and what came before it was off */
    check_page();
    write_characters(ENOUGH);
    ck_assert(regions.coalesced);
    ck_assert_uint_eq(uart.console.collects, 2);
}
END_TEST

static void drain_one(void *context)
{
    device_write32(context, UARTDR, 'd');
}

START_TEST(each_tick_brings_what_was_coalesced)
{
    write_characters(ENOUGH);
    regions.on_drain = drain_one;
    regions.context = uart.device;
    for (int i = 0; i < 2 * QUIET_TICKS; i++)
        ck_assert(tick());
    ck_assert_uint_eq(uart.console.output_count, ENOUGH + 2 * QUIET_TICKS);
    ck_assert(regions.coalesced);
}
END_TEST

START_TEST(a_host_that_cannot_is_asked_once)
{
    regions.incapable = true;
    write_characters(100 * ENOUGH);
    ck_assert_uint_eq(regions.switches, 0);
    ck_assert_uint_eq(uart.console.collects, 0);
    regions.incapable = false;
    write_characters(100 * ENOUGH);
    ck_assert_uint_eq(regions.switches, 0);
    uart.device->ops->reset(uart.device);
    write_characters(ENOUGH);
    ck_assert_uint_eq(regions.switches, 2);
}
END_TEST

START_TEST(a_reset_begins_anew)
{
    write_characters(ENOUGH);
    regions.coalesced = regions.page_on = false; /* with the VM */
    uart.device->ops->reset(uart.device);
    ck_assert(!tick());
    write_characters(ENOUGH - 1);
    ck_assert(!regions.coalesced && !regions.page_on);
    write_characters(1);
    ck_assert(regions.coalesced);
    check_page();
}
END_TEST

START_TEST(any_access_leaves_a_page_that_is_right)
{
    uint64_t state = 7;

    for (int i = 0; i < 20000; i++) {
        random_access(uart.device, UARTDR, &state);
        if (i % 50 == 0)
            (void)fake_console_type(&uart.console, "input");
        if (i % 70 == 0)
            write_characters(ENOUGH);
        if (i % 10 == 0)
            (void)tick();
        if (regions.page_on)
            check_page();
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pl011_fast");
    TCase *tests = tcase_create("pl011_fast");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, nothing_is_asked_of_the_host_for_a_few_characters);
    tcase_add_test(tests, a_guest_that_talks_gets_both);
    tcase_add_test(tests, the_page_follows_each_register);
    tcase_add_test(tests, a_full_console_shows_in_the_page);
    tcase_add_test(tests, input_takes_the_page_away_until_it_is_read);
    tcase_add_test(tests, a_guest_that_polls_the_page_is_noticed);
    tcase_add_test(tests, a_page_that_stays_keeps_input_outside);
    tcase_add_test(tests, loopback_takes_both_away);
    tcase_add_test(tests, a_guest_that_awaits_the_transmit_interrupt_gets_it_at_once);
    tcase_add_test(tests, switching_to_and_fro_becomes_rare);
    tcase_add_test(tests, a_quiet_guest_is_not_looked_after);
    tcase_add_test(tests, each_tick_brings_what_was_coalesced);
    tcase_add_test(tests, a_host_that_cannot_is_asked_once);
    tcase_add_test(tests, a_reset_begins_anew);
    tcase_add_test(tests, any_access_leaves_a_page_that_is_right);
    suite_add_tcase(suite, tests);
    return suite;
}
