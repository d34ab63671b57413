// SPDX-License-Identifier: Apache-2.0
/*
 * Watchdog Module SP805 (ARM DDI 0270B): a down counter on the PrimeCells' clock. At its first zero
 * it interrupts and starts again; at the next, if nobody has cleared the interrupt and RESEN is
 * set, it bites: WDOGRES rises, and stays so until a reset.
 *
 * A program that lets both zeros pass is not to be blamed if armlet did not run in between, as
 * after SIGSTOP: the bite comes a whole period after the interrupt was given, not before.
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
    WDOG_LOAD = 0x000,
    WDOG_VALUE = 0x004,
    WDOG_CONTROL = 0x008,
    WDOG_INT_CLR = 0x00c,
    WDOG_RIS = 0x010,
    WDOG_MIS = 0x014,
    WDOG_LOCK = 0xc00,
    WDOG_ITCR = 0xf00,
    WDOG_ITOP = 0xf04,
};

#define SP805_PERIPH_ID 0x00141805U

#define CONTROL_INTEN (1U << 0) /* counts and interrupts */
#define CONTROL_RESEN (1U << 1)
#define CONTROL_MASK  3U

#define WDOG_INT     (1U << 0) /* the one bit of WDOG_RIS and WDOG_MIS */
#define LOCK_KEY     0x1acce551U
#define ITCR_ITEN    (1U << 0)
#define ITOP_WDOGRES (1U << 0)
#define ITOP_WDOGINT (1U << 1)
#define ITOP_MASK    3U

struct sp805_registers {
    uint32_t load;
    uint32_t control;
    uint32_t ris;
    uint32_t value;
    uint64_t since; /* the tick at which value was so */
    bool bitten;
    bool locked;
    uint32_t itcr;
    uint32_t itop;
};

struct sp805 {
    struct primecell cell; /* its lock guards regs, alarm and reset_level */
    struct sp805_registers regs;
    struct timer_alarm alarm;
    struct irq_line *reset_request; /* WDOGRES; NULL: leads nowhere */
    bool reset_level;               /* what was last driven onto it */
};

static bool is_counting(const struct sp805_registers *regs)
{
    return (regs->control & CONTROL_INTEN) != 0 && !regs->bitten;
}

static uint32_t masked_status(const struct sp805_registers *regs)
{
    return (regs->control & CONTROL_INTEN) != 0 ? regs->ris : 0;
}

/* Brings the counter to the present, over one zero at most. */
static void advance(struct sp805_registers *regs, uint64_t now)
{
    uint64_t steps = now - regs->since;
    uint32_t period = regs->load != 0 ? regs->load : 1;

    regs->since = now;
    if (!is_counting(regs)) {
        return;
    }
    if (steps < regs->value) {
        regs->value -= (uint32_t)steps;
        return;
    }
    if (regs->ris != 0 && (regs->control & CONTROL_RESEN) != 0) {
        regs->bitten = true;
        regs->value = 0;
        return;
    }
    steps -= regs->value;
    regs->value = period - (uint32_t)(steps < period ? steps : 0);
    regs->ris = WDOG_INT;
}

/* The interrupt output, the reset output and the alarm follow the counter of the present. */
static void settle(struct sp805 *sp805, uint64_t now_ns)
{
    const struct sp805_registers *regs = &sp805->regs;
    uint64_t deadline_ns = TIMER_ALARM_NEVER;
    bool test = (regs->itcr & ITCR_ITEN) != 0;
    bool reset = test ? (regs->itop & ITOP_WDOGRES) != 0 : regs->bitten;

    if (is_counting(regs) && (regs->ris == 0 || (regs->control & CONTROL_RESEN) != 0)) {
        deadline_ns = ticks_to_ns(regs->since + regs->value, FDT_CLOCK_HZ);
    }
    primecell_set_irq(&sp805->cell,
                      test ? (regs->itop & ITOP_WDOGINT) != 0 : masked_status(regs) != 0);
    if (sp805->reset_request != NULL && reset != sp805->reset_level) {
        sp805->reset_level = reset;
        irq_line_set(sp805->reset_request, reset);
    }
    timer_alarm_set(&sp805->alarm, deadline_ns, now_ns);
}

static void sp805_alarm(struct event_timer *timer)
{
    struct sp805 *sp805 = timer->context;
    uint64_t now_ns;

    pthread_mutex_lock(&sp805->cell.lock);
    now_ns = monotonic_clock_now_ns();
    timer_alarm_begin(&sp805->alarm, now_ns);
    advance(&sp805->regs, ticks_of_ns(now_ns, FDT_CLOCK_HZ));
    settle(sp805, now_ns);
    pthread_mutex_unlock(&sp805->cell.lock);
}

/* False if no register is there. */
static bool read_register(const struct sp805_registers *regs, uint64_t offset, uint32_t *value)
{
    switch (offset) {
    case WDOG_LOAD:
        *value = regs->load;
        return true;
    case WDOG_VALUE:
        *value = regs->value;
        return true;
    case WDOG_CONTROL:
        *value = regs->control;
        return true;
    case WDOG_RIS:
        *value = regs->ris;
        return true;
    case WDOG_MIS:
        *value = masked_status(regs);
        return true;
    case WDOG_LOCK:
        *value = regs->locked;
        return true;
    case WDOG_ITCR:
        *value = regs->itcr;
        return true;
    case WDOG_INT_CLR: /* these two are write only */
    case WDOG_ITOP:
        *value = 0;
        return true;
    default:
        *value = primecell_offset_is_id(offset) ? primecell_read_id(SP805_PERIPH_ID, offset) : 0;
        return primecell_offset_is_id(offset);
    }
}

static uint64_t sp805_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct sp805 *sp805 = container_of(device, struct sp805, cell.device);
    uint32_t value = 0;
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&sp805->cell.lock);
        uint64_t now_ns = monotonic_clock_now_ns();
        advance(&sp805->regs, ticks_of_ns(now_ns, FDT_CLOCK_HZ));
        known = read_register(&sp805->regs, offset, &value);
        settle(sp805, now_ns);
        pthread_mutex_unlock(&sp805->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&sp805->cell, ACCESS_READ, offset, width);
    }
    return value;
}

static void write_control(struct sp805_registers *regs, uint32_t value)
{
    if ((value & ~regs->control & CONTROL_INTEN) != 0) {
        regs->value = regs->load;
    }
    regs->control = value & CONTROL_MASK;
}

/* False if no register is there. The counter is at the present. */
static bool write_register(struct sp805_registers *regs, uint64_t offset, uint32_t value)
{
    if (offset == WDOG_LOCK) {
        regs->locked = value != LOCK_KEY;
        return true;
    }
    switch (offset) {
    case WDOG_VALUE: /* these three are read-only */
    case WDOG_RIS:
    case WDOG_MIS:
        return true;
    case WDOG_LOAD:
    case WDOG_CONTROL:
    case WDOG_INT_CLR:
    case WDOG_ITCR:
    case WDOG_ITOP:
        break;
    default:
        return primecell_offset_is_id(offset);
    }
    if (regs->locked) {
        return true;
    }
    switch (offset) {
    case WDOG_LOAD:
        regs->load = value;
        regs->value = value;
        break;
    case WDOG_CONTROL:
        write_control(regs, value);
        break;
    case WDOG_INT_CLR:
        regs->ris = 0;
        regs->value = regs->load;
        break;
    case WDOG_ITCR:
        regs->itcr = value & ITCR_ITEN;
        break;
    default: /* WDOG_ITOP */
        regs->itop = value & ITOP_MASK;
        break;
    }
    return true;
}

static void sp805_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct sp805 *sp805 = container_of(device, struct sp805, cell.device);
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&sp805->cell.lock);
        uint64_t now_ns = monotonic_clock_now_ns();
        uint64_t now = ticks_of_ns(now_ns, FDT_CLOCK_HZ);
        advance(&sp805->regs, now);
        known = write_register(&sp805->regs, offset, (uint32_t)value);
        advance(&sp805->regs, now); /* what was loaded may be zero */
        settle(sp805, now_ns);
        pthread_mutex_unlock(&sp805->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&sp805->cell, ACCESS_WRITE, offset, width);
    }
}

static void sp805_reset(struct device *device)
{
    struct sp805 *sp805 = container_of(device, struct sp805, cell.device);

    pthread_mutex_lock(&sp805->cell.lock);
    memset(&sp805->regs, 0, sizeof(sp805->regs));
    sp805->regs.load = UINT32_MAX;
    sp805->regs.value = UINT32_MAX;
    settle(sp805, monotonic_clock_now_ns());
    pthread_mutex_unlock(&sp805->cell.lock);
}

/* Documentation/devicetree/bindings/watchdog/arm,sp805.yaml */
static void sp805_describe(struct device *device, struct fdt_writer *writer,
                           const struct device_place *place)
{
    static const char compatible[] = "arm,sp805\0arm,primecell";
    static const uint32_t clocks[] = {FDT_PHANDLE_CLOCK, FDT_PHANDLE_CLOCK};
    const struct sp805 *sp805 = container_of(device, struct sp805, cell.device);

    primecell_begin_node(&sp805->cell, writer, place, "watchdog", compatible, sizeof(compatible));
    fdt_prop_cells(writer, "clocks", clocks, sizeof(clocks) / sizeof(clocks[0]));
    FDT_PROP_STRINGS(writer, "clock-names", "wdog_clk\0apb_pclk");
    fdt_end_node(writer);
}

static void sp805_destroy(struct device *device)
{
    struct sp805 *sp805 = container_of(device, struct sp805, cell.device);

    timer_alarm_finish(&sp805->alarm);
    primecell_finish(&sp805->cell);
    free(sp805);
}

static const struct device_ops sp805_ops = {
    .read = sp805_read,
    .write = sp805_write,
    .reset = sp805_reset,
    .describe = sp805_describe,
    .destroy = sp805_destroy,
};

static struct device *sp805_create(const struct device_resources *resources, struct error *error)
{
    struct sp805 *sp805;

    assert(resources->irq != NULL && resources->loop != NULL);
    sp805 = calloc(1, sizeof(*sp805));
    if (sp805 == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the watchdog");
        return NULL;
    }
    if (!timer_alarm_init(&sp805->alarm, resources->loop, sp805_class.name, sp805_alarm, sp805,
                          error)) {
        error_add_context(error, "cannot create the watchdog's alarm");
        free(sp805);
        return NULL;
    }
    primecell_init(&sp805->cell, sp805_class.name, &sp805_ops, resources);
    sp805->reset_request = resources->reset_request;
    sp805_reset(&sp805->cell.device);
    return &sp805->cell.device;
}

const struct device_class sp805_class = {
    .name = "sp805",
    .purpose = "watchdog, see --watchdog",
    .create = sp805_create,
};
