// SPDX-License-Identifier: Apache-2.0
/* The GPIO controller: data and directions, each kind of interrupt, and the power key. */
#include <check.h>
#include <string.h>

#include "armlet/log.h"
#include "devices/pl061.h"
#include "fake_fdt_writer.h"
#include "fake_irq.h"
#include "primecell_checks.h"

Suite *unit_suite(void);

enum {
    GPIODATA_ALL = 0x3fc,
    GPIODIR = 0x400,
    GPIOIS = 0x404,
    GPIOIBE = 0x408,
    GPIOIEV = 0x40c,
    GPIOIE = 0x410,
    GPIORIS = 0x414,
    GPIOMIS = 0x418,
    GPIOIC = 0x41c,
    GPIOAFSEL = 0x420,
};

struct gpio {
    struct fake_irq irq;
    struct log log;
    struct device *device;
};

static struct gpio gpio;

static uint32_t get(uint64_t offset)
{
    return device_read32(gpio.device, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    device_write32(gpio.device, offset, value);
}

/* The offset of GPIODATA for some lines only. */
static uint64_t data_of(uint32_t lines)
{
    return (uint64_t)lines << 2;
}

static void set(unsigned line, bool level)
{
    pl061_set_input(gpio.device, line, level);
}

static void setup(void)
{
    struct error error = {0};
    struct device_resources resources = {.irq = &gpio.irq.line, .log = &gpio.log};

    memset(&gpio, 0, sizeof(gpio));
    gpio.log.fd = -1;
    fake_irq_init(&gpio.irq);
    gpio.device = find_device_class("pl061")->create(&resources, &error);
    ck_assert_ptr_nonnull(gpio.device);
}

static void teardown(void)
{
    gpio.device->ops->destroy(gpio.device);
}

START_TEST(registers_are_zero_after_reset)
{
    for (uint64_t offset = 0; offset < 0xfe0; offset += 4) {
        ck_assert_uint_eq(get(offset), 0);
    }
    ck_assert(!gpio.irq.level);
    ck_assert_uint_eq(gpio.device->size_bytes, 0x1000);
}
END_TEST

START_TEST(it_identifies_itself)
{
    check_identification(gpio.device, 0x00041061);
}
END_TEST

START_TEST(bad_accesses_do_nothing)
{
    check_bad_accesses(gpio.device, GPIOIBE, 0x424);
    check_bad_accesses(gpio.device, GPIODIR, 0x500);
}
END_TEST

START_TEST(registers_keep_eight_bits)
{
    static const uint64_t offsets[] = {GPIODIR, GPIOIS, GPIOIBE, GPIOIEV, GPIOIE, GPIOAFSEL};

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        put(offsets[i], 0xffffff5a);
        ck_assert_uint_eq(get(offsets[i]), 0x5a);
        gpio.device->ops->write(gpio.device, offsets[i], ACCESS_8_BIT, 0xa5);
        ck_assert_uint_eq(get(offsets[i]), 0xa5);
    }
}
END_TEST

START_TEST(status_and_test_registers_ignore_writes)
{
    static const uint64_t offsets[] = {GPIORIS, GPIOMIS, 0x600, 0x604, 0x608, 0x60c, 0x610, 0x614};

    put(GPIOIE, 0xff);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        put(offsets[i], 0xff);
        ck_assert_uint_eq(get(offsets[i]), 0);
    }
}
END_TEST

START_TEST(data_is_masked_by_the_address)
{
    put(GPIODIR, 0xff);
    put(data_of(0x0f), 0xff);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x0f);
    put(data_of(0x81), 0x80);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x8e);
    ck_assert_uint_eq(get(data_of(0x88)), 0x88);
    ck_assert_uint_eq(get(data_of(0x00)), 0);
}
END_TEST

START_TEST(inputs_show_what_drives_them)
{
    put(GPIODIR, 0x0f);
    put(GPIODATA_ALL, 0xff); /* no effect on inputs */
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x0f);
    set(2, true);
    set(7, true);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x8f);
    put(GPIODATA_ALL, 0);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x80);
    put(GPIODIR, 0);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x84);
    set(7, false);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0x04);
}
END_TEST

START_TEST(an_output_is_written_after_its_direction)
{
    put(GPIODATA_ALL, 0xff);
    put(GPIODIR, 0xff);
    ck_assert_uint_eq(get(GPIODATA_ALL), 0);
}
END_TEST

START_TEST(a_rising_edge_is_kept_until_cleared)
{
    put(GPIOIEV, 0x08);
    put(GPIOIE, 0x08);
    set(3, true);
    ck_assert_uint_eq(get(GPIORIS), 0x08);
    ck_assert_uint_eq(get(GPIOMIS), 0x08);
    ck_assert(gpio.irq.level);
    set(3, false);
    ck_assert(gpio.irq.level);
    put(GPIOIC, 0xf7);
    ck_assert(gpio.irq.level);
    put(GPIOIC, 0x08);
    ck_assert(!gpio.irq.level);
    set(3, false); /* no edge */
    ck_assert_uint_eq(get(GPIORIS), 0);
}
END_TEST

START_TEST(a_falling_edge_is_the_default)
{
    put(GPIOIE, 0x01);
    set(0, true);
    ck_assert_uint_eq(get(GPIORIS), 0);
    set(0, false);
    ck_assert_uint_eq(get(GPIORIS), 0x01);
    ck_assert(gpio.irq.level);
}
END_TEST

START_TEST(both_edges_count_where_asked_for)
{
    put(GPIOIBE, 0x20);
    put(GPIOIE, 0xff);
    set(5, true);
    ck_assert_uint_eq(get(GPIOMIS), 0x20);
    put(GPIOIC, 0x20);
    set(5, false);
    ck_assert_uint_eq(get(GPIOMIS), 0x20);
    ck_assert_uint_eq(gpio.irq.rises, 2);
}
END_TEST

START_TEST(a_level_lasts_as_long_as_the_line)
{
    put(GPIOIS, 0x42);
    put(GPIOIEV, 0x40);
    put(GPIOIE, 0x40);
    ck_assert_uint_eq(get(GPIORIS), 0x02); /* line 1 is low, and masked */
    ck_assert(!gpio.irq.level);
    set(6, true);
    ck_assert(gpio.irq.level);
    put(GPIOIC, 0xff);
    ck_assert(gpio.irq.level);
    set(6, false);
    ck_assert(!gpio.irq.level);
    put(GPIOIE, 0x42);
    ck_assert_uint_eq(get(GPIOMIS), 0x02);
    set(1, true);
    ck_assert(!gpio.irq.level);
}
END_TEST

START_TEST(a_masked_edge_shows_when_unmasked)
{
    put(GPIOIEV, 0x10);
    set(4, true);
    ck_assert(!gpio.irq.level);
    ck_assert_uint_eq(get(GPIORIS), 0x10);
    ck_assert_uint_eq(get(GPIOMIS), 0);
    put(GPIOIE, 0x10);
    ck_assert(gpio.irq.level);
}
END_TEST

START_TEST(edges_are_forgotten_when_a_line_becomes_level_sensitive)
{
    put(GPIOIEV, 0x01);
    set(0, true);
    ck_assert_uint_eq(get(GPIORIS), 0x01);
    put(GPIOIS, 0x01);
    set(0, false);
    put(GPIOIS, 0);
    ck_assert_uint_eq(get(GPIORIS), 0);
}
END_TEST

START_TEST(outputs_raise_no_interrupt)
{
    put(GPIODIR, 0x03);
    put(GPIOIEV, 0x03);
    put(GPIOIS, 0x02);
    put(GPIOIE, 0x03);
    set(0, true);
    set(1, true);
    put(GPIODATA_ALL, 0x03);
    ck_assert(!gpio.irq.level);
    ck_assert_uint_eq(get(GPIORIS), 0);
}
END_TEST

START_TEST(reset_keeps_what_drives_the_inputs)
{
    put(GPIOIBE, 0xff);
    put(GPIOIE, 0xff);
    set(PL061_POWER_KEY_LINE, true);
    ck_assert(gpio.irq.level);
    gpio.device->ops->reset(gpio.device);
    ck_assert(!gpio.irq.level);
    ck_assert_uint_eq(get(GPIORIS), 0);
    ck_assert_uint_eq(get(GPIODATA_ALL), 1U << PL061_POWER_KEY_LINE);
}
END_TEST

START_TEST(it_describes_itself_and_the_power_key)
{
    struct fdt_writer writer = {0};
    struct device_place place = {.base = GPA(0x9030000), .spi = 7};

    gpio.device->ops->describe(gpio.device, &writer, &place);
    ck_assert_str_eq(writer.text,
                     "pl061@9030000 { compatible='arm,pl061|arm,primecell'; "
                     "reg=<9030000 1000>; spi=<7 4>; clocks=<2>; clock-names='apb_pclk'; "
                     "gpio-controller; #gpio-cells=<2>; phandle=<4>; } "
                     "gpio-keys { compatible='gpio-keys'; poweroff { "
                     "label='GPIO Key Poweroff'; linux,code=<74>; gpios=<4 3 0>; } } ");
    ck_assert_int_eq(writer.depth, 0);
}
END_TEST

static void check_invariants(uint32_t inputs)
{
    uint32_t raw = get(GPIORIS);
    uint32_t mask = get(GPIOIE);
    uint32_t direction = get(GPIODIR);

    if (get(GPIOMIS) != (raw & mask) || gpio.irq.level != ((raw & mask) != 0)) {
        ck_abort_msg("line %d, RIS %x, IE %x", gpio.irq.level, raw, mask);
    }
    if (((get(GPIODATA_ALL) ^ inputs) & ~direction) != 0) {
        ck_abort_msg("data %x, inputs %x", get(GPIODATA_ALL), inputs);
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0x9030000;
    uint32_t inputs = 0;

    for (unsigned i = 0; i < 3000000; i++) {
        uint64_t choice = random_next(&state);
        unsigned line = choice >> 8 & 7;

        random_access(gpio.device, GPIODIR, &state);
        if (choice % 4 == 0) {
            bool level = (choice >> 16 & 1) != 0;

            set(line, level);
            inputs = (inputs & ~(1U << line)) | (level ? 1U << line : 0);
        }
        if (choice % 10007 == 0) {
            gpio.device->ops->reset(gpio.device);
        }
        check_invariants(inputs);
    }
    ck_assert_uint_gt(gpio.irq.rises, 0);
    ck_assert_uint_eq(gpio.irq.redundant, 0);
}
END_TEST

static TCase *case_of_registers(void)
{
    TCase *tcase = tcase_create("registers");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, registers_are_zero_after_reset);
    tcase_add_test(tcase, it_identifies_itself);
    tcase_add_test(tcase, bad_accesses_do_nothing);
    tcase_add_test(tcase, registers_keep_eight_bits);
    tcase_add_test(tcase, status_and_test_registers_ignore_writes);
    tcase_add_test(tcase, data_is_masked_by_the_address);
    tcase_add_test(tcase, inputs_show_what_drives_them);
    tcase_add_test(tcase, an_output_is_written_after_its_direction);
    tcase_add_test(tcase, reset_keeps_what_drives_the_inputs);
    tcase_add_test(tcase, it_describes_itself_and_the_power_key);
    return tcase;
}

static TCase *case_of_interrupts(void)
{
    TCase *tcase = tcase_create("interrupts");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_rising_edge_is_kept_until_cleared);
    tcase_add_test(tcase, a_falling_edge_is_the_default);
    tcase_add_test(tcase, both_edges_count_where_asked_for);
    tcase_add_test(tcase, a_level_lasts_as_long_as_the_line);
    tcase_add_test(tcase, a_masked_edge_shows_when_unmasked);
    tcase_add_test(tcase, edges_are_forgotten_when_a_line_becomes_level_sensitive);
    tcase_add_test(tcase, outputs_raise_no_interrupt);
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
    Suite *suite = suite_create("pl061");

    suite_add_tcase(suite, case_of_registers());
    suite_add_tcase(suite, case_of_interrupts());
    suite_add_tcase(suite, case_of_random());
    return suite;
}
