// SPDX-License-Identifier: Apache-2.0
/* The GICv2, one promise of the architecture after the other. */
#include <check.h>
#include <stdlib.h>

#include "devices/gicv2.h"
#include "devices/gicv2_registers.h"
#include "fake_irq.h"

Suite *unit_suite(void);

enum {
    CPUS = 4,
    INTIDS = 96,
    SPI = 40,
    OTHER_SPI = 41,
    PPI = 27,
    SPURIOUS = 1023,
    HIGH = 0x40,
    MIDDLE = 0x80,
    LOW = 0xc0,
    IDLE = 0xff,
    GROUP0 = 1,
    GROUP1 = 2,
};

static struct {
    struct gicv2 *gic;
    struct irq_line irqs[CPUS], fiqs[CPUS];
    struct fake_irq irq[CPUS], fiq[CPUS];
    struct irq_line spi, other_spi, ppi;
} self;

static void create_of(uint32_t cpu_count, uint32_t intid_count)
{
    const struct gicv2_config config = {
        .cpu_count = cpu_count,
        .intid_count = intid_count,
        .irq_outputs = self.irqs,
        .fiq_outputs = self.fiqs,
    };
    struct error error;

    self.gic = gicv2_create(&config, &error);
    ck_assert_ptr_nonnull(self.gic);
}

static void create(void)
{
    for (uint32_t i = 0; i < CPUS; i++) {
        fake_irq_init(&self.irq[i]);
        fake_irq_init(&self.fiq[i]);
        self.irqs[i] = self.irq[i].line;
        self.fiqs[i] = self.fiq[i].line;
    }
    create_of(CPUS, INTIDS);
    gicv2_connect_spi(self.gic, &self.spi, SPI);
    gicv2_connect_spi(self.gic, &self.other_spi, OTHER_SPI);
    gicv2_connect_ppi(self.gic, &self.ppi, 1, PPI);
}

static void destroy(void)
{
    for (uint32_t i = 0; i < CPUS; i++)
        ck_assert_uint_eq(self.irq[i].redundant + self.fiq[i].redundant, 0);
    gicv2_destroy(self.gic);
}

/* ---- as a CPU does ---- */

static uint32_t read_gicd(uint32_t cpu, uint64_t offset)
{
    struct device *device = gicv2_distributor(self.gic, cpu);

    return (uint32_t)device->ops->read(device, offset, ACCESS_32_BIT);
}

static void write_gicd(uint32_t cpu, uint64_t offset, uint32_t value)
{
    struct device *device = gicv2_distributor(self.gic, cpu);

    device->ops->write(device, offset, ACCESS_32_BIT, value);
}

static void write_gicd_byte(uint32_t cpu, uint64_t offset, uint8_t value)
{
    struct device *device = gicv2_distributor(self.gic, cpu);

    device->ops->write(device, offset, ACCESS_8_BIT, value);
}

static uint32_t read_gicc(uint32_t cpu, uint64_t offset)
{
    struct device *device = gicv2_cpu_interface(self.gic, cpu);

    return (uint32_t)device->ops->read(device, offset, ACCESS_32_BIT);
}

static void write_gicc(uint32_t cpu, uint64_t offset, uint32_t value)
{
    struct device *device = gicv2_cpu_interface(self.gic, cpu);

    device->ops->write(device, offset, ACCESS_32_BIT, value);
}

static void write_bit(uint32_t cpu, uint64_t offset, uint32_t intid)
{
    write_gicd(cpu, offset + intid / 32 * 4, 1U << intid % 32);
}

static bool read_bit(uint32_t cpu, uint64_t offset, uint32_t intid)
{
    return read_gicd(cpu, offset + intid / 32 * 4) >> intid % 32 & 1;
}

/* Both groups on everywhere, everything of middle priority and enabled, SPIs to CPU 0. */
static void start(void)
{
    write_gicd(0, GICD_CTLR, GROUP0 | GROUP1);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        write_gicc(cpu, GICC_CTLR, GROUP0 | GROUP1 | GICC_CTLR_ACKCTL);
        write_gicc(cpu, GICC_PMR, 0xff);
        write_gicd(cpu, GICD_ISENABLER, UINT32_MAX);
        for (uint32_t intid = 0; intid < 32; intid += 4)
            write_gicd(cpu, GICD_IPRIORITYR + intid, MIDDLE * 0x01010101U);
    }
    for (uint32_t intid = 32; intid < INTIDS; intid += 4) {
        write_gicd(0, GICD_IPRIORITYR + intid, MIDDLE * 0x01010101U);
        write_gicd(0, GICD_ITARGETSR + intid, 0x01010101);
    }
    write_gicd(0, GICD_ISENABLER + 4, UINT32_MAX);
    write_gicd(0, GICD_ISENABLER + 8, UINT32_MAX);
}

static void send_sgi(uint32_t from, uint32_t to, uint32_t sgi)
{
    write_gicd(from, GICD_SGIR, 1U << (to + GICD_SGIR_TARGETS_SHIFT) | sgi);
}

static void take_and_end(uint32_t cpu, uint32_t name)
{
    ck_assert_uint_eq(read_gicc(cpu, GICC_IAR), name);
    write_gicc(cpu, GICC_EOIR, name);
}

static void assert_nothing(uint32_t cpu)
{
    ck_assert(!self.irq[cpu].level && !self.fiq[cpu].level);
    ck_assert_uint_eq(read_gicc(cpu, GICC_IAR), SPURIOUS);
}

/* ---- what it is ---- */

START_TEST(identification)
{
    ck_assert_uint_eq(read_gicd(0, GICD_TYPER), (CPUS - 1) << 5 | (INTIDS / 32 - 1));
    ck_assert_uint_eq(read_gicd(0, 0xfe8) >> 4, 2); /* PIDR2: architecture version 2 */
    ck_assert_uint_eq(read_gicd(0, 0xff0) | read_gicd(0, 0xff4) << 8 | read_gicd(0, 0xff8) << 16 |
                          read_gicd(0, 0xffc) << 24,
                      0xb105f00d);
    ck_assert_uint_eq(read_gicc(0, GICC_IIDR) >> 16 & 0xf, 2);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        ck_assert_uint_eq(read_gicd(cpu, GICD_ITARGETSR), (1U << cpu) * 0x01010101U);
    ck_assert_uint_eq(read_gicd(0, GICD_ICFGR), 0xaaaaaaaa); /* SGIs are edges */
    ck_assert_uint_eq(read_gicd(0, GICD_ICFGR + 4), 0);
    write_gicd(0, GICD_ICFGR + 4, UINT32_MAX);
    ck_assert_uint_eq(read_gicd(0, GICD_ICFGR + 4), 0);
}
END_TEST

START_TEST(after_reset_nothing_gets_through)
{
    irq_line_set(&self.spi, true);
    assert_nothing(0);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), IDLE);
    ck_assert_uint_eq(read_gicc(0, GICC_BPR), GICC_BPR_MIN);
    ck_assert_uint_eq(read_gicc(0, GICC_ABPR), GICC_ABPR_MIN);
    ck_assert_uint_eq(read_gicc(0, GICC_HPPIR), SPURIOUS);
    ck_assert(read_bit(0, GICD_ISPENDR, SPI));
}
END_TEST

START_TEST(what_is_not_there_reads_as_zero)
{
    struct device *gicd = gicv2_distributor(self.gic, 0);
    struct device *gicc = gicv2_cpu_interface(self.gic, 0);

    start();
    ck_assert_uint_eq(read_gicd(0, GICD_ISENABLER + INTIDS / 8), 0);
    ck_assert_uint_eq(read_gicd(0, GICD_IPRIORITYR + INTIDS), 0);
    ck_assert_uint_eq(read_gicd(0, GICD_ICFGR + INTIDS / 4), 0);
    ck_assert_uint_eq(gicd->ops->read(gicd, GICD_CTLR, ACCESS_64_BIT), 0);
    ck_assert_uint_eq(gicd->ops->read(gicd, GICD_CTLR, ACCESS_8_BIT), 0);
    ck_assert_uint_eq(gicd->ops->read(gicd, GICD_IPRIORITYR + 2, ACCESS_32_BIT), 0);
    ck_assert_uint_eq(gicc->ops->read(gicc, GICC_CTLR, ACCESS_16_BIT), 0);
    ck_assert_uint_eq(gicc->ops->read(gicc, GICC_EOIR, ACCESS_32_BIT), 0);
    gicd->ops->write(gicd, GICD_CTLR, ACCESS_16_BIT, 0);
    gicc->ops->write(gicc, GICC_CTLR, ACCESS_64_BIT, 0);
    gicc->ops->write(gicc, GICC_IAR, ACCESS_32_BIT, 0);
    ck_assert_uint_eq(read_gicd(0, GICD_CTLR), GROUP0 | GROUP1);
    ck_assert_uint_ne(read_gicc(0, GICC_CTLR), 0);
    ck_assert_uint_eq(gicd->ops->read(gicd, GICD_IPRIORITYR + 2, ACCESS_8_BIT), MIDDLE);
}
END_TEST

/* ---- priorities ---- */

START_TEST(the_most_urgent_comes_first)
{
    start();
    write_gicd_byte(0, GICD_IPRIORITYR + 1, LOW);
    write_gicd_byte(0, GICD_IPRIORITYR + 2, HIGH);
    for (uint32_t sgi = 0; sgi < 4; sgi++)
        send_sgi(0, 0, sgi);
    ck_assert_uint_eq(read_gicc(0, GICC_HPPIR), 2);
    take_and_end(0, 2);
    take_and_end(0, 0); /* of equal ones the lowest number */
    take_and_end(0, 3);
    take_and_end(0, 1);
    assert_nothing(0);
}
END_TEST

START_TEST(the_mask_lets_through_what_is_more_urgent)
{
    start();
    write_gicc(0, GICC_PMR, MIDDLE);
    send_sgi(0, 0, 1);
    assert_nothing(0);
    ck_assert_uint_eq(read_gicc(0, GICC_HPPIR), 1); /* pending all the same */
    write_gicc(0, GICC_PMR, MIDDLE + 8);
    ck_assert(self.irq[0].level);
    take_and_end(0, 1);
}
END_TEST

START_TEST(the_binary_point_decides_on_preemption)
{
    start();
    write_gicd_byte(0, GICD_IPRIORITYR + 1, MIDDLE + 8);
    write_gicd_byte(0, GICD_IPRIORITYR + 2, MIDDLE);
    write_gicc(0, GICC_BPR, 3);
    send_sgi(0, 0, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 1);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE);
    send_sgi(0, 0, 2);
    assert_nothing(0); /* the same group priority */
    write_gicc(0, GICC_EOIR, 1);
    take_and_end(0, 2);

    write_gicc(0, GICC_BPR, 0); /* becomes the least there is */
    ck_assert_uint_eq(read_gicc(0, GICC_BPR), GICC_BPR_MIN);
    send_sgi(0, 0, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 1);
    send_sgi(0, 0, 2);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 2);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE);
    write_gicc(0, GICC_EOIR, 2);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE + 8);
    write_gicc(0, GICC_EOIR, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), IDLE);
}
END_TEST

START_TEST(each_group_has_its_binary_point)
{
    start();
    write_bit(0, GICD_IGROUPR, 1);
    write_bit(0, GICD_IGROUPR, 2);
    write_gicd(0, GICD_IGROUPR, 6);
    write_gicd_byte(0, GICD_IPRIORITYR + 1, MIDDLE + 8);
    write_gicc(0, GICC_ABPR, 4);
    send_sgi(0, 0, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 1);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE);
    ck_assert_uint_eq(read_gicc(0, GICC_APR0), 0);
    ck_assert_uint_eq(read_gicc(0, GICC_NSAPR0), 1U << MIDDLE / 8);
    write_gicc(0, GICC_EOIR, 1);

    write_gicc(0, GICC_CTLR, GROUP0 | GROUP1 | GICC_CTLR_ACKCTL | GICC_CTLR_CBPR);
    send_sgi(0, 0, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 1);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE + 8);
}
END_TEST

/* ---- ending ---- */

START_TEST(priority_drop_and_deactivation_can_be_two_steps)
{
    start();
    write_gicc(0, GICC_CTLR, GROUP0 | GICC_CTLR_EOIMODE);
    irq_line_set(&self.spi, true);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    write_gicc(0, GICC_EOIR, SPI);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), IDLE);
    ck_assert(read_bit(0, GICD_ISACTIVER, SPI));
    assert_nothing(0); /* still active */
    send_sgi(0, 0, 1);
    take_and_end(0, 1); /* but of no priority any more */
    write_gicc(0, GICC_DIR, SPI);
    ck_assert(!read_bit(0, GICD_ISACTIVER, SPI));
    ck_assert(self.irq[0].level); /* the line is still high */
}
END_TEST

START_TEST(in_the_usual_mode_dir_does_nothing)
{
    start();
    irq_line_set(&self.spi, true);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    write_gicc(0, GICC_DIR, SPI);
    ck_assert(read_bit(0, GICD_ISACTIVER, SPI));
    write_gicc(0, GICC_EOIR, SPURIOUS); /* ends nothing */
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE);
    write_gicc(0, GICC_EOIR, SPI);
    ck_assert(!read_bit(0, GICD_ISACTIVER, SPI));
}
END_TEST

/* ---- groups ---- */

START_TEST(group_0_may_be_fiqs)
{
    start();
    write_gicc(0, GICC_CTLR, GROUP0 | GROUP1 | GICC_CTLR_FIQEN);
    write_gicd(0, GICD_IGROUPR, 1U << 1);
    send_sgi(0, 0, 0);
    ck_assert(self.fiq[0].level && !self.irq[0].level);
    take_and_end(0, 0);
    send_sgi(0, 0, 1);
    ck_assert(!self.fiq[0].level && self.irq[0].level);
}
END_TEST

START_TEST(group_1_is_taken_by_the_alias)
{
    start();
    write_gicc(0, GICC_CTLR, GROUP0 | GROUP1); /* without AckCtl */
    write_gicd(0, GICD_IGROUPR, 1U << 1);
    send_sgi(2, 0, 1);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 1022);
    ck_assert_uint_eq(read_gicc(0, GICC_HPPIR), 1022);
    ck_assert_uint_eq(read_gicc(0, GICC_AHPPIR), 1 | 2 << 10);
    ck_assert_uint_eq(read_gicc(0, GICC_AIAR), 1 | 2 << 10);
    write_gicc(0, GICC_AEOIR, 1 | 2 << 10);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), IDLE);

    send_sgi(0, 0, 0);
    ck_assert_uint_eq(read_gicc(0, GICC_AIAR), SPURIOUS);
    ck_assert_uint_eq(read_gicc(0, GICC_AHPPIR), SPURIOUS);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), 0);
    write_gicc(0, GICC_AEOIR, 0); /* is of group 0 */
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), MIDDLE);
}
END_TEST

START_TEST(a_group_can_be_off_at_either_end)
{
    start();
    send_sgi(0, 0, 1);
    write_gicc(0, GICC_CTLR, GROUP1);
    assert_nothing(0);
    ck_assert_uint_eq(read_gicc(0, GICC_HPPIR), SPURIOUS);
    write_gicc(0, GICC_CTLR, GROUP0);
    ck_assert(self.irq[0].level);
    write_gicd(0, GICD_CTLR, GROUP1);
    assert_nothing(0);
}
END_TEST

/* ---- SGIs ---- */

START_TEST(an_sgi_tells_who_sent_it)
{
    start();
    send_sgi(3, 0, 5);
    send_sgi(1, 0, 5);
    ck_assert_uint_eq(read_gicd(0, GICD_SPENDSGIR + 4), (1U << 3 | 1U << 1) << 8);
    take_and_end(0, 5 | 1 << 10);
    ck_assert(read_bit(0, GICD_ISPENDR, 5));
    take_and_end(0, 5 | 3 << 10);
    assert_nothing(0);
    write_gicd_byte(0, GICD_SPENDSGIR + 5, 0xff); /* of 8 CPUs there are 4 */
    write_gicd_byte(0, GICD_CPENDSGIR + 5, 1U << 0 | 1U << 1 | 1U << 3);
    take_and_end(0, 5 | 2 << 10);
    assert_nothing(0);
}
END_TEST

START_TEST(an_sgi_goes_to_some_to_others_or_to_oneself)
{
    start();
    write_gicd(1, GICD_SGIR, 0xff0000 | 2); /* a list, with CPUs that aren't there */
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        take_and_end(cpu, 2 | 1 << 10);
    write_gicd(1, GICD_SGIR, GICD_SGIR_FILTER_ALL_OTHERS << GICD_SGIR_FILTER_SHIFT | 3);
    assert_nothing(1);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        if (cpu != 1)
            take_and_end(cpu, 3 | 1 << 10);
    write_gicd(1, GICD_SGIR, GICD_SGIR_FILTER_SELF << GICD_SGIR_FILTER_SHIFT | 0xff0000 | 4);
    take_and_end(1, 4 | 1 << 10);
    write_gicd(1, GICD_SGIR, 3U << GICD_SGIR_FILTER_SHIFT | 0xff0000 | 4);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        assert_nothing(cpu);
}
END_TEST

/* ---- lines ---- */

START_TEST(a_level_is_looked_at_again)
{
    start();
    irq_line_set(&self.spi, true);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    ck_assert(read_bit(0, GICD_ISPENDR, SPI)); /* active and pending */
    ck_assert(!self.irq[0].level);
    write_gicc(0, GICC_EOIR, SPI);
    ck_assert(self.irq[0].level);
    irq_line_set(&self.spi, false);
    assert_nothing(0);
    write_bit(0, GICD_ISPENDR, SPI);
    irq_line_set(&self.spi, true);
    irq_line_set(&self.spi, false);
    ck_assert(self.irq[0].level); /* a write has set it */
    take_and_end(0, SPI);
    assert_nothing(0);
    write_bit(0, GICD_ISPENDR, SPI);
    write_bit(0, GICD_ICPENDR, SPI);
    assert_nothing(0);
}
END_TEST

START_TEST(an_edge_is_kept)
{
    start();
    write_gicd(0, GICD_ICFGR + SPI / 16 * 4, 2U << SPI % 16 * 2);
    irq_line_pulse(&self.spi);
    ck_assert(self.irq[0].level);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    irq_line_pulse(&self.spi); /* while active */
    assert_nothing(0);
    write_gicc(0, GICC_EOIR, SPI);
    take_and_end(0, SPI);
    irq_line_set(&self.spi, true);
    take_and_end(0, SPI);
    irq_line_set(&self.spi, true); /* no edge */
    assert_nothing(0);
}
END_TEST

START_TEST(a_ppi_is_its_cpus)
{
    start();
    irq_line_set(&self.ppi, true);
    ck_assert(self.irq[1].level && !self.irq[0].level);
    ck_assert(read_bit(1, GICD_ISPENDR, PPI) && !read_bit(0, GICD_ISPENDR, PPI));
    write_bit(1, GICD_ICENABLER, PPI);
    assert_nothing(1);
    ck_assert(read_bit(0, GICD_ISENABLER, PPI));
    write_bit(1, GICD_ISENABLER, PPI);
    take_and_end(1, PPI);
    irq_line_set(&self.ppi, false);
    assert_nothing(1);
}
END_TEST

START_TEST(of_several_targets_one_gets_it)
{
    start();
    write_gicd_byte(0, GICD_ITARGETSR + SPI, 0xff);
    ck_assert_uint_eq(read_gicd(2, GICD_ITARGETSR + SPI) & 0xff, (1U << CPUS) - 1);
    irq_line_set(&self.spi, true);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        ck_assert(self.irq[cpu].level);
    ck_assert_uint_eq(read_gicc(2, GICC_IAR), SPI);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        assert_nothing(cpu);
    irq_line_set(&self.spi, false);
    write_gicc(2, GICC_EOIR, SPI);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        assert_nothing(cpu);
    write_gicd_byte(0, GICD_ITARGETSR + SPI, 0);
    irq_line_set(&self.spi, true);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++)
        assert_nothing(cpu);
}
END_TEST

START_TEST(active_by_a_write_holds_it_back)
{
    start();
    write_bit(0, GICD_ISACTIVER, SPI);
    irq_line_set(&self.spi, true);
    assert_nothing(0);
    ck_assert_uint_eq(read_gicc(0, GICC_RPR), IDLE);
    write_bit(0, GICD_ICACTIVER, SPI);
    take_and_end(0, SPI);
}
END_TEST

START_TEST(a_reset_keeps_the_lines_of_devices)
{
    start();
    irq_line_set(&self.spi, true);
    irq_line_set(&self.other_spi, true);
    irq_line_set(&self.other_spi, false);
    irq_line_set(&self.ppi, true);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    write_gicc(0, GICC_EOIR, SPI);
    ck_assert(self.irq[0].level && self.irq[1].level);
    gicv2_reset(self.gic);
    ck_assert(!self.irq[0].level && !self.irq[1].level);
    ck_assert_uint_eq(read_gicd(0, GICD_CTLR), 0);
    ck_assert_uint_eq(read_gicd(0, GICD_ISENABLER), 0);
    start();
    ck_assert(!read_bit(1, GICD_ISPENDR, PPI)); /* a new VM's timer */
    take_and_end(0, SPI);
}
END_TEST

/* Guests for one CPU needn't write a target. */
START_TEST(the_only_cpu_gets_all_spis)
{
    struct gicv2 *several = self.gic;

    create_of(1, INTIDS);
    gicv2_connect_spi(self.gic, &self.spi, SPI);
    write_gicd(0, GICD_CTLR, 1);
    write_gicc(0, GICC_CTLR, 1);
    write_gicc(0, GICC_PMR, IDLE);
    write_bit(0, GICD_ISENABLER, SPI);
    irq_line_set(&self.spi, true);
    ck_assert(self.irq[0].level);
    write_gicd_byte(0, GICD_ITARGETSR + SPI, 0);
    ck_assert_uint_eq(read_gicc(0, GICC_IAR), SPI);
    irq_line_set(&self.spi, false);
    write_gicc(0, GICC_EOIR, SPI);
    assert_nothing(0);
    gicv2_destroy(self.gic);
    self.gic = several;
    gicv2_connect_spi(self.gic, &self.spi, SPI);
}
END_TEST

START_TEST(the_last_words_of_the_largest)
{
    struct gicv2 *small = self.gic;

    create_of(1, GICV2_MAX_INTIDS);
    ck_assert_uint_eq(read_gicd(0, GICD_TYPER), 31);
    write_gicd(0, GICD_ISENABLER + 31 * 4, UINT32_MAX);
    ck_assert_uint_eq(read_gicd(0, GICD_ISENABLER + 31 * 4), 0x0fffffff);
    write_gicd(0, GICD_ICFGR + 63 * 4, UINT32_MAX);
    ck_assert_uint_eq(read_gicd(0, GICD_ICFGR + 63 * 4), 0x00aaaaaa);
    write_gicd(0, GICD_ITARGETSR + 1016, UINT32_MAX);
    ck_assert_uint_eq(read_gicd(0, GICD_ITARGETSR + 1016), 0x01010101);
    ck_assert_uint_eq(read_gicd(0, GICD_ITARGETSR + 1020), 0);
    gicv2_destroy(self.gic);
    gicv2_destroy(NULL);
    self.gic = small;
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gicv2");
    TCase *tests = tcase_create("gicv2");

    tcase_add_checked_fixture(tests, create, destroy);
    tcase_add_test(tests, identification);
    tcase_add_test(tests, after_reset_nothing_gets_through);
    tcase_add_test(tests, what_is_not_there_reads_as_zero);
    tcase_add_test(tests, the_most_urgent_comes_first);
    tcase_add_test(tests, the_mask_lets_through_what_is_more_urgent);
    tcase_add_test(tests, the_binary_point_decides_on_preemption);
    tcase_add_test(tests, each_group_has_its_binary_point);
    tcase_add_test(tests, priority_drop_and_deactivation_can_be_two_steps);
    tcase_add_test(tests, in_the_usual_mode_dir_does_nothing);
    tcase_add_test(tests, group_0_may_be_fiqs);
    tcase_add_test(tests, group_1_is_taken_by_the_alias);
    tcase_add_test(tests, a_group_can_be_off_at_either_end);
    tcase_add_test(tests, an_sgi_tells_who_sent_it);
    tcase_add_test(tests, an_sgi_goes_to_some_to_others_or_to_oneself);
    tcase_add_test(tests, a_level_is_looked_at_again);
    tcase_add_test(tests, an_edge_is_kept);
    tcase_add_test(tests, a_ppi_is_its_cpus);
    tcase_add_test(tests, of_several_targets_one_gets_it);
    tcase_add_test(tests, active_by_a_write_holds_it_back);
    tcase_add_test(tests, a_reset_keeps_the_lines_of_devices);
    tcase_add_test(tests, the_only_cpu_gets_all_spis);
    tcase_add_test(tests, the_last_words_of_the_largest);
    suite_add_tcase(suite, tests);
    return suite;
}
