// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor_internal.h"
#include "json.h"

enum {
    JSON_VERSION = 1,   /* changes when a program that reads the report would break */
    STATUS_COLUMNS = 7, /* the longest word for a status */
    LINE_COLUMNS = 96,  /* where text is broken */
    CHECK_PURPOSE_BYTES = 128,
};

#define HINT_MARK "-> "
enum { HINT_MARK_COLUMNS = sizeof(HINT_MARK) - 1 };

#define COLOUR_GREEN  "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_RED    "\033[31m"
#define COLOUR_BOLD   "\033[1m"
#define COLOUR_NONE   "\033[0m"

static const struct {
    const char *word;
    const char *colour; /* "" for none */
} statuses[] = {
    [CHECK_OK] = {"ok", COLOUR_GREEN},
    [CHECK_INFO] = {"info", ""},
    [CHECK_MISSING] = {"missing", COLOUR_YELLOW},
    [CHECK_WARNING] = {"warning", COLOUR_YELLOW},
    [CHECK_FATAL] = {"fatal", COLOUR_RED},
};

bool doctor_wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return !(no_colour && *no_colour) && terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(fileno(out));
}

static void print_coloured(FILE *out, bool colour, const char *sequence, const char *text)
{
    bool wanted = colour && *sequence;

    (void)fprintf(out, "%s%s%s", wanted ? sequence : "", text, wanted ? COLOUR_NONE : "");
}

/*
 * Text that breaks between words. Its first line starts at `column`, where the output is already,
 * the others at `indent`; a word too long for a line gets one of its own. Ends the line.
 */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
    bool first = true;

    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        int length = (int)strcspn(text, " ");
        if (!first && column + 1 + length > LINE_COLUMNS) {
            (void)fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        first = false;
    }
    (void)fputc('\n', out);
}

static bool same_group(const struct check *left, const struct check *right)
{
    return strcmp(left->group, right->group) == 0;
}

/* Of the checks of a group, which are neighbours. */
static int widest_name(const struct report *report, size_t first)
{
    size_t widest = 0;

    for (size_t i = first;
         i < report->count && same_group(&report->checks[i], &report->checks[first]); i++) {
        size_t length = strlen(report->checks[i].name);
        widest = length > widest ? length : widest;
    }
    return (int)widest;
}

/* "yes" and "no" are what the status says already. */
static bool is_plain_answer(const char *value)
{
    return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
}

static void print_check(FILE *out, const struct check *check, int name_columns, bool colour)
{
    const char *word = statuses[check->status].word;
    const int indent = 2 + STATUS_COLUMNS + 2 + name_columns + 2;
    char text[CHECK_VALUE_BYTES + CHECK_PURPOSE_BYTES];

    (void)fputs("  ", out);
    print_coloured(out, colour, statuses[check->status].colour, word);
    (void)fprintf(out, "%*s%-*s  ", STATUS_COLUMNS - (int)strlen(word) + 2, "", name_columns,
                  check->name);
    if (!check->purpose)
        (void)snprintf(text, sizeof(text), "%s", check->value);
    else if (is_plain_answer(check->value))
        (void)snprintf(text, sizeof(text), "%s", check->purpose);
    else
        (void)snprintf(text, sizeof(text), "%s: %s", check->value, check->purpose);
    print_wrapped(out, text, indent, indent);
    if (check->hint[0] != '\0') {
        (void)fprintf(out, "%*s" HINT_MARK, indent, "");
        print_wrapped(out, check->hint, indent + HINT_MARK_COLUMNS, indent + HINT_MARK_COLUMNS);
    }
}

static void print_verdict(FILE *out, const struct report *report, bool colour)
{
    size_t warnings = 0;

    for (size_t i = 0; i < report->count; i++)
        warnings += report->checks[i].status == CHECK_WARNING;
    if (!report_can_run(report)) {
        static const char cannot[] = "This host cannot run guests:";
        print_coloured(out, colour, COLOUR_RED, cannot);
        (void)fputc(' ', out);
        print_wrapped(out, report->reason, (int)sizeof(cannot), 0);
        return;
    }
    print_coloured(out, colour, COLOUR_GREEN, "This host can run guests.");
    if (warnings > 0)
        (void)fprintf(out, " See the %zu warning%s above.", warnings, warnings > 1 ? "s" : "");
    (void)fputc('\n', out);
}

void doctor_print_text(FILE *out, const struct report *report, bool colour)
{
    int name_columns = 0;

    for (size_t i = 0; i < report->count; i++) {
        const struct check *check = &report->checks[i];

        if (i == 0 || !same_group(check, check - 1)) {
            (void)fputs(i ? "\n" : "", out);
            print_coloured(out, colour, COLOUR_BOLD, check->group);
            (void)fputc('\n', out);
            name_columns = widest_name(report, i);
        }
        print_check(out, check, name_columns, colour);
    }
    (void)fputc('\n', out);
    print_verdict(out, report, colour);
}

static void print_member(FILE *out, const char *key, const char *text, const char *end)
{
    (void)fprintf(out, "\"%s\": ", key);
    if (text && *text)
        json_put_string(out, text);
    else
        (void)fputs("null", out);
    (void)fputs(end, out);
}

void doctor_print_json(FILE *out, const struct report *report)
{
    (void)fprintf(out, "{\n  \"version\": %d,\n  \"verdict\": {\"can_run\": %s, ", JSON_VERSION,
                  report_can_run(report) ? "true" : "false");
    print_member(out, "reason", report->reason, "},\n  \"checks\": [\n");
    for (size_t i = 0; i < report->count; i++) {
        const struct check *check = &report->checks[i];

        (void)fputs("    {", out);
        print_member(out, "group", check->group, ", ");
        print_member(out, "name", check->name, ", ");
        print_member(out, "status", statuses[check->status].word, ", ");
        print_member(out, "value", check->value, ", ");
        print_member(out, "purpose", check->purpose, ", ");
        print_member(out, "hint", check->hint, i + 1 < report->count ? "},\n" : "}\n");
    }
    (void)fputs("  ]\n}\n", out);
}
