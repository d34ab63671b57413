// SPDX-License-Identifier: Apache-2.0
/* What can be seen of a guest: its counters agree with what it did. */
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"

#define STATS_PATH    "/tmp/stats.json"
#define LATENCY_PATH  "/tmp/latency.svg"
#define COUNT         500
#define TEXT(number)  TEXT_OF(number)
#define TEXT_OF(word) #word

enum { FILE_BYTES = 64 * 1024 };

static char text[FILE_BYTES];

static int remove_files(void)
{
    (void)unlink(STATS_PATH);
    (void)unlink(LATENCY_PATH);
    return 1;
}

static int read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[length] = '\0';
    return file && fclose(file) == 0 && length > 0;
}

/* The number of a member, looked for from where `at` begins; UINT64_MAX if there is none. */
static uint64_t number(const char *at, const char *member)
{
    char key[64];

    (void)snprintf(key, sizeof(key), "\"%s\": ", member);
    at = at ? strstr(at, key) : NULL;
    return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

static int is(const char *at, const char *member, uint64_t expected)
{
    uint64_t got = number(at, member);

    if (got == expected)
        return 1;
    printf("    %s is %" PRIu64 " and not %" PRIu64 "\n", member, got, expected);
    return 0;
}

static const char *device(const char *name)
{
    char key[64];

    (void)snprintf(key, sizeof(key), "\"name\": \"%s\"", name);
    return strstr(text, key);
}

/* The guest read and wrote GPIOAFSEL once more than it counts, and ended by one more call. */
static int check_operations(void)
{
    int good = read_file(STATS_PATH);
    const char *vcpu = strstr(text, "\"vcpus\"");
    const char *kvm = strstr(text, "\"kvm\": {");
    good &= is(strstr(text, "\"unassigned\""), "reads", COUNT);
    good &= is(strstr(text, "\"unassigned\""), "writes", 2 * COUNT);
    good &= is(text, "hypercalls", 1);
    good &= is(vcpu, "no-syndrome", COUNT);
    good &= is(vcpu, "system-event", 1);
    good &= is(vcpu, "signal", 0);
    good &= is(vcpu, "total", number(text, "exits"));
    /* Of those reads the last is the one that checks what was read with write-back. */
    good &= is(device("pl061"), "reads", (COUNT + 1) + 3 * COUNT);
    good &= is(device("pl061"), "writes", COUNT + 1);
    good &= is(device("pl061"), "bad_accesses", COUNT);
    good &= is(device("pl011"), "raised", COUNT);
    good &= is(device("pl031"), "reads", 0);
    if (kvm) {
        good &= is(kvm, "hvc", COUNT + 1);
        good &= is(kvm, "mmio_user", number(vcpu, "mmio"));
    }
    return good;
}

/* Over all vCPUs, armlet counts as many exits of a kind as KVM does. */
static int check_vcpus(void)
{
    uint64_t total = 0;
    unsigned count = 0;

    if (!read_file(STATS_PATH))
        return 0;
    for (const char *at = strstr(text, "\"index\""); at; at = strstr(at + 1, "\"index\"")) {
        const char *kvm = strstr(at, "\"kvm\": {");

        total += number(at, "total");
        count++;
        if (kvm && !is(kvm, "mmio_user", number(at, "mmio")))
            return 0;
    }
    return count == 4 && is(text, "exits", total);
}

static int check_latency(void)
{
    return read_file(LATENCY_PATH) && strncmp(text, "<svg ", 5) == 0 &&
           strstr(text, ">mmio pl061</text>") && strstr(text, "</svg>\n");
}

/* KVM traps reads of CTR_EL0 since Linux 6.3, but for CPUs with FEAT_EVT; a Neoverse N1 has none.
 */
static int host_traps_ctr(void)
{
    char line[128];
    unsigned major = 0;
    unsigned minor = 0;
    int found = 0;
    struct utsname host;
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof(line), file))
        found |= strncmp(line, "CPU part", 8) == 0 && strstr(line, "0xd0c");
    if (file)
        (void)fclose(file);
    return found && uname(&host) == 0 && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 3));
}

static int host_lets_ctr_be(void)
{
    struct utsname host;

    return uname(&host) == 0 && strncmp(host.release, "6.1.", 4) == 0;
}

static int remove_memory(void)
{
    return unlink("/tmp/guest.memory") == 0 || access("/tmp/guest.memory", F_OK) != 0;
}

#define COUNT_GUEST "-k", "@bin/count", "-a", "count=" TEXT(COUNT) " operations"

const struct guest_case insight_cases[] = {
    {.name = "counters are exact",
     .arguments = {COUNT_GUEST, "--stats-file", STATS_PATH},
     .steps = {EXPECT("PASS count")},
     .forbidden = "FAIL",
     .prepare = remove_files,
     .after = check_operations},
    {.name = "counters are exact when everything is watched",
     .arguments = {COUNT_GUEST, "--stats-file", STATS_PATH, "--latency"},
     .steps = {EXPECT("PASS count")},
     .forbidden = "FAIL",
     .prepare = remove_files,
     .after = check_operations},
    {.name = "counters of 4 vCPUs add up",
     .arguments = {"-k", "@bin/smp", "-c", "4", "--stats-file", STATS_PATH},
     .steps = {EXPECT("PASS smp")},
     .prepare = remove_files,
     .after = check_vcpus},
    {.name = "latencies as a picture",
     .arguments = {COUNT_GUEST, "--latency=" LATENCY_PATH},
     .steps = {EXPECT("PASS count")},
     .forbidden = "exits to armlet",
     .prepare = remove_files,
     .after = check_latency},
    {.name = "latencies in the table",
     .arguments = {COUNT_GUEST, "--latency"},
     .steps = {EXPECT("PASS count"), EXPECT("exits to armlet"), EXPECT("Time in armlet"),
               EXPECT("no-syndrome"), EXPECT("Time in the guest")}},
    {.name = "SIGUSR1 asks a running guest",
     .arguments = {"-k", "@bin/crash", "-a", "spin"},
     .steps = {EXPECT("SPIN"), SIGNAL(SIGUSR1), EXPECT("so far"), EXPECT("Console:"),
               SIGNAL(SIGUSR1), EXPECT("so far"), EXPECT("Console:"), SIGNAL(SIGTERM),
               EXPECT("ask again"), SIGNAL(SIGTERM)},
     .status = 128 + SIGTERM},
    {.name = "what a console costs is explained",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",
                   "console=ttyAMA0 panic=-1 armlet.test=report", "--explain", "--fast-console",
                   "off"},
     .steps = {EXPECT("where the time went"), EXPECT("The console took"),
               EXPECT("--fast-console off asked for that"), EXPECT("--append quiet")},
     .timeout_s = 300},
    {.name = "what KVM handles alone is explained",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",
                   "quiet panic=-1 armlet.test=report", "--explain"},
     .steps = {EXPECT("where the time went"), EXPECT("handled by KVM alone"), EXPECT("CTR_EL0")},
     .forbidden = "The console took",
     .needs = host_traps_ctr,
     .timeout_s = 300},
    {.name = "what KVM doesn't trap isn't explained",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",
                   "quiet panic=-1 armlet.test=report", "--explain"},
     .steps = {EXPECT("where the time went")},
     .forbidden = "CTR_EL0",
     .needs = host_lets_ctr_be,
     .timeout_s = 300},
    {.name = "what page faults cost is explained",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",
                   "quiet panic=-1 armlet.test=report", "--memory-backing",
                   "file:/tmp/guest.memory", "--explain"},
     .steps = {EXPECT("where the time went"), EXPECT("page faults while vCPUs ran"),
               EXPECT("--prefault takes them before the")},
     .prepare = remove_memory,
     .after = remove_memory,
     .timeout_s = 300},
    {.name = 0},
};
