// SPDX-License-Identifier: Apache-2.0
/* Sockets between guest and host, with Linux's driver in the guest. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "guest_program.h"
#include "harness.h"
#include "stream_check.h"

#define SOCKET_PATH  "/tmp/vsock"
#define SERVICE_PATH SOCKET_PATH "_2000"
#define INITRD_PATH  "/tmp/vsock.cpio"
#define PROGRAM_NAME "bin/vsock_peer"

enum {
    GUEST_PORT = 1000,
    STREAMS = 32, /* as many as guest-init has the guest use */
    STREAM_BYTES = 1 << 18,
    STATUS_USAGE = 2,
    STATUS_FILE = 4,
    PATIENCE_S = 20,
};

static int listener = -1;

/* ---- the host's ends ---- */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static int prepare(void)
{
    const struct sockaddr_un address = address_of(SERVICE_PATH);

    (void)signal(SIGPIPE, SIG_IGN);
    (void)unlink(SERVICE_PATH);
    if (listener >= 0)
        (void)close(listener);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           listen(listener, STREAM_MOST) == 0 && guest_program_add(INITRD_PATH, PROGRAM_NAME);
}

/* A line, read byte by byte: what follows is not ours. */
static bool read_line(int fd, char *line, size_t room)
{
    for (size_t i = 0; i + 1 < room; i++) {
        if (read(fd, &line[i], 1) != 1)
            return false;
        if (line[i] == '\n') {
            line[i] = '\0';
            return true;
        }
    }
    return false;
}

/* Connects to a port of the guest's; -1: it was refused. */
static int reach(const char *greeting)
{
    const struct sockaddr_un address = address_of(SOCKET_PATH);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char line[64] = "";

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) == (ssize_t)strlen(greeting) &&
        read_line(fd, line, sizeof(line)) && strncmp(line, "OK ", 3) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int drive_guest(struct running *running)
{
    int sockets[STREAMS];
    char greeting[32];

    (void)running;
    (void)snprintf(greeting, sizeof(greeting), "CONNECT %d\n", GUEST_PORT);
    for (size_t i = 0; i < STREAMS; i++) {
        sockets[i] = reach(greeting);
        if (sockets[i] < 0)
            return 0;
    }
    return stream_drive(sockets, STREAMS, STREAM_BYTES) == STREAMS;
}

static int serve_guest(struct running *running)
{
    (void)running;
    return stream_echo(listener, STREAMS) == STREAMS;
}

static int clients_are_refused(struct running *running)
{
    (void)running;
    return reach("CONNECT 77\n") < 0 && reach("HELLO\n") < 0 && reach("CONNECT x\n") < 0;
}

static bool is_there(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

/* Soon: a guardian may do it. */
static int socket_is_gone(void)
{
    time_t deadline = time(NULL) + PATIENCE_S;

    while (is_there(SOCKET_PATH) && time(NULL) < deadline)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return !is_there(SOCKET_PATH);
}

static int kill_armlet(struct running *running)
{
    return is_there(SOCKET_PATH) && kill(running_pid(running), SIGKILL) == 0;
}

static int make_file_there(void)
{
    int fd = open(SOCKET_PATH, O_CREAT | O_WRONLY | O_CLOEXEC, S_IRUSR);

    return fd >= 0 && close(fd) == 0;
}

static int file_is_there(void)
{
    return is_there(SOCKET_PATH) && unlink(SOCKET_PATH) == 0;
}

#define LINUX(series, check)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", INITRD_PATH, "-m", "256M", "-a",                     \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check, "--vsock", "42,uds=" SOCKET_PATH

#define STREAM_STEPS                                                                               \
    {                                                                                              \
        EXPECT("CHECK cid 42"), EXPECT("CHECK call 2:77 Connection reset by peer"),                \
            EXPECT("CHECK call 9:77 Connection reset by peer"), EXPECT("CHECK listening"),         \
            CALL(drive_guest), EXPECT("CHECK echoed 32"), CALL(serve_guest),                       \
            EXPECT("CHECK driven 32"), EXPECT("CHECK idle"), CALL(clients_are_refused),            \
            SEND("\n"), EXPECT("connections_from_guest 32, connections_from_host 32"),             \
            EXPECT("bytes_to_host 16777216, bytes_to_guest 16777216")                              \
    }

const struct guest_case vsock_cases[] = {
    {.name = "virtio-vsock, linux 6.1, streams both ways",
     .arguments = {LINUX("6.1", "vsock"), "--stats"},
     .steps = STREAM_STEPS,
     .prepare = prepare,
     .after = socket_is_gone},
    {.name = "virtio-vsock, linux 6.12, 2 vCPUs, streams both ways",
     .arguments = {LINUX("6.12", "vsock"), "-c", "2", "--stats"},
     .steps = STREAM_STEPS,
     .prepare = prepare,
     .after = socket_is_gone},
    {.name = "virtio-vsock, armlet killed",
     .arguments = {LINUX("6.1", "sleep")},
     .steps = {EXPECT("CHECK ready"), CALL(kill_armlet)},
     .status = 1000 + SIGKILL,
     .prepare = prepare,
     .after = socket_is_gone},
    {.name = "virtio-vsock, SIGTERM",
     .arguments = {LINUX("6.1", "sleep")},
     .steps = {EXPECT("CHECK ready"), SIGNAL(SIGTERM), EXPECT("asking the guest to shut down"),
               SIGNAL(SIGTERM)},
     .status = 128 + SIGTERM,
     .prepare = prepare,
     .after = socket_is_gone},
    {.name = "virtio-vsock, a file where the socket goes",
     .arguments = {"run", "-q", "--vsock", "42,uds=" SOCKET_PATH},
     .steps = {EXPECT("it exists and is not a socket")},
     .prepare = make_file_there,
     .status = STATUS_FILE,
     .after = file_is_there},
    {.name = "virtio-vsock, a CID of the host's",
     .arguments = {"run", "--vsock", "2,uds=" SOCKET_PATH},
     .steps = {EXPECT("3")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
