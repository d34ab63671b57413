// SPDX-License-Identifier: Apache-2.0
/* The timers of event_loop.h without time: they fire when the test says so. */
#ifndef TESTS_FAKE_EVENT_LOOP_H
#define TESTS_FAKE_EVENT_LOOP_H

#include "armlet/event_loop.h"

/* A loop of one timer, zeroed by the test. */
struct event_loop {
    struct event_timer *timer; /* NULL before init and after finish */
    bool fail_init;            /* event_timer_init() fails with ERROR_HOST */
    bool armed;
    uint64_t delay_ns; /* of the last arming */
};

/* Fires the timer, whether armed or not: a late expiry looks like that. */
void fake_event_loop_fire(struct event_loop *loop);

#endif
