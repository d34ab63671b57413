// SPDX-License-Identifier: Apache-2.0
#include "armlet/event_loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "armlet/events.h"

#define NS_PER_S 1000000000ULL

enum { EVENTS_AT_ONCE = 16 };

struct event_loop {
    int fd;
    bool stop;
    const struct event_hub *events; /* NULL: nobody looks */
    /* What epoll_wait() fetched; a source removed meanwhile has NULL for its pointer. */
    struct epoll_event fetched[EVENTS_AT_ONCE];
    int fetched_count;
};

struct event_loop *event_loop_create(struct error *error)
{
    struct event_loop *loop = calloc(1, sizeof(*loop));

    if (!loop) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the event loop");
        return NULL;
    }
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->fd < 0) {
        (void)error_set(error, ERROR_HOST, errno, "epoll_create1 failed");
        free(loop);
        return NULL;
    }
    return loop;
}

void event_loop_destroy(struct event_loop *loop)
{
    if (!loop)
        return;
    (void)close(loop->fd);
    free(loop);
}

void event_loop_set_events(struct event_loop *loop, const struct event_hub *events)
{
    loop->events = events;
}

bool event_loop_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                    struct error *error)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, source->fd, &event) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot watch file descriptor %d", source->fd);
    source->registered = true;
    return true;
}

void event_loop_modify(struct event_loop *loop, struct event_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    int result = epoll_ctl(loop->fd, EPOLL_CTL_MOD, source->fd, &event);
    assert(result == 0);
    (void)result;
}

void event_loop_remove(struct event_loop *loop, struct event_source *source)
{
    if (!source->registered)
        return;
    (void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->registered = false;
    for (int i = 0; i < loop->fetched_count; i++)
        if (loop->fetched[i].data.ptr == source)
            loop->fetched[i].data.ptr = NULL;
}

static void dispatch(struct event_loop *loop)
{
    for (int i = 0; i < loop->fetched_count; i++) {
        struct event_source *source = loop->fetched[i].data.ptr;

        if (source)
            source->callback(source, loop->fetched[i].events);
    }
    loop->fetched_count = 0;
}

bool event_loop_run(struct event_loop *loop, struct error *error)
{
    loop->stop = false;
    while (!loop->stop) {
        int count = epoll_wait(loop->fd, loop->fetched, EVENTS_AT_ONCE, -1);

        if (count < 0 && errno != EINTR)
            return error_set(error, ERROR_HOST, errno, "epoll_wait failed");
        loop->fetched_count = count > 0 ? count : 0;
        dispatch(loop);
    }
    return true;
}

void event_loop_stop(struct event_loop *loop)
{
    loop->stop = true;
}

/* ---- timers and notifications: a counter that read(2) takes back to zero ---- */

static bool take_counter(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static bool watch_counter(struct event_loop *loop, struct event_source *source, const char *call,
                          struct error *error)
{
    if (source->fd < 0)
        return error_set(error, ERROR_HOST, errno, "%s failed", call);
    if (event_loop_add(loop, source, EPOLLIN, error))
        return true;
    (void)close(source->fd);
    return false;
}

static void finish_counter(struct event_loop *loop, struct event_source *source)
{
    if (!source->registered)
        return;
    event_loop_remove(loop, source);
    (void)close(source->fd);
}

static void on_timer(struct event_source *source, uint32_t events)
{
    struct event_timer *timer = source->context;

    (void)events;
    if (!take_counter(source->fd))
        return;
    if (timer->loop->events && events_wanted(timer->loop->events, EVENT_TIMER)) {
        struct event event = {.kind = EVENT_TIMER, .timer = {.name = timer->name}};

        events_publish(timer->loop->events, &event);
    }
    timer->fire(timer);
}

bool event_timer_init(struct event_timer *timer, struct event_loop *loop,
                      void (*fire)(struct event_timer *timer), void *context, struct error *error)
{
    *timer = (struct event_timer){
        .source = {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                   .callback = on_timer,
                   .context = timer},
        .loop = loop,
        .fire = fire,
        .context = context,
    };
    return watch_counter(loop, &timer->source, "timerfd_create", error);
}

void event_timer_finish(struct event_timer *timer)
{
    finish_counter(timer->loop, &timer->source);
}

static void set_timer(struct event_timer *timer, uint64_t delay_ns)
{
    const struct itimerspec setting = {
        .it_value = {.tv_sec = (time_t)(delay_ns / NS_PER_S),
                     .tv_nsec = (long)(delay_ns % NS_PER_S)},
    };

    int result = timerfd_settime(timer->source.fd, 0, &setting, NULL);
    assert(result == 0);
    (void)result;
}

void event_timer_arm(struct event_timer *timer, uint64_t delay_ns)
{
    set_timer(timer, delay_ns ? delay_ns : 1); /* 0 would disarm */
}

void event_timer_disarm(struct event_timer *timer)
{
    set_timer(timer, 0);
}

static void on_notify(struct event_source *source, uint32_t events)
{
    struct event_notify *notify = source->context;

    (void)events;
    if (take_counter(source->fd))
        notify->fire(notify);
}

bool event_notify_init(struct event_notify *notify, struct event_loop *loop,
                       void (*fire)(struct event_notify *notify), void *context,
                       struct error *error)
{
    *notify = (struct event_notify){
        .source = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                   .callback = on_notify,
                   .context = notify},
        .loop = loop,
        .fire = fire,
        .context = context,
    };
    return watch_counter(loop, &notify->source, "eventfd", error);
}

void event_notify_finish(struct event_notify *notify)
{
    finish_counter(notify->loop, &notify->source);
}

void event_notify_send(struct event_notify *notify)
{
    const uint64_t one = 1;

    /* It fails only when the counter is full, and then the wake-up is pending anyway. */
    (void)!write(notify->source.fd, &one, sizeof(one));
}
