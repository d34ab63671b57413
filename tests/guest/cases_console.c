// SPDX-License-Identifier: Apache-2.0
/* The console by virtio, and ports, with Linux's driver in the guest. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "harness.h"

#define ONE_PATH  "/tmp/port-one.sock"
#define LATE_PATH "/tmp/port-late.sock"
#define LOG_PATH  "/tmp/port.log"

enum {
    ECHO_BYTES = 2000000,
    LATE_BYTES = 3000000, /* as guest-init has it */
    LOG_NUMBERS = 400000,
    CHUNK_BYTES = 16384,
    PATIENCE_MS = 20000,
    STALLED_MS = 2000,
    STATUS_USAGE = 2,
    STATUS_QUIT = 8,
    COLUMNS = 101,
    ROWS = 37,
};

static int late = -1; /* a client that waits for the guest */

static uint8_t byte_at(size_t position)
{
    return (uint8_t)((position * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        return fd;
    }
    (void)close(fd);
    return -1;
}

/* Writes so many bytes while it reads as many, which have to be the same. */
static bool is_echoed(int fd, size_t size_bytes)
{
    uint8_t bytes[CHUNK_BYTES];
    size_t sent = 0, received = 0;

    while (received < size_bytes) {
        struct pollfd file = {fd, (short)(sent < size_bytes ? POLLIN | POLLOUT : POLLIN), 0};

        if (poll(&file, 1, PATIENCE_MS) <= 0)
            return false;
        if (file.revents & POLLOUT) {
            size_t part = size_bytes - sent < CHUNK_BYTES ? size_bytes - sent : CHUNK_BYTES;

            for (size_t i = 0; i < part; i++)
                bytes[i] = byte_at(sent + i);
            ssize_t count = write(fd, bytes, part);
            if (count < 0 && errno != EAGAIN)
                return false;
            sent += count > 0 ? (size_t)count : 0;
        }
        ssize_t count = read(fd, bytes, CHUNK_BYTES);
        if (count == 0 || (count < 0 && errno != EAGAIN))
            return false;
        for (ssize_t i = 0; i < count; i++)
            if (bytes[i] != byte_at(received++))
                return false;
    }
    return true;
}

/* The name of the pseudo-terminal is in what armlet says. */
static int open_pty(struct running *running)
{
    static const char before[] = "port 'two' is on ";
    const char *at = strstr(running_output(running), before);
    struct termios settings;
    char path[64] = "";

    if (!at || sscanf(at + strlen(before), "%63s", path) != 1)
        return -1;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && tcgetattr(fd, &settings) == 0) {
        cfmakeraw(&settings);
        (void)tcsetattr(fd, TCSANOW, &settings);
    }
    return fd;
}

static int socket_echoes(struct running *running)
{
    int fd = connect_to(ONE_PATH);
    bool good = fd >= 0 && is_echoed(fd, ECHO_BYTES);

    (void)running;
    (void)close(fd);
    return good;
}

/* A second client, while there is one, is turned away without a byte. */
static int one_at_a_time(struct running *running)
{
    int fd = connect_to(ONE_PATH);
    bool good = fd >= 0 && is_echoed(fd, 1);
    int second = connect_to(ONE_PATH);
    struct pollfd file = {second, POLLIN, 0};
    uint8_t byte;

    (void)running;
    good = good && poll(&file, 1, PATIENCE_MS) == 1 && read(second, &byte, 1) == 0;
    (void)close(second);
    good = good && is_echoed(fd, CHUNK_BYTES);
    (void)close(fd);
    return good;
}

static int pty_echoes(struct running *running)
{
    int fd = open_pty(running);
    bool good = fd >= 0 && is_echoed(fd, ECHO_BYTES / 8);

    (void)close(fd);
    return good;
}

/*
 * A client that sends and doesn't read, until nothing more goes: others aren't held up, and when it
 * reads nothing is lost.
 */
static int slow_reader_loses_nothing(struct running *running)
{
    uint8_t bytes[CHUNK_BYTES];
    int fd = connect_to(ONE_PATH);
    struct pollfd file = {fd, POLLOUT, 0};
    size_t sent = 0, received = 0;
    ssize_t count;

    while (fd >= 0 && poll(&file, 1, STALLED_MS) == 1) {
        for (size_t i = 0; i < CHUNK_BYTES; i++)
            bytes[i] = byte_at(sent + i);
        count = write(fd, bytes, CHUNK_BYTES);
        if (count < 0)
            return 0;
        sent += (size_t)count;
    }
    bool good = sent > 0 && pty_echoes(running);
    file.events = POLLIN;
    while (good && received < sent && poll(&file, 1, PATIENCE_MS) == 1) {
        count = read(fd, bytes, CHUNK_BYTES);
        for (ssize_t i = 0; i < count; i++)
            good = good && bytes[i] == byte_at(received++);
    }
    printf("# a reader that waits: %zu bytes on the way\n", sent);
    (void)close(fd);
    return good && received == sent;
}

static int start_log(void)
{
    int fd = open(LOG_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void)signal(SIGPIPE, SIG_IGN);
    return fd >= 0 && close(fd) == 0;
}

static int log_has_all(void)
{
    FILE *file = fopen(LOG_PATH, "r");
    long number = 0, expected = 1;

    while (file && fscanf(file, "%ld", &number) == 1 && number == expected)
        expected++;
    if (file)
        (void)fclose(file);
    return expected == LOG_NUMBERS + 1;
}

/* A client sends what it can to a port that nobody has open in the guest: not all of it. */
static int fill_late(struct running *running)
{
    uint8_t bytes[CHUNK_BYTES] = {0};
    size_t sent = 0;
    struct pollfd file;

    (void)running;
    late = connect_to(LATE_PATH);
    if (late < 0)
        return 0;
    do {
        ssize_t count = write(late, bytes, sizeof(bytes));

        if (count < 0)
            return 0;
        sent += (size_t)count;
        file = (struct pollfd){late, POLLOUT, 0};
    } while (sent < LATE_BYTES && poll(&file, 1, PATIENCE_MS / 20) == 1);
    (void)shutdown(late, SHUT_RD);
    return sent < LATE_BYTES;
}

/* ... and the rest when the guest has. */
static int finish_late(struct running *running)
{
    uint8_t bytes[CHUNK_BYTES] = {0};
    struct pollfd file = {late, POLLOUT, 0};
    size_t sent = 0;

    (void)running;
    while (sent < LATE_BYTES && poll(&file, 1, PATIENCE_MS) == 1) {
        ssize_t count = write(late, bytes, sizeof(bytes));

        if (count < 0)
            break;
        sent += (size_t)count;
    }
    (void)close(late);
    return 1;
}

/* The harness's terminal has no job control, so nobody else sends the signal. */
static int set_size(struct running *running)
{
    const struct winsize size = {.ws_col = COLUMNS, .ws_row = ROWS};

    return ioctl(running_terminal(running), TIOCSWINSZ, &size) == 0 &&
           kill(running_pid(running), SIGWINCH) == 0;
}

#define LINUX(series, parameters)                                                                  \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "quiet panic=-1 " parameters

#define CONSOLE_STEPS                                                                              \
    {                                                                                              \
        EXPECT("CHECK console hvc0"), EXPECT("CHECK size"), CALL(set_size), SEND("typed\r"),       \
            EXPECT("CHECK input typed"), EXPECT("CHECK size 37 101")                               \
    }

#define PORTS                                                                                      \
    "--port", "one=unix:" ONE_PATH, "--port", "two=pty", "--port", "log=file:" LOG_PATH, "--port", \
        "late=unix:" LATE_PATH, "--stats"

#define PORT_STEPS                                                                                 \
    {                                                                                              \
        EXPECT("CHECK port one /dev/vport0p1"), EXPECT("CHECK port late /dev/vport0p4"),           \
            EXPECT("CHECK written"), CALL(socket_echoes), EXPECT("CHECK left one"),                \
            CALL(one_at_a_time), EXPECT("CHECK left one"), CALL(slow_reader_loses_nothing),        \
            EXPECT("CHECK left two"), CALL(fill_late), SEND("\n"), CALL(finish_late),              \
            EXPECT("CHECK late"), SEND("\n"), EXPECT("bytes_from_guest")                           \
    }

const struct guest_case console_cases[] = {
    {.name = "virtio-console, linux 6.1, its size",
     .arguments = {LINUX("6.1", "armlet.test=vconsole"), "--console", "virtio"},
     .input = INPUT_PTY,
     .steps = CONSOLE_STEPS},
    {.name = "virtio-console, linux 6.12, beside the UART",
     .arguments = {LINUX("6.12", "earlycon armlet.test=vconsole"), "--console", "virtio,stdio"},
     .input = INPUT_PTY,
     .steps = CONSOLE_STEPS},
    {.name = "virtio-ports, linux 6.1, megabytes both ways",
     .arguments = {LINUX("6.1", "console=ttyAMA0 armlet.test=ports"), PORTS},
     .steps = PORT_STEPS,
     .forbidden = "bad_messages",
     .prepare = start_log,
     .after = log_has_all},
    {.name = "virtio-ports, linux 6.12, 2 vCPUs, megabytes both ways",
     .arguments = {LINUX("6.12", "console=ttyAMA0 armlet.test=ports"), "-c", "2", PORTS},
     .steps = PORT_STEPS,
     .forbidden = "bad_messages",
     .prepare = start_log,
     .after = log_has_all},
    {.name = "virtio-console, a guest that reboots, and Ctrl-A x",
     .arguments = {LINUX("6.1", "armlet.test=reboot"), "--console", "virtio"},
     .input = INPUT_PTY,
     .steps = {EXPECT("CHECK boot"), EXPECT("CHECK boot"), SEND("\x01x")},
     .status = STATUS_QUIT},
    {.name = "virtio-console, by its class",
     .arguments = {"run", "--device", "virtio-console"},
     .steps = {EXPECT("'--console virtio' makes one")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
