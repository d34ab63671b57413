// SPDX-License-Identifier: Apache-2.0
/*
 * Writing JSON (RFC 8259): commas, indentation and quoting are the writer's business.
 *
 *     struct json json = json_begin(out);
 *     json_open(&json, NULL, '{');
 *     json_number(&json, "exits", 12);
 *     json_open(&json, "vcpus", '[');
 *     json_close(&json, ']');
 *     json_close(&json, '}');
 *
 * `key` is the member's name in an object, and NULL in an array and for the outermost value. Keys
 * are static and need no quoting. Failures of `out` are for its owner to look at (ferror). One
 * thread.
 */
#ifndef ARMLET_SRC_JSON_H
#define ARMLET_SRC_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    unsigned depth;
    bool first; /* no value yet in what was opened last */
};

struct json json_begin(FILE *out);

/* `bracket` is '{' or '[', and its counterpart in json_close(). */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

void json_number(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value); /* finite; 6 digits */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_string(struct json *json, const char *key, const char *text); /* NULL: null */

/* A string alone, quoted. Bytes from 0x80 on, which may be no UTF-8, become U+FFFD. */
void json_put_string(FILE *out, const char *text);

#endif
