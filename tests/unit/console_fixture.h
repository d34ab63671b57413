// SPDX-License-Identifier: Apache-2.0
/*
 * A console between a client and an outside that a test plays. Whatever a test waits for stops the
 * event loop, and what never comes fails the test after a bound.
 */
#ifndef TESTS_CONSOLE_FIXTURE_H
#define TESTS_CONSOLE_FIXTURE_H

#include "console.h"

#define BOUND_NS 10000000000ULL

enum { TEXT_BYTES = 4096, MUCH_BYTES = 300000 };

/* A client that notes what it is told, and an outside that collects what it reads. */
struct console_fixture {
    struct event_loop *loop;
    struct event_hub events; /* of a test that looks */
    struct event_timer bound;
    struct console *console;
    struct log log;
    int log_ends[2];

    char taken[TEXT_BYTES]; /* by the client */
    size_t taken_count;
    size_t room; /* how much more it takes */
    size_t wanted;
    unsigned ready_count; /* calls of output_ready */

    const char *elsewhere; /* what `collect` puts, a character a call; may be NULL */
    bool goes_on;          /* what it returns */
    unsigned collects;     /* calls of it */

    struct event_source outside;
    char seen[2 * MUCH_BYTES]; /* outside */
    size_t seen_count;
    size_t expected;
    bool ended;

    enum console_command command;
    unsigned command_count;
};

extern struct console_fixture f;

void console_set_up(void);
void console_tear_down(void);

/* A console with its client; create_well() fails the test if it can't be had. */
bool create_console(enum console_kind kind, const char *path, struct error *error);
void create_well(enum console_kind kind, const char *path);

/* Runs the loop until one of f's conditions holds. */
void run_console(void);
/* Makes fd the outside that is read from. */
void watch(int fd);
/* What the log got since the last call, in static memory. */
const char *logged(void);

void put(const char *text);          /* the client writes */
void type(int fd, const char *text); /* someone outside writes */
void expect_seen(const char *text);  /* the outside reads exactly this */
void expect_taken(const char *text); /* the client is given exactly this */

#endif
