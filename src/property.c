// SPDX-License-Identifier: Apache-2.0
#include "armlet/property.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_suggest.h"
#include "options_value.h"

enum { LIST_TEXT_BYTES = 256 };

static bool refuse_key(const char *key, const struct property_row *rows, struct error *error)
{
    struct suggestion suggestion;
    char known[LIST_TEXT_BYTES] = "";
    size_t length = 0;

    if (!rows || !rows->key)
        return error_set(error, ERROR_USAGE, 0, "unknown property '%s': there are none", key);
    suggestion_init(&suggestion, key, strlen(key));
    for (const struct property_row *row = rows; row->key; row++) {
        suggestion_offer(&suggestion, row->key);
        if (length < sizeof(known))
            length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
                                       length ? ", " : "", row->key);
    }
    if (suggestion.best)
        return error_set(error, ERROR_USAGE, 0, "unknown property '%s': did you mean '%s'?", key,
                         suggestion.best);
    return error_set(error, ERROR_USAGE, 0, "unknown property '%s': known: %s", key, known);
}

static const struct property_row *find_row(const struct property_row *rows, const char *key)
{
    for (; rows && rows->key; rows++)
        if (strcmp(rows->key, key) == 0)
            return rows;
    return NULL;
}

static bool read_flag(const char *text, bool *flag, struct error *error)
{
    *flag = strcmp(text, "on") == 0;
    return *flag || strcmp(text, "off") == 0 ||
           error_set(error, ERROR_USAGE, 0, "must be on or off");
}

static bool read_number(const char *text, uint64_t *number, struct error *error)
{
    bool hexadecimal = strncmp(text, "0x", 2) == 0;
    const char *digits = hexadecimal ? text + 2 : text;
    char *end = NULL;

    /* strtoull() would take blanks and signs, too. */
    if (*digits == '\0' || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
        return error_set(error, ERROR_USAGE, 0, "not a number: write it like 16 or 0x10");
    errno = 0;
    *number = strtoull(digits, &end, hexadecimal ? 16 : 10);
    if (*end != '\0')
        return error_set(error, ERROR_USAGE, 0, "not a number: write it like 16 or 0x10");
    return errno == 0 || error_set(error, ERROR_USAGE, 0, "too large a number");
}

/* Sizes of devices are small: here a bare number is bytes, as for PROPERTY_NUMBER. */
static bool read_size(const char *text, uint64_t *bytes, struct error *error)
{
    struct error other = {0};

    return read_number(text, bytes, &other) || options_parse_size(text, bytes, error);
}

static bool check_range(const struct property_row *row, uint64_t value, struct error *error)
{
    const char *unit = row->kind == PROPERTY_TIME   ? " ns"
                       : row->kind == PROPERTY_SIZE ? " bytes"
                                                    : "";

    if (value < row->minimum)
        return error_set(error, ERROR_USAGE, 0, "must be at least %" PRIu64 "%s", row->minimum,
                         unit);
    if (row->maximum && value > row->maximum)
        return error_set(error, ERROR_USAGE, 0, "must be at most %" PRIu64 "%s", row->maximum,
                         unit);
    return true;
}

/* The value as its member holds it. */
union property_value {
    bool flag;
    uint64_t number;
    const char *text;
};

static bool parse(const struct property_row *row, const char *text, union property_value *value,
                  size_t *size_bytes, struct error *error)
{
    *size_bytes = sizeof(value->number);
    switch (row->kind) {
    case PROPERTY_FLAG:
        *size_bytes = sizeof(value->flag);
        return read_flag(text, &value->flag, error);
    case PROPERTY_NUMBER:
        return read_number(text, &value->number, error) && check_range(row, value->number, error);
    case PROPERTY_SIZE:
        return read_size(text, &value->number, error) && check_range(row, value->number, error);
    case PROPERTY_TIME:
        return options_parse_duration(text, &value->number, error) &&
               check_range(row, value->number, error);
    case PROPERTY_TEXT:
        break;
    }
    value->text = text;
    *size_bytes = sizeof(value->text);
    return true;
}

bool property_list_read(const struct property_list *list, const struct property_row *rows,
                        void *target, struct error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct property *property = &list->items[i];
        const struct property_row *row = find_row(rows, property->key);
        union property_value value = {0};
        size_t size_bytes = 0;

        if (!row)
            return refuse_key(property->key, rows, error);
        if (!parse(row, property->value, &value, &size_bytes, error))
            return error_add_context(error, "%s=%s", property->key, property->value);
        if (target)
            memcpy((char *)target + row->offset, &value, size_bytes);
    }
    return true;
}
