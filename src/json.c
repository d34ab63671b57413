// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <inttypes.h>

enum { INDENT = 2, FIRST_PRINTING = 0x20, DELETE = 0x7f };

struct json json_begin(FILE *out)
{
    return (struct json){.out = out, .first = true};
}

static void begin_line(const struct json *json)
{
    (void)fprintf(json->out, "\n%*s", (int)(INDENT * json->depth), "");
}

static void begin_value(struct json *json, const char *key)
{
    if (!json->first)
        (void)fputc(',', json->out);
    if (json->depth > 0)
        begin_line(json);
    json->first = false;
    if (key)
        (void)fprintf(json->out, "\"%s\": ", key);
}

void json_open(struct json *json, const char *key, char bracket)
{
    begin_value(json, key);
    (void)fputc(bracket, json->out);
    json->depth++;
    json->first = true;
}

void json_close(struct json *json, char bracket)
{
    json->depth--;
    if (!json->first)
        begin_line(json);
    (void)fputc(bracket, json->out);
    json->first = false;
    if (json->depth == 0)
        (void)fputc('\n', json->out);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    (void)fprintf(json->out, "%" PRIu64, value);
}

void json_real(struct json *json, const char *key, double value)
{
    begin_value(json, key);
    (void)fprintf(json->out, "%.6g", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin_value(json, key);
    (void)fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
    begin_value(json, key);
    (void)fputs("null", json->out);
}

void json_string(struct json *json, const char *key, const char *text)
{
    if (!text) {
        json_null(json, key);
        return;
    }
    begin_value(json, key);
    json_put_string(json->out, text);
}

void json_put_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            (void)fprintf(out, "\\%c", byte);
        else if (byte < FIRST_PRINTING || byte == DELETE)
            (void)fprintf(out, "\\u%04x", byte);
        else if (byte > DELETE)
            (void)fputs("\\ufffd", out);
        else
            (void)fputc(byte, out);
    }
    (void)fputc('"', out);
}
