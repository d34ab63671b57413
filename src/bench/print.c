// SPDX-License-Identifier: Apache-2.0
#include "print.h"

#include <string.h>

enum { NUMBER_COLUMNS = 10, NAME_COLUMNS = 17 };

#define MEDIAN       0.5
#define PERCENTILE99 0.99
#define PERMILLE999  0.999
#define LEAST_CHANGE 0.01
/* Instructions of a counted sample: the counter ticks every 16, and each end may be a tick off. */
#define LEAST_COUNTED 32.0

/* Digits that say something, and no more. */
static void print_number(FILE *out, double value)
{
    const double large = 1000;

    (void)fprintf(out, " %*.*f", NUMBER_COLUMNS, value < large ? 1 : 0, value);
}

/* A column for each benchmark's name, and one for what it is. */
void bench_print_list(FILE *out)
{
    for (size_t id = 0; id < BENCH_COUNT; id++)
        (void)fprintf(out, "%-*s %s\n", NAME_COLUMNS, bench_catalogue[id].name,
                      bench_catalogue[id].what);
}

static void print_facts(FILE *out, const struct bench_report *report)
{
    (void)fprintf(out, "%-*s %s\n", NAME_COLUMNS, "VMM", report->vmm);
    for (size_t i = 0; i < report->fact_count; i++)
        (void)fprintf(out, "%-*s %s\n", NAME_COLUMNS, report->facts[i].name,
                      report->facts[i].value);
    if (report->counted)
        (void)fprintf(out, "%-*s %s\n", NAME_COLUMNS, "clock",
                      "counts: an instruction takes a nanosecond, whatever it is");
}

static void print_row(FILE *out, const struct bench_report *report, enum bench_id id)
{
    const struct bench_result *result = &report->results[id];
    double ratio = bench_ratio(report, id);

    (void)fprintf(out, "%-*s", NAME_COLUMNS, bench_catalogue[id].name);
    print_number(out, bench_quantile(result, 0));
    print_number(out, bench_quantile(result, MEDIAN));
    print_number(out, bench_quantile(result, PERCENTILE99));
    print_number(out, bench_quantile(result, PERMILLE999));
    print_number(out, bench_quantile(result, 1));
    if (ratio > 0)
        (void)fprintf(out, " %9.3f", ratio);
    else
        (void)fprintf(out, " %9s", "");
    (void)fprintf(out, "  %s\n", bench_unit(report, id));
}

static void print_skipped(FILE *out, const struct bench_report *report)
{
    bool any = false;

    for (size_t id = 0; id < BENCH_COUNT; id++) {
        if (!report->results[id].skipped)
            continue;
        if (!any)
            (void)fputs("\nNot measured:\n", out);
        any = true;
        (void)fprintf(out, "%-*s %s\n", NAME_COLUMNS, bench_catalogue[id].name,
                      report->results[id].skipped);
    }
}

void bench_print_table(FILE *out, const struct bench_report *report)
{
    static const char *const headings[] = {"min", "p50", "p99", "p99.9", "max"};

    print_facts(out, report);
    (void)fprintf(out, "\n%-*s", NAME_COLUMNS, "benchmark");
    for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++)
        (void)fprintf(out, " %*s", NUMBER_COLUMNS, headings[i]);
    (void)fprintf(out, " %9s  %s\n", "/ floor", "unit");
    for (size_t id = 0; id < BENCH_COUNT; id++)
        if (bench_is_measured(&report->results[id]))
            print_row(out, report, (enum bench_id)id);
    print_skipped(out, report);
}

/* ---- two reports ---- */

/* Counts repeat, so what differs there is no noise: but for the counter's grain. */
static bool is_below(const struct bench_result *a, const struct bench_result *b, bool counted)
{
    if (counted)
        return (bench_quantile(b, MEDIAN) - bench_quantile(a, MEDIAN)) * b->operations >
               LEAST_COUNTED;
    return bench_median_interval(a).high < bench_median_interval(b).low;
}

enum bench_verdict bench_judge(const struct bench_report *before, const struct bench_report *after,
                               enum bench_id id)
{
    const struct bench_result *a = &before->results[id];
    const struct bench_result *b = &after->results[id];

    if (!bench_is_measured(a) || !bench_is_measured(b))
        return bench_is_measured(a)   ? BENCH_ONLY_FIRST
               : bench_is_measured(b) ? BENCH_ONLY_SECOND
                                      : BENCH_NEITHER;
    bool counted = before->counted && after->counted;
    double from = bench_quantile(a, MEDIAN);
    double change = bench_quantile(b, MEDIAN) - from;
    if (change > LEAST_CHANGE * from && is_below(a, b, counted))
        return BENCH_WORSE;
    if (-change > LEAST_CHANGE * from && is_below(b, a, counted))
        return BENCH_BETTER;
    return BENCH_SAME;
}

static const char *verdict_name(enum bench_verdict verdict)
{
    switch (verdict) {
    case BENCH_SAME:
        return "same";
    case BENCH_BETTER:
        return "better";
    case BENCH_WORSE:
        return "WORSE";
    case BENCH_ONLY_FIRST:
        return "not measured any more";
    case BENCH_ONLY_SECOND:
        return "new";
    case BENCH_NEITHER:
        break;
    }
    return "not measured";
}

static void print_median(FILE *out, const struct bench_result *result)
{
    if (bench_is_measured(result))
        print_number(out, bench_quantile(result, MEDIAN));
    else
        (void)fprintf(out, " %*s", NUMBER_COLUMNS, "-");
}

static void print_pair(FILE *out, const struct bench_report *before,
                       const struct bench_report *after, enum bench_id id,
                       enum bench_verdict verdict)
{
    const double percent = 100;
    const struct bench_result *a = &before->results[id];
    const struct bench_result *b = &after->results[id];

    (void)fprintf(out, "%-*s", NAME_COLUMNS, bench_catalogue[id].name);
    print_median(out, a);
    print_median(out, b);
    if (verdict <= BENCH_WORSE) {
        double from = bench_quantile(a, MEDIAN);
        (void)fprintf(out, " %+8.1f%%",
                      from > 0 ? percent * (bench_quantile(b, MEDIAN) - from) / from : 0.0);
    } else {
        (void)fprintf(out, " %9s", "");
    }
    (void)fprintf(out, "  %s\n", verdict_name(verdict));
}

/* Figures of hosts that differ say little of what changed between them. */
static void print_differences(FILE *out, const struct bench_report *before,
                              const struct bench_report *after)
{
    for (size_t i = 0; i < before->fact_count; i++) {
        const char *name = before->facts[i].name;
        const char *first = before->facts[i].value;
        const char *second = bench_find_fact(after, name);

        if (strcmp(name, BENCH_FACT_LOAD) != 0 && strcmp(first, second) != 0)
            (void)fprintf(out, "The hosts differ: %s: %s, then %s\n", name, first, second);
    }
    if (before->counted != after->counted)
        (void)fputs("The hosts differ: one counts instructions, the other takes time\n", out);
}

size_t bench_print_comparison(FILE *out, const struct bench_report *before,
                              const struct bench_report *after)
{
    size_t worse = 0;

    (void)fprintf(out, "first:  %s\nsecond: %s\n", before->vmm, after->vmm);
    print_differences(out, before, after);
    (void)fprintf(out, "\n%-*s %*s %*s %9s  verdict\n", NAME_COLUMNS, "median", NUMBER_COLUMNS,
                  "first", NUMBER_COLUMNS, "second", "change");
    for (size_t id = 0; id < BENCH_COUNT; id++) {
        enum bench_verdict verdict = bench_judge(before, after, (enum bench_id)id);

        worse += verdict == BENCH_WORSE;
        if (verdict != BENCH_NEITHER)
            print_pair(out, before, after, (enum bench_id)id, verdict);
    }
    return worse;
}
