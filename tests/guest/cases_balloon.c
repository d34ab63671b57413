// SPDX-License-Identifier: Apache-2.0
/* The balloon with Linux's driver: memory that the guest doesn't use is the host's again. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define SOCKET_PATH "/tmp/balloon"

enum {
    FILLED_MIB = 90, /* by guest-init */
    /* A guest keeps some for itself, and gives away blocks of 2 MiB or more. */
    LEAST_MIB = 70,
    TARGET_MIB = 100,
    PATIENCE_S = 60,
    STATUS_USAGE = 2,
};

static long filled_kib; /* armlet's resident memory while the guest's was full */

static long resident_kib(const struct running *running)
{
    char path[64], line[256];
    long value = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", running_pid(running));
    FILE *file = fopen(path, "r");
    if (!file)
        return value;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &value) == 1)
            break;
    (void)fclose(file);
    return value;
}

/* Looks every tenth of a second, for as long as one has patience. */
static bool becomes(bool (*is)(const struct running *running), const struct running *running)
{
    time_t deadline = time(NULL) + PATIENCE_S;

    while (!is(running) && time(NULL) < deadline)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    return is(running);
}

static int note_filled(struct running *running)
{
    filled_kib = resident_kib(running);
    return filled_kib > FILLED_MIB * 1024;
}

static bool has_fallen(const struct running *running)
{
    return resident_kib(running) <= filled_kib - LEAST_MIB * 1024;
}

static int falls(struct running *running)
{
    bool good = becomes(has_fallen, running);

    printf("# resident: %ld KiB while full, %ld KiB then\n", filled_kib, resident_kib(running));
    return good;
}

/* Without reports an empty guest's memory stays the VMM's. */
static int stays(struct running *running)
{
    return !has_fallen(running);
}

/* ---- the control socket ---- */

static bool ask(const char *line, char *answer, size_t room)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t got = -1;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
        got = recv(fd, answer, room - 1, MSG_WAITALL);
    answer[got > 0 ? got : 0] = '\0';
    (void)close(fd);
    return got > 0;
}

static bool is_inflated(const struct running *running)
{
    char answer[256];

    (void)running;
    return ask("\n", answer, sizeof(answer)) &&
           strcmp(answer, "{\"target_bytes\": 104857600, \"actual_bytes\": 104857600}\n") == 0;
}

static bool is_deflated(const struct running *running)
{
    char answer[256];

    (void)running;
    return ask("\n", answer, sizeof(answer)) &&
           strcmp(answer, "{\"target_bytes\": 0, \"actual_bytes\": 0}\n") == 0;
}

static int inflate(struct running *running)
{
    char answer[256];

    return ask("100M\n", answer, sizeof(answer)) && strstr(answer, "\"target_bytes\": 104857600") &&
           becomes(is_inflated, running);
}

static int deflate(struct running *running)
{
    char answer[256];

    return ask("0\n", answer, sizeof(answer)) && becomes(is_deflated, running);
}

/* Nearly all of it. */
static bool is_tight(const struct running *running)
{
    char answer[256];

    (void)running;
    return ask("\n", answer, sizeof(answer)) && strstr(answer, "\"actual_bytes\": 167772160}");
}

static int inflate_tightly(struct running *running)
{
    char answer[256];

    return ask("160M\n", answer, sizeof(answer)) && becomes(is_tight, running);
}

/* What the guest needed it took back. */
static int is_smaller(struct running *running)
{
    char answer[256];
    unsigned long long actual_bytes = 0;
    const char *at = NULL;

    (void)running;
    if (ask("\n", answer, sizeof(answer)))
        at = strstr(answer, "\"actual_bytes\": ");
    printf("# balloon: %s", answer);
    return at && sscanf(at, "\"actual_bytes\": %llu", &actual_bytes) == 1 &&
           actual_bytes < 160ULL << 20;
}

static int refuses(struct running *running)
{
    char answer[256];

    (void)running;
    return ask("lots\n", answer, sizeof(answer)) && strstr(answer, "\"error\"") &&
           ask("256M\n", answer, sizeof(answer)) && strstr(answer, "256M in all");
}

static int socket_is_gone(void)
{
    return access(SOCKET_PATH, F_OK) != 0;
}

#define LINUX_TEST(series, check)                                                                  \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check
#define LINUX(series) LINUX_TEST(series, "balloon")

/* The guest needs 90 MiB of 256, and the balloon has 160: it deflates, or somebody is killed. */
#define TIGHT                                                                                      \
    {                                                                                              \
        EXPECT("CHECK ready"), CALL(inflate_tightly), SEND("\n"), EXPECT("CHECK left little"),     \
            EXPECT("CHECK filled " ZEROS), EXPECT("CHECK killed 0"), CALL(is_smaller), SEND("\n"), \
            EXPECT("deflated_pages")                                                               \
    }

/* md5sum of 90 MiB of zeros */
#define ZEROS "80284cd454d50ab5a58ff4798bc2e156"

#define REPORTED                                                                                   \
    {                                                                                              \
        EXPECT("CHECK filled " ZEROS), CALL(note_filled), SEND("\n"), EXPECT("CHECK emptied"),     \
            CALL(falls), SEND("\n"), EXPECT("CHECK again " ZEROS), SEND("\n"),                     \
            EXPECT("CHECK emptied"), SEND("\n"), EXPECT("reported_bytes"),                         \
            EXPECT("guest_total_bytes")                                                            \
    }

const struct guest_case balloon_cases[] = {
    {.name = "virtio-balloon, free pages reported, linux 6.1",
     .arguments = {LINUX("6.1"), "--balloon", "--stats"},
     .steps = REPORTED,
     .forbidden = "failed_drops"},
    {.name = "virtio-balloon, free pages reported, linux 6.12",
     .arguments = {LINUX("6.12"), "--balloon=0,stats=500ms", "-c", "2", "--stats"},
     .steps = REPORTED,
     .forbidden = "failed_drops"},
    {.name = "virtio-balloon, inflated and deflated",
     .arguments = {LINUX("6.1"), "--balloon=0,reporting=off,uds=" SOCKET_PATH, "--stats"},
     .steps = {EXPECT("CHECK filled"), CALL(note_filled), SEND("\n"), EXPECT("CHECK emptied"),
               CALL(stays), CALL(refuses), CALL(inflate), CALL(falls), CALL(deflate), SEND("\n"),
               EXPECT("CHECK again " ZEROS), SEND("\n"), EXPECT("CHECK emptied"), SEND("\n"),
               EXPECT("inflated_pages 25600, deflated_pages 25600")},
     .forbidden = "failed_drops",
     .after = socket_is_gone},
    {.name = "virtio-balloon, a guest that runs out of memory, linux 6.1",
     .arguments = {LINUX_TEST("6.1", "ballooned"), "--balloon=0,reporting=off,uds=" SOCKET_PATH,
                   "--stats"},
     .steps = TIGHT},
    {.name = "virtio-balloon, a guest that runs out of memory, linux 6.12",
     .arguments = {LINUX_TEST("6.12", "ballooned"), "--balloon=0,reporting=off,uds=" SOCKET_PATH,
                   "--stats"},
     .steps = TIGHT},
    {.name = "virtio-balloon, memory that is locked",
     .arguments = {"run", "--lock-memory", "--balloon=64M"},
     .steps = {EXPECT("--balloon gives memory back to the host, and --lock-memory keeps it all")},
     .status = STATUS_USAGE},
    {.name = "virtio-balloon, memory of huge pages",
     .arguments = {"run", "--balloon", "--memory-backing", "hugetlb"},
     .steps = {EXPECT("of huge pages it takes none")},
     .status = STATUS_USAGE},
    {.name = "virtio-balloon, more than there is",
     .arguments = {"run", "-m", "64M", "--balloon=64M"},
     .steps = {EXPECT("the guest has 64M in all")},
     .status = STATUS_USAGE},
    {.name = "virtio-balloon, a size that is none",
     .arguments = {"run", "--balloon=lots"},
     .steps = {EXPECT("size")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
