// SPDX-License-Identifier: Apache-2.0
/*
 * The SP805 watchdog as its manual has it (ARM DDI 0270).
 *
 *   (nothing)  its registers, and feeding it
 *   starve     prints STARVE and doesn't feed it, with the CPU busy
 *   sleep      the same with the CPU asleep
 */
#include "primecell.h"

const char guest_name[] = "sp805";

enum {
    WDOG_LOAD = 0x000,
    WDOG_VALUE = 0x004,
    WDOG_CONTROL = 0x008,
    WDOG_INT_CLR = 0x00c,
    WDOG_RIS = 0x010,
    WDOG_MIS = 0x014,
    WDOG_LOCK = 0xc00,
    CONTROL_INTEN = 1 << 0,
    CONTROL_RESEN = 1 << 1,
    LOCK_KEY = 0x1acce551,
};

enum {
    CLOCK_HZ = 24000000,
    LONG = 10 * CLOCK_HZ, /* nobody is that late */
    SHORT = CLOCK_HZ / 50,
    MEALS = 5,
    SOON_MS = 5000,
    QUIET_US = 2000,
};

static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile uint32_t mis;
} seen;

static uint32_t wdog_read(uint64_t offset)
{
    return read32(machine.watchdog + offset);
}

static void wdog_write(uint64_t offset, uint32_t value)
{
    write32(machine.watchdog + offset, value);
}

static void on_interrupt(uint32_t intid)
{
    seen.intid = intid;
    seen.mis = wdog_read(WDOG_MIS);
    wdog_write(WDOG_INT_CLR, 1);
    seen.interrupts = seen.interrupts + 1;
}

static bool has_interrupts(void *context)
{
    return seen.interrupts >= *(const uint32_t *)context;
}

static void check_registers(void)
{
    CHECK_EQ(wdog_read(WDOG_LOAD), UINT32_MAX);
    CHECK_EQ(wdog_read(WDOG_VALUE), UINT32_MAX);
    CHECK_EQ(wdog_read(WDOG_CONTROL), 0);
    CHECK_EQ(wdog_read(WDOG_RIS), 0);
    CHECK_EQ(wdog_read(WDOG_LOCK), 0);
}

static void check_lock(void)
{
    wdog_write(WDOG_LOCK, 1);
    CHECK_EQ(wdog_read(WDOG_LOCK), 1);
    wdog_write(WDOG_LOAD, 5);
    wdog_write(WDOG_CONTROL, CONTROL_INTEN);
    CHECK_EQ(wdog_read(WDOG_LOAD), UINT32_MAX);
    CHECK_EQ(wdog_read(WDOG_CONTROL), 0);
    wdog_write(WDOG_LOCK, LOCK_KEY);
    CHECK_EQ(wdog_read(WDOG_LOCK), 0);
}

/* The interrupt comes before the bite, and whoever answers it is not bitten. */
static void check_feeding(void)
{
    uint32_t meals = MEALS;

    wdog_write(WDOG_LOAD, SHORT);
    wdog_write(WDOG_CONTROL, CONTROL_INTEN);
    CHECK(wait_until(has_interrupts, &meals, SOON_MS));
    CHECK_EQ(seen.intid, machine.watchdog_intid);
    CHECK_EQ(seen.mis, 1);
    wdog_write(WDOG_CONTROL, 0);
    uint32_t value = wdog_read(WDOG_VALUE);
    spin_microseconds(QUIET_US);
    CHECK_EQ(wdog_read(WDOG_VALUE), value);
    wdog_write(WDOG_LOAD, LONG);
    wdog_write(WDOG_CONTROL, CONTROL_INTEN | CONTROL_RESEN);
    spin_microseconds(QUIET_US);
    CHECK(wdog_read(WDOG_VALUE) < LONG);
    wdog_write(WDOG_CONTROL, 0);
}

static _Noreturn void starve(bool asleep)
{
    check_registers();
    print("STARVE\n");
    wdog_write(WDOG_LOAD, SHORT);
    wdog_write(WDOG_CONTROL, CONTROL_INTEN | CONTROL_RESEN);
    wdog_write(WDOG_LOCK, 0);
    for (;;)
        if (asleep)
            __asm__ volatile("wfi" : : : "memory");
}

void guest_main(void)
{
    if (bootargs_has("starve") || bootargs_has("sleep"))
        starve(bootargs_has("sleep"));
    check_primecell_ids(machine.watchdog, 0x805);
    check_registers();
    check_lock();
    gic_init(on_interrupt);
    gic_set_edge(machine.watchdog_intid, false);
    gic_enable(machine.watchdog_intid);
    interrupts_unmask();
    check_feeding();
    interrupts_mask();
}
