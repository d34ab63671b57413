// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel accounts to a thread: see struct thread_usage in armlet/counters.h.
 */
#ifndef ARMLET_SRC_THREAD_USAGE_H
#define ARMLET_SRC_THREAD_USAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "armlet/counters.h"

/* Adds what the calling thread has used so far (getrusage(2)): as it ends. */
void thread_usage_add_own(struct thread_usage *usage);

/*
 * What a thread of this process has used so far, of /proc/self/task; times by the kernel's tick.
 * False if there is no such thread any more. Any thread.
 */
bool thread_usage_read(pid_t thread, struct thread_usage *usage);

void thread_usage_add(struct thread_usage *sum, const struct thread_usage *usage);

#endif
