// SPDX-License-Identifier: Apache-2.0
#include "options_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { FRACTION_DIGITS_MAX = 6 }; /* with these, fraction * unit fits in 64 bits */

struct unit {
    const char *suffix; /* "": a bare number */
    uint64_t scale;
};

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static const struct unit size_units[] = {
    {"", MIB},  {"K", KIB},  {"KB", KIB},  {"KiB", KIB}, {"M", MIB},  {"MB", MIB},  {"MiB", MIB},
    {"G", GIB}, {"GB", GIB}, {"GiB", GIB}, {"T", TIB},   {"TB", TIB}, {"TiB", TIB},
};

#define US_NS     UINT64_C(1000)
#define MS_NS     (1000 * US_NS)
#define SECOND_NS (1000 * MS_NS)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS   (60 * MINUTE_NS)

static const struct unit time_units[] = {
    {"", SECOND_NS},  {"ns", 1},        {"us", US_NS},  {"ms", MS_NS},
    {"s", SECOND_NS}, {"m", MINUTE_NS}, {"h", HOUR_NS},
};

enum number_fault { NUMBER_OK, NUMBER_MALFORMED, NUMBER_TOO_LARGE };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *cursor and moves it behind them. */
static enum number_fault scan_digits(const char **cursor, uint64_t *number)
{
    bool overflow = false;

    if (!is_digit(**cursor))
        return NUMBER_MALFORMED;
    *number = 0;
    for (; is_digit(**cursor); (*cursor)++) {
        unsigned digit = (unsigned)(**cursor - '0');
        overflow |= __builtin_mul_overflow(*number, 10, number);
        overflow |= __builtin_add_overflow(*number, digit, number);
    }
    return overflow ? NUMBER_TOO_LARGE : NUMBER_OK;
}

/* Reads ".25", if it is there, as numerator 25 and denominator 100. */
static enum number_fault scan_fraction(const char **cursor, uint64_t *numerator,
                                       uint64_t *denominator)
{
    *numerator = 0;
    *denominator = 1;
    if (**cursor != '.')
        return NUMBER_OK;
    (*cursor)++;

    const char *digits = *cursor;
    if (scan_digits(cursor, numerator) != NUMBER_OK || *cursor - digits > FRACTION_DIGITS_MAX)
        return NUMBER_MALFORMED;
    for (; digits < *cursor; digits++)
        *denominator *= 10;
    return NUMBER_OK;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *suffix)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(units[i].suffix, suffix) == 0)
            return &units[i];
    }
    return NULL;
}

static enum number_fault parse_scaled(const char *text, const struct unit *units, size_t count,
                                      uint64_t *result)
{
    uint64_t whole = 0;
    uint64_t numerator = 0;
    uint64_t denominator = 1;

    enum number_fault fault = scan_digits(&text, &whole);
    if (fault == NUMBER_MALFORMED || scan_fraction(&text, &numerator, &denominator) != NUMBER_OK)
        return NUMBER_MALFORMED;

    const struct unit *unit = find_unit(units, count, text);
    if (unit == NULL)
        return NUMBER_MALFORMED;

    uint64_t part = (numerator * unit->scale + denominator - 1) / denominator;
    if (fault != NUMBER_OK || __builtin_mul_overflow(whole, unit->scale, &whole) ||
        __builtin_add_overflow(whole, part, result))
        return NUMBER_TOO_LARGE;
    return NUMBER_OK;
}

bool options_parse_number(const char *text, uint32_t minimum, uint32_t maximum, uint32_t *number,
                          struct error *error)
{
    uint64_t value = 0;

    enum number_fault fault = scan_digits(&text, &value);
    if (fault == NUMBER_MALFORMED || *text != '\0')
        return error_set(error, ERROR_USAGE, 0, "not a number: must be %" PRIu32 " to %" PRIu32,
                         minimum, maximum);
    if (fault == NUMBER_TOO_LARGE || value < minimum || value > maximum)
        return error_set(error, ERROR_USAGE, 0, "must be %" PRIu32 " to %" PRIu32, minimum,
                         maximum);
    *number = (uint32_t)value;
    return true;
}

bool options_parse_size(const char *text, uint64_t *bytes, struct error *error)
{
    switch (parse_scaled(text, size_units, sizeof(size_units) / sizeof(size_units[0]), bytes)) {
    case NUMBER_OK:
        return true;
    case NUMBER_TOO_LARGE:
        return error_set(error, ERROR_USAGE, 0, "too large for a size");
    case NUMBER_MALFORMED:
        break;
    }
    return error_set(error, ERROR_USAGE, 0, "not a size: write it like 512M or 2G");
}

bool options_parse_duration(const char *text, uint64_t *duration_ns, struct error *error)
{
    uint64_t parsed_ns = 0;

    switch (
        parse_scaled(text, time_units, sizeof(time_units) / sizeof(time_units[0]), &parsed_ns)) {
    case NUMBER_MALFORMED:
        return error_set(error, ERROR_USAGE, 0, "not a time: write it like 30s, 500ms, 2m or 1h");
    case NUMBER_TOO_LARGE:
        return error_set(error, ERROR_USAGE, 0, "too long a time");
    case NUMBER_OK:
        break;
    }
    /* The kernel's times are signed. */
    if (parsed_ns > INT64_MAX)
        return error_set(error, ERROR_USAGE, 0, "too long a time");
    *duration_ns = parsed_ns;
    return true;
}

/* Reads "4" or "2-5" at *cursor and moves it behind. */
static bool scan_cpu_range(const char **cursor, uint64_t *first, uint64_t *last,
                           struct error *error)
{
    enum number_fault fault = scan_digits(cursor, first);

    *last = *first;
    if (fault != NUMBER_MALFORMED && **cursor == '-') {
        (*cursor)++;
        enum number_fault last_fault = scan_digits(cursor, last);
        fault = last_fault != NUMBER_OK ? last_fault : fault;
    }
    if (fault == NUMBER_MALFORMED || (**cursor != ',' && **cursor != '\0'))
        return error_set(error, ERROR_USAGE, 0, "not a list of CPUs: write it like 0,2-5");
    if (fault == NUMBER_TOO_LARGE || *first > HOST_CPU_MAX || *last > HOST_CPU_MAX)
        return error_set(error, ERROR_USAGE, 0, "no host has a CPU above %d", HOST_CPU_MAX);
    if (*first > *last)
        return error_set(error, ERROR_USAGE, 0, "a range runs upwards: write %" PRIu64 "-%" PRIu64,
                         *last, *first);
    return true;
}

static bool fill_cpu_list(const char *text, int *list, size_t *count, struct error *error)
{
    for (bool more = true; more;) {
        uint64_t first = 0;
        uint64_t last = 0;

        if (!scan_cpu_range(&text, &first, &last, error))
            return false;
        if (last - first >= CPU_LIST_COUNT_MAX - *count)
            return error_set(error, ERROR_USAGE, 0, "more than %d CPUs", CPU_LIST_COUNT_MAX);
        for (; first <= last; first++)
            list[(*count)++] = (int)first;
        more = *text == ',';
        if (more)
            text++;
    }
    return true;
}

bool options_parse_cpu_list(const char *text, int **cpus, size_t *count, struct error *error)
{
    size_t filled = 0;
    int *list = calloc(CPU_LIST_COUNT_MAX, sizeof(*list));

    if (list == NULL)
        return error_set(error, ERROR_HOST, errno, "cannot keep a list of CPUs");
    if (!fill_cpu_list(text, list, &filled, error)) {
        free(list);
        return false;
    }
    *cpus = list;
    *count = filled;
    return true;
}

void options_format_size(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
    static const struct unit units[] = {{"T", TIB}, {"G", GIB}, {"M", MIB}, {"K", KIB}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes != 0 && bytes % units[i].scale == 0) {
            (void)snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 "%s", bytes / units[i].scale,
                           units[i].suffix);
            return;
        }
    }
    (void)snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 " bytes", bytes);
}
