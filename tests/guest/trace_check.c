// SPDX-License-Identifier: Apache-2.0
#include "trace_check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TRACKS = 2048, MAX_DEPTH = 16, TEXT_BYTES = 64, GROUP_VCPUS = 1 };

/* The members of an element that mean something. */
struct record {
    char name[TEXT_BYTES], phase[TEXT_BYTES], category[TEXT_BYTES];
    char scope[TEXT_BYTES], args_name[TEXT_BYTES];
    uint64_t ts, dur; /* ns */
    uint64_t pid, tid, args_count;
    bool has_ts, has_dur, has_pid, has_tid, has_args;
};

struct track {
    uint64_t pid, tid;
    uint64_t last_ts;
    bool named, used, has_slices;
};

struct slice {
    size_t track;
    uint64_t start, end;
};

struct checker {
    const char *at, *end, *start;
    unsigned depth;
    struct trace_summary *summary;
    struct track tracks[MAX_TRACKS];
    size_t track_count;
    uint64_t named_groups; /* a bit each */
    struct slice *slices;
    size_t slice_room;
};

static bool wrong(struct checker *checker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct checker *checker, const char *format, ...)
{
    char *why = checker->summary->why;
    va_list arguments;
    int length = snprintf(why, TRACE_CHECK_WHY_BYTES,
                          "at byte %zu: ", (size_t)(checker->at - checker->start));

    va_start(arguments, format);
    (void)vsnprintf(why + length, TRACE_CHECK_WHY_BYTES - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- JSON ---- */

static char next(struct checker *checker)
{
    while (checker->at < checker->end && strchr(" \t\r\n", *checker->at) && *checker->at)
        checker->at++;
    return checker->at < checker->end ? *checker->at : '\0';
}

static bool take(struct checker *checker, char wanted)
{
    if (next(checker) != wanted)
        return wrong(checker, "no '%c'", wanted);
    checker->at++;
    return true;
}

static bool take_escape(struct checker *checker)
{
    size_t left = (size_t)(checker->end - checker->at);

    if (left < 2 || !strchr("\"\\/bfnrtu", checker->at[1]))
        return wrong(checker, "no escape");
    if (checker->at[1] == 'u' &&
        (left < 6 || strspn(checker->at + 2, "0123456789abcdefABCDEF") < 4))
        return wrong(checker, "no \\u escape");
    checker->at += checker->at[1] == 'u' ? 6 : 2;
    return true;
}

/* A string, of which what fits goes to `text`, escapes as they are. */
static bool take_string(struct checker *checker, char text[TEXT_BYTES])
{
    if (!take(checker, '"'))
        return false;
    const char *from = checker->at;
    while (checker->at < checker->end && *checker->at != '"') {
        if ((unsigned char)*checker->at < ' ')
            return wrong(checker, "a control character in a string");
        if (*checker->at != '\\')
            checker->at++;
        else if (!take_escape(checker))
            return false;
    }
    size_t length = (size_t)(checker->at - from);
    if (length >= TEXT_BYTES)
        length = TEXT_BYTES - 1;
    memcpy(text, from, length);
    text[length] = '\0';
    return take(checker, '"');
}

static const char *skip_digits(struct checker *checker)
{
    const char *from = checker->at;

    while (checker->at < checker->end && *checker->at >= '0' && *checker->at <= '9')
        checker->at++;
    return from;
}

/* A number without a sign or an exponent, in thousandths. */
static bool take_number(struct checker *checker, uint64_t *thousandths)
{
    (void)next(checker);
    const char *from = skip_digits(checker);
    uint64_t value = 0;

    if (checker->at == from || (*from == '0' && checker->at - from > 1))
        return wrong(checker, "no number");
    for (; from < checker->at; from++)
        value = value * 10 + (uint64_t)(*from - '0');
    value *= 1000;
    if (checker->at < checker->end && *checker->at == '.') {
        uint64_t unit = 100;

        checker->at++;
        from = skip_digits(checker);
        if (checker->at == from)
            return wrong(checker, "no digit after the point");
        for (; from < checker->at; from++, unit /= 10)
            value += unit * (uint64_t)(*from - '0');
    }
    *thousandths = value;
    return true;
}

typedef bool member_function(struct checker *checker, const char *key, void *context);

static bool take_object(struct checker *checker, member_function *member, void *context)
{
    char key[TEXT_BYTES];

    if (checker->depth == MAX_DEPTH || !take(checker, '{'))
        return wrong(checker, "no object");
    checker->depth++;
    if (next(checker) != '}')
        for (;;) {
            if (!take_string(checker, key) || !take(checker, ':') || !member(checker, key, context))
                return false;
            if (next(checker) != ',')
                break;
            checker->at++;
        }
    checker->depth--;
    return take(checker, '}');
}

/* ---- one record ---- */

static bool take_args_member(struct checker *checker, const char *key, void *context)
{
    struct record *record = context;
    char other[TEXT_BYTES];
    uint64_t number = 0;

    if (next(checker) == '"')
        return take_string(checker, strcmp(key, "name") == 0 ? record->args_name : other);
    if (!take_number(checker, &number))
        return false;
    if (strcmp(key, "count") == 0)
        record->args_count = number / 1000;
    return true;
}

static bool take_member(struct checker *checker, const char *key, void *context)
{
    struct record *record = context;
    const struct {
        const char *key;
        char *text;
    } texts[] = {{"name", record->name},
                 {"ph", record->phase},
                 {"cat", record->category},
                 {"s", record->scope}};
    const struct {
        const char *key;
        uint64_t *number;
        bool *there;
    } numbers[] = {{"ts", &record->ts, &record->has_ts},
                   {"dur", &record->dur, &record->has_dur},
                   {"pid", &record->pid, &record->has_pid},
                   {"tid", &record->tid, &record->has_tid}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(key, texts[i].key) == 0)
            return take_string(checker, texts[i].text);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(key, numbers[i].key) == 0) {
            *numbers[i].there = true;
            return take_number(checker, numbers[i].number);
        }
    if (strcmp(key, "args") != 0)
        return wrong(checker, "an unknown member '%s'", key);
    record->has_args = true;
    return take_object(checker, take_args_member, record);
}

static struct track *find_track(struct checker *checker, const struct record *record)
{
    size_t i = 0;

    while (i < checker->track_count &&
           (checker->tracks[i].pid != record->pid || checker->tracks[i].tid != record->tid))
        i++;
    if (i == MAX_TRACKS)
        return NULL;
    if (i == checker->track_count)
        checker->tracks[checker->track_count++] =
            (struct track){.pid = record->pid, .tid = record->tid};
    return &checker->tracks[i];
}

static bool keep_name(struct checker *checker, const struct record *record)
{
    uint64_t group = record->pid / 1000;

    if (!record->has_args || !record->has_pid || group >= 64)
        return wrong(checker, "metadata without args or pid");
    if (strcmp(record->name, "process_name") == 0) {
        checker->named_groups |= UINT64_C(1) << group;
    } else if (strcmp(record->name, "thread_name") == 0) {
        struct track *track = record->has_tid ? find_track(checker, record) : NULL;

        if (!track || track->named || record->args_name[0] == '\0')
            return wrong(checker, "a track without a number or name, or named twice");
        track->named = true;
    } else if (strcmp(record->name, "thread_sort_index") != 0) {
        return wrong(checker, "metadata of an unknown kind '%s'", record->name);
    }
    return true;
}

static bool keep_slice(struct checker *checker, const struct record *record, size_t track)
{
    struct trace_summary *summary = checker->summary;

    if (summary->slices == checker->slice_room) {
        size_t room = checker->slice_room ? 2 * checker->slice_room : 4096;
        struct slice *slices = realloc(checker->slices, room * sizeof(*slices));

        if (!slices)
            return wrong(checker, "no memory");
        checker->slices = slices;
        checker->slice_room = room;
    }
    checker->slices[summary->slices++] =
        (struct slice){track, record->ts, record->ts + record->dur};
    return true;
}

static bool keep_timed(struct checker *checker, const struct record *record)
{
    struct trace_summary *summary = checker->summary;
    struct track *track = find_track(checker, record);
    bool is_slice = strcmp(record->phase, "X") == 0;

    if (!record->has_ts || !record->has_pid || !record->has_tid || !track)
        return wrong(checker, "a record without ts, pid or tid");
    if (record->pid / 1000 == GROUP_VCPUS && record->ts < track->last_ts)
        return wrong(checker, "time goes back on track %llu",
                     (unsigned long long)(record->tid / 1000));
    track->last_ts = record->ts;
    track->used = true;
    track->has_slices |= is_slice;
    if (is_slice)
        return record->has_dur ? keep_slice(checker, record, (size_t)(track - checker->tracks))
                               : wrong(checker, "a slice without a duration");
    if (strlen(record->scope) != 1 || !strchr("gpt", record->scope[0]))
        return wrong(checker, "an instant without a scope");
    summary->instants++;
    summary->interrupts += strncmp(record->name, "interrupt ", strlen("interrupt ")) == 0;
    if (strcmp(record->name, "events dropped") == 0) {
        summary->gaps++;
        summary->dropped += record->args_count;
    }
    return true;
}

static bool take_record(struct checker *checker)
{
    struct record record = {0};

    if (!take_object(checker, take_member, &record))
        return false;
    checker->summary->records++;
    if (!record.name[0] || !record.category[0])
        return wrong(checker, "a record without a name or category");
    if (strcmp(record.phase, "M") == 0)
        return keep_name(checker, &record);
    if (strcmp(record.phase, "X") == 0 || strcmp(record.phase, "i") == 0)
        return keep_timed(checker, &record);
    return wrong(checker, "a record of phase '%s'", record.phase);
}

/* ---- all of them ---- */

static int by_track_and_start(const void *left, const void *right)
{
    const struct slice *a = left;
    const struct slice *b = right;

    if (a->track != b->track)
        return a->track < b->track ? -1 : 1;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->end < b->end) - (a->end > b->end);
}

static bool check_nesting(struct checker *checker)
{
    const struct slice *open[MAX_DEPTH];
    size_t depth = 0;

    if (checker->summary->slices)
        qsort(checker->slices, checker->summary->slices, sizeof(*checker->slices),
              by_track_and_start);
    for (size_t i = 0; i < checker->summary->slices; i++) {
        const struct slice *slice = &checker->slices[i];

        while (depth > 0 &&
               (open[depth - 1]->track != slice->track || open[depth - 1]->end <= slice->start))
            depth--;
        if (depth > 0 && slice->end > open[depth - 1]->end)
            return wrong(checker, "slices overlap at %llu ns", (unsigned long long)slice->start);
        if (depth == MAX_DEPTH)
            return wrong(checker, "slices nest too deep");
        open[depth++] = slice;
    }
    return true;
}

static bool check_names(struct checker *checker)
{
    struct trace_summary *summary = checker->summary;

    for (size_t i = 0; i < checker->track_count; i++) {
        const struct track *track = &checker->tracks[i];

        if (!track->used)
            continue;
        if (!track->named || !(checker->named_groups >> (track->pid / 1000) & 1))
            return wrong(checker, "track %llu or its group has no name",
                         (unsigned long long)(track->tid / 1000));
        summary->tracks++;
        summary->vcpu_tracks += track->has_slices && track->pid / 1000 == GROUP_VCPUS;
    }
    return true;
}

static bool take_all(struct checker *checker)
{
    if (!take(checker, '['))
        return false;
    if (next(checker) != ']')
        for (;;) {
            if (!take_record(checker))
                return false;
            if (next(checker) != ',')
                break;
            checker->at++;
        }
    if (!take(checker, ']'))
        return false;
    if (next(checker) != '\0' || checker->at != checker->end)
        return wrong(checker, "more after the end");
    return check_names(checker) && check_nesting(checker);
}

bool trace_check(const char *text, size_t bytes, struct trace_summary *summary)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    bool good = false;

    *summary = (struct trace_summary){0};
    if (checker) {
        checker->at = checker->start = text;
        checker->end = text + bytes;
        checker->summary = summary;
        good = take_all(checker);
        free(checker->slices);
    }
    free(checker);
    return good;
}
