// SPDX-License-Identifier: Apache-2.0
#include "machine_watch.h"

#include <inttypes.h>

static bool create_trace(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;
    const struct trace_config config = {
        .path = options->trace_path,
        .kinds = options->trace_kinds,
        .vcpu_count = options->vcpu_count,
        .devices = machine->devices,
        .device_count = machine->device_count,
        .events = &machine->events,
        .loop = machine->loop,
        .log = machine->log,
    };

    if (!options->trace_path || options->dry_run)
        return true;
    machine->trace = trace_create(&config, error);
    return machine->trace || error_add_context(error, "--trace");
}

bool machine_watch_create(struct machine *machine, struct error *error)
{
    const size_t line = CACHE_LINE_BYTES / sizeof(struct access_counters);
    size_t stride = (machine->bus.count + line - 1) / line * line;
    uint32_t vcpu_count = machine->options->vcpu_count;
    struct access_counters *counters =
        arena_alloc(&machine->arena, vcpu_count, stride * sizeof(*counters), error);

    machine->coalesced.events = &machine->events;
    machine->coalesced.device_writes = arena_alloc(
        &machine->arena, machine->bus.count + 1, sizeof(*machine->coalesced.device_writes), error);
    if (!counters || !machine->coalesced.device_writes)
        return false;
    for (uint32_t i = 0; i < vcpu_count; i++)
        machine->vcpus[i].counters.devices = counters + i * stride;
    return create_trace(machine, error);
}

static void publish_state(const struct machine *machine, enum machine_state from)
{
    if (events_wanted(&machine->events, EVENT_MACHINE_STATE)) {
        struct event event = {
            .kind = EVENT_MACHINE_STATE,
            .machine_state = {.from = from, .to = machine->state},
        };
        events_publish(&machine->events, &event);
    }
}

bool machine_enter_state(struct machine *machine, enum machine_state next, struct error *error)
{
    enum machine_state from = machine->state;

    if (!machine_state_move(&machine->state, next, error))
        return false;
    publish_state(machine, from);
    return true;
}

void machine_fail(struct machine *machine, const struct error *error)
{
    enum machine_state from = machine->state;

    if (events_wanted(&machine->events, EVENT_ERROR)) {
        struct event event = {
            .kind = EVENT_ERROR,
            .error = {.code = error->code, .message = error->message},
        };
        events_publish(&machine->events, &event);
    }
    machine->state = MACHINE_FAILED;
    publish_state(machine, from);
}

void machine_log_counters(const struct machine *machine)
{
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++) {
        const struct vcpu_counters *counters = &machine->vcpus[i].counters;
        uint64_t exits = 0;
        uint64_t reads = 0;
        uint64_t writes = 0;

        for (size_t kind = 0; kind < EXIT_KIND_COUNT; kind++)
            exits += counter_read(&counters->exits[kind]);
        for (size_t j = 0; j < machine->bus.count; j++) {
            reads += counter_read(&counters->devices[j].reads);
            writes += counter_read(&counters->devices[j].writes);
        }
        log_line(machine->log, LOG_DEBUG,
                 "vCPU %u: %" PRIu64 " exits, %" PRIu64 " device reads, %" PRIu64
                 " device writes, %" PRIu64 " unassigned, %" PRIu64 " decoded, %" PRIu64 " kicks",
                 i, exits, reads, writes, counters->unassigned.reads + counters->unassigned.writes,
                 counters->exits[EXIT_KIND_NO_SYNDROME], counters->exits[EXIT_KIND_SIGNAL]);
    }
    machine_irqchip_log_counters(machine);
}
