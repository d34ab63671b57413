// SPDX-License-Identifier: Apache-2.0
/* The memory-mapped Generic Timer (DDI 0487, chapter I2): CNTCTLBase and one timer frame. */
#include "guest.h"

const char guest_name[] = "timer_mmio";

/* CNTCTLBase, for frame 0 */
enum { CNTFRQ_CTL = 0x000, CNTTIDR = 0x008, CNTACR = 0x040, CNTVOFF_CTL = 0x080 };

enum { TIDR_FRAME0_VIRTUAL = 3, ACR_ALL = 0x3f, ACR_RPCT = 1 << 0, ACR_RWPT = 1 << 5 };

/* CNTBase0 */
enum {
    CNTPCT = 0x000,
    CNTVCT = 0x008,
    CNTFRQ = 0x010,
    CNTVOFF = 0x018,
    CNTP_CVAL = 0x020,
    CNTP_TVAL = 0x028,
    CNTP_CTL = 0x02c,
    CNTV_CVAL = 0x030,
    CNTV_TVAL = 0x038,
    CNTV_CTL = 0x03c,
    HALF = 4,
};

enum { CTL_ENABLE = 1 << 0, CTL_IMASK = 1 << 1, CTL_ISTATUS = 1 << 2 };

enum { SHORT_MS = 5, SOON_MS = 5000, QUIET_US = 2000, TIMERS = 20, SECOND_MS = 1000 };

struct timer {
    uint64_t count, cval, tval, ctl;
    const uint32_t *intid;
};

static const struct timer physical = {CNTPCT, CNTP_CVAL, CNTP_TVAL, CNTP_CTL,
                                      &machine.frame_physical_intid};
static const struct timer virtual = {CNTVCT, CNTV_CVAL, CNTV_TVAL, CNTV_CTL,
                                     &machine.frame_virtual_intid};

static struct {
    const struct timer *timer;
    volatile uint32_t interrupts;
    volatile uint64_t count;
    volatile uint32_t ctl;
} seen;

static uint32_t get(uint64_t offset)
{
    return read32(machine.timer_frame + offset);
}

static uint64_t get64(uint64_t offset)
{
    return read64(machine.timer_frame + offset);
}

static void put(uint64_t offset, uint32_t value)
{
    write32(machine.timer_frame + offset, value);
}

static void put64(uint64_t offset, uint64_t value)
{
    write64(machine.timer_frame + offset, value);
}

static void on_interrupt(uint32_t intid)
{
    seen.count = get64(seen.timer->count);
    seen.ctl = get(seen.timer->ctl);
    put(seen.timer->ctl, CTL_ENABLE | CTL_IMASK);
    CHECK_EQ(intid, *seen.timer->intid);
    seen.interrupts = seen.interrupts + 1;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return seen.interrupts != 0;
}

static uint64_t ticks_of_ms(uint32_t milliseconds)
{
    return ticks_per_second() * milliseconds / SECOND_MS;
}

static void check_control_frame(void)
{
    CHECK_EQ(read32(machine.timer_control + CNTTIDR), TIDR_FRAME0_VIRTUAL);
    CHECK_EQ(read32(machine.timer_control + CNTFRQ_CTL), ticks_per_second());
    CHECK_EQ(get(CNTFRQ), ticks_per_second());
    write32(machine.timer_control + CNTACR, 0);
    CHECK_EQ(get(CNTFRQ), 0);
    CHECK_EQ(get64(CNTPCT), 0);
    write32(machine.timer_control + CNTACR, ACR_RPCT);
    CHECK(get64(CNTPCT) != 0);
    CHECK_EQ(get64(CNTVCT), 0);
    put64(CNTP_CVAL, 5);
    write32(machine.timer_control + CNTACR, UINT32_MAX);
    CHECK_EQ(read32(machine.timer_control + CNTACR), ACR_ALL);
    CHECK_EQ(get64(CNTP_CVAL), 0);
}

/* The counts go as the CPU's own counter does. */
static void check_counters(void)
{
    uint64_t before = ticks_now();
    uint64_t start = get64(CNTPCT);
    uint64_t between = ticks_now();
    spin_microseconds(QUIET_US);
    uint64_t later = ticks_now();
    uint64_t end = get64(CNTPCT);
    uint64_t after = ticks_now();

    CHECK(end - start >= later - between);
    CHECK(end - start <= after - before);
    CHECK(get64(CNTVCT) >= end); /* no offset */
    CHECK_EQ(get(CNTPCT + HALF), get64(CNTPCT) >> 32);
    write64(machine.timer_control + CNTVOFF_CTL, end);
    CHECK_EQ(get64(CNTVOFF), end);
    CHECK(get64(CNTVCT) < get64(CNTPCT));
    write64(machine.timer_control + CNTVOFF_CTL, 0);
}

static void check_registers(const struct timer *timer)
{
    put64(timer->cval, 0x1122334455667788);
    CHECK_EQ(get(timer->cval), 0x55667788);
    CHECK_EQ(get(timer->cval + HALF), 0x11223344);
    put(timer->cval + HALF, 0x7fffffff);
    CHECK_EQ(get64(timer->cval), 0x7fffffff55667788);
    put(timer->ctl, CTL_ENABLE | CTL_IMASK);
    CHECK_EQ(get(timer->ctl), CTL_ENABLE | CTL_IMASK);
    put64(timer->cval, 0);
    CHECK_EQ(get(timer->ctl), CTL_ENABLE | CTL_IMASK | CTL_ISTATUS);
    CHECK((int32_t)get(timer->tval) != 0);
    put(timer->ctl, 0);
}

/* Interrupts once, not before the compare value. */
static void check_interrupt(const struct timer *timer)
{
    seen.timer = timer;
    seen.interrupts = 0;
    put(timer->ctl, CTL_ENABLE);
    CHECK(wait_until(is_interrupted, NULL, SOON_MS));
    CHECK(seen.count >= get64(timer->cval));
    CHECK_EQ(seen.ctl, CTL_ENABLE | CTL_ISTATUS);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 1);
    put(timer->ctl, 0);
}

static void check_interrupts(const struct timer *timer)
{
    gic_set_edge(*timer->intid, false);
    gic_enable(*timer->intid);
    for (uint32_t i = 0; i < TIMERS; i++) {
        if (i % 2 == 0)
            put64(timer->cval, get64(timer->count) + ticks_of_ms(SHORT_MS));
        else
            put(timer->tval, (uint32_t)ticks_of_ms(SHORT_MS));
        check_interrupt(timer);
    }
    put64(timer->cval, 0); /* has been met */
    check_interrupt(timer);
}

void guest_main(void)
{
    check_control_frame();
    check_counters();
    check_registers(&physical);
    check_registers(&virtual);
    gic_init(on_interrupt);
    interrupts_unmask();
    check_interrupts(&physical);
    check_interrupts(&virtual);
    interrupts_mask();
}
