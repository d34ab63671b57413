// SPDX-License-Identifier: Apache-2.0
/*
 * What can be said of a network beside what it leads to: several queues, a TAP that is inherited,
 * the host's address, limits; and another client of the device than Linux.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "net_host.h"

#define GUEST_FD "60"

enum {
    STATUS_USAGE = 2,
    INHERITED_FD = 60, /* GUEST_FD */
    NS_PER_MS = 1000000,
    MS_PER_S = 1000,

    /* 4 MiB at 2 MiB a second, of which a tenth of a second's may go at once. */
    LIMITED_LEAST_MS = 1900,
};

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

/* A file of a TAP interface, which is made if there is none; -1: it can't be. */
static int open_tap(const char *name, int flags)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    memcpy(request.ifr_name, name, strlen(name));

    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* tunctl makes only those with one queue. This one has a network of its own, and stays. */
static int make_wide_tap(void)
{
    if (!net_make_host())
        return 0;
    int fd = open_tap("wide0", IFF_VNET_HDR | IFF_MULTI_QUEUE);
    bool good = fd >= 0 && ioctl(fd, TUNSETPERSIST, 1UL) == 0;

    if (fd >= 0)
        (void)close(fd);
    return good && shell("ip addr add 10.7.0.1/24 dev wide0 2>/dev/null; ip link set wide0 up");
}

static int make_wide_tap_and_vhost(void)
{
    return make_wide_tap() && shell("[ -c /dev/vhost-net ]");
}

static int inherit_tap(int flags)
{
    if (!net_make_tap())
        return 0;
    int fd = open_tap("tap0", flags);
    bool good = fd >= 0 && dup2(fd, INHERITED_FD) == INHERITED_FD;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

static int inherit_with_header(void)
{
    return inherit_tap(IFF_VNET_HDR);
}

static int inherit_bare(void)
{
    return inherit_tap(0);
}

static int disinherit(void)
{
    return close(INHERITED_FD) == 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* A limit is a least duration, however slow the host is. */
static int takes_its_time(const char *command)
{
    int64_t began_ms = now_ms();

    return shell(command) && now_ms() - began_ms >= LIMITED_LEAST_MS;
}

static int load_limited(struct running *running)
{
    (void)running;
    return takes_its_time("net_peer get 10.8.0.2 80 4") &&
           takes_its_time("net_peer put 10.8.0.2 80 4") && shell("echo end >/tmp/www/end");
}

#define LINUX(series, words)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 " words

#define TAP "armlet.peer=10.8.0.1 armlet.address=10.8.0.2/24"

#define WIDE "armlet.peer=10.7.0.1 armlet.address=10.7.0.2/24"

#define FETCHES                                                                                    \
    {                                                                                              \
        EXPECT("CHECK address 10.8.0.2/24"), EXPECT("CHECK ready"), CALL(net_fetch_by_tap),        \
            EXPECT("CHECK connections 20"), EXPECT("CHECK warnings 0")                             \
    }

#define CHANNELS(count, busy)                                                                      \
    EXPECT("CHECK whole 4"),                                                                       \
        EXPECT("CHECK channels " count " of 4, sent by " busy ", received by " busy)

#define U_BOOT(link, ...)                                                                          \
    .arguments = {"-k", "@u-boot.bin", "-m", "256M", "--net", link},                               \
    .steps = {EXPECT("stop autoboot"), SEND("\n"),        EXPECT("=> "), __VA_ARGS__,              \
              EXPECT("=> "),           SEND("poweroff\n")},                                        \
    .needs = net_is_emulated_host

/* Four queues, each with its vCPU, then one, and all again. */
#define QUEUES(vhost)                                                                              \
    .arguments = {LINUX("6.1", "armlet.test=netqueues armlet.channels=4,1,4 " WIDE), "-c", "4",    \
                  "--net", "tap=wide0,queues=4,vhost=" vhost},                                     \
    .steps = {CHANNELS("4", "4"), EXPECT("CHECK channels 1 of 4"), CHANNELS("1", "1"),             \
              CHANNELS("4", "4"), EXPECT("CHECK warnings 0")},                                     \
    .needs = net_is_emulated_host

const struct guest_case net_link_cases[] = {
    {.name = "net queues, 4 of a TAP", QUEUES("off"), .prepare = make_wide_tap},
    {.name = "net queues, 4 of a TAP by vhost-net",
     QUEUES("on"),
     .prepare = make_wide_tap_and_vhost},
    {.name = "net by a TAP that is inherited",
     .arguments = {LINUX("6.1", "armlet.test=net " TAP), "--net", "fd=" GUEST_FD},
     .steps = FETCHES,
     .needs = net_is_emulated_host,
     .prepare = inherit_with_header,
     .after = disinherit},
    {.name = "net by a TAP that is inherited, without virtio's headers",
     .arguments = {LINUX("6.12", "armlet.test=net " TAP), "-c", "2", "--net", "fd=" GUEST_FD},
     .steps = FETCHES,
     .needs = net_is_emulated_host,
     .prepare = inherit_bare,
     .after = disinherit},
    {.name = "net by passt, the host by an address of its own",
     .arguments = {LINUX("6.1", "armlet.test=netload armlet.peer=10.9.0.77 armlet.mib=4 "
                                "armlet.connections=16"),
                   "--net", "user,host=10.9.0.77"},
     .steps = {EXPECT("CHECK address 10.9.0.2/24"), EXPECT("CHECK got 4 MiB whole"),
               EXPECT("CHECK put 4 MiB whole"), EXPECT("CHECK echoed 16 of 16"),
               EXPECT("CHECK serving"), CALL(net_end_guest), EXPECT("CHECK warnings 0")},
     .needs = net_is_emulated_host,
     .prepare = net_make_host,
     .after = net_passt_is_gone},
    {.name = "net with limits, which hold each way",
     .arguments = {LINUX("6.1", "armlet.test=netload armlet.mib=4 armlet.connections=16 " TAP),
                   "--net", "tap=tap0,bandwidth=2M", "--stats"},
     .steps = {EXPECT("CHECK got 4 MiB whole"), EXPECT("CHECK put 4 MiB whole"),
               EXPECT("CHECK serving"), CALL(load_limited), EXPECT("CHECK warnings 0"),
               EXPECT("limited ")},
     .needs = net_is_emulated_host,
     .prepare = net_make_tap},
    {.name = "net by tap, U-Boot's ping",
     U_BOOT("tap=tap0,vhost=off", SEND("setenv ipaddr 10.8.0.2; ping 10.8.0.1\n"),
            EXPECT("host 10.8.0.1 is alive")),
     .prepare = net_make_tap},
    {.name = "net, a vhost= there isn't, before a TAP is opened",
     .arguments = {"run", "--net", "tap=tap9,vhost=maybe"},
     .steps = {EXPECT("vhost=maybe: must be on, off or auto")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
