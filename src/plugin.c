// SPDX-License-Identifier: Apache-2.0
#include "plugin.h"

#include <string.h>

#include "plugin_guard.h"
#include "plugin_loader.h"

struct plugin_host {
    struct plugins *plugins;
    const struct option_request *request;
    void *object; /* what plugin_loader_open() gave */
    const struct armlet_plugin *descriptor;
    void *context;
    bool initialised;
};

void *plugin_host_context(const struct plugin_host *host)
{
    return host->context;
}

const char *plugin_host_name(const struct plugin_host *host)
{
    return host->descriptor->name;
}

struct log *plugin_log(const struct plugin_host *host)
{
    return host->plugins->environment.log;
}

const struct plugin_class *plugins_find_class(const struct plugins *plugins, const char *name)
{
    const struct plugin_class *entry = plugins->classes;

    while (entry && strcmp(entry->class->name, name) != 0)
        entry = entry->next;
    return entry;
}

static bool is_builtin(const char *name)
{
    for (const struct device_class *const *class = builtin_device_classes; *class; class ++)
        if (strcmp((*class)->name, name) == 0)
            return true;
    return false;
}

bool plugin_add_device_class(struct plugin_host *host, const struct device_class *class,
                             struct error *error)
{
    struct plugins *plugins = host->plugins;

    if (!class->name || !class->purpose || !class->create)
        return error_set(error, ERROR_FILE, 0,
                         "a class of devices has no name, purpose or create()");
    if (is_builtin(class->name) || plugins_find_class(plugins, class->name))
        return error_set(error, ERROR_FILE, 0, "there is a class of devices '%s' already",
                         class->name);

    struct plugin_class *entry = arena_alloc(plugins->environment.arena, 1, sizeof(*entry), error);
    if (!entry)
        return false;
    *entry = (struct plugin_class){class, host, NULL};

    struct plugin_class **end = &plugins->classes;
    while (*end)
        end = &(*end)->next;
    *end = entry;
    return true;
}

bool plugin_subscribe(struct plugin_host *host, const struct event_subscriber *subscriber,
                      struct error *error)
{
    if (!subscriber->notify)
        return error_set(error, ERROR_FILE, 0, "a subscriber to events has no notify()");
    return events_subscribe(host->plugins->environment.events, subscriber, error);
}

bool plugin_watch_exits(struct plugin_host *host, uint32_t kinds, plugin_exit_function *function,
                        void *context, struct error *error)
{
    const struct exit_filter filter = {
        .ask = function,
        .context = context,
        .kinds = kinds & EXIT_KIND_MASK_ALL,
        .plugin = host->descriptor->name,
    };

    if (!function)
        return error_set(error, ERROR_FILE, 0, "nobody is there to ask about exits");
    return exit_filter_add(host->plugins->environment.filters, &filter, error);
}

/* Whether the object was made for this armlet; the rest of it isn't looked at before. */
static bool check_descriptor(const struct armlet_plugin *descriptor, struct error *error)
{
    if (descriptor->abi != ARMLET_PLUGIN_ABI)
        return error_set(error, ERROR_FILE, 0,
                         "it was compiled for plugin ABI %u, and this armlet has %u: compile it "
                         "again with this armlet's headers",
                         descriptor->abi, ARMLET_PLUGIN_ABI);
    if (descriptor->size_bytes != sizeof(*descriptor))
        return error_set(error, ERROR_FILE, 0,
                         "its '" ARMLET_PLUGIN_SYMBOL "' has %u bytes instead of the %zu of plugin "
                         "ABI %u",
                         descriptor->size_bytes, sizeof(*descriptor), ARMLET_PLUGIN_ABI);
    if (!descriptor->name || !descriptor->version || !descriptor->initialise)
        return error_set(error, ERROR_FILE, 0, "it has no name, version or initialise()");
    return true;
}

static bool initialise(struct plugin_host *host, struct error *error)
{
    const struct armlet_plugin *descriptor = host->descriptor;

    host->initialised =
        descriptor->initialise(host, &host->request->properties, &host->context, error);
    if (host->initialised)
        return true;
    if (error->code == ERROR_NONE)
        (void)error_set(error, ERROR_FILE, 0, "it gives no reason");
    return error_add_context(error, "'%s' can't be initialised", descriptor->name);
}

/* What runs code of the plugin: its constructors and its initialise(). */
static bool open_and_initialise(struct plugin_host *host, struct error *error)
{
    host->object = plugin_loader_open(host->request->name, error);
    if (!host->object)
        return false;
    host->descriptor = plugin_loader_find(host->object, ARMLET_PLUGIN_SYMBOL, error);
    return host->descriptor && check_descriptor(host->descriptor, error) &&
           property_list_read(&host->request->properties, host->descriptor->properties, NULL,
                              error) &&
           initialise(host, error);
}

static bool load(struct plugin_host *host, struct error *error)
{
    struct plugin_guard guard;

    plugin_guard_enter(&guard, host->request->name, host->plugins->environment.log->fd);
    bool good = open_and_initialise(host, error);
    plugin_guard_leave(&guard);
    if (good)
        log_line(host->plugins->environment.log, LOG_DEBUG, "plugin '%s' %s",
                 host->descriptor->name, host->descriptor->version);
    return good;
}

bool plugins_load(struct plugins *plugins, const struct option_request_list *asked,
                  const struct plugins_environment *environment, struct error *error)
{
    *plugins = (struct plugins){.environment = *environment};
    if (asked->count == 0)
        return true;
    plugins->hosts = arena_alloc(environment->arena, asked->count, sizeof(*plugins->hosts), error);
    if (!plugins->hosts)
        return false;
    for (size_t i = 0; i < asked->count; i++) {
        struct plugin_host *host = &plugins->hosts[i];

        *host = (struct plugin_host){.plugins = plugins, .request = &asked->items[i]};
        plugins->count++;
        if (!load(host, error))
            return error_add_context(error, "--plugin %s", host->request->name);
    }
    return true;
}

void plugins_finish(struct plugins *plugins)
{
    while (plugins->count > 0) {
        struct plugin_host *host = &plugins->hosts[--plugins->count];

        if (host->initialised && host->descriptor->finish)
            host->descriptor->finish(host->context);
        if (host->object)
            plugin_loader_close(host->object);
    }
    plugins->classes = NULL;
}
