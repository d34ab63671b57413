// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes the command line (first byte even: arguments that end in newlines) and the options file
 * (odd: its text). No file is opened: what would name an options file is left out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "options_internal.h"

enum { ARGUMENTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct error *error)
{
    assert(error->code != ERROR_NONE);
    assert(error->message[0] != '\0');
    for (const char *byte = error->message; *byte != '\0'; byte++)
        assert((unsigned char)*byte >= ' ');
}

static void check_options(const struct options *options)
{
    assert(options->append != NULL);
    assert(options->vcpu_count >= 1 && options->vcpu_count <= MAX_VCPUS);
    assert(options->memory_bytes != 0);
    assert((options->pin_count == 0) == (options->pin_cpus == NULL));
}

static void fuzz_arguments(char *text)
{
    char *argv[ARGUMENTS_MAX + 1] = {"armlet"};
    int argc = 1;
    struct options options;
    struct error error = {.code = ERROR_NONE};

    for (char *rest = text; rest != NULL && argc < ARGUMENTS_MAX;) {
        char *argument = strsep(&rest, "\n");
        if (argument[0] != '@' && strncmp(argument, "--config", strlen("--config")) != 0)
            argv[argc++] = argument;
    }
    if (options_parse(argc, argv, &options, &error))
        check_options(&options);
    else
        check_message(&error);
    options_finish(&options);
}

static void fuzz_file(char *text)
{
    struct options options = {.append = "", .vcpu_count = 1, .memory_bytes = 1};
    struct error error = {.code = ERROR_NONE};
    struct option_parser parser = {
        .options = &options,
        .command = COMMAND_RUN,
        .directory = "/directory",
        .depth = OPTIONS_FILE_DEPTH_MAX, /* further files are refused unopened */
    };

    if (options_read_text(&parser, "file", text, &error))
        check_options(&options);
    else
        assert(error.code != ERROR_NONE && parser.located);
    options_finish(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;

    char *text = malloc(size);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 2 == 0)
        fuzz_arguments(text);
    else
        fuzz_file(text);
    free(text);
    return 0;
}
