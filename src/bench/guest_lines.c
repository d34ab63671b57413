// SPDX-License-Identifier: Apache-2.0
#include "guest_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROTOCOL_VERSION = 1,
    SHOWN_BYTES = 60,        /* of a line that makes no sense */
    INPUT_MOST = 4096,       /* characters that a guest may ask for at once */
    COUNTED_TOLERANCE = 200, /* a part in so many, between ticks and instructions */
};

#define MARK          "bench: "
#define NS_PER_SECOND 1e9

static bool refuse(const char *text, struct error *error)
{
    return error_set(error, ERROR_GUEST, 0, "the bench guest printed what makes no sense: '%.*s'",
                     SHOWN_BYTES, text);
}

/* A number and a blank or the end after it. */
static bool take_number(const char **at, uint64_t *number)
{
    char *end = NULL;

    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *number = strtoull(*at, &end, 10);
    if (errno != 0 || (*end != ' ' && *end != '\0'))
        return false;
    *at = *end == ' ' ? end + 1 : end;
    return true;
}

static enum bench_id take_name(const char **at)
{
    size_t length = strcspn(*at, " ");
    enum bench_id id = bench_find(*at, length);

    *at += length;
    if (**at == ' ')
        (*at)++;
    return id;
}

static bool take_begin(struct guest_lines *lines, const char *at)
{
    uint64_t version = 0;
    uint64_t frequency = 0;

    if (!take_number(&at, &version) || !take_number(&at, &frequency) ||
        version != PROTOCOL_VERSION || frequency == 0)
        return false;
    lines->tick_ns = NS_PER_SECOND / (double)frequency;
    return true;
}

/*
 * Sums, products and quotients that take a nanosecond an instruction, all of them, are those of an
 * emulator that counts: no hardware is like that.
 */
static bool take_clock(struct guest_lines *lines, const char *at)
{
    uint64_t ticks = 0;
    uint64_t instructions = 0;
    bool counted = *at != '\0';

    while (*at != '\0') {
        if (!take_number(&at, &ticks) || !take_number(&at, &instructions))
            return false;
        double ns = (double)ticks * lines->tick_ns;
        double expected = (double)instructions;
        counted &= ns > expected - expected / COUNTED_TOLERANCE &&
                   ns < expected + expected / COUNTED_TOLERANCE;
    }
    lines->report->counted = counted;
    return true;
}

static size_t count_stars(const char *at)
{
    size_t count = 0;

    for (; *at != '\0'; at++)
        count += *at == '*';
    return count;
}

/* "VALUE*COUNT VALUE*COUNT ..." */
static size_t take_points(const struct guest_lines *lines, const char *at, double operations,
                          struct bench_point *points)
{
    size_t count = 0;

    while (*at != '\0') {
        char *end = NULL;
        double ticks = (double)strtoull(at, &end, 10);
        uint64_t times = 0;

        if (end == at || *end != '*')
            return 0;
        at = end + 1;
        if (!take_number(&at, &times) || times == 0)
            return 0;
        points[count++] = (struct bench_point){ticks * lines->tick_ns / operations, times};
    }
    return count;
}

static bool take_result(struct guest_lines *lines, const char *at, const char *text,
                        struct error *error)
{
    enum bench_id id = take_name(&at);
    uint64_t operations = 0;

    if (id == BENCH_COUNT || !take_number(&at, &operations) || operations == 0 ||
        operations > UINT32_MAX)
        return refuse(text, error);

    struct bench_point *points = calloc(count_stars(at) + 1, sizeof(*points));
    if (!points)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep what is measured");
    size_t count = take_points(lines, at, (double)operations, points);
    bool good =
        count > 0 ? bench_set_points(lines->report, id, points, count, (uint32_t)operations, error)
                  : refuse(text, error);
    free(points);
    return good;
}

static bool take_skip(struct guest_lines *lines, const char *at, const char *text,
                      struct error *error)
{
    enum bench_id id = take_name(&at);

    if (id == BENCH_COUNT || *at == '\0')
        return refuse(text, error);
    const char *why = bench_keep_text(lines->report, at, strlen(at), error);
    if (!why)
        return false;
    bench_skip(lines->report, id, why);
    return true;
}

/* What follows `word` and a blank, if the text begins with it; else NULL. */
static const char *after(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(text, word, length) != 0 || (text[length] != ' ' && text[length] != '\0'))
        return NULL;
    return text[length] == ' ' ? text + length + 1 : text + length;
}

static bool take_request(const char *at, const char *text, struct guest_line *line,
                         struct error *error)
{
    uint64_t characters = 0;

    if (!take_number(&at, &characters) || characters > INPUT_MOST)
        return refuse(text, error);
    line->kind = GUEST_LINE_INPUT;
    line->characters = (uint32_t)characters;
    return true;
}

bool guest_lines_take(struct guest_lines *lines, const char *text, struct guest_line *line,
                      struct error *error)
{
    const char *at;

    *line = (struct guest_line){.kind = GUEST_LINE_OTHER};
    if (strncmp(text, MARK, strlen(MARK)) != 0)
        return true;
    const char *what = text + strlen(MARK);
    if ((at = after(what, "begin")) != NULL)
        return take_begin(lines, at) || refuse(text, error);
    if (lines->tick_ns == 0)
        return refuse(text, error);
    if ((at = after(what, "clock")) != NULL)
        return take_clock(lines, at) || refuse(text, error);
    if ((at = after(what, "result")) != NULL)
        return take_result(lines, at, text, error);
    if ((at = after(what, "skip")) != NULL)
        return take_skip(lines, at, text, error);
    if ((at = after(what, "input")) != NULL)
        return take_request(at, text, line, error);
    if ((at = after(what, "run")) != NULL) {
        line->kind = GUEST_LINE_RUN;
        line->id = take_name(&at);
        return line->id != BENCH_COUNT || refuse(text, error);
    }
    if (after(what, "end") != NULL) {
        lines->ended = true;
        return true;
    }
    return refuse(text, error);
}
