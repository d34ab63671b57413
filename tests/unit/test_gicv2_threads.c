// SPDX-License-Identifier: Apache-2.0
/* The GICv2 under CPUs that all act at once, while devices move their lines: for SAN=thread. */
#include <check.h>
#include <pthread.h>

#include "devices/gicv2.h"
#include "devices/gicv2_registers.h"

Suite *unit_suite(void);

enum { CPUS = 4, INTIDS = 64, ROUNDS = 4000, SPI = 40, SPURIOUS = 1023 };

/* What a vCPU's input is: who drives it holds the GIC's lock. */
struct input {
    struct irq_line line;
    bool level;
};

static struct {
    struct gicv2 *gic;
    struct irq_line irqs[CPUS], fiqs[CPUS];
    struct input inputs[2 * CPUS];
    struct irq_line spi, ppi;
} self;

static void set_input(struct irq_line *line, bool level)
{
    struct input *input = line->controller;

    ck_assert(input->level != level);
    input->level = level;
}

static void create(void)
{
    static const struct irq_ops ops = {.set_level = set_input};
    const struct gicv2_config config = {
        .cpu_count = CPUS,
        .intid_count = INTIDS,
        .irq_outputs = self.irqs,
        .fiq_outputs = self.fiqs,
    };
    struct error error;

    for (uint32_t i = 0; i < CPUS; i++) {
        self.irqs[i] = (struct irq_line){.ops = &ops, .controller = &self.inputs[2 * i]};
        self.fiqs[i] = (struct irq_line){.ops = &ops, .controller = &self.inputs[2 * i + 1]};
    }
    self.gic = gicv2_create(&config, &error);
    ck_assert_ptr_nonnull(self.gic);
    gicv2_connect_spi(self.gic, &self.spi, SPI);
    gicv2_connect_ppi(self.gic, &self.ppi, 1, GICV2_FIRST_PPI);
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

static void write_gicd(uint32_t cpu, uint64_t offset, uint32_t value)
{
    struct device *device = gicv2_distributor(self.gic, cpu);

    device->ops->write(device, offset, ACCESS_32_BIT, value);
}

static void drain(uint32_t cpu)
{
    uint32_t iar = read_gicc(cpu, GICC_IAR);

    while (iar != SPURIOUS) {
        write_gicc(cpu, GICC_EOIR, iar);
        iar = read_gicc(cpu, GICC_IAR);
    }
}

static void *act_as_cpu(void *argument)
{
    uint32_t cpu = (uint32_t)(uintptr_t)argument;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        write_gicd(cpu, GICD_SGIR, GICD_SGIR_FILTER_ALL_OTHERS << GICD_SGIR_FILTER_SHIFT | i % 16);
        write_gicc(cpu, GICC_EOIR, read_gicc(cpu, GICC_IAR));
        write_gicc(cpu, GICC_PMR, i % 2 ? 0xff : 0);
        (void)gicv2_acknowledged(self.gic, cpu, i % INTIDS);
    }
    return NULL;
}

static void *act_as_device(void *argument)
{
    struct irq_line *line = argument;

    for (uint32_t i = 0; i < ROUNDS; i++)
        irq_line_pulse(line);
    return NULL;
}

START_TEST(all_at_once)
{
    pthread_t threads[CPUS + 2];

    create();
    write_gicd(0, GICD_CTLR, 1);
    write_gicd(0, GICD_ISENABLER + 4, UINT32_MAX);
    write_gicd(0, GICD_ITARGETSR + SPI, UINT32_MAX);
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        write_gicd(cpu, GICD_ISENABLER, UINT32_MAX);
        write_gicc(cpu, GICC_CTLR, 1);
    }
    for (uintptr_t cpu = 0; cpu < CPUS; cpu++)
        ck_assert_int_eq(pthread_create(&threads[cpu], NULL, act_as_cpu, (void *)cpu), 0);
    ck_assert_int_eq(pthread_create(&threads[CPUS], NULL, act_as_device, &self.spi), 0);
    ck_assert_int_eq(pthread_create(&threads[CPUS + 1], NULL, act_as_device, &self.ppi), 0);
    for (uint32_t i = 0; i < CPUS + 2; i++)
        (void)pthread_join(threads[i], NULL);

    uint64_t taken = 0;
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        write_gicc(cpu, GICC_PMR, 0xff);
        drain(cpu);
        ck_assert(!self.inputs[2 * cpu].level && !self.inputs[2 * cpu + 1].level);
        for (uint32_t intid = 0; intid < INTIDS; intid++)
            taken += gicv2_acknowledged(self.gic, cpu, intid);
    }
    ck_assert_uint_gt(taken, 0);
    gicv2_destroy(self.gic);
}
END_TEST

Suite *unit_suite(void)
{
    enum { TIMEOUT_S = 300 };
    Suite *suite = suite_create("gicv2 threads");
    TCase *tests = tcase_create("threads");

    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, all_at_once);
    suite_add_tcase(suite, tests);
    return suite;
}
