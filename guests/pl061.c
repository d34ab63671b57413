// SPDX-License-Identifier: Apache-2.0
/*
 * The PL061 GPIO controller as its manual has it (ARM DDI 0190B), with all inputs low. With
 * "powerkey", the key on line 3 is waited for.
 */
#include "primecell.h"

const char guest_name[] = "pl061";

enum {
    GPIODATA = 0x000, /* address bits [9:2] select lines */
    GPIODIR = 0x400,
    GPIOIS = 0x404,
    GPIOIBE = 0x408,
    GPIOIEV = 0x40c,
    GPIOIE = 0x410,
    GPIORIS = 0x414,
    GPIOMIS = 0x418,
    GPIOIC = 0x41c,
    GPIOAFSEL = 0x420,
    GPIODATA_MASK_SHIFT = 2,
};

enum {
    ALL_LINES = 0xff,
    LINE_COUNT = 8,
    POWER_KEY = 1 << 3,
    SOON_MS = 1000,
    KEY_MS = 30000,
    QUIET_US = 2000,
};

static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile uint32_t ris, mis;
} seen;

static uint32_t gpio_read(uint64_t offset)
{
    return read32(machine.gpio + offset);
}

static void gpio_write(uint64_t offset, uint32_t value)
{
    write32(machine.gpio + offset, value);
}

static uint64_t data_of(uint32_t lines)
{
    return GPIODATA + ((uint64_t)lines << GPIODATA_MASK_SHIFT);
}

/* ---- registers and data ---- */

static void check_registers(void)
{
    CHECK_EQ(gpio_read(GPIORIS), 0);
    CHECK_EQ(gpio_read(GPIOMIS), 0);
    for (uint64_t offset = GPIODIR; offset <= GPIOAFSEL; offset += 4) {
        if (offset >= GPIORIS && offset <= GPIOIC)
            continue;
        CHECK_EQ(gpio_read(offset), 0);
        gpio_write(offset, 0xa5a5a5a5);
        CHECK_EQ(gpio_read(offset), 0xa5);
        gpio_write(offset, 0);
        CHECK_EQ(gpio_read(offset), 0);
    }
    gpio_write(GPIORIS, ALL_LINES); /* read only */
    CHECK_EQ(gpio_read(GPIORIS), 0);
    CHECK_EQ(gpio_read(GPIOIC), 0); /* write only */
}

/* Only outputs take what is written, and only where the address says so. */
static void check_data(void)
{
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0);
    gpio_write(data_of(ALL_LINES), ALL_LINES);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0);

    gpio_write(GPIODIR, ALL_LINES);
    gpio_write(data_of(ALL_LINES), 0x5a);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0x5a);
    CHECK_EQ(gpio_read(data_of(0x0f)), 0x0a);
    CHECK_EQ(gpio_read(data_of(0)), 0);
    gpio_write(data_of(0x0f), ALL_LINES);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0x5f);
    gpio_write(data_of(0), 0);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0x5f);
    for (uint32_t line = 0; line < LINE_COUNT; line++) {
        gpio_write(data_of(1U << line), 0);
        CHECK_EQ(gpio_read(data_of(1U << line)), 0);
        gpio_write(data_of(1U << line), ALL_LINES);
        CHECK_EQ(gpio_read(data_of(1U << line)), 1U << line);
    }

    gpio_write(GPIODIR, 0x3c);
    gpio_write(data_of(ALL_LINES), ALL_LINES);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0x3c);
    gpio_write(data_of(ALL_LINES), 0);
    gpio_write(GPIODIR, 0);
    CHECK_EQ(gpio_read(data_of(ALL_LINES)), 0);
}

/* ---- interrupts ---- */

static void on_interrupt(uint32_t intid)
{
    seen.intid = intid;
    seen.ris = gpio_read(GPIORIS);
    seen.mis = gpio_read(GPIOMIS);
    gpio_write(GPIOIE, 0);
    seen.interrupts = seen.interrupts + 1;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return seen.interrupts != 0;
}

static void accept_interrupts(void)
{
    gic_init(on_interrupt);
    gic_set_edge(machine.gpio_intid, false);
    gic_enable(machine.gpio_intid);
    interrupts_unmask();
}

/* Low inputs match a low level for as long as they are low, whatever is cleared. */
static void check_levels(void)
{
    const uint32_t lines = 0x81;

    gpio_write(GPIOIEV, lines);
    gpio_write(GPIOIS, lines);
    CHECK_EQ(gpio_read(GPIORIS), 0);
    gpio_write(GPIOIEV, 0);
    CHECK_EQ(gpio_read(GPIORIS), lines);
    CHECK_EQ(gpio_read(GPIOMIS), 0);
    gpio_write(GPIOIC, ALL_LINES);
    CHECK_EQ(gpio_read(GPIORIS), lines);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 0);

    gpio_write(GPIOIE, 0x80);
    CHECK(wait_until(is_interrupted, NULL, SOON_MS));
    CHECK_EQ(seen.interrupts, 1);
    CHECK_EQ(seen.intid, machine.gpio_intid);
    CHECK_EQ(seen.ris, lines);
    CHECK_EQ(seen.mis, 0x80);
    gpio_write(GPIOIEV, ALL_LINES);
    CHECK_EQ(gpio_read(GPIORIS), 0);
}

/* Lines that don't move have no edges, of any kind. */
static void check_no_edges(void)
{
    gpio_write(GPIOIS, 0);
    gpio_write(GPIOIC, ALL_LINES);
    seen.interrupts = 0;
    gpio_write(GPIOIE, ALL_LINES);
    gpio_write(GPIOIBE, ALL_LINES);
    gpio_write(GPIOIEV, 0);
    gpio_write(GPIOIBE, 0);
    gpio_write(GPIOIEV, ALL_LINES);
    CHECK_EQ(gpio_read(GPIORIS), 0);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 0);
    gpio_write(GPIOIE, 0);
}

/* ---- the power key ---- */

static void wait_for_power_key(void)
{
    gpio_write(GPIOIEV, POWER_KEY);
    gpio_write(GPIOIC, ALL_LINES);
    gpio_write(GPIOIE, POWER_KEY);
    accept_interrupts();
    print("READY\n");
    CHECK(wait_until(is_interrupted, NULL, KEY_MS));
    interrupts_mask();
    CHECK_EQ(seen.intid, machine.gpio_intid);
    CHECK_EQ(seen.mis, POWER_KEY);
    CHECK_EQ(gpio_read(GPIORIS), POWER_KEY); /* an edge stays until it is cleared */
    gpio_write(GPIOIC, POWER_KEY);
    CHECK_EQ(gpio_read(GPIORIS), 0);
    if (failed_checks() == 0)
        print("POWERKEY\n");
}

void guest_main(void)
{
    if (bootargs_has("powerkey")) {
        wait_for_power_key();
        return;
    }
    check_primecell_ids(machine.gpio, 0x061);
    check_registers();
    check_data();
    accept_interrupts();
    check_levels();
    check_no_edges();
    interrupts_mask();
}
