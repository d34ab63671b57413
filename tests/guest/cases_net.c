// SPDX-License-Identifier: Apache-2.0
/*
 * Networks: a guest and its host fetch files from each other, by passt, and by a TAP interface.
 *
 * The host's network is changed for that, so these run in an emulated host only. It has a route to
 * a network that isn't there, for passt to go by, and a web server.
 */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "net_host.h"

#define LOAD_MIB         "24"
#define LOAD_CONNECTIONS "200"

enum {
    STATUS_USAGE = 2,
    STATUS_HOST = 3,
    COMMAND_BYTES = 1024,
    SUM_LENGTH = 32,
    KILLED = 1000 + SIGKILL, /* as the harness says it */

    PROCESS_ID_BASE = 10
};

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

/* Modules of the lab's host are at one place, and it is root there. */
int net_is_emulated_host(void)
{
    return access("/modules", R_OK) == 0 && access(lab_path("passt"), R_OK) == 0;
}

int net_make_host(void)
{
    return shell(
        "cd /modules/$(uname -r) && "
        "for m in dummy tun tap vhost_iotlb vhost vhost_net; do insmod $m.ko 2>/dev/null; done;"
        "ln -sf $LAB_DIR/passt /bin/passt;"
        "ip link add dummy0 type dummy 2>/dev/null; ip link set lo up; ip link set dummy0 up;"
        "ip addr add 10.9.0.2/24 dev dummy0 2>/dev/null;"
        "ip route add default via 10.9.0.1 2>/dev/null;"
        "mkdir -p /tmp/www && rm -f /tmp/www/end && cp $LAB_DIR/bin/net_peer /tmp/www/;"
        "pidof net_peer >/dev/null || { net_peer serve 9000 >/dev/null & };"
        "[ -f /tmp/www/data ] || dd if=/dev/urandom of=/tmp/www/data bs=64k count=64 2>/dev/null;"
        "wget -q -O /dev/null http://127.0.0.1:8000/data 2>/dev/null ||"
        "  httpd -p 8000 -h /tmp/www");
}

int net_make_tap(void)
{
    return net_make_host() && shell("tunctl -d tap0 >/dev/null 2>&1; tunctl -t tap0 >/dev/null && "
                                    "ip addr add 10.8.0.1/24 dev tap0 && ip link set tap0 up");
}

/* Whether the guest has fetched what the host serves, `word` saying in which line it tells. */
static bool has_told_sum(const struct running *running, const char *word, const char *path)
{
    char command[COMMAND_BYTES];
    char line[COMMAND_BYTES];
    char sum[SUM_LENGTH + 1];

    (void)snprintf(command, sizeof(command), "md5sum <%s", path);
    FILE *output = popen(command, "r"); /* NOLINT(cert-env33-c) */
    bool good = output && fscanf(output, "%32s", sum) == 1;

    (void)(output && pclose(output));
    (void)snprintf(line, sizeof(line), "CHECK %s %s", word, sum);
    return good && strstr(running_output(running), line);
}

/* Fetches the guest's file, and compares. */
static int fetch(struct running *running, const char *url)
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof(command), "wget -q -O /tmp/fetched %s", url);
    return has_told_sum(running, "received", "/tmp/www/data") && shell(command) &&
           has_told_sum(running, "sum", "/tmp/fetched") && shell("echo end >/tmp/www/end");
}

static int fetch_forwarded(struct running *running)
{
    return fetch(running, "http://127.0.0.1:8080/data");
}

int net_fetch_by_tap(struct running *running)
{
    return fetch(running, "http://10.8.0.2/data");
}

/* The same the other way round as the guest did with net_peer. */
static int load_guest(const char *server, const char *mib, const char *connections)
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof(command),
                   "net_peer get %s %s && net_peer put %s %s && net_peer echo %s %s", server, mib,
                   server, mib, server, connections);
    return shell(command) && shell("echo end >/tmp/www/end");
}

int net_end_guest(struct running *running)
{
    (void)running;
    return shell("echo end >/tmp/www/end");
}

static int load_forwarded(struct running *running)
{
    (void)running;
    return load_guest("127.0.0.1 8080", "4", "64");
}

static int load_by_tap(struct running *running)
{
    (void)running;
    return load_guest("10.8.0.2 80", LOAD_MIB, LOAD_CONNECTIONS);
}

/* The process IDs of all that are called passt. Returns their count. */
static unsigned kill_passt(int signal)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;

    while (directory && (entry = readdir(directory))) {
        char path[COMMAND_BYTES];
        char name[COMMAND_BYTES] = "";
        int pid = (int)strtol(entry->d_name, NULL, PROCESS_ID_BASE);

        (void)snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        FILE *file = pid > 0 ? fopen(path, "r") : NULL;
        if (file && fgets(name, sizeof(name), file) && strcmp(name, "passt\n") == 0 &&
            kill(pid, signal) == 0)
            count++;
        if (file)
            (void)fclose(file);
    }
    if (directory)
        (void)closedir(directory);
    return count;
}

static int pull_cable(struct running *running)
{
    (void)running;
    return kill_passt(SIGKILL) == 1;
}

/* What the guest has fetched since passt is back. */
static int received_again(struct running *running)
{
    return has_told_sum(running, "again", "/tmp/www/data");
}

static int has_passt(struct running *running)
{
    (void)running;
    return kill_passt(0) == 1;
}

/* It ends a moment after armlet, however that ended. */
int net_passt_is_gone(void)
{
    enum { TRIES = 600, PAUSE_US = 100000 };

    for (int i = 0; i < TRIES; i++) {
        if (kill_passt(0) == 0)
            return 1;
        (void)usleep(PAUSE_US);
    }
    return 0;
}

#define LINUX(series, words)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.test=net " words

#define USER "armlet.peer=10.9.0.1"
#define TAP  "armlet.peer=10.8.0.1 armlet.address=10.8.0.2/24"

#define FETCHES(address, call)                                                                     \
    {                                                                                              \
        EXPECT("CHECK address " address), EXPECT("CHECK ready"), CALL(call),                       \
            EXPECT("CHECK connections 20"), EXPECT("CHECK warnings 0")                             \
    }

/* What make check-net-load does with more of it. */
#define LOAD " armlet.mib=" LOAD_MIB " armlet.connections=" LOAD_CONNECTIONS
#define LINUX_LOAD(words)                                                                          \
    "-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                          \
        "console=ttyAMA0 quiet panic=-1 armlet.test=netload " words LOAD
#define LOADS(mtu, call)                                                                           \
    {                                                                                              \
        EXPECT("CHECK mtu " mtu), EXPECT("CHECK got " LOAD_MIB " MiB whole"),                      \
            EXPECT("CHECK put " LOAD_MIB " MiB whole"),                                            \
            EXPECT("CHECK echoed " LOAD_CONNECTIONS " of " LOAD_CONNECTIONS),                      \
            EXPECT("CHECK serving"), CALL(call), EXPECT("CHECK warnings 0")                        \
    }

const struct guest_case net_cases[] = {
    {.name = "virtio-net by passt: DHCP, files both ways",
     .arguments = {LINUX("6.1", USER), "--net", "user,forward=tcp:8080:80"},
     .steps = FETCHES("10.9.0.2/24", fetch_forwarded),
     .needs = net_is_emulated_host,
     .prepare = net_make_host,
     .after = net_passt_is_gone},
    {.name = "virtio-net by passt, killed and back",
     .arguments = {LINUX("6.12", USER " armlet.cable=1"), "-c", "2", "--net", "user"},
     .steps = {EXPECT("CHECK ready"), CALL(pull_cable), EXPECT("cable is pulled"),
               EXPECT("CHECK carrier 0"), EXPECT("CHECK carrier 1"), EXPECT("CHECK compared"),
               CALL(received_again)},
     .needs = net_is_emulated_host,
     .prepare = net_make_host,
     .after = net_passt_is_gone},
    {.name = "virtio-net, passt ends with an armlet that is killed",
     .arguments = {LINUX("6.1", USER " armlet.cable=1"), "--net", "user"},
     .steps = {EXPECT("CHECK ready"), CALL(has_passt), SIGNAL(SIGKILL)},
     .status = KILLED,
     .needs = net_is_emulated_host,
     .prepare = net_make_host,
     .after = net_passt_is_gone},
    {.name = "virtio-net by tap: files both ways",
     .arguments = {LINUX("6.1", TAP), "--net", "tap=tap0,vhost=off"},
     .steps = FETCHES("10.8.0.2/24", net_fetch_by_tap),
     .needs = net_is_emulated_host,
     .prepare = net_make_tap},
    {.name = "virtio-net by tap, linux 6.12, 2 vCPUs, MTU, address, limit",
     .arguments = {LINUX("6.12", TAP), "-c", "2", "--net",
                   "tap=tap0,mtu=1400,mac=02:00:00:00:00:07,bandwidth=16M"},
     .steps = FETCHES("10.8.0.2/24", net_fetch_by_tap),
     .needs = net_is_emulated_host,
     .prepare = net_make_tap},
    {.name = "virtio-net by passt: data whole and connections answered",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",
                   "console=ttyAMA0 quiet panic=-1 armlet.test=netload " USER
                   " armlet.mib=4 armlet.connections=64",
                   "--net", "user,forward=tcp:8080:80"},
     .steps = {EXPECT("CHECK got 4 MiB whole"), EXPECT("CHECK put 4 MiB whole"),
               EXPECT("CHECK echoed 64 of 64"), EXPECT("CHECK serving"), CALL(load_forwarded),
               EXPECT("CHECK warnings 0")},
     .needs = net_is_emulated_host,
     .prepare = net_make_host,
     .after = net_passt_is_gone},
    {.name = "virtio-net by tap: much data and many connections",
     .arguments = {LINUX_LOAD(TAP), "--net", "tap=tap0"},
     .steps = LOADS("1500", load_by_tap),
     .needs = net_is_emulated_host,
     .prepare = net_make_tap},
    {.name = "virtio-net, a port that isn't one",
     .arguments = {"run", "--net", "user,forward=tcp:80"},
     .steps = {EXPECT("must be tcp:PORT:GUEST-PORT")},
     .status = STATUS_USAGE},
    {.name = "virtio-net, a link there isn't",
     .arguments = {"run", "--net", "mac=02:00:00:00:00:01"},
     .steps = {EXPECT("it takes one of user, tap=NAME and fd=N")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
