// SPDX-License-Identifier: Apache-2.0
/*
 * What the bench guest prints (guests/bench.c says how), line by line, into a report.
 *
 * The lines come through another program's console: whatever is in them, a report stays one. One
 * thread.
 */
#ifndef ARMLET_SRC_BENCH_GUEST_LINES_H
#define ARMLET_SRC_BENCH_GUEST_LINES_H

#include "report.h"

struct guest_lines {
    struct bench_report *report;
    double tick_ns; /* 0 before the guest's first line */
    bool ended;     /* its last line has come */
};

enum guest_line_kind {
    GUEST_LINE_OTHER, /* taken note of, or not the bench's */
    GUEST_LINE_RUN,   /* a benchmark begins: `id` */
    GUEST_LINE_INPUT, /* the guest wants `characters` on its console */
};

struct guest_line {
    enum guest_line_kind kind;
    enum bench_id id;
    uint32_t characters;
};

/*
 * One line, without its end. ERROR_GUEST for a line of the bench that makes no sense; it then says
 * what the line was.
 */
bool guest_lines_take(struct guest_lines *lines, const char *text, struct guest_line *line,
                      struct error *error) WARN_UNUSED;

#endif
