// SPDX-License-Identifier: Apache-2.0
/* The guest's console, and the ports that have names. */
#include "console.h"
#include "machine_internal.h"

/* A dry run makes and connects nothing. */
static struct console *create(struct machine *machine, const struct option_outside *outside,
                              const char *port, struct error *error)
{
    const struct console_config config = {
        .kind = machine->options->dry_run ? CONSOLE_NONE : outside->kind,
        .path = outside->path,
        .port = port,
        .loop = machine->loop,
        .events = port ? NULL : &machine->events, /* they are of the console */
        .log = machine->log,
        .command = machine_console_command,
        .context = machine,
    };

    return console_create(&config, error);
}

bool machine_create_consoles(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;

    machine->console = create(machine, &options->console, NULL, error);
    if (!machine->console)
        return false;
    if (options->port_count == 0)
        return true;
    machine->ports =
        arena_alloc(&machine->arena, options->port_count, sizeof(*machine->ports), error);
    if (!machine->ports)
        return false;
    for (size_t i = 0; i < options->port_count; i++) {
        const struct option_port *port = &options->ports[i];
        struct console *console = create(machine, &port->outside, port->name, error);

        if (!console)
            return error_add_context(error, "--port %s", port->name);
        machine->ports[machine->port_count++] = (struct console_port){port->name, console};
    }
    return true;
}

void machine_flush_consoles(const struct machine *machine, uint64_t bound_ns)
{
    (void)console_flush(machine->console, bound_ns);
    for (size_t i = 0; i < machine->port_count; i++)
        (void)console_flush(machine->ports[i].console, bound_ns);
}

bool machine_check_consoles(const struct machine *machine, struct error *error)
{
    bool good = console_check(machine->console, error);

    for (size_t i = 0; good && i < machine->port_count; i++)
        good = console_check(machine->ports[i].console, error);
    return good;
}

void machine_destroy_consoles(struct machine *machine)
{
    while (machine->port_count > 0)
        console_destroy(machine->ports[--machine->port_count].console);
    console_destroy(machine->console);
}
