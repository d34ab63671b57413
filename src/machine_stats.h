// SPDX-License-Identifier: Apache-2.0
/*
 * A machine's statistics: taken, and shown where the options want them (--stats, --stats-file,
 * --latency, --explain, SIGUSR1). The I/O thread.
 */
#ifndef ARMLET_SRC_MACHINE_STATS_H
#define ARMLET_SRC_MACHINE_STATS_H

#include "machine_internal.h"

/*
 * Opens the files and allocates what a snapshot needs, once the device table is frozen and the
 * vCPUs' slots are there. ERROR_FILE names a file that can't be written.
 */
bool machine_stats_create(struct machine *machine, struct error *error) WARN_UNUSED;
void machine_stats_destroy(struct machine *machine);

/* The machine was powered on: time runs from the first on. */
void machine_stats_power_on(struct machine *machine);

/* SIGUSR1: as --stats, now, while vCPUs run. */
void machine_stats_report_now(struct machine *machine);
/* At the end, what the options ask for. False if it could not be written. */
bool machine_stats_report(struct machine *machine, struct error *error) WARN_UNUSED;

#endif
