// SPDX-License-Identifier: Apache-2.0
/*
 * Hostile drivers of each virtio device (guests/virtio_attack.c): the device serves an honest one
 * after each attack, armlet ends as if nothing had been, and what isn't the guest's is as it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "net_host.h"

#define HOST_PATH  "/tmp/hostile"
#define SHARE_PATH HOST_PATH "/share"
#define DISK_PATH  HOST_PATH "/disk.img"
#define VSOCK_PATH HOST_PATH "/vsock"

enum { SECTORS = 64, SECTOR_BYTES = 512, PATIENCE_S = 240 };

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

/* Where a network of the host's may be changed: modules of the lab's host are at one place. */
static int is_emulated_host(void)
{
    return access("/modules", R_OK) == 0;
}

static uint8_t disk_byte(size_t at)
{
    return (uint8_t)(at / SECTOR_BYTES);
}

static int make_disk(void)
{
    uint8_t bytes[SECTORS * SECTOR_BYTES];
    FILE *file = shell("mkdir -p " HOST_PATH) ? fopen(DISK_PATH, "w") : NULL;

    if (!file)
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = disk_byte(i);
    bool good = fwrite(bytes, 1, sizeof(bytes), file) == sizeof(bytes);

    return fclose(file) == 0 && good;
}

/* It was read alone: every request to write was out of its bounds. */
static int disk_is_as_it_was(void)
{
    uint8_t bytes[SECTORS * SECTOR_BYTES + 1];
    FILE *file = fopen(DISK_PATH, "r");

    if (!file)
        return false;
    bool good = fread(bytes, 1, sizeof(bytes), file) == sizeof(bytes) - 1;

    (void)fclose(file);
    for (size_t i = 0; good && i < sizeof(bytes) - 1; i++)
        good = bytes[i] == disk_byte(i);
    return good;
}

static int make_share(void)
{
    return shell("rm -rf " HOST_PATH "; mkdir -p " SHARE_PATH " && echo in >" SHARE_PATH
                 "/inside && echo out >" HOST_PATH "/beside");
}

/* Nothing came to be in the directory or beside it, and nothing is gone. */
static int share_is_as_it_was(void)
{
    return shell("[ \"$(cd " HOST_PATH " && echo * share/* $(cat beside share/inside))\" = "
                 "'beside share share/inside out in' ]");
}

static int make_place(void)
{
    return shell("rm -rf " HOST_PATH "; mkdir -p " HOST_PATH);
}

#define ATTACK "-k", "@bin/virtio_attack", "-m", "512M", "-q"
#define SURVIVES(device)                                                                           \
    {                                                                                              \
        EXPECT(device " survived "), EXPECT(", split"), EXPECT(device " survived "),               \
            EXPECT(", packed"), EXPECT("PASS virtio_attack")                                       \
    }
#define HOSTILE(device, ...)                                                                       \
    .name = "hostile driver, " device, .arguments = {ATTACK, __VA_ARGS__},                         \
    .steps = SURVIVES(device), .forbidden = "FAIL", .timeout_s = PATIENCE_S

const struct guest_case hostile_cases[] = {
    {HOSTILE("rng", "--device", "virtio-rng")},
    {HOSTILE("blk", "--disk", DISK_PATH), .prepare = make_disk, .after = disk_is_as_it_was},
    {HOSTILE("balloon", "--balloon"), .prepare = make_place},
    {HOSTILE("9p", "--share", SHARE_PATH), .prepare = make_share, .after = share_is_as_it_was},
    {HOSTILE("vsock", "--vsock", "3,uds=" VSOCK_PATH), .prepare = make_place},
    {HOSTILE("net", "--net", "tap=tap0,vhost=off"), .needs = is_emulated_host,
     .prepare = net_make_tap},
    {HOSTILE("console", "--port", "log=file:" HOST_PATH "/log"), .prepare = make_place},
    {.name = NULL},
};
