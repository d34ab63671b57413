// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "print.h"
#include "svg.h"

/* Histograms hold whole numbers: tenths, so that what takes a nanosecond has a shape too. */
#define UNIT_NS 0.1

enum { SUBTITLE_BYTES = 512 };

static void fill(struct histogram *histogram, const struct bench_result *result)
{
    for (size_t i = 0; i < result->point_count; i++)
        for (uint64_t j = 0; j < result->points[i].count; j++)
            histogram_record(histogram, (uint64_t)llround(result->points[i].value / UNIT_NS));
}

bool bench_write_picture(FILE *out, const struct bench_report *report, struct error *error)
{
    struct histogram *histograms = calloc(BENCH_COUNT, sizeof(*histograms));
    struct svg_row rows[BENCH_COUNT];
    char subtitle[SUBTITLE_BYTES];
    size_t count = 0;

    if (!histograms)
        return error_set(error, ERROR_HOST, ENOMEM, "no memory for the picture");
    for (size_t id = 0; id < BENCH_COUNT; id++) {
        if (!bench_is_measured(&report->results[id]) || id == BENCH_EXEC_MEMORY)
            continue;
        fill(&histograms[id], &report->results[id]);
        rows[count++] = (struct svg_row){bench_catalogue[id].name, &histograms[id]};
    }
    (void)snprintf(subtitle, sizeof(subtitle), "%s, %s, %s%s", report->vmm,
                   bench_find_fact(report, "CPU model"), bench_find_fact(report, "kernel"),
                   report->counted ? ". Counted: a nanosecond is an instruction." : "");
    const struct svg_panel panel = {"Of one operation", rows, count};
    const struct svg_picture picture = {
        .title = "What leaving the guest costs",
        .subtitle = subtitle,
        .unit_ns = UNIT_NS,
        .panels = &panel,
        .panel_count = 1,
    };
    svg_write(out, &picture);
    free(histograms);
    return true;
}
