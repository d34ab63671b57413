// SPDX-License-Identifier: Apache-2.0
/*
 * A report as text, as JSON, and two reports side by side. What can't be written shows in the
 * stream's error indicator. One thread.
 */
#ifndef ARMLET_SRC_BENCH_PRINT_H
#define ARMLET_SRC_BENCH_PRINT_H

#include <stdio.h>

#include "report.h"

void bench_print_list(FILE *out);
void bench_print_table(FILE *out, const struct bench_report *report);

/* The format of armlet-bench(1), "JSON". */
void bench_print_json(FILE *out, const struct bench_report *report);
/* Reads what bench_print_json() wrote; `name` is for messages. ERROR_FILE if it is anything else.
 */
struct bench_report *bench_read_json(const char *name, const char *text,
                                     struct error *error) WARN_UNUSED;

/* A picture of the distributions, SVG. ERROR_HOST when out of memory. */
bool bench_write_picture(FILE *out, const struct bench_report *report,
                         struct error *error) WARN_UNUSED;

enum bench_verdict {
    BENCH_SAME,        /* the medians can't be told apart, or differ by less than a part in 100 */
    BENCH_BETTER,      /* the second is smaller */
    BENCH_WORSE,       /* the second is larger */
    BENCH_ONLY_FIRST,  /* the second did not measure it */
    BENCH_ONLY_SECOND, /* the first did not */
    BENCH_NEITHER,
};

enum bench_verdict bench_judge(const struct bench_report *before, const struct bench_report *after,
                               enum bench_id id);

/* A table of both and what became of each benchmark; returns how many are worse. */
size_t bench_print_comparison(FILE *out, const struct bench_report *before,
                              const struct bench_report *after);

#endif
