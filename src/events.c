// SPDX-License-Identifier: Apache-2.0
#include "armlet/events.h"

#include <assert.h>

#include "armlet/ticks.h"

/* A device that raises its interrupt doesn't know on whose thread it is. */
static _Thread_local uint16_t this_publisher = EVENT_IO_THREAD;

bool events_subscribe(struct event_hub *hub, const struct event_subscriber *subscriber,
                      struct error *error)
{
    assert(!hub->frozen && subscriber->notify);
    if (hub->count == EVENT_MAX_SUBSCRIBERS)
        return error_set(error, ERROR_USAGE, 0, "more than %d look at events",
                         EVENT_MAX_SUBSCRIBERS);
    hub->subscribers[hub->count++] = *subscriber;
    return true;
}

void events_freeze(struct event_hub *hub)
{
    for (uint8_t i = 0; i < hub->count; i++) {
        hub->wanted |= hub->subscribers[i].wanted & EVENT_MASK_ALL;
        hub->timed |= hub->subscribers[i].timed;
    }
    hub->frozen = true;
}

void events_publish(const struct event_hub *hub, struct event *event)
{
    event->publisher = this_publisher;
    event->ticks = hub->timed ? ticks_now() : 0;
    for (uint8_t i = 0; i < hub->count; i++) {
        const struct event_subscriber *subscriber = &hub->subscribers[i];

        if (subscriber->wanted & EVENT_MASK(event->kind))
            subscriber->notify(subscriber->context, event);
    }
}

void events_set_publisher(uint16_t vcpu)
{
    this_publisher = vcpu;
}
