// SPDX-License-Identifier: Apache-2.0
/* The GICv2m frame (DEN0029, appendix E): messages become interrupts. */
#include "guest.h"

const char guest_name[] = "gicv2m";

enum {
    MSI_TYPER = 0x008,
    MSI_SETSPI_NS = 0x040,
    MSI_IIDR = 0xfcc,
    TYPER_BASE_SHIFT = 16,
    TYPER_COUNT = 0x3ff,
    IIDR_IMPLEMENTER = 0xfff,
    IMPLEMENTER_ARM = 0x43b,
};

enum { INTID_FIRST_SPI = 32, INTIDS = 1024, SOON_MS = 5000, QUIET_US = 2000, MESSAGES = 200 };

static volatile uint32_t counts[INTIDS];
static volatile uint32_t total;
static uint32_t first, count;

static void on_interrupt(uint32_t intid)
{
    counts[intid] = counts[intid] + 1;
    total = total + 1;
}

struct wanted {
    uint32_t intid, count;
};

static bool has_come(void *context)
{
    const struct wanted *wanted = context;

    return counts[wanted->intid] == wanted->count;
}

static void send(uint32_t intid)
{
    write32(machine.msi_frame + MSI_SETSPI_NS, intid);
}

static void expect(uint32_t intid, uint32_t times)
{
    struct wanted wanted = {intid, times};

    CHECK(wait_until(has_come, &wanted, SOON_MS));
}

static void check_frame(void)
{
    uint32_t typer = read32(machine.msi_frame + MSI_TYPER);

    first = typer >> TYPER_BASE_SHIFT & TYPER_COUNT;
    count = typer & TYPER_COUNT;
    CHECK(first >= INTID_FIRST_SPI);
    CHECK(count > 0);
    CHECK(first + count <= gic_intid_count());
    CHECK_EQ(read32(machine.msi_frame + MSI_IIDR) & IIDR_IMPLEMENTER, IMPLEMENTER_ARM);
    CHECK_EQ(read32(machine.msi_frame + MSI_SETSPI_NS), 0);
}

static void check_each(void)
{
    for (uint32_t intid = first; intid < first + count; intid++) {
        gic_set_edge(intid, true);
        gic_enable(intid);
    }
    interrupts_unmask();
    for (uint32_t intid = first; intid < first + count; intid++) {
        send(intid);
        expect(intid, 1);
    }
    CHECK_EQ(total, count);
    write16(machine.msi_frame + MSI_SETSPI_NS, (uint16_t)first);
    expect(first, 2);
}

/* Those that aren't the frame's, and a width that isn't the register's. */
static void check_others(void)
{
    uint32_t before = total;

    for (uint32_t intid = 0; intid < INTIDS; intid++)
        if (intid < first || intid >= first + count)
            send(intid);
    write8(machine.msi_frame + MSI_SETSPI_NS, (uint8_t)first);
    spin_microseconds(QUIET_US);
    CHECK_EQ(total, before);
}

/* A message to a disabled interrupt waits, and several are one. */
static void check_pending(void)
{
    uint32_t last = first + count - 1;
    uint32_t before = counts[last];

    gic_disable(last);
    send(last);
    send(last);
    CHECK(gic_is_pending(last));
    CHECK_EQ(counts[last], before);
    gic_enable(last);
    expect(last, before + 1);
    spin_microseconds(QUIET_US);
    CHECK_EQ(counts[last], before + 1);
}

static void check_many(void)
{
    uint32_t before = counts[first];

    for (uint32_t i = 1; i <= MESSAGES; i++) {
        send(first);
        expect(first, before + i);
    }
}

void guest_main(void)
{
    gic_init(on_interrupt);
    check_frame();
    check_each();
    check_others();
    check_pending();
    check_many();
    interrupts_mask();
}
