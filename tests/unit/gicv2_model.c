// SPDX-License-Identifier: Apache-2.0
#include "gicv2_model.h"

#include <string.h>

#include "devices/gicv2_registers.h"

enum { NONE = 1023, GROUP1_PENDING = 1022, IDLE = 0xff, SGIS = 16, PRIVATE = 32 };

static struct model_interrupt *get(struct gicv2_model *model, uint32_t cpu, uint32_t intid)
{
    return intid < PRIVATE ? &model->cpus[cpu].own[intid] : &model->shared[intid];
}

void model_reset(struct gicv2_model *model, uint32_t cpu_count, uint32_t intid_count)
{
    memset(model, 0, sizeof(*model));
    model->cpu_count = cpu_count;
    model->intid_count = intid_count;
    for (uint32_t intid = PRIVATE; cpu_count == 1 && intid < MODEL_INTIDS; intid++)
        model->shared[intid].targets[0] = true;
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
        model->cpus[cpu].bpr = 2;
        model->cpus[cpu].abpr = 3;
        for (uint32_t intid = 0; intid < PRIVATE; intid++) {
            model->cpus[cpu].own[intid].edge = intid < SGIS;
            model->cpus[cpu].own[intid].targets[cpu] = true;
        }
    }
}

/* ---- what is pending, and what of it is the most urgent ---- */

static bool is_pending(const struct model_interrupt *interrupt, uint32_t intid)
{
    if (intid < SGIS) {
        for (uint32_t source = 0; source < MODEL_CPUS; source++)
            if (interrupt->from[source])
                return true;
        return false;
    }
    return interrupt->latched || (!interrupt->edge && interrupt->level);
}

static uint32_t find_best(struct gicv2_model *model, uint32_t cpu)
{
    uint32_t best = NONE;

    for (uint32_t intid = 0; intid < model->intid_count; intid++) {
        const struct model_interrupt *it = get(model, cpu, intid);

        if (!is_pending(it, intid) || it->active || !it->enabled || !it->targets[cpu] ||
            !model->enable[it->group1])
            continue;
        if (best == NONE || it->priority < get(model, cpu, best)->priority)
            best = intid;
    }
    return best;
}

static uint8_t group_priority(const struct model_cpu *cpu, bool group1, uint8_t priority)
{
    unsigned bits_cut = cpu->bpr + 1U;

    if (group1 && !cpu->common_bpr)
        bits_cut = cpu->abpr;
    return (uint8_t)(priority >> bits_cut << bits_cut);
}

static uint8_t running_priority(const struct model_cpu *cpu)
{
    for (unsigned i = 0; i < MODEL_PRIORITIES; i++)
        if (cpu->active_priority[0][i] || cpu->active_priority[1][i])
            return (uint8_t)(8 * i);
    return IDLE;
}

static bool is_signalled(struct gicv2_model *model, uint32_t index, uint32_t best)
{
    const struct model_cpu *cpu = &model->cpus[index];

    if (best == NONE)
        return false;
    const struct model_interrupt *it = get(model, index, best);
    return cpu->enable[it->group1] && it->priority < cpu->mask &&
           group_priority(cpu, it->group1, it->priority) < running_priority(cpu);
}

struct model_outputs model_outputs(struct gicv2_model *model, uint32_t cpu)
{
    uint32_t best = find_best(model, cpu);

    if (!is_signalled(model, cpu, best))
        return (struct model_outputs){0};
    if (!get(model, cpu, best)->group1 && model->cpus[cpu].fiq_enable)
        return (struct model_outputs){.fiq = true};
    return (struct model_outputs){.irq = true};
}

static void set_line(struct model_interrupt *it, bool level)
{
    if (it->edge && level && !it->level)
        it->latched = true;
    it->level = level;
}

void model_set_spi(struct gicv2_model *model, uint32_t intid, bool level)
{
    set_line(get(model, 0, intid), level);
}

void model_set_ppi(struct gicv2_model *model, uint32_t cpu, uint32_t intid, bool level)
{
    set_line(get(model, cpu, intid), level);
}

/* ---- the CPU interface ---- */

static uint32_t first_source(const struct model_interrupt *it)
{
    for (uint32_t source = 0; source < MODEL_CPUS; source++)
        if (it->from[source])
            return source;
    return 0;
}

static uint32_t highest_pending(struct gicv2_model *model, uint32_t cpu, bool aliased)
{
    uint32_t best = find_best(model, cpu);

    if (best == NONE)
        return NONE;
    const struct model_interrupt *it = get(model, cpu, best);
    if (!model->cpus[cpu].enable[it->group1])
        return NONE;
    if (!it->group1)
        return aliased ? NONE : best | (best < SGIS ? first_source(it) << 10 : 0);
    if (!aliased && !model->cpus[cpu].ack_control)
        return GROUP1_PENDING;
    return best | (best < SGIS ? first_source(it) << 10 : 0);
}

static uint32_t acknowledge(struct gicv2_model *model, uint32_t index, bool aliased)
{
    struct model_cpu *cpu = &model->cpus[index];
    uint32_t best = find_best(model, index);

    if (!is_signalled(model, index, best))
        return NONE;
    uint32_t answer = highest_pending(model, index, aliased);
    if (answer == NONE || answer == GROUP1_PENDING)
        return answer;
    struct model_interrupt *it = get(model, index, best);
    it->active = true;
    if (best < SGIS)
        it->from[first_source(it)] = false;
    it->latched = false;
    cpu->active_priority[it->group1][group_priority(cpu, it->group1, it->priority) / 8] = true;
    return answer;
}

static void end(struct gicv2_model *model, uint32_t index, bool aliased, uint32_t value)
{
    struct model_cpu *cpu = &model->cpus[index];
    uint32_t intid = value & 0x3ff;
    uint32_t running = running_priority(cpu);

    if (intid >= model->intid_count || (aliased && !get(model, index, intid)->group1))
        return;
    if (running != IDLE) {
        bool *group0 = &cpu->active_priority[0][running / 8];
        bool *group1 = &cpu->active_priority[1][running / 8];

        *(*group0 ? group0 : group1) = false;
    }
    if (!cpu->split_eoi)
        get(model, index, intid)->active = false;
}

static uint32_t control(const struct model_cpu *cpu)
{
    return (uint32_t)(cpu->enable[0] | cpu->enable[1] << 1 | cpu->ack_control << 2 |
                      cpu->fiq_enable << 3 | cpu->common_bpr << 4 | cpu->split_eoi << 9);
}

static uint32_t active_priorities(const struct model_cpu *cpu, unsigned group)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < MODEL_PRIORITIES; i++)
        value |= (uint32_t)cpu->active_priority[group][i] << i;
    return value;
}

static uint32_t read_cpu_interface(struct gicv2_model *model, uint32_t index, uint64_t offset)
{
    const struct model_cpu *cpu = &model->cpus[index];

    switch (offset) {
    case GICC_CTLR:
        return control(cpu);
    case GICC_PMR:
        return cpu->mask;
    case GICC_BPR:
        return cpu->bpr;
    case GICC_IAR:
        return acknowledge(model, index, false);
    case GICC_RPR:
        return running_priority(cpu);
    case GICC_HPPIR:
        return highest_pending(model, index, false);
    case GICC_ABPR:
        return cpu->abpr;
    case GICC_AIAR:
        return acknowledge(model, index, true);
    case GICC_AHPPIR:
        return highest_pending(model, index, true);
    case GICC_APR0:
        return active_priorities(cpu, 0);
    case GICC_NSAPR0:
        return active_priorities(cpu, 1);
    case GICC_IIDR:
        return GICC_IIDR_VALUE;
    default:
        return 0;
    }
}

static void set_control(struct model_cpu *cpu, uint32_t value)
{
    cpu->enable[0] = value & 1;
    cpu->enable[1] = value & 2;
    cpu->ack_control = value & 4;
    cpu->fiq_enable = value & 8;
    cpu->common_bpr = value & 0x10;
    cpu->split_eoi = value & 0x200;
}

static void write_cpu_interface(struct gicv2_model *model, uint32_t index, uint64_t offset,
                                uint32_t value)
{
    struct model_cpu *cpu = &model->cpus[index];

    if (offset == GICC_CTLR)
        set_control(cpu, value);
    if (offset == GICC_PMR)
        cpu->mask = value & 0xf8;
    if (offset == GICC_BPR)
        cpu->bpr = (value & 7) < 2 ? 2 : value & 7;
    if (offset == GICC_ABPR)
        cpu->abpr = (value & 7) < 3 ? 3 : value & 7;
    if (offset == GICC_EOIR || offset == GICC_AEOIR)
        end(model, index, offset == GICC_AEOIR, value);
    if (offset == GICC_DIR && cpu->split_eoi && (value & 0x3ff) < model->intid_count)
        get(model, index, value & 0x3ff)->active = false;
    for (unsigned group = 0; group < 2; group++)
        if (offset == (group ? GICC_NSAPR0 : GICC_APR0))
            for (unsigned i = 0; i < MODEL_PRIORITIES; i++)
                cpu->active_priority[group][i] = value >> i & 1;
}

/* ---- the distributor ---- */

static bool is_in(uint64_t offset, uint64_t first, uint64_t last)
{
    return offset >= first && offset <= last;
}

/* One bit of a register with a bit for each. */
static bool read_bit(const struct model_interrupt *it, uint32_t intid, uint64_t offset)
{
    if (offset < 0x100)
        return it->group1;
    if (offset < 0x200)
        return it->enabled;
    if (offset < 0x300)
        return is_pending(it, intid);
    return it->active;
}

/* A one written to it, or a zero. */
static void write_bit(struct model_interrupt *it, uint32_t intid, uint64_t offset, bool one)
{
    bool clears = offset & 0x80;

    if (offset < 0x100)
        it->group1 = one;
    else if (!one)
        return;
    else if (offset < 0x200)
        it->enabled = !clears;
    else if (offset < 0x300 && intid >= SGIS)
        it->latched = !clears;
    else if (offset >= 0x300)
        it->active = !clears;
}

static uint8_t read_byte(struct gicv2_model *model, uint32_t cpu, uint64_t offset)
{
    uint32_t intid = offset & 0x3ff;
    uint8_t value = 0;

    if (is_in(offset, 0xf10, 0xf2f)) {
        for (uint32_t i = 0; i < MODEL_CPUS; i++)
            value |= (uint8_t)(get(model, cpu, offset & 0xf)->from[i] << i);
    } else if (intid < model->intid_count && is_in(offset, 0x800, 0xbff)) {
        for (uint32_t i = 0; i < MODEL_CPUS; i++)
            value |= (uint8_t)(get(model, cpu, intid)->targets[i] << i);
    } else if (intid < model->intid_count) {
        value = get(model, cpu, intid)->priority;
    }
    return value;
}

static void write_byte(struct gicv2_model *model, uint32_t cpu, uint64_t offset, uint8_t value)
{
    uint32_t intid = offset & 0x3ff;

    if (is_in(offset, 0xf10, 0xf2f)) {
        for (uint32_t i = 0; i < model->cpu_count; i++)
            if (value >> i & 1)
                get(model, cpu, offset & 0xf)->from[i] = offset >= 0xf20;
    } else if (intid >= model->intid_count) {
        return;
    } else if (is_in(offset, 0x400, 0x7ff)) {
        get(model, cpu, intid)->priority = value & 0xf8;
    } else if (intid >= PRIVATE && model->cpu_count > 1) {
        for (uint32_t i = 0; i < model->cpu_count; i++)
            get(model, cpu, intid)->targets[i] = value >> i & 1;
    }
}

static bool has_bytes(uint64_t offset)
{
    return is_in(offset, 0x400, 0xbff) || is_in(offset, 0xf10, 0xf2f);
}

static void send_sgi(struct gicv2_model *model, uint32_t sender, uint32_t value)
{
    uint32_t filter = value >> 24 & 3;

    for (uint32_t cpu = 0; cpu < model->cpu_count; cpu++)
        if ((filter == 0 && (value >> (16 + cpu) & 1)) || (filter == 1 && cpu != sender) ||
            (filter == 2 && cpu == sender))
            model->cpus[cpu].own[value & 0xf].from[sender] = true;
}

static uint32_t read_word(struct gicv2_model *model, uint32_t cpu, uint64_t offset)
{
    static const uint8_t ids[] = {4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0xd, 0xf0, 5, 0xb1};
    uint32_t value = 0;

    if (offset == GICD_CTLR)
        return (uint32_t)(model->enable[0] | model->enable[1] << 1);
    if (offset == GICD_TYPER)
        return (model->cpu_count - 1) << 5 | ((model->intid_count + 31) / 32 - 1);
    if (offset == GICD_IIDR)
        return GICD_IIDR_VALUE;
    if (is_in(offset, 0xfd0, 0xfff))
        return ids[(offset - 0xfd0) / 4];
    if (is_in(offset, 0x080, 0x3ff))
        for (uint32_t i = 0; i < 32; i++) {
            uint32_t intid = (uint32_t)(offset & 0x7f) * 8 + i;

            if (intid < model->intid_count && read_bit(get(model, cpu, intid), intid, offset))
                value |= 1U << i;
        }
    if (is_in(offset, 0xc00, 0xcff))
        for (uint32_t i = 0; i < 16; i++) {
            uint32_t intid = (uint32_t)(offset & 0xff) * 4 + i;

            if (intid < model->intid_count && get(model, cpu, intid)->edge)
                value |= 2U << 2 * i;
        }
    return value;
}

static void write_word(struct gicv2_model *model, uint32_t cpu, uint64_t offset, uint32_t value)
{
    if (offset == GICD_CTLR) {
        model->enable[0] = value & 1;
        model->enable[1] = value & 2;
    }
    if (offset == GICD_SGIR)
        send_sgi(model, cpu, value);
    if (is_in(offset, 0x080, 0x3ff))
        for (uint32_t i = 0; i < 32; i++) {
            uint32_t intid = (uint32_t)(offset & 0x7f) * 8 + i;

            if (intid < model->intid_count)
                write_bit(get(model, cpu, intid), intid, offset, value >> i & 1);
        }
    if (is_in(offset, 0xc00, 0xcff))
        for (uint32_t i = 0; i < 16; i++) {
            uint32_t intid = (uint32_t)(offset & 0xff) * 4 + i;

            if (intid >= PRIVATE && intid < model->intid_count)
                get(model, cpu, intid)->edge = value >> (2 * i + 1) & 1;
        }
}

/* ---- both ---- */

uint32_t model_read(struct gicv2_model *model, uint32_t cpu, enum model_block block,
                    uint64_t offset, unsigned width_bytes)
{
    uint32_t value = 0;
    bool byte = width_bytes == 1 && block == MODEL_DISTRIBUTOR && has_bytes(offset);

    if (!byte && (width_bytes != 4 || offset % 4))
        return 0;
    if (block == MODEL_CPU_INTERFACE)
        return read_cpu_interface(model, cpu, offset);
    if (!has_bytes(offset))
        return read_word(model, cpu, offset);
    for (unsigned i = 0; i < width_bytes; i++)
        value |= (uint32_t)read_byte(model, cpu, offset + i) << 8 * i;
    return value;
}

void model_write(struct gicv2_model *model, uint32_t cpu, enum model_block block, uint64_t offset,
                 unsigned width_bytes, uint32_t value)
{
    bool byte = width_bytes == 1 && block == MODEL_DISTRIBUTOR && has_bytes(offset);

    if (!byte && (width_bytes != 4 || offset % 4))
        return;
    if (block == MODEL_CPU_INTERFACE)
        write_cpu_interface(model, cpu, offset, value);
    else if (!has_bytes(offset))
        write_word(model, cpu, offset, value);
    else
        for (unsigned i = 0; i < width_bytes; i++)
            write_byte(model, cpu, offset + i, (uint8_t)(value >> 8 * i));
}
