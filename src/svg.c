// SPDX-License-Identifier: Apache-2.0
#include "svg.h"

#include <math.h>

#include "figures.h"

/* Lengths in the picture's own units, a pixel at its natural size. */
enum {
    WIDTH = 960,
    MARGIN = 24,
    HEAD_HEIGHT = 66,
    PANEL_HEAD_HEIGHT = 66,
    ROW_HEIGHT = 48,
    SHAPE_HEIGHT = 34,
    FOOT_HEIGHT = 54,
    PLOT_LEFT = 176,
    PLOT_WIDTH = 496,
    PLOT_RIGHT = PLOT_LEFT + PLOT_WIDTH,
    COLUMN_WIDTH = 66,
    BIN_WIDTH = 2,
    BINS = PLOT_WIDTH / BIN_WIDTH,
};

/* What the axis is longer by than what is on it, and the room for labels between decades. */
#define AXIS_MARGIN          1.15
#define FEW_DECADES          2.2
#define SMALLEST_MEASURABLE  0.5 /* in units: nothing takes no time */
#define COLUMN_RIGHT(column) (PLOT_RIGHT + ((column) + 1) * COLUMN_WIDTH)

static const struct {
    const char *name;
    double fraction;
} columns[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

/* The axis of time: from `low` on, by decades. */
struct axis {
    double unit_ns;
    double low;  /* log10 of ns */
    double span; /* decades, > 0 */
};

static const char style[] =
    "<style>\n"
    "svg{background:#fcfcfb}\n"
    "text{font:12px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',"
    "sans-serif;fill:#1f2328}\n"
    ".page{fill:#fcfcfb}.title{font-size:19px;font-weight:600}\n"
    ".panel{font-size:14px;font-weight:600}.label{font-size:13px}\n"
    ".soft{fill:#656d76}.small{font-size:11px}.number{font-variant-numeric:tabular-nums}\n"
    ".grid{stroke:#e3e6ea}.minor{stroke:#f0f2f4}.base{stroke:#c3c9d0}\n"
    ".shape0{fill:#3a78c2}.shape1{fill:#2f9e78}\n"
    ".median{stroke:#1f2328;stroke-width:1.6}\n"
    ".p99{stroke:#1f2328;stroke-width:1.2;stroke-dasharray:2 2}.max{fill:#c4472b}\n"
    "@media (prefers-color-scheme:dark){\n"
    "svg{background:#16191d}text{fill:#e4e7ea}.page{fill:#16191d}.soft{fill:#98a1ab}\n"
    ".grid{stroke:#2b3138}.minor{stroke:#20252a}.base{stroke:#4a525b}\n"
    ".shape0{fill:#6ea4e0}.shape1{fill:#5cc29d}\n"
    ".median{stroke:#f2f4f6}.p99{stroke:#f2f4f6}.max{fill:#f08a6c}\n"
    "}\n"
    "</style>\n";

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        default:
            /* XML has no way to write control characters. */
            (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

static void put_label(FILE *out, double x, double y, const char *class, const char *anchor,
                      const char *text)
{
    (void)fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class,
                  anchor);
    put_text(out, text);
    (void)fputs("</text>\n", out);
}

static void put_line(FILE *out, double x, double y1, double y2, const char *class)
{
    (void)fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x,
                  x, y1, y2, class);
}

/* ---- the axis ---- */

static double decades(const struct axis *axis, double units)
{
    return log10(fmax(units, SMALLEST_MEASURABLE) * axis->unit_ns);
}

/* Where a duration is, in the picture; those beyond the axis are at its ends. */
static double position(const struct axis *axis, double units)
{
    double part = (decades(axis, units) - axis->low) / axis->span;

    return PLOT_LEFT + PLOT_WIDTH * fmin(fmax(part, 0), 1);
}

static struct axis find_axis(const struct svg_picture *picture)
{
    struct axis axis = {.unit_ns = picture->unit_ns};
    double high = -INFINITY;

    axis.low = INFINITY;
    for (size_t i = 0; i < picture->panel_count; i++)
        for (size_t j = 0; j < picture->panels[i].row_count; j++) {
            const struct histogram *histogram = picture->panels[i].rows[j].histogram;

            if (histogram->count == 0)
                continue;
            axis.low = fmin(axis.low, decades(&axis, (double)histogram->min));
            high = fmax(high, decades(&axis, (double)histogram->max));
        }
    if (axis.low > high)
        axis.low = high = 0;
    axis.low -= log10(AXIS_MARGIN);
    axis.span = high + log10(AXIS_MARGIN) - axis.low;
    return axis;
}

/* Lines at 1, 2 and 5 of each decade; labels at 1, and at the others if there is room. */
static void put_grid(FILE *out, const struct axis *axis, double top, double bottom)
{
    static const int steps[] = {1, 2, 5};

    const int first = (int)floor(axis->low);
    const int last = (int)floor(axis->low + axis->span);

    for (int decade = first; decade <= last; decade++)
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            double ns = steps[i] * pow(10, decade);
            double x = PLOT_LEFT + PLOT_WIDTH * (log10(ns) - axis->low) / axis->span;
            char text[FIGURE_TIME_BYTES];

            if (x < PLOT_LEFT || x > PLOT_RIGHT)
                continue;
            put_line(out, x, top, bottom, steps[i] == 1 ? "grid" : "minor");
            if (steps[i] != 1 && axis->span > FEW_DECADES)
                continue;
            figure_round_ns(ns, text);
            put_label(out, x, top - 6, "soft small", "middle", text);
        }
}

/* ---- a row ---- */

/* How many of the numbers are in each bin: those of a bucket that is wider are spread over it. */
static void fill_bins(const struct axis *axis, const struct histogram *histogram, double *bins)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double count = (double)histogram->buckets[i];

        if (count == 0)
            continue;
        double left = position(axis, (double)histogram_bucket_low(i)) - PLOT_LEFT;
        double right = position(axis, (double)histogram_bucket_high(i) + 1) - PLOT_LEFT;
        int first = (int)(left / BIN_WIDTH);
        int last = (int)ceil(right / BIN_WIDTH) - 1;

        first = first < BINS ? first : BINS - 1;
        last = last < BINS ? last : BINS - 1;
        if (last <= first) {
            bins[first] += count;
            continue;
        }
        for (int bin = first; bin <= last; bin++) {
            double from = fmax(left, bin * BIN_WIDTH);
            double to = fmin(right, (bin + 1) * BIN_WIDTH);

            bins[bin] += count * (to - from) / (right - left);
        }
    }
}

static void put_shape(FILE *out, const struct axis *axis, const struct histogram *histogram,
                      double base, unsigned colour)
{
    double bins[BINS] = {0};
    double highest = 0;

    fill_bins(axis, histogram, bins);
    for (int i = 0; i < BINS; i++)
        highest = fmax(highest, bins[i]);
    (void)fprintf(out, "<path class=\"shape%u\" d=\"M%d %.1f", colour % 2, PLOT_LEFT, base);
    for (int i = 0; i < BINS; i++) {
        double height = sqrt(bins[i] / highest) * SHAPE_HEIGHT;

        (void)fprintf(out, "V%.1fH%d", base - height, PLOT_LEFT + (i + 1) * BIN_WIDTH);
    }
    (void)fprintf(out, "V%.1fZ\"/>\n", base);
}

static void put_marks(FILE *out, const struct axis *axis, const struct histogram *histogram,
                      double base)
{
    double median = position(axis, (double)histogram_quantile(histogram, 0.5));
    double p99 = position(axis, (double)histogram_quantile(histogram, 0.99));

    put_line(out, median, base - SHAPE_HEIGHT - 2, base + 4, "median");
    put_line(out, p99, base - SHAPE_HEIGHT - 2, base + 4, "p99");
    (void)fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"max\"/>\n",
                  position(axis, (double)histogram->max), base);
}

static void put_row(FILE *out, const struct axis *axis, const struct svg_row *row, double top,
                    unsigned colour)
{
    const struct histogram *histogram = row->histogram;
    double base = top + ROW_HEIGHT - 6;
    char text[FIGURE_COUNT_BYTES];

    put_label(out, MARGIN, base - 14, "label", "start", row->label);
    figure_count(histogram->count, text);
    put_label(out, MARGIN, base, "soft small number", "start", text);
    (void)fprintf(out, "<path class=\"base\" d=\"M%d %.1fH%d\"/>\n", PLOT_LEFT, base, PLOT_RIGHT);
    put_shape(out, axis, histogram, base, colour);
    put_marks(out, axis, histogram, base);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        uint64_t units = histogram_quantile(histogram, columns[i].fraction);

        figure_ns((double)units * axis->unit_ns, text);
        put_label(out, COLUMN_RIGHT(i), base - 8, "number", "end", text);
    }
}

/* ---- the picture ---- */

static size_t count_rows(const struct svg_panel *panel)
{
    size_t count = 0;

    for (size_t i = 0; i < panel->row_count; i++)
        count += panel->rows[i].histogram->count > 0;
    return count;
}

static double put_panel(FILE *out, const struct axis *axis, const struct svg_panel *panel,
                        double top, unsigned colour)
{
    double y = top + PANEL_HEAD_HEIGHT;
    double bottom = y + (double)count_rows(panel) * ROW_HEIGHT;

    put_label(out, MARGIN, top + 32, "panel", "start", panel->title);
    put_grid(out, axis, y, bottom);
    for (int i = 0; i < COLUMN_COUNT; i++)
        put_label(out, COLUMN_RIGHT(i), y - 6, "soft small", "end", columns[i].name);
    for (size_t i = 0; i < panel->row_count; i++) {
        if (panel->rows[i].histogram->count == 0)
            continue;
        put_row(out, axis, &panel->rows[i], y, colour);
        y += ROW_HEIGHT;
    }
    return bottom;
}

static void put_legend(FILE *out, double y)
{
    enum { STEP = 76, WIDE_STEP = 114 };
    double x = PLOT_LEFT;

    put_line(out, x + 2, y - 11, y + 2, "median");
    put_label(out, x + 10, y, "soft small", "start", "median");
    x += STEP;
    put_line(out, x + 2, y - 11, y + 2, "p99");
    put_label(out, x + 10, y, "soft small", "start", "99th percentile");
    x += WIDE_STEP;
    (void)fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"max\"/>\n", x + 2, y - 4);
    put_label(out, x + 10, y, "soft small", "start", "maximum");
    put_label(out, COLUMN_RIGHT(COLUMN_COUNT - 1), y, "soft small", "end",
              "heights by the square root, each row by its own highest");
}

void svg_write(FILE *out, const struct svg_picture *picture)
{
    struct axis axis = find_axis(picture);
    double height = HEAD_HEIGHT + FOOT_HEIGHT;

    for (size_t i = 0; i < picture->panel_count; i++)
        height += PANEL_HEAD_HEIGHT + (double)(count_rows(&picture->panels[i]) * ROW_HEIGHT);
    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" "
                  "height=\"%.0f\" role=\"img\">\n<title>",
                  WIDTH, height, WIDTH, height);
    put_text(out, picture->title);
    (void)fprintf(out, "</title>\n%s<rect class=\"page\" width=\"%d\" height=\"%.0f\"/>\n", style,
                  WIDTH, height);
    put_label(out, MARGIN, 38, "title", "start", picture->title);
    if (picture->subtitle)
        put_label(out, MARGIN, 60, "soft", "start", picture->subtitle);
    double y = HEAD_HEIGHT;
    for (size_t i = 0; i < picture->panel_count; i++)
        y = put_panel(out, &axis, &picture->panels[i], y, (unsigned)i);
    put_legend(out, y + FOOT_HEIGHT - 20);
    (void)fputs("</svg>\n", out);
}
