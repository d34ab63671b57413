// SPDX-License-Identifier: Apache-2.0
/* Virtio devices: with Linux's drivers, and with guests that are none's friend. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define DISK_PATH  "/tmp/disk.img"
#define QCOW2_PATH "/tmp/disk.qcow2"

enum {
    DISK_BYTES = 16 << 20,
    SECTOR_BYTES = 512,
    HOSTILE_SECTORS = 64,
    STATUS_USAGE = 2,
    STATUS_FILE = 4,
    /* Linux, Documentation/filesystems/ext4/super.rst */
    EXT4_SUPERBLOCK = 1024,
    EXT4_MAGIC_AT = 0x38,
    EXT4_STATE_AT = 0x3a,
    EXT4_MAGIC = 0xef53,
    EXT4_CLEAN = 1,
};

/* ---- disks ---- */

static bool write_file(const char *path, const void *bytes, size_t size_bytes)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return false;
    bool good = fwrite(bytes, 1, size_bytes, file) == size_bytes;

    return fclose(file) == 0 && good;
}

/* All of a file of DISK_BYTES, which the caller frees; NULL: it is none. */
static uint8_t *read_disk(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "r");
    uint8_t *bytes = malloc(DISK_BYTES);

    if (file && bytes && fstat(fileno(file), &status) == 0 && status.st_size == DISK_BYTES &&
        fread(bytes, 1, DISK_BYTES, file) == DISK_BYTES) {
        (void)fclose(file);
        return bytes;
    }
    if (file)
        (void)fclose(file);
    free(bytes);
    return NULL;
}

static int copy_disk(void)
{
    uint8_t *bytes = read_disk(lab_path("formats/disk.ext4"));
    bool good = bytes && write_file(DISK_PATH, bytes, DISK_BYTES);

    free(bytes);
    return good;
}

static uint16_t word(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* What the guest wrote is there, the file system was left clean, and the file is as long as it was.
 */
static int disk_has_what_was_written(void)
{
    static const char text[] = "by the guest\n";
    uint8_t *bytes = read_disk(DISK_PATH);
    bool good = bytes && memmem(bytes, DISK_BYTES, text, strlen(text)) &&
                word(bytes + EXT4_SUPERBLOCK + EXT4_MAGIC_AT) == EXT4_MAGIC &&
                word(bytes + EXT4_SUPERBLOCK + EXT4_STATE_AT) == EXT4_CLEAN;

    free(bytes);
    return good;
}

static int disk_has_its_length(void)
{
    uint8_t *bytes = read_disk(DISK_PATH);
    bool good = bytes && word(bytes + EXT4_SUPERBLOCK + EXT4_MAGIC_AT) == EXT4_MAGIC;

    free(bytes);
    return good;
}

static int disk_is_unchanged(void)
{
    uint8_t *now = read_disk(DISK_PATH);
    uint8_t *before = read_disk(lab_path("formats/disk.ext4"));
    bool good = now && before && memcmp(now, before, DISK_BYTES) == 0;

    free(now);
    free(before);
    return good;
}

/* As guests/virtio_hostile.c wants it. */
static int make_hostile_disk(void)
{
    uint8_t bytes[HOSTILE_SECTORS * SECTOR_BYTES];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i / SECTOR_BYTES);
    return write_file(DISK_PATH, bytes, sizeof(bytes));
}

static int make_qcow2(void)
{
    uint8_t bytes[SECTOR_BYTES] = "QFI\xfb";

    return write_file(QCOW2_PATH, bytes, sizeof(bytes));
}

#define LINUX(series, check)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check

#define ENTROPY                                                                                    \
    {                                                                                              \
        EXPECT("CHECK source virtio_rng"), EXPECT("CHECK bytes 65536"),                            \
            EXPECT("CHECK values even"), EXPECT("CHECK packed no"),                                \
            EXPECT("CHECK doorbells interrupt"), EXPECT("    requests ")                           \
    }

#define HELLO_SUM "27c24ab8ed604c1d2c17d05d8c3da194"

#define DISK_WRITTEN(serial)                                                                       \
    {                                                                                              \
        EXPECT("CHECK disk " serial " 0"), EXPECT("CHECK cache write back"),                       \
            EXPECT("CHECK found " HELLO_SUM), EXPECT("CHECK written nothing"),                     \
            EXPECT("CHECK noise same"), EXPECT("CHECK errors 0")                                   \
    }

#define HOSTILE(...) "-k", "@bin/virtio_hostile", "--disk", DISK_PATH, __VA_ARGS__

const struct guest_case virtio_cases[] = {
    {.name = "virtio-blk, linux 6.1",
     .arguments = {LINUX("6.1", "disk"), "--disk", DISK_PATH ",serial=abc"},
     .steps = DISK_WRITTEN("abc"),
     .prepare = copy_disk,
     .after = disk_has_what_was_written},
    {.name = "virtio-blk, linux 6.12, 2 vCPUs",
     .arguments = {LINUX("6.12", "disk"), "-c", "2", "--disk", DISK_PATH},
     .steps = DISK_WRITTEN(""),
     .prepare = copy_disk,
     .after = disk_has_what_was_written},
    {.name = "virtio-blk for reading only",
     .arguments = {LINUX("6.1", "disk"), "--disk", DISK_PATH ",ro"},
     .steps = {EXPECT("CHECK disk  1"), EXPECT("CHECK found " HELLO_SUM),
               EXPECT("CHECK written nothing"), EXPECT("CHECK errors 0")},
     .prepare = copy_disk,
     .after = disk_is_unchanged},
    {.name = "virtio-blk, stopped while it writes",
     .arguments = {LINUX("6.1", "diskwrites"), "-c", "2", "--disk", DISK_PATH},
     .steps = {EXPECT("CHECK recovered 0"), EXPECT("CHECK wrote 5"), SIGNAL(SIGTERM),
               EXPECT("asking the guest to shut down"), SIGNAL(SIGTERM)},
     .status = 128 + SIGTERM,
     .prepare = copy_disk,
     .after = disk_has_its_length},
    {.name = "virtio-blk, across a reboot",
     .arguments = {LINUX("6.1", "diskreboot"), "--disk", DISK_PATH},
     .steps = {EXPECT("CHECK recovered 0"), EXPECT("CHECK recovered 1")},
     .prepare = copy_disk},
    {.name = "virtio-blk and a hostile driver",
     .arguments = {HOSTILE("-q")},
     .steps = {EXPECT("PASS virtio_hostile")},
     .forbidden = "FAIL",
     .prepare = make_hostile_disk},
    {.name = "virtio-blk and a hostile driver, GIC outside the kernel",
     .arguments = {HOSTILE("-q", "--irqchip", "user")},
     .steps = {EXPECT("PASS virtio_hostile")},
     .forbidden = "FAIL",
     .prepare = make_hostile_disk},
    {.name = "virtio-blk, another format",
     .arguments = {"run", "--disk", QCOW2_PATH},
     .steps = {EXPECT("is a qcow2 image, and only raw ones can be used")},
     .prepare = make_qcow2,
     .status = STATUS_FILE},
    {.name = "virtio-blk, one image twice",
     .arguments = {"run", "--disk", DISK_PATH, "--disk", DISK_PATH},
     .steps = {EXPECT("is in use")},
     .prepare = make_hostile_disk,
     .status = STATUS_FILE},
    {.name = "virtio-blk, a property there isn't",
     .arguments = {"run", "--disk", DISK_PATH ",seriel=1"},
     .steps = {EXPECT("did you mean 'serial'?")},
     .status = STATUS_USAGE},
    {.name = "virtio-rng, linux 6.1",
     .arguments = {LINUX("6.1", "entropy"), "--stats", "--device", "virtio-rng"},
     .steps = ENTROPY},
    {.name = "virtio-rng, linux 6.12, 2 vCPUs",
     .arguments = {LINUX("6.12", "entropy"), "-c", "2", "--stats", "--device", "virtio-rng"},
     .steps = ENTROPY},
    {.name = "virtio-rng with a GIC outside the kernel",
     .arguments = {LINUX("6.1", "entropy"), "--irqchip", "user", "--stats", "--device",
                   "virtio-rng"},
     .steps = ENTROPY},
    {.name = NULL},
};
