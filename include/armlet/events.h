// SPDX-License-Identifier: Apache-2.0
/*
 * Events: what a running machine does, as it does it, for traces, plugins and whoever else looks.
 *
 * The set is fixed and typed (enum event_kind, struct event). Each machine has one struct
 * event_hub. Subscribers are added before the run (events_subscribe), then the hub is frozen
 * (events_freeze) and constant until the machine is gone: publishing takes no lock. An event that
 * nobody wants costs one predictable branch, on a word that is read anyway or constant:
 *
 *     if (events_wanted(hub, EVENT_TIMER)) {
 *         struct event event = {.kind = EVENT_TIMER, .timer = {.name = "alarm"}};
 *         events_publish(hub, &event);
 *     }
 *
 * A subscriber is called on the thread that publishes, in the order of subscription, before what
 * the event tells of goes on. It must not block, allocate, or call back into what publishes; it
 * may be called by several threads at once and orders itself. Which thread publishes what:
 *
 *     EVENT_MACHINE_STATE, EVENT_VCPU_STATE, EVENT_TIMER,
 *     EVENT_CONSOLE_OUTPUT, EVENT_CONSOLE_INPUT, EVENT_ERROR the I/O thread
 *     EVENT_EXIT, EVENT_HYPERCALL                           the vCPU's thread
 *     EVENT_MMIO (coalesced writes: whoever drains them)    either
 *     EVENT_IRQ                                             either
 *
 * `publisher` tells which it was. A device that publishes does so while it holds its lock.
 */
#ifndef ARMLET_EVENTS_H
#define ARMLET_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/error.h"
#include "armlet/exit_kind.h"
#include "armlet/gpa.h"
#include "armlet/lifecycle.h"

struct device;

enum event_kind {
    EVENT_MACHINE_STATE,  /* the machine moved from one state to another */
    EVENT_VCPU_STATE,     /* a vCPU did */
    EVENT_EXIT,           /* KVM_RUN returned, and what it returned for is done */
    EVENT_MMIO,           /* an access to the bus was carried out */
    EVENT_HYPERCALL,      /* a PSCI or SMCCC call that reached armlet; KVM does most by itself */
    EVENT_IRQ,            /* the level of a device's interrupt line changed */
    EVENT_TIMER,          /* a timer of the event loop fired */
    EVENT_CONSOLE_OUTPUT, /* bytes of the guest left for the outside, or were dropped */
    EVENT_CONSOLE_INPUT,  /* bytes from outside were taken by the guest's UART */
    EVENT_ERROR,          /* what the run ends for, if it ends badly */
    EVENT_KIND_COUNT,
};

#define EVENT_MASK(kind) (UINT32_C(1) << (kind))
#define EVENT_MASK_ALL   (EVENT_MASK(EVENT_KIND_COUNT) - 1)

enum { EVENT_IO_THREAD = UINT16_MAX }; /* for a publisher that is no vCPU */

/* Pointers are valid during the call only, unless said otherwise. */
struct event {
    uint16_t kind;      /* enum event_kind */
    uint16_t publisher; /* the index of the vCPU whose thread publishes, or EVENT_IO_THREAD */
    uint32_t reserved;  /* zero */
    uint64_t ticks;     /* see armlet/ticks.h: now, if a subscriber asked for times, else 0 */
    union {
        struct {
            enum machine_state from, to;
        } machine_state;
        struct {
            uint32_t vcpu;
            enum vcpu_state from, to;
        } vcpu_state;
        struct {
            enum exit_kind reason;
            uint32_t kvm_reason; /* KVM_EXIT_..., for a reader with <linux/kvm.h> */
            /* When KVM_RUN was called and when it returned; `ticks` is when all was done. Zero
             * unless a subscriber asked for times. */
            uint64_t entered, returned;
        } exit;
        struct {
            const struct device *device; /* NULL: nothing is there; lives as long as the machine */
            gpa_t address;
            uint64_t value; /* read or written; bits above the width are zero */
            enum access_kind access;
            enum access_width width;
        } mmio;
        struct {
            uint32_t function; /* the SMCCC function identifier (DEN0028) */
        } hypercall;
        struct {
            const struct device *device; /* whose line; lives as long as the machine */
            uint32_t intid;              /* 32 + SPI number */
            bool level;
        } irq;
        struct {
            const char *name; /* static, or NULL for a timer that has none */
        } timer;
        struct {
            const uint8_t *bytes;
            size_t count;
            bool dropped; /* output that nobody will see */
        } console;
        struct {
            enum error_code code;
            const char *message;
        } error;
    };
};

/* As in traces and filters: "machine-state", "exit", ...; static. NULL: no kind has this number. */
const char *event_kind_name(enum event_kind kind);
/* The kind with this name, of `length` bytes; EVENT_KIND_COUNT if there is none. */
enum event_kind event_kind_find(const char *name, size_t length);

struct event_subscriber {
    void (*notify)(void *context, const struct event *event);
    void *context;
    uint32_t wanted; /* EVENT_MASK() of each kind it is called for */
    bool timed;      /* needs `ticks`, so that the clock is read for each event */
};

enum { EVENT_MAX_SUBSCRIBERS = 16 };

struct event_hub {
    uint32_t wanted; /* what any subscriber wants; 0 until the hub is frozen */
    bool timed;
    bool frozen;
    uint8_t count;
    struct event_subscriber subscribers[EVENT_MAX_SUBSCRIBERS];
};

/* A zeroed hub has no subscribers. One thread, before events_freeze(). ERROR_USAGE: too many. */
bool events_subscribe(struct event_hub *hub, const struct event_subscriber *subscriber,
                      struct error *error) WARN_UNUSED;
/* From now on events reach them, and nothing changes any more. Before the first vCPU's creation. */
void events_freeze(struct event_hub *hub);

/*
 * ARMLET_NO_EVENTS leaves events out. It is for measuring what looking for subscribers costs
 * (bench/exit-path) and nothing else: nobody is told of anything then.
 */
#ifdef ARMLET_NO_EVENTS
enum { EVENTS_COMPILED_IN = 0 };
#else
enum { EVENTS_COMPILED_IN = 1 };
#endif

/* Whether an event of this kind need be put together. Any thread. */
static inline bool events_wanted(const struct event_hub *hub, enum event_kind kind)
{
    return EVENTS_COMPILED_IN && __builtin_expect((hub->wanted & EVENT_MASK(kind)) != 0, 0);
}

/* Fills in publisher and ticks, and calls whoever wants the event. Any thread. */
void events_publish(const struct event_hub *hub, struct event *event);

/* Says once who this thread is: a vCPU's index. A thread that doesn't is EVENT_IO_THREAD. */
void events_set_publisher(uint16_t vcpu);

#endif
