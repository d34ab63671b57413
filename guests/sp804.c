// SPDX-License-Identifier: Apache-2.0
/* The SP804 dual timer as its manual has it (ARM DDI 0271). */
#include "primecell.h"

const char guest_name[] = "sp804";

/* Of timer 1; those of timer 2 follow. */
enum {
    TIMER_LOAD = 0x00,
    TIMER_VALUE = 0x04,
    TIMER_CONTROL = 0x08,
    TIMER_INT_CLR = 0x0c,
    TIMER_RIS = 0x10,
    TIMER_MIS = 0x14,
    TIMER_BG_LOAD = 0x18,
    TIMER2 = 0x20,
};

enum {
    ONE_SHOT = 1 << 0,
    SIZE_32 = 1 << 1,
    PRE_16 = 1 << 2,
    PRE_256 = 2 << 2,
    INT_ENABLE = 1 << 5,
    PERIODIC = 1 << 6,
    ENABLE = 1 << 7,
};

enum {
    CLOCK_HZ = 24000000,
    COUNTING_US = 50000,
    QUIET_US = 5000,
    SOON_MS = 20000,
    PERIOD = CLOCK_HZ / 200, /* 5 ms */
    PERIODS = 20,
    STORM_INTERRUPTS = 200,
    OTHER_CLOCK_PPM = 1000, /* how far the clocks of timer and counter may be apart */
    MILLION = 1000000,
};

static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile uint32_t status[2]; /* the masked status of each timer */
} seen;

static uint32_t timer_read(uint64_t offset)
{
    return read32(machine.dual_timer + offset);
}

static void timer_write(uint64_t offset, uint32_t value)
{
    write32(machine.dual_timer + offset, value);
}

/* Stopped while it is loaded, so that nothing expires in between. */
static void start(uint64_t timer, uint32_t control, uint32_t load)
{
    timer_write(timer + TIMER_CONTROL, SIZE_32);
    timer_write(timer + TIMER_LOAD, load);
    timer_write(timer + TIMER_CONTROL, ENABLE | SIZE_32 | control);
}

static void on_interrupt(uint32_t intid)
{
    seen.intid = intid;
    for (unsigned i = 0; i < 2; i++) {
        seen.status[i] = timer_read(i * TIMER2 + TIMER_MIS);
        if (seen.status[i])
            timer_write(i * TIMER2 + TIMER_INT_CLR, 1);
    }
    seen.interrupts = seen.interrupts + 1;
    if (seen.interrupts == STORM_INTERRUPTS)
        timer_write(TIMER_CONTROL, SIZE_32);
}

static bool has_interrupts(void *context)
{
    return seen.interrupts >= *(const uint32_t *)context;
}

static void expect_interrupts(uint32_t count)
{
    CHECK(wait_until(has_interrupts, &count, SOON_MS));
    CHECK_EQ(seen.intid, machine.dual_timer_intid);
}

/* ---- counting ---- */

/* How far timer 1 has counted from `start`, between two readings of the virtual counter. */
struct instant {
    uint64_t before, after;
    uint32_t value;
};

static struct instant now(void)
{
    struct instant instant;

    instant.before = ticks_now();
    instant.value = timer_read(TIMER_VALUE);
    instant.after = ticks_now();
    return instant;
}

/* So many ticks of the virtual counter in steps of the timer. */
static uint64_t in_steps(uint64_t ticks, uint32_t divisor)
{
    return ticks * CLOCK_HZ / ticks_per_second() / divisor;
}

static void check_rate(uint32_t prescale, uint32_t divisor)
{
    start(0, prescale, UINT32_MAX);
    struct instant begin = now();
    spin_microseconds(COUNTING_US);
    struct instant end = now();
    uint64_t least = in_steps(end.before - begin.after, divisor);
    uint64_t most = in_steps(end.after - begin.before, divisor);
    uint64_t slack = most * OTHER_CLOCK_PPM / MILLION + 2;

    CHECK(begin.value - end.value + slack >= least);
    CHECK(begin.value - end.value <= most + slack);
}

static void check_counting(void)
{
    check_rate(0, 1);
    check_rate(PRE_16, 16);
    check_rate(PRE_256, 256);
    timer_write(TIMER_CONTROL, 0);
    uint32_t value = timer_read(TIMER_VALUE);
    spin_microseconds(QUIET_US);
    CHECK_EQ(timer_read(TIMER_VALUE), value);
}

static void check_registers(void)
{
    for (uint64_t timer = 0; timer <= TIMER2; timer += TIMER2) {
        CHECK_EQ(timer_read(timer + TIMER_LOAD), 0);
        CHECK_EQ(timer_read(timer + TIMER_VALUE), UINT32_MAX);
        CHECK_EQ(timer_read(timer + TIMER_CONTROL), INT_ENABLE);
        CHECK_EQ(timer_read(timer + TIMER_RIS), 0);
        timer_write(timer + TIMER_LOAD, 0x12345);
        CHECK_EQ(timer_read(timer + TIMER_VALUE), 0x2345); /* of 16 bits */
        CHECK_EQ(timer_read(timer + TIMER_BG_LOAD), 0x12345);
        timer_write(timer + TIMER_BG_LOAD, 7);
        CHECK_EQ(timer_read(timer + TIMER_LOAD), 7);
        CHECK_EQ(timer_read(timer + TIMER_VALUE), 0x2345);
    }
}

/* ---- interrupts ---- */

static void check_one_shot(uint64_t timer)
{
    seen.interrupts = 0;
    start(timer, ONE_SHOT | INT_ENABLE, PERIOD / 2);
    expect_interrupts(1);
    CHECK_EQ(seen.status[timer / TIMER2], 1);
    CHECK_EQ(seen.status[1 - timer / TIMER2], 0);
    CHECK_EQ(timer_read(timer + TIMER_VALUE), 0);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 1);
    timer_write(timer + TIMER_CONTROL, 0);
}

/* Each interrupt is answered late, and the count is in phase with the first load all the same. */
static void check_periodic(void)
{
    seen.interrupts = 0;
    start(0, PERIODIC | INT_ENABLE, PERIOD);
    struct instant begin = now();
    expect_interrupts(PERIODS);
    struct instant end = now();
    uint64_t most = in_steps(end.after - begin.before, 1);
    uint64_t counted = begin.value - end.value;
    uint64_t slack = most * OTHER_CLOCK_PPM / MILLION + 2;
    uint64_t least = in_steps(end.before - begin.after, 1);

    /* The whole periods between are those that the counter says have passed. */
    counted += (most + slack - counted) / PERIOD * PERIOD;
    CHECK(counted + slack >= least);
    CHECK(counted + slack >= (uint64_t)(PERIODS - 1) * PERIOD); /* none is early */
    timer_write(TIMER_CONTROL, 0);
}

/* While the CPU takes no interrupts, periods pass, and then it is one. */
static void check_missed(void)
{
    interrupts_mask();
    seen.interrupts = 0;
    start(0, PERIODIC | INT_ENABLE, CLOCK_HZ / 1000);
    spin_microseconds(QUIET_US);
    CHECK_EQ(timer_read(TIMER_MIS), 1);
    timer_write(TIMER_CONTROL, INT_ENABLE | SIZE_32);
    interrupts_unmask();
    expect_interrupts(1);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 1);
}

static void check_masked(void)
{
    seen.interrupts = 0;
    start(0, PERIODIC, CLOCK_HZ / 1000);
    spin_microseconds(QUIET_US);
    CHECK_EQ(timer_read(TIMER_RIS), 1);
    CHECK_EQ(timer_read(TIMER_MIS), 0);
    CHECK_EQ(seen.interrupts, 0);
    timer_write(TIMER_CONTROL, INT_ENABLE | SIZE_32);
    expect_interrupts(1);
}

/*
 * An interrupt at each step of 42 ns leaves no time for anything but its handler, which switches
 * the timer off in the end.
 */
static void check_storm(void)
{
    for (uint32_t load = 0; load < 3; load++) {
        seen.interrupts = 0;
        start(0, PERIODIC | INT_ENABLE, load);
        expect_interrupts(STORM_INTERRUPTS);
        spin_microseconds(QUIET_US);
        CHECK_EQ(seen.interrupts, STORM_INTERRUPTS);
    }
}

void guest_main(void)
{
    check_primecell_ids(machine.dual_timer, 0x804);
    check_registers();
    check_counting();
    timer_write(TIMER_INT_CLR, 1);
    gic_init(on_interrupt);
    gic_set_edge(machine.dual_timer_intid, false);
    gic_enable(machine.dual_timer_intid);
    interrupts_unmask();
    check_one_shot(0);
    check_one_shot(TIMER2);
    check_periodic();
    check_missed();
    check_masked();
    check_storm();
    interrupts_mask();
}
