// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop of the I/O thread: epoll(7) behind callbacks.
 *
 * One loop belongs to one thread, the one that calls event_loop_run(). Unless said otherwise a
 * function here is called on that thread, or before it runs. A source is memory of its owner and
 * stays valid until event_loop_remove(); a callback may remove any source, its own included, and
 * no callback of a removed source runs afterwards, even if its event was already fetched.
 */
#ifndef ARMLET_EVENT_LOOP_H
#define ARMLET_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"

struct event_hub;
struct event_loop;
struct event_source;

/* `events` is a mask of EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef void event_callback(struct event_source *source, uint32_t events);

struct event_source {
    int fd;
    event_callback *callback;
    void *context;
    bool registered; /* the loop's own */
};

struct event_loop *event_loop_create(struct error *error) WARN_UNUSED;
void event_loop_destroy(struct event_loop *loop); /* NULL is allowed */
/* Timers of the loop publish EVENT_TIMER (armlet/events.h) from now on. The hub outlives it. */
void event_loop_set_events(struct event_loop *loop, const struct event_hub *events);

/*
 * Watches source->fd for `events` (0 is allowed: only errors and hang-up are reported). fd,
 * callback and context are set by the caller. Fails with ERROR_HOST; os_errno is EPERM when the
 * file can't be polled (a regular file), which a caller may want to treat as always ready.
 */
bool event_loop_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                    struct error *error) WARN_UNUSED;
/* Changes what a registered source is watched for. Cannot fail for a registered source. */
void event_loop_modify(struct event_loop *loop, struct event_source *source, uint32_t events);
/* Forgets a source; does nothing if it isn't registered. Doesn't close the file. */
void event_loop_remove(struct event_loop *loop, struct event_source *source);

/* Runs callbacks until event_loop_stop(); returns false when epoll itself failed. */
bool event_loop_run(struct event_loop *loop, struct error *error) WARN_UNUSED;
/* Makes event_loop_run() return after the callbacks under way. I/O thread. */
void event_loop_stop(struct event_loop *loop);

/* A timer on CLOCK_MONOTONIC (timerfd). */
struct event_timer {
    struct event_source source;
    struct event_loop *loop;
    void (*fire)(struct event_timer *timer); /* I/O thread */
    void *context;
    const char *name; /* for EVENT_TIMER, static; the owner may set it after event_timer_init() */
};

bool event_timer_init(struct event_timer *timer, struct event_loop *loop,
                      void (*fire)(struct event_timer *timer), void *context,
                      struct error *error) WARN_UNUSED;
void event_timer_finish(struct event_timer *timer); /* allowed on a zeroed timer */
/*
 * Fires once, `delay_ns` from now (0: at once), replacing what was armed. Any thread. A timer
 * that is disarmed or re-armed from another thread may still fire once for the earlier setting:
 * callbacks look at their device's state, not at having been called.
 */
void event_timer_arm(struct event_timer *timer, uint64_t delay_ns);
void event_timer_disarm(struct event_timer *timer); /* any thread */

/* A wake-up from any thread (eventfd): `fire` runs once or more after each event_notify_send(). */
struct event_notify {
    struct event_source source;
    struct event_loop *loop;
    void (*fire)(struct event_notify *notify); /* I/O thread */
    void *context;
};

bool event_notify_init(struct event_notify *notify, struct event_loop *loop,
                       void (*fire)(struct event_notify *notify), void *context,
                       struct error *error) WARN_UNUSED;
void event_notify_finish(struct event_notify *notify); /* allowed on a zeroed notify */
void event_notify_send(struct event_notify *notify);   /* any thread, signal handlers too */

#endif
