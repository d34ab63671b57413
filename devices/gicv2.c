// SPDX-License-Identifier: Apache-2.0
#include "gicv2.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/counters.h"
#include "gicv2_internal.h"
#include "gicv2_registers.h"

/* ---- who is interrupted ---- */

uint8_t gicv2_group_priority(const struct gicv2_cpu *cpu, unsigned group, uint8_t priority)
{
    /* 3.3.3: bits [7:n+1] for a binary point of n; group 1's own is one larger for the same. */
    unsigned point = group == 1 && !(cpu->ctlr & GICC_CTLR_CBPR) ? cpu->abpr - 1U : cpu->bpr;

    return (uint8_t)(priority & GICV2_IDLE_PRIORITY << (point + 1));
}

uint8_t gicv2_running_priority(const struct gicv2_cpu *cpu)
{
    uint32_t active = cpu->active_priorities[0] | cpu->active_priorities[1];

    if (active == 0)
        return GICV2_IDLE_PRIORITY;
    return (uint8_t)(__builtin_ctz(active) << GICV2_PRIORITY_SHIFT);
}

bool gicv2_is_signalled(const struct gicv2_cpu *cpu)
{
    return cpu->best != GICV2_SPURIOUS && (cpu->ctlr & GICV2_ENABLE_GROUP(cpu->best_group)) &&
           cpu->best_priority < cpu->pmr &&
           gicv2_group_priority(cpu, cpu->best_group, cpu->best_priority) <
               gicv2_running_priority(cpu);
}

/* The interrupts of a word that the distributor would forward to a CPU. */
static uint32_t candidates(const struct gicv2 *gic, const struct gicv2_cpu *cpu,
                           const struct gicv2_word *word, uint32_t index)
{
    uint32_t groups = 0;

    if (gic->ctlr & GICV2_ENABLE_GROUP(0))
        groups |= ~word->group;
    if (gic->ctlr & GICV2_ENABLE_GROUP(1))
        groups |= word->group;
    return gicv2_pending(word) & word->enabled & ~word->active & cpu->targeted[index] & groups;
}

/* The lowest priority value, and of equal ones the lowest INTID. */
static void find_best(struct gicv2 *gic, uint32_t index)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];
    uint32_t best_priority = GICV2_IDLE_PRIORITY + 1;

    cpu->best = GICV2_SPURIOUS;
    for (uint32_t i = 0; i < gic->word_count; i++) {
        const struct gicv2_word *word = gicv2_word(gic, index, i);

        for (uint32_t left = candidates(gic, cpu, word, i); left; left &= left - 1) {
            uint32_t intid = i * GICV2_WORD_BITS + (uint32_t)__builtin_ctz(left);
            uint8_t priority = *gicv2_priority(gic, index, intid);

            if (priority < best_priority) {
                best_priority = priority;
                cpu->best = intid;
                cpu->best_priority = priority;
                cpu->best_group = (word->group & gicv2_bit(intid)) != 0;
            }
        }
    }
}

static void drive(struct irq_line *line, bool *driven, bool level)
{
    if (*driven == level)
        return;
    *driven = level;
    irq_line_set(line, level);
}

void gicv2_update(struct gicv2 *gic, uint32_t index)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];

    find_best(gic, index);
    bool signalled = gicv2_is_signalled(cpu);
    bool as_fiq = cpu->best_group == 0 && (cpu->ctlr & GICC_CTLR_FIQEN);
    drive(&gic->config.irq_outputs[index], &cpu->irq, signalled && !as_fiq);
    drive(&gic->config.fiq_outputs[index], &cpu->fiq, signalled && as_fiq);
}

void gicv2_update_all(struct gicv2 *gic)
{
    for (uint32_t i = 0; i < gic->config.cpu_count; i++)
        gicv2_update(gic, i);
}

static void update_targets(struct gicv2 *gic, uint32_t targets)
{
    for (; targets; targets &= targets - 1)
        gicv2_update(gic, (uint32_t)__builtin_ctz(targets));
}

void gicv2_update_for(struct gicv2 *gic, uint32_t cpu, uint32_t intid)
{
    update_targets(gic, gic->targets[intid] | 1U << cpu);
}

void gicv2_pend_sgi(struct gicv2 *gic, uint32_t target, uint32_t sgi, uint32_t source)
{
    struct gicv2_cpu *cpu = &gic->cpus[target];

    cpu->sgi_sources[sgi] |= (uint8_t)(1U << source);
    cpu->private.latched |= gicv2_bit(sgi);
}

/* ---- lines ---- */

static void set_input(struct gicv2_word *word, uint32_t intid, bool level)
{
    uint32_t bit = gicv2_bit(intid);

    if (level && !(word->level & bit))
        word->latched |= word->edge & bit;
    if (level)
        word->level |= bit;
    else
        word->level &= ~bit;
}

static void set_spi(struct irq_line *line, bool level)
{
    struct gicv2 *gic = line->controller;

    pthread_mutex_lock(&gic->lock);
    set_input(&gic->shared[line->intid / GICV2_WORD_BITS], line->intid, level);
    update_targets(gic, gic->targets[line->intid]);
    pthread_mutex_unlock(&gic->lock);
}

static void pulse_spi(struct irq_line *line)
{
    struct gicv2 *gic = line->controller;
    struct gicv2_word *word = &gic->shared[line->intid / GICV2_WORD_BITS];

    pthread_mutex_lock(&gic->lock);
    set_input(word, line->intid, true);
    set_input(word, line->intid, false);
    update_targets(gic, gic->targets[line->intid]);
    pthread_mutex_unlock(&gic->lock);
}

/* The controller of a PPI's line is the CPU's view of the distributor. */
static void set_ppi(struct irq_line *line, bool level)
{
    struct gicv2_view *view = line->controller;
    struct gicv2 *gic = view->gic;

    pthread_mutex_lock(&gic->lock);
    set_input(&gic->cpus[view->cpu].private, line->intid, level);
    gicv2_update(gic, view->cpu);
    pthread_mutex_unlock(&gic->lock);
}

void gicv2_connect_spi(struct gicv2 *gic, struct irq_line *line, uint32_t intid)
{
    static const struct irq_ops ops = {.set_level = set_spi, .pulse = pulse_spi};

    assert(intid >= GICV2_FIRST_SPI && intid < gic->config.intid_count);
    *line = (struct irq_line){.ops = &ops, .controller = gic, .intid = intid};
}

void gicv2_connect_ppi(struct gicv2 *gic, struct irq_line *line, uint32_t cpu, uint32_t intid)
{
    static const struct irq_ops ops = {.set_level = set_ppi};

    assert(cpu < gic->config.cpu_count);
    assert(intid >= GICV2_FIRST_PPI && intid < GICV2_FIRST_SPI);
    *line = (struct irq_line){.ops = &ops, .controller = &gic->distributors[cpu], .intid = intid};
}

/* ---- from create to destroy ---- */

static void reset_cpu(struct gicv2 *gic, uint32_t index)
{
    struct gicv2_cpu *cpu = &gic->cpus[index];

    drive(&gic->config.irq_outputs[index], &cpu->irq, false);
    drive(&gic->config.fiq_outputs[index], &cpu->fiq, false);
    *cpu = (struct gicv2_cpu){
        .bpr = GICC_BPR_MIN,
        .abpr = GICC_ABPR_MIN,
        .best = GICV2_SPURIOUS,
        .private.edge = GICV2_SGI_MASK,
        .targeted = {UINT32_MAX},
    };
    if (gicv2_is_uniprocessor(gic))
        memset(cpu->targeted, UINT8_MAX, sizeof(cpu->targeted));
}

void gicv2_reset(struct gicv2 *gic)
{
    pthread_mutex_lock(&gic->lock);
    gic->ctlr = 0;
    for (uint32_t i = 1; i < gic->word_count; i++)
        gic->shared[i] = (struct gicv2_word){.level = gic->shared[i].level};
    memset(gic->priorities, 0, sizeof(gic->priorities));
    memset(gic->targets, gicv2_is_uniprocessor(gic) ? 1 : 0, sizeof(gic->targets));
    for (uint32_t i = 0; i < gic->config.cpu_count; i++)
        reset_cpu(gic, i);
    pthread_mutex_unlock(&gic->lock);
}

static void init_view(struct gicv2_view *view, struct gicv2 *gic, uint32_t cpu, const char *name,
                      const struct device_ops *ops, uint64_t size_bytes)
{
    *view = (struct gicv2_view){
        .device = {.ops = ops, .name = name, .size_bytes = size_bytes, .has_constant_files = true},
        .gic = gic,
        .cpu = cpu,
    };
}

struct gicv2 *gicv2_create(const struct gicv2_config *config, struct error *error)
{
    struct gicv2 *gic = aligned_alloc(_Alignof(struct gicv2), sizeof(*gic));

    assert(config->cpu_count >= 1 && config->cpu_count <= GICV2_MAX_CPUS);
    assert(config->intid_count == GICV2_MAX_INTIDS ||
           (config->intid_count % GICV2_WORD_BITS == 0 && config->intid_count > GICV2_FIRST_SPI &&
            config->intid_count < GICV2_MAX_INTIDS));
    if (!gic) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a GICv2");
        return NULL;
    }
    memset(gic, 0, sizeof(*gic));
    gic->config = *config;
    gic->word_count = (config->intid_count + GICV2_WORD_BITS - 1) / GICV2_WORD_BITS;
    (void)pthread_mutex_init(&gic->lock, NULL); /* cannot fail with default attributes */
    for (uint32_t i = 0; i < config->cpu_count; i++) {
        init_view(&gic->distributors[i], gic, i, "gicd", &gicv2_distributor_ops,
                  GICV2_DISTRIBUTOR_BYTES);
        init_view(&gic->cpu_interfaces[i], gic, i, "gicc", &gicv2_cpu_interface_ops,
                  GICV2_CPU_INTERFACE_BYTES);
    }
    gicv2_reset(gic);
    return gic;
}

void gicv2_destroy(struct gicv2 *gic)
{
    if (!gic)
        return;
    (void)pthread_mutex_destroy(&gic->lock);
    free(gic);
}

struct device *gicv2_distributor(struct gicv2 *gic, uint32_t cpu)
{
    return &gic->distributors[cpu].device;
}

struct device *gicv2_cpu_interface(struct gicv2 *gic, uint32_t cpu)
{
    return &gic->cpu_interfaces[cpu].device;
}

uint64_t gicv2_acknowledged(const struct gicv2 *gic, uint32_t cpu, uint32_t intid)
{
    return counter_read(&gic->acknowledged[cpu][intid]);
}

void gicv2_bad_access(struct gicv2 *gic, struct device *device, enum access_kind kind,
                      uint64_t offset, enum access_width width)
{
    /* Each frame of each CPU counts, and all together are logged at a limited rate. */
    (void)log_limit_pass(&device->bad_accesses);
    if (log_limit_pass(&gic->bad_access) && gic->config.log)
        log_line(gic->config.log, LOG_WARNING,
                 "%s: %u-bit %s at offset 0x%" PRIx64 " is no register", device->name,
                 8U * (unsigned)width, kind == ACCESS_READ ? "read" : "write", offset);
}
