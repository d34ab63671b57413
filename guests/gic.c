// SPDX-License-Identifier: Apache-2.0
/*
 * The interrupt controller, GICv2 (IHI 0048B) or GICv3 (IHI 0069H), with LPIs if there is an ITS.
 * Most checks take interrupts by hand, with the CPU's mask set; another CPU, if there is one, takes
 * them by its vectors.
 */
#include "gic_registers.h"
#include "its.h"

const char guest_name[] = "gic";

enum { UARTIMSC = 0x038, UARTRIS = 0x03c, UARTICR = 0x044, UART_TX = 1 << 5 };

enum {
    SGI_A = 1,
    SGI_B = 2,
    SGI_C = 3,
    HIGH = 0x40,
    MIDDLE = 0x80,
    LOW = 0xc0,
    MASK_OPEN = 0xff,
    IDLE_PRIORITY = 0xff,
    SGI_COUNT = 16,
    SENDER_SHIFT_V2 = 10,
    ARCH_GICV3 = 3,
    ARCH_GICV4 = 4,
};

enum { SOON_MS = 5000, QUIET_US = 1000, BOOT_CPU = 0, OTHER_CPU = 1 };

/* What the other CPU is told, and what it tells. */
static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile bool ready;
    volatile bool send;
    volatile bool stop;
} other;

/* ---- by hand ---- */

static bool is_acknowledged(void *iar)
{
    *(uint32_t *)iar = gic_acknowledge();
    return gic_intid(*(uint32_t *)iar) != INTID_SPURIOUS;
}

/* What the acknowledge register gives as soon as it gives something. */
static uint32_t take(void)
{
    uint32_t iar = INTID_SPURIOUS;

    (void)wait_until(is_acknowledged, &iar, SOON_MS);
    return iar;
}

static void end(uint32_t iar)
{
    if (gic_intid(iar) != INTID_SPURIOUS)
        gic_end(iar);
}

/* The next interrupt is this one; it's taken and ended. */
static void expect(uint32_t intid)
{
    uint32_t iar = take();

    CHECK_EQ(gic_intid(iar), intid);
    end(iar);
}

static void expect_none(void)
{
    uint32_t iar;

    spin_microseconds(QUIET_US);
    iar = gic_acknowledge();
    CHECK_EQ(gic_intid(iar), INTID_SPURIOUS);
    end(iar);
}

static void own_sgi(uint32_t sgi, uint8_t priority)
{
    gic_set_priority(sgi, priority);
    gic_enable(sgi);
    gic_send_sgi(sgi, cpu_index());
}

/* ---- software-generated interrupts ---- */

static void check_states(void)
{
    uint32_t iar;

    expect_none();
    CHECK_EQ(gic_running_priority(), IDLE_PRIORITY);
    own_sgi(SGI_A, MIDDLE);
    CHECK(gic_is_pending(SGI_A));
    CHECK(!gic_is_active(SGI_A));
    iar = take();
    CHECK_EQ(gic_intid(iar), SGI_A);
    CHECK(!gic_is_pending(SGI_A));
    CHECK(gic_is_active(SGI_A));
    CHECK_EQ(gic_running_priority(), MIDDLE);

    gic_send_sgi(SGI_A, cpu_index()); /* active and pending: kept for later */
    CHECK(gic_is_pending(SGI_A));
    expect_none();
    gic_end(iar);
    CHECK(!gic_is_active(SGI_A));
    CHECK_EQ(gic_running_priority(), IDLE_PRIORITY);
    expect(SGI_A);
    expect_none();
}

static void check_every_sgi(void)
{
    for (uint32_t sgi = 0; sgi < SGI_COUNT; sgi++) {
        own_sgi(sgi, MIDDLE);
        expect(sgi);
        gic_set_pending(sgi, true);
        CHECK(gic_is_pending(sgi));
        gic_set_pending(sgi, false);
        CHECK(!gic_is_pending(sgi));
        expect_none();
        gic_set_pending(sgi, true);
        expect(sgi);
    }
}

static void check_priorities(void)
{
    own_sgi(SGI_A, LOW);
    own_sgi(SGI_B, HIGH);
    own_sgi(SGI_C, MIDDLE);
    expect(SGI_B);
    expect(SGI_C);
    expect(SGI_A);
    expect_none();
}

static void check_priority_mask(void)
{
    gic_set_priority_mask(MIDDLE);
    own_sgi(SGI_A, LOW);
    own_sgi(SGI_B, MIDDLE); /* must be higher than the mask, not equal */
    own_sgi(SGI_C, HIGH);
    expect(SGI_C);
    expect_none();
    gic_set_priority_mask(MASK_OPEN);
    expect(SGI_B);
    expect(SGI_A);
}

/* ---- preemption ---- */

static struct {
    uint32_t order[8];
    uint32_t count;
} events;

enum { LEFT = 0x100 }; /* the end of a handler, in events.order */

static void note(uint32_t event)
{
    if (events.count < sizeof(events.order) / sizeof(events.order[0]))
        events.order[events.count++] = event;
}

static void on_interrupt(uint32_t intid)
{
    note(intid);
    if (intid == SGI_B) {
        own_sgi(SGI_A, LOW);
        own_sgi(SGI_C, HIGH);
        interrupts_unmask();
        spin_microseconds(QUIET_US);
        interrupts_mask();
        CHECK_EQ(gic_running_priority(), MIDDLE);
    }
    note(intid | LEFT);
}

static bool is_all_noted(void *context)
{
    (void)context;
    return *(volatile uint32_t *)&events.count >= 6;
}

/* A handler is interrupted by what is more urgent, and by nothing else. */
static void check_preemption(void)
{
    static const uint32_t expected[] = {SGI_B,        SGI_C, SGI_C | LEFT,
                                        SGI_B | LEFT, SGI_A, SGI_A | LEFT};
    const uint32_t count = sizeof(expected) / sizeof(expected[0]);

    interrupts_unmask();
    own_sgi(SGI_B, MIDDLE);
    CHECK(wait_until(is_all_noted, NULL, SOON_MS));
    interrupts_mask();
    CHECK_EQ(events.count, count);
    for (uint32_t i = 0; i < count; i++)
        CHECK_EQ(events.order[i], expected[i]);
}

/* ---- shared peripheral interrupts ---- */

/* The last one: no device has it. */
static uint32_t free_spi(void)
{
    return gic_intid_count() - 1;
}

static void check_spi_enable(uint32_t spi)
{
    gic_set_pending(spi, true);
    CHECK(gic_is_pending(spi));
    expect_none();
    gic_enable(spi);
    expect(spi);
    expect_none();
    gic_set_pending(spi, true);
    gic_set_pending(spi, false);
    CHECK(!gic_is_pending(spi));
    expect_none();
}

/* Pending again while active. Of a level-sensitive SPI, KVM forgets that when the active one ends.
 */
static void check_spi_again(uint32_t spi)
{
    uint32_t iar;

    gic_set_pending(spi, true);
    iar = take();
    CHECK_EQ(gic_intid(iar), spi);
    CHECK(gic_is_active(spi));
    gic_set_pending(spi, true);
    expect_none();
    end(iar);
    expect(spi);
    CHECK(!gic_is_active(spi));
}

static void check_spi_active(uint32_t spi)
{
    uint64_t word = spi / GIC_INTIDS_PER_WORD * sizeof(uint32_t);
    uint32_t bit = 1U << spi % GIC_INTIDS_PER_WORD;

    write32(machine.gicd + GICD_ISACTIVER + word, bit);
    CHECK(gic_is_active(spi));
    gic_set_pending(spi, true);
    expect_none(); /* as if another CPU handled it */
    write32(machine.gicd + GICD_ICACTIVER + word, bit);
    CHECK(!gic_is_active(spi));
    expect(spi);
}

static void check_spi(void)
{
    uint32_t spi = free_spi();

    for (uint32_t edge = 0; edge < 2; edge++) {
        gic_set_edge(spi, edge);
        check_spi_enable(spi);
        check_spi_active(spi);
        if (edge)
            check_spi_again(spi);
        gic_disable(spi);
    }
}

/* ---- a line: the UART has sent something ---- */

static bool is_sent(void *context)
{
    (void)context;
    return (read32(machine.uart + UARTRIS) & UART_TX) != 0;
}

static bool is_intid_pending(void *intid)
{
    return gic_is_pending(*(const uint32_t *)intid);
}

static bool is_intid_not_pending(void *intid)
{
    return !gic_is_pending(*(const uint32_t *)intid);
}

static void line_raise(void)
{
    print(".");
    CHECK(wait_until(is_sent, NULL, SOON_MS));
    write32(machine.uart + UARTIMSC, UART_TX);
}

static void line_lower(void)
{
    write32(machine.uart + UARTIMSC, 0);
    write32(machine.uart + UARTICR, UART_TX);
}

/* Pending as often as the line is seen up, and only while it is. */
static void check_level(uint32_t intid)
{
    gic_set_edge(intid, false);
    gic_enable(intid);
    line_raise();
    expect(intid);
    expect(intid);
    line_lower();
    CHECK(wait_until(is_intid_not_pending, &intid, SOON_MS));
    expect_none();
    line_raise();
    CHECK(wait_until(is_intid_pending, &intid, SOON_MS));
    line_lower();
    CHECK(wait_until(is_intid_not_pending, &intid, SOON_MS));
    expect_none();
    gic_disable(intid);
}

/* Pending once for each time the line goes up, whatever it does afterwards. */
static void check_edge(uint32_t intid)
{
    gic_set_edge(intid, true);
    gic_enable(intid);
    line_raise();
    expect(intid);
    expect_none();
    line_lower();
    expect_none();
    line_raise();
    CHECK(wait_until(is_intid_pending, &intid, SOON_MS));
    line_lower();
    spin_microseconds(QUIET_US);
    CHECK(gic_is_pending(intid));
    expect(intid);
    expect_none();
    gic_disable(intid);
    gic_set_edge(intid, false);
}

/* ---- another CPU ---- */

static void other_on_interrupt(uint32_t intid)
{
    other.intid = intid;
    other.interrupts = other.interrupts + 1;
}

static void dispatch(uint32_t intid)
{
    if (cpu_index() == OTHER_CPU)
        other_on_interrupt(intid);
    else
        on_interrupt(intid);
}

static void other_main(uint32_t index)
{
    (void)index;
    gic_init_cpu();
    if (machine.its)
        its_init_cpu();
    gic_enable(SGI_A);
    interrupts_unmask();
    other.ready = true;
    while (!other.stop)
        if (other.send) {
            other.send = false;
            gic_send_sgi(SGI_B, BOOT_CPU);
        }
    interrupts_mask();
}

static bool is_set(void *flag)
{
    return *(volatile bool *)flag;
}

static bool is_other_interrupted(void *context)
{
    (void)context;
    return other.interrupts != 0;
}

static void expect_at_other(uint32_t intid)
{
    CHECK(wait_until(is_other_interrupted, NULL, SOON_MS));
    CHECK_EQ(other.intid, intid);
    expect_none();
    CHECK_EQ(other.interrupts, 1);
    other.interrupts = 0;
}

static void check_other_sgi(void)
{
    uint32_t iar;

    gic_send_sgi(SGI_A, OTHER_CPU);
    expect_at_other(SGI_A);
    gic_enable(SGI_B);
    other.send = true;
    iar = take();
    CHECK_EQ(gic_intid(iar), SGI_B);
    if (machine.gic_version == 2)
        CHECK_EQ(iar >> SENDER_SHIFT_V2, OTHER_CPU);
    end(iar);
    CHECK_EQ(other.interrupts, 0);
}

static void check_routing(void)
{
    uint32_t spi = free_spi();

    gic_set_edge(spi, true);
    gic_enable(spi);
    gic_route(spi, OTHER_CPU);
    gic_set_pending(spi, true);
    expect_at_other(spi);
    gic_route(spi, cpu_index());
    gic_set_pending(spi, true);
    expect(spi);
    CHECK_EQ(other.interrupts, 0);
    gic_disable(spi);
}

/* ---- the ITS ---- */

enum {
    DEVICE = 3,
    EVENT_BITS = 4,
    EVENT = 2,
    LPI = GIC_FIRST_LPI + 5,
    COLLECTION = 0,
    COLLECTION_OTHER = 1,
};

static void check_its_identity(void)
{
    uint32_t revision = read32(machine.its + GITS_PIDR2) >> GITS_PIDR2_ARCH_SHIFT;
    uint64_t type = read64(machine.its + GITS_TYPER);

    CHECK(revision == ARCH_GICV3 || revision == ARCH_GICV4);
    CHECK(type & GITS_TYPER_PHYSICAL);
    CHECK(read32(machine.its + GITS_CTLR) & GITS_CTLR_QUIESCENT);
    print("ITS: GITS_TYPER 0x%lx\n", type);
}

static void check_lpi(void)
{
    its_configure_lpi(LPI, MIDDLE, true);
    its_map_device(DEVICE, EVENT_BITS);
    its_map_collection(COLLECTION, cpu_index());
    its_map_event(DEVICE, EVENT, LPI, COLLECTION);
    its_invalidate(DEVICE, EVENT);
    its_interrupt(DEVICE, EVENT);
    expect(LPI);
    expect_none();
    its_interrupt(DEVICE, EVENT);
    its_clear(DEVICE, EVENT);
    expect_none();
}

static void check_lpi_enable(void)
{
    its_configure_lpi(LPI, MIDDLE, false);
    its_invalidate(DEVICE, EVENT);
    its_interrupt(DEVICE, EVENT);
    expect_none();
    its_configure_lpi(LPI, MIDDLE, true);
    its_invalidate(DEVICE, EVENT);
    expect(LPI);
}

static void check_lpi_move(void)
{
    its_map_collection(COLLECTION_OTHER, OTHER_CPU);
    its_move_event(DEVICE, EVENT, COLLECTION_OTHER);
    its_interrupt(DEVICE, EVENT);
    expect_at_other(LPI);
    its_move_event(DEVICE, EVENT, COLLECTION);
    its_interrupt(DEVICE, EVENT);
    expect(LPI);
}

static void check_its(void)
{
    check_lpi();
    check_lpi_enable();
    if (machine.cpu_count > 1)
        check_lpi_move();
    its_discard_event(DEVICE, EVENT);
    its_interrupt(DEVICE, EVENT); /* an error, of which nothing comes */
    expect_none();
}

static void check_one_cpu(void)
{
    check_states();
    check_every_sgi();
    check_priorities();
    check_priority_mask();
    check_preemption();
    check_spi();
    if (machine.uart) {
        check_level(machine.uart_intid);
        check_edge(machine.uart_intid);
        print("\n");
    }
}

void guest_main(void)
{
    print("GICv%u, %u INTIDs\n", machine.gic_version, gic_intid_count());
    gic_init(dispatch);
    if (machine.its)
        check_its_identity();
    check_one_cpu();
    if (machine.its) {
        its_init();
        its_init_cpu();
    }
    if (machine.cpu_count > 1) {
        CHECK_EQ(cpu_start(OTHER_CPU, other_main), 0);
        CHECK(wait_until(is_set, (void *)&other.ready, SOON_MS));
        check_other_sgi();
        check_routing();
    }
    if (machine.its)
        check_its();
    other.stop = true;
}
