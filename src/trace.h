// SPDX-License-Identifier: Apache-2.0
/*
 * A trace: what a machine did and when, as a file that Perfetto and chrome://tracing open.
 *
 * It is the Trace Event Format, as an array: valid JSON once it is finished, and readable without
 * its end if the process was killed. Each vCPU has a track with a slice for each exit, from
 * KVM_RUN's return until all was done; each device has one with its accesses and interrupts; state
 * changes, calls to the firmware, timers, the console and errors have one each. Times are
 * microseconds, with three digits after the point, since the trace was created. The records of a
 * vCPU's track are in order; others may come a little late, and importers sort.
 *
 * A trace is a subscriber to events. A vCPU's thread puts them into a ring of its own, without a
 * lock; the I/O thread drains it. trace_create() and trace_finish(): the I/O thread.
 */
#ifndef ARMLET_SRC_TRACE_H
#define ARMLET_SRC_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/event_loop.h"
#include "armlet/events.h"
#include "armlet/log.h"
#include "machine_fdt.h"

struct trace;

/* All of it outlives the trace. */
struct trace_config {
    const char *path;
    uint32_t kinds; /* EVENT_MASK() of what is written; 0: everything */
    uint32_t vcpu_count;
    const struct machine_device *devices;
    size_t device_count;
    struct event_hub *events; /* not frozen yet */
    struct event_loop *loop;
    struct log *log;
};

/*
 * Begins the file. What is there already is replaced if it is a trace, and refused if it is
 * anything else: ERROR_FILE.
 */
struct trace *trace_create(const struct trace_config *config, struct error *error) WARN_UNUSED;

/*
 * Writes what is left and the end of the file; says in the log what was dropped, or couldn't be
 * written. No vCPU runs any more; events that come later are ignored. NULL is allowed, and twice.
 */
void trace_finish(struct trace *trace);
void trace_destroy(struct trace *trace); /* finishes it, too */

#endif
