// SPDX-License-Identifier: Apache-2.0
/* The timers of event_loop.h without time: they fire when the test says so. */
#ifndef TESTS_FAKE_EVENT_LOOP_H
#define TESTS_FAKE_EVENT_LOOP_H

#include <stddef.h>

#include "armlet/event_loop.h"

enum { FAKE_EVENT_LOOP_SOURCES = 4 };

/* A loop of one timer and a few files, zeroed by the test. */
struct event_loop {
    struct event_source *sources[FAKE_EVENT_LOOP_SOURCES];
    uint32_t events[FAKE_EVENT_LOOP_SOURCES]; /* that the nth is watched for */
    size_t source_count;
    struct event_timer *timer; /* NULL before init and after finish */
    bool fail_init;            /* event_timer_init() and event_loop_add() fail with ERROR_HOST */
    bool armed;
    uint64_t delay_ns;       /* of the last arming */
    uint64_t (*clock)(void); /* set by a test that wants due_ns; may be NULL */
    uint64_t due_ns;         /* when the last arming is due by that clock */
};

/* Calls back, once, for each file that can be read. */
void fake_event_loop_poll(struct event_loop *loop);

/* Fires the timer, whether armed or not: a late expiry looks like that. */
void fake_event_loop_fire(struct event_loop *loop);

#endif
