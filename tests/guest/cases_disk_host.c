// SPDX-License-Identifier: Apache-2.0
/* Disks on what the host may have under them: block devices, and file systems that are full. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define WORK       "/tmp/disk-host"
#define SMALL_PATH WORK "/small/disk.img"
#define BLOCK_PATH WORK "/block" /* a link to the device */

enum { STAT_BLOCK_BYTES = 512, BACKING_BYTES = 8 << 20 };

static int run(const char *command)
{
    return system(command) == 0;
}

/* A file system of 4 MiB with an image of 16. */
static int make_small(void)
{
    return run("mkdir -p " WORK "/small && umount " WORK "/small 2>/dev/null;"
               "mount -t tmpfs -o size=4m small " WORK "/small && truncate -s 16M " SMALL_PATH);
}

static int has_small(void)
{
    return geteuid() == 0 && make_small();
}

static int attach(const char *command)
{
    return run("insmod /modules/$(uname -r)/loop.ko 2>/dev/null; mkdir -p " WORK) && run(command) &&
           run("ln -sfn $(losetup -f) " BLOCK_PATH " && losetup $(readlink " BLOCK_PATH ") " WORK
               "/backing");
}

static int make_block(void)
{
    return geteuid() == 0 && attach("truncate -s 8M " WORK "/backing");
}

static int make_small_block(void)
{
    return has_small() && attach("ln -sf " SMALL_PATH " " WORK "/backing");
}

static int take_away(void)
{
    return run("losetup -d $(readlink " BLOCK_PATH ") && rm " BLOCK_PATH " " WORK "/backing;"
               "umount " WORK "/small 2>/dev/null; test ! -e " BLOCK_PATH);
}

/* The guest discarded all of it, and the host has it again. */
static int block_shrank(void)
{
    struct stat status;
    int shrank = stat(WORK "/backing", &status) == 0 && status.st_size == BACKING_BYTES &&
                 status.st_blocks * STAT_BLOCK_BYTES < BACKING_BYTES / 8;

    return take_away() && shrank;
}

static int unmount(void)
{
    return run("umount " WORK "/small");
}

#define LINUX(series, words)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 " words

const struct guest_case disk_host_cases[] = {
    {.name = "disk on a block device, verified",
     .arguments = {LINUX("6.1", "armlet.test=diskverify"), "-c", "2", "--disk",
                   BLOCK_PATH ",queues=2"},
     .steps = {EXPECT("CHECK queues 0 1 "), EXPECT("CHECK verified"), EXPECT("CHECK verified"),
               EXPECT("CHECK discarded 0"), EXPECT("CHECK errors 0")},
     .forbidden = "CHECK damaged",
     .needs = make_block,
     .after = block_shrank},
    {.name = "disk in a full file system",
     .arguments = {LINUX("6.12", "armlet.test=diskfull"), "--disk", SMALL_PATH},
     .steps = {EXPECT("CHECK written 0"), EXPECT("writing at 0x"),
               EXPECT("failed: No space left on device"), EXPECT("CHECK full 1"),
               EXPECT("CHECK kept 0"), EXPECT("CHECK discarded 0"), EXPECT("CHECK again 0"),
               EXPECT("CHECK there 0")},
     .needs = has_small,
     .after = unmount},
    {.name = "disk whose flush fails",
     .arguments = {LINUX("6.12", "armlet.test=diskfull"), "--disk", BLOCK_PATH},
     .steps = {EXPECT("CHECK written 0"), EXPECT("flushing at 0x0 failed: "),
               EXPECT("CHECK full 1"), EXPECT("CHECK kept 0"), EXPECT("CHECK again 1")},
     .needs = make_small_block,
     .after = take_away},
    {.name = NULL},
};
