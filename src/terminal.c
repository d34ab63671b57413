// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool terminal_is_foreground(int fd)
{
    pid_t group = tcgetpgrp(fd);

    /* A terminal of another session has no foreground that could shut us out. */
    return group == getpgrp() || (group < 0 && isatty(fd));
}

void terminal_init(struct terminal *terminal, int fd, struct log *log)
{
    *terminal = (struct terminal){.fd = fd, .log = log};
}

static bool is_same(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
           a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

/* In the guardian: only what we set is undone, not what a shell may have set since. */
static void restore_after_death(void *context, int file)
{
    const struct terminal *terminal = context;
    struct termios now;

    if (tcgetattr(file, &now) == 0 && is_same(&now, &terminal->set))
        (void)tcsetattr(file, TCSADRAIN, &terminal->found);
}

/* The terminal is found as it is only the first time; what it accepts of raw mode is what counts.
 */
static bool find_settings(struct terminal *terminal, struct error *error)
{
    if (tcgetattr(terminal->fd, &terminal->found) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot read the terminal's settings");
    terminal->set = terminal->found;
    cfmakeraw(&terminal->set);
    return true;
}

bool terminal_make_raw(struct terminal *terminal, struct error *error)
{
    if (!terminal_is_foreground(terminal->fd))
        return true;
    if (!terminal->raw && !find_settings(terminal, error))
        return false;
    if (terminal->guardian.pid == 0 &&
        !guardian_create(&terminal->guardian, restore_after_death, terminal, terminal->fd, error))
        return error_add_context(error, "cannot guard the terminal");
    if (tcsetattr(terminal->fd, TCSADRAIN, &terminal->set) != 0) {
        (void)error_set(error, ERROR_HOST, errno, "cannot put the terminal into raw mode");
        guardian_dismiss(&terminal->guardian);
        return false;
    }
    terminal->raw = true;
    atomic_store(&terminal->log->raw_terminal, isatty(terminal->log->fd));
    return true;
}

void terminal_restore(struct terminal *terminal)
{
    if (terminal->raw) {
        if (terminal_is_foreground(terminal->fd))
            (void)tcsetattr(terminal->fd, TCSADRAIN, &terminal->found);
        terminal->raw = false;
        atomic_store(&terminal->log->raw_terminal, false);
    }
    guardian_dismiss(&terminal->guardian);
}
