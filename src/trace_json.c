// SPDX-License-Identifier: Apache-2.0
#include "trace_json.h"

#include <inttypes.h>

#define NS_PER_S UINT64_C(1000000000)
#define METADATA "__metadata" /* the category that the format gives it */

/* Groups of tracks, and the tracks; the numbers are ours, and no two tracks share one. */
enum {
    GROUP_VCPUS = 1,
    GROUP_DEVICES = 2,
    GROUP_MACHINE = 3,
    TRACK_VCPU = 100,       /* + its index */
    TRACK_DEVICE = 1000,    /* + its index in the machine's devices */
    TRACK_NO_DEVICE = 1999, /* accesses to where nothing is, or to a part of the machine itself */
    TRACK_STATE = 2000,
    TRACK_FIRMWARE = 2001,
    TRACK_TIMERS = 2002,
    TRACK_CONSOLE = 2003,
    TRACK_ERRORS = 2004,
};

static const struct {
    unsigned number;
    const char *name;
} machine_tracks[] = {
    {TRACK_STATE, "state"},     {TRACK_FIRMWARE, "firmware calls"}, {TRACK_TIMERS, "timers"},
    {TRACK_CONSOLE, "console"}, {TRACK_ERRORS, "errors"},
};
enum { MACHINE_TRACK_COUNT = sizeof(machine_tracks) / sizeof(machine_tracks[0]) };

static void put_text(FILE *file, const char *text)
{
    (void)fputc('"', file);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < ' ' || byte >= 0x7f)
            (void)fprintf(file, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            (void)fprintf(file, "\\%c", byte);
        else
            (void)fputc(byte, file);
    }
    (void)fputc('"', file);
}

static uint64_t nanoseconds(const struct trace_json *json, uint64_t ticks)
{
    uint64_t since = ticks > json->start ? ticks - json->start : 0;
    uint64_t frequency = json->ticks_per_second;

    return since / frequency * NS_PER_S + since % frequency * NS_PER_S / frequency;
}

/* "ts" or "dur", in microseconds. */
static void put_time(FILE *file, const char *name, uint64_t ns)
{
    (void)fprintf(file, ",\"%s\":%" PRIu64 ".%03u", name, ns / 1000, (unsigned)(ns % 1000));
}

struct track {
    unsigned group, number;
};

static void put_head(FILE *file, const char *name, const char *phase, struct track track,
                     const char *category)
{
    (void)fputs(",\n{\"name\":", file);
    put_text(file, name);
    (void)fprintf(file, ",\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"cat\":\"%s\"", phase, track.group,
                  track.number, category);
}

static void put_instant(const struct trace_json *json, const char *name, struct track track,
                        uint64_t ticks)
{
    put_head(json->file, name, "i", track, "event");
    put_time(json->file, "ts", nanoseconds(json, ticks));
    (void)fputs(",\"s\":\"t\"", json->file);
}

/* ---- names of tracks ---- */

static void name_group(FILE *file, unsigned group, const char *name)
{
    (void)fprintf(file,
                  ",\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%u,\"cat\":\"" METADATA
                  "\",\"args\":{\"name\":",
                  group);
    put_text(file, name);
    (void)fputs("}}", file);
}

static void name_track(FILE *file, struct track track, const char *name)
{
    put_head(file, "thread_name", "M", track, METADATA);
    (void)fputs(",\"args\":{\"name\":", file);
    put_text(file, name);
    (void)fputs("}}", file);
    put_head(file, "thread_sort_index", "M", track, METADATA);
    (void)fprintf(file, ",\"args\":{\"sort_index\":%u}}", track.number);
}

void trace_json_begin(const struct trace_json *json)
{
    const struct trace_config *config = json->config;
    char name[64];

    (void)fputs(TRACE_JSON_START, json->file);
    name_group(json->file, GROUP_DEVICES, "devices");
    name_group(json->file, GROUP_MACHINE, "machine");
    for (uint32_t i = 0; i < config->vcpu_count; i++) {
        (void)snprintf(name, sizeof(name), "vCPU %u", i);
        name_track(json->file, (struct track){GROUP_VCPUS, TRACK_VCPU + i}, name);
    }
    for (size_t i = 0; i < config->device_count; i++) {
        const struct machine_device *entry = &config->devices[i];

        (void)snprintf(name, sizeof(name), "%s@%" PRIx64, entry->device->name,
                       entry->place.base.value);
        name_track(json->file, (struct track){GROUP_DEVICES, TRACK_DEVICE + (unsigned)i}, name);
    }
    name_track(json->file, (struct track){GROUP_DEVICES, TRACK_NO_DEVICE}, "elsewhere");
    for (size_t i = 0; i < MACHINE_TRACK_COUNT; i++)
        name_track(json->file, (struct track){GROUP_MACHINE, machine_tracks[i].number},
                   machine_tracks[i].name);
}

void trace_json_end(const struct trace_json *json)
{
    (void)fputs("\n]\n", json->file);
}

/* ---- events ---- */

static struct track track_of_device(const struct trace_json *json, const struct device *device)
{
    const struct trace_config *config = json->config;

    for (size_t i = 0; i < config->device_count; i++)
        if (config->devices[i].device == device)
            return (struct track){GROUP_DEVICES, TRACK_DEVICE + (unsigned)i};
    return (struct track){GROUP_DEVICES, TRACK_NO_DEVICE};
}

static const char *name_of_device(const struct device *device)
{
    return device ? device->name : "nothing";
}

static void put_access(const struct trace_json *json, const struct event *event)
{
    put_instant(json, event->mmio.access == ACCESS_READ ? "read" : "write",
                track_of_device(json, event->mmio.device), event->ticks);
    (void)fprintf(json->file,
                  ",\"args\":{\"vcpu\":%u,\"address\":\"0x%08" PRIx64 "\",\"bytes\":%d,"
                  "\"value\":\"0x%" PRIx64 "\"}}",
                  event->publisher, event->mmio.address.value, (int)event->mmio.width,
                  event->mmio.value);
}

static void put_exit(const struct trace_json *json, const struct event *event,
                     const struct event *access)
{
    uint64_t start_ns = nanoseconds(json, event->exit.returned);
    uint64_t end_ns = nanoseconds(json, event->ticks);
    const char *reason = exit_kind_name(event->exit.reason);
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%s%s", reason, access ? " " : "",
                   access ? name_of_device(access->mmio.device) : "");
    put_head(json->file, name, "X",
             (struct track){GROUP_VCPUS, TRACK_VCPU + (unsigned)event->publisher}, "exit");
    put_time(json->file, "ts", start_ns);
    put_time(json->file, "dur", end_ns - start_ns);
    if (access)
        (void)fprintf(json->file,
                      ",\"args\":{\"access\":\"%s\",\"address\":\"0x%08" PRIx64 "\",\"value\":"
                      "\"0x%" PRIx64 "\"}",
                      access->mmio.access == ACCESS_READ ? "read" : "write",
                      access->mmio.address.value, access->mmio.value);
    (void)fputc('}', json->file);
}

/* An instant with one number. */
static void put_counted(const struct trace_json *json, const char *name, struct track track,
                        const struct event *event, const char *key, uint64_t value)
{
    put_instant(json, name, track, event->ticks);
    (void)fprintf(json->file, ",\"args\":{\"%s\":%" PRIu64 "}}", key, value);
}

static void put_plain(const struct trace_json *json, const char *name, struct track track,
                      const struct event *event)
{
    put_instant(json, name, track, event->ticks);
    (void)fputc('}', json->file);
}

static void put_error(const struct trace_json *json, const struct event *event)
{
    put_instant(json, "error", (struct track){GROUP_MACHINE, TRACK_ERRORS}, event->ticks);
    (void)fputs(",\"args\":{\"message\":", json->file);
    put_text(json->file, event->error.message);
    (void)fputs("}}", json->file);
}

static void put_console(const struct trace_json *json, const struct event *event)
{
    const char *name = event->kind == EVENT_CONSOLE_INPUT ? "input"
                       : event->console.dropped           ? "output dropped"
                                                          : "output";

    put_counted(json, name, (struct track){GROUP_MACHINE, TRACK_CONSOLE}, event, "bytes",
                event->console.count);
}

void trace_json_put(const struct trace_json *json, const struct event *event,
                    const struct event *access)
{
    switch ((enum event_kind)event->kind) {
    case EVENT_MACHINE_STATE:
        put_plain(json, machine_state_name(event->machine_state.to),
                  (struct track){GROUP_MACHINE, TRACK_STATE}, event);
        break;
    case EVENT_VCPU_STATE:
        put_plain(json, vcpu_state_name(event->vcpu_state.to),
                  (struct track){GROUP_VCPUS, TRACK_VCPU + event->vcpu_state.vcpu}, event);
        break;
    case EVENT_EXIT:
        put_exit(json, event, access);
        break;
    case EVENT_MMIO:
        put_access(json, event);
        break;
    case EVENT_HYPERCALL:
        put_counted(json, "call", (struct track){GROUP_MACHINE, TRACK_FIRMWARE}, event, "function",
                    event->hypercall.function);
        break;
    case EVENT_IRQ:
        put_counted(json, event->irq.level ? "interrupt high" : "interrupt low",
                    track_of_device(json, event->irq.device), event, "intid", event->irq.intid);
        break;
    case EVENT_TIMER:
        put_plain(json, event->timer.name ? event->timer.name : "a device's",
                  (struct track){GROUP_MACHINE, TRACK_TIMERS}, event);
        break;
    case EVENT_CONSOLE_OUTPUT:
    case EVENT_CONSOLE_INPUT:
        put_console(json, event);
        break;
    case EVENT_ERROR:
        put_error(json, event);
        break;
    case EVENT_KIND_COUNT:
        break;
    }
}

void trace_json_put_gap(const struct trace_json *json, uint32_t vcpu, uint64_t ticks,
                        uint64_t count)
{
    const struct event event = {.ticks = ticks};

    put_counted(json, "events dropped", (struct track){GROUP_VCPUS, TRACK_VCPU + vcpu}, &event,
                "count", count);
}
