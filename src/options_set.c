// SPDX-License-Identifier: Apache-2.0
#include "options_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/events.h"
#include "options_suggest.h"
#include "options_value.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define MEMORY_GRANULE_BYTES (UINT64_C(2) << 20) /* a level 2 block of 4 KiB pages */
#define MEMORY_MIN_BYTES     (UINT64_C(16) << 20)
#define MEMORY_MAX_BYTES     (UINT64_C(1) << 52) /* the largest IPA space, of FEAT_LPA */

static void *field_of(struct options *options, const struct option_row *row)
{
    return (char *)options + row->field;
}

const struct option_choice *options_choose(const char *value, const struct option_choice *choices,
                                           size_t count, const char **detail, const char *wanted,
                                           struct error *error)
{
    size_t length = strcspn(value, ":");

    *detail = value[length] == ':' ? value + length + 1 : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct option_choice *choice = &choices[i];
        bool detail_fits =
            *detail == NULL ? choice->detail != DETAIL_PATH : choice->detail != DETAIL_NONE;
        if (strlen(choice->word) != length || memcmp(choice->word, value, length) != 0 ||
            !detail_fits)
            continue;
        if (*detail == NULL || **detail != '\0')
            return choice;
        error_set(error, ERROR_USAGE, 0, "the %s after the colon is missing",
                  choice->detail == DETAIL_PATH ? "path" : "size");
        return NULL;
    }
    error_set(error, ERROR_USAGE, 0, "must be %s", wanted);
    return NULL;
}

/* A path of an options file starts at the directory of that file. */
const char *options_resolve_path(struct option_parser *parser, const char *path,
                                 struct error *error)
{
    char *resolved = NULL;

    if (parser->directory == NULL || path[0] == '/')
        return path;
    if (asprintf(&resolved, "%s/%s", parser->directory, path) < 0) {
        error_set(error, ERROR_HOST, ENOMEM, "cannot keep a path");
        return NULL;
    }
    return options_own(parser->options, resolved, error) ? resolved : NULL;
}

static bool set_flag(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    (void)value;
    (void)error;
    *(bool *)field_of(parser->options, row) = true;
    return true;
}

static bool set_path(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    const char *path = options_resolve_path(parser, value, error);

    if (path == NULL)
        return false;
    *(const char **)field_of(parser->options, row) = path;
    if (row->field == offsetof(struct options, kernel_path) && parser->depth == 0)
        parser->kernel_on_command_line = true;
    return true;
}

static bool set_duration(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    return options_parse_duration(value, field_of(parser->options, row), error);
}

bool options_append(struct options *options, const char *value, struct error *error)
{
    const char *separator = options->append[0] != '\0' && value[0] != '\0' ? " " : "";
    char *joined = NULL;

    if (asprintf(&joined, "%s%s%s", options->append, separator, value) < 0)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the kernel's parameters");
    free(options->append_memory);
    options->append_memory = joined;
    options->append = joined;
    return true;
}

static bool add_append(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    (void)row;
    return options_append(parser->options, value, error);
}

static bool add_overlay(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    struct options *options = parser->options;
    const char *path = options_resolve_path(parser, value, error);

    (void)row;
    if (path == NULL)
        return false;
    const char **paths =
        realloc(options->overlay_paths, (options->overlay_count + 1) * sizeof(*paths));
    if (paths == NULL)
        return error_set(error, ERROR_HOST, errno, "cannot keep a path");
    paths[options->overlay_count++] = path;
    options->overlay_paths = paths;
    return true;
}

static bool add_device(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    struct options *options = parser->options;

    (void)row;
    if (strcmp(value, "help") == 0) {
        options->list_devices = true;
        return true;
    }
    return options_add_request(options, value, &options->devices, error);
}

static const char disk_class[] = "virtio-blk";

/* A disk is a device whose property is the image. */
static bool add_disk(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    (void)row;
    return options_add_implied(parser, value, disk_class, "path", &parser->options->devices, error);
}

/* The disk that is the guest's root: the kernel is told which of the disks it is. */
static bool add_root(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    const struct option_request_list *devices = &parser->options->devices;
    char parameters[sizeof("root=/dev/vdX rw")];
    size_t disks = 0;

    for (size_t i = 0; i < devices->count; i++)
        disks += strcmp(devices->items[i].name, disk_class) == 0;
    if (disks >= sizeof(letters) - 1)
        return error_set(error, ERROR_USAGE, 0, "there are too many disks before it");
    if (!add_disk(parser, row, value, error))
        return false;
    const struct property_list *given = &devices->items[devices->count - 1].properties;
    bool read_only = false;

    for (size_t i = 0; i < given->count; i++)
        if (strcmp(given->items[i].key, "ro") == 0)
            read_only = strcmp(given->items[i].value, "on") == 0;
    (void)snprintf(parameters, sizeof(parameters), "root=/dev/vd%c %s", letters[disks],
                   read_only ? "ro" : "rw");
    return add_append(parser, row, parameters, error);
}

/* A network is a device whose properties are all of it. */
static bool add_net(struct option_parser *parser, const struct option_row *row, const char *value,
                    struct error *error)
{
    (void)row;
    return options_add_whole(parser->options, value, "virtio-net", &parser->options->devices,
                             error);
}

/* A plugin that was installed is given by its name alone, and is no path. */
static bool add_plugin(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    struct option_request_list *plugins = &parser->options->plugins;

    (void)row;
    if (!options_add_request(parser->options, value, plugins, error))
        return false;
    const char **name = &plugins->items[plugins->count - 1].name;
    if (strpbrk(*name, "/.") != NULL)
        *name = options_resolve_path(parser, *name, error);
    return *name != NULL;
}

static bool set_cpus(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    (void)row;
    return options_parse_number(value, 1, MAX_VCPUS, &parser->options->vcpu_count, error);
}

/* Words that are no path. */
static bool set_text(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    (void)error;
    *(const char **)field_of(parser->options, row) = value;
    return true;
}

static bool set_runs(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    return options_parse_number(value, 1, BENCH_RUNS_MAX, field_of(parser->options, row), error);
}

static bool set_host_cpu(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    uint32_t cpu = 0;

    if (!options_parse_number(value, 0, HOST_CPU_MAX, &cpu, error))
        return false;
    *(int *)field_of(parser->options, row) = (int)cpu;
    return true;
}

static bool set_gic(struct option_parser *parser, const struct option_row *row, const char *value,
                    struct error *error)
{
    static const struct option_choice choices[] = {
        {"auto", GIC_AUTO, DETAIL_NONE}, {"2", GIC_V2, DETAIL_NONE}, {"3", GIC_V3, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->gic = (enum gic_choice)choice->value;
    return true;
}

static bool set_irqchip(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    static const struct option_choice choices[] = {{"kernel", IRQCHIP_KERNEL, DETAIL_NONE},
                                                   {"user", IRQCHIP_USER, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->irqchip = (enum irqchip_choice)choice->value;
    return true;
}

static bool set_irq_delivery(struct option_parser *parser, const struct option_row *row,
                             const char *value, struct error *error)
{
    static const struct option_choice choices[] = {{"line", IRQ_DELIVERY_LINE, DETAIL_NONE},
                                                   {"irqfd", IRQ_DELIVERY_IRQFD, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->irq_delivery = (enum irq_delivery)choice->value;
    return true;
}

static bool set_state(struct option_parser *parser, const struct option_row *row, const char *value,
                      struct error *error)
{
    static const struct option_choice choices[] = {{"auto", FEATURE_AUTO, DETAIL_NONE},
                                                   {"on", FEATURE_ON, DETAIL_NONE},
                                                   {"off", FEATURE_OFF, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    *(enum feature_choice *)field_of(parser->options, row) = (enum feature_choice)choice->value;
    return true;
}

static bool set_msi(struct option_parser *parser, const struct option_row *row, const char *value,
                    struct error *error)
{
    static const struct option_choice choices[] = {{"auto", MSI_AUTO, DETAIL_NONE},
                                                   {"off", MSI_OFF, DETAIL_NONE},
                                                   {"gicv2m", MSI_GICV2M, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->msi = (enum msi_choice)choice->value;
    return true;
}

static bool set_watchdog(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    static const struct option_choice choices[] = {{"reset", WATCHDOG_RESET, DETAIL_NONE},
                                                   {"exit", WATCHDOG_EXIT, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->watchdog = (enum watchdog_choice)choice->value;
    return true;
}

static bool set_fast_console(struct option_parser *parser, const struct option_row *row,
                             const char *value, struct error *error)
{
    static const struct option_choice choices[] = {{"on", false, DETAIL_NONE},
                                                   {"off", true, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->slow_console = choice->value;
    return true;
}

static bool set_backing(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    static const struct option_choice choices[] = {{"default", BACKING_DEFAULT, DETAIL_NONE},
                                                   {"thp", BACKING_TRANSPARENT, DETAIL_NONE},
                                                   {"hugetlb", BACKING_HUGETLB, DETAIL_SIZE},
                                                   {"file", BACKING_SHARED_FILE, DETAIL_PATH}};
    struct options *options = parser->options;
    const char *detail = NULL;
    const char *path = NULL;
    uint64_t page_bytes = 0;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    if (choice->detail == DETAIL_PATH &&
        (path = options_resolve_path(parser, detail, error)) == NULL)
        return false;
    if (choice->detail == DETAIL_SIZE && detail != NULL) {
        if (!options_parse_size(detail, &page_bytes, error))
            return false;
        if (page_bytes == 0 || (page_bytes & (page_bytes - 1)) != 0)
            return error_set(error, ERROR_USAGE, 0,
                             "no size of a huge page: they are powers of two, like 2M or 1G");
    }
    options->backing = (enum memory_backing)choice->value;
    options->memory_path = path;
    options->huge_page_bytes = page_bytes;
    return true;
}

static bool set_memory(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    uint64_t bytes = 0;

    (void)row;
    if (!options_parse_size(value, &bytes, error))
        return false;
    if (bytes < MEMORY_MIN_BYTES)
        return error_set(error, ERROR_USAGE, 0, "must be at least %" PRIu64 "M",
                         MEMORY_MIN_BYTES >> 20);
    if (bytes > MEMORY_MAX_BYTES)
        return error_set(error, ERROR_USAGE, 0, "must be at most %" PRIu64 "T",
                         MEMORY_MAX_BYTES >> 40);
    if (bytes % MEMORY_GRANULE_BYTES != 0) {
        uint64_t lower_bytes = bytes - bytes % MEMORY_GRANULE_BYTES;
        char lower[SIZE_TEXT_BYTES];
        char upper[SIZE_TEXT_BYTES];
        options_format_size(lower_bytes, lower);
        options_format_size(lower_bytes + MEMORY_GRANULE_BYTES, upper);
        return error_set(error, ERROR_USAGE, 0,
                         "must be a multiple of 2M: the nearest are %s "
                         "and %s",
                         lower, upper);
    }
    parser->options->memory_bytes = bytes;
    return true;
}

static bool refuse_event_kind(const char *name, size_t length, struct error *error)
{
    struct suggestion suggestion;
    int shown = (int)(length < OPTIONS_SHOWN_BYTES ? length : OPTIONS_SHOWN_BYTES);

    suggestion_init(&suggestion, name, length);
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        suggestion_offer(&suggestion, event_kind_name((enum event_kind)kind));
    if (suggestion.best != NULL)
        return error_set(error, ERROR_USAGE, 0, "unknown kind '%.*s': did you mean '%s'?", shown,
                         name, suggestion.best);
    return error_set(error, ERROR_USAGE, 0,
                     "unknown kind '%.*s': there are machine-state, vcpu-state, exit, mmio, "
                     "hypercall, irq, timer, console-output, console-input and error",
                     shown, name);
}

static bool set_trace_filter(struct option_parser *parser, const struct option_row *row,
                             const char *value, struct error *error)
{
    uint32_t kinds = 0;

    (void)row;
    for (;;) {
        size_t length = strcspn(value, ",");
        enum event_kind kind = event_kind_find(value, length);
        if (kind == EVENT_KIND_COUNT)
            return refuse_event_kind(value, length, error);
        kinds |= EVENT_MASK(kind);
        if (value[length] == '\0')
            break;
        value += length + 1;
    }
    parser->options->trace_kinds = kinds;
    return true;
}

static bool set_pin(struct option_parser *parser, const struct option_row *row, const char *value,
                    struct error *error)
{
    struct options *options = parser->options;
    int *cpus = NULL;
    size_t count = 0;

    (void)row;
    if (!options_parse_cpu_list(value, &cpus, &count, error))
        return false;
    free(options->pin_cpus);
    options->pin_cpus = cpus;
    options->pin_count = count;
    return true;
}

static bool read_config(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    const char *path = options_resolve_path(parser, value, error);

    (void)row;
    return path != NULL && options_read_file(parser, path, error);
}

static bool set_stats(struct option_parser *parser, const struct option_row *row, const char *value,
                      struct error *error)
{
    static const struct option_choice choices[] = {{"text", STATS_TEXT, DETAIL_NONE},
                                                   {"json", STATS_JSON, DETAIL_NONE}};
    const char *detail = NULL;
    const struct option_choice *choice = options_choose(
        value ? value : "text", choices, COUNT_OF(choices), &detail, row->wanted, error);

    if (choice == NULL)
        return false;
    parser->options->stats = (enum stats_choice)choice->value;
    return true;
}

static bool set_latency(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    parser->options->latency = true;
    return value == NULL || set_path(parser, row, value, error);
}

/* Ends the parsing: what follows doesn't count. */
static bool ask(struct option_parser *parser, enum command command, struct error *error)
{
    if (parser->depth > 0)
        return error_set(error, ERROR_USAGE, 0, "belongs on the command line");
    parser->options->command = command;
    parser->options->help_for = parser->command;
    parser->finished = true;
    return true;
}

static bool ask_help(struct option_parser *parser, const struct option_row *row, const char *value,
                     struct error *error)
{
    (void)row;
    (void)value;
    return ask(parser, COMMAND_HELP, error);
}

static bool ask_all_help(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    (void)row;
    (void)value;
    parser->options->help_all = true;
    return ask(parser, COMMAND_HELP, error);
}

static bool ask_version(struct option_parser *parser, const struct option_row *row,
                        const char *value, struct error *error)
{
    (void)row;
    (void)value;
    return ask(parser, COMMAND_VERSION, error);
}

#define OPTION_GROUP(heading)
#define OPTION_VALUE(short_text, long_name, argument, padding, setter, member, wanted_text, help)  \
    {.name = (long_name),                                                                          \
     .letter = (short_text),                                                                       \
     .wanted = (wanted_text),                                                                      \
     .set = (setter),                                                                              \
     .field = offsetof(struct options, member)},
#define OPTION_MAYBE(short_text, long_name, argument, padding, setter, member, wanted_text, help)  \
    {.name = (long_name),                                                                          \
     .letter = (short_text),                                                                       \
     .wanted = (wanted_text),                                                                      \
     .optional = true,                                                                             \
     .set = (setter),                                                                              \
     .field = offsetof(struct options, member)},
#define OPTION_FLAG(short_text, long_name, padding, setter, member, help)                          \
    {.name = (long_name),                                                                          \
     .letter = (short_text),                                                                       \
     .wanted = NULL,                                                                               \
     .set = (setter),                                                                              \
     .field = offsetof(struct options, member)},
#define OPTION_NOTE(line)

static const struct option_row run_rows[] = {
#include "options_run.def"
};

#define OPTION_GROUP(heading)
#define OPTION_FLAG(short_text, long_name, padding, setter, member, help)                          \
    {.name = (long_name),                                                                          \
     .letter = (short_text),                                                                       \
     .wanted = NULL,                                                                               \
     .set = (setter),                                                                              \
     .field = offsetof(struct options, member)},

static const struct option_row doctor_rows[] = {
#include "options_doctor.def"
};

#define OPTION_GROUP(heading)
#define OPTION_VALUE(short_text, long_name, argument, padding, setter, member, wanted_text, help)  \
    {.name = (long_name),                                                                          \
     .letter = (short_text),                                                                       \
     .wanted = (wanted_text),                                                                      \
     .set = (setter),                                                                              \
     .field = offsetof(struct options, member)},
#define OPTION_FLAG(short_text, long_name, padding, setter, member, help)                          \
    OPTION_VALUE(short_text, long_name, "", padding, setter, member, NULL, help)
#define OPTION_NOTE(line)

static const struct option_row bench_rows[] = {
#include "options_bench.def"
};

const struct option_row *options_rows(enum command command, size_t *count)
{
    if (command == COMMAND_BENCH) {
        *count = COUNT_OF(bench_rows);
        return bench_rows;
    }
    if (command == COMMAND_DOCTOR) {
        *count = COUNT_OF(doctor_rows);
        return doctor_rows;
    }
    *count = COUNT_OF(run_rows);
    return run_rows;
}
