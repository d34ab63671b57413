// SPDX-License-Identifier: Apache-2.0
/*
 * The finer points of the interrupt controller (GICv2, IHI 0048B; GICv3, IHI 0069H): how interrupts
 * nest, what the binary point has to do with it, ends in two steps, several senders, a PPI that
 * each CPU has for itself, and the groups of GICv2. All taken by hand, with the CPU's mask set.
 */
#include "gic_registers.h"
#include "guest.h"

const char guest_name[] = "gic_modes";

enum {
    SGI_A = 1,
    SGI_B = 2,
    SGI_C = 3,
    SGI_GO = 4, /* tells the other CPU to send */
    HIGH = 0x40,
    MIDDLE = 0x80,
    MIDDLE_LOWER = 0x88, /* the next priority, of 32 */
    LOW = 0xc0,
    IDLE_PRIORITY = 0xff,
    SENDER_SHIFT = 10,
    SENDER_MASK = 7,
    GROUP1_PENDING = 1022,
    ISR_EL1_I = 1 << 7,
    ISR_EL1_F = 1 << 6,
    SOON_MS = 5000,
    QUIET_US = 1000,
    OTHER_CPU = 1,
    BANKED_PPI = 21, /* nobody's */
};

static struct {
    volatile bool ready;
    volatile bool sent;
    volatile bool seen;
} other;

static bool is_acknowledged(void *iar)
{
    *(uint32_t *)iar = gic_acknowledge();
    return gic_intid(*(uint32_t *)iar) != INTID_SPURIOUS;
}

static uint32_t take(uint32_t intid)
{
    uint32_t iar = INTID_SPURIOUS;

    (void)wait_until(is_acknowledged, &iar, SOON_MS);
    CHECK_EQ(gic_intid(iar), intid);
    return iar;
}

static void take_none(void)
{
    spin_microseconds(QUIET_US);
    CHECK_EQ(gic_intid(gic_acknowledge()), INTID_SPURIOUS);
}

static void send(uint32_t sgi, uint8_t priority)
{
    gic_set_priority(sgi, priority);
    gic_enable(sgi);
    gic_send_sgi(sgi, cpu_index());
}

/* ---- nesting ---- */

static void check_nesting(void)
{
    uint32_t low, middle, high;

    send(SGI_A, LOW);
    low = take(SGI_A);
    CHECK_EQ(gic_running_priority(), LOW);
    send(SGI_B, MIDDLE);
    CHECK_EQ(gic_intid(gic_highest_pending()), SGI_B);
    middle = take(SGI_B);
    CHECK_EQ(gic_running_priority(), MIDDLE);
    send(SGI_C, HIGH);
    high = take(SGI_C);
    CHECK_EQ(gic_running_priority(), HIGH);
    CHECK(gic_is_active(SGI_A) && gic_is_active(SGI_B) && gic_is_active(SGI_C));
    gic_end(INTID_SPURIOUS);
    CHECK_EQ(gic_running_priority(), HIGH);
    gic_end(high);
    CHECK_EQ(gic_running_priority(), MIDDLE);
    gic_end(middle);
    CHECK_EQ(gic_running_priority(), LOW);
    gic_end(low);
    CHECK_EQ(gic_running_priority(), IDLE_PRIORITY);
    take_none();
}

/* Equal in the bits that count is not more urgent. */
static void check_preemption_bits(void)
{
    uint32_t first, second;

    gic_set_preemption_bits(4);
    send(SGI_A, MIDDLE_LOWER);
    first = take(SGI_A);
    send(SGI_B, MIDDLE);
    take_none();
    gic_end(first);
    gic_end(take(SGI_B));

    gic_set_preemption_bits(5);
    send(SGI_A, MIDDLE_LOWER);
    first = take(SGI_A);
    send(SGI_B, MIDDLE);
    second = take(SGI_B);
    gic_end(second);
    gic_end(first);

    /* But between two that wait, all bits count. */
    gic_set_preemption_bits(4);
    send(SGI_A, MIDDLE_LOWER);
    send(SGI_B, MIDDLE);
    gic_end(take(SGI_B));
    gic_end(take(SGI_A));
    gic_set_preemption_bits(5);
}

/* ---- ends in two steps ---- */

static void check_split_end(void)
{
    uint32_t iar;

    gic_set_eoi_split(true);
    send(SGI_A, MIDDLE);
    iar = take(SGI_A);
    gic_end(iar);
    CHECK_EQ(gic_running_priority(), IDLE_PRIORITY);
    CHECK(gic_is_active(SGI_A));
    send(SGI_B, LOW);
    gic_end(take(SGI_B)); /* less urgent, and it gets through */
    gic_deactivate(SGI_B);
    gic_send_sgi(SGI_A, cpu_index());
    take_none(); /* active */
    gic_deactivate(iar);
    iar = take(SGI_A);
    gic_end(iar);
    gic_deactivate(iar);
    CHECK(!gic_is_active(SGI_A));
    gic_set_eoi_split(false);
    take_none();
}

/* ---- senders ---- */

static void dispatch(uint32_t intid)
{
    CHECK_EQ(intid, SGI_GO);
    gic_send_sgi(SGI_A, 0);
    other.sent = true;
}

static void other_main(uint32_t index)
{
    (void)index;
    gic_init_cpu();
    gic_set_pending(BANKED_PPI, true); /* disabled, so it stays so */
    gic_enable(SGI_GO);
    interrupts_unmask();
    other.ready = true;
    while (!other.sent)
        ;
    interrupts_mask();
    CHECK(gic_is_pending(BANKED_PPI));
    gic_set_pending(BANKED_PPI, false);
    CHECK(!gic_is_pending(BANKED_PPI));
    other.seen = true;
}

static bool is_set(void *flag)
{
    return *(volatile bool *)flag;
}

/* What one CPU does with a PPI is nothing to the other. */
static void check_banked_ppi(void)
{
    CHECK(!gic_is_pending(BANKED_PPI));
    gic_set_pending(BANKED_PPI, true);
    gic_enable(BANKED_PPI);
    gic_end(take(BANKED_PPI));
    gic_disable(BANKED_PPI);
    CHECK(!gic_is_pending(BANKED_PPI));
}

/* GICv2 keeps an SGI for each sender, GICv3 one for all. */
static void check_senders(void)
{
    uint32_t iar;

    CHECK_EQ(cpu_start(OTHER_CPU, other_main), 0);
    CHECK(wait_until(is_set, (void *)&other.ready, SOON_MS));
    check_banked_ppi();
    send(SGI_A, MIDDLE);
    gic_send_sgi(SGI_GO, OTHER_CPU);
    CHECK(wait_until(is_set, (void *)&other.sent, SOON_MS));
    CHECK(wait_until(is_set, (void *)&other.seen, SOON_MS));
    spin_microseconds(QUIET_US);
    iar = take(SGI_A);
    gic_end(iar);
    if (machine.gic_version == 2) {
        CHECK_EQ(iar >> SENDER_SHIFT & SENDER_MASK, 0);
        iar = take(SGI_A);
        CHECK_EQ(iar >> SENDER_SHIFT & SENDER_MASK, OTHER_CPU);
        gic_end(iar);
    }
    take_none();
}

/* ---- the groups of GICv2 ---- */

static bool is_signalled(void *bit)
{
    return (READ_SYSREG(isr_el1) & *(const uint64_t *)bit) != 0;
}

static void expect_signalled(uint64_t bit)
{
    CHECK(wait_until(is_signalled, &bit, SOON_MS));
    CHECK_EQ(READ_SYSREG(isr_el1) & (ISR_EL1_I | ISR_EL1_F), bit);
}

/* Group 1 by registers of its own. */
static void check_aliases(uint32_t control)
{
    uint32_t iar;

    write32(machine.gicc + GICC_CTLR, control);
    send(SGI_B, MIDDLE);
    expect_signalled(ISR_EL1_I);
    iar = read32(machine.gicc + GICC_AIAR);
    CHECK_EQ(gic_intid(iar), SGI_B);
    write32(machine.gicc + GICC_AEOIR, iar);
    CHECK_EQ(gic_running_priority(), IDLE_PRIORITY);
    send(SGI_A, MIDDLE);
    expect_signalled(ISR_EL1_I);
    CHECK_EQ(gic_intid(read32(machine.gicc + GICC_AIAR)), INTID_SPURIOUS);
    gic_end(take(SGI_A));
    take_none();
}

static void check_groups(void)
{
    uint32_t both = GICC_CTLR_ENABLE | GICC_CTLR_ENABLE_GRP1;

    write32(machine.gicd + GICD_IGROUPR, 1 << SGI_B);
    write32(machine.gicd + GICD_CTLR, GICD_CTLR_ENABLE | GICD_CTLR_ENABLE_GRP1A);
    write32(machine.gicc + GICC_CTLR, both | GICC_CTLR_FIQEN);
    send(SGI_A, MIDDLE);
    expect_signalled(ISR_EL1_F);
    gic_end(take(SGI_A));

    send(SGI_B, MIDDLE);
    expect_signalled(ISR_EL1_I);
    CHECK_EQ(gic_acknowledge(), GROUP1_PENDING);
    write32(machine.gicc + GICC_CTLR, both | GICC_CTLR_ACKCTL);
    gic_end(take(SGI_B));
    send(SGI_A, MIDDLE);
    expect_signalled(ISR_EL1_I);
    gic_end(take(SGI_A));
    take_none();

    /* An emulated host's vGICv2 may lack the aliases; then this reads as zero. */
    if (gic_intid(read32(machine.gicc + GICC_AIAR)) == INTID_SPURIOUS)
        check_aliases(both);
    else
        print("no aliased registers here\n");
    write32(machine.gicd + GICD_IGROUPR, 0);
    write32(machine.gicc + GICC_CTLR, GICC_CTLR_ENABLE);
}

void guest_main(void)
{
    print("GICv%u, %u CPUs\n", machine.gic_version, machine.cpu_count);
    gic_init(dispatch);
    check_nesting();
    check_preemption_bits();
    check_split_end();
    if (machine.cpu_count > 1)
        check_senders();
    if (machine.gic_version == 2)
        check_groups();
}
