// SPDX-License-Identifier: Apache-2.0
/* Programs of the host's that do a device's work: passt(1), virtiofsd(1). */
#ifndef DEVICES_HOST_PROCESS_H
#define DEVICES_HOST_PROCESS_H

#include <sys/types.h>

enum { HOST_PROCESS_FD = 3 };

/*
 * Starts `file`, which is looked for in PATH unless it has a slash, with the words of its command
 * line, ended by NULL. It has signals as a new process has them, a process group of its own, `fd`
 * as its file HOST_PROCESS_FD, what it prints goes to `messages`, and no other file of ours.
 * Returns 0, or an errno: ENOENT if there is no such program.
 */
int host_process_start(const char *file, const char *const words[], int fd, int messages,
                       pid_t *pid);

#endif
