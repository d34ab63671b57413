// SPDX-License-Identifier: Apache-2.0
/*
 * The operator's terminal in raw mode, and back (termios(3)).
 *
 * All keys go to the guest then, Ctrl-C included, and its output reaches the terminal unchanged.
 * The settings found are restored at the end, whatever the end is: a guardian process does it
 * after SIGKILL or a crash, unless someone else has set the terminal meanwhile.
 *
 * I/O thread. A struct terminal outlives nothing but its descriptor, which the caller owns.
 */
#ifndef ARMLET_SRC_TERMINAL_H
#define ARMLET_SRC_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

#include "armlet/error.h"
#include "armlet/log.h"
#include "guardian.h"

struct terminal {
    int fd;
    struct log *log; /* if it goes to a terminal, lines end in CR LF meanwhile */
    bool raw;
    struct termios found; /* restored at the end */
    struct termios set;
    struct guardian guardian;
};

/* Whether fd is a terminal that this process may read now: it isn't in the background. */
bool terminal_is_foreground(int fd);

void terminal_init(struct terminal *terminal, int fd, struct log *log);

/*
 * Raw mode, also again after the process was stopped and continued. In the background nothing is
 * done, and that is a success: terminal->raw tells.
 */
bool terminal_make_raw(struct terminal *terminal, struct error *error) WARN_UNUSED;

/* As it was found. Allowed at any time. */
void terminal_restore(struct terminal *terminal);

#endif
