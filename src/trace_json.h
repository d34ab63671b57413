// SPDX-License-Identifier: Apache-2.0
/*
 * The records of a trace file: events of armlet as those of the Trace Event Format. One thread at a
 * time.
 */
#ifndef ARMLET_SRC_TRACE_JSON_H
#define ARMLET_SRC_TRACE_JSON_H

#include <stdint.h>
#include <stdio.h>

#include "armlet/events.h"
#include "trace.h"

/* How each of our files begins, by which it is known again. */
#define TRACE_JSON_START                                                                           \
    "[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"cat\":\"__metadata\",\"args\":{\"name\":\"vCPUs\"}}"

struct trace_json {
    FILE *file;
    const struct trace_config *config;
    uint64_t start; /* ticks that are time 0 */
    uint64_t ticks_per_second;
};

/* TRACE_JSON_START, and the names of all tracks. */
void trace_json_begin(const struct trace_json *json);
/*
 * One event. `access` is the access that an exit was for, or NULL; the event that tells of it has
 * been written before.
 */
void trace_json_put(const struct trace_json *json, const struct event *event,
                    const struct event *access);
/* `count` events of a vCPU are missing after `ticks`. */
void trace_json_put_gap(const struct trace_json *json, uint32_t vcpu, uint64_t ticks,
                        uint64_t count);
void trace_json_end(const struct trace_json *json);

#endif
