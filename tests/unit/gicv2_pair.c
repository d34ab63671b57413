// SPDX-License-Identifier: Apache-2.0
#include "gicv2_pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "devices/gicv2_registers.h"

/* Where a random offset would rarely fall. */
static const uint16_t cpu_interface_registers[] = {
    GICC_CTLR, GICC_PMR,   GICC_BPR,    GICC_IAR,  GICC_EOIR,   GICC_RPR,  GICC_HPPIR, GICC_ABPR,
    GICC_AIAR, GICC_AEOIR, GICC_AHPPIR, GICC_APR0, GICC_NSAPR0, GICC_IIDR, GICC_DIR,
};
static const uint16_t distributor_registers[] = {
    GICD_CTLR,
    GICD_CTLR,
    GICD_TYPER,
    GICD_IIDR,
    GICD_IGROUPR,
    GICD_IGROUPR + 4,
    GICD_ISENABLER,
    GICD_ISENABLER + 4,
    GICD_ISENABLER,
    GICD_ICENABLER,
    GICD_ISPENDR,
    GICD_ISPENDR + 4,
    GICD_ICPENDR,
    GICD_ICPENDR + 4,
    GICD_ISACTIVER,
    GICD_ICACTIVER,
    GICD_ICACTIVER + 4,
    GICD_IPRIORITYR,
    GICD_IPRIORITYR + 16,
    GICD_IPRIORITYR + 32,
    GICD_ITARGETSR + 32,
    GICD_ICFGR + 8,
    GICD_SGIR,
    GICD_SGIR,
    GICD_CPENDSGIR,
    GICD_SPENDSGIR + 4,
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum step_kind {
    STEP_READ_DISTRIBUTOR,
    STEP_WRITE_DISTRIBUTOR,
    STEP_READ_CPU_INTERFACE,
    STEP_WRITE_CPU_INTERFACE,
    STEP_SPI,
    STEP_PPI,
    STEP_TAKE,
    STEP_END,
    STEP_KINDS,
};

static void set_output(struct irq_line *line, bool level)
{
    struct pair_output *output = line->controller;

    output->needless += output->level == level;
    output->level = level;
}

static void init_output(struct irq_line *line, struct pair_output *output)
{
    static const struct irq_ops ops = {.set_level = set_output};

    *line = (struct irq_line){.ops = &ops, .controller = output};
}

bool pair_init(struct gicv2_pair *pair, uint32_t cpu_count, uint32_t intid_count)
{
    const struct gicv2_config config = {
        .cpu_count = cpu_count,
        .intid_count = intid_count,
        .irq_outputs = pair->irqs,
        .fiq_outputs = pair->fiqs,
    };
    struct error error;

    memset(pair, 0, sizeof(*pair));
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
        init_output(&pair->irqs[cpu], &pair->irq_outputs[cpu]);
        init_output(&pair->fiqs[cpu], &pair->fiq_outputs[cpu]);
    }
    model_reset(&pair->model, cpu_count, intid_count);
    pair->gic = gicv2_create(&config, &error);
    if (!pair->gic)
        return false;
    for (uint32_t intid = GICV2_FIRST_SPI; intid < intid_count; intid++)
        gicv2_connect_spi(pair->gic, &pair->spis[intid], intid);
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
        for (uint32_t intid = GICV2_FIRST_PPI; intid < GICV2_FIRST_SPI; intid++)
            gicv2_connect_ppi(pair->gic, &pair->ppis[cpu][intid], cpu, intid);
    return true;
}

void pair_finish(struct gicv2_pair *pair)
{
    gicv2_destroy(pair->gic);
}

static struct device *device_of(struct gicv2_pair *pair, uint32_t cpu, enum model_block block)
{
    return block == MODEL_DISTRIBUTOR ? gicv2_distributor(pair->gic, cpu)
                                      : gicv2_cpu_interface(pair->gic, cpu);
}

static bool read_both(struct gicv2_pair *pair, uint32_t cpu, enum model_block block,
                      uint64_t offset, enum access_width width, uint32_t *value)
{
    struct device *device = device_of(pair, cpu, block);
    uint64_t real = device->ops->read(device, offset, width);
    uint32_t expected = model_read(&pair->model, cpu, block, offset, width);

    *value = expected;
    if (real == expected)
        return true;
    (void)snprintf(pair->difference, sizeof(pair->difference),
                   "CPU %u reads 0x%" PRIx64 " from %s+0x%" PRIx64 ", the model 0x%x", cpu, real,
                   device->name, offset, expected);
    return false;
}

static void write_both(struct gicv2_pair *pair, uint32_t cpu, enum model_block block,
                       uint64_t offset, enum access_width width, uint32_t value)
{
    struct device *device = device_of(pair, cpu, block);
    uint32_t cut = value & (uint32_t)access_mask(width);

    device->ops->write(device, offset, width, cut);
    model_write(&pair->model, cpu, block, offset, width, cut);
}

/* What a handler does: take, and remember for the end. */
static bool take(struct gicv2_pair *pair, uint32_t cpu, uint64_t offset)
{
    uint32_t value;

    if (!read_both(pair, cpu, MODEL_CPU_INTERFACE, offset, ACCESS_32_BIT, &value))
        return false;
    if ((value & GICC_IAR_INTID_MASK) >= GICV2_MAX_INTIDS)
        return true;
    pair->taken++;
    if (pair->depth[cpu] < PAIR_STACK)
        pair->acknowledged[cpu][pair->depth[cpu]++] = value;
    return true;
}

static void end(struct gicv2_pair *pair, uint32_t cpu, uint64_t offset)
{
    if (pair->depth[cpu] == 0)
        return;
    uint32_t value = pair->acknowledged[cpu][--pair->depth[cpu]];
    write_both(pair, cpu, MODEL_CPU_INTERFACE, offset, ACCESS_32_BIT, value);
    if (offset != GICC_DIR && pair->model.cpus[cpu].split_eoi)
        write_both(pair, cpu, MODEL_CPU_INTERFACE, GICC_DIR, ACCESS_32_BIT, value);
}

static bool compare_outputs(struct gicv2_pair *pair)
{
    for (uint32_t cpu = 0; cpu < pair->model.cpu_count; cpu++) {
        const struct pair_output *irq = &pair->irq_outputs[cpu];
        const struct pair_output *fiq = &pair->fiq_outputs[cpu];
        struct model_outputs expected = model_outputs(&pair->model, cpu);

        if (irq->level == expected.irq && fiq->level == expected.fiq && !irq->needless &&
            !fiq->needless)
            continue;
        (void)snprintf(pair->difference, sizeof(pair->difference),
                       "CPU %u has IRQ %d (%u needless) FIQ %d (%u needless), the model %d and %d",
                       cpu, irq->level, irq->needless, fiq->level, fiq->needless, expected.irq,
                       expected.fiq);
        return false;
    }
    return true;
}

static uint64_t choose_offset(const uint8_t *bytes, const uint16_t *registers, size_t count,
                              uint64_t mask)
{
    if (bytes[2] & 0x80)
        return registers[(bytes[2] & 0x7f) % count];
    return (bytes[2] | (uint64_t)bytes[3] << 8) & mask;
}

static enum access_width choose_width(uint8_t byte)
{
    static const enum access_width widths[] = {ACCESS_32_BIT, ACCESS_32_BIT, ACCESS_32_BIT,
                                               ACCESS_32_BIT, ACCESS_8_BIT,  ACCESS_8_BIT,
                                               ACCESS_16_BIT, ACCESS_64_BIT};

    return widths[byte >> 5];
}

static bool do_step(struct gicv2_pair *pair, const uint8_t *bytes)
{
    uint32_t cpu = bytes[1] % pair->model.cpu_count;
    enum access_width width = choose_width(bytes[1]);
    uint64_t distributor =
        choose_offset(bytes, distributor_registers, COUNT_OF(distributor_registers), 0xfff);
    uint64_t interface =
        choose_offset(bytes, cpu_interface_registers, COUNT_OF(cpu_interface_registers), 0x1fff);
    bool odd = bytes[2] & 1;
    uint32_t value;

    memcpy(&value, &bytes[4], sizeof(value));
    switch ((enum step_kind)(bytes[0] % STEP_KINDS)) {
    case STEP_READ_DISTRIBUTOR:
        return read_both(pair, cpu, MODEL_DISTRIBUTOR, distributor, width, &value);
    case STEP_WRITE_DISTRIBUTOR:
        write_both(pair, cpu, MODEL_DISTRIBUTOR, distributor, width, value);
        return true;
    case STEP_READ_CPU_INTERFACE:
        return read_both(pair, cpu, MODEL_CPU_INTERFACE, interface, width, &value);
    case STEP_WRITE_CPU_INTERFACE:
        write_both(pair, cpu, MODEL_CPU_INTERFACE, interface, width, value);
        return true;
    case STEP_SPI:
        value = GICV2_FIRST_SPI + value % (pair->model.intid_count - GICV2_FIRST_SPI);
        irq_line_set(&pair->spis[value], odd);
        model_set_spi(&pair->model, value, odd);
        return true;
    case STEP_PPI:
        value = GICV2_FIRST_PPI + value % (GICV2_FIRST_SPI - GICV2_FIRST_PPI);
        irq_line_set(&pair->ppis[cpu][value], odd);
        model_set_ppi(&pair->model, cpu, value, odd);
        return true;
    case STEP_TAKE:
        return take(pair, cpu, bytes[2] & 2 ? GICC_AIAR : GICC_IAR);
    case STEP_END:
        end(pair, cpu, bytes[2] & 2 ? GICC_AEOIR : GICC_EOIR);
        return true;
    case STEP_KINDS:
        break;
    }
    return true;
}

bool pair_write(struct gicv2_pair *pair, uint32_t cpu, enum model_block block, uint64_t offset,
                uint32_t value)
{
    write_both(pair, cpu, block, offset, ACCESS_32_BIT, value);
    return compare_outputs(pair);
}

bool pair_end_all(struct gicv2_pair *pair, uint32_t cpu)
{
    while (pair->depth[cpu] > 0)
        end(pair, cpu, GICC_EOIR);
    return compare_outputs(pair);
}

bool pair_step(struct gicv2_pair *pair, const uint8_t bytes[PAIR_STEP_BYTES])
{
    return do_step(pair, bytes) && compare_outputs(pair);
}
