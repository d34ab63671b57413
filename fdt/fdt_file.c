// SPDX-License-Identifier: Apache-2.0
#include "armlet/fdt_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fdt_internal.h"

enum {
    SOURCE_SEARCH_BYTES = 4096, /* how far into a file "/dts-v1/" may follow comments */
    OUTPUT_MODE = 0600,         /* /chosen has the seeds of the guest's random numbers */
    FORMAT_VERSION = 17, /* Devicetree Specification, 5.2; libfdt is unsafe with older ones */
};

/* Whether this is the text that dtc compiles: its version tag, after comments at most. */
static bool is_source(const void *data, size_t size_bytes)
{
    static const char tag[] = "/dts-v1/";
    size_t searched = size_bytes < SOURCE_SEARCH_BYTES ? size_bytes : SOURCE_SEARCH_BYTES;

    return memmem(data, searched, tag, sizeof(tag) - 1) != NULL;
}

bool fdt_check_bytes(const void *data, size_t size_bytes, size_t *tree_bytes, struct error *error)
{
    if (size_bytes == 0)
        return error_set(error, ERROR_FILE, 0, "the file is empty");
    if (is_source(data, size_bytes))
        return error_set(error, ERROR_FILE, 0,
                         "it is device tree source, not a compiled tree; "
                         "compile it with dtc -@ -O dtb -o OUTPUT INPUT");
    if (size_bytes < sizeof(fdt32_t) || fdt_magic(data) != FDT_MAGIC)
        return error_set(error, ERROR_FILE, 0,
                         "not a device tree: bad magic; a .dts is compiled with dtc");
    if (size_bytes < FDT_V1_SIZE)
        return error_set(error, ERROR_FILE, 0, "the device tree is truncated: %zu bytes",
                         size_bytes);
    if (fdt_totalsize(data) > size_bytes)
        return error_set(error, ERROR_FILE, 0, "the device tree is truncated: %zu of %u bytes",
                         size_bytes, fdt_totalsize(data));
    if (fdt_totalsize(data) > FDT_FILE_MAX_BYTES)
        return fdt_too_large(error);
    if (fdt_version(data) < FORMAT_VERSION)
        return error_set(error, ERROR_FILE, 0,
                         "the device tree has format version %u, not %d; "
                         "dtc -I dtb -O dtb converts it",
                         fdt_version(data), FORMAT_VERSION);

    int status = fdt_check_full(data, size_bytes);

    if (status)
        return error_set(error, ERROR_FILE, 0, "the device tree is damaged: %s",
                         fdt_strerror(status));
    *tree_bytes = fdt_totalsize(data);
    return true;
}

bool fdt_too_large(struct error *error)
{
    return error_set(error, ERROR_FILE, 0,
                     "the device tree has more than the %d bytes that arm64 kernels accept",
                     FDT_FILE_MAX_BYTES);
}

/* Reads to the end, or to one byte more than a tree may have. */
static bool read_all(int fd, uint8_t *data, size_t capacity, size_t *size_bytes,
                     struct error *error)
{
    *size_bytes = 0;
    while (*size_bytes < capacity) {
        ssize_t count = read(fd, data + *size_bytes, capacity - *size_bytes);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set(error, ERROR_FILE, errno, "cannot read");
        if (count == 0)
            return true;
        *size_bytes += (size_t)count;
    }
    return true;
}

static void *read_file(int fd, size_t *size_bytes, struct error *error)
{
    const size_t limit = (size_t)FDT_FILE_MAX_BYTES + 1;
    struct stat status;
    size_t capacity = limit;

    if (fstat(fd, &status) != 0) {
        error_set(error, ERROR_FILE, errno, "cannot stat");
        return NULL;
    }
    if (S_ISREG(status.st_mode) && status.st_size < (off_t)limit)
        capacity = (size_t)status.st_size + 1;
    uint8_t *data = malloc(capacity);

    if (!data) {
        error_set(error, ERROR_HOST, ENOMEM, "cannot allocate %zu bytes", capacity);
        return NULL;
    }
    if (read_all(fd, data, capacity, size_bytes, error)) {
        if (*size_bytes < limit)
            return data;
        fdt_too_large(error);
    }
    free(data);
    return NULL;
}

void *fdt_read_file(const char *path, size_t *size_bytes, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *data = NULL;
    size_t file_bytes;

    if (fd < 0) {
        error_set(error, ERROR_FILE, errno, "cannot open");
        return NULL;
    }
    data = read_file(fd, &file_bytes, error);
    (void)close(fd);
    if (data && !fdt_check_bytes(data, file_bytes, size_bytes, error)) {
        free(data);
        data = NULL;
    }
    return data;
}

/*
 * Whether this is a piece of a tree: it has fragments, or references to labels elsewhere and no
 * machine of its own.
 */
static bool is_overlay(const void *fdt)
{
    int node;

    fdt_for_each_subnode(node, fdt, 0)
    {
        if (fdt_subnode_offset(fdt, node, "__overlay__") >= 0)
            return true;
    }
    return fdt_subnode_offset(fdt, 0, "__fixups__") >= 0 && fdt_subnode_offset(fdt, 0, "cpus") < 0;
}

void *fdt_file_load(const char *path, size_t *size_bytes, struct error *error)
{
    void *fdt = fdt_read_file(path, size_bytes, error);

    if (fdt && is_overlay(fdt)) {
        error_set(error, ERROR_FILE, 0, "it is an overlay: use --dtbo");
        free(fdt);
        fdt = NULL;
    }
    if (!fdt)
        error_add_context(error, "cannot use device tree '%s'", path);
    return fdt;
}

static bool write_all(int fd, const uint8_t *data, size_t size_bytes, struct error *error)
{
    while (size_bytes > 0) {
        ssize_t count = write(fd, data, size_bytes);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_set(error, ERROR_FILE, errno, "cannot write");
        data += count;
        size_bytes -= (size_t)count;
    }
    return true;
}

static bool write_path(const char *path, const void *fdt, size_t size_bytes, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return write_all(STDOUT_FILENO, fdt, size_bytes, error);

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, OUTPUT_MODE);

    if (fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot create");
    bool good = write_all(fd, fdt, size_bytes, error);

    /* A remote or full file system may only tell now. */
    if (close(fd) != 0 && good)
        good = error_set(error, ERROR_FILE, errno, "cannot write");
    return good;
}

bool fdt_write_file(const char *path, const void *fdt, size_t size_bytes, struct error *error)
{
    return write_path(path, fdt, size_bytes, error) ||
           error_add_context(error, "cannot write device tree '%s'", path);
}
