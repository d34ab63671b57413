// SPDX-License-Identifier: Apache-2.0
#include "image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse_kind(mode_t mode, struct error *error)
{
    if (S_ISDIR(mode))
        return error_set(error, ERROR_FILE, 0, "is a directory");
    if (S_ISFIFO(mode))
        return error_set(error, ERROR_FILE, 0,
                         "is a pipe, which can't be read again on a reboot: save it to a file");
    if (S_ISSOCK(mode))
        return error_set(error, ERROR_FILE, 0, "is a socket, not a file");
    return error_set(error, ERROR_FILE, 0, "is a device, not a file");
}

static bool look_at(struct file *file, struct error *error)
{
    struct stat status;

    if (fstat(file->fd, &status) != 0)
        return error_set(error, ERROR_FILE, errno, "cannot stat");
    if (!S_ISREG(status.st_mode))
        return refuse_kind(status.st_mode, error);
    if (status.st_size == 0)
        return error_set(error, ERROR_FILE, 0, "the file is empty");
    file->size_bytes = (uint64_t)status.st_size;
    file->modified = status.st_mtim;
    return true;
}

bool file_open(struct file *file, const char *path, struct error *error)
{
    /* Not blocking: a pipe that no one writes to is refused like any other. */
    *file = (struct file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (file->fd < 0 && errno == ENXIO)
        return error_set(error, ERROR_FILE, 0, "is a socket or a device, not a file");
    if (file->fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot open");
    if (look_at(file, error))
        return true;
    file_close(file);
    return false;
}

void file_open_memory(struct file *file, const void *data, size_t size_bytes)
{
    *file = (struct file){.fd = -1, .data = data, .size_bytes = size_bytes};
}

void file_close(struct file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

bool file_refresh(struct file *file, bool *changed, struct error *error)
{
    const struct file before = *file;

    *changed = false;
    if (file->fd < 0)
        return true;
    if (!look_at(file, error))
        return false;
    *changed = file->size_bytes != before.size_bytes ||
               file->modified.tv_sec != before.modified.tv_sec ||
               file->modified.tv_nsec != before.modified.tv_nsec;
    return true;
}

static bool refuse_truncated(const struct file *file, struct error *error)
{
    return error_set(error, ERROR_FILE, 0,
                     "the file ends before what it says it has: at %" PRIu64 " bytes",
                     file->size_bytes);
}

bool file_read(const struct file *file, uint64_t offset, void *to, size_t size_bytes,
               struct error *error)
{
    uint8_t *next = to;

    if (offset > file->size_bytes || size_bytes > file->size_bytes - offset)
        return refuse_truncated(file, error);
    if (size_bytes == 0)
        return true;
    if (file->fd < 0) {
        memcpy(to, file->data + offset, size_bytes);
        return true;
    }
    while (size_bytes > 0) {
        ssize_t count = pread(file->fd, next, size_bytes, (off_t)offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set(error, ERROR_FILE, errno, "cannot read");
        if (count == 0)
            return error_set(error, ERROR_FILE, 0, "the file became shorter while it was read");
        next += count;
        offset += (uint64_t)count;
        size_bytes -= (size_t)count;
    }
    return true;
}

bool file_size(const char *path, uint64_t *size_bytes, struct error *error)
{
    struct file file;

    if (!file_open(&file, path, error))
        return false;
    *size_bytes = file.size_bytes;
    file_close(&file);
    return true;
}

static bool load_opened(struct file *file, struct span span, struct error *error)
{
    if (file->size_bytes == span.size_bytes &&
        !file_read(file, 0, span.data, span.size_bytes, error))
        return false;
    if (!look_at(file, error))
        return false;
    if (file->size_bytes != span.size_bytes)
        return error_set(error, ERROR_FILE, 0,
                         "the file's size changed: it was %zu bytes, it is %" PRIu64,
                         span.size_bytes, file->size_bytes);
    return true;
}

bool file_load(const char *path, struct span span, uint64_t *size_bytes, struct error *error)
{
    struct file file;

    if (!file_open(&file, path, error))
        return false;
    bool good = load_opened(&file, span, error);

    *size_bytes = good ? span.size_bytes : 0;
    file_close(&file);
    return good;
}
