// SPDX-License-Identifier: Apache-2.0
/*
 * The guest that is built into armlet: it shows the machine that it found, lets the timer interrupt
 * a few times, and says how to boot a kernel.
 */
#include "guest.h"

#include "../src/doctor_cpu_models.h"

const char guest_name[] = "info";

enum {
    CPUS_SHOWN = 8,
    CPU_START_MS = 2000,
    TICKS = 5,
    TICKS_PER_SECOND = 10,
    TICK_LATEST_MS = 2000,
    MIB_SHIFT = 20,
    GIB_SHIFT = 30,
    RTCDR = 0x000, /* PrimeCell RTC (PL031), seconds since 1970 */
};

/* ---- text: lines end as a terminal in raw mode needs it ---- */

/* Eight digits at least, so that addresses stand below each other. */
static void print_address(uint64_t address)
{
    print("0x");
    for (uint64_t first = 0x10000000; first > 1 && first > address; first >>= 4)
        print_char('0');
    print("%lx", address);
}

static void print_label(const char *label)
{
    const uint32_t columns = 12;
    uint32_t column = 0;

    print("  ");
    for (; label[column] != '\0'; column++)
        print_char(label[column]);
    for (; column < columns; column++)
        print_char(' ');
}

static void print_two_digits(uint32_t number)
{
    print("%s%u", number < 10 ? "0" : "", number);
}

/* ---- CPUs ---- */

static struct {
    uint64_t midr;
    bool on;
} cpus[GUEST_MAX_CPUS];

static void note_cpu(uint32_t index)
{
    cpus[index].midr = READ_SYSREG(midr_el1);
    __atomic_store_n(&cpus[index].on, true, __ATOMIC_RELEASE);
}

static bool cpu_is_on(void *context)
{
    const bool *on = context;

    return __atomic_load_n(on, __ATOMIC_ACQUIRE);
}

/* Starts each CPU, so that those shown are known to work; returns how many came. */
static uint32_t start_cpus(void)
{
    uint32_t count = 0;

    note_cpu(cpu_index());
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (i == cpu_index() ||
            (cpu_start(i, note_cpu) == 0 && wait_until(cpu_is_on, &cpus[i].on, CPU_START_MS)))
            count++;
    return count;
}

/* The fields of MIDR_EL1 (DDI0487, D19.2). */
static void print_model(uint64_t midr)
{
    uint32_t implementer = (uint32_t)(midr >> 24) & 0xff;
    uint32_t variant = (uint32_t)(midr >> 20) & 0xf;
    uint32_t part = (uint32_t)(midr >> 4) & 0xfff;
    uint32_t revision = (uint32_t)midr & 0xf;
    const char *name = cpu_model_name(implementer, part);

    if (name)
        print("%s", name);
    else
        print("implementer 0x%x part 0x%x", implementer, part);
    print(" r%up%u", variant, revision);
}

static void show_cpus(void)
{
    uint32_t on = start_cpus();
    uint32_t shown = machine.cpu_count < CPUS_SHOWN ? machine.cpu_count : CPUS_SHOWN;

    print_label("CPUs");
    print("%u at EL%lu", machine.cpu_count, READ_SYSREG(currentel) >> 2);
    if (on != machine.cpu_count)
        print(", only %u started", on);
    print("\n");
    for (uint32_t i = 0; i < shown; i++) {
        print_label("");
        print("MPIDR 0x%lx  ", machine.cpu_mpidr[i]);
        if (cpus[i].on)
            print_model(cpus[i].midr);
        else
            print("did not start");
        print("\n");
    }
    if (shown < machine.cpu_count) {
        print_label("");
        print("... and %u more\n", machine.cpu_count - shown);
    }
}

/* ---- memory and devices ---- */

static void show_memory(void)
{
    print_label("Memory");
    if (machine.memory_bytes & ((1ULL << GIB_SHIFT) - 1))
        print("%lu MiB at ", machine.memory_bytes >> MIB_SHIFT);
    else
        print("%lu GiB at ", machine.memory_bytes >> GIB_SHIFT);
    print_address(machine.memory_base);
    print("\n");
}

static void print_part(const char *name, uint64_t address)
{
    if (address == 0)
        return;
    print(", %s ", name);
    print_address(address);
}

static void show_gic(void)
{
    print_label("Interrupts");
    if (machine.gicd == 0) {
        print("none\n");
        return;
    }
    print("GICv%u", machine.gic_version);
    print_part("distributor", machine.gicd);
    if (machine.gic_version == 2)
        print_part("CPU interface", machine.gicc);
    else
        print_part("redistributors", machine.gicr);
    print_part("ITS", machine.its);
    print("\n");
}

static void show_device(const char *label, const char *part, uint64_t address, uint32_t intid)
{
    if (address == 0)
        return;
    print_label(label);
    print("%s at ", part);
    print_address(address);
    print(", INTID %u\n", intid);
}

enum { FIRST_YEAR = 1970 };

static uint32_t month_days(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    enum { FEBRUARY = 1 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == FEBRUARY && leap ? 29 : days[month];
}

static void show_date(uint32_t now)
{
    enum { DAY_SECONDS = 86400, HOUR_SECONDS = 3600, MINUTE_SECONDS = 60, MONTHS = 12 };
    uint32_t days = now / DAY_SECONDS;
    uint32_t seconds = now % DAY_SECONDS;
    uint32_t months = 0; /* since January 1970 */

    for (; days >= month_days(FIRST_YEAR + months / MONTHS, months % MONTHS); months++)
        days -= month_days(FIRST_YEAR + months / MONTHS, months % MONTHS);
    print_label("Date");
    print("%u-", FIRST_YEAR + months / MONTHS);
    print_two_digits(months % MONTHS + 1);
    print("-");
    print_two_digits(days + 1);
    print(" ");
    print_two_digits(seconds / HOUR_SECONDS);
    print(":");
    print_two_digits(seconds % HOUR_SECONDS / MINUTE_SECONDS);
    print(":");
    print_two_digits(seconds % MINUTE_SECONDS);
    print(" UTC\n");
}

static void show_firmware(void)
{
    uint32_t version = (uint32_t)psci_call(PSCI_FN_VERSION, 0, 0, 0);

    print_label("Firmware");
    print("PSCI %u.%u by %s\n", version >> 16, version & 0xffff, machine.psci_hvc ? "HVC" : "SMC");
}

/* ---- the timer ---- */

enum { CNTV_CTL_ENABLE = 1 << 0 };

static volatile uint32_t ticks_seen;

static void on_interrupt(uint32_t intid)
{
    if (intid != machine.virtual_timer_intid)
        return;
    ticks_seen = ticks_seen + 1;
    WRITE_SYSREG(cntv_cval_el0, READ_SYSREG(cntv_cval_el0) + ticks_per_second() / TICKS_PER_SECOND);
}

static bool has_ticked(void *context)
{
    const uint32_t *before = context;

    return ticks_seen > *before;
}

static void show_ticks(void)
{
    uint32_t seen = 0;

    print_label("Timer");
    print("%lu Hz, INTID %u virtual, %u physical\n", ticks_per_second(),
          machine.virtual_timer_intid, machine.physical_timer_intid);
    if (machine.gicd == 0 || machine.virtual_timer_intid == 0)
        return;
    gic_init(on_interrupt);
    gic_enable(machine.virtual_timer_intid);
    print_label("Ticks");
    WRITE_SYSREG(cntv_cval_el0, ticks_now() + ticks_per_second() / TICKS_PER_SECOND);
    WRITE_SYSREG(cntv_ctl_el0, CNTV_CTL_ENABLE);
    interrupts_unmask();
    for (; seen < TICKS && wait_until(has_ticked, &seen, TICK_LATEST_MS); seen++)
        print("%u ", seen + 1);
    interrupts_mask();
    WRITE_SYSREG(cntv_ctl_el0, 0);
    gic_disable(machine.virtual_timer_intid);
    print(seen == TICKS ? "interrupts, 100 ms apart\n" : "and no more: interrupts don't come\n");
}

void guest_main(void)
{
    print("\nThis is armlet's built-in guest. It runs on this machine:\n\n");
    show_cpus();
    show_memory();
    show_gic();
    show_device("Console", "PL011", machine.uart, machine.uart_intid);
    show_device("Clock", "PL031", machine.rtc, machine.rtc_intid);
    if (machine.rtc != 0)
        show_date(read32(machine.rtc + RTCDR));
    show_device("GPIO", "PL061", machine.gpio, machine.gpio_intid);
    show_firmware();
    show_ticks();
    print("\nTo boot a kernel: armlet run -k Image [-i initrd] [-c 4] [-m 2G]\n");
    power_off();
}
