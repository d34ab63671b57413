// SPDX-License-Identifier: Apache-2.0
/* What a console counts and tells of. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "console_fixture.h"

Suite *unit_suite(void);

static char told[2][256]; /* kept, dropped */
static char taken[256];
static unsigned timers;

static void append(char *text, const struct event *event)
{
    ck_assert_uint_lt(strlen(text) + event->console.count, sizeof(taken));
    (void)strncat(text, (const char *)event->console.bytes, event->console.count);
}

static void remember(void *context, const struct event *event)
{
    (void)context;
    switch (event->kind) {
    case EVENT_CONSOLE_OUTPUT:
        append(told[event->console.dropped], event);
        break;
    case EVENT_CONSOLE_INPUT:
        append(taken, event);
        break;
    default:
        timers++;
    }
}

static void look(void)
{
    const struct event_subscriber subscriber = {.notify = remember, .wanted = EVENT_MASK_ALL};
    struct error error = {0};

    ck_assert(events_subscribe(&f.events, &subscriber, &error));
    events_freeze(&f.events);
    event_loop_set_events(f.loop, &f.events);
}

static struct console_counters counted(void)
{
    struct console_counters counters;

    console_count(f.console, &counters);
    return counters;
}

/* Standard input and output are pipes from now on; the other ends are returned. */
static void replace_standard_files(int *input, int *output)
{
    int in[2];
    int out[2];

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(in[0], STDIN_FILENO), STDIN_FILENO);
    ck_assert_int_eq(dup2(out[1], STDOUT_FILENO), STDOUT_FILENO);
    *input = in[1];
    *output = out[0];
}

START_TEST(both_directions_are_told)
{
    int input;
    int output;

    look();
    replace_standard_files(&input, &output);
    create_well(CONSOLE_STDIO, NULL);
    watch(output);
    put("hello");
    expect_seen("hello");
    type(input, "in");
    expect_taken("in");
    ck_assert_str_eq(told[false], "hello");
    ck_assert_str_eq(told[true], "");
    ck_assert_str_eq(taken, "in");
    ck_assert_uint_ge(timers, 1); /* the flush */
    ck_assert_uint_eq(counted().output, 5);
    ck_assert_uint_eq(counted().input, 2);
    ck_assert_uint_eq(counted().dropped, 0);
    ck_assert_uint_ge(counted().writes, 1);
}
END_TEST

START_TEST(what_nobody_reads_is_counted)
{
    create_well(CONSOLE_NONE, NULL);
    put("into the void");
    ck_assert(console_flush(f.console, BOUND_NS));
    ck_assert_uint_eq(counted().output, 13);
    ck_assert_uint_eq(counted().dropped, 13);
    ck_assert_uint_eq(counted().writes, 0);
}
END_TEST

START_TEST(who_looks_sees_what_nobody_reads)
{
    look();
    create_well(CONSOLE_NONE, NULL);
    put("into the void");
    ck_assert(console_flush(f.console, BOUND_NS));
    ck_assert_str_eq(told[true], "into the void");
    ck_assert_str_eq(told[false], "");
    ck_assert_uint_eq(counted().output, 13);
    ck_assert_uint_eq(counted().dropped, 13);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("console_events");
    TCase *tests = tcase_create("console_events");

    tcase_add_checked_fixture(tests, console_set_up, console_tear_down);
    tcase_add_test(tests, both_directions_are_told);
    tcase_add_test(tests, what_nobody_reads_is_counted);
    tcase_add_test(tests, who_looks_sees_what_nobody_reads);
    suite_add_tcase(suite, tests);
    return suite;
}
