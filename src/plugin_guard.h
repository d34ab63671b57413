// SPDX-License-Identifier: Apache-2.0
/*
 * Around code of a plugin that runs before there is a machine: a crash says whose it was.
 *
 * After a crash nothing in the process can be trusted, its heap least, and nothing needs tidying up
 * yet. So the handler writes one line and ends the process with EXIT_STATUS_FILE, the one exception
 * to "only main speaks and ends". Crashes on other threads are passed on. One thread at a time may
 * be inside, for signal handlers are the process's.
 */
#ifndef ARMLET_SRC_PLUGIN_GUARD_H
#define ARMLET_SRC_PLUGIN_GUARD_H

#include <signal.h>

enum { PLUGIN_GUARD_SIGNALS = 5 };

struct plugin_guard {
    const char *name; /* of the plugin, in the message */
    int fd;           /* where the message goes */
    stack_t old_stack;
    struct sigaction old_actions[PLUGIN_GUARD_SIGNALS];
    void *stack;
};

void plugin_guard_enter(struct plugin_guard *guard, const char *name, int fd);
void plugin_guard_leave(struct plugin_guard *guard);

#endif
