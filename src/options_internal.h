// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the options module share; others include options.h.
 *
 * options.c walks argv, options_file.c the lines of an options file; both hand each option to
 * options_apply(), which calls the setter of its row (options_set.c).
 */
#ifndef ARMLET_SRC_OPTIONS_INTERNAL_H
#define ARMLET_SRC_OPTIONS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"
#include "options.h"

enum {
    OPTIONS_FILE_DEPTH_MAX = 8,           /* options files that may be open within each other */
    OPTIONS_FILE_BYTES_MAX = 1024 * 1024, /* of one options file */
    OPTIONS_SHOWN_BYTES = 80,             /* of the operator's text that a message repeats */
};

struct option_parser {
    struct options *options;
    enum command command;        /* whose options: never COMMAND_HELP or COMMAND_VERSION */
    const char *directory;       /* what relative paths start at; NULL: the current directory */
    unsigned depth;              /* options files open; 0: on the command line */
    const char *argument;        /* the positional argument, NULL if none yet */
    bool kernel_on_command_line; /* --kernel was met outside of options files */
    bool finished;               /* --help or --version was met: nothing else counts */
    bool located;                /* the error names its file and line already */
};

struct option_row {
    const char *name;
    const char *letter; /* "-k, ", or blank for none */
    const char *wanted; /* what its value is, in words; NULL: it takes none */
    bool optional;      /* it may be left out, and follows the name after '=' only */
    bool (*set)(struct option_parser *parser, const struct option_row *row, const char *value,
                struct error *error);
    size_t field; /* where it goes, an offset in struct options */
};

/* The options of a command. */
const struct option_row *options_rows(enum command command, size_t *count);

/*
 * The row of the long name `name`, of `length` bytes. If there is none, fails with "unknown
 * option '--name'" and what it may have meant. `dashes` is how names are written here.
 */
const struct option_row *options_find_row(const struct option_parser *parser, const char *dashes,
                                          const char *name, size_t length,
                                          struct error *error) WARN_UNUSED;

/* The row of a short name such as 'k'; NULL if there is none. */
const struct option_row *options_find_letter(const struct option_parser *parser, char letter);

/*
 * Sets one option. `value` is NULL if none was given, and must live as long as the options.
 * Errors name the option and its value.
 */
bool options_apply(struct option_parser *parser, const struct option_row *row, const char *value,
                   struct error *error) WARN_UNUSED;

/* Makes `text`, from malloc, memory of the options; frees it on failure. */
bool options_own(struct options *options, char *text, struct error *error) WARN_UNUSED;

/* Adds what `text`, NAME[,key[=value]]..., asks for; ",," is a comma of a value or a name. */
bool options_add_request(struct options *options, const char *text,
                         struct option_request_list *list, struct error *error) WARN_UNUSED;

/* The same for a request for `name` whose properties are all of `text`. */
bool options_add_whole(struct options *options, const char *text, const char *name,
                       struct option_request_list *list, struct error *error) WARN_UNUSED;

/* The same for what is named by a file: adds a request for `name` whose property `key` is that. */
bool options_add_implied(struct option_parser *parser, const char *text, const char *name,
                         const char *key, struct option_request_list *list,
                         struct error *error) WARN_UNUSED;

/* --vsock CID,uds=PATH and --balloon[=SIZE]: without a size the guest only reports what is free. */
bool options_add_vsock(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error) WARN_UNUSED;
bool options_add_balloon(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error) WARN_UNUSED;

/* The path as seen from the directory of the options file; NULL: out of memory. */
const char *options_resolve_path(struct option_parser *parser, const char *path,
                                 struct error *error) WARN_UNUSED;

/* Applies all options of the file at `path`. Fails with ERROR_FILE if it can't be read. */
bool options_read_file(struct option_parser *parser, const char *path,
                       struct error *error) WARN_UNUSED;

/*
 * Applies the options in `text`, which it changes and which must live as long as the options;
 * `path` is for messages.
 */
bool options_read_text(struct option_parser *parser, const char *path, char *text,
                       struct error *error) WARN_UNUSED;

/* A word that an option takes, and what may follow it after a colon. */
struct option_choice {
    const char *word;
    unsigned value;
    enum { DETAIL_NONE, DETAIL_PATH, DETAIL_SIZE } detail;
};

/*
 * Finds "word" or "word:detail" among the choices; *detail is NULL without a colon. NULL: it is
 * none of them, and the error says what `wanted` says.
 */
const struct option_choice *options_choose(const char *value, const struct option_choice *choices,
                                           size_t count, const char **detail, const char *wanted,
                                           struct error *error) WARN_UNUSED;

/* --console [virtio,]KIND and --port NAME=KIND (options_console.c). */
bool options_set_console(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error);
bool options_add_port(struct option_parser *parser, const struct option_row *row, const char *value,
                      struct error *error);
/* --console virtio: a guest whose parameters name no console is told of hvc0. */
bool options_complete_console(struct options *options, struct error *error) WARN_UNUSED;

/* Adds to the kernel's parameters. */
bool options_append(struct options *options, const char *value, struct error *error) WARN_UNUSED;

/* The setter of --share: a device whose properties are the directory and its tag. */
bool options_add_share(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error);

/* The setter of --cpu (options_features.c). */
bool options_set_features(struct option_parser *parser, const struct option_row *row,
                          const char *value, struct error *error);

#endif
