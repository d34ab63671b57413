// SPDX-License-Identifier: Apache-2.0
#include "fake_event_loop.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

bool event_timer_init(struct event_timer *timer, struct event_loop *loop,
                      void (*fire)(struct event_timer *timer), void *context, struct error *error)
{
    if (loop->fail_init) {
        return error_set(error, ERROR_HOST, EMFILE, "timerfd_create");
    }
    assert(loop->timer == NULL);
    timer->loop = loop;
    timer->fire = fire;
    timer->context = context;
    loop->timer = timer;
    return true;
}

void event_timer_finish(struct event_timer *timer)
{
    if (timer->loop != NULL) {
        timer->loop->timer = NULL;
        timer->loop->armed = false;
    }
}

void event_timer_arm(struct event_timer *timer, uint64_t delay_ns)
{
    timer->loop->armed = true;
    timer->loop->delay_ns = delay_ns;
}

void event_timer_disarm(struct event_timer *timer)
{
    timer->loop->armed = false;
}

void fake_event_loop_fire(struct event_loop *loop)
{
    loop->armed = false;
    loop->timer->fire(loop->timer);
}
