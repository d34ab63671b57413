// SPDX-License-Identifier: Apache-2.0
/*
 * Reads JSON (RFC 8259) as far as a report needs it: members may come in any order, those that are
 * not known are skipped, and whatever is wrong is wrong at a place that can be told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"

enum {
    FORMAT_VERSION = 1,
    DEPTH_MOST = 16,
    TEXT_BYTES = 512, /* of a string, as far as it is kept */
    FIRST_POINTS = 64,
};

struct reader {
    const char *text;
    const char *at;
    unsigned depth;
    struct bench_report *report;
    struct error *error;
};

/* What stands for one member of an object; `at` is behind the colon, and has to pass the value. */
typedef bool take_member(struct reader *reader, const char *name, void *context);

static bool fail(struct reader *reader, const char *what)
{
    size_t line = 1;

    for (const char *at = reader->text; at < reader->at; at++)
        line += *at == '\n';
    return error_set(reader->error, ERROR_FILE, 0, "line %zu: %s", line, what);
}

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

/* Passes this character, after blanks, if it comes next. */
static bool accept(struct reader *reader, char wanted)
{
    skip_blanks(reader);
    if (*reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

/*
 * The character that a backslash and what is at `at` stand for; passes all of it but the last.
 * Those of "\\u" are control characters or no ASCII: armlet writes none that matter.
 */
static char unescape(const char **at)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    enum { UNICODE_DIGITS = 4 };
    const char *found = **at ? strchr(letters, **at) : NULL;

    if (**at == 'u' && strspn(*at + 1, "0123456789abcdefABCDEF") >= UNICODE_DIGITS)
        *at += UNICODE_DIGITS;
    return found ? meanings[found - letters] : '?';
}

static bool take_string(struct reader *reader, char text[TEXT_BYTES])
{
    size_t length = 0;

    if (!accept(reader, '"'))
        return fail(reader, "a string is missing");
    while (*reader->at != '"') {
        char byte = *reader->at;

        if (byte == '\\') {
            reader->at++;
            byte = unescape(&reader->at);
        }
        if (*reader->at == '\0')
            return fail(reader, "a string has no end");
        if (length < TEXT_BYTES - 1)
            text[length++] = byte;
        reader->at++;
    }
    reader->at++;
    text[length] = '\0';
    return true;
}

static bool take_number(struct reader *reader, double *number)
{
    char *end = NULL;

    skip_blanks(reader);
    if (*reader->at != '-' && (*reader->at < '0' || *reader->at > '9'))
        return fail(reader, "a number is missing");
    *number = strtod(reader->at, &end);
    reader->at = end;
    return true;
}

/* A number that counts something. */
static bool take_count(struct reader *reader, double most, uint64_t *count)
{
    double number = 0;

    if (!take_number(reader, &number))
        return false;
    if (!(number >= 1 && number <= most))
        return fail(reader, "this number is out of range");
    *count = (uint64_t)number;
    return true;
}

static bool skip_word(struct reader *reader)
{
    size_t length = strspn(reader->at, "abcdefghijklmnopqrstuvwxyz");

    reader->at += length;
    return length > 0 || fail(reader, "a value is missing");
}

static bool take_object(struct reader *reader, take_member *member, void *context);
static bool take_array(struct reader *reader, bool (*element)(struct reader *, void *),
                       void *context);

static bool skip_value(struct reader *reader, void *context);

static bool skip_member(struct reader *reader, const char *name, void *context)
{
    (void)name;
    return skip_value(reader, context);
}

static bool skip_value(struct reader *reader, void *context)
{
    char text[TEXT_BYTES];
    double number;

    skip_blanks(reader);
    switch (*reader->at) {
    case '{':
        return take_object(reader, skip_member, context);
    case '[':
        return take_array(reader, skip_value, context);
    case '"':
        return take_string(reader, text);
    case 't':
    case 'f':
    case 'n':
        return skip_word(reader);
    default:
        return take_number(reader, &number);
    }
}

static bool enter(struct reader *reader, char bracket)
{
    if (!accept(reader, bracket))
        return fail(reader, bracket == '{' ? "an object is missing" : "an array is missing");
    return ++reader->depth <= DEPTH_MOST || fail(reader, "nested too deeply");
}

static bool take_object(struct reader *reader, take_member *member, void *context)
{
    char name[TEXT_BYTES];

    if (!enter(reader, '{'))
        return false;
    reader->depth--;
    if (accept(reader, '}'))
        return true;
    do {
        if (!take_string(reader, name))
            return false;
        if (!accept(reader, ':'))
            return fail(reader, "a ':' is missing");
        reader->depth++;
        if (!member(reader, name, context))
            return false;
        reader->depth--;
    } while (accept(reader, ','));
    return accept(reader, '}') || fail(reader, "a '}' is missing");
}

static bool take_array(struct reader *reader, bool (*element)(struct reader *, void *),
                       void *context)
{
    if (!enter(reader, '['))
        return false;
    if (!accept(reader, ']')) {
        do {
            if (!element(reader, context))
                return false;
        } while (accept(reader, ','));
        if (!accept(reader, ']'))
            return fail(reader, "a ']' is missing");
    }
    reader->depth--;
    return true;
}

/* ---- a report ---- */

struct points {
    struct bench_point *list;
    size_t count, capacity;
};

struct result {
    char name[TEXT_BYTES];
    char skipped[TEXT_BYTES];
    uint64_t operations;
    struct points points;
};

static bool take_point(struct reader *reader, void *context)
{
    struct points *points = context;
    struct bench_point point;

    if (points->count == points->capacity) {
        size_t capacity = points->capacity ? 2 * points->capacity : FIRST_POINTS;
        struct bench_point *list = realloc(points->list, capacity * sizeof(*list));

        if (!list)
            return error_set(reader->error, ERROR_HOST, ENOMEM, "cannot keep a report");
        points->list = list;
        points->capacity = capacity;
    }
    if (!accept(reader, '[') || !take_number(reader, &point.value) || !accept(reader, ',') ||
        !take_count(reader, UINT32_MAX, &point.count) || !accept(reader, ']'))
        return fail(reader, "a distribution is made of [value, count]");
    points->list[points->count++] = point;
    return true;
}

static bool take_result_member(struct reader *reader, const char *name, void *context)
{
    struct result *result = context;

    if (strcmp(name, "name") == 0)
        return take_string(reader, result->name);
    if (strcmp(name, "skipped") == 0)
        return take_string(reader, result->skipped);
    if (strcmp(name, "operations") == 0)
        return take_count(reader, UINT32_MAX, &result->operations);
    if (strcmp(name, "distribution") == 0)
        return take_array(reader, take_point, &result->points);
    return skip_value(reader, NULL);
}

static bool keep_result(struct reader *reader, const struct result *result)
{
    enum bench_id id = bench_find(result->name, strlen(result->name));

    if (id == BENCH_COUNT) /* of another version of armlet */
        return true;
    if (result->points.count > 0)
        return bench_set_points(reader->report, id, result->points.list, result->points.count,
                                (uint32_t)result->operations, reader->error);
    const char *why =
        bench_keep_text(reader->report, result->skipped, strlen(result->skipped), reader->error);
    if (why)
        bench_skip(reader->report, id, why);
    return why != NULL;
}

static bool take_result(struct reader *reader, void *context)
{
    struct result result = {.operations = 1};
    bool good;

    (void)context;
    good = take_object(reader, take_result_member, &result) && keep_result(reader, &result);
    free(result.points.list);
    return good;
}

static bool take_fact(struct reader *reader, const char *name, void *context)
{
    struct bench_report *report = reader->report;
    char value[TEXT_BYTES];

    (void)context;
    if (!take_string(reader, value))
        return false;
    if (report->fact_count == BENCH_FACTS_MAX)
        return true;
    struct bench_fact *fact = &report->facts[report->fact_count++];
    size_t length = strnlen(value, sizeof(fact->value) - 1);
    memcpy(fact->value, value, length);
    fact->name = bench_keep_text(report, name, strlen(name), reader->error);
    return fact->name != NULL;
}

static bool take_vmm(struct reader *reader)
{
    char text[TEXT_BYTES];

    if (!take_string(reader, text))
        return false;
    reader->report->vmm = bench_keep_text(reader->report, text, strlen(text), reader->error);
    return reader->report->vmm != NULL;
}

static bool take_report_member(struct reader *reader, const char *name, void *context)
{
    uint64_t *version = context;
    uint64_t runs = 0;

    if (strcmp(name, "armlet_bench") == 0)
        return take_count(reader, UINT32_MAX, version);
    if (strcmp(name, "vmm") == 0)
        return take_vmm(reader);
    if (strcmp(name, "counted") == 0) {
        skip_blanks(reader);
        reader->report->counted = *reader->at == 't';
        return skip_word(reader);
    }
    if (strcmp(name, "runs") == 0) {
        if (!take_count(reader, UINT32_MAX, &runs))
            return false;
        reader->report->runs = (uint32_t)runs;
        return true;
    }
    if (strcmp(name, "host") == 0)
        return take_object(reader, take_fact, NULL);
    if (strcmp(name, "benchmarks") == 0)
        return take_array(reader, take_result, NULL);
    return skip_value(reader, NULL);
}

static bool read_report(struct reader *reader)
{
    uint64_t version = 0;

    if (!take_object(reader, take_report_member, &version))
        return false;
    skip_blanks(reader);
    if (*reader->at != '\0')
        return fail(reader, "something follows the report");
    if (version != FORMAT_VERSION)
        return error_set(reader->error, ERROR_FILE, 0,
                         "it is no report of 'armlet bench --json' that this version can read");
    return true;
}

struct bench_report *bench_read_json(const char *name, const char *text, struct error *error)
{
    struct bench_report *report = bench_report_create(error);
    struct reader reader = {.text = text, .at = text, .report = report, .error = error};

    if (!report)
        return NULL;
    report->vmm = "unknown";
    if (read_report(&reader))
        return report;
    (void)error_add_context(error, "cannot use '%s'", name);
    bench_report_destroy(report);
    return NULL;
}
