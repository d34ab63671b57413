// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUEST = BENCH_GUEST, ALONE = BENCH_ALONE, HOST = BENCH_HOST };

const struct bench_entry bench_catalogue[BENCH_COUNT] = {
#define BENCHMARK(id, name, where, floor, what)                                                    \
    [BENCH_##id] = {(name), (enum bench_where)(where), BENCH_##floor, (what)},
#include "benchmarks.def"
};

enum bench_id bench_find(const char *name, size_t length)
{
    size_t id = 0;

    while (id < BENCH_COUNT && (strlen(bench_catalogue[id].name) != length ||
                                memcmp(bench_catalogue[id].name, name, length) != 0))
        id++;
    return (enum bench_id)id;
}

struct bench_report *bench_report_create(struct error *error)
{
    struct bench_report *report = calloc(1, sizeof(*report));

    if (!report)
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot keep what is measured");
    return report;
}

void bench_report_destroy(struct bench_report *report)
{
    if (!report)
        return;
    arena_finish(&report->arena);
    free(report);
}

const char *bench_keep_text(struct bench_report *report, const char *text, size_t length,
                            struct error *error)
{
    char *copy = arena_alloc(&report->arena, length + 1, 1, error);

    if (copy)
        memcpy(copy, text, length);
    return copy;
}

static int by_value(const void *left, const void *right)
{
    const struct bench_point *a = left;
    const struct bench_point *b = right;

    return (a->value > b->value) - (a->value < b->value);
}

/* Equal neighbours become one; returns how many are left. */
static size_t join(struct bench_point *points, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && points[kept - 1].value == points[i].value)
            points[kept - 1].count += points[i].count;
        else
            points[kept++] = points[i];
    }
    return kept;
}

bool bench_set_points(struct bench_report *report, enum bench_id id,
                      const struct bench_point *points, size_t count, uint32_t operations,
                      struct error *error)
{
    struct bench_result *result = &report->results[id];
    struct bench_point *kept;

    if (count == 0)
        return error_set(error, ERROR_INTERNAL, 0, "benchmark '%s' took no samples",
                         bench_catalogue[id].name);
    kept = arena_alloc(&report->arena, count, sizeof(*kept), error);
    if (!kept)
        return false;
    memcpy(kept, points, count * sizeof(*kept));
    qsort(kept, count, sizeof(*kept), by_value);
    *result = (struct bench_result){
        .chosen = true,
        .operations = operations,
        .points = kept,
        .point_count = join(kept, count),
    };
    for (size_t i = 0; i < result->point_count; i++)
        result->samples += kept[i].count;
    return true;
}

bool bench_set_samples(struct bench_report *report, enum bench_id id, const uint64_t *samples,
                       size_t count, uint32_t operations, struct error *error)
{
    struct bench_point *points = calloc(count ? count : 1, sizeof(*points));

    if (!points)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep what is measured");
    for (size_t i = 0; i < count; i++)
        points[i] = (struct bench_point){(double)samples[i] / operations, 1};
    bool good = bench_set_points(report, id, points, count, operations, error);
    free(points);
    return good;
}

void bench_skip(struct bench_report *report, enum bench_id id, const char *why)
{
    report->results[id] = (struct bench_result){.chosen = true, .skipped = why};
}

bool bench_is_measured(const struct bench_result *result)
{
    return result->point_count > 0;
}

/* The value of the sample of this rank, from 1. */
static double at_rank(const struct bench_result *result, double rank)
{
    double seen = 0;
    size_t i = 0;

    for (; i + 1 < result->point_count; i++) {
        seen += (double)result->points[i].count;
        if (seen >= rank)
            break;
    }
    return result->points[i].value;
}

double bench_quantile(const struct bench_result *result, double share)
{
    return at_rank(result, ceil(share * (double)result->samples));
}

double bench_mean(const struct bench_result *result)
{
    double sum = 0;

    for (size_t i = 0; i < result->point_count; i++)
        sum += result->points[i].value * (double)result->points[i].count;
    return sum / (double)result->samples;
}

/*
 * Order statistics: of n samples, those below the true median are n/2 with a standard deviation of
 * sqrt(n)/2, however the samples are distributed.
 */
struct bench_interval bench_median_interval(const struct bench_result *result)
{
    const double normal_99 = 2.576;
    double count = (double)result->samples;
    double reach = normal_99 * sqrt(count) / 2;
    double low = floor(count / 2 - reach);
    double high = ceil(count / 2 + reach) + 1;

    return (struct bench_interval){at_rank(result, low < 1 ? 1 : low),
                                   at_rank(result, high > count ? count : high)};
}

double bench_ratio(const struct bench_report *report, enum bench_id id)
{
    const double half = 0.5;
    const struct bench_result *result = &report->results[id];
    const struct bench_result *base = &report->results[bench_catalogue[id].floor];

    if (id == BENCH_EXEC_MEMORY || !bench_is_measured(result) || !bench_is_measured(base))
        return 0;
    double divisor = bench_quantile(base, half);
    return divisor > 0 ? bench_quantile(result, half) / divisor : 0;
}

const char *bench_unit(const struct bench_report *report, enum bench_id id)
{
    if (id == BENCH_EXEC_MEMORY)
        return "bytes";
    return report->counted ? "instructions" : "ns";
}

const char *bench_find_fact(const struct bench_report *report, const char *name)
{
    for (size_t i = 0; i < report->fact_count; i++)
        if (strcmp(report->facts[i].name, name) == 0)
            return report->facts[i].value;
    return "unknown";
}
