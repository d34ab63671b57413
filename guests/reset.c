// SPDX-License-Identifier: Apache-2.0
/*
 * SYSTEM_RESET: the machine starts again as it was, but for the contents of its memory. The first
 * boot leaves everything in disorder, the second one looks whether it was tidied up. With
 * "reset-forever", each boot resets. With "qemu-tcg", the UART and the clock are not looked at
 * after the reset: QEMU 7.2 does not reset them.
 */
#include "gic_registers.h"
#include "its.h"

const char guest_name[] = "reset";

/* What outlives a reset, in memory that nothing is loaded into. */
struct record {
    uint64_t magic;
    uint32_t boots;
    uint32_t time; /* RTCDR in the first boot */
};
static const uint64_t RECORD_MAGIC = 0x61726d6c65742d52;

struct reset_value {
    uint32_t offset;
    uint32_t value;
    uint32_t odd_value; /* what the first boot leaves there */
};

/* PrimeCell UART (PL011), table 3-1. */
enum {
    UARTDR = 0x000,
    UARTFR = 0x018,
    UARTILPR = 0x020,
    UARTIBRD = 0x024,
    UARTFBRD = 0x028,
    UARTLCR_H = 0x02c,
    UARTCR = 0x030,
    UARTIFLS = 0x034,
    UARTIMSC = 0x038,
    UARTRIS = 0x03c,
    UARTDMACR = 0x048,
    UARTFR_BUSY = 1 << 3,
    UARTFR_RXFE = 1 << 4,
    UARTCR_RESET = 0x300,
    UARTCR_LOOPBACK = 0x381, /* RXE, TXE, LBE, UARTEN */
    UARTIFLS_RESET = 0x12,
    UARTIMSC_ALL = 0x7ff,
    UARTRIS_IN_OUT = 3 << 4, /* RXRIS, TXRIS */
};

static const struct reset_value uart_values[] = {
    {UARTILPR, 0, 0x55},
    {UARTIBRD, 0, 0x1234},
    {UARTFBRD, 0, 0x2a},
    {UARTLCR_H, 0, 0x70},
    {UARTCR, UARTCR_RESET, UARTCR_LOOPBACK},
    {UARTIFLS, UARTIFLS_RESET, 0x24},
    {UARTIMSC, 0, UARTIMSC_ALL},
    {UARTDMACR, 0, 7},
};

/* PrimeCell RTC (PL031), table 3-1. */
enum { RTCDR = 0x000, RTCMR = 0x004, RTCLR = 0x008, RTCIMSC = 0x010 };
enum { ODD_TIME = 12345, RESET_TAKES_S = 600 };

static const struct reset_value rtc_values[] = {{RTCMR, 0, ODD_TIME + 1}, {RTCIMSC, 0, 1}};

/* PrimeCell GPIO (PL061), table 3-1. */
enum {
    GPIODIR = 0x400,
    GPIOIS = 0x404,
    GPIOIBE = 0x408,
    GPIOIEV = 0x40c,
    GPIOIE = 0x410,
    GPIOAFSEL = 0x420,
};

static const struct reset_value gpio_values[] = {
    {GPIODIR, 0, 0x81}, {GPIOIS, 0, 0x42}, {GPIOIBE, 0, 0x24},
    {GPIOIEV, 0, 0x18}, {GPIOIE, 0, 0xff}, {GPIOAFSEL, 0, 0x3c},
};

#define CHECK_RESET(base, values) check_reset(base, values, sizeof(values) / sizeof((values)[0]))
#define DISORDER(base, values)    disorder(base, values, sizeof(values) / sizeof((values)[0]))

enum { SGI = 1, SOON_MS = 5000, TIMER_ENABLE = 1 };
#define PRIVATE_PERIPHERALS (~0U << GIC_FIRST_PPI)

static void check_word(uint64_t address, uint32_t expected)
{
    uint32_t value = read32(address);

    if (value != expected)
        print("register at 0x%lx:\n", address);
    CHECK_EQ(value, expected);
}

static void check_reset(uint64_t base, const struct reset_value *values, size_t count)
{
    for (size_t i = 0; base != 0 && i < count; i++)
        check_word(base + values[i].offset, values[i].value);
}

static void disorder(uint64_t base, const struct reset_value *values, size_t count)
{
    for (size_t i = 0; base != 0 && i < count; i++)
        write32(base + values[i].offset, values[i].odd_value);
}

/* ---- devices ---- */

/* Before anything is printed. */
static void check_uart(void)
{
    uint32_t raw;
    uint32_t flags;

    if (machine.uart == 0)
        return;
    raw = read32(machine.uart + UARTRIS);
    flags = read32(machine.uart + UARTFR);
    CHECK_EQ(raw & UARTRIS_IN_OUT, 0);
    CHECK_EQ(flags & UARTFR_RXFE, UARTFR_RXFE);
    CHECK_RESET(machine.uart, uart_values);
}

static bool is_uart_idle(void *context)
{
    (void)context;
    return (read32(machine.uart + UARTFR) & UARTFR_BUSY) == 0;
}

/* Nothing can be printed from here on: what is sent comes back as input. */
static void disorder_uart(void)
{
    if (machine.uart == 0)
        return;
    CHECK(wait_until(is_uart_idle, NULL, SOON_MS));
    DISORDER(machine.uart, uart_values);
    write32(machine.uart + UARTDR, 'x');
}

static void check_rtc(const struct record *record)
{
    CHECK_RESET(machine.rtc, rtc_values);
    if (machine.rtc && record->boots > 1)
        CHECK(read32(machine.rtc + RTCDR) - record->time < RESET_TAKES_S);
}

static void disorder_rtc(struct record *record)
{
    if (machine.rtc == 0)
        return;
    record->time = read32(machine.rtc + RTCDR);
    write32(machine.rtc + RTCLR, ODD_TIME);
    DISORDER(machine.rtc, rtc_values);
}

/* For the interrupt controller to be clean. */
static void silence_devices(void)
{
    if (machine.uart)
        write32(machine.uart + UARTIMSC, 0);
    if (machine.rtc)
        write32(machine.rtc + RTCIMSC, 0);
}

/* ---- the interrupt controller, the timers, the other CPUs ---- */

static void check_words(uint64_t base, uint32_t offset, uint32_t first_intid, uint32_t end_intid)
{
    for (uint32_t i = first_intid; i < end_intid; i += GIC_INTIDS_PER_WORD)
        check_word(base + offset + i / GIC_INTIDS_PER_WORD * sizeof(uint32_t), 0);
}

static void check_spis(void)
{
    static const uint32_t offsets[] = {GICD_ISENABLER, GICD_ISPENDR, GICD_ISACTIVER};
    uint32_t end = gic_intid_count();

    CHECK_EQ(read32(machine.gicd + GICD_CTLR) & (GICD_CTLR_ENABLE | GICD_CTLR_ENABLE_GRP1A), 0);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        check_words(machine.gicd, offsets[i], GIC_FIRST_SPI, end);
    for (uint32_t intid = GIC_FIRST_SPI; intid < end; intid += sizeof(uint32_t))
        check_word(machine.gicd + GICD_IPRIORITYR + intid, 0);
}

/* SGIs may be enabled forever, and of those of GICv2 the targets are their own. */
static void check_private_interrupts(uint64_t base)
{
    CHECK_EQ(read32(base + GICD_ISENABLER) & PRIVATE_PERIPHERALS, 0);
    check_word(base + GICD_ISPENDR, 0);
    check_word(base + GICD_ISACTIVER, 0);
    for (uint32_t intid = 0; intid < GIC_FIRST_SPI; intid += sizeof(uint32_t))
        check_word(base + GICD_IPRIORITYR + intid, 0);
}

static void check_gic(void)
{
    check_spis();
    if (machine.gic_version == 2) {
        check_private_interrupts(machine.gicd);
        CHECK_EQ(read32(machine.gicc + GICC_CTLR) & GICC_CTLR_ENABLE, 0);
        CHECK_EQ(read32(machine.gicc + GICC_PMR), 0);
        return;
    }
    CHECK_EQ(read32(machine.gicr + GICR_CTLR) & GICR_CTLR_ENABLE_LPIS, 0);
    check_private_interrupts(machine.gicr + GICR_SGI_BASE); /* the boot CPU's is the first */
    WRITE_SYSREG(icc_sre_el1, 1);
    CHECK_EQ(READ_SYSREG(icc_igrpen1_el1), 0);
    CHECK_EQ(READ_SYSREG(icc_pmr_el1), 0);
    if (machine.its == 0)
        return;
    CHECK_EQ(read32(machine.its + GITS_CTLR) & GITS_CTLR_ENABLED, 0);
    CHECK_EQ(read64(machine.its + GITS_CBASER) & GITS_VALID, 0);
    for (uint64_t i = 0; i < GITS_BASER_COUNT; i++)
        CHECK_EQ(read64(machine.its + GITS_BASER + i * sizeof(uint64_t)) & GITS_VALID, 0);
}

static void check_cpus(void)
{
    const int64_t off = 1;

    CHECK_EQ(READ_SYSREG(cntv_ctl_el0) & TIMER_ENABLE, 0);
    CHECK_EQ(READ_SYSREG(cntp_ctl_el0) & TIMER_ENABLE, 0);
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (i != cpu_index())
            CHECK_EQ(psci_call(PSCI_FN64_AFFINITY_INFO, machine.cpu_mpidr[i], 0, 0), off);
}

static void no_handler(uint32_t intid)
{
    (void)intid;
}

/* Interrupts enabled, pending, active, with the timers' among them; LPIs enabled. */
static void disorder_gic(void)
{
    gic_init(no_handler);
    for (uint32_t intid = 0; intid < gic_intid_count(); intid++)
        gic_enable(intid);
    gic_send_sgi(SGI, cpu_index());
    CHECK(gic_acknowledge() != INTID_SPURIOUS);
    gic_send_sgi(SGI, cpu_index());
    gic_set_pending(gic_intid_count() - 1, true);
    gic_set_priority_mask(GIC_PRIORITY_DEFAULT);
    WRITE_SYSREG(cntv_cval_el0, 0);
    WRITE_SYSREG(cntv_ctl_el0, TIMER_ENABLE);
    WRITE_SYSREG(cntp_cval_el0, 0);
    WRITE_SYSREG(cntp_ctl_el0, TIMER_ENABLE);
    if (machine.its) {
        its_init();
        its_init_cpu();
    }
}

static volatile bool spinning;

static void spin(uint32_t index)
{
    (void)index;
    gic_init_cpu();
    for (;;)
        spinning = true;
}

static bool is_spinning(void *context)
{
    (void)context;
    return spinning;
}

static void disorder_cpus(void)
{
    if (machine.cpu_count == 1)
        return;
    CHECK_EQ(cpu_start(machine.cpu_count - 1, spin), 0);
    CHECK(wait_until(is_spinning, NULL, SOON_MS));
}

/* ---- boots ---- */

/* The same place in each boot, since loaders do the same each time. */
static struct record *record_find(void)
{
    const uint64_t step = 1 << 20;
    uint64_t place = machine.memory_base + machine.memory_bytes / 4 * 3;
    struct record *record;

    while (!memory_is_free(place, sizeof(*record)) &&
           place < machine.memory_base + machine.memory_bytes)
        place += step;
    record = (struct record *)place;
    if (record->magic != RECORD_MAGIC)
        *record = (struct record){.magic = RECORD_MAGIC};
    record->boots++;
    return record;
}

static void first_boot(struct record *record)
{
    disorder_rtc(record);
    DISORDER(machine.gpio, gpio_values);
    disorder_gic();
    disorder_cpus();
    if (failed_checks() != 0) /* which another boot would forget */
        return;
    disorder_uart();
    system_reset();
}

void guest_main(void)
{
    struct record *record = record_find();
    bool unreset = record->boots > 1 && bootargs_has("qemu-tcg");

    if (bootargs_has("reset-forever")) {
        print("BOOT %u\n", record->boots);
        system_reset();
    }
    if (unreset)
        silence_devices();
    else
        check_uart();
    print("BOOT\n");
    if (!unreset)
        check_rtc(record);
    CHECK_RESET(machine.gpio, gpio_values);
    check_gic();
    check_cpus();
    if (record->boots == 1)
        first_boot(record);
    record->magic = 0;
}
