// SPDX-License-Identifier: Apache-2.0
/*
 * Cleaning up after a process that can't do it itself any more: killed by SIGKILL, or crashed.
 *
 * A guardian is a small child process that sleeps until its parent is gone. Dismissed, it ends
 * without doing anything; otherwise it cleans up what the parent left behind. It holds no file of
 * the parent's but the one that it is given, and none of the memory marked MADV_DONTFORK.
 *
 * I/O thread. A guardian's child runs in a copy of the parent: clean_up() makes system calls only.
 */
#ifndef ARMLET_SRC_GUARDIAN_H
#define ARMLET_SRC_GUARDIAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "armlet/error.h"

enum { GUARDIAN_NO_FILE = -1 };

struct guardian {
    pid_t pid; /* 0 when there is none */
    int fd;    /* the parent's end of the pipe between them */
};

/*
 * Starts a guardian that will call clean_up(context, file): `file` is its own descriptor of
 * kept_fd, or GUARDIAN_NO_FILE if that is what kept_fd is.
 */
bool guardian_create(struct guardian *guardian, void (*clean_up)(void *context, int file),
                     void *context, int kept_fd, struct error *error) WARN_UNUSED;
/* Sends it away and waits until it is gone; allowed on a zeroed guardian, and twice. */
void guardian_dismiss(struct guardian *guardian);

#endif
