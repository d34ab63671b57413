// SPDX-License-Identifier: Apache-2.0
/* The generic timer (DDI0487, D11): the counters, and the virtual and physical timer of EL1. */
#include "guest.h"

const char guest_name[] = "timer";

/* CNTP_CTL_EL0 and CNTV_CTL_EL0. */
enum { CTL_ENABLE = 1 << 0, CTL_IMASK = 1 << 1, CTL_ISTATUS = 1 << 2 };

enum {
    MICROSECONDS_PER_SECOND = 1000000,
    SHORT_US = 50,
    SHORT_TIMERS = 100,
    LONG_US = 20000,
    QUIET_US = 2000,
    FAR_SECONDS = 3600,
    SOON_MS = 2000,
    COUNTER_READS = 10000,
    LEAST_HZ = 1000000, /* DDI0487, D11.1.1: typically 1 MHz and up */
};

struct timer {
    const char *name;
    const uint32_t *intid;
    uint64_t (*now)(void);
    uint64_t (*control)(void);
    void (*set_control)(uint64_t control);
    uint64_t (*compare_value)(void);
    void (*set_compare_value)(uint64_t ticks);
    int32_t (*timer_value)(void);
    void (*set_timer_value)(int32_t ticks);
};

/* What the interrupt handler tells. */
static struct {
    const struct timer *timer;
    volatile uint32_t interrupts;
    volatile uint64_t time;
    volatile uint64_t control;
} seen;

#define DEFINE_TIMER(kind, letter, count)                                                          \
    static uint64_t kind##_now(void)                                                               \
    {                                                                                              \
        __asm__ volatile("isb" : : : "memory");                                                    \
        return READ_SYSREG(count);                                                                 \
    }                                                                                              \
    static uint64_t kind##_control(void)                                                           \
    {                                                                                              \
        return READ_SYSREG(cnt##letter##_ctl_el0);                                                 \
    }                                                                                              \
    static void kind##_set_control(uint64_t control)                                               \
    {                                                                                              \
        WRITE_SYSREG(cnt##letter##_ctl_el0, control);                                              \
    }                                                                                              \
    static uint64_t kind##_compare_value(void)                                                     \
    {                                                                                              \
        return READ_SYSREG(cnt##letter##_cval_el0);                                                \
    }                                                                                              \
    static void kind##_set_compare_value(uint64_t ticks)                                           \
    {                                                                                              \
        WRITE_SYSREG(cnt##letter##_cval_el0, ticks);                                               \
    }                                                                                              \
    static int32_t kind##_timer_value(void)                                                        \
    {                                                                                              \
        return (int32_t)READ_SYSREG(cnt##letter##_tval_el0);                                       \
    }                                                                                              \
    static void kind##_set_timer_value(int32_t ticks)                                              \
    {                                                                                              \
        WRITE_SYSREG(cnt##letter##_tval_el0, ticks);                                               \
    }                                                                                              \
    static const struct timer kind##_timer = {                                                     \
        .name = #kind,                                                                             \
        .intid = &machine.kind##_timer_intid,                                                      \
        .now = kind##_now,                                                                         \
        .control = kind##_control,                                                                 \
        .set_control = kind##_set_control,                                                         \
        .compare_value = kind##_compare_value,                                                     \
        .set_compare_value = kind##_set_compare_value,                                             \
        .timer_value = kind##_timer_value,                                                         \
        .set_timer_value = kind##_set_timer_value,                                                 \
    }

DEFINE_TIMER(virtual, v, cntvct_el0);
DEFINE_TIMER(physical, p, cntpct_el0);

static uint64_t ticks_of(uint32_t microseconds)
{
    return ticks_per_second() * microseconds / MICROSECONDS_PER_SECOND;
}

static void on_interrupt(uint32_t intid)
{
    seen.time = seen.timer->now();
    seen.control = seen.timer->control();
    seen.timer->set_control(CTL_ENABLE | CTL_IMASK);
    CHECK_EQ(intid, *seen.timer->intid);
    seen.interrupts = seen.interrupts + 1;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return seen.interrupts != 0;
}

/* Whether the timer, compare value set, interrupts once it is on: soon, once, and not before. */
static void check_interrupts(const struct timer *timer)
{
    seen.interrupts = 0;
    timer->set_control(CTL_ENABLE);
    CHECK(wait_until(is_interrupted, NULL, SOON_MS));
    CHECK_EQ(seen.interrupts, 1);
    CHECK(seen.time >= timer->compare_value());
    CHECK_EQ(seen.control, CTL_ENABLE | CTL_ISTATUS);
}

/* ---- the counters ---- */

static void check_counter(const struct timer *timer)
{
    uint64_t last = timer->now();
    uint64_t first = last;
    uint32_t steps_back = 0;

    for (uint32_t i = 0; i < COUNTER_READS; i++) {
        uint64_t now = timer->now();

        steps_back += now < last;
        last = now;
    }
    CHECK_EQ(steps_back, 0);
    CHECK(last > first);
}

/* Both count the same time: what one shows lies between what the other shows before and after. */
static void check_counters_agree(void)
{
    uint64_t physical_before = physical_now();
    uint64_t virtual_start = virtual_now();
    uint64_t physical_after = physical_now();

    spin_microseconds(QUIET_US);

    uint64_t physical_first = physical_now();
    uint64_t passed = virtual_now() - virtual_start;
    uint64_t physical_last = physical_now();

    CHECK(passed >= physical_first - physical_after);
    CHECK(passed <= physical_last - physical_before);
}

/* ---- one timer ---- */

static void check_registers(const struct timer *timer)
{
    const int32_t ahead = INT32_MAX / 2;
    uint64_t before = timer->now();

    timer->set_timer_value(ahead);

    uint64_t after = timer->now();

    CHECK(timer->compare_value() >= before + (uint32_t)ahead);
    CHECK(timer->compare_value() <= after + (uint32_t)ahead);
    CHECK(timer->timer_value() <= ahead);
    timer->set_control(CTL_ENABLE | CTL_IMASK);
    CHECK_EQ(timer->control(), CTL_ENABLE | CTL_IMASK);
    timer->set_timer_value(-1); /* a young counter has not come far */
    CHECK(timer->timer_value() <= -1);
    CHECK_EQ(timer->control(), CTL_ENABLE | CTL_IMASK | CTL_ISTATUS);
    timer->set_control(0);
    CHECK_EQ(timer->control() & (CTL_ENABLE | CTL_IMASK), 0);
}

static void check_future(const struct timer *timer)
{
    timer->set_compare_value(timer->now() + ticks_of(LONG_US));
    check_interrupts(timer);
}

static void check_past(const struct timer *timer)
{
    timer->set_compare_value(timer->now() - 1);
    check_interrupts(timer);
    timer->set_compare_value(0);
    check_interrupts(timer);
}

static void check_short_timers(const struct timer *timer)
{
    for (uint32_t i = 0; i < SHORT_TIMERS; i++) {
        timer->set_control(0);
        timer->set_timer_value((int32_t)ticks_of(SHORT_US));
        check_interrupts(timer);
    }
}

/* IMASK keeps the interrupt back, not the status; a later compare value takes both away. */
static void check_mask(const struct timer *timer)
{
    seen.interrupts = 0;
    timer->set_compare_value(timer->now());
    timer->set_control(CTL_ENABLE | CTL_IMASK);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 0);
    CHECK_EQ(timer->control(), CTL_ENABLE | CTL_IMASK | CTL_ISTATUS);
    CHECK(!gic_is_pending(*timer->intid));
    check_interrupts(timer);

    interrupts_mask();
    timer->set_control(CTL_ENABLE);
    CHECK(gic_is_pending(*timer->intid));
    timer->set_compare_value(timer->now() + ticks_per_second() * FAR_SECONDS);
    CHECK_EQ(timer->control(), CTL_ENABLE);
    CHECK(!gic_is_pending(*timer->intid));
    seen.interrupts = 0;
    interrupts_unmask();
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 0);
}

/* A CPU that waits for interrupts wakes up for the timer, and not long before. */
static void check_wakes(const struct timer *timer)
{
    uint64_t compare_value = timer->now() + ticks_of(LONG_US);

    seen.interrupts = 0;
    interrupts_mask();
    timer->set_compare_value(compare_value);
    timer->set_control(CTL_ENABLE);
    while (timer->now() < compare_value)
        __asm__ volatile("wfi" : : : "memory");
    interrupts_unmask();
    CHECK(wait_until(is_interrupted, NULL, SOON_MS));
}

static void check_timer(const struct timer *timer)
{
    print("%s timer, INTID %u\n", timer->name, *timer->intid);
    seen.timer = timer;
    check_counter(timer);
    check_registers(timer);
    gic_enable(*timer->intid);
    check_future(timer);
    check_past(timer);
    check_short_timers(timer);
    check_mask(timer);
    check_wakes(timer);
    gic_disable(*timer->intid);
    timer->set_control(0);
}

void guest_main(void)
{
    print("%lu Hz\n", ticks_per_second());
    CHECK(ticks_per_second() >= LEAST_HZ);
    gic_init(on_interrupt);
    interrupts_unmask();
    check_counters_agree();
    check_timer(&virtual_timer);
    check_timer(&physical_timer);
    interrupts_mask();
}
