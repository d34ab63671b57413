// SPDX-License-Identifier: Apache-2.0
#include "options_internal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory_map.h"
#include "options_suggest.h"
#include "options_value.h"

#define DEFAULT_MEMORY_BYTES        (UINT64_C(512) << 20)
#define DEFAULT_SHUTDOWN_TIMEOUT_NS (30 * UINT64_C(1000000000))
#define DEFAULT_BENCH_RUNS          500
#define DEFAULT_SETTLE_NS           UINT64_C(1000000000)

/* How much of the operator's text to repeat, for "%.*s%s": the second is what was left off. */
#define SHOWN(text) OPTIONS_SHOWN_BYTES, (text), strlen(text) > OPTIONS_SHOWN_BYTES ? "..." : ""

/* What is left of the command line. */
struct argument_list {
    int count;
    char *const *arguments;
};

static const char *next_argument(struct argument_list *list)
{
    if (list->count == 0)
        return NULL;
    list->count--;
    return *list->arguments++;
}

static const char *command_name(enum command command)
{
    switch (command) {
    case COMMAND_DOCTOR:
        return "doctor";
    case COMMAND_BENCH:
        return "bench";
    default:
        return "run";
    }
}

bool options_own(struct options *options, char *text, struct error *error)
{
    char **owned = realloc(options->owned, (options->owned_count + 1) * sizeof(*owned));

    if (owned == NULL) {
        free(text);
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    }
    owned[options->owned_count++] = text;
    options->owned = owned;
    return true;
}

static const struct option_row *match_row(enum command command, const char *name, size_t length)
{
    size_t count = 0;
    const struct option_row *rows = options_rows(command, &count);

    for (size_t i = 0; i < count; i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

const struct option_row *options_find_letter(const struct option_parser *parser, char letter)
{
    size_t count = 0;
    const struct option_row *rows = options_rows(parser->command, &count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].letter[0] == '-' && rows[i].letter[1] == letter)
            return &rows[i];
    }
    return NULL;
}

const struct option_row *options_find_row(const struct option_parser *parser, const char *dashes,
                                          const char *name, size_t length, struct error *error)
{
    const struct option_row *row = match_row(parser->command, name, length);
    struct suggestion suggestion;
    size_t count = 0;

    if (row != NULL)
        return row;

    const struct option_row *rows = options_rows(parser->command, &count);
    suggestion_init(&suggestion, name, length);
    for (size_t i = 0; i < count; i++)
        suggestion_offer(&suggestion, rows[i].name);

    if (suggestion.best != NULL) {
        error_set(error, ERROR_USAGE, 0, "unknown option '%s%.*s': did you mean '%s%s'?", dashes,
                  (int)length, name, dashes, suggestion.best);
        return NULL;
    }
    bool is_cut = length > OPTIONS_SHOWN_BYTES;
    error_set(error, ERROR_USAGE, 0, "unknown option '%s%.*s%s': see 'armlet %s --help'", dashes,
              is_cut ? OPTIONS_SHOWN_BYTES : (int)length, name, is_cut ? "..." : "",
              command_name(parser->command));
    return NULL;
}

/* Errors that are found later name what the operator wrote. */
static bool set(struct option_parser *parser, const struct option_row *row, const char *value,
                struct error *error)
{
    struct option_request_list *devices = &parser->options->devices;
    size_t count = devices->count;
    bool is_short = strcmp(row->name, "device") != 0 && strcmp(row->name, "config") != 0;

    if (!row->set(parser, row, value, error))
        return false;
    for (; is_short && count < devices->count; count++) {
        devices->items[count].option = row->name;
        devices->items[count].value = value;
    }
    return true;
}

bool options_apply(struct option_parser *parser, const struct option_row *row, const char *value,
                   struct error *error)
{
    /* Of all values only kernel parameters may be none at all, as in --append "$EXTRA". */
    bool is_empty =
        value != NULL && value[0] == '\0' && row->field != offsetof(struct options, append);

    if (row->wanted == NULL && value != NULL)
        return error_set(error, ERROR_USAGE, 0, "--%s takes no value", row->name);
    if (row->wanted != NULL && (value == NULL ? !row->optional : is_empty))
        return error_set(error, ERROR_USAGE, 0, "--%s needs a value: %s", row->name, row->wanted);
    if (set(parser, row, value, error))
        return true;
    if (error->code != ERROR_USAGE || parser->located)
        return false;
    if (value == NULL)
        return error_add_context(error, "--%s", row->name);
    /* A value's own colon would run into the message's. */
    const char *quote = value[0] != '\0' && value[strlen(value) - 1] == ':' ? "'" : "";
    return error_add_context(error, "--%s %s%.*s%s%s", row->name, quote, SHOWN(value), quote);
}

/* The value of `row` in the next argument; NULL if there is none, or an option in its place. */
static const char *take_value(const struct option_parser *parser, struct argument_list *list)
{
    if (list->count == 0)
        return NULL;

    const char *value = list->arguments[0];
    if (strncmp(value, "--", 2) == 0 &&
        match_row(parser->command, value + 2, strcspn(value + 2, "=")) != NULL)
        return NULL;
    return next_argument(list);
}

static bool parse_long(struct option_parser *parser, const char *argument,
                       struct argument_list *list, struct error *error)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    const struct option_row *row = options_find_row(parser, "--", name, length, error);

    if (row == NULL)
        return false;
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (value == NULL && row->wanted != NULL && !row->optional)
        value = take_value(parser, list);
    return options_apply(parser, row, value, error);
}

/* "-kFILE", "-k FILE", "-qk FILE" */
static bool parse_letters(struct option_parser *parser, const char *argument,
                          struct argument_list *list, struct error *error)
{
    const char *name = argument + 1;
    size_t length = strcspn(name, "=");

    /* "-append x" would add "ppend" to the kernel's parameters. */
    if (length > 1 && match_row(parser->command, name, length) != NULL)
        return error_set(error, ERROR_USAGE, 0, "unknown option '-%.*s': did you mean '--%.*s'?",
                         (int)length, name, (int)length, name);

    for (const char *letter = name; *letter != '\0' && !parser->finished; letter++) {
        const struct option_row *row = options_find_letter(parser, *letter);
        if (row == NULL)
            return error_set(error, ERROR_USAGE, 0, "unknown option '-%c': see 'armlet %s --help'",
                             *letter, command_name(parser->command));
        if (row->wanted != NULL)
            return options_apply(parser, row,
                                 letter[1] != '\0' ? letter + 1 : take_value(parser, list), error);
        if (!options_apply(parser, row, NULL, error))
            return false;
    }
    return true;
}

/* The second report, behind `--compare FILE`. */
static bool take_report(struct option_parser *parser, const char *argument, struct error *error)
{
    struct options *options = parser->options;

    if (!options->bench.compare_path || options->bench.compare_with)
        return error_set(error, ERROR_USAGE, 0,
                         "unexpected '%.*s%s': 'armlet bench' takes only options, and --compare "
                         "two files",
                         SHOWN(argument));
    options->bench.compare_with = argument;
    return true;
}

static bool take_positional(struct option_parser *parser, const char *argument, struct error *error)
{
    if (parser->command == COMMAND_BENCH)
        return take_report(parser, argument, error);
    if (parser->command == COMMAND_DOCTOR)
        return error_set(error, ERROR_USAGE, 0,
                         "unexpected '%.*s%s': 'armlet doctor' takes only options",
                         SHOWN(argument));
    if (argument[0] == '\0')
        return error_set(error, ERROR_USAGE, 0, "an empty argument is no kernel's file");
    if (parser->argument != NULL)
        return error_set(error, ERROR_USAGE, 0,
                         "unexpected '%.*s%s': the kernel is '%.*s%s', and its parameters go "
                         "into --append",
                         SHOWN(argument), SHOWN(parser->argument));
    parser->argument = argument;
    return true;
}

/* The argument names the kernel as --kernel does, and takes precedence over options files. */
static bool apply_positional(struct option_parser *parser, struct error *error)
{
    struct options *options = parser->options;

    if (parser->argument == NULL)
        return true;
    if (parser->kernel_on_command_line)
        return error_set(error, ERROR_USAGE, 0,
                         "unexpected '%.*s%s': --kernel gives '%.*s%s' already",
                         SHOWN(parser->argument), SHOWN(options->kernel_path));
    options->kernel_path = parser->argument;
    return true;
}

/* The userspace GIC is a GICv2. */
static bool check_irqchip(const struct options *options, struct error *error)
{
    if (options->irqchip != IRQCHIP_USER)
        return true;
    if (options->gic == GIC_V3)
        return error_set(error, ERROR_USAGE, 0,
                         "--irqchip user is a GICv2, and --gic 3 asks for a GICv3");
    if (options->its == FEATURE_ON)
        return error_set(error, ERROR_USAGE, 0,
                         "--irqchip user is a GICv2, and --its on needs a GICv3");
    if (options->vcpu_count > GICV2_MAX_VCPUS)
        return error_set(error, ERROR_USAGE, 0,
                         "--irqchip user is a GICv2, for %d vCPUs at most, not %u", GICV2_MAX_VCPUS,
                         options->vcpu_count);
    if (options->irq_delivery == IRQ_DELIVERY_IRQFD)
        return error_set(error, ERROR_USAGE, 0,
                         "--irq-delivery irqfd is for the kernel's GIC, and --irqchip user is "
                         "another");
    return true;
}

static bool check_run(const struct options *options, struct error *error)
{
    if (options->run_command && options->command_count == 0)
        return error_set(error, ERROR_USAGE, 0,
                         "--run needs a command: 'armlet run --run -- COMMAND [ARGUMENT...]'");
    if (options->run_command && options->initrd_path)
        return error_set(error, ERROR_USAGE, 0,
                         "--run brings an initrd of its own, and --initrd gives another");
    if (!options->run_command &&
        (options->rootfs_path || options->workdir_path || options->modules_path))
        return error_set(error, ERROR_USAGE, 0, "--%s is for --run, which isn't there",
                         options->rootfs_path    ? "rootfs"
                         : options->workdir_path ? "workdir"
                                                 : "modules");
    return true;
}

/* Memory that the host wouldn't take back, or not for good. */
static bool check_balloon(const struct options *options, struct error *error)
{
    const char *why = options->locked                           ? "--lock-memory keeps it all"
                      : options->backing == BACKING_HUGETLB     ? "of huge pages it takes none"
                      : options->backing == BACKING_SHARED_FILE ? "a file keeps its pages"
                                                                : NULL;

    for (size_t i = 0; why != NULL && i < options->devices.count; i++) {
        const struct option_request *request = &options->devices.items[i];

        if (strcmp(request->name, "virtio-balloon") == 0)
            return error_set(error, ERROR_USAGE, 0, "--%s gives memory back to the host, and %s",
                             request->option ? request->option : "device virtio-balloon", why);
    }
    return true;
}

/* What no option says wrong by itself. */
static bool check_together(const struct options *options, struct error *error)
{
    if (options->bench.compare_path && !options->bench.compare_with)
        return error_set(error, ERROR_USAGE, 0,
                         "--compare needs two files: 'armlet bench --compare BEFORE AFTER'");
    if (options->bench.vmm && options->irqchip == IRQCHIP_USER)
        return error_set(error, ERROR_USAGE, 0,
                         "--irqchip is for armlet's own guests, and --vmm names another VMM");
    if (options->bench.vmm && options->irq_delivery == IRQ_DELIVERY_IRQFD)
        return error_set(error, ERROR_USAGE, 0,
                         "--irq-delivery is for armlet's own guests, and --vmm names another VMM");
    if (options->quiet && options->verbose)
        return error_set(error, ERROR_USAGE, 0, "--quiet and --verbose exclude each other");
    if (options->gic == GIC_V2 && options->its == FEATURE_ON)
        return error_set(error, ERROR_USAGE, 0,
                         "--its on needs a GICv3, and --gic 2 asks for a GICv2");
    if (options->trace_kinds != 0 && options->trace_path == NULL)
        return error_set(error, ERROR_USAGE, 0,
                         "--trace-filter says what is traced, and --trace FILE where to");
    if (options->huge_page_bytes != 0 && options->memory_bytes % options->huge_page_bytes != 0) {
        char memory[SIZE_TEXT_BYTES];
        char page[SIZE_TEXT_BYTES];
        options_format_size(options->memory_bytes, memory);
        options_format_size(options->huge_page_bytes, page);
        return error_set(error, ERROR_USAGE, 0,
                         "--memory %s is no multiple of the huge page of %s that "
                         "--memory-backing asks for",
                         memory, page);
    }
    return check_run(options, error) && check_irqchip(options, error) &&
           check_balloon(options, error);
}

/* --run: all that is left. */
static void take_command(struct options *options, struct argument_list *list)
{
    options->command_line = list->arguments;
    options->command_count = (size_t)list->count;
    list->count = 0;
}

static bool parse_command(struct option_parser *parser, struct argument_list *list,
                          struct error *error)
{
    const struct option_row *config = match_row(parser->command, "config", strlen("config"));
    bool only_positional = false;
    const char *argument = NULL;

    parser->options->command = parser->command;
    while (!parser->finished && (argument = next_argument(list)) != NULL) {
        bool done = true;
        if (only_positional || (argument[0] != '-' && (argument[0] != '@' || config == NULL)) ||
            strcmp(argument, "-") == 0)
            done = take_positional(parser, argument, error);
        else if (argument[0] == '@')
            done = options_apply(parser, config, argument + 1, error);
        else if (strcmp(argument, "--") == 0 && parser->options->run_command)
            take_command(parser->options, list);
        else if (strcmp(argument, "--") == 0)
            only_positional = true;
        else if (argument[1] == '-')
            done = parse_long(parser, argument, list, error);
        else
            done = parse_letters(parser, argument, list, error);
        if (!done)
            return false;
    }
    return parser->finished ||
           (apply_positional(parser, error) && check_together(parser->options, error) &&
            options_complete_console(parser->options, error));
}

static bool refuse_command(const char *word, struct error *error)
{
    static const char *const commands[] = {"run", "doctor", "bench", "help"};
    struct suggestion suggestion;

    suggestion_init(&suggestion, word, strlen(word));
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        suggestion_offer(&suggestion, commands[i]);
    if (suggestion.best != NULL)
        return error_set(error, ERROR_USAGE, 0, "unknown command '%.*s%s': did you mean '%s'?",
                         SHOWN(word), suggestion.best);
    return error_set(error, ERROR_USAGE, 0,
                     "unknown command '%.*s%s': 'armlet run FILE' boots a file, "
                     "'armlet --help' tells more",
                     SHOWN(word));
}

static bool find_command(const char *word, enum command *command, struct error *error)
{
    if (strcmp(word, "run") == 0)
        *command = COMMAND_RUN;
    else if (strcmp(word, "doctor") == 0)
        *command = COMMAND_DOCTOR;
    else if (strcmp(word, "bench") == 0)
        *command = COMMAND_BENCH;
    else if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        *command = COMMAND_HELP;
    else
        return refuse_command(word, error);
    return true;
}

/* `armlet help [COMMAND]` */
static bool parse_help(struct options *options, struct argument_list *list, struct error *error)
{
    const char *word = next_argument(list);

    options->command = COMMAND_HELP;
    options->help_for = COMMAND_HELP;
    return word == NULL || find_command(word, &options->help_for, error);
}

static bool parse_arguments(struct argument_list *list, struct options *options,
                            struct error *error)
{
    struct option_parser parser = {.options = options, .command = COMMAND_RUN};

    if (list->count == 0)
        return error_set(error, ERROR_USAGE, 0,
                         "no command: 'armlet run' boots a guest, 'armlet --help' tells more");

    const char *word = list->arguments[0];
    bool is_option = word[0] == '-' || word[0] == '@';
    if (!is_option || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        (void)next_argument(list);
        if (!find_command(word, &parser.command, error))
            return false;
    }
    if (parser.command == COMMAND_HELP)
        return parse_help(options, list, error);
    return parse_command(&parser, list, error);
}

/* Names of files and what else is repeated may hold anything; a message is one line. */
static void make_printable(char *message)
{
    for (; *message != '\0'; message++) {
        unsigned char byte = (unsigned char)*message;
        if (byte < ' ' || byte == 0x7f)
            *message = '?';
    }
}

bool options_parse(int argc, char *const argv[], struct options *options, struct error *error)
{
    struct argument_list list = {.count = argc > 0 ? argc - 1 : 0, .arguments = argv + 1};

    *options = (struct options){
        .append = "",
        .vcpu_count = 1,
        .memory_bytes = DEFAULT_MEMORY_BYTES,
        .hypercalls = FEATURE_OFF,
        .shutdown_timeout_ns = DEFAULT_SHUTDOWN_TIMEOUT_NS,
        .bench = {.runs = DEFAULT_BENCH_RUNS, .cpu = PIN_NONE, .settle_ns = DEFAULT_SETTLE_NS},
    };
    if (parse_arguments(&list, options, error))
        return true;
    make_printable(error->message);
    options_finish(options);
    return false;
}

void options_finish(struct options *options)
{
    for (size_t i = 0; i < options->owned_count; i++)
        free(options->owned[i]);
    free(options->owned);
    free(options->append_memory);
    free(options->overlay_paths);
    free(options->ports);
    free(options->pin_cpus);
    free(options->devices.items);
    free(options->plugins.items);
    *options = (struct options){.append = ""};
}
