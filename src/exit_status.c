// SPDX-License-Identifier: Apache-2.0
#include "exit_status.h"

int exit_status_of_error(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return EXIT_STATUS_OK;
    case ERROR_USAGE:
        return EXIT_STATUS_USAGE;
    case ERROR_HOST:
        return EXIT_STATUS_HOST;
    case ERROR_FILE:
        return EXIT_STATUS_FILE;
    case ERROR_GUEST:
        return EXIT_STATUS_GUEST;
    case ERROR_INTERNAL:
        break;
    }
    return EXIT_STATUS_INTERNAL;
}

static int status_of_guest(uint64_t status)
{
    if (status == 0)
        return EXIT_STATUS_OK;
    return status < EXIT_STATUS_GUEST_LAST - EXIT_STATUS_GUEST_BASE
               ? EXIT_STATUS_GUEST_BASE + (int)status
               : EXIT_STATUS_GUEST_LAST;
}

int exit_status_of_result(const struct machine_result *result)
{
    switch (result->outcome) {
    case MACHINE_POWERED_OFF:
        return EXIT_STATUS_OK;
    case MACHINE_EXITED:
        return status_of_guest(result->guest_status);
    case MACHINE_RESET:
        return EXIT_STATUS_RESET;
    case MACHINE_TIMED_OUT:
        return EXIT_STATUS_TIMEOUT;
    case MACHINE_QUIT:
        return EXIT_STATUS_QUIT;
    case MACHINE_WATCHDOG:
        return EXIT_STATUS_WATCHDOG;
    case MACHINE_SIGNALLED:
        return EXIT_STATUS_SIGNAL_BASE + result->signal;
    }
    return EXIT_STATUS_INTERNAL;
}
