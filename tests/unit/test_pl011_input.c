// SPDX-License-Identifier: Apache-2.0
/* What the UART receives, from the console and in loopback: polled, by interrupts, FIFOs, errors.
 */
#include <check.h>
#include <string.h>

#include "pl011_fixture.h"

Suite *unit_suite(void);

static struct pl011_fixture uart;

static uint32_t get(uint64_t offset)
{
    return device_read32(uart.device, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    device_write32(uart.device, offset, value);
}

static void setup(void)
{
    pl011_fixture_setup(&uart);
}

static void teardown(void)
{
    pl011_fixture_teardown(&uart);
}

static void open_loopback(uint32_t line_control)
{
    put(UARTLCR_H, line_control);
    put(UARTCR, CR_ENABLE | CR_LBE);
}

static void send(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put(UARTDR, 'a' + i % 26);
    }
}

START_TEST(input_waits_until_a_polling_guest_looks)
{
    ck_assert_uint_eq(fake_console_type(&uart.console, "ab"), 0);
    /* What an early console does for two characters. */
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(get(UARTFR) & FR_TXFF, 0);
        put(UARTDR, 'x');
        ck_assert_uint_eq(get(UARTFR) & FR_BUSY, 0);
    }
    ck_assert_uint_eq(get(UARTFR) & FR_RXFE, FR_RXFE);
    ck_assert_uint_eq(uart.console.resumes, 0);
    ck_assert_uint_eq(get(UARTFR) & ~(FR_RXFE | FR_TXFE), FR_CTS | FR_DSR | FR_DCD);
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(fake_console_type(&uart.console, "ab"), 1); /* FIFO disabled */
    ck_assert_uint_eq(get(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFF);
    ck_assert_uint_eq(get(UARTDR), 'a');
    ck_assert_uint_eq(uart.console.resumes, 2);
    ck_assert_uint_eq(fake_console_type(&uart.console, "b"), 1);
    ck_assert_uint_eq(get(UARTDR), 'b');
    ck_assert_uint_eq(get(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFE);
    ck_assert_uint_eq(uart.console.resumes, 2);
}
END_TEST

START_TEST(an_enabled_uart_tells_polling_sooner)
{
    put(UARTCR, CR_ENABLE);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    (void)get(UARTFR);
    put(UARTDR, 'x');
    (void)get(UARTFR);
    ck_assert_uint_eq(uart.console.resumes, 0);
    (void)get(UARTFR);
    ck_assert_uint_eq(uart.console.resumes, 1);
}
END_TEST

START_TEST(waiting_for_the_console_is_not_polling)
{
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    uart.console.full = true;
    put(UARTDR, 'x');
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_eq(get(UARTFR) & FR_TXFF, FR_TXFF);
    }
    ck_assert_uint_eq(uart.console.resumes, 0);
}
END_TEST

START_TEST(reading_an_empty_fifo_gives_zero_and_lets_input_in)
{
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    ck_assert_uint_eq(get(UARTDR), 0);
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 1);
    ck_assert_uint_eq(get(UARTDR), 'a');
}
END_TEST

/* The order of drivers/tty/serial/amba-pl011.c: pl011_hwinit() to pl011_enable_interrupts(). */
START_TEST(a_linux_driver_gets_input_that_was_there_before)
{
    ck_assert_uint_eq(fake_console_type(&uart.console, "echo"), 0);
    put(UARTLCR_H, LINE_FIFO);
    put(UARTICR, 0x7d0);
    put(UARTIMSC, INT_INPUT);
    put(UARTIMSC, 0);
    put(UARTCR, CR_ENABLE | CR_RTS | CR_DTR);
    (void)get(UARTFR);
    put(UARTICR, INT_INPUT);
    ck_assert_uint_eq(get(UARTFR) & FR_RXFE, FR_RXFE);
    ck_assert_uint_eq(uart.console.resumes, 0);
    put(UARTIMSC, INT_INPUT);
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(fake_console_type(&uart.console, "echo"), 4);
    ck_assert(uart.irq.level);
    for (const char *c = "echo"; *c != '\0'; c++) {
        ck_assert_uint_eq(get(UARTFR) & FR_RXFE, 0);
        ck_assert_uint_eq(get(UARTDR), (uint8_t)*c);
    }
    ck_assert(!uart.irq.level);
    ck_assert_uint_eq(get(UARTFR) & FR_RXFE, FR_RXFE);
    /* Closed, and opened again: a new drain. */
    put(UARTIMSC, 0);
    put(UARTCR, CR_UARTEN | CR_TXE);
    ck_assert_uint_eq(fake_console_type(&uart.console, "more"), 0);
    put(UARTCR, CR_ENABLE);
    ck_assert_uint_eq(uart.console.resumes, 1);
    put(UARTIMSC, INT_INPUT);
    ck_assert_uint_eq(uart.console.resumes, 2);
}
END_TEST

START_TEST(a_disabled_receiver_leaves_input_outside)
{
    pl011_fixture_open(&uart, INT_INPUT);
    put(UARTCR, CR_UARTEN | CR_TXE);
    ck_assert_uint_eq(fake_console_type(&uart.console, "a"), 0);
    put(UARTCR, CR_ENABLE);
    ck_assert_uint_eq(uart.console.resumes, 1);
}
END_TEST

START_TEST(the_timeout_interrupt_lasts_until_the_fifo_is_empty)
{
    pl011_fixture_open(&uart, INT_INPUT);
    ck_assert_uint_eq(fake_console_type(&uart.console, "abc"), 3);
    ck_assert_uint_eq(get(UARTRIS), INT_RT);
    (void)get(UARTDR);
    ck_assert(uart.irq.level);
    (void)get(UARTDR);
    ck_assert(uart.irq.level);
    (void)get(UARTDR);
    ck_assert(!uart.irq.level);
    ck_assert_uint_eq(uart.irq.rises, 1);
}
END_TEST

START_TEST(a_cleared_timeout_comes_back_while_characters_are_left)
{
    pl011_fixture_open(&uart, INT_INPUT);
    ck_assert_uint_eq(fake_console_type(&uart.console, "ab"), 2);
    put(UARTICR, INT_RT);
    ck_assert(!uart.irq.level);
    (void)get(UARTDR);
    ck_assert(uart.irq.level);
    (void)get(UARTDR);
    ck_assert(!uart.irq.level);
}
END_TEST

START_TEST(a_guest_that_clears_after_one_character_gets_the_rest)
{
    char text[41];
    unsigned got = 0;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pl011_fixture_open(&uart, INT_INPUT);
    got += (unsigned)fake_console_type(&uart.console, text);
    ck_assert_uint_eq(got, PL011_FIFO_ENTRIES);
    while (got < sizeof(text) - 1) {
        unsigned resumes = uart.console.resumes;

        ck_assert(uart.irq.level);
        (void)get(UARTDR);
        put(UARTICR, INT_ALL);
        ck_assert_uint_eq(uart.console.resumes, resumes + 1);
        got += (unsigned)fake_console_type(&uart.console, text + got);
    }
}
END_TEST

START_TEST(a_guest_that_knows_the_receive_interrupt_alone_gets_each_character)
{
    pl011_fixture_open(&uart, INT_RX);
    ck_assert_uint_eq(fake_console_type(&uart.console, "ab"), 2);
    ck_assert_uint_eq(get(UARTMIS), INT_RX);
    (void)get(UARTDR);
    ck_assert(uart.irq.level);
    (void)get(UARTDR);
    ck_assert(!uart.irq.level);
    put(UARTIMSC, 0);
    ck_assert_uint_eq(fake_console_type(&uart.console, "c"), 1); /* it has read: it listens */
    put(UARTIMSC, INT_RX);
    ck_assert(uart.irq.level);
}
END_TEST

START_TEST(a_burst_is_taken_as_far_as_the_fifo_goes)
{
    static const char text[] = "0123456789abcdef0123456789abcdefREST";

    pl011_fixture_open(&uart, INT_INPUT);
    ck_assert_uint_eq(fake_console_type(&uart.console, text), PL011_FIFO_ENTRIES);
    ck_assert_uint_eq(get(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFF);
    ck_assert_uint_eq(get(UARTRIS), INT_RX | INT_RT);
    for (unsigned i = 0; i < PL011_FIFO_ENTRIES / 2; i++) {
        ck_assert_uint_eq(uart.console.resumes, 0);
        ck_assert_uint_eq(get(UARTDR), (uint8_t)text[i]);
    }
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(get(UARTRIS), INT_RX | INT_RT); /* 16 of 32 are left */
    (void)get(UARTDR);
    ck_assert_uint_eq(get(UARTRIS), INT_RT);
    ck_assert_uint_eq(fake_console_type(&uart.console, "REST"), 4);
    ck_assert_uint_eq(uart.console.resumes, 1);
    ck_assert_uint_eq(get(UARTRIS), INT_RX | INT_RT);
}
END_TEST

START_TEST(the_receive_level_is_selectable)
{
    static const uint32_t levels[] = {4, 8, 16, 24, 28, 28, 28, 28};

    open_loopback(LINE_FIFO);
    put(UARTIFLS, (uint32_t)_i << IFLS_RXIFLSEL_SHIFT);
    send(levels[_i] - 1);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, 0);
    send(1);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, INT_RX);
    put(UARTICR, INT_RX);
    send(1); /* beyond the level: no transition */
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, 0);
    (void)get(UARTDR);
    (void)get(UARTDR);
    send(1);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, INT_RX);
    (void)get(UARTDR);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, 0);
}
END_TEST

START_TEST(lowering_the_level_below_what_is_there_raises_the_interrupt)
{
    open_loopback(LINE_FIFO);
    send(10);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, 0);
    put(UARTIFLS, 1U << IFLS_RXIFLSEL_SHIFT);
    ck_assert_uint_eq(get(UARTRIS) & INT_RX, INT_RX);
}
END_TEST

START_TEST(a_disabled_fifo_holds_one_character)
{
    open_loopback(0);
    put(UARTICR, INT_ALL);
    put(UARTDR, 'a');
    ck_assert_uint_eq(get(UARTRIS), INT_RX | INT_RT | INT_TX);
    ck_assert_uint_eq(get(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFF);
    put(UARTDR, 'b');
    ck_assert_uint_eq(get(UARTRIS) & INT_OE, INT_OE);
    ck_assert_uint_eq(get(UARTDR), 'a');
    ck_assert_uint_eq(get(UARTRIS) & (INT_RX | INT_RT), 0);
}
END_TEST

START_TEST(enabling_or_disabling_the_fifo_flushes_it)
{
    open_loopback(LINE_FIFO);
    send(20);
    put(UARTLCR_H, LINE_FIFO & ~LCR_H_FEN);
    ck_assert_uint_eq(get(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFE);
    ck_assert_uint_eq(get(UARTRIS) & (INT_RX | INT_RT), 0);
    send(1);
    put(UARTLCR_H, LINE_FIFO);
    ck_assert_uint_eq(get(UARTFR) & FR_RXFE, FR_RXFE);
}
END_TEST

START_TEST(an_overrun_goes_with_the_next_character)
{
    open_loopback(LINE_FIFO);
    put(UARTIMSC, INT_OE);
    send(PL011_FIFO_ENTRIES);
    ck_assert(!uart.irq.level);
    ck_assert_uint_eq(get(UARTRSR), 0);
    put(UARTDR, 'X');
    ck_assert(uart.irq.level);
    ck_assert_uint_eq(get(UARTRSR), RSR_OE);
    ck_assert_uint_eq(get(UARTDR), 'a');
    put(UARTDR, 'Y');
    for (unsigned i = 1; i < PL011_FIFO_ENTRIES; i++) {
        ck_assert_uint_eq(get(UARTDR), 'a' + i % 26);
    }
    ck_assert_uint_eq(get(UARTDR), DR_OE | 'Y');
    ck_assert_uint_eq(get(UARTRSR), RSR_OE);
    put(UARTRSR, 0);
    ck_assert_uint_eq(get(UARTRSR), 0);
    put(UARTICR, INT_OE);
    ck_assert(!uart.irq.level);
    put(UARTDR, 'Z');
    ck_assert_uint_eq(get(UARTDR), 'Z');
}
END_TEST

START_TEST(loopback_keeps_characters_inside)
{
    open_loopback(LINE_FIFO);
    ck_assert_uint_eq(fake_console_type(&uart.console, "outside"), 0);
    put(UARTDR, 'q');
    ck_assert_uint_eq(uart.console.output_count, 0);
    ck_assert_uint_eq(get(UARTDR), 'q');
    ck_assert_uint_eq(get(UARTDR), 0);
    ck_assert_uint_eq(uart.console.resumes, 0);
    put(UARTCR, CR_ENABLE);
    ck_assert_uint_eq(uart.console.resumes, 1);
}
END_TEST

START_TEST(loopback_feeds_modem_outputs_to_inputs)
{
    static const struct {
        uint32_t output, input, interrupt;
    } pairs[] = {
        {CR_RTS, FR_CTS, INT_CTSM},
        {CR_DTR, FR_DSR, INT_DSRM},
        {CR_OUT1, FR_DCD, INT_DCDM},
        {CR_OUT2, FR_RI, INT_RIM},
    };
    const uint32_t modem = FR_CTS | FR_DSR | FR_DCD | FR_RI;

    put(UARTCR, CR_ENABLE | CR_LBE);
    ck_assert_uint_eq(get(UARTFR) & modem, 0);
    ck_assert_uint_eq(get(UARTRIS), INT_CTSM | INT_DSRM | INT_DCDM);
    put(UARTIMSC, INT_CTSM | INT_DSRM | INT_DCDM | INT_RIM);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        put(UARTICR, INT_ALL);
        ck_assert(!uart.irq.level);
        put(UARTCR, CR_ENABLE | CR_LBE | pairs[i].output);
        ck_assert_uint_eq(get(UARTFR) & modem, pairs[i].input);
        ck_assert_uint_eq(get(UARTMIS), pairs[i].interrupt);
        put(UARTCR, CR_ENABLE | CR_LBE);
    }
    put(UARTCR, CR_ENABLE);
    ck_assert_uint_eq(get(UARTFR) & modem, FR_CTS | FR_DSR | FR_DCD);
}
END_TEST

START_TEST(a_looped_break_is_one_character)
{
    const uint32_t errors = INT_BE | INT_FE;

    open_loopback(LINE_FIFO);
    put(UARTIMSC, errors);
    put(UARTLCR_H, LINE_FIFO | LCR_H_BRK);
    put(UARTLCR_H, LINE_FIFO | LCR_H_BRK);
    ck_assert_uint_eq(get(UARTMIS), errors);
    ck_assert_uint_eq(get(UARTDR), DR_BE | DR_FE);
    ck_assert_uint_eq(get(UARTRSR), RSR_BE | RSR_FE);
    ck_assert_uint_eq(get(UARTFR) & FR_RXFE, FR_RXFE);
    put(UARTRSR, 0xff);
    ck_assert_uint_eq(get(UARTRSR), 0);
    /* Break first, loopback then. */
    put(UARTCR, CR_ENABLE);
    put(UARTCR, CR_ENABLE | CR_LBE);
    ck_assert_uint_eq(get(UARTDR), DR_BE | DR_FE);
    put(UARTLCR_H, LINE_FIFO);
    put(UARTDR, 'k');
    ck_assert_uint_eq(get(UARTDR), 'k');
    ck_assert_uint_eq(get(UARTRSR), 0);
}
END_TEST

static TCase *case_of_input(void)
{
    TCase *tcase = tcase_create("input");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, input_waits_until_a_polling_guest_looks);
    tcase_add_test(tcase, an_enabled_uart_tells_polling_sooner);
    tcase_add_test(tcase, waiting_for_the_console_is_not_polling);
    tcase_add_test(tcase, reading_an_empty_fifo_gives_zero_and_lets_input_in);
    tcase_add_test(tcase, a_linux_driver_gets_input_that_was_there_before);
    tcase_add_test(tcase, a_disabled_receiver_leaves_input_outside);
    tcase_add_test(tcase, the_timeout_interrupt_lasts_until_the_fifo_is_empty);
    tcase_add_test(tcase, a_cleared_timeout_comes_back_while_characters_are_left);
    tcase_add_test(tcase, a_guest_that_clears_after_one_character_gets_the_rest);
    tcase_add_test(tcase, a_guest_that_knows_the_receive_interrupt_alone_gets_each_character);
    tcase_add_test(tcase, a_burst_is_taken_as_far_as_the_fifo_goes);
    return tcase;
}

static TCase *case_of_loopback(void)
{
    TCase *tcase = tcase_create("loopback");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_receive_level_is_selectable, 0, 8);
    tcase_add_test(tcase, lowering_the_level_below_what_is_there_raises_the_interrupt);
    tcase_add_test(tcase, a_disabled_fifo_holds_one_character);
    tcase_add_test(tcase, enabling_or_disabling_the_fifo_flushes_it);
    tcase_add_test(tcase, an_overrun_goes_with_the_next_character);
    tcase_add_test(tcase, loopback_keeps_characters_inside);
    tcase_add_test(tcase, loopback_feeds_modem_outputs_to_inputs);
    tcase_add_test(tcase, a_looped_break_is_one_character);
    return tcase;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pl011_input");

    suite_add_tcase(suite, case_of_input());
    suite_add_tcase(suite, case_of_loopback());
    return suite;
}
