// SPDX-License-Identifier: Apache-2.0
/*
 * Faults on order, to see what a driver makes of them: accesses to a device are delayed, fail, or
 * end the run. One rule a plugin; load it again for another.
 *
 *     armlet run --plugin faults,device=pl031,offset=0,access=read,every=3,fail,value=0 ...
 *
 * A rule matches accesses of the guest to a device, by name, and perhaps to one of its registers.
 * Of those, the first `after` are left alone, then each `every`th has the fault, `count` times at
 * most. A failed read gives `value`, a failed write is lost; the device hears of neither. Where the
 * host handles writes without an exit (coalesced ones), they are made to exit for this.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "armlet/plugin.h"

#define NS_PER_S UINT64_C(1000000000)

static const uint64_t any_offset = UINT64_MAX;

struct faults {
    const char *device, *access;
    uint64_t offset, after, every, count, delay_ns, value;
    bool fail, stop;
    struct log *log;
    _Atomic uint64_t matched, injected; /* any vCPU */
};

#define ROW(name, kind, member, least, most, text)                                                 \
    {                                                                                              \
        name, PROPERTY_##kind, offsetof(struct faults, member), least, most, text                  \
    }
static const struct property_row rows[] = {
    ROW("device", TEXT, device, 0, 0, "whose accesses, as pl031"),
    ROW("offset", NUMBER, offset, 0, 0, "of one register; default: any"),
    ROW("access", TEXT, access, 0, 0, "read, write or any (default)"),
    ROW("after", NUMBER, after, 0, 0, "how many are left alone first (0)"),
    ROW("every", NUMBER, every, 1, 0, "each how manieth then (1)"),
    ROW("count", NUMBER, count, 0, 0, "how many at most (0: no end)"),
    ROW("delay", TIME, delay_ns, 0, 60 * NS_PER_S, "how long it takes"),
    ROW("fail", FLAG, fail, 0, 0, "reads give value, writes are lost"),
    ROW("value", NUMBER, value, 0, 0, "what failed reads give (all ones)"),
    ROW("stop", FLAG, stop, 0, 0, "end the run, with status 5"),
    {0},
};

static bool matches(const struct faults *faults, const struct plugin_exit *exit)
{
    if (!exit->device || strcmp(exit->device->name, faults->device) != 0)
        return false;
    if (faults->offset != any_offset && faults->offset != exit->offset)
        return false;
    return strcmp(faults->access, "any") == 0 ||
           (exit->access == ACCESS_READ) == (strcmp(faults->access, "read") == 0);
}

/* Whether it is the turn of this one; each access is counted once whoever makes it. */
static bool is_due(struct faults *faults)
{
    uint64_t number = atomic_fetch_add(&faults->matched, 1);

    if (number < faults->after || (number - faults->after) % faults->every != 0)
        return false;
    uint64_t injected = atomic_fetch_add(&faults->injected, 1);
    if (faults->count == 0 || injected < faults->count)
        return true;
    atomic_fetch_sub(&faults->injected, 1);
    return false;
}

/* Interrupted, the vCPU is being stopped, and nobody waits for the rest. */
static void sleep_for(uint64_t delay_ns)
{
    const struct timespec delay = {
        .tv_sec = (time_t)(delay_ns / NS_PER_S),
        .tv_nsec = (long)(delay_ns % NS_PER_S),
    };

    (void)nanosleep(&delay, NULL);
}

static enum plugin_answer on_access(void *context, struct plugin_exit *exit, struct error *error)
{
    struct faults *faults = context;

    if (!matches(faults, exit) || !is_due(faults))
        return PLUGIN_CONTINUE;
    if (faults->delay_ns)
        sleep_for(faults->delay_ns);
    if (faults->stop) {
        (void)error_set(error, ERROR_GUEST, 0, "a %s of %s at offset 0x%" PRIx64,
                        exit->access == ACCESS_READ ? "read" : "write", faults->device,
                        exit->offset);
        return PLUGIN_ERROR;
    }
    exit->value = faults->value;
    return faults->fail ? PLUGIN_HANDLED : PLUGIN_CONTINUE;
}

static bool check_rule(const struct faults *faults, struct error *error)
{
    if (!faults->device)
        return error_set(error, ERROR_USAGE, 0, "device=NAME is missing: which one is to fail?");
    if (strcmp(faults->access, "any") != 0 && strcmp(faults->access, "read") != 0 &&
        strcmp(faults->access, "write") != 0)
        return error_set(error, ERROR_USAGE, 0, "access=%s: must be read, write or any",
                         faults->access);
    if (!faults->delay_ns && !faults->fail && !faults->stop)
        return error_set(error, ERROR_USAGE, 0,
                         "nothing is to happen: say delay=TIME, fail or stop");
    return true;
}

static bool initialise(struct plugin_host *host, const struct property_list *properties,
                       void **context, struct error *error)
{
    struct faults *faults = calloc(1, sizeof(*faults));

    if (!faults)
        return error_set(error, ERROR_HOST, errno, "no memory");
    faults->access = "any";
    faults->offset = any_offset;
    faults->every = 1;
    faults->value = UINT64_MAX;
    faults->log = plugin_log(host);
    *context = faults;
    if (property_list_read(properties, rows, faults, error) && check_rule(faults, error) &&
        plugin_watch_exits(host, EXIT_KIND_MASK(EXIT_KIND_MMIO), on_access, faults, error))
        return true;
    free(faults);
    return false;
}

static void finish(void *context)
{
    struct faults *faults = context;

    if (faults->matched == 0)
        log_line(faults->log, LOG_WARNING,
                 "faults: no access fitted device=%s: is there such a device, and was it used?",
                 faults->device);
    else
        log_line(faults->log, LOG_INFO,
                 "faults: %" PRIu64 " of %" PRIu64 " accesses to %s had the fault",
                 faults->injected, faults->matched, faults->device);
    free(faults);
}

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI,
    .size_bytes = sizeof(struct armlet_plugin),
    .name = "faults",
    .version = "1",
    .properties = rows,
    .initialise = initialise,
    .finish = finish,
};
