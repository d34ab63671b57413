// SPDX-License-Identifier: Apache-2.0
/* The CPU interfaces of the GICv2 (ARM IHI 0048B, 4.4). */
#include "armlet/counters.h"
#include "gicv2_internal.h"
#include "gicv2_registers.h"

/* The two ways to take interrupts: GICC_IAR and its like, or their aliases for group 1. */
enum access_way { WAY_DIRECT, WAY_ALIASED };

/* ---- acknowledging ---- */

static uint32_t first_source(const struct gicv2_cpu *cpu, uint32_t sgi)
{
    return (uint32_t)__builtin_ctz(cpu->sgi_sources[sgi]);
}

/* The most urgent interrupt as GICC_IAR and GICC_HPPIR name it. */
static uint32_t name_best(const struct gicv2_cpu *cpu, enum access_way way)
{
    if (cpu->best == GICV2_SPURIOUS || !(cpu->ctlr & GICV2_ENABLE_GROUP(cpu->best_group)))
        return GICV2_SPURIOUS;
    if (way == WAY_ALIASED && cpu->best_group == 0)
        return GICV2_SPURIOUS;
    if (way == WAY_DIRECT && cpu->best_group == 1 && !(cpu->ctlr & GICC_CTLR_ACKCTL))
        return GICV2_SPURIOUS_GROUP1;
    if (cpu->best < GICV2_SGI_COUNT)
        return cpu->best | first_source(cpu, cpu->best) << GICC_IAR_SOURCE_SHIFT;
    return cpu->best;
}

/* From pending to active; a level-sensitive one whose input is high stays pending too. */
static void activate_best(struct gicv2 *gic, uint32_t index)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];
    uint32_t intid = cpu->best;
    struct gicv2_word *word = gicv2_word(gic, index, intid / GICV2_WORD_BITS);
    uint8_t level = gicv2_group_priority(cpu, cpu->best_group, cpu->best_priority);

    word->active |= gicv2_bit(intid);
    if (intid < GICV2_SGI_COUNT)
        cpu->sgi_sources[intid] &= (uint8_t)(cpu->sgi_sources[intid] - 1);
    if (intid >= GICV2_SGI_COUNT || cpu->sgi_sources[intid] == 0)
        word->latched &= ~gicv2_bit(intid);
    cpu->active_priorities[cpu->best_group] |= 1U << (level >> GICV2_PRIORITY_SHIFT);
}

static uint32_t acknowledge(struct gicv2 *gic, uint32_t index, enum access_way way)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];

    if (!gicv2_is_signalled(cpu))
        return GICV2_SPURIOUS;
    uint32_t name = name_best(cpu, way);
    if (name == GICV2_SPURIOUS || name == GICV2_SPURIOUS_GROUP1)
        return name;
    uint32_t intid = cpu->best;
    activate_best(gic, index);
    counter_add(&gic->acknowledged[index][intid], 1);
    gicv2_update_for(gic, index, intid); /* an SPI may have been signalled to others as well */
    return name;
}

/* ---- ending ---- */

static void deactivate(struct gicv2 *gic, uint32_t index, uint32_t intid)
{
    gicv2_word(gic, index, intid / GICV2_WORD_BITS)->active &= ~gicv2_bit(intid);
    gicv2_update_for(gic, index, intid);
}

/* The most urgent of the active priorities is active no more. */
static void drop_priority(struct gicv2_cpu *cpu)
{
    uint32_t active = cpu->active_priorities[0] | cpu->active_priorities[1];
    uint32_t lowest = active & -active;

    if (cpu->active_priorities[0] & lowest)
        cpu->active_priorities[0] &= ~lowest;
    else
        cpu->active_priorities[1] &= ~lowest;
}

static void end(struct gicv2 *gic, uint32_t index, enum access_way way, uint32_t value)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];
    uint32_t intid = value & GICC_IAR_INTID_MASK;

    if (intid >= gic->config.intid_count)
        return;
    const struct gicv2_word *word = gicv2_word(gic, index, intid / GICV2_WORD_BITS);
    if (way == WAY_ALIASED && !(word->group & gicv2_bit(intid)))
        return;
    drop_priority(cpu);
    if (cpu->ctlr & GICC_CTLR_EOIMODE)
        gicv2_update(gic, index);
    else
        deactivate(gic, index, intid);
}

static void deactivate_by_write(struct gicv2 *gic, uint32_t index, uint32_t value)
{
    uint32_t intid = value & GICC_IAR_INTID_MASK;

    if (intid < gic->config.intid_count && (gic->cpus[index].ctlr & GICC_CTLR_EOIMODE))
        deactivate(gic, index, intid);
}

/* ---- registers ---- */

/* False if no register is there, or none that can be read. */
static bool read_register(struct gicv2 *gic, uint32_t index, uint64_t offset, uint32_t *value)
{
    const struct gicv2_cpu *cpu = &gic->cpus[index];

    switch (offset) {
    case GICC_CTLR:
        *value = cpu->ctlr;
        return true;
    case GICC_PMR:
        *value = cpu->pmr;
        return true;
    case GICC_BPR:
        *value = cpu->bpr;
        return true;
    case GICC_IAR:
        *value = acknowledge(gic, index, WAY_DIRECT);
        return true;
    case GICC_RPR:
        *value = gicv2_running_priority(cpu);
        return true;
    case GICC_HPPIR:
        *value = name_best(cpu, WAY_DIRECT);
        return true;
    case GICC_ABPR:
        *value = cpu->abpr;
        return true;
    case GICC_AIAR:
        *value = acknowledge(gic, index, WAY_ALIASED);
        return true;
    case GICC_AHPPIR:
        *value = name_best(cpu, WAY_ALIASED);
        return true;
    case GICC_APR0:
        *value = cpu->active_priorities[0];
        return true;
    case GICC_NSAPR0:
        *value = cpu->active_priorities[1];
        return true;
    case GICC_IIDR:
        *value = GICC_IIDR_VALUE;
        return true;
    default:
        return false;
    }
}

static uint8_t binary_point(uint32_t value, uint32_t minimum)
{
    value &= GICC_BPR_MASK;
    return (uint8_t)(value < minimum ? minimum : value);
}

/* What is remembered and has no effect but on what is signalled. */
static bool write_state(struct gicv2_cpu *cpu, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GICC_CTLR:
        cpu->ctlr = value & GICC_CTLR_MASK;
        return true;
    case GICC_PMR:
        cpu->pmr = (uint8_t)(value & GICV2_PRIORITY_MASK);
        return true;
    case GICC_BPR:
        cpu->bpr = binary_point(value, GICC_BPR_MIN);
        return true;
    case GICC_ABPR:
        cpu->abpr = binary_point(value, GICC_ABPR_MIN);
        return true;
    case GICC_APR0:
        cpu->active_priorities[0] = value;
        return true;
    case GICC_NSAPR0:
        cpu->active_priorities[1] = value;
        return true;
    default:
        return false;
    }
}

/* False if no register is there, or none that can be written. */
static bool write_register(struct gicv2 *gic, uint32_t index, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GICC_EOIR:
        end(gic, index, WAY_DIRECT, value);
        return true;
    case GICC_AEOIR:
        end(gic, index, WAY_ALIASED, value);
        return true;
    case GICC_DIR:
        deactivate_by_write(gic, index, value);
        return true;
    default:
        if (!write_state(&gic->cpus[index], offset, value))
            return false;
        gicv2_update(gic, index);
        return true;
    }
}

static uint64_t cpu_interface_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct gicv2_view *view = container_of(device, struct gicv2_view, device);
    uint32_t value = 0;
    bool known = false;

    if (width == ACCESS_32_BIT) {
        pthread_mutex_lock(&view->gic->lock);
        known = read_register(view->gic, view->cpu, offset, &value);
        pthread_mutex_unlock(&view->gic->lock);
    }
    if (!known)
        gicv2_bad_access(view->gic, device, ACCESS_READ, offset, width);
    return value;
}

static void cpu_interface_write(struct device *device, uint64_t offset, enum access_width width,
                                uint64_t value)
{
    struct gicv2_view *view = container_of(device, struct gicv2_view, device);
    bool known = false;

    if (width == ACCESS_32_BIT) {
        pthread_mutex_lock(&view->gic->lock);
        known = write_register(view->gic, view->cpu, offset, (uint32_t)value);
        pthread_mutex_unlock(&view->gic->lock);
    }
    if (!known)
        gicv2_bad_access(view->gic, device, ACCESS_WRITE, offset, width);
}

const struct device_ops gicv2_cpu_interface_ops = {
    .read = cpu_interface_read,
    .write = cpu_interface_write,
};
