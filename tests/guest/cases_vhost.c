// SPDX-License-Identifier: Apache-2.0
/*
 * Devices whose queues the host's kernel serves: vhost-vsock and vhost-net. Their modules are
 * loaded for that, so these run in an emulated host only.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "guest_program.h"
#include "harness.h"
#include "net_host.h"
#include "stream_check.h"

#define INITRD_PATH  "/tmp/vhost.cpio"
#define PROGRAM_NAME "bin/vsock_peer"

enum {
    CID = 42,
    GUEST_PORT = 1000, /* as guest-init has it, with so many streams */
    HOST_PORT = 2000,
    STREAMS = 32,
    STREAM_BYTES = 1 << 18,
    STATUS_USAGE = 2,
    STATUS_HOST = 3,
    PATIENCE_S = 60,
};

static int listener = -1;

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

static int is_emulated_host(void)
{
    return access("/modules", R_OK) == 0;
}

/* ---- vhost-vsock ---- */

static int load_vsock(void)
{
    return shell("cd /modules/$(uname -r) && for m in vsock vmw_vsock_virtio_transport_common "
                 "vhost_iotlb vhost vhost_vsock; do insmod $m.ko 2>/dev/null; done;"
                 "[ -c /dev/vhost-vsock ]");
}

/* The device isn't there: the module is loaded by a later case. */
static int unload_vsock(void)
{
    return shell("rmmod vhost_vsock 2>/dev/null; [ ! -e /dev/vhost-vsock ]");
}

static int prepare_vsock(void)
{
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = HOST_PORT};

    (void)signal(SIGPIPE, SIG_IGN);
    if (listener >= 0)
        (void)close(listener);
    if (!load_vsock())
        return 0;
    listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           listen(listener, STREAM_MOST) == 0 && guest_program_add(INITRD_PATH, PROGRAM_NAME);
}

/* Connects to a port of the guest's; -1: it was refused. */
static int reach(unsigned port)
{
    const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = CID, .svm_port = port};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int drive_guest(struct running *running)
{
    int sockets[STREAMS];

    (void)running;
    for (size_t i = 0; i < STREAMS; i++) {
        sockets[i] = reach(GUEST_PORT);
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

static int port_is_refused(struct running *running)
{
    (void)running;
    return reach(HOST_PORT + 1) < 0;
}

/* ---- vhost-net ---- */

/* A file of 64 MiB; cases without vhost have a shorter one. */
static int make_tap(void)
{
    return shell("mkdir -p /tmp/www && dd if=/dev/urandom of=/tmp/www/data bs=64k count=1024 "
                 "2>/dev/null") &&
           net_make_tap() && shell("[ -c /dev/vhost-net ]");
}

static int forget_file(void)
{
    return shell("rm /tmp/www/data");
}

/* Its threads have the name of whom they are for. */
static int kernel_serves(struct running *running)
{
    char command[128];

    (void)snprintf(command, sizeof(command),
                   "grep -q vhost-%d /proc/[0-9]*/comm /proc/%d/task/*/comm", running_pid(running),
                   running_pid(running));
    return shell(command);
}

#define NET(series, count)                                                                         \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.test=net armlet.peer=10.8.0.1 "                     \
        "armlet.address=10.8.0.2/24 armlet.count=" count

#define FETCHES(kernel)                                                                            \
    {                                                                                              \
        EXPECT("CHECK address 10.8.0.2/24"), EXPECT("CHECK ready"), CALL(kernel),                  \
            CALL(net_fetch_by_tap), EXPECT("CHECK connections 20"), EXPECT("CHECK warnings 0")     \
    }

#define LINUX(series, check)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", INITRD_PATH, "-m", "256M", "-a",                     \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check, "--vsock", "42"

#define STREAM_STEPS                                                                               \
    {                                                                                              \
        EXPECT("CHECK cid 42"), EXPECT("CHECK call 2:77 Connection reset by peer"),                \
            EXPECT("CHECK listening"), CALL(drive_guest), EXPECT("CHECK echoed 32"),               \
            CALL(serve_guest), EXPECT("CHECK driven 32"), EXPECT("CHECK idle"),                    \
            CALL(port_is_refused), SEND("\n")                                                      \
    }

const struct guest_case vhost_cases[] = {
    {.name = "vhost-vsock, linux 6.1, streams both ways",
     .arguments = {LINUX("6.1", "vsock")},
     .steps = STREAM_STEPS,
     .needs = is_emulated_host,
     .prepare = prepare_vsock},
    {.name = "vhost-vsock, linux 6.12, 2 vCPUs, streams both ways",
     .arguments = {LINUX("6.12", "vsock"), "-c", "2"},
     .steps = STREAM_STEPS,
     .needs = is_emulated_host,
     .prepare = prepare_vsock},
    {.name = "vhost-vsock, each access an event",
     .arguments = {LINUX("6.1", "vsock"), "--trace", "/tmp/vhost.trace"},
     .steps = STREAM_STEPS,
     .needs = is_emulated_host,
     .prepare = prepare_vsock},
    {.name = "vhost-vsock, one number twice",
     .arguments = {LINUX("6.1", "off"), "--vsock", "42"},
     .steps = {EXPECT("cid=42 is another guest's on this host")},
     .status = STATUS_HOST,
     .needs = is_emulated_host,
     .prepare = prepare_vsock},
    {.name = "vhost-vsock, a host without",
     .arguments = {"run", "--vsock", "42"},
     .steps = {EXPECT("cannot open /dev/vhost-vsock (load the module 'vhost_vsock')")},
     .status = STATUS_HOST,
     .needs = is_emulated_host,
     .prepare = unload_vsock},
    {.name = "vhost-net by tap, linux 6.1, 64 MiB both ways",
     .arguments = {NET("6.1", "1024"), "--net", "tap=tap0,vhost=on"},
     .steps = FETCHES(kernel_serves),
     .needs = is_emulated_host,
     .prepare = make_tap,
     .after = forget_file},
    {.name = "vhost-net by tap, linux 6.12, 2 vCPUs, by itself",
     .arguments = {NET("6.12", "64"), "-c", "2", "--net", "tap=tap0"},
     .steps = FETCHES(kernel_serves),
     .needs = is_emulated_host,
     .prepare = net_make_tap},
    {.name = "vhost-net with a rate limit",
     .arguments = {"run", "--net", "tap=tap0,vhost=on,bandwidth=1M"},
     .steps = {EXPECT("vhost=on: goes without bandwidth= and operations=")},
     .status = STATUS_USAGE,
     .needs = is_emulated_host,
     .prepare = net_make_tap},
    {.name = NULL},
};
