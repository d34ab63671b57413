// SPDX-License-Identifier: Apache-2.0
/*
 * PrimeCell Real Time Clock PL031 r1p3 (ARM DDI 0224C).
 *
 * The counter is the host's time of day plus what the guest has loaded, in seconds modulo 2^32, and
 * ticks when the host's seconds do. It runs from reset, as firmware would have started it. The
 * interrupt is raised when the counter comes to equal the match register, or a write makes it so;
 * a step of the host's clock across the match counts as having met it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/event_loop.h"
#include "builtin.h"
#include "primecell.h"
#include "wall_clock.h"

enum {
    RTCDR = 0x000,
    RTCMR = 0x004,
    RTCLR = 0x008,
    RTCCR = 0x00c,
    RTCIMSC = 0x010,
    RTCRIS = 0x014,
    RTCMIS = 0x018,
    RTCICR = 0x01c,
};

#define PL031_PERIPH_ID 0x00141031U

#define RTCCR_START (1U << 0)
#define RTCINTR     (1U << 0) /* the one bit of RTCIMSC, RTCRIS, RTCMIS and RTCICR */

static const uint64_t COUNTER_SECONDS = UINT64_C(1) << 32;

struct pl031_registers {
    uint32_t offset; /* of the counter from the host's seconds */
    uint32_t mr;
    uint32_t lr;
    uint32_t imsc;
    uint32_t ris;
};

struct pl031 {
    struct primecell cell; /* its lock guards regs, seen_s and timer_armed */
    struct pl031_registers regs;
    uint64_t seen_s; /* host seconds up to which a match has been looked for */
    bool timer_armed;
    struct event_timer timer;
};

static uint32_t counter(const struct pl031 *pl031)
{
    return (uint32_t)pl031->seen_s + pl031->regs.offset;
}

/* Brings the counter to the present, past the match register or not. */
static void advance(struct pl031 *pl031)
{
    uint64_t now_s = wall_clock_now_ns() / NANOSECONDS_PER_SECOND;
    uint32_t until_match = pl031->regs.mr - counter(pl031);

    if (until_match != 0 && now_s > pl031->seen_s && now_s - pl031->seen_s >= until_match) {
        pl031->regs.ris = RTCINTR;
    }
    pl031->seen_s = now_s;
}

/* After the counter or the match register was written. */
static void match_at_once(struct pl031 *pl031)
{
    if (counter(pl031) == pl031->regs.mr) {
        pl031->regs.ris = RTCINTR;
    }
}

static void arm_timer(struct pl031 *pl031)
{
    uint64_t now_ns = wall_clock_now_ns();
    uint32_t now = (uint32_t)(now_ns / NANOSECONDS_PER_SECOND) + pl031->regs.offset;
    uint64_t seconds = pl031->regs.mr - now;

    if (seconds == 0) {
        seconds = COUNTER_SECONDS;
    }
    event_timer_arm(&pl031->timer,
                    seconds * NANOSECONDS_PER_SECOND - now_ns % NANOSECONDS_PER_SECOND);
    pl031->timer_armed = true;
}

/*
 * The interrupt output and the timer follow the state. A match that can't be seen on the output
 * needs no timer: reading the registers finds it.
 */
static void settle(struct pl031 *pl031)
{
    const struct pl031_registers *regs = &pl031->regs;

    primecell_set_irq(&pl031->cell, (regs->ris & regs->imsc) != 0);
    if (regs->imsc != 0 && regs->ris == 0) {
        arm_timer(pl031);
    } else if (pl031->timer_armed) {
        event_timer_disarm(&pl031->timer);
        pl031->timer_armed = false;
    }
}

static void pl031_timer_fired(struct event_timer *timer)
{
    struct pl031 *pl031 = timer->context;

    pthread_mutex_lock(&pl031->cell.lock);
    advance(pl031);
    settle(pl031);
    pthread_mutex_unlock(&pl031->cell.lock);
}

/* False if no register is there. The caller holds the lock. */
static bool read_register(const struct pl031 *pl031, uint64_t offset, uint32_t *value)
{
    const struct pl031_registers *regs = &pl031->regs;

    switch (offset) {
    case RTCDR:
        *value = counter(pl031);
        return true;
    case RTCMR:
        *value = regs->mr;
        return true;
    case RTCLR:
        *value = regs->lr;
        return true;
    case RTCCR:
        *value = RTCCR_START;
        return true;
    case RTCIMSC:
        *value = regs->imsc;
        return true;
    case RTCRIS:
        *value = regs->ris;
        return true;
    case RTCMIS:
        *value = regs->ris & regs->imsc;
        return true;
    case RTCICR:
        *value = 0;
        return true;
    default:
        *value = primecell_offset_is_id(offset) ? primecell_read_id(PL031_PERIPH_ID, offset) : 0;
        return primecell_offset_is_id(offset);
    }
}

static uint64_t pl031_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct pl031 *pl031 = container_of(device, struct pl031, cell.device);
    uint32_t value = 0;
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl031->cell.lock);
        advance(pl031);
        known = read_register(pl031, offset, &value);
        primecell_set_irq(&pl031->cell, (pl031->regs.ris & pl031->regs.imsc) != 0);
        pthread_mutex_unlock(&pl031->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&pl031->cell, ACCESS_READ, offset, width);
    }
    return value;
}

/* False if no register is there. The caller holds the lock. */
static bool write_register(struct pl031 *pl031, uint64_t offset, uint32_t value)
{
    struct pl031_registers *regs = &pl031->regs;

    switch (offset) {
    case RTCMR:
        regs->mr = value;
        match_at_once(pl031);
        return true;
    case RTCLR:
        regs->lr = value;
        regs->offset = value - (uint32_t)pl031->seen_s;
        match_at_once(pl031);
        return true;
    case RTCIMSC:
        regs->imsc = value & RTCINTR;
        return true;
    case RTCICR:
        regs->ris &= ~value;
        return true;
    case RTCDR:
    case RTCCR: /* once started, writes have no effect until reset */
    case RTCRIS:
    case RTCMIS:
        return true;
    default:
        return primecell_offset_is_id(offset);
    }
}

static void pl031_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct pl031 *pl031 = container_of(device, struct pl031, cell.device);
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl031->cell.lock);
        advance(pl031);
        known = write_register(pl031, offset, (uint32_t)value);
        settle(pl031);
        pthread_mutex_unlock(&pl031->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&pl031->cell, ACCESS_WRITE, offset, width);
    }
}

/* The counter is the host's time of day again. */
static void pl031_reset(struct device *device)
{
    struct pl031 *pl031 = container_of(device, struct pl031, cell.device);

    pthread_mutex_lock(&pl031->cell.lock);
    memset(&pl031->regs, 0, sizeof(pl031->regs));
    pl031->seen_s = wall_clock_now_ns() / NANOSECONDS_PER_SECOND;
    settle(pl031);
    pthread_mutex_unlock(&pl031->cell.lock);
}

/* Documentation/devicetree/bindings/rtc/arm,pl031.yaml */
static void pl031_describe(struct device *device, struct fdt_writer *writer,
                           const struct device_place *place)
{
    static const char compatible[] = "arm,pl031\0arm,primecell";
    const struct pl031 *pl031 = container_of(device, struct pl031, cell.device);

    primecell_begin_node(&pl031->cell, writer, place, "pl031", compatible, sizeof(compatible));
    fdt_prop_u32(writer, "clocks", FDT_PHANDLE_CLOCK);
    fdt_prop_string(writer, "clock-names", "apb_pclk");
    fdt_end_node(writer);
}

static void pl031_destroy(struct device *device)
{
    struct pl031 *pl031 = container_of(device, struct pl031, cell.device);

    event_timer_finish(&pl031->timer);
    primecell_finish(&pl031->cell);
    free(pl031);
}

static const struct device_ops pl031_ops = {
    .read = pl031_read,
    .write = pl031_write,
    .reset = pl031_reset,
    .describe = pl031_describe,
    .destroy = pl031_destroy,
};

static struct device *pl031_create(const struct device_resources *resources, struct error *error)
{
    struct pl031 *pl031;

    assert(resources->irq != NULL && resources->loop != NULL);
    pl031 = calloc(1, sizeof(*pl031));
    if (pl031 == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the real-time clock");
        return NULL;
    }
    if (!event_timer_init(&pl031->timer, resources->loop, pl031_timer_fired, pl031, error)) {
        error_add_context(error, "cannot create the real-time clock's timer");
        free(pl031);
        return NULL;
    }
    pl031->timer.name = "pl031 alarm";
    primecell_init(&pl031->cell, pl031_class.name, &pl031_ops, resources);
    pl031_reset(&pl031->cell.device);
    return &pl031->cell.device;
}

const struct device_class pl031_class = {
    .name = "pl031",
    .purpose = "real-time clock",
    .create = pl031_create,
};
