// SPDX-License-Identifier: Apache-2.0
/* Parses a command line that a test writes down. */
#ifndef ARMLET_TESTS_UNIT_PARSE_OPTIONS_H
#define ARMLET_TESTS_UNIT_PARSE_OPTIONS_H

#include <check.h>
#include <stdint.h>

#include "options.h"

enum { ARGUMENTS_MAX = 12 };

/* Parses `armlet` and the arguments up to NULL. */
static inline bool parse(struct options *options, struct error *error, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 2] = {"armlet"};
    int argc = 1;

    for (; argc <= ARGUMENTS_MAX && arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    *error = (struct error){.code = ERROR_NONE};
    return options_parse(argc, argv, options, error);
}

#define PARSE(options, error, ...)                                                                 \
    parse((options), (error), (const char *const[ARGUMENTS_MAX + 1]){__VA_ARGS__})

#define ASSERT_PARSES(options, ...)                                                                \
    do {                                                                                           \
        struct error parse_error;                                                                  \
        ck_assert_msg(PARSE((options), &parse_error, __VA_ARGS__), "%s", parse_error.message);     \
    } while (0)

#endif
