// SPDX-License-Identifier: Apache-2.0
/*
 * Either end of the tests of networks, a program for Linux, for guests and hosts:
 *
 *     net_peer serve PORT                 answers the others, for ever
 *     net_peer get ADDRESS PORT MIB       fetches so many MiB from a server
 *     net_peer put ADDRESS PORT MIB       sends them to it
 *     net_peer echo ADDRESS PORT COUNT    COUNT connections, some at once, that echo a few bytes
 *     net_peer channels INTERFACE [COUNT] says how many pairs of queues are in use, and how many
 * have sent and received; or changes it first net_peer reflect INTERFACE          sends back each
 * frame of an experimental EtherType, for ever
 *
 * Of data each end takes a checksum of its own, and the server tells its. Status 0: all was right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    WORDS = 32768,
    CHUNK_BYTES = WORDS * 8,
    AT_ONCE = 16,
    BACKLOG = 128,
    PATIENCE_S = 120,
    MIB = 1 << 20,
    NUMBER_BASE = 10,
    FRAME_BYTES = 2048,
    MOST_STATISTICS = 512,
    REFLECTED_TYPE = 0x88b5, /* of local experiments (IEEE 802) */
};

enum kind { SEND_ME = 1, TAKE_THIS, ECHO };

struct request {
    uint64_t kind, bytes;
};

/* ---- bytes ---- */

static bool write_all(int fd, const void *bytes, size_t size_bytes)
{
    size_t done = 0;

    while (done < size_bytes) {
        ssize_t count = send(fd, (const char *)bytes + done, size_bytes - done, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t size_bytes)
{
    size_t done = 0;

    while (done < size_bytes) {
        ssize_t count = recv(fd, (char *)bytes + done, size_bytes - done, MSG_WAITALL);

        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* FNV-1a, of words: their order counts. */
static uint64_t add_to_sum(uint64_t sum, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum = (sum ^ words[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static bool send_data(int fd, uint64_t bytes, uint64_t *sum)
{
    static uint64_t words[WORDS];
    uint64_t next = bytes;

    *sum = 0;
    for (uint64_t done = 0; done < bytes; done += CHUNK_BYTES) {
        for (size_t i = 0; i < WORDS; i++)
            words[i] = next += UINT64_C(0x9e3779b97f4a7c15);
        *sum = add_to_sum(*sum, words, WORDS);
        if (!write_all(fd, words, CHUNK_BYTES))
            return false;
    }
    return true;
}

static bool take_data(int fd, uint64_t bytes, uint64_t *sum)
{
    static uint64_t words[WORDS];

    *sum = 0;
    for (uint64_t done = 0; done < bytes; done += CHUNK_BYTES) {
        if (!read_all(fd, words, CHUNK_BYTES))
            return false;
        *sum = add_to_sum(*sum, words, WORDS);
    }
    return true;
}

/* ---- the server ---- */

static void be_patient(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/*
 * That data may come. It is more than politeness: until the other end has sent a guest something, a
 * passt(1) before 2023_03_29 counts the connection's pauses of two seconds, and resets it at the
 * eighth.
 */
static bool welcome(int fd, uint64_t kind)
{
    return write_all(fd, &kind, sizeof(kind));
}

static bool is_welcome(int fd)
{
    uint64_t kind = 0;

    return read_all(fd, &kind, sizeof(kind)) && kind == TAKE_THIS;
}

static void answer(int fd)
{
    struct request request;
    uint64_t sum = 0;

    be_patient(fd);
    if (!read_all(fd, &request, sizeof(request)))
        return;
    if (request.kind == ECHO)
        (void)write_all(fd, &request, sizeof(request));
    else if (request.kind == SEND_ME
                 ? send_data(fd, request.bytes, &sum)
                 : welcome(fd, request.kind) && take_data(fd, request.bytes, &sum))
        (void)write_all(fd, &sum, sizeof(sum));
}

static int serve(uint16_t port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, BACKLOG) != 0) {
        perror("net_peer");
        return 1;
    }
    (void)puts("CHECK serving");
    (void)fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        answer(fd);
        (void)close(fd);
    }
}

/* ---- its clients ---- */

static int call(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    be_patient(fd);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    perror("net_peer: connect");
    (void)close(fd);
    return -1;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int move(const struct sockaddr_in *address, enum kind kind, uint64_t mib)
{
    const struct request request = {kind, mib * MIB};
    uint64_t began_ms = now_ms();
    uint64_t sum = 0;
    uint64_t theirs = 0;
    int fd = call(address);
    bool good = fd >= 0 && write_all(fd, &request, sizeof(request)) &&
                (kind == SEND_ME ? take_data(fd, request.bytes, &sum)
                                 : is_welcome(fd) && send_data(fd, request.bytes, &sum)) &&
                read_all(fd, &theirs, sizeof(theirs)) && sum == theirs;

    if (fd < 0 || !good)
        perror("net_peer");
    printf("CHECK %s %lu MiB %s\n", kind == SEND_ME ? "got" : "put", (unsigned long)mib,
           good ? "whole" : "damaged");
    printf("net_peer: checksums %016lx %016lx, %lu ms\n", (unsigned long)sum, (unsigned long)theirs,
           (unsigned long)(now_ms() - began_ms));
    return !good;
}

/* Opens, asks and is answered on some connections, one step on all of them at a time. */
static size_t echo_some(const struct sockaddr_in *address, size_t count, uint64_t number)
{
    int fds[AT_ONCE];
    size_t good = 0;

    for (size_t i = 0; i < count; i++)
        fds[i] = call(address);
    for (size_t i = 0; i < count; i++) {
        const struct request request = {ECHO, number + i};

        (void)(fds[i] >= 0 && write_all(fds[i], &request, sizeof(request)));
    }
    for (size_t i = 0; i < count; i++) {
        struct request answered = {0};

        good += fds[i] >= 0 && read_all(fds[i], &answered, sizeof(answered)) &&
                answered.kind == ECHO && answered.bytes == number + i;
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return good;
}

static int echo(const struct sockaddr_in *address, size_t count)
{
    uint64_t began_ms = now_ms();
    size_t good = 0;

    for (size_t done = 0; done < count; done += AT_ONCE)
        good += echo_some(address, count - done < AT_ONCE ? count - done : AT_ONCE, done);
    printf("CHECK echoed %zu of %zu\n", good, count);
    printf("net_peer: %lu ms\n", (unsigned long)(now_ms() - began_ms));
    return good != count;
}

static int reflect(const char *interface)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_protocol = htons(REFLECTED_TYPE),
                                        .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    char frame[FRAME_BYTES];

    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("net_peer");
        return 1;
    }
    for (;;) {
        ssize_t length = recv(fd, frame, sizeof(frame), 0);

        (void)(length > 0 && send(fd, frame, (size_t)length, 0));
    }
}

/* ---- pairs of queues (ethtool's "channels") ---- */

static bool ask_driver(const char *interface, void *command)
{
    struct ifreq request = {.ifr_data = command};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    bool good = ioctl(fd, SIOCETHTOOL, &request) == 0;
    (void)close(fd);
    return good;
}

/* How many queues' count of packets isn't zero: "rx_queue_0_packets" and the like. */
static unsigned count_busy(const char *interface, const char *way)
{
    static struct {
        struct ethtool_gstrings header;
        char names[MOST_STATISTICS][ETH_GSTRING_LEN];
    } strings;
    static struct {
        struct ethtool_stats header;
        uint64_t values[MOST_STATISTICS];
    } numbers;
    unsigned count = 0;

    strings.header.cmd = ETHTOOL_GSTRINGS;
    strings.header.string_set = ETH_SS_STATS;
    strings.header.len = 0; /* a kernel that looks at it takes no other guess */
    numbers.header.cmd = ETHTOOL_GSTATS;
    numbers.header.n_stats = 0;
    if (!ask_driver(interface, &strings) || !ask_driver(interface, &numbers))
        return 0;
    for (uint32_t i = 0; i < numbers.header.n_stats && i < MOST_STATISTICS; i++) {
        const char *name = strings.names[i];

        count += strncmp(name, way, strlen(way)) == 0 && strpbrk(name, "0123456789") &&
                 strstr(name, "_packets") && !strstr(name, "xdp") && numbers.values[i] > 0;
    }
    return count;
}

static int tell_channels(const char *interface, uint32_t wanted)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    bool good = ask_driver(interface, &channels);

    if (good && wanted > 0) {
        channels.cmd = ETHTOOL_SCHANNELS;
        channels.combined_count = wanted;
        good = ask_driver(interface, &channels);
        channels.cmd = ETHTOOL_GCHANNELS;
        good = good && ask_driver(interface, &channels);
    }
    if (!good)
        perror("net_peer");
    printf("CHECK channels %u of %u, sent by %u, received by %u\n", channels.combined_count,
           channels.max_combined, count_busy(interface, "tx"), count_busy(interface, "rx"));
    return !good;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned long numbers[2] = {0}; /* the last words */

    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2 && i < argc - 1; i++)
        numbers[i] = strtoul(argv[argc - 1 - i], NULL, NUMBER_BASE);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve((uint16_t)numbers[0]);
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "channels") == 0)
        return tell_channels(argv[2], argc == 4 ? (uint32_t)numbers[0] : 0);
    if (argc == 3 && strcmp(argv[1], "reflect") == 0)
        return reflect(argv[2]);
    if (argc == 5 && inet_pton(AF_INET, argv[2], &address.sin_addr) == 1) {
        address.sin_port = htons((uint16_t)numbers[1]);
        if (strcmp(argv[1], "get") == 0)
            return move(&address, SEND_ME, numbers[0]);
        if (strcmp(argv[1], "put") == 0)
            return move(&address, TAKE_THIS, numbers[0]);
        if (strcmp(argv[1], "echo") == 0)
            return echo(&address, numbers[0]);
    }
    (void)fputs("net_peer: wrong arguments\n", stderr);
    return 2;
}
