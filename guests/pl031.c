// SPDX-License-Identifier: Apache-2.0
/* The PL031 real-time clock as its manual has it (ARM DDI 0224C). */
#include "primecell.h"

const char guest_name[] = "pl031";

enum {
    RTCDR = 0x000,
    RTCMR = 0x004,
    RTCLR = 0x008,
    RTCCR = 0x00c,
    RTCIMSC = 0x010,
    RTCRIS = 0x014,
    RTCMIS = 0x018,
    RTCICR = 0x01c,
    RTCCR_START = 1 << 0,
    RTCINTR = 1 << 0, /* the one bit of RTCIMSC, RTCRIS, RTCMIS and RTCICR */
};

enum {
    COUNTING_US = 2500000,
    QUIET_US = 2000,
    ALARM_SECONDS = 2,
    ALARM_MS = 10000,
    NEW_TIME = 0x12345678,
    LAST_TIME_BEFORE_WRAP = -2,
};

static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile uint32_t time;
    volatile uint32_t ris, mis;
} seen;

static uint32_t rtc_read(uint64_t offset)
{
    return read32(machine.rtc + offset);
}

static void rtc_write(uint64_t offset, uint32_t value)
{
    write32(machine.rtc + offset, value);
}

/* ---- the counter ---- */

struct instant {
    uint32_t time;
    uint64_t ticks_before, ticks_after;
};

static struct instant now(void)
{
    struct instant instant;

    instant.ticks_before = ticks_now();
    instant.time = rtc_read(RTCDR);
    instant.ticks_after = ticks_now();
    return instant;
}

/* Whether the counter, from `start` with the value `time`, runs by the second. */
static void check_runs(uint32_t time, const struct instant *start)
{
    struct instant end = now();
    uint64_t least = (end.ticks_before - start->ticks_after) / ticks_per_second();
    uint64_t most = (end.ticks_after - start->ticks_before) / ticks_per_second() + 1;

    CHECK(end.time - time >= least);
    CHECK(end.time - time <= most);
}

static void check_counts_seconds(void)
{
    struct instant start = now();

    spin_microseconds(COUNTING_US);
    check_runs(start.time, &start);
}

static void set_time(uint32_t time)
{
    struct instant start = now();

    rtc_write(RTCLR, time);
    CHECK_EQ(rtc_read(RTCLR), time);
    check_runs(time, &start);
}

static void check_load(void)
{
    set_time(NEW_TIME);
    set_time((uint32_t)LAST_TIME_BEFORE_WRAP);
}

static void check_registers(void)
{
    CHECK_EQ(rtc_read(RTCIMSC), 0);
    CHECK_EQ(rtc_read(RTCMIS), 0);
    CHECK_EQ(rtc_read(RTCICR), 0); /* write only */
    rtc_write(RTCCR, RTCCR_START);
    CHECK_EQ(rtc_read(RTCCR), RTCCR_START);
    rtc_write(RTCMR, UINT32_MAX);
    CHECK_EQ(rtc_read(RTCMR), UINT32_MAX);
    rtc_write(RTCIMSC, UINT32_MAX);
    CHECK_EQ(rtc_read(RTCIMSC), RTCINTR);
    rtc_write(RTCIMSC, 0);
    CHECK_EQ(rtc_read(RTCIMSC), 0);
}

/* ---- the alarm ---- */

static void on_interrupt(uint32_t intid)
{
    seen.intid = intid;
    seen.time = rtc_read(RTCDR);
    seen.ris = rtc_read(RTCRIS);
    seen.mis = rtc_read(RTCMIS);
    rtc_write(RTCICR, RTCINTR);
    seen.interrupts = seen.interrupts + 1;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return seen.interrupts != 0;
}

static bool is_matched(void *context)
{
    (void)context;
    return rtc_read(RTCRIS) != 0;
}

static uint32_t set_alarm(void)
{
    uint32_t alarm = rtc_read(RTCDR) + ALARM_SECONDS;

    rtc_write(RTCMR, alarm);
    rtc_write(RTCICR, RTCINTR);
    return alarm;
}

static void check_alarm_interrupts(void)
{
    uint32_t alarm = set_alarm();

    rtc_write(RTCIMSC, RTCINTR);
    CHECK(wait_until(is_interrupted, NULL, ALARM_MS));
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 1);
    CHECK_EQ(seen.intid, machine.rtc_intid);
    CHECK(seen.time - alarm < ALARM_MS / 1000); /* not early */
    CHECK_EQ(seen.ris, RTCINTR);
    CHECK_EQ(seen.mis, RTCINTR);
    CHECK_EQ(rtc_read(RTCRIS), 0);
    rtc_write(RTCIMSC, 0);
}

/* Masked, the match shows in RTCRIS alone, until it is cleared or unmasked. */
static void check_alarm_masked(void)
{
    uint32_t alarm = set_alarm();

    seen.interrupts = 0;
    CHECK_EQ(rtc_read(RTCRIS), 0);
    CHECK(wait_until(is_matched, NULL, ALARM_MS));
    CHECK(rtc_read(RTCDR) - alarm < ALARM_MS / 1000);
    CHECK_EQ(rtc_read(RTCMIS), 0);
    spin_microseconds(QUIET_US);
    CHECK_EQ(seen.interrupts, 0);
    rtc_write(RTCIMSC, RTCINTR);
    CHECK(wait_until(is_interrupted, NULL, ALARM_MS));
    CHECK_EQ(seen.mis, RTCINTR);
    rtc_write(RTCIMSC, 0);
}

void guest_main(void)
{
    struct instant start = now();

    check_primecell_ids(machine.rtc, 0x031);
    check_registers();
    check_counts_seconds();
    check_load();
    gic_init(on_interrupt);
    gic_set_edge(machine.rtc_intid, false);
    gic_enable(machine.rtc_intid);
    interrupts_unmask();
    check_alarm_interrupts();
    check_alarm_masked();
    interrupts_mask();
    set_time(start.time);
}
