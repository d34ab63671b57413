// SPDX-License-Identifier: Apache-2.0
/*
 * The exit statuses that armlet(1) promises, one a cause. Pure functions: any thread.
 */
#ifndef ARMLET_SRC_EXIT_STATUS_H
#define ARMLET_SRC_EXIT_STATUS_H

#include "armlet/error.h"
#include "machine.h"

enum exit_status {
    EXIT_STATUS_OK = 0,       /* the guest powered off; the command did what was asked */
    EXIT_STATUS_INTERNAL = 1, /* armlet contradicts itself */
    EXIT_STATUS_USAGE = 2,
    EXIT_STATUS_HOST = 3,
    EXIT_STATUS_FILE = 4,
    EXIT_STATUS_GUEST = 5,
    EXIT_STATUS_RESET = 6,
    EXIT_STATUS_TIMEOUT = 7,
    EXIT_STATUS_QUIT = 8,
    EXIT_STATUS_WATCHDOG = 9,
    EXIT_STATUS_WORSE = 10, /* `armlet bench --compare` found a figure worse */
    /* With --run: any other is the command's, or 128 and the signal that ended it. */
    EXIT_STATUS_RUN_TIMEOUT = 124,
    EXIT_STATUS_RUN_FAILED = 125,
    EXIT_STATUS_GUEST_BASE = 64,   /* + the status the guest chose, 1 to 62 */
    EXIT_STATUS_GUEST_LAST = 127,  /* the guest chose 63 or more */
    EXIT_STATUS_SIGNAL_BASE = 128, /* + the signal's number */
};

int exit_status_of_error(enum error_code code);
int exit_status_of_result(const struct machine_result *result);

#endif
