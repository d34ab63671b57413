// SPDX-License-Identifier: Apache-2.0
/*
 * One virtual machine from options to outcome: the only place that knows everything.
 *
 * machine_create() wires memory, devices and console; machine_run() powers the machine on, runs it
 * through as many resets as the guest asks for, and says how it ended; machine_destroy() takes
 * everything down in reverse. All on the calling thread, which becomes the I/O thread. Once guest
 * memory is there, that thread and those it makes have the signals blocked that the machine takes
 * by signalfd(2). Nothing is global: several machines may live in one process, on a thread each.
 */
#ifndef ARMLET_SRC_MACHINE_H
#define ARMLET_SRC_MACHINE_H

#include "armlet/error.h"
#include "armlet/log.h"
#include "options.h"

struct machine;

enum machine_outcome {
    MACHINE_POWERED_OFF, /* PSCI SYSTEM_OFF */
    MACHINE_EXITED,      /* the guest ended it with a status of its own, see `guest_status` */
    MACHINE_RESET,       /* the guest asked for a reset and --no-reboot is given */
    MACHINE_TIMED_OUT,   /* --timeout */
    MACHINE_QUIT,        /* the operator left, or the guest didn't power off when asked to */
    MACHINE_WATCHDOG,    /* the guest's watchdog bit and --watchdog exit is given */
    MACHINE_SIGNALLED,   /* a signal ended it, see `signal` */
};

struct machine_result {
    enum machine_outcome outcome;
    int signal;            /* of MACHINE_SIGNALLED */
    uint64_t guest_status; /* of MACHINE_EXITED */
};

/* The options and the log outlive the machine. */
struct machine *machine_create(const struct options *options, struct log *log,
                               struct error *error) WARN_UNUSED;
bool machine_run(struct machine *machine, struct machine_result *result,
                 struct error *error) WARN_UNUSED;
/* --dry-run: everything up to the first instruction, and a description on standard output. */
bool machine_print_plan(struct machine *machine, struct error *error) WARN_UNUSED;
/* --device help: the classes that there are, plugins' too, on standard output. */
bool machine_print_devices(const struct options *options, struct log *log,
                           struct error *error) WARN_UNUSED;
void machine_destroy(struct machine *machine); /* NULL is allowed */

#endif
