// SPDX-License-Identifier: Apache-2.0
#include "timer_alarm.h"

bool timer_alarm_init(struct timer_alarm *alarm, struct event_loop *loop, const char *name,
                      void (*fire)(struct event_timer *timer), void *context, struct error *error)
{
    alarm->deadline_ns = TIMER_ALARM_NEVER;
    alarm->earliest_ns = 0;
    if (!event_timer_init(&alarm->timer, loop, fire, context, error)) {
        return false;
    }
    alarm->timer.name = name;
    return true;
}

void timer_alarm_finish(struct timer_alarm *alarm)
{
    event_timer_finish(&alarm->timer);
}

void timer_alarm_set(struct timer_alarm *alarm, uint64_t deadline_ns, uint64_t now_ns)
{
    if (deadline_ns < alarm->earliest_ns) {
        deadline_ns = alarm->earliest_ns;
    }
    if (deadline_ns == alarm->deadline_ns) {
        return;
    }
    alarm->deadline_ns = deadline_ns;
    if (deadline_ns == TIMER_ALARM_NEVER) {
        event_timer_disarm(&alarm->timer);
    } else {
        event_timer_arm(&alarm->timer, deadline_ns > now_ns ? deadline_ns - now_ns : 0);
    }
}

void timer_alarm_begin(struct timer_alarm *alarm, uint64_t now_ns)
{
    alarm->deadline_ns = TIMER_ALARM_NEVER;
    alarm->earliest_ns = now_ns + TIMER_ALARM_FLOOR_NS;
}
