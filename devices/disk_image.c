// SPDX-License-Identifier: Apache-2.0
#include "disk_image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    NO_FILE = -1,
    DIRECT_ALIGNMENT = 4096, /* no disk asks for more */
    PROBE_BYTES = 512,
    ZERO_BYTES = 4096,
};

/* ---- opening ---- */

/* What an image of another format begins with; QEMU's documents and those of each format. */
static const struct {
    const char *name; /* as qemu-img has it */
    size_t offset, size_bytes;
    const char *magic;
} formats[] = {
    {"qcow2", 0, 4, "QFI\xfb"},
    {"qed", 0, 4, "QED\0"},
    {"vmdk", 0, 4, "KDMV"},
    {"vmdk", 0, 4, "COWD"},
    {"vmdk", 0, 21, "# Disk DescriptorFile"},
    {"vdi", 0x40, 4, "\x7f\x10\xda\xbe"},
    {"vhdx", 0, 8, "vhdxfile"},
    {"vpc", 0, 8, "conectix"},
    {"parallels", 0, 16, "WithoutFreeSpace"},
};
enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

static bool check_format(const struct disk_image *image, struct error *error)
{
    char head[PROBE_BYTES] = {0};

    if (pread(image->fd, head, sizeof(head), 0) < 0)
        return error_set(error, ERROR_FILE, errno, "cannot read disk '%s'", image->path);
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (memcmp(head + formats[i].offset, formats[i].magic, formats[i].size_bytes) == 0)
            return error_set(error, ERROR_FILE, 0,
                             "disk '%s' is a %s image, and only raw ones can be used: convert it "
                             "(qemu-img convert -O raw), or say 'raw' if it is one",
                             image->path, formats[i].name);
    return true;
}

static bool read_device_size(struct disk_image *image, struct error *error)
{
    int block_bytes = 0;

    if (ioctl(image->fd, BLKGETSIZE64, &image->size_bytes) != 0 ||
        ioctl(image->fd, BLKSSZGET, &block_bytes) != 0 ||
        ioctl(image->fd, BLKPBSZGET, &image->physical_block_bytes) != 0 ||
        ioctl(image->fd, BLKIOMIN, &image->minimum_io_bytes) != 0 ||
        ioctl(image->fd, BLKIOOPT, &image->optimal_io_bytes) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot get the size of disk '%s'", image->path);
    image->block_bytes = (uint32_t)block_bytes;
    return true;
}

static bool read_size(struct disk_image *image, struct error *error)
{
    struct stat status;

    if (fstat(image->fd, &status) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot look at disk '%s'", image->path);
    if (S_ISREG(status.st_mode)) {
        image->size_bytes = (uint64_t)status.st_size;
        image->block_bytes = DISK_SECTOR_BYTES;
        image->physical_block_bytes = image->minimum_io_bytes = (uint32_t)status.st_blksize;
    } else if (!S_ISBLK(status.st_mode)) {
        return error_set(error, ERROR_FILE, 0, "disk '%s' is no file and no block device",
                         image->path);
    } else if (!read_device_size(image, error)) {
        return false;
    }
    if (image->size_bytes == 0 || image->size_bytes % DISK_SECTOR_BYTES)
        return error_set(error, ERROR_FILE, 0,
                         "disk '%s' has %llu bytes: a disk has a multiple of 512, and not 0",
                         image->path, (unsigned long long)image->size_bytes);
    return true;
}

static bool is_in_memory(const struct disk_image *image)
{
    struct statfs file_system;

    return fstatfs(image->fd, &file_system) == 0 &&
           (file_system.f_type == TMPFS_MAGIC || file_system.f_type == RAMFS_MAGIC);
}

static bool lock(const struct disk_image *image, struct error *error)
{
    struct flock range = {.l_type = image->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(image->fd, F_OFD_SETLK, &range) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        return error_set(error, ERROR_FILE, 0,
                         "disk '%s' is in use: it can be open once, or by all with ',ro'",
                         image->path);
    return error_set(error, ERROR_FILE, errno, "cannot lock disk '%s'", image->path);
}

/* O_NONBLOCK is for opening alone: somebody else's FIFO must not make us wait. */
static int open_file(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, flags);
    return fd;
}

/* Somebody may have put another file at the path between the two calls. */
static bool is_same_file(const struct disk_image *image, struct error *error)
{
    struct stat one, other;

    if (fstat(image->fd, &one) != 0 || fstat(image->direct_fd, &other) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot look at disk '%s'", image->path);
    return (one.st_dev == other.st_dev && one.st_ino == other.st_ino) ||
           error_set(error, ERROR_FILE, 0, "disk '%s' was replaced while it was opened",
                     image->path);
}

static bool open_files(struct disk_image *image, bool direct, struct error *error)
{
    int flags = image->read_only ? O_RDONLY : O_RDWR;

    image->fd = open_file(image->path, flags);
    if (image->fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot open disk '%s' for reading%s",
                         image->path,
                         image->read_only ? "" : " and writing (',ro' is for reading only)");
    if (!direct)
        return true;
    image->direct_fd = open_file(image->path, flags | O_DIRECT);
    if (image->direct_fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot open disk '%s' with 'direct'%s",
                         image->path, errno == EINVAL ? ", which its file system hasn't" : "");
    return is_same_file(image, error);
}

bool disk_image_open(struct disk_image *image, const struct disk_image_config *config,
                     struct error *error)
{
    *image = (struct disk_image){
        .path = config->path,
        .fd = NO_FILE,
        .direct_fd = NO_FILE,
        .read_only = config->read_only,
    };
    if (open_files(image, config->direct, error) && lock(image, error) &&
        (config->raw || check_format(image, error)) && read_size(image, error)) {
        image->in_memory = is_in_memory(image);
        return true;
    }
    disk_image_close(image);
    return false;
}

void disk_image_close(struct disk_image *image)
{
    if (image->direct_fd >= 0)
        (void)close(image->direct_fd);
    if (image->fd >= 0)
        (void)close(image->fd);
    image->fd = image->direct_fd = NO_FILE;
}

/* ---- reading and writing ---- */

static bool is_aligned(uint64_t offset, const struct iovec *segments, size_t count)
{
    uint64_t all = offset;

    for (size_t i = 0; i < count; i++)
        all |= (uintptr_t)segments[i].iov_base | segments[i].iov_len;
    return all % DIRECT_ALIGNMENT == 0;
}

/* The host keeps the two views of the file together. */
int disk_image_file(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                    size_t count)
{
    return image->direct_fd >= 0 && is_aligned(offset, segments, count) ? image->direct_fd
                                                                        : image->fd;
}

size_t disk_segments_advance(struct iovec **segments, size_t count, size_t done)
{
    while (count > 0 && done >= (*segments)->iov_len) {
        done -= (*segments)->iov_len;
        ++*segments;
        count--;
    }
    if (count > 0) {
        (*segments)->iov_base = (char *)(*segments)->iov_base + done;
        (*segments)->iov_len -= done;
    }
    return count;
}

typedef ssize_t transfer_function(int fd, const struct iovec *segments, int count, off_t offset);

static int transfer(const struct disk_image *image, transfer_function *function, uint64_t offset,
                    const struct iovec *segments, size_t count)
{
    struct iovec copy[DISK_MOST_SEGMENTS];
    struct iovec *left = copy;

    assert(count <= DISK_MOST_SEGMENTS);
    memcpy(copy, segments, count * sizeof(*segments));
    while (count > 0) {
        int fd = disk_image_file(image, offset, left, count);
        ssize_t done = function(fd, left, (int)count, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0) /* somebody made the file shorter */
            return EIO;
        offset += (uint64_t)done;
        count = disk_segments_advance(&left, count, (size_t)done);
    }
    return 0;
}

int disk_image_read(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                    size_t count)
{
    return transfer(image, preadv, offset, segments, count);
}

int disk_image_write(const struct disk_image *image, uint64_t offset, const struct iovec *segments,
                     size_t count)
{
    return transfer(image, pwritev, offset, segments, count);
}

int disk_image_flush(const struct disk_image *image)
{
    while (fdatasync(image->fd) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* ---- ranges ---- */

/* fallocate(2) does this for block devices, too. */
static int allocate(const struct disk_image *image, int mode, uint64_t offset, uint64_t size_bytes)
{
    while (fallocate(image->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size_bytes) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int disk_image_discard(const struct disk_image *image, uint64_t offset, uint64_t size_bytes)
{
    int code = allocate(image, FALLOC_FL_PUNCH_HOLE, offset, size_bytes);

    return code == EOPNOTSUPP ? 0 : code; /* it is a hint */
}

/* One block of zeros, many times. */
static int write_zeroes(const struct disk_image *image, uint64_t offset, uint64_t size_bytes)
{
    _Alignas(DIRECT_ALIGNMENT) static const uint8_t zeros[ZERO_BYTES];
    struct iovec segments[DISK_MOST_SEGMENTS];
    int code = 0;

    while (size_bytes > 0 && code == 0) {
        size_t count = 0;
        uint64_t part = 0;

        for (; count < DISK_MOST_SEGMENTS && part < size_bytes; count++) {
            uint64_t left = size_bytes - part;
            size_t bytes = left < ZERO_BYTES ? (size_t)left : ZERO_BYTES;

            segments[count] = (struct iovec){(void *)zeros, bytes};
            part += bytes;
        }
        code = disk_image_write(image, offset, segments, count);
        offset += part;
        size_bytes -= part;
    }
    return code;
}

int disk_image_write_zeroes(const struct disk_image *image, uint64_t offset, uint64_t size_bytes,
                            bool unmap)
{
    int mode = unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    int code = allocate(image, mode, offset, size_bytes);

    return code == EOPNOTSUPP ? write_zeroes(image, offset, size_bytes) : code;
}
