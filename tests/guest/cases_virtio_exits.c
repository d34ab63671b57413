// SPDX-License-Identifier: Apache-2.0
/* What accesses to a virtio device are left, when its driver is at work. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define DISK_PATH  "/tmp/exits.img"
#define STATS_PATH "/tmp/exits.json"
#define TRACE_PATH "/tmp/exits.trace"

enum {
    DISK_BYTES = 16 << 20,
    FILE_BYTES = 64 * 1024,
    TRIAL = 16, /* interrupts until the device knows its driver: devices/virtio_fast.c */
    /* What guests/disk_cost.c does before its first request; notifications never exit. */
    SETUP_READS = 5,
    SETUP_WRITES = 17,
    /* Of 640 rounds of requests; many are seen to have ended before the interrupt comes. */
    LEAST_INTERRUPTS = 64,
};

static int make_disk(void)
{
    FILE *file = fopen(DISK_PATH, "w");
    int good = file && ftruncate(fileno(file), DISK_BYTES) == 0;

    (void)unlink(STATS_PATH);
    (void)unlink(TRACE_PATH);
    return file && fclose(file) == 0 && good;
}

/* The disk's part of the statistics, for one read of the file. */
static const char *read_disk_stats(char text[FILE_BYTES])
{
    FILE *file = fopen(STATS_PATH, "r");
    size_t length = file ? fread(text, 1, FILE_BYTES - 1, file) : 0;

    text[length] = '\0';
    if (file)
        (void)fclose(file);
    return strstr(text, "\"name\": \"virtio-blk\"");
}

static uint64_t number(const char *at, const char *member)
{
    char key[64];

    (void)snprintf(key, sizeof(key), "\"%s\": ", member);
    at = at ? strstr(at, key) : NULL;
    return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

static int check(int good, const char *disk)
{
    if (!good)
        printf("    %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " interrupts\n",
               number(disk, "reads"), number(disk, "writes"), number(disk, "raised"));
    (void)unlink(DISK_PATH);
    return good;
}

/* However many requests there were, nothing but the setup and the trial exited. */
static int setup_alone_exited(void)
{
    static char text[FILE_BYTES];
    const char *disk = read_disk_stats(text);

    return check(
        number(disk, "reads") == SETUP_READS + TRIAL &&
            number(disk, "writes") == SETUP_WRITES + TRIAL && number(disk, "bad_accesses") == 0 &&
            number(disk, "raised") >= LEAST_INTERRUPTS && number(disk, "raised") != UINT64_MAX,
        disk);
}

/* As many acknowledgements as interrupts exited, or more. */
static int each_interrupt_exited(void)
{
    static char text[FILE_BYTES];
    const char *disk = read_disk_stats(text);
    uint64_t raised = number(disk, "raised");

    return check(raised >= LEAST_INTERRUPTS && number(disk, "reads") >= SETUP_READS + raised &&
                     number(disk, "writes") >= SETUP_WRITES + raised &&
                     number(disk, "writes") != UINT64_MAX,
                 disk);
}

#define PASSES                                                                                     \
    {                                                                                              \
        EXPECT("PASS disk_cost")                                                                   \
    }
#define DISK_COST(...)                                                                             \
    "run", "-k", "@bin/disk_cost", "-m", "128M", "--disk", DISK_PATH, "--stats-file", STATS_PATH,  \
        __VA_ARGS__

const struct guest_case virtio_exit_cases[] = {
    {.name = "virtio-blk without exits",
     .arguments = {DISK_COST("-a", "operations=16")},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = setup_alone_exited},
    {.name = "virtio-blk without exits, in a page with another device",
     .arguments = {"run", "--device", "virtio-rng", "-k", "@bin/disk_cost", "-m", "128M", "--disk",
                   DISK_PATH, "--stats-file", STATS_PATH, "-a", "operations=16"},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = setup_alone_exited},
    {.name = "virtio-blk without exits, GIC outside the kernel",
     .arguments = {DISK_COST("-a", "operations=16", "--irqchip", "user")},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = setup_alone_exited},
    {.name = "virtio-blk, a driver with level-sensitive interrupts",
     .arguments = {DISK_COST("-a", "operations=16 level=1")},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = each_interrupt_exited},
    {.name = "virtio-blk with levels, GIC outside the kernel",
     .arguments = {DISK_COST("-a", "operations=16 level=1", "--irqchip", "user")},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = each_interrupt_exited},
    {.name = "virtio-blk, each access traced",
     .arguments = {DISK_COST("-a", "operations=16", "--trace", TRACE_PATH, "--trace-filter",
                             "mmio")},
     .steps = PASSES,
     .forbidden = "FAIL",
     .prepare = make_disk,
     .after = each_interrupt_exited},
    {.name = NULL},
};
