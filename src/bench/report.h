// SPDX-License-Identifier: Apache-2.0
/*
 * What was measured, as values: the catalogue of benchmarks, a distribution for each, the host.
 *
 * A report is filled by one run (bench.c, guest_lines.c) or by reading one that was written
 * (json_read.c), and then printed or compared. Distributions are exact: each value that was seen,
 * with how often. Everything of a report is in its arena, or constant. One thread.
 */
#ifndef ARMLET_SRC_BENCH_REPORT_H
#define ARMLET_SRC_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/error.h"

enum bench_id {
#define BENCHMARK(id, name, where, floor, what) BENCH_##id,
#include "benchmarks.def"
    BENCH_COUNT,
};

enum bench_where { BENCH_GUEST, BENCH_ALONE, BENCH_HOST };

struct bench_entry {
    const char *name;
    enum bench_where where;
    enum bench_id floor; /* what it is compared with */
    const char *what;    /* what one operation is */
};

extern const struct bench_entry bench_catalogue[BENCH_COUNT];

/* The benchmark of this name, of `length` bytes; BENCH_COUNT if there is none. */
enum bench_id bench_find(const char *name, size_t length);

struct bench_point {
    double value; /* of one operation: nanoseconds, or bytes */
    uint64_t count;
};

struct bench_result {
    bool chosen;
    const char *skipped; /* why there are no points; NULL if there are */
    uint32_t operations; /* in a sample, whose time was divided by it */
    uint64_t samples;    /* the counts of all points */
    size_t point_count;
    struct bench_point *points; /* ascending */
};

/* What a report says of the host, as doctor words it. */
#define BENCH_FACT_LOAD "load" /* of the moment: no two reports agree */

enum { BENCH_FACTS_MAX = 16, BENCH_FACT_BYTES = 200 };

struct bench_fact {
    const char *name;
    char value[BENCH_FACT_BYTES];
};

struct bench_report {
    const char *vmm; /* who ran the guest: "armlet VERSION", or a command */
    bool counted;    /* a nanosecond of the host is an instruction: see bench_note_clock() */
    uint32_t runs;   /* samples asked for */
    size_t fact_count;
    struct bench_fact facts[BENCH_FACTS_MAX];
    struct bench_result results[BENCH_COUNT];
    struct arena arena;
};

struct bench_report *bench_report_create(struct error *error) WARN_UNUSED;
void bench_report_destroy(struct bench_report *report); /* NULL is allowed */

/* A copy of `length` bytes of text that lives as long as the report. */
const char *bench_keep_text(struct bench_report *report, const char *text, size_t length,
                            struct error *error) WARN_UNUSED;

/* Makes `count` points, in any order, the result's; sorts them and joins equal ones. */
bool bench_set_points(struct bench_report *report, enum bench_id id,
                      const struct bench_point *points, size_t count, uint32_t operations,
                      struct error *error) WARN_UNUSED;
/* The same from samples of `operations` each, in nanoseconds. */
bool bench_set_samples(struct bench_report *report, enum bench_id id, const uint64_t *samples,
                       size_t count, uint32_t operations, struct error *error) WARN_UNUSED;
void bench_skip(struct bench_report *report, enum bench_id id, const char *why);

bool bench_is_measured(const struct bench_result *result);
/* The smallest value that at least `share` (0 to 1) of the samples don't exceed. */
double bench_quantile(const struct bench_result *result, double share);
double bench_mean(const struct bench_result *result);

/* An interval that holds the true median of what was sampled with 99% confidence. */
struct bench_interval {
    double low, high;
};
struct bench_interval bench_median_interval(const struct bench_result *result);

/* The median as a multiple of its floor's; 0 if either was not measured. */
double bench_ratio(const struct bench_report *report, enum bench_id id);

/* What is said of the host under this name, or "unknown". */
const char *bench_find_fact(const struct bench_report *report, const char *name);

/* "instructions", "ns" or "bytes". */
const char *bench_unit(const struct bench_report *report, enum bench_id id);

#endif
