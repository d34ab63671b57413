// SPDX-License-Identifier: Apache-2.0
/* Who is told of which event, and what an interrupt line with somebody looking does. */
#include <check.h>
#include <string.h>

#include "armlet/events.h"
#include "fake_irq.h"
#include "fake_ticks.h"
#include "irq_watch.h"

Suite *unit_suite(void);

struct witness {
    unsigned count;
    struct event last;
};

static void witness_event(void *context, const struct event *event)
{
    struct witness *witness = context;

    witness->count++;
    witness->last = *event;
}

static void subscribe(struct event_hub *hub, struct witness *witness, uint32_t wanted, bool timed)
{
    const struct event_subscriber subscriber = {witness_event, witness, wanted, timed};
    struct error error = {0};

    ck_assert(events_subscribe(hub, &subscriber, &error));
}

static void publish_timer(const struct event_hub *hub, const char *name)
{
    struct event event = {.kind = EVENT_TIMER, .timer = {.name = name}};

    events_publish(hub, &event);
}

START_TEST(nobody_wants_anything)
{
    struct event_hub hub = {0};
    uint64_t reads = fake_ticks_reads();

    events_freeze(&hub);
    for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++)
        ck_assert(!events_wanted(&hub, kind));
    publish_timer(&hub, "alarm");
    ck_assert_uint_eq(fake_ticks_reads(), reads);
}
END_TEST

START_TEST(each_is_told_of_what_it_wants)
{
    struct event_hub hub = {0};
    struct witness timers = {0};
    struct witness all = {0};

    subscribe(&hub, &timers, EVENT_MASK(EVENT_TIMER), false);
    subscribe(&hub, &all, EVENT_MASK_ALL, false);
    ck_assert(!events_wanted(&hub, EVENT_TIMER)); /* not yet */
    events_freeze(&hub);
    ck_assert(events_wanted(&hub, EVENT_TIMER));
    ck_assert(events_wanted(&hub, EVENT_EXIT));

    publish_timer(&hub, "alarm");
    struct event exit = {.kind = EVENT_EXIT, .exit = {.reason = EXIT_KIND_MMIO}};
    events_publish(&hub, &exit);
    ck_assert_uint_eq(timers.count, 1);
    ck_assert_str_eq(timers.last.timer.name, "alarm");
    ck_assert_uint_eq(all.count, 2);
    ck_assert_int_eq(all.last.kind, EVENT_EXIT);
    ck_assert_uint_eq(all.last.ticks, 0);
    ck_assert_uint_eq(all.last.publisher, EVENT_IO_THREAD);
}
END_TEST

START_TEST(the_clock_is_read_for_who_asks)
{
    struct event_hub hub = {0};
    struct witness witness = {0};

    subscribe(&hub, &witness, EVENT_MASK(EVENT_TIMER), true);
    events_freeze(&hub);
    publish_timer(&hub, NULL);
    uint64_t first = witness.last.ticks;
    publish_timer(&hub, NULL);
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_eq(witness.last.ticks, first + FAKE_TICKS_STEP);
}
END_TEST

START_TEST(a_vcpus_thread_is_told_apart)
{
    struct event_hub hub = {0};
    struct witness witness = {0};

    subscribe(&hub, &witness, EVENT_MASK_ALL, false);
    events_freeze(&hub);
    events_set_publisher(3);
    publish_timer(&hub, NULL);
    ck_assert_uint_eq(witness.last.publisher, 3);
    events_set_publisher(EVENT_IO_THREAD);
}
END_TEST

START_TEST(there_is_an_end_of_subscribers)
{
    struct event_hub hub = {0};
    struct witness witness = {0};
    const struct event_subscriber one_more = {witness_event, &witness, EVENT_MASK_ALL, false};
    struct error error = {0};

    for (int i = 0; i < EVENT_MAX_SUBSCRIBERS; i++)
        subscribe(&hub, &witness, EVENT_MASK_ALL, false);
    ck_assert(!events_subscribe(&hub, &one_more, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    events_freeze(&hub);
    publish_timer(&hub, NULL);
    ck_assert_uint_eq(witness.count, EVENT_MAX_SUBSCRIBERS);
}
END_TEST

START_TEST(kinds_have_names)
{
    for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        const char *name = event_kind_name(kind);

        ck_assert_ptr_nonnull(name);
        ck_assert_int_eq(event_kind_find(name, strlen(name)), kind);
        ck_assert_int_eq(event_kind_find(name, strlen(name) - 1), EVENT_KIND_COUNT);
    }
    ck_assert_ptr_null(event_kind_name(EVENT_KIND_COUNT));
    for (enum exit_kind kind = 0; kind < EXIT_KIND_COUNT; kind++)
        ck_assert_str_ne(exit_kind_name(kind), "unknown");
    ck_assert_str_eq(exit_kind_name(EXIT_KIND_COUNT), "unknown");
}
END_TEST

START_TEST(a_watched_line_is_a_line)
{
    static const struct device device = {.name = "uart"};
    struct event_hub hub = {0};
    struct witness witness = {0};
    struct fake_irq irq;
    struct irq_watch watch = {0};
    struct irq_line line;

    subscribe(&hub, &witness, EVENT_MASK(EVENT_IRQ), false);
    events_freeze(&hub);
    fake_irq_init(&irq);
    watch.wire = irq.line;
    watch.wire.intid = 33;
    irq_watch_init(&watch, &line, &hub);
    watch.device = &device;

    irq_line_set(&line, false);
    ck_assert_uint_eq(witness.count, 0); /* nothing changed */
    irq_line_set(&line, true);
    ck_assert(irq.level);
    ck_assert(witness.last.irq.level);
    ck_assert_uint_eq(witness.last.irq.intid, 33);
    ck_assert_ptr_eq(witness.last.irq.device, &device);
    irq_line_set(&line, true);
    irq_line_set(&line, false);
    irq_line_set(&line, true);
    ck_assert_uint_eq(witness.count, 3);
    ck_assert_uint_eq(watch.raised, 2);
    ck_assert_uint_eq(irq.rises, 2);
    irq_line_set(&line, false);
    irq_line_pulse(&line);
    ck_assert_uint_eq(witness.count, 6);
    ck_assert_uint_eq(watch.raised, 3);
    ck_assert_uint_eq(irq.rises, 3);
    ck_assert(!irq.level);
    irq_watch_set_event(&watch, 5);
    ck_assert_int_eq(irq_line_event_fd(&line), IRQ_NO_EVENT); /* somebody is told of each */
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("events");
    TCase *tests = tcase_create("events");

    tcase_add_test(tests, nobody_wants_anything);
    tcase_add_test(tests, each_is_told_of_what_it_wants);
    tcase_add_test(tests, the_clock_is_read_for_who_asks);
    tcase_add_test(tests, a_vcpus_thread_is_told_apart);
    tcase_add_test(tests, there_is_an_end_of_subscribers);
    tcase_add_test(tests, kinds_have_names);
    tcase_add_test(tests, a_watched_line_is_a_line);
    suite_add_tcase(suite, tests);
    return suite;
}
