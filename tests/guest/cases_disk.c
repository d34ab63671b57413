// SPDX-License-Identifier: Apache-2.0
/* Disks under load: queues and engines, limits, kills, and what of it the operator asks wrongly. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define DISK_PATH   "/tmp/verify.img"
#define DEBIAN_PATH "/tmp/disk-crash/debian.ext4"

enum { DISK_BYTES = 8 << 20, STAT_BLOCK_BYTES = 512, STATUS_USAGE = 2 };

static int make_disk(void)
{
    (void)unlink(DISK_PATH);
    return system("dd if=/dev/zero of=" DISK_PATH " bs=1M count=8 2>/dev/null") == 0;
}

/* The guest discarded all of it. */
static int disk_shrank(void)
{
    struct stat status;

    return stat(DISK_PATH, &status) == 0 && status.st_size == DISK_BYTES &&
           status.st_blocks * STAT_BLOCK_BYTES < DISK_BYTES / 8;
}

/* The host's file system lets its cache be passed by: tmpfs does from Linux 6.6 on. */
static int has_direct(void)
{
    int fd = make_disk() ? open(DISK_PATH, O_RDWR | O_DIRECT | O_CLOEXEC) : -1;

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static int copy_greeting(void)
{
    return system("cp $LAB_DIR/formats/disk.ext4 " DISK_PATH) == 0;
}

static int crash_once(void)
{
    return system("DISK_CRASH_KEEP=1 disk-crash 1") == 0;
}

static int debian_is_clean(void)
{
    int played_back = system("e2fsck -p " DEBIAN_PATH " >/dev/null 2>&1");
    bool good = WIFEXITED(played_back) && WEXITSTATUS(played_back) <= 1 &&
                system("e2fsck -fn " DEBIAN_PATH " >/dev/null 2>&1") == 0;

    (void)unlink(DEBIAN_PATH);
    return good;
}

#define LINUX(series, words)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 " words

/* Writers of two CPUs come to their end in any order. */
#define VERIFIED                                                                                   \
    EXPECT("CHECK queues 0 1 "), EXPECT("CHECK verified"), EXPECT("CHECK verified"),               \
        EXPECT("CHECK discarded 0"), EXPECT("CHECK errors 0")

#define WRONG(name_, properties, words)                                                            \
    {                                                                                              \
        .name = name_, .arguments = {"run", "--disk", DISK_PATH properties},                       \
        .steps = {EXPECT(words)}, .status = STATUS_USAGE, .prepare = make_disk                     \
    }

const struct guest_case disk_cases[] = {
    {.name = "disk, 2 queues by io_uring, verified",
     .arguments = {LINUX("6.1", "armlet.test=diskverify"), "-c", "2", "--disk",
                   DISK_PATH ",queues=2,io=uring", "--stats"},
     .steps = {VERIFIED, EXPECT("written_bytes 8")},
     .forbidden = "CHECK damaged",
     .prepare = make_disk,
     .after = disk_shrank},
    {.name = "disk, 2 queues by threads, verified",
     .arguments = {LINUX("6.12", "armlet.test=diskverify"), "-c", "2", "--disk",
                   DISK_PATH ",queues=2,io=threads"},
     .steps = {VERIFIED},
     .forbidden = "CHECK damaged",
     .prepare = make_disk,
     .after = disk_shrank},
    {.name = "disk used directly, verified",
     .arguments = {LINUX("6.12", "armlet.test=diskverify"), "-c", "2", "--disk",
                   DISK_PATH ",queues=2,direct"},
     .steps = {VERIFIED},
     .forbidden = "CHECK damaged",
     .prepare = make_disk,
     .after = disk_shrank,
     .needs = has_direct},
    {.name = "disk with limits",
     .arguments = {LINUX("6.1", "armlet.test=diskverify armlet.rounds=1"), "-c", "2", "--disk",
                   DISK_PATH ",queues=2,bandwidth=16M,bandwidth-burst=64K,operations=2000",
                   "--stats"},
     .steps = {VERIFIED, EXPECT("limited ")},
     .forbidden = "CHECK damaged",
     .prepare = make_disk,
     .after = disk_shrank},
    {.name = "disk with Debian's root, killed while it writes",
     .arguments = {LINUX("6.12", "armlet.test=diskroot"), "-c", "2", "--root",
                   DEBIAN_PATH ",queues=2"},
     .steps = {EXPECT("CHECK debian 1"), EXPECT("CHECK recovered "), EXPECT("CHECK wrote "),
               SIGNAL(SIGTERM), EXPECT("asking the guest to shut down"), SIGNAL(SIGTERM)},
     .forbidden = "CHECK damaged",
     .status = 128 + SIGTERM,
     .prepare = crash_once,
     .after = debian_is_clean},
    {.name = "disk, read by U-Boot",
     .arguments = {"-k", "@u-boot.bin", "-m", "256M", "--disk", DISK_PATH ",ro"},
     .steps = {EXPECT("stop autoboot"), SEND("\n"), EXPECT("=> "), SEND("virtio scan\n"),
               EXPECT("=> "), SEND("virtio info\n"), EXPECT("VirtIO Block Device"),
               EXPECT("16.0 MB"), EXPECT("=> "), SEND("load virtio 0 $loadaddr /greeting\n"),
               EXPECT("20 bytes read"), EXPECT("=> "), SEND("md.b $loadaddr 8\n"),
               EXPECT("hello fr"), SEND("poweroff\n")},
     .prepare = copy_greeting},
    WRONG("disk, an engine there isn't", ",io=uring2", "io=uring2: must be auto, uring or threads"),
    WRONG("disk, too many queues", ",queues=17", "queues=17: must be at most 16"),
    WRONG("disk, a burst without its rate", ",bandwidth-burst=1M",
          "bandwidth-burst is given, and no bandwidth"),
    WRONG("disk, a limit of nothing", ",operations=0", "operations=0: must be at least 1"),
    {.name = NULL},
};
