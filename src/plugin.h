// SPDX-License-Identifier: Apache-2.0
/*
 * The plugins of one machine: loaded and initialised first, finished and closed last.
 *
 * What a plugin asks for in initialise() is kept here and constant afterwards. Nothing is shared
 * between machines but the shared object itself. I/O thread, unless said otherwise.
 */
#ifndef ARMLET_SRC_PLUGIN_H
#define ARMLET_SRC_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "armlet/plugin.h"
#include "exit_filter.h"
#include "options.h"

/* A class of devices that a plugin brought. */
struct plugin_class {
    const struct device_class *class;
    const struct plugin_host *host;
    struct plugin_class *next;
};

/* What is lent to plugins, and what they fill in. All of it outlives them. */
struct plugins_environment {
    struct arena *arena;
    struct log *log;
    struct event_hub *events; /* not frozen yet */
    struct exit_filters *filters;
};

struct plugins {
    struct plugins_environment environment;
    struct plugin_host *hosts;
    size_t count; /* of those initialised */
    struct plugin_class *classes;
};

/*
 * Loads and initialises what was asked for, in that order. A file that is no plugin, of another
 * ABI, or whose initialise() fails: ERROR_FILE, unless the plugin said otherwise; a property that
 * isn't right: ERROR_USAGE. plugins_finish() is due in any case. A plugin that crashes meanwhile
 * ends the process, see plugin_guard.h.
 */
bool plugins_load(struct plugins *plugins, const struct option_request_list *asked,
                  const struct plugins_environment *environment, struct error *error) WARN_UNUSED;
void plugins_finish(struct plugins *plugins); /* allowed on a zeroed struct */

/* The class with this name, or NULL. */
const struct plugin_class *plugins_find_class(const struct plugins *plugins, const char *name);
/* What the plugin's initialise() stored, and its name. */
void *plugin_host_context(const struct plugin_host *host);
const char *plugin_host_name(const struct plugin_host *host);

#endif
