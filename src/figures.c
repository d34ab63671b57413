// SPDX-License-Identifier: Apache-2.0
#include "figures.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* From here on a number has three digits with so many decimals less, rounding included. */
#define HUNDREDS   99.95
#define TENS       9.995
#define NEARLY_ONE 0.9995

static const struct {
    double ns;
    const char *name;
} units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "\u00b5s"}, {1, "ns"}};

static void format_ns(double ns, bool whole, char text[static FIGURE_TIME_BYTES])
{
    size_t unit = 0;

    while (units[unit].ns > 1 && ns < NEARLY_ONE * units[unit].ns)
        unit++;
    double value = ns / units[unit].ns;
    int digits = value >= HUNDREDS ? 0 : value >= TENS ? 1 : 2;
    if (whole)
        digits = value < NEARLY_ONE;
    (void)snprintf(text, FIGURE_TIME_BYTES, "%.*f %s", digits, value, units[unit].name);
}

void figure_ns(double ns, char text[static FIGURE_TIME_BYTES])
{
    if (ns > 0)
        format_ns(ns, false, text);
    else
        memcpy(text, "0", sizeof("0"));
}

void figure_round_ns(double ns, char text[static FIGURE_TIME_BYTES])
{
    format_ns(ns, true, text);
}

void figure_count(uint64_t count, char text[static FIGURE_COUNT_BYTES])
{
    enum { GROUP = 3 };
    char digits[FIGURE_COUNT_BYTES];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    char *end = text;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % GROUP == 0)
            *end++ = ',';
        *end++ = digits[i];
    }
    *end = '\0';
}
