// SPDX-License-Identifier: Apache-2.0
/*
 * A log of exits: a line for each exit of a vCPU, each access to a device and each call to the
 * firmware, as it happened.
 *
 *     armlet run --plugin exitlog,file=exits.log,device=pl031 ...
 *
 *        0.001204 vcpu0 read  pl031 at 0x09010000 4 0x6924ee15
 *        0.001206 vcpu0 exit  mmio 5.1us
 *
 * The columns are seconds since the first line, the vCPU, what it was, and of an access its place,
 * width in bytes and value; of an exit its reason and how long armlet took over it. A file that is
 * there already is appended to.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/plugin.h"
#include "armlet/ticks.h"

struct exitlog {
    const char *path, *device;
    uint64_t limit;
    struct log *log;
    pthread_mutex_t lock; /* guards what follows */
    FILE *file;
    uint64_t lines, first_ticks;
};

static const struct property_row rows[] = {
    {"file", PROPERTY_TEXT, offsetof(struct exitlog, path), 0, 0, "where to; default: stderr"},
    {"device", PROPERTY_TEXT, offsetof(struct exitlog, device), 0, 0,
     "accesses to it, nothing else"},
    {"limit", PROPERTY_NUMBER, offsetof(struct exitlog, limit), 0, 0, "how many lines (0: no end)"},
    {0},
};

static double seconds(uint64_t ticks)
{
    return (double)ticks / (double)ticks_per_second();
}

static const char *name_of(const struct device *device)
{
    return device ? device->name : "nothing";
}

static void write_access(FILE *file, const struct event *event)
{
    const char *what = event->mmio.access == ACCESS_READ ? "read" : "write";

    fprintf(file, "%-5s %s at 0x%08" PRIx64 " %d 0x%" PRIx64 "\n", what,
            name_of(event->mmio.device), event->mmio.address.value, (int)event->mmio.width,
            event->mmio.value);
}

static void write_exit(FILE *file, const struct event *event)
{
    const double us_per_s = 1e6;

    fprintf(file, "%-5s %s %.1fus\n", "exit", exit_kind_name(event->exit.reason),
            seconds(event->ticks - event->exit.returned) * us_per_s);
}

static bool is_wanted(const struct exitlog *exitlog, const struct event *event)
{
    if (exitlog->limit && exitlog->lines >= exitlog->limit)
        return false;
    return !exitlog->device ||
           (event->kind == EVENT_MMIO && strcmp(name_of(event->mmio.device), exitlog->device) == 0);
}

static void on_event(void *context, const struct event *event)
{
    struct exitlog *exitlog = context;

    pthread_mutex_lock(&exitlog->lock);
    if (is_wanted(exitlog, event)) {
        uint64_t since;

        if (exitlog->lines++ == 0)
            exitlog->first_ticks = event->ticks;
        /* Another vCPU's may be a little earlier, and have waited for the lock. */
        if (__builtin_sub_overflow(event->ticks, exitlog->first_ticks, &since))
            since = 0;
        fprintf(exitlog->file, "%12.6f vcpu%u ", seconds(since), event->publisher);
        if (event->kind == EVENT_MMIO)
            write_access(exitlog->file, event);
        else if (event->kind == EVENT_EXIT)
            write_exit(exitlog->file, event);
        else
            fprintf(exitlog->file, "%-5s 0x%08" PRIx32 "\n", "call", event->hypercall.function);
    }
    pthread_mutex_unlock(&exitlog->lock);
}

static bool start(struct exitlog *exitlog, struct plugin_host *host, struct error *error)
{
    const struct event_subscriber subscriber = {
        .notify = on_event,
        .context = exitlog,
        .wanted = EVENT_MASK(EVENT_MMIO) | EVENT_MASK(EVENT_EXIT) | EVENT_MASK(EVENT_HYPERCALL),
        .timed = true,
    };

    exitlog->file = exitlog->path ? fopen(exitlog->path, "ae") : stderr;
    if (!exitlog->file)
        return error_set(error, ERROR_FILE, errno, "cannot write to '%s'", exitlog->path);
    return plugin_subscribe(host, &subscriber, error);
}

static void finish(void *context)
{
    struct exitlog *exitlog = context;
    bool good = !exitlog->file || !ferror(exitlog->file);

    if (exitlog->file && exitlog->path)
        good = fclose(exitlog->file) == 0 && good;
    if (!good)
        log_line(exitlog->log, LOG_ERROR, "exitlog: not all could be written to '%s'",
                 exitlog->path ? exitlog->path : "standard error");
    (void)pthread_mutex_destroy(&exitlog->lock);
    free(exitlog);
}

static bool initialise(struct plugin_host *host, const struct property_list *properties,
                       void **context, struct error *error)
{
    struct exitlog *exitlog = calloc(1, sizeof(*exitlog));

    if (!exitlog)
        return error_set(error, ERROR_HOST, errno, "no memory");
    *context = exitlog;
    exitlog->log = plugin_log(host);
    (void)pthread_mutex_init(&exitlog->lock, NULL);
    if (property_list_read(properties, rows, exitlog, error) && start(exitlog, host, error))
        return true;
    finish(exitlog);
    return false;
}

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI,
    .size_bytes = sizeof(struct armlet_plugin),
    .name = "exitlog",
    .version = "1",
    .properties = rows,
    .initialise = initialise,
    .finish = finish,
};
