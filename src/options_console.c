// SPDX-License-Identifier: Apache-2.0
/* What the guest's console and its ports are connected to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/console.h"
#include "options_internal.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char VIRTIO[] = "virtio";
static const char VIRTIO_CONSOLE[] = "console=hvc0";
static const char PORT_KINDS[] = "NAME=unix:PATH, NAME=pty or NAME=file:PATH";

static bool parse_outside(struct option_parser *parser, const char *value, const char *wanted,
                          struct option_outside *outside, struct error *error)
{
    static const struct option_choice choices[] = {{"stdio", CONSOLE_STDIO, DETAIL_NONE},
                                                   {"pty", CONSOLE_PTY, DETAIL_NONE},
                                                   {"file", CONSOLE_FILE, DETAIL_PATH},
                                                   {"unix", CONSOLE_UNIX, DETAIL_PATH},
                                                   {"none", CONSOLE_NONE, DETAIL_NONE}};
    const char *path = NULL;
    const struct option_choice *choice =
        options_choose(value, choices, COUNT_OF(choices), &path, wanted, error);

    if (choice == NULL)
        return false;
    if (path != NULL && (path = options_resolve_path(parser, path, error)) == NULL)
        return false;
    *outside = (struct option_outside){(enum console_kind)choice->value, path};
    return true;
}

/* "virtio", "virtio,KIND" and "KIND". */
bool options_set_console(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    const size_t length = strlen(VIRTIO);
    bool is_virtio =
        strncmp(value, VIRTIO, length) == 0 && (value[length] == ',' || value[length] == '\0');
    const char *kind = !is_virtio ? value : value[length] == '\0' ? "stdio" : value + length + 1;

    if (!parse_outside(parser, kind, row->wanted, &parser->options->console, error))
        return false;
    parser->options->virtio_console = is_virtio;
    return true;
}

/* It becomes the name of a file in the guest. */
static bool check_name(const struct options *options, const char *name, struct error *error)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
        return error_set(error, ERROR_USAGE, 0,
                         "a port's name is that of a file in the guest: not empty, no '/', no '.' "
                         "first");
    if (strlen(name) >= CONSOLE_PORT_NAME_BYTES)
        return error_set(error, ERROR_USAGE, 0, "a port's name has at most %d bytes",
                         CONSOLE_PORT_NAME_BYTES - 1);
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return error_set(error, ERROR_USAGE, 0,
                             "a port's name has no spaces or control characters");
    for (size_t i = 0; i < options->port_count; i++)
        if (strcmp(options->ports[i].name, name) == 0)
            return error_set(error, ERROR_USAGE, 0, "there is a port '%s' already", name);
    if (options->port_count == OPTIONS_MOST_PORTS)
        return error_set(error, ERROR_USAGE, 0, "there are at most %d ports", OPTIONS_MOST_PORTS);
    return true;
}

bool options_add_port(struct option_parser *parser, const struct option_row *row, const char *value,
                      struct error *error)
{
    struct options *options = parser->options;
    const char *equals = strchr(value, '=');
    struct option_port port = {0};

    (void)row;
    if (equals == NULL)
        return error_set(error, ERROR_USAGE, 0, "must be %s", PORT_KINDS);
    char *name = strndup(value, (size_t)(equals - value));
    if (name == NULL)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    port.name = name;
    if (!options_own(options, name, error) || !check_name(options, name, error) ||
        !parse_outside(parser, equals + 1, PORT_KINDS, &port.outside, error))
        return false;
    if (port.outside.kind == CONSOLE_STDIO || port.outside.kind == CONSOLE_NONE)
        return error_set(error, ERROR_USAGE, 0, "must be %s", PORT_KINDS);
    struct option_port *ports = realloc(options->ports, (options->port_count + 1) * sizeof(*ports));
    if (ports == NULL)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    options->ports = ports;
    ports[options->port_count++] = port;
    return true;
}

/* Whether one of the words of the kernel's parameters begins so. */
static bool has_parameter(const char *parameters, const char *beginning)
{
    for (const char *at = parameters; (at = strstr(at, beginning)) != NULL; at++)
        if (at == parameters || at[-1] == ' ')
            return true;
    return false;
}

/* With --run the guest's program is on the console that is there from the start. */
bool options_complete_console(struct options *options, struct error *error)
{
    if (!options->virtio_console || options->run_command ||
        has_parameter(options->append, "console="))
        return true;
    return options_append(options, VIRTIO_CONSOLE, error);
}
