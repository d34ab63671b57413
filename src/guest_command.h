// SPDX-License-Identifier: Apache-2.0
/*
 * `--run -- COMMAND`: a guest that runs one command, on files of the host's, and tells its status.
 *
 * guest_command_prepare() turns the options into a launch: an initramfs with armlet's own init and
 * the modules that the kernel needs to reach its files, the shares with them, and a share that the
 * init writes the status to, a new directory that guest_command_finish() removes. One thread.
 */
#ifndef ARMLET_SRC_GUEST_COMMAND_H
#define ARMLET_SRC_GUEST_COMMAND_H

#include "armlet/error.h"
#include "machine.h"
#include "options.h"

enum { GUEST_COMMAND_PATH_BYTES = 4096 };

struct guest_command {
    char directory[GUEST_COMMAND_PATH_BYTES]; /* for the status; "" if there is none */
    int initrd_fd;                            /* -1: none */
};

/* After it failed, too, guest_command_finish() has to be called. */
bool guest_command_prepare(struct guest_command *command, struct options *options,
                           struct error *error) WARN_UNUSED;

/*
 * What the command ended with, as exit_status.h has it, once the machine is gone. Fails with
 * ERROR_GUEST if the guest ended and told nothing, or told why it could not run the command.
 */
bool guest_command_status(const struct guest_command *command, int *status,
                          struct error *error) WARN_UNUSED;

void guest_command_finish(struct guest_command *command);

#endif
