// SPDX-License-Identifier: Apache-2.0
/* The terminal, and consoles that are slow, gone or elsewhere. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"

#define CTRL_A  "\x01"
#define SPINNER "-k", "@bin/crash", "-a", "spin"
#define SOCKET  "/tmp/console.sock"
#define LOGFILE "/tmp/console.log"

enum { RESTORE_BOUND_MS = 5000, PROBE_MS = 20, CONNECT_TRIES = 500 };

static int is_cooked(struct running *running)
{
    struct termios settings;

    for (int waited = 0; waited < RESTORE_BOUND_MS; waited += PROBE_MS) {
        if (tcgetattr(running_terminal(running), &settings) == 0 &&
            (settings.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO))
            return 1;
        (void)poll(NULL, 0, PROBE_MS);
    }
    return 0;
}

static int is_raw(struct running *running)
{
    struct termios settings;

    return tcgetattr(running_terminal(running), &settings) == 0 &&
           (settings.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

static int talk_through_socket(struct running *running)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char seen[4096] = "";
    size_t used = 0;

    (void)running;
    for (int i = 0; connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0; i++) {
        if (i == CONNECT_TRIES)
            return 0;
        (void)poll(NULL, 0, PROBE_MS);
    }
    while (!strstr(seen, "READY") && used < sizeof(seen) - 1) {
        ssize_t got = read(fd, seen + used, sizeof(seen) - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    int good = write(fd, "hello\n", 6) == 6;
    while (!strstr(seen, "GOT hello") && used < sizeof(seen) - 1) {
        ssize_t got = read(fd, seen + used, sizeof(seen) - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    (void)close(fd);
    return good && strstr(seen, "GOT hello");
}

static int socket_is_gone(void)
{
    struct stat status;

    return stat(SOCKET, &status) != 0;
}

static int start_log(void)
{
    int fd = open(LOGFILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return 0;
    int good = write(fd, "kept\n", 5) == 5;
    (void)close(fd);
    return good;
}

static int log_is_kept_and_added_to(void)
{
    char text[4096];
    int fd = open(LOGFILE, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof(text) - 1);

    (void)close(fd);
    if (got < 0)
        return 0;
    text[got] = '\0';
    return strncmp(text, "kept\n", 5) == 0 && strstr(text, "PASS timer");
}

const struct guest_case terminal_cases[] = {
    {.name = "Ctrl-A x leaves and the terminal is as it was",
     .arguments = {SPINNER},
     .input = INPUT_PTY,
     .steps = {CALL(is_cooked), EXPECT("SPIN"), CALL(is_raw), SEND(CTRL_A "x"), CALL(is_cooked)},
     .status = 8},
    {.name = "Ctrl-A h helps",
     .arguments = {SPINNER},
     .input = INPUT_PTY,
     .steps = {EXPECT("SPIN"), SEND(CTRL_A "h"), EXPECT("Ctrl-A"), SEND(CTRL_A "x")},
     .status = 8},
    {.name = "Ctrl-A s presses the power key",
     .arguments = {"-k", "@bin/pl061", "-a", "powerkey"},
     .input = INPUT_PTY,
     .steps = {EXPECT("READY"), SEND(CTRL_A "s"), EXPECT("POWERKEY")},
     .status = 0},
    {.name = "Ctrl-C goes to the guest",
     .arguments = {"-k", "@bin/pl011", "-a", "input"},
     .input = INPUT_PTY,
     .steps = {EXPECT("READY"), SEND("\x03\n"), EXPECT("GOT"), EXPECT("PASS pl011")},
     .status = 0},
    {.name = "SIGTERM restores the terminal",
     .arguments = {SPINNER, "--shutdown-timeout", "0.2s"},
     .input = INPUT_PTY,
     .steps = {EXPECT("SPIN"), CALL(is_raw), SIGNAL(SIGTERM), CALL(is_cooked)},
     .status = 128 + SIGTERM},
    {.name = "SIGKILL restores the terminal",
     .arguments = {SPINNER},
     .input = INPUT_PTY,
     .steps = {EXPECT("SPIN"), CALL(is_raw), SIGNAL(SIGKILL), CALL(is_cooked)},
     .status = 1000 + SIGKILL},
    {.name = "a crash restores the terminal",
     .arguments = {SPINNER},
     .input = INPUT_PTY,
     .steps = {EXPECT("SPIN"), CALL(is_raw), SIGNAL(SIGSEGV), CALL(is_cooked)},
     .status = 1000 + SIGSEGV},
    {.name = "standard input from /dev/null",
     .arguments = {"-k", "@bin/timer"},
     .input = INPUT_NULL,
     .steps = {EXPECT("PASS timer")}},
    {.name = "standard input closed",
     .arguments = {"-k", "@bin/timer"},
     .input = INPUT_NONE,
     .steps = {EXPECT("PASS timer")}},
    {.name = "standard input ends",
     .arguments = {"-k", "@bin/timer"},
     .steps = {CLOSE_INPUT, EXPECT("PASS timer")}},
    {.name = "the reader of the output goes away",
     .arguments = {"-k", "@bin/timer"},
     .steps = {HANGUP},
     .status = 0},
    {.name = "output to a full disk is no success",
     .arguments = {"-k", "@bin/timer", "--console", "file:/dev/full"},
     .steps = {EXPECT("No space left")},
     .status = 3},
    {.name = "console on a Unix socket",
     .arguments = {"-k", "@bin/pl011", "-a", "input", "--console", "unix:" SOCKET},
     .steps = {CALL(talk_through_socket)},
     .after = socket_is_gone},
    {.name = "console to a file is added to",
     .arguments = {"-k", "@bin/timer", "--console", "file:" LOGFILE},
     .prepare = start_log,
     .after = log_is_kept_and_added_to},
    {.name = "no console",
     .arguments = {"-k", "@bin/timer", "--console", "none"},
     .forbidden = "PASS"},
    {.name = "console on a pty",
     .arguments = {"-k", "@bin/timer", "--console=pty"},
     .steps = {EXPECT("/dev/pts/")}},
    {.name = 0},
};
