// SPDX-License-Identifier: Apache-2.0
/*
 * What can be seen of a machine: its events and its counters. Part of machine.c's wiring and run;
 * the I/O thread.
 */
#ifndef ARMLET_SRC_MACHINE_WATCH_H
#define ARMLET_SRC_MACHINE_WATCH_H

#include "machine_internal.h"

/* All vCPUs' counters and the trace, once the bus is frozen and the vCPUs' slots are there. */
bool machine_watch_create(struct machine *machine, struct error *error) WARN_UNUSED;

/* machine_state_move(), and the event that tells of it. */
bool machine_enter_state(struct machine *machine, enum machine_state next,
                         struct error *error) WARN_UNUSED;
/* The run ends badly, for this reason. */
void machine_fail(struct machine *machine, const struct error *error);

/* --verbose: a line a vCPU. */
void machine_log_counters(const struct machine *machine);

#endif
