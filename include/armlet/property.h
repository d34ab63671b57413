// SPDX-License-Identifier: Apache-2.0
/*
 * What an operator says about a device or a plugin: key=value, key=value, ...
 *
 * Whoever takes properties has a table of them, a row each, and a struct that the values go into.
 * The same table says what `--device help` shows and refuses what isn't in it, so that a mistyped
 * key is one line with what would be right:
 *
 *     struct config { uint64_t rate; bool loop; };
 *     static const struct property_row rows[] = {
 *         {"rate", PROPERTY_NUMBER, offsetof(struct config, rate), 1, 1000, "accesses a second"},
 *         {"loop", PROPERTY_FLAG, offsetof(struct config, loop), .help = "starts over"},
 *         {0},
 *     };
 *     struct config config = {.rate = 100};
 *     if (!property_list_read(&resources->properties, rows, &config, error))
 *         return NULL;
 *
 * Any thread.
 */
#ifndef ARMLET_PROPERTY_H
#define ARMLET_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"

struct property {
    const char *key;
    const char *value; /* "on" for a key without a value */
};

/* In the order given; lives as long as the machine. */
struct property_list {
    const struct property *items;
    size_t count;
};

enum property_kind {
    PROPERTY_FLAG,   /* bool: on or off */
    PROPERTY_NUMBER, /* uint64_t: decimal, or hexadecimal after 0x */
    PROPERTY_SIZE,   /* uint64_t, bytes: as 512, 4K or 1M */
    PROPERTY_TIME,   /* uint64_t, nanoseconds: as 10us or 1s */
    PROPERTY_TEXT,   /* const char *, which lives as long as the list */
};

struct property_row {
    const char *key; /* NULL ends the table */
    enum property_kind kind;
    size_t offset;             /* of the member that the value goes to */
    uint64_t minimum, maximum; /* of a number, size or time; a maximum of 0 is none */
    const char *help;          /* a few words */
};

/*
 * Puts each value where its row says; of a key given twice the last counts, and members without a
 * key keep what they had. `rows` of NULL is an empty table; with `target` of NULL the list is only
 * judged. Fails with ERROR_USAGE: an unknown key, or a value that is none of its kind and range.
 */
bool property_list_read(const struct property_list *list, const struct property_row *rows,
                        void *target, struct error *error) WARN_UNUSED;

#endif
