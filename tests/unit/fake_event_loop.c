// SPDX-License-Identifier: Apache-2.0
#include "fake_event_loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>

bool event_loop_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                    struct error *error)
{
    if (loop->fail_init)
        return error_set(error, ERROR_HOST, EPERM, "epoll_ctl");
    assert(loop->source_count < FAKE_EVENT_LOOP_SOURCES);
    loop->events[loop->source_count] = events;
    loop->sources[loop->source_count++] = source;
    source->registered = true;
    return true;
}

void event_loop_remove(struct event_loop *loop, struct event_source *source)
{
    for (size_t i = 0; source->registered && i < loop->source_count; i++)
        if (loop->sources[i] == source) {
            loop->sources[i] = loop->sources[--loop->source_count];
            loop->events[i] = loop->events[loop->source_count];
        }
    source->registered = false;
}

void event_loop_modify(struct event_loop *loop, struct event_source *source, uint32_t events)
{
    for (size_t i = 0; i < loop->source_count; i++)
        if (loop->sources[i] == source)
            loop->events[i] = events;
}

void fake_event_loop_poll(struct event_loop *loop)
{
    for (size_t i = 0; i < loop->source_count; i++) {
        struct pollfd readable = {.fd = loop->sources[i]->fd, .events = POLLIN};

        if (loop->events[i] & EPOLLIN && poll(&readable, 1, 0) == 1)
            loop->sources[i]->callback(loop->sources[i], EPOLLIN);
    }
}

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
    timer->loop->delay_ns = delay_ns;
    timer->loop->due_ns = timer->loop->clock != NULL ? timer->loop->clock() + delay_ns : 0;
    __atomic_store_n(&timer->loop->armed, true, __ATOMIC_RELEASE); /* a test may wait for it */
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
