// SPDX-License-Identifier: Apache-2.0
/* The UART's registers, what it sends, a console that has no room, and random accesses. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "fake_fdt_writer.h"
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

static void check_reset_values(void)
{
    ck_assert_uint_eq(get(UARTFR), FR_TXFE | FR_RXFE | FR_CTS | FR_DSR | FR_DCD);
    ck_assert_uint_eq(get(UARTCR), CR_TXE | CR_RXE);
    ck_assert_uint_eq(get(UARTIFLS), 0x12);
    for (uint64_t offset = 0; offset < 0x1000; offset += 4) {
        if (offset != UARTFR && offset != UARTCR && offset != UARTIFLS && offset < 0xfe0) {
            ck_assert_uint_eq(get(offset), 0);
        }
    }
    ck_assert_uint_eq(uart.device->size_bytes, 0x1000);
    ck_assert_str_eq(uart.device->name, "pl011");
    ck_assert(!uart.irq.level);
}

START_TEST(registers_have_their_reset_values)
{
    check_reset_values();
}
END_TEST

START_TEST(registers_keep_the_bits_they_have)
{
    static const struct {
        uint64_t offset;
        uint32_t bits;
    } registers[] = {
        {UARTILPR, 0xff}, {UARTIBRD, 0xffff}, {UARTFBRD, 0x3f},  {UARTLCR_H, 0xff},
        {UARTIFLS, 0x3f}, {UARTIMSC, 0x7ff},  {UARTDMACR, 0x07}, {UARTCR, 0xff87},
    };

    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        put(registers[i].offset, UINT32_MAX);
        ck_assert_uint_eq(get(registers[i].offset), registers[i].bits);
        uart.device->ops->write(uart.device, registers[i].offset, ACCESS_8_BIT, 0xa5);
        ck_assert_uint_eq(get(registers[i].offset), 0xa5 & registers[i].bits);
        uart.device->ops->write(uart.device, registers[i].offset, ACCESS_16_BIT, 0);
        ck_assert_uint_eq(get(registers[i].offset), 0);
    }
}
END_TEST

START_TEST(read_only_registers_ignore_writes)
{
    static const uint64_t offsets[] = {UARTFR, UARTRIS, UARTMIS, UARTTCR, UARTITIP, UARTITOP};

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        uint32_t before = get(offsets[i]);

        put(offsets[i], ~before);
        ck_assert_uint_eq(get(offsets[i]), before);
    }
    put(UARTTDR, 1);
    ck_assert_uint_eq(get(UARTTDR), 0);
}
END_TEST

START_TEST(it_identifies_itself_as_r1p5)
{
    check_identification(uart.device, PL011_PERIPH_ID);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(uart.device, UARTIBRD, 0x100);
    check_bad_accesses(uart.device, UARTIFLS, 0x00c);
    ck_assert_uint_eq(uart.device->ops->read(uart.device, UARTFR, ACCESS_64_BIT), 0);
    uart.device->ops->write(uart.device, UARTDR, ACCESS_64_BIT, 'x');
    ck_assert_uint_eq(uart.console.output_count, 0);
}
END_TEST

START_TEST(bad_accesses_are_logged_at_a_limited_rate)
{
    char text[8192] = {0};
    FILE *file = tmpfile();
    unsigned lines = 0;

    ck_assert_ptr_nonnull(file);
    uart.log.fd = fileno(file);
    uart.log.threshold = LOG_DEBUG;
    for (unsigned i = 0; i < 1000; i++) {
        (void)get(0x200);
    }
    rewind(file);
    (void)fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    for (const char *c = strchr(text, '\n'); c != NULL; c = strchr(c + 1, '\n')) {
        lines++;
    }
    ck_assert_ptr_nonnull(strstr(text, "pl011: 32-bit read at offset 0x200"));
    ck_assert_uint_ge(lines, LOG_BURST);
    ck_assert_uint_lt(lines, LOG_BURST + 10);
}
END_TEST

START_TEST(characters_leave_without_any_setup)
{
    const char *text = "Hello\n";

    for (const char *c = text; *c != '\0'; c++) {
        ck_assert_uint_eq(get(UARTFR) & (FR_TXFF | FR_BUSY), 0);
        uart.device->ops->write(uart.device, UARTDR, ACCESS_8_BIT, (uint8_t)*c);
    }
    ck_assert_str_eq(uart.console.output, text);
}
END_TEST

START_TEST(only_the_data_bits_are_sent)
{
    put(UARTDR, 0xffffff41);
    ck_assert_str_eq(uart.console.output, "A");
}
END_TEST

START_TEST(a_sent_character_raises_the_transmit_interrupt)
{
    pl011_fixture_open(&uart, INT_TX);
    ck_assert(!uart.irq.level); /* not before the first character has left */
    put(UARTDR, 'x');
    ck_assert_uint_eq(get(UARTMIS), INT_TX);
    ck_assert(uart.irq.level);
    put(UARTICR, INT_TX);
    ck_assert_uint_eq(get(UARTRIS), 0);
    ck_assert(!uart.irq.level);
}
END_TEST

START_TEST(a_full_console_is_a_full_fifo)
{
    pl011_fixture_open(&uart, INT_TX);
    put(UARTDR, '1');
    uart.console.full = true;
    put(UARTDR, '2');
    ck_assert_uint_eq(get(UARTFR) & (FR_TXFF | FR_TXFE | FR_BUSY), FR_TXFF | FR_BUSY);
    ck_assert(!uart.irq.level);
    put(UARTDR, '3'); /* a driver may write half a FIFO from its interrupt handler unasked */
    uart.console.full = false;
    put(UARTDR, '4');
    ck_assert_uint_eq(get(UARTFR) & FR_TXFF, FR_TXFF); /* until the console says so */
    fake_console_drain(&uart.console);
    ck_assert_uint_eq(get(UARTFR) & (FR_TXFF | FR_TXFE | FR_BUSY), FR_TXFE);
    ck_assert(uart.irq.level);
    ck_assert_str_eq(uart.console.output, "1234");
}
END_TEST

START_TEST(output_ready_without_waiting_does_nothing)
{
    fake_console_drain(&uart.console);
    ck_assert_uint_eq(get(UARTRIS), 0);
}
END_TEST

START_TEST(a_full_console_stays_full_beyond_a_reset)
{
    uart.console.full = true;
    put(UARTDR, 'x');
    uart.device->ops->reset(uart.device);
    ck_assert_uint_eq(get(UARTFR) & FR_TXFF, FR_TXFF);
    fake_console_drain(&uart.console);
    ck_assert_uint_eq(get(UARTFR) & FR_TXFF, 0);
}
END_TEST

START_TEST(reset_forgets_the_guests_state)
{
    pl011_fixture_open(&uart, INT_INPUT);
    ck_assert_uint_eq(fake_console_type(&uart.console, "lost"), 4);
    ck_assert(uart.irq.level);
    uart.device->ops->reset(uart.device);
    ck_assert(!uart.irq.level);
    check_reset_values();
}
END_TEST

START_TEST(it_describes_itself)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0x9000000), .spi = 1};

    uart.device->ops->describe(uart.device, &writer, &place);
    ck_assert_str_eq(writer.text, "pl011@9000000 { compatible='arm,pl011|arm,primecell'; "
                                  "reg=<9000000 1000>; spi=<1 4>; clocks=<2 2>; "
                                  "clock-names='uartclk|apb_pclk'; } ");
    ck_assert_int_eq(writer.depth, 0);
}
END_TEST

static void check_invariants(void)
{
    uint32_t raw = get(UARTRIS);
    uint32_t mask = get(UARTIMSC);
    uint32_t flags = get(UARTFR);

    if (uart.irq.level != ((raw & mask) != 0) || get(UARTMIS) != (raw & mask)) {
        ck_abort_msg("line %d, RIS %x, IMSC %x", uart.irq.level, raw, mask);
    }
    if ((flags & FR_RXFE) != 0 && (flags & FR_RXFF) != 0) {
        ck_abort_msg("empty and full");
    }
    if ((flags & FR_RXFE) != 0 && (raw & INT_RT) != 0) {
        ck_abort_msg("timeout of an empty FIFO");
    }
    if (((flags & FR_TXFF) != 0) == ((flags & FR_TXFE) != 0) || flags > 0x1ff) {
        ck_abort_msg("flags %x", flags);
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0x9000000;
    size_t typed = 0;

    for (unsigned i = 0; i < 3000000; i++) {
        random_access(uart.device, 0, &state);
        switch (random_next(&state) % 64) {
        case 0:
            typed += fake_console_type(&uart.console, "forty characters are more than a FIFO...");
            break;
        case 1:
            typed += fake_console_type(&uart.console, "x");
            break;
        case 2:
            uart.console.full = true;
            break;
        case 3:
            fake_console_drain(&uart.console);
            break;
        default:
            break;
        }
        if (i % 10007 == 0) {
            uart.device->ops->reset(uart.device);
        }
        check_invariants();
    }
    ck_assert_uint_gt(typed, 0);
    ck_assert_uint_gt(uart.console.resumes, 0);
    ck_assert_uint_gt(uart.irq.rises, 0);
    ck_assert_uint_eq(uart.irq.redundant, 0);
}
END_TEST

static TCase *case_of_registers(void)
{
    TCase *tcase = tcase_create("registers");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_have_their_reset_values);
    tcase_add_test(tcase, registers_keep_the_bits_they_have);
    tcase_add_test(tcase, read_only_registers_ignore_writes);
    tcase_add_test(tcase, it_identifies_itself_as_r1p5);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, bad_accesses_are_logged_at_a_limited_rate);
    tcase_add_test(tcase, reset_forgets_the_guests_state);
    tcase_add_test(tcase, it_describes_itself);
    return tcase;
}

static TCase *case_of_output(void)
{
    TCase *tcase = tcase_create("output");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, characters_leave_without_any_setup);
    tcase_add_test(tcase, only_the_data_bits_are_sent);
    tcase_add_test(tcase, a_sent_character_raises_the_transmit_interrupt);
    tcase_add_test(tcase, a_full_console_is_a_full_fifo);
    tcase_add_test(tcase, output_ready_without_waiting_does_nothing);
    tcase_add_test(tcase, a_full_console_stays_full_beyond_a_reset);
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
    Suite *suite = suite_create("pl011");

    suite_add_tcase(suite, case_of_registers());
    suite_add_tcase(suite, case_of_output());
    suite_add_tcase(suite, case_of_random());
    return suite;
}
