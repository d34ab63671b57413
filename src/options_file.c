// SPDX-License-Identifier: Apache-2.0
#include "options_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\v\f";
static const char byte_order_mark[] = "\xef\xbb\xbf"; /* U+FEFF, which some editors put first */

static char *skip_blanks(char *text)
{
    return text + strspn(text, blanks);
}

/* Only a comment may follow a closing quote. */
static bool ends_here(char *text)
{
    const char *rest = skip_blanks(text);

    return *rest == '\0' || *rest == '#';
}

/* Decodes the quoted value at `text` in place: it can only shrink. */
static bool unquote(char *text, struct error *error)
{
    char *to = text;

    for (char *from = text + 1; *from != '\0'; from++) {
        if (*from == '"') {
            if (!ends_here(from + 1))
                return error_set(error, ERROR_USAGE, 0,
                                 "text after the closing quote: write \\\" for a quote inside");
            *to = '\0';
            return true;
        }
        if (*from == '\\') {
            from++;
            if (*from == 'n' || *from == 't')
                *from = *from == 'n' ? '\n' : '\t';
            else if (*from != '"' && *from != '\\')
                return error_set(error, ERROR_USAGE, 0,
                                 "unknown escape: quoted values have \\\", \\\\, \\n and \\t");
        }
        *to++ = *from;
    }
    return error_set(error, ERROR_USAGE, 0, "the closing quote is missing");
}

/* Ends an unquoted value before its comment and the blanks around it. */
static void trim(char *text)
{
    size_t length = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        bool starts_word = i == 0 || length < i;
        if (text[i] == '#' && starts_word)
            break;
        if (strchr(blanks, text[i]) == NULL)
            length = i + 1;
    }
    text[length] = '\0';
}

static bool read_value(char *text, struct error *error)
{
    if (*text == '"')
        return unquote(text, error);
    trim(text);
    return true;
}

/* The row of the name at *cursor, which is moved behind it. */
static const struct option_row *read_name(const struct option_parser *parser, char **cursor,
                                          struct error *error)
{
    char *name = *cursor;
    const char *dashes = "";

    if (*name == '@') {
        *cursor = name + 1;
        return options_find_row(parser, "", "config", strlen("config"), error);
    }
    if (strncmp(name, "--", 2) == 0) {
        dashes = "--";
        name += 2;
    }
    size_t length = strcspn(name, "= \t\r\v\f");
    *cursor = name + length;

    const struct option_row *short_row =
        name[0] == '-' && length == 2 ? options_find_letter(parser, name[1]) : NULL;
    if (short_row != NULL) {
        error_set(error, ERROR_USAGE, 0, "options files have long names: write '%s' for '-%c'",
                  short_row->name, name[1]);
        return NULL;
    }
    return options_find_row(parser, dashes, name, length, error);
}

static bool apply_line(struct option_parser *parser, char *line, struct error *error)
{
    char *cursor = skip_blanks(line);

    if (ends_here(cursor))
        return true;
    const struct option_row *row = read_name(parser, &cursor, error);
    if (row == NULL)
        return false;

    char *value = skip_blanks(cursor);
    bool has_value = *value == '=';
    if (has_value)
        value = skip_blanks(value + 1);
    has_value |= !ends_here(value);
    return read_value(value, error) && options_apply(parser, row, has_value ? value : NULL, error);
}

bool options_read_text(struct option_parser *parser, const char *path, char *text,
                       struct error *error)
{
    unsigned number = 1;

    if (strncmp(text, byte_order_mark, sizeof(byte_order_mark) - 1) == 0)
        text += sizeof(byte_order_mark) - 1;
    for (char *line = text; line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        if (!apply_line(parser, line, error)) {
            if (!parser->located)
                error_add_context(error, "%s:%u", path, number);
            parser->located = true;
            return false;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return true;
}

/* Whether what was read is the whole of an options file. */
static bool check_read(FILE *stream, const char *path, const char *text, size_t length,
                       struct error *error)
{
    if (ferror(stream))
        return error_set(error, ERROR_FILE, errno, "cannot read options file '%s'", path);
    if (length > OPTIONS_FILE_BYTES_MAX)
        return error_set(error, ERROR_FILE, 0, "'%s' is no options file: larger than 1 MiB", path);
    if (memchr(text, '\0', length) != NULL)
        return error_set(error, ERROR_FILE, 0, "'%s' is no options file: it is not text", path);
    return true;
}

/* The stream to its end, as a string that the caller frees; NULL on failure. */
static char *read_stream(FILE *stream, const char *path, struct error *error)
{
    /* One byte for NUL and one to notice what is too large. */
    char *text = malloc(OPTIONS_FILE_BYTES_MAX + 2);

    if (text == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot read options file '%s'", path);
        return NULL;
    }
    errno = 0;
    size_t length = fread(text, 1, OPTIONS_FILE_BYTES_MAX + 1, stream);
    if (!check_read(stream, path, text, length, error)) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

/* The file's text, which the options own; NULL on failure. */
static char *load(struct options *options, const char *path, struct error *error)
{
    FILE *stream = fopen(path, "re");

    if (stream == NULL) {
        error_set(error, ERROR_FILE, errno, "cannot read options file '%s'", path);
        return NULL;
    }
    char *read = read_stream(stream, path, error);
    (void)fclose(stream);
    if (read == NULL)
        return NULL;
    char *fitting = realloc(read, strlen(read) + 1);
    char *text = fitting != NULL ? fitting : read;
    return options_own(options, text, error) ? text : NULL;
}

/* The directory that `path` is in; NULL is the current one. */
static bool directory_of(struct options *options, const char *path, const char **directory,
                         struct error *error)
{
    const char *slash = strrchr(path, '/');

    *directory = NULL;
    if (slash == NULL)
        return true;
    char *copy = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    *directory = copy;
    if (copy == NULL)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot read options file '%s'", path);
    return options_own(options, copy, error);
}

bool options_read_file(struct option_parser *parser, const char *path, struct error *error)
{
    const char *outer_directory = parser->directory;

    if (parser->depth == OPTIONS_FILE_DEPTH_MAX)
        return error_set(error, ERROR_USAGE, 0,
                         "options files nest deeper than %d: does one read itself?",
                         OPTIONS_FILE_DEPTH_MAX);
    char *text = load(parser->options, path, error);
    if (text == NULL || !directory_of(parser->options, path, &parser->directory, error))
        return false;

    parser->depth++;
    bool done = options_read_text(parser, path, text, error);
    parser->depth--;
    parser->directory = outer_directory;
    return done;
}
