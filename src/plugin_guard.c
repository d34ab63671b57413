// SPDX-License-Identifier: Apache-2.0
#include "plugin_guard.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_status.h"

/* Room for the handler under a frame with the widest SVE registers. */
enum { STACK_BYTES = 64 * 1024, LINE_BYTES = 512 };

static const int crash_signals[PLUGIN_GUARD_SIGNALS] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/* A signal handler is told nothing else of who is inside. */
static _Thread_local struct plugin_guard *inside;

/* Copies what fits into the rest of a line, and returns where it ended. */
static char *append(char *to, const char *limit, const char *text)
{
    while (*text && to < limit)
        *to++ = *text++;
    return to;
}

/* Async-signal-safe: sigdescr_np() returns constant strings. */
static void on_crash(int signal_number)
{
    const char *what = sigdescr_np(signal_number);

    if (!inside) {
        /* Another thread's: it comes again when this returns, and does what it would have done. */
        (void)signal(signal_number, SIG_DFL);
        (void)raise(signal_number);
        return;
    }
    char line[LINE_BYTES];
    const char *limit = line + sizeof(line) - 1;
    char *end = append(line, limit, "armlet: --plugin ");
    end = append(end, limit, inside->name);
    end = append(end, limit, ": it crashed while it was loaded: ");
    end = append(end, limit, what ? what : "unknown signal");
    *end++ = '\n';
    (void)!write(inside->fd, line, (size_t)(end - line));
    _exit(EXIT_STATUS_FILE);
}

void plugin_guard_enter(struct plugin_guard *guard, const char *name, int fd)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};

    *guard = (struct plugin_guard){.name = name, .fd = fd};
    /* Without a stack of its own an endless recursion goes unnamed, nothing else. */
    guard->stack = malloc(STACK_BYTES);
    const stack_t stack = {.ss_sp = guard->stack, .ss_size = STACK_BYTES};
    if (guard->stack)
        (void)sigaltstack(&stack, &guard->old_stack);
    (void)sigemptyset(&action.sa_mask);
    inside = guard;
    for (size_t i = 0; i < PLUGIN_GUARD_SIGNALS; i++)
        (void)sigaction(crash_signals[i], &action, &guard->old_actions[i]);
}

void plugin_guard_leave(struct plugin_guard *guard)
{
    for (size_t i = 0; i < PLUGIN_GUARD_SIGNALS; i++)
        (void)sigaction(crash_signals[i], &guard->old_actions[i], NULL);
    inside = NULL;
    if (guard->stack)
        (void)sigaltstack(&guard->old_stack, NULL);
    free(guard->stack);
    guard->stack = NULL;
}
