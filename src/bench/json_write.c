// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "json.h"
#include "print.h"

enum { FORMAT_VERSION = 1 }; /* changes when a program that reads it would break */

static void print_member(FILE *out, const char *name, const char *value)
{
    json_put_string(out, name);
    (void)fputs(": ", out);
    json_put_string(out, value);
}

static void print_quantiles(FILE *out, const struct bench_result *result)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"min", 0}, {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
        (void)fprintf(out, ", \"%s\": %.10g", quantiles[i].name,
                      bench_quantile(result, quantiles[i].share));
    (void)fprintf(out, ", \"mean\": %.10g", bench_mean(result));
}

static void print_result(FILE *out, const struct bench_report *report, enum bench_id id)
{
    const struct bench_result *result = &report->results[id];

    (void)fputs("{", out);
    print_member(out, "name", bench_catalogue[id].name);
    if (result->skipped) {
        (void)fputs(", ", out);
        print_member(out, "skipped", result->skipped);
        (void)fputs("}", out);
        return;
    }
    (void)fputs(", ", out);
    print_member(out, "unit", bench_unit(report, id));
    (void)fprintf(out, ", \"operations\": %" PRIu32 ", \"samples\": %" PRIu64, result->operations,
                  result->samples);
    print_quantiles(out, result);
    if (bench_ratio(report, id) > 0)
        (void)fprintf(out, ", \"to_floor\": %.10g", bench_ratio(report, id));
    (void)fputs(",\n     \"distribution\": [", out);
    for (size_t i = 0; i < result->point_count; i++)
        (void)fprintf(out, "%s[%.10g, %" PRIu64 "]", i ? ", " : "", result->points[i].value,
                      result->points[i].count);
    (void)fputs("]}", out);
}

void bench_print_json(FILE *out, const struct bench_report *report)
{
    const char *separator = "\n    ";

    (void)fprintf(out, "{\"armlet_bench\": %d,\n  ", FORMAT_VERSION);
    print_member(out, "vmm", report->vmm);
    (void)fprintf(out, ",\n  \"counted\": %s,\n  \"runs\": %" PRIu32 ",\n  \"host\": {",
                  report->counted ? "true" : "false", report->runs);
    for (size_t i = 0; i < report->fact_count; i++) {
        (void)fputs(i ? ",\n    " : "\n    ", out);
        print_member(out, report->facts[i].name, report->facts[i].value);
    }
    (void)fputs("},\n  \"benchmarks\": [", out);
    for (size_t id = 0; id < BENCH_COUNT; id++) {
        if (!report->results[id].skipped && !bench_is_measured(&report->results[id]))
            continue;
        (void)fputs(separator, out);
        separator = ",\n    ";
        print_result(out, report, (enum bench_id)id);
    }
    (void)fputs("]}\n", out);
}
