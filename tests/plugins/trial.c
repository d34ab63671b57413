// SPDX-License-Identifier: Apache-2.0
/* A plugin that does, well or badly, what it is told to: for tests of what armlet makes of it. */
#include <stdlib.h>
#include <string.h>

#include "armlet/plugin.h"

struct trial {
    const char *mode;
    uint64_t value;
    struct log *log;
    _Atomic uint32_t exits; /* kinds of exits and of events that came, as masks */
    _Atomic uint32_t events;
};

static const struct property_row rows[] = {
    {"mode", PROPERTY_TEXT, offsetof(struct trial, mode), 0, 0, "what to do"},
    {"value", PROPERTY_NUMBER, offsetof(struct trial, value), 0, 99, "what the device reads as"},
    {0},
};

/* ---- a device whose one register has the plugin's value ---- */

struct trial_device {
    struct device device;
    const struct trial *trial;
};

static uint64_t read_value(struct device *device, uint64_t offset, enum access_width width)
{
    (void)offset;
    (void)width;
    return container_of(device, struct trial_device, device)->trial->value;
}

static void ignore_write(struct device *device, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    (void)device;
    (void)offset;
    (void)width;
    (void)value;
}

static void reset(struct device *device)
{
    (void)device;
}

static void destroy(struct device *device)
{
    struct trial_device *self = container_of(device, struct trial_device, device);

    log_line(self->trial->log, LOG_INFO, "trial: device gone");
    free(self);
}

static const struct device_ops ops = {
    .read = read_value,
    .write = ignore_write,
    .reset = reset,
    .destroy = destroy,
};

static struct device *create(const struct device_resources *resources, struct error *error)
{
    static struct device hollow = {.name = "hollow", .size_bytes = 4096};
    const struct trial *trial = resources->plugin;
    struct trial_device *self;

    if (strcmp(trial->mode, "hollow-device") == 0)
        return &hollow;
    self = calloc(1, sizeof(*self));
    if (!self) {
        (void)error_set(error, ERROR_HOST, 0, "no memory");
        return NULL;
    }
    self->trial = trial;
    self->device = (struct device){.ops = &ops, .name = "trial", .size_bytes = 4096};
    if (strcmp(trial->mode, "huge-device") == 0)
        self->device.size_bytes = UINT64_MAX;
    return &self->device;
}

#define CLASS(class_name, address)                                                                 \
    {                                                                                              \
        .name = (class_name), .purpose = "a device of a test", .base = {address}, .create = create \
    }
static const struct device_class trial_class = CLASS("trial", 0);
static const struct device_class overlapping_class = CLASS("trial", 0x09000000);
static const struct device_class in_ram_class = CLASS("trial", 0x40000000);
static const struct device_class odd_class = CLASS("trial", 0x0c200010);
static const struct device_class taken_class = CLASS("pl011", 0);
static const struct device_class first_class = CLASS("first", 0x0c300000);
static const struct device_class second_class = CLASS("second", 0x0c300000);
static const struct device_class hollow_class = {.name = "trial"};

/* ---- modes ---- */

/* Fills the stack, deeper than any. */
static unsigned char recurse(const volatile bool *deeper)
{
    volatile unsigned char frame[4096];

    frame[0] = *deeper ? recurse(deeper) : 0;
    return frame[0];
}

static bool crash(const char *mode)
{
    const volatile bool deeper = true;
    volatile uintptr_t nowhere = sizeof(int);

    if (strcmp(mode, "abort") == 0)
        abort();
    if (strcmp(mode, "overflow") == 0)
        return recurse(&deeper);
    if (strcmp(mode, "segv") == 0)
        *(volatile int *)nowhere = 1;
    return false;
}

static const struct device_class *choose_class(const char *mode)
{
    static const struct {
        const char *mode;
        const struct device_class *class;
    } classes[] = {
        {"overlap", &overlapping_class}, {"in-ram", &in_ram_class},       {"odd", &odd_class},
        {"taken", &taken_class},         {"hollow-class", &hollow_class},
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].mode, mode) == 0)
            return classes[i].class;
    return &trial_class;
}

/* ---- exits and events ---- */

static enum plugin_answer look(void *context, struct plugin_exit *exit, struct error *error)
{
    struct trial *trial = context;

    trial->exits |= EXIT_KIND_MASK(exit->kind);
    if (strcmp(trial->mode, "handle") == 0) {
        exit->value = trial->value;
        return PLUGIN_HANDLED;
    }
    if (strcmp(trial->mode, "nonsense") == 0)
        return (enum plugin_answer)99;
    if (strcmp(trial->mode, "error") == 0)
        return PLUGIN_ERROR;
    if (strcmp(trial->mode, "blame") == 0) {
        (void)error_set(error, ERROR_GUEST, 0, "the guest looks at %s+0x%x",
                        exit->device ? exit->device->name : "nothing", (unsigned)exit->offset);
        return PLUGIN_ERROR;
    }
    return PLUGIN_CONTINUE;
}

static void note(void *context, const struct event *event)
{
    struct trial *trial = context;

    trial->events |= EVENT_MASK(event->kind);
}

static bool watch(struct trial *trial, struct plugin_host *host, struct error *error)
{
    const struct event_subscriber subscriber = {note, trial, EVENT_MASK_ALL, false};
    uint32_t kinds = EXIT_KIND_MASK_ALL;

    if (strcmp(trial->mode, "nobody") == 0)
        return plugin_watch_exits(host, kinds, NULL, trial, error);
    if (strcmp(trial->mode, "deaf") == 0)
        return plugin_subscribe(host, &(struct event_subscriber){0}, error);
    for (int i = 0; i < 20 && strcmp(trial->mode, "greedy") == 0; i++)
        if (!plugin_watch_exits(host, kinds, look, trial, error))
            return false;
    if (strcmp(trial->mode, "error") == 0 || strcmp(trial->mode, "blame") == 0)
        kinds = EXIT_KIND_MASK(EXIT_KIND_MMIO);
    return plugin_watch_exits(host, kinds, look, trial, error) &&
           plugin_subscribe(host, &subscriber, error);
}

static bool initialise(struct plugin_host *host, const struct property_list *properties,
                       void **context, struct error *error)
{
    struct trial *trial = calloc(1, sizeof(*trial));

    if (!trial)
        return error_set(error, ERROR_HOST, 0, "no memory");
    *trial = (struct trial){.mode = "", .value = 1, .log = plugin_log(host)};
    *context = trial;
    bool good = property_list_read(properties, rows, trial, error) && !crash(trial->mode);
    if (good && strcmp(trial->mode, "fail") == 0)
        good = error_set(error, ERROR_HOST, 0, "the moon is wrong");
    else if (good && strcmp(trial->mode, "silent") == 0)
        good = false;
    else if (good && strcmp(trial->mode, "twins") == 0)
        good = plugin_add_device_class(host, &first_class, error) &&
               plugin_add_device_class(host, &second_class, error);
    else
        good = good && plugin_add_device_class(host, choose_class(trial->mode), error) &&
               watch(trial, host, error);
    if (!good)
        free(trial);
    return good;
}

static void finish(void *context)
{
    struct trial *trial = context;

    log_line(trial->log, LOG_INFO, "trial: exits 0x%x, events 0x%x", trial->exits, trial->events);
    log_line(trial->log, LOG_INFO, "trial: finished");
    free(trial);
}

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI,
    .size_bytes = sizeof(struct armlet_plugin),
    .name = "trial",
    .version = "1",
    .properties = rows,
    .initialise = initialise,
    .finish = finish,
};
