// SPDX-License-Identifier: Apache-2.0
/*
 * A timer device in a world of its own: lines that record, a clock that the test moves, and an
 * event loop that fires alarms when the clock reaches them.
 */
#ifndef TESTS_TIMER_FIXTURE_H
#define TESTS_TIMER_FIXTURE_H

#include "armlet/log.h"
#include "fake_event_loop.h"
#include "fake_irq.h"
#include "fake_timer_clocks.h"
#include "primecell_checks.h"

enum { TIMER_FIXTURE_LINES = 64, TIMER_FIXTURE_INTID = 80 };

#define TIMER_FIXTURE_START_NS UINT64_C(5000000123)
#define MILLISECOND_NS         UINT64_C(1000000)
#define SECOND_NS              UINT64_C(1000000000)

struct timer_fixture {
    struct event_loop loop;
    struct irq_line lines[TIMER_FIXTURE_LINES];
    struct fake_irq irqs[TIMER_FIXTURE_LINES];
    struct fake_irq reset_request;
    struct log log;
    struct device *device;
    uint64_t now_ns;
    unsigned fired; /* alarms */
};

void timer_fixture_init(struct timer_fixture *fixture, const char *class_name);
/* Creates the device of that class; NULL with an error if it can't be. */
struct device *timer_fixture_create(struct timer_fixture *fixture, const char *class_name,
                                    struct error *error);
void timer_fixture_finish(struct timer_fixture *fixture);

/* The device fails to be created with an error that says `what` if the host gives no timer. */
void timer_fixture_check_failure(const char *class_name, const char *what);

/* Moves the clock, and nothing else: the I/O thread is late. */
void timer_fixture_skip_to(struct timer_fixture *fixture, uint64_t now_ns);
/* Moves the clock; alarms go off when they are due. */
void timer_fixture_run_to(struct timer_fixture *fixture, uint64_t now_ns);
/* Fires the alarm at the present time. */
void timer_fixture_fire(struct timer_fixture *fixture);

static inline uint32_t timer_get(const struct timer_fixture *fixture, uint64_t offset)
{
    return device_read32(fixture->device, offset);
}

static inline void timer_put(const struct timer_fixture *fixture, uint64_t offset, uint32_t value)
{
    device_write32(fixture->device, offset, value);
}

#endif
