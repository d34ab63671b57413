// SPDX-License-Identifier: Apache-2.0
/*
 * The memory-mapped Generic Timer (DDI 0487, chapter I2): the control frame CNTCTLBase, and one
 * timer frame, CNTBase0, with a physical and a virtual timer. Frames are 64 KiB apart, so that
 * guests with any granule can map each by itself; between them nothing answers.
 *
 * The machine has one Security state: CNTFRQ is what the host's firmware made it, CNTNSAR is
 * RES0. There is no second view, CNTEL0Base0. CNTACR0 comes out of reset with everything allowed,
 * as firmware would leave it. The ID registers read as zero. CNTVOFF0 is this frame's own, and has
 * nothing to do with the offset of the vCPUs' virtual timers.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/ticks.h"
#include "builtin.h"
#include "monotonic_clock.h"
#include "primecell.h"
#include "tick_scale.h"
#include "timer_alarm.h"

enum {
    FRAME_BYTES = 0x1000,
    FRAME_STRIDE = 0x10000,
    DEVICE_BYTES = 2 * FRAME_STRIDE,
    COUNTER_ID0 = 0xfd0, /* to COUNTER_ID11, in each frame */
    COUNTER_ID11 = 0xffc,
};

/* CNTCTLBase */
enum {
    CTL_CNTFRQ = 0x000,
    CTL_CNTNSAR = 0x004,
    CTL_CNTTIDR = 0x008,
    CTL_CNTACR0 = 0x040,
    CTL_CNTVOFF0 = 0x080,
};

#define CNTTIDR_FI   (1U << 0)
#define CNTTIDR_FVI  (1U << 1)
#define CNTACR_RPCT  (1U << 0)
#define CNTACR_RVCT  (1U << 1)
#define CNTACR_RFRQ  (1U << 2)
#define CNTACR_RVOFF (1U << 3)
#define CNTACR_RWVT  (1U << 4)
#define CNTACR_RWPT  (1U << 5)
#define CNTACR_MASK  0x3fU

/* CNTBase0, as offsets of the device */
enum {
    CNTPCT = FRAME_STRIDE + 0x00,
    CNTVCT = FRAME_STRIDE + 0x08,
    CNTFRQ = FRAME_STRIDE + 0x10,
    CNTEL0ACR = FRAME_STRIDE + 0x14,
    CNTVOFF = FRAME_STRIDE + 0x18,
    CNTP_CVAL = FRAME_STRIDE + 0x20,
    CNTP_TVAL = FRAME_STRIDE + 0x28,
    CNTP_CTL = FRAME_STRIDE + 0x2c,
    CNTV_CVAL = FRAME_STRIDE + 0x30,
    CNTV_TVAL = FRAME_STRIDE + 0x38,
    CNTV_CTL = FRAME_STRIDE + 0x3c,
};

#define CTL_ENABLE  (1U << 0)
#define CTL_IMASK   (1U << 1)
#define CTL_ISTATUS (1U << 2)

enum { HALF_BYTES = 4, HALF_BITS = 32 };

/* Also the numbers of their interrupt lines, in the order of the device tree binding. */
enum which { PHYSICAL, VIRTUAL, WHICH_COUNT };

struct timer_mmio_registers {
    uint32_t acr;
    uint64_t voff;
    uint64_t cval[WHICH_COUNT];
    uint32_t ctl[WHICH_COUNT];
};

struct timer_mmio {
    struct primecell cell; /* its lock guards regs, alarm and levels; its irq is not used */
    struct timer_mmio_registers regs;
    struct timer_alarm alarm;
    struct irq_line *lines; /* WHICH_COUNT of them */
    bool levels[WHICH_COUNT];
    uint32_t hz;
};

static uint64_t count_of(const struct timer_mmio *timer, enum which which, uint64_t count)
{
    return which == PHYSICAL ? count : count - timer->regs.voff;
}

static bool is_met(const struct timer_mmio *timer, enum which which, uint64_t count)
{
    return count_of(timer, which, count) >= timer->regs.cval[which];
}

/* The interrupt outputs and the alarm follow the registers. The caller holds the lock. */
static void settle(struct timer_mmio *timer)
{
    uint64_t count = ticks_now();
    uint64_t now_ns = monotonic_clock_now_ns();
    uint64_t deadline_ns = TIMER_ALARM_NEVER;

    for (unsigned i = 0; i < WHICH_COUNT; i++) {
        bool live = (timer->regs.ctl[i] & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
        bool level = live && is_met(timer, i, count);

        if (live && !level) {
            uint64_t left = timer->regs.cval[i] - count_of(timer, i, count);
            uint64_t expiry_ns = now_ns + ticks_to_ns(left, timer->hz);

            deadline_ns = expiry_ns < deadline_ns ? expiry_ns : deadline_ns;
        }
        if (level != timer->levels[i]) {
            timer->levels[i] = level;
            irq_line_set(&timer->lines[i], level);
        }
    }
    timer_alarm_set(&timer->alarm, deadline_ns, now_ns);
}

static void timer_mmio_alarm(struct event_timer *event)
{
    struct timer_mmio *timer = event->context;

    pthread_mutex_lock(&timer->cell.lock);
    timer_alarm_begin(&timer->alarm, monotonic_clock_now_ns());
    settle(timer);
    pthread_mutex_unlock(&timer->cell.lock);
}

/* What CNTACR0 has to allow for the timer frame's register at an offset; 0: nothing. */
static uint32_t needed_access(uint64_t offset)
{
    switch (offset & ~(uint64_t)HALF_BYTES) {
    case CNTPCT:
        return CNTACR_RPCT;
    case CNTVCT:
        return CNTACR_RVCT;
    case CNTFRQ: /* and CNTEL0ACR, which is RES0 */
        return CNTACR_RFRQ;
    case CNTVOFF:
        return CNTACR_RVOFF;
    case CNTP_CVAL:
    case CNTP_TVAL: /* and CNTP_CTL */
        return CNTACR_RWPT;
    case CNTV_CVAL:
    case CNTV_TVAL: /* and CNTV_CTL */
        return CNTACR_RWVT;
    default:
        return 0;
    }
}

static bool is_allowed(const struct timer_mmio *timer, uint64_t offset)
{
    uint32_t needed = needed_access(offset);

    return (timer->regs.acr & needed) == needed;
}

static bool is_counter_id(uint64_t offset)
{
    uint64_t register_offset = offset % FRAME_STRIDE;

    return register_offset >= COUNTER_ID0 && register_offset <= COUNTER_ID11;
}

/* A register of 64 bits. False if none is there. */
static bool read_wide(const struct timer_mmio *timer, uint64_t offset, uint64_t *value)
{
    switch (offset) {
    case CNTPCT:
        *value = ticks_now();
        return true;
    case CNTVCT:
        *value = count_of(timer, VIRTUAL, ticks_now());
        return true;
    case CTL_CNTVOFF0:
    case CNTVOFF:
        *value = timer->regs.voff;
        return true;
    case CNTP_CVAL:
        *value = timer->regs.cval[PHYSICAL];
        return true;
    case CNTV_CVAL:
        *value = timer->regs.cval[VIRTUAL];
        return true;
    default:
        return false;
    }
}

static uint32_t read_ctl(const struct timer_mmio *timer, enum which which)
{
    uint32_t ctl = timer->regs.ctl[which];

    if ((ctl & CTL_ENABLE) != 0 && is_met(timer, which, ticks_now())) {
        ctl |= CTL_ISTATUS;
    }
    return ctl;
}

static uint32_t read_tval(const struct timer_mmio *timer, enum which which)
{
    return (uint32_t)(timer->regs.cval[which] - count_of(timer, which, ticks_now()));
}

/* A register of 32 bits. False if none is there. */
static bool read_narrow(const struct timer_mmio *timer, uint64_t offset, uint32_t *value)
{
    switch (offset) {
    case CTL_CNTTIDR:
        *value = CNTTIDR_FI | CNTTIDR_FVI;
        return true;
    case CTL_CNTACR0:
        *value = timer->regs.acr;
        return true;
    case CTL_CNTFRQ:
    case CNTFRQ:
        *value = timer->hz;
        return true;
    case CNTP_TVAL:
        *value = read_tval(timer, PHYSICAL);
        return true;
    case CNTV_TVAL:
        *value = read_tval(timer, VIRTUAL);
        return true;
    case CNTP_CTL:
        *value = read_ctl(timer, PHYSICAL);
        return true;
    case CNTV_CTL:
        *value = read_ctl(timer, VIRTUAL);
        return true;
    case CTL_CNTNSAR:
    case CNTEL0ACR:
        *value = 0;
        return true;
    default:
        *value = 0;
        return is_counter_id(offset);
    }
}

/* False if no register is there. The caller holds the lock. */
static bool read_register(const struct timer_mmio *timer, uint64_t offset, enum access_width width,
                          uint64_t *value)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    bool known = false;

    if (width == ACCESS_64_BIT) {
        known = read_wide(timer, offset, value);
    } else if (width == ACCESS_32_BIT && offset % HALF_BYTES == 0) {
        known = read_wide(timer, offset & ~(uint64_t)HALF_BYTES, &wide);
        *value = (uint32_t)(wide >> ((offset & HALF_BYTES) != 0 ? HALF_BITS : 0));
        if (!known) {
            known = read_narrow(timer, offset, &narrow);
            *value = narrow;
        }
    }
    if (!known || !is_allowed(timer, offset)) {
        *value = 0;
    }
    return known;
}

static uint64_t timer_mmio_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct timer_mmio *timer = container_of(device, struct timer_mmio, cell.device);
    uint64_t value = 0;
    bool known;

    pthread_mutex_lock(&timer->cell.lock);
    known = read_register(timer, offset, width, &value);
    pthread_mutex_unlock(&timer->cell.lock);
    if (!known) {
        primecell_bad_access(&timer->cell, ACCESS_READ, offset, width);
    }
    return value;
}

/* A register of 64 bits that can be written, or NULL. */
static uint64_t *wide_register(struct timer_mmio *timer, uint64_t offset)
{
    switch (offset) {
    case CTL_CNTVOFF0:
        return &timer->regs.voff;
    case CNTP_CVAL:
        return &timer->regs.cval[PHYSICAL];
    case CNTV_CVAL:
        return &timer->regs.cval[VIRTUAL];
    default:
        return NULL;
    }
}

static void write_half(uint64_t *wide, uint64_t offset, uint32_t value)
{
    unsigned shift = (offset & HALF_BYTES) != 0 ? HALF_BITS : 0;

    *wide = (*wide & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* The timer value is the low half of what is left, with a sign. */
static void write_tval(struct timer_mmio *timer, enum which which, uint32_t value)
{
    timer->regs.cval[which] =
        count_of(timer, which, ticks_now()) + (uint64_t)(int64_t)(int32_t)value;
}

static void write_narrow(struct timer_mmio *timer, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case CTL_CNTACR0:
        timer->regs.acr = value & CNTACR_MASK;
        break;
    case CNTP_TVAL:
        write_tval(timer, PHYSICAL, value);
        break;
    case CNTV_TVAL:
        write_tval(timer, VIRTUAL, value);
        break;
    case CNTP_CTL:
        timer->regs.ctl[PHYSICAL] = value & (CTL_ENABLE | CTL_IMASK);
        break;
    case CNTV_CTL:
        timer->regs.ctl[VIRTUAL] = value & (CTL_ENABLE | CTL_IMASK);
        break;
    default: /* the others are read-only */
        break;
    }
}

/* To a register that is there. The caller holds the lock. */
static void write_register(struct timer_mmio *timer, uint64_t offset, enum access_width width,
                           uint64_t value)
{
    uint64_t *wide = wide_register(timer, offset & ~(uint64_t)HALF_BYTES);

    if (!is_allowed(timer, offset)) {
        return;
    }
    if (wide == NULL) {
        write_narrow(timer, offset, (uint32_t)value);
    } else if (width == ACCESS_64_BIT) {
        *wide = value;
    } else {
        write_half(wide, offset, (uint32_t)value);
    }
    settle(timer);
}

static void timer_mmio_write(struct device *device, uint64_t offset, enum access_width width,
                             uint64_t value)
{
    struct timer_mmio *timer = container_of(device, struct timer_mmio, cell.device);
    uint64_t ignored = 0;
    bool known;

    pthread_mutex_lock(&timer->cell.lock);
    known = read_register(timer, offset, width, &ignored);
    if (known) {
        write_register(timer, offset, width, value);
    }
    pthread_mutex_unlock(&timer->cell.lock);
    if (!known) {
        primecell_bad_access(&timer->cell, ACCESS_WRITE, offset, width);
    }
}

static void timer_mmio_reset(struct device *device)
{
    struct timer_mmio *timer = container_of(device, struct timer_mmio, cell.device);

    pthread_mutex_lock(&timer->cell.lock);
    memset(&timer->regs, 0, sizeof(timer->regs));
    timer->regs.acr = CNTACR_MASK;
    settle(timer);
    pthread_mutex_unlock(&timer->cell.lock);
}

/* Documentation/devicetree/bindings/timer/arm,arch_timer_mmio.yaml */
static void timer_mmio_describe(struct device *device, struct fdt_writer *writer,
                                const struct device_place *place)
{
    const uint32_t base = (uint32_t)place->base.value; /* as the frames' parent sees it */
    const uint32_t ranges[] = {base, (uint32_t)(place->base.value >> HALF_BITS), base,
                               (uint32_t)device->size_bytes};
    const uint32_t frame_reg[] = {base + FRAME_STRIDE, FRAME_BYTES};
    const uint32_t interrupts[] = {
        FDT_IRQ_SPI, place->spi + PHYSICAL, FDT_IRQ_LEVEL_HIGH,
        FDT_IRQ_SPI, place->spi + VIRTUAL,  FDT_IRQ_LEVEL_HIGH,
    };

    fdt_begin_node_at(writer, "timer", place->base.value);
    fdt_prop_string(writer, "compatible", "arm,armv7-timer-mem");
    fdt_prop_reg(writer, place->base, FRAME_BYTES);
    fdt_prop_u32(writer, "#address-cells", 1);
    fdt_prop_u32(writer, "#size-cells", 1);
    fdt_prop_cells(writer, "ranges", ranges, sizeof(ranges) / sizeof(ranges[0]));
    fdt_begin_node_at(writer, "frame", frame_reg[0]);
    fdt_prop_u32(writer, "frame-number", 0);
    fdt_prop_cells(writer, "reg", frame_reg, sizeof(frame_reg) / sizeof(frame_reg[0]));
    fdt_prop_cells(writer, "interrupts", interrupts, sizeof(interrupts) / sizeof(interrupts[0]));
    fdt_end_node(writer);
    fdt_end_node(writer);
}

static void timer_mmio_destroy(struct device *device)
{
    struct timer_mmio *timer = container_of(device, struct timer_mmio, cell.device);

    timer_alarm_finish(&timer->alarm);
    primecell_finish(&timer->cell);
    free(timer);
}

static const struct device_ops timer_mmio_ops = {
    .read = timer_mmio_read,
    .write = timer_mmio_write,
    .reset = timer_mmio_reset,
    .describe = timer_mmio_describe,
    .destroy = timer_mmio_destroy,
};

static struct device *timer_mmio_create(const struct device_resources *resources,
                                        struct error *error)
{
    struct timer_mmio *timer;

    assert(resources->irq != NULL && resources->loop != NULL);
    timer = calloc(1, sizeof(*timer));
    if (timer == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the memory-mapped timer");
        return NULL;
    }
    if (!timer_alarm_init(&timer->alarm, resources->loop, timer_mmio_class.name, timer_mmio_alarm,
                          timer, error)) {
        error_add_context(error, "cannot create the memory-mapped timer's alarm");
        free(timer);
        return NULL;
    }
    primecell_init(&timer->cell, timer_mmio_class.name, &timer_mmio_ops, resources);
    timer->cell.device.size_bytes = DEVICE_BYTES;
    timer->lines = resources->irq;
    timer->hz = (uint32_t)ticks_per_second();
    timer_mmio_reset(&timer->cell.device);
    return &timer->cell.device;
}

const struct device_class timer_mmio_class = {
    .name = "timer-mmio",
    .purpose = "memory-mapped generic timer",
    .extra_irqs = WHICH_COUNT - 1,
    .create = timer_mmio_create,
};
