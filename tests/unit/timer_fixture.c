// SPDX-License-Identifier: Apache-2.0
#include "timer_fixture.h"

#include <check.h>
#include <string.h>

struct device *timer_fixture_create(struct timer_fixture *fixture, const char *class_name,
                                    struct error *error)
{
    struct device_resources resources = {
        .irq = fixture->lines,
        .reset_request = &fixture->reset_request.line,
        .loop = &fixture->loop,
        .log = &fixture->log,
    };

    return find_device_class(class_name)->create(&resources, error);
}

static void prepare(struct timer_fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->log.fd = -1;
    fixture->loop.clock = monotonic_clock_now_ns;
    fake_irq_init(&fixture->reset_request);
    for (unsigned i = 0; i < TIMER_FIXTURE_LINES; i++) {
        fake_irq_init(&fixture->irqs[i]);
        fixture->lines[i] = fixture->irqs[i].line;
        fixture->lines[i].intid = TIMER_FIXTURE_INTID + i;
    }
    timer_fixture_skip_to(fixture, TIMER_FIXTURE_START_NS);
}

void timer_fixture_init(struct timer_fixture *fixture, const char *class_name)
{
    struct error error = {0};

    prepare(fixture);
    fixture->device = timer_fixture_create(fixture, class_name, &error);
    ck_assert_ptr_nonnull(fixture->device);
}

void timer_fixture_finish(struct timer_fixture *fixture)
{
    fixture->device->ops->destroy(fixture->device);
    ck_assert_ptr_null(fixture->loop.timer);
}

void timer_fixture_check_failure(const char *class_name, const char *what)
{
    static struct timer_fixture fixture;
    struct error error = {0};

    prepare(&fixture);
    fixture.loop.fail_init = true;
    ck_assert_ptr_null(timer_fixture_create(&fixture, class_name, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, what));
}

void timer_fixture_skip_to(struct timer_fixture *fixture, uint64_t now_ns)
{
    fixture->now_ns = now_ns;
    fake_timer_clocks_set(now_ns);
}

void timer_fixture_fire(struct timer_fixture *fixture)
{
    fixture->fired++;
    fake_event_loop_fire(&fixture->loop);
}

void timer_fixture_run_to(struct timer_fixture *fixture, uint64_t now_ns)
{
    while (fixture->loop.armed && fixture->loop.due_ns <= now_ns) {
        timer_fixture_skip_to(fixture, fixture->loop.due_ns);
        timer_fixture_fire(fixture);
    }
    timer_fixture_skip_to(fixture, now_ns);
}
