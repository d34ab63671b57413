// SPDX-License-Identifier: Apache-2.0
/* The distributor of the GICv2 (ARM IHI 0048B, 4.3). */
#include "gicv2_internal.h"
#include "gicv2_registers.h"

enum {
    BITMAP_BYTES = GICD_ISENABLER - GICD_IGROUPR, /* the room of a register with a bit for each */
    REGISTER_BYTES = 4,
    CONFIGS_PER_REGISTER = 16,
};

/* PIDR4..7, PIDR0..3, CIDR0..3: those of Arm's GIC-400, with architecture version 2 in PIDR2. */
static const uint8_t identification[] = {0x04, 0x00, 0x00, 0x00, 0x90, 0xb4,
                                         0x2b, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t cpu_mask(const struct gicv2 *gic)
{
    return (1U << gic->config.cpu_count) - 1;
}

/* ---- registers with a bit for each interrupt ---- */

/* The bits of a word that are interrupts. */
static uint32_t implemented(const struct gicv2 *gic, uint32_t index)
{
    uint32_t left = gic->config.intid_count - index * GICV2_WORD_BITS;

    return left < GICV2_WORD_BITS ? (1U << left) - 1 : UINT32_MAX;
}

static uint32_t read_bitmap(struct gicv2 *gic, uint32_t cpu, uint64_t offset)
{
    uint32_t index = (uint32_t)(offset % BITMAP_BYTES) / REGISTER_BYTES;

    if (index >= gic->word_count)
        return 0;
    const struct gicv2_word *word = gicv2_word(gic, cpu, index);
    switch (offset - offset % BITMAP_BYTES) {
    case GICD_IGROUPR:
        return word->group;
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        return word->enabled;
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        return gicv2_pending(word);
    default: /* GICD_ISACTIVER, GICD_ICACTIVER */
        return word->active;
    }
}

static void write_bitmap(struct gicv2 *gic, uint32_t cpu, uint64_t offset, uint32_t value)
{
    uint32_t index = (uint32_t)(offset % BITMAP_BYTES) / REGISTER_BYTES;

    if (index >= gic->word_count)
        return;
    struct gicv2_word *word = gicv2_word(gic, cpu, index);
    uint32_t bits = value & implemented(gic, index);
    uint32_t not_sgis = index == 0 ? ~GICV2_SGI_MASK : UINT32_MAX;
    switch (offset - offset % BITMAP_BYTES) {
    case GICD_IGROUPR:
        word->group = bits;
        break;
    case GICD_ISENABLER:
        word->enabled |= bits;
        break;
    case GICD_ICENABLER:
        word->enabled &= ~bits;
        break;
    case GICD_ISPENDR: /* of SGIs it can be read only: 4.3.7 */
        word->latched |= bits & not_sgis;
        break;
    case GICD_ICPENDR:
        word->latched &= ~(bits & not_sgis);
        break;
    case GICD_ISACTIVER:
        word->active |= bits;
        break;
    default: /* GICD_ICACTIVER */
        word->active &= ~bits;
        break;
    }
}

/* ---- GICD_ICFGR: two bits for each, of which the upper one means edge-triggered ---- */

static uint32_t read_config(struct gicv2 *gic, uint32_t cpu, uint64_t offset)
{
    uint32_t first = (uint32_t)(offset - GICD_ICFGR) / REGISTER_BYTES * CONFIGS_PER_REGISTER;
    uint32_t value = 0;

    if (first >= gic->config.intid_count)
        return 0;
    uint32_t edge = gicv2_word(gic, cpu, first / GICV2_WORD_BITS)->edge >> first % GICV2_WORD_BITS;
    for (uint32_t i = 0; i < CONFIGS_PER_REGISTER; i++)
        value |= (edge >> i & 1) << (2 * i + 1);
    return value;
}

/* Those of SGIs and PPIs are fixed. */
static void write_config(struct gicv2 *gic, uint64_t offset, uint32_t value)
{
    uint32_t first = (uint32_t)(offset - GICD_ICFGR) / REGISTER_BYTES * CONFIGS_PER_REGISTER;

    if (first < GICV2_FIRST_SPI)
        return;
    for (uint32_t i = 0; i < CONFIGS_PER_REGISTER && first + i < gic->config.intid_count; i++) {
        struct gicv2_word *word = &gic->shared[first / GICV2_WORD_BITS];
        uint32_t bit = gicv2_bit(first + i);

        if (value >> (2 * i + 1) & 1)
            word->edge |= bit;
        else
            word->edge &= ~bit;
    }
}

/* ---- registers with a byte for each interrupt ---- */

static bool is_byte_register(uint64_t offset)
{
    return (offset >= GICD_IPRIORITYR && offset < GICD_ICFGR) ||
           (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR_END);
}

static uint8_t read_target(const struct gicv2 *gic, uint32_t cpu, uint32_t intid)
{
    if (intid < GICV2_FIRST_SPI)
        return (uint8_t)(1U << cpu);
    return gic->targets[intid];
}

static uint8_t read_byte(struct gicv2 *gic, uint32_t cpu, uint64_t offset)
{
    uint32_t intid;

    if (offset >= GICD_CPENDSGIR)
        return gic->cpus[cpu].sgi_sources[offset % GICV2_SGI_COUNT];
    intid = (uint32_t)(offset % (GICD_ITARGETSR - GICD_IPRIORITYR));
    if (intid >= gic->config.intid_count)
        return 0;
    if (offset >= GICD_ITARGETSR)
        return read_target(gic, cpu, intid);
    return *gicv2_priority(gic, cpu, intid);
}

static void write_target(struct gicv2 *gic, uint32_t intid, uint8_t targets)
{
    gic->targets[intid] = targets;
    for (uint32_t i = 0; i < gic->config.cpu_count; i++) {
        uint32_t *targeted = &gic->cpus[i].targeted[intid / GICV2_WORD_BITS];

        if (targets & 1U << i)
            *targeted |= gicv2_bit(intid);
        else
            *targeted &= ~gicv2_bit(intid);
    }
}

static void write_sgi_sources(struct gicv2_cpu *cpu, uint64_t offset, uint8_t sources)
{
    uint32_t sgi = (uint32_t)(offset % GICV2_SGI_COUNT);

    if (offset >= GICD_SPENDSGIR)
        cpu->sgi_sources[sgi] |= sources;
    else
        cpu->sgi_sources[sgi] &= (uint8_t)~sources;
    if (cpu->sgi_sources[sgi])
        cpu->private.latched |= gicv2_bit(sgi);
    else
        cpu->private.latched &= ~gicv2_bit(sgi);
}

static void write_byte(struct gicv2 *gic, uint32_t cpu, uint64_t offset, uint8_t value)
{
    uint32_t intid;

    if (offset >= GICD_CPENDSGIR) {
        write_sgi_sources(&gic->cpus[cpu], offset, (uint8_t)(value & cpu_mask(gic)));
        return;
    }
    intid = (uint32_t)(offset % (GICD_ITARGETSR - GICD_IPRIORITYR));
    if (intid >= gic->config.intid_count)
        return;
    if (offset < GICD_ITARGETSR)
        *gicv2_priority(gic, cpu, intid) = value & GICV2_PRIORITY_MASK;
    else if (intid >= GICV2_FIRST_SPI && !gicv2_is_uniprocessor(gic))
        write_target(gic, intid, (uint8_t)(value & cpu_mask(gic)));
}

/* ---- GICD_SGIR ---- */

static uint32_t sgi_targets(const struct gicv2 *gic, uint32_t cpu, uint32_t value)
{
    switch (value >> GICD_SGIR_FILTER_SHIFT & GICD_SGIR_FILTER_MASK) {
    case GICD_SGIR_FILTER_LIST:
        return value >> GICD_SGIR_TARGETS_SHIFT & GICD_SGIR_TARGETS_MASK & cpu_mask(gic);
    case GICD_SGIR_FILTER_ALL_OTHERS:
        return cpu_mask(gic) & ~(1U << cpu);
    case GICD_SGIR_FILTER_SELF:
        return 1U << cpu;
    default:
        return 0;
    }
}

static void send_sgi(struct gicv2 *gic, uint32_t cpu, uint32_t value)
{
    for (uint32_t left = sgi_targets(gic, cpu, value); left; left &= left - 1) {
        uint32_t target = (uint32_t)__builtin_ctz(left);

        gicv2_pend_sgi(gic, target, value & GICD_SGIR_INTID_MASK, cpu);
        gicv2_update(gic, target);
    }
}

/* ---- all of them ---- */

static uint32_t read_type(const struct gicv2 *gic)
{
    return (gic->config.cpu_count - 1) << GICD_TYPER_CPU_NUMBER_SHIFT | (gic->word_count - 1);
}

/* False if no register is there. The offset is a multiple of 4. */
static bool read_register(struct gicv2 *gic, uint32_t cpu, uint64_t offset, uint32_t *value)
{
    switch (offset) {
    case GICD_CTLR:
        *value = gic->ctlr;
        return true;
    case GICD_TYPER:
        *value = read_type(gic);
        return true;
    case GICD_IIDR:
        *value = GICD_IIDR_VALUE;
        return true;
    case GICD_IGROUPR ... GICD_IPRIORITYR - 1:
        *value = read_bitmap(gic, cpu, offset);
        return true;
    case GICD_ICFGR ... GICD_ICFGR_END - 1:
        *value = read_config(gic, cpu, offset);
        return true;
    case GICD_PIDR4 ... GICV2_DISTRIBUTOR_BYTES - 1:
        *value = identification[(offset - GICD_PIDR4) / REGISTER_BYTES];
        return true;
    default:
        return false;
    }
}

/* False if no register is there; what can only be read ignores it. */
static bool write_register(struct gicv2 *gic, uint32_t cpu, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GICD_CTLR:
        gic->ctlr = value & GICD_CTLR_MASK;
        break;
    case GICD_IGROUPR ... GICD_IPRIORITYR - 1:
        write_bitmap(gic, cpu, offset, value);
        break;
    case GICD_ICFGR ... GICD_ICFGR_END - 1:
        write_config(gic, offset, value);
        break;
    case GICD_SGIR:
        send_sgi(gic, cpu, value);
        return true;
    default:
        return read_register(gic, cpu, offset, &value);
    }
    gicv2_update_all(gic);
    return true;
}

/* Whether a register can be accessed at this offset and width. */
static bool is_aligned(uint64_t offset, enum access_width width)
{
    return (width == ACCESS_32_BIT && offset % REGISTER_BYTES == 0) ||
           (width == ACCESS_8_BIT && is_byte_register(offset));
}

static uint64_t distributor_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct gicv2_view *view = container_of(device, struct gicv2_view, device);
    struct gicv2 *gic = view->gic;
    uint32_t value = 0;
    bool known = is_aligned(offset, width);

    pthread_mutex_lock(&gic->lock);
    if (known && is_byte_register(offset))
        for (uint32_t i = 0; i < (uint32_t)width; i++)
            value |= (uint32_t)read_byte(gic, view->cpu, offset + i) << 8 * i;
    else if (known)
        known = read_register(gic, view->cpu, offset, &value);
    pthread_mutex_unlock(&gic->lock);
    if (!known)
        gicv2_bad_access(gic, device, ACCESS_READ, offset, width);
    return value;
}

static void distributor_write(struct device *device, uint64_t offset, enum access_width width,
                              uint64_t value)
{
    struct gicv2_view *view = container_of(device, struct gicv2_view, device);
    struct gicv2 *gic = view->gic;
    bool known = is_aligned(offset, width);

    pthread_mutex_lock(&gic->lock);
    if (known && is_byte_register(offset)) {
        for (uint32_t i = 0; i < (uint32_t)width; i++)
            write_byte(gic, view->cpu, offset + i, (uint8_t)(value >> 8 * i));
        gicv2_update_all(gic);
    } else if (known) {
        known = write_register(gic, view->cpu, offset, (uint32_t)value);
    }
    pthread_mutex_unlock(&gic->lock);
    if (!known)
        gicv2_bad_access(gic, device, ACCESS_WRITE, offset, width);
}

const struct device_ops gicv2_distributor_ops = {
    .read = distributor_read,
    .write = distributor_write,
};
