// SPDX-License-Identifier: Apache-2.0
/*
 * The alarm of a timer device: when it next has something to do that no access of the guest's
 * brings about.
 *
 * Deadlines are points on the monotonic clock, so a late alarm makes no later one late. A guest may
 * set its timers to any rate; the alarm goes off at most once in TIMER_ALARM_FLOOR_NS, and what was
 * due in between is done at once then. Hardware whose interrupt is a level looks like that to a
 * CPU that is slow to answer: one interrupt for any number of expiries. Accesses by the guest see
 * the state of the moment all the same, since devices compute it from the clock.
 *
 * The device's lock serialises timer_alarm_set() and timer_alarm_begin().
 */
#ifndef DEVICES_TIMER_ALARM_H
#define DEVICES_TIMER_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/event_loop.h"

/* 20,000 alarms a second: a twentieth of the shortest tick of Linux, some tens of exits long. */
enum { TIMER_ALARM_FLOOR_NS = 50000 };

#define TIMER_ALARM_NEVER UINT64_MAX

struct timer_alarm {
    struct event_timer timer;
    uint64_t deadline_ns; /* as armed, or TIMER_ALARM_NEVER */
    uint64_t earliest_ns; /* the last alarm and the floor */
};

/* `name` is static; `fire` runs on the I/O thread, perhaps in vain (event_timer_arm()). */
bool timer_alarm_init(struct timer_alarm *alarm, struct event_loop *loop, const char *name,
                      void (*fire)(struct event_timer *timer), void *context,
                      struct error *error) WARN_UNUSED;
void timer_alarm_finish(struct timer_alarm *alarm);

/* Sets the one deadline, or none (TIMER_ALARM_NEVER). Costs nothing if it is the same as before. */
void timer_alarm_set(struct timer_alarm *alarm, uint64_t deadline_ns, uint64_t now_ns);

/* What `fire` calls first, with the device's lock held. The alarm is off then. */
void timer_alarm_begin(struct timer_alarm *alarm, uint64_t now_ns);

#endif
