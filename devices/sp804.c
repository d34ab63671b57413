// SPDX-License-Identifier: Apache-2.0
/*
 * Dual-Timer Module SP804 (ARM DDI 0271D): two down counters on the PrimeCells' clock.
 *
 * A counter is kept as a value and the tick at which it was so; every access brings it to the
 * present first. From a load to zero it takes as many steps as were loaded, and in periodic mode
 * zero and the reload are the same tick, so that the period is the load value (2.2.6) and each
 * expiry is counted from the one before: a period keeps its phase, however late it is looked at.
 * Loading zero expires at once (3.3.1), and is a period of one step.
 *
 * A write to the control register cuts the counter to the size it selects. The undefined prescale
 * divides as the largest. Both interrupts leave on one line, TIMINTC; its test outputs are those of
 * the two timers.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "monotonic_clock.h"
#include "primecell.h"
#include "tick_scale.h"
#include "timer_alarm.h"

enum {
    TIMER1 = 0x000,
    TIMER2 = 0x020,
    TIMER_COUNT = 2,
    /* in either */
    TIMER_LOAD = 0x00,
    TIMER_VALUE = 0x04,
    TIMER_CONTROL = 0x08,
    TIMER_INT_CLR = 0x0c,
    TIMER_RIS = 0x10,
    TIMER_MIS = 0x14,
    TIMER_BG_LOAD = 0x18,
    /* of both */
    TIMER_ITCR = 0xf00,
    TIMER_ITOP = 0xf04,
};

#define SP804_PERIPH_ID 0x00141804U

#define CONTROL_ONE_SHOT   (1U << 0)
#define CONTROL_32_BIT     (1U << 1)
#define CONTROL_PRE_SHIFT  2
#define CONTROL_PRE_MASK   (3U << CONTROL_PRE_SHIFT)
#define CONTROL_INT_ENABLE (1U << 5)
#define CONTROL_PERIODIC   (1U << 6)
#define CONTROL_ENABLE     (1U << 7)
#define CONTROL_MASK       0xefU
#define CONTROL_RESET      CONTROL_INT_ENABLE

#define TIMER_INT (1U << 0) /* the one bit of TIMER_RIS and TIMER_MIS */
#define ITCR_ITEN (1U << 0)
#define ITOP_MASK 3U

struct sp804_counter {
    uint32_t load; /* the next reload of periodic mode; TIMER_BG_LOAD is the same register */
    uint32_t control;
    uint32_t ris;
    uint32_t value;
    bool at_zero;   /* value is 0, and the interrupt was raised for it */
    uint64_t since; /* the tick at which value was so */
};

struct sp804_registers {
    struct sp804_counter counters[TIMER_COUNT];
    uint32_t itcr;
    uint32_t itop;
};

struct sp804 {
    struct primecell cell; /* its lock guards regs and alarm */
    struct sp804_registers regs;
    struct timer_alarm alarm;
};

/* ---- one counter ---- */

static uint32_t size_mask(const struct sp804_counter *counter)
{
    return (counter->control & CONTROL_32_BIT) != 0 ? UINT32_MAX : UINT16_MAX;
}

/* A step is so many ticks, as a power of two. */
static unsigned step_shift(const struct sp804_counter *counter)
{
    static const uint8_t shifts[] = {0, 4, 8, 8};

    return shifts[(counter->control & CONTROL_PRE_MASK) >> CONTROL_PRE_SHIFT];
}

static uint32_t masked_status(const struct sp804_counter *counter)
{
    return (counter->control & CONTROL_INT_ENABLE) != 0 ? counter->ris : 0;
}

static void raise_at_zero(struct sp804_counter *counter)
{
    if (counter->value == 0 && !counter->at_zero) {
        counter->ris = TIMER_INT;
        counter->at_zero = true;
    }
}

static void count_one_shot(struct sp804_counter *counter, uint64_t steps)
{
    counter->value -= steps < counter->value ? (uint32_t)steps : counter->value;
    raise_at_zero(counter);
}

static void count_periodic(struct sp804_counter *counter, uint64_t steps)
{
    uint32_t period = counter->load & size_mask(counter);

    raise_at_zero(counter);
    if (period == 0) {
        period = 1;
    }
    if (counter->value == 0) {
        counter->value = period;
    }
    counter->at_zero = false;
    if (steps < counter->value) {
        counter->value -= (uint32_t)steps;
        return;
    }
    counter->ris = TIMER_INT;
    counter->value = period - (uint32_t)((steps - counter->value) % period);
}

static void count_free_running(struct sp804_counter *counter, uint64_t steps)
{
    raise_at_zero(counter);
    if (steps == 0) {
        return;
    }
    /* From zero the next zero is a wrap away. */
    if (steps >= (counter->value != 0 ? counter->value : (uint64_t)size_mask(counter) + 1)) {
        counter->ris = TIMER_INT;
    }
    counter->value = (counter->value - (uint32_t)steps) & size_mask(counter);
    counter->at_zero = counter->value == 0;
}

/* Brings a counter to the present. */
static void advance(struct sp804_counter *counter, uint64_t now)
{
    unsigned shift = step_shift(counter);
    uint64_t steps = (now - counter->since) >> shift;

    if ((counter->control & CONTROL_ENABLE) == 0) {
        counter->since = now;
        return;
    }
    counter->since += steps << shift;
    if ((counter->control & CONTROL_ONE_SHOT) != 0) {
        count_one_shot(counter, steps);
    } else if ((counter->control & CONTROL_PERIODIC) != 0) {
        count_periodic(counter, steps);
    } else {
        count_free_running(counter, steps);
    }
}

/* When the interrupt output rises by itself; the counter is at the present. */
static uint64_t next_expiry_ns(const struct sp804_counter *counter)
{
    const uint32_t counting = CONTROL_ENABLE | CONTROL_INT_ENABLE;
    uint64_t steps = counter->value;

    if ((counter->control & counting) != counting || counter->ris != 0) {
        return TIMER_ALARM_NEVER;
    }
    if (steps == 0 && (counter->control & CONTROL_ONE_SHOT) != 0) {
        return TIMER_ALARM_NEVER;
    }
    if (steps == 0) {
        steps = (uint64_t)size_mask(counter) + 1;
    }
    return ticks_to_ns(counter->since + (steps << step_shift(counter)), FDT_CLOCK_HZ);
}

static uint32_t counter_read(const struct sp804_counter *counter, uint64_t offset)
{
    switch (offset) {
    case TIMER_LOAD:
    case TIMER_BG_LOAD:
        return counter->load;
    case TIMER_VALUE:
        return counter->value;
    case TIMER_CONTROL:
        return counter->control;
    case TIMER_RIS:
        return counter->ris;
    case TIMER_MIS:
        return masked_status(counter);
    default: /* TIMER_INT_CLR */
        return 0;
    }
}

static void write_control(struct sp804_counter *counter, uint32_t value, uint64_t now)
{
    uint32_t changed = counter->control ^ value;

    if ((changed & (CONTROL_ENABLE | CONTROL_PRE_MASK)) != 0) {
        counter->since = now; /* the divider starts anew */
    }
    counter->control = value & CONTROL_MASK;
    counter->value &= size_mask(counter);
}

static void counter_write(struct sp804_counter *counter, uint64_t offset, uint32_t value,
                          uint64_t now)
{
    switch (offset) {
    case TIMER_LOAD:
        counter->load = value;
        counter->value = value & size_mask(counter);
        counter->at_zero = false;
        counter->since = now;
        break;
    case TIMER_BG_LOAD:
        counter->load = value;
        break;
    case TIMER_CONTROL:
        write_control(counter, value, now);
        break;
    case TIMER_INT_CLR:
        counter->ris = 0;
        break;
    default: /* the others are read-only */
        break;
    }
    advance(counter, now); /* what was loaded may be zero */
}

/* ---- both ---- */

/* The interrupt output and the alarm follow the counters, which are at the present. */
static void settle(struct sp804 *sp804, uint64_t now_ns)
{
    const struct sp804_registers *regs = &sp804->regs;
    uint64_t deadline_ns = TIMER_ALARM_NEVER;
    uint32_t outputs = 0;

    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        uint64_t expiry_ns = next_expiry_ns(&regs->counters[i]);

        outputs |= masked_status(&regs->counters[i]) << i;
        deadline_ns = expiry_ns < deadline_ns ? expiry_ns : deadline_ns;
    }
    if ((regs->itcr & ITCR_ITEN) != 0) {
        outputs = regs->itop;
    }
    primecell_set_irq(&sp804->cell, outputs != 0);
    timer_alarm_set(&sp804->alarm, deadline_ns, now_ns);
}

static void advance_all(struct sp804 *sp804, uint64_t now_ns)
{
    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        advance(&sp804->regs.counters[i], ticks_of_ns(now_ns, FDT_CLOCK_HZ));
    }
}

static void sp804_alarm(struct event_timer *timer)
{
    struct sp804 *sp804 = timer->context;
    uint64_t now_ns;

    pthread_mutex_lock(&sp804->cell.lock);
    now_ns = monotonic_clock_now_ns();
    timer_alarm_begin(&sp804->alarm, now_ns);
    advance_all(sp804, now_ns);
    settle(sp804, now_ns);
    pthread_mutex_unlock(&sp804->cell.lock);
}

/* The counter whose register is at the offset, or NULL. */
static struct sp804_counter *counter_at(struct sp804 *sp804, uint64_t offset)
{
    if (offset % TIMER2 > TIMER_BG_LOAD || offset / TIMER2 >= TIMER_COUNT) {
        return NULL;
    }
    return &sp804->regs.counters[offset / TIMER2];
}

/* False if no register is there. The caller holds the lock. */
static bool read_register(struct sp804 *sp804, uint64_t offset, uint32_t *value)
{
    const struct sp804_counter *counter = counter_at(sp804, offset);

    if (counter != NULL) {
        *value = counter_read(counter, offset % TIMER2);
        return true;
    }
    switch (offset) {
    case TIMER_ITCR:
        *value = sp804->regs.itcr;
        return true;
    case TIMER_ITOP: /* write only */
        *value = 0;
        return true;
    default:
        *value = primecell_offset_is_id(offset) ? primecell_read_id(SP804_PERIPH_ID, offset) : 0;
        return primecell_offset_is_id(offset);
    }
}

/* False if no register is there. The caller holds the lock. */
static bool write_register(struct sp804 *sp804, uint64_t offset, uint32_t value, uint64_t now)
{
    struct sp804_counter *counter = counter_at(sp804, offset);

    if (counter != NULL) {
        counter_write(counter, offset % TIMER2, value, now);
        return true;
    }
    switch (offset) {
    case TIMER_ITCR:
        sp804->regs.itcr = value & ITCR_ITEN;
        return true;
    case TIMER_ITOP:
        sp804->regs.itop = value & ITOP_MASK;
        return true;
    default:
        return primecell_offset_is_id(offset);
    }
}

static uint64_t sp804_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct sp804 *sp804 = container_of(device, struct sp804, cell.device);
    uint32_t value = 0;
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&sp804->cell.lock);
        uint64_t now_ns = monotonic_clock_now_ns();
        advance_all(sp804, now_ns);
        known = read_register(sp804, offset, &value);
        settle(sp804, now_ns);
        pthread_mutex_unlock(&sp804->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&sp804->cell, ACCESS_READ, offset, width);
    }
    return value;
}

static void sp804_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct sp804 *sp804 = container_of(device, struct sp804, cell.device);
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&sp804->cell.lock);
        uint64_t now_ns = monotonic_clock_now_ns();
        advance_all(sp804, now_ns);
        known = write_register(sp804, offset, (uint32_t)value, ticks_of_ns(now_ns, FDT_CLOCK_HZ));
        settle(sp804, now_ns);
        pthread_mutex_unlock(&sp804->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&sp804->cell, ACCESS_WRITE, offset, width);
    }
}

static void sp804_reset(struct device *device)
{
    struct sp804 *sp804 = container_of(device, struct sp804, cell.device);

    pthread_mutex_lock(&sp804->cell.lock);
    memset(&sp804->regs, 0, sizeof(sp804->regs));
    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        sp804->regs.counters[i].control = CONTROL_RESET;
        sp804->regs.counters[i].value = UINT32_MAX;
    }
    settle(sp804, monotonic_clock_now_ns());
    pthread_mutex_unlock(&sp804->cell.lock);
}

/* Documentation/devicetree/bindings/timer/arm,sp804.yaml */
static void sp804_describe(struct device *device, struct fdt_writer *writer,
                           const struct device_place *place)
{
    static const char compatible[] = "arm,sp804\0arm,primecell";
    static const uint32_t clocks[] = {FDT_PHANDLE_CLOCK, FDT_PHANDLE_CLOCK, FDT_PHANDLE_CLOCK};
    const struct sp804 *sp804 = container_of(device, struct sp804, cell.device);

    primecell_begin_node(&sp804->cell, writer, place, "timer", compatible, sizeof(compatible));
    fdt_prop_cells(writer, "clocks", clocks, sizeof(clocks) / sizeof(clocks[0]));
    FDT_PROP_STRINGS(writer, "clock-names", "timer1\0timer2\0apb_pclk");
    fdt_end_node(writer);
}

static void sp804_destroy(struct device *device)
{
    struct sp804 *sp804 = container_of(device, struct sp804, cell.device);

    timer_alarm_finish(&sp804->alarm);
    primecell_finish(&sp804->cell);
    free(sp804);
}

static const struct device_ops sp804_ops = {
    .read = sp804_read,
    .write = sp804_write,
    .reset = sp804_reset,
    .describe = sp804_describe,
    .destroy = sp804_destroy,
};

static struct device *sp804_create(const struct device_resources *resources, struct error *error)
{
    struct sp804 *sp804;

    assert(resources->irq != NULL && resources->loop != NULL);
    sp804 = calloc(1, sizeof(*sp804));
    if (sp804 == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the dual timer");
        return NULL;
    }
    if (!timer_alarm_init(&sp804->alarm, resources->loop, sp804_class.name, sp804_alarm, sp804,
                          error)) {
        error_add_context(error, "cannot create the dual timer's alarm");
        free(sp804);
        return NULL;
    }
    primecell_init(&sp804->cell, sp804_class.name, &sp804_ops, resources);
    sp804_reset(&sp804->cell.device);
    return &sp804->cell.device;
}

const struct device_class sp804_class = {
    .name = "sp804",
    .purpose = "dual timer",
    .create = sp804_create,
};
