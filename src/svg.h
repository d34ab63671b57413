// SPDX-License-Identifier: Apache-2.0
/*
 * Histograms of durations as a picture: SVG 1.1 for a browser, light or dark as its reader likes.
 *
 * A picture is one or more panels below each other, which share one logarithmic axis of time. Each
 * row of a panel is one histogram: its shape, with marks at the median, the 99th percentile and the
 * maximum, and the same as numbers beside it. Shapes are as high as their row whatever the count,
 * and drawn by the square root, so that a thin tail can be seen. One thread.
 */
#ifndef ARMLET_SRC_SVG_H
#define ARMLET_SRC_SVG_H

#include <stddef.h>
#include <stdio.h>

#include "histogram.h"

struct svg_row {
    const char *label; /* any text */
    const struct histogram *histogram;
};

struct svg_panel {
    const char *title;
    const struct svg_row *rows; /* those without a count are left out */
    size_t row_count;
};

struct svg_picture {
    const char *title;
    const char *subtitle; /* may be NULL */
    double unit_ns;       /* what 1 in the histograms is, in ns; > 0 */
    const struct svg_panel *panels;
    size_t panel_count;
};

/* Failures of `out` are for its owner to look at (ferror). */
void svg_write(FILE *out, const struct svg_picture *picture);

#endif
