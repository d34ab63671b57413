// SPDX-License-Identifier: Apache-2.0
#include "memory_backing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static const char available_tag[] = "MemAvailable:";

enum { HINT_BYTES = 128, POOL_BYTES = 80 };

#define TWO_MIB   ((size_t)2 << 20)
#define MIB_OF(n) ((uint64_t)(n) >> 20)

static bool map_failed(struct error *error, const struct options *options, const char *hint)
{
    bool small = MIB_OF(options->memory_bytes) == 0;

    return error_set(error, ERROR_HOST, errno, "cannot map %" PRIu64 " %s of guest memory%s",
                     small ? options->memory_bytes >> 10 : MIB_OF(options->memory_bytes),
                     small ? "KiB" : "MiB", hint);
}

/* Puts a file without a name in its place, which other processes can map. */
static bool share(struct memory_mapping *mapping, const struct options *options,
                  struct error *error)
{
    mapping->fd = memfd_create("guest", MFD_CLOEXEC);
    if (mapping->fd < 0 || ftruncate(mapping->fd, (off_t)options->memory_bytes) != 0 ||
        mmap(mapping->memory.host, options->memory_bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED | MAP_NORESERVE, mapping->fd, 0) == MAP_FAILED)
        return map_failed(error, options, " to share");
    return true;
}

/*
 * Anonymous memory at an address that is a multiple of 2 MiB, as guest addresses are: only then
 * can the host use huge pages for both its own and the guest's translation.
 */
static bool map_anonymous(struct memory_mapping *mapping, const struct options *options,
                          struct error *error)
{
    size_t bytes = options->memory_bytes + TWO_MIB;
    uint8_t *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (start == MAP_FAILED)
        return map_failed(error, options, "");
    mapping->mapping = start;
    mapping->mapping_bytes = bytes;
    mapping->memory.host = start + (-(uintptr_t)start & (TWO_MIB - 1));
    if (options->shared_memory && !share(mapping, options, error))
        return false;
    if (options->backing == BACKING_TRANSPARENT &&
        madvise(mapping->memory.host, options->memory_bytes, MADV_HUGEPAGE) != 0)
        return error_set(error, ERROR_HOST, errno,
                         "the host's kernel has no transparent huge pages");
    return true;
}

static bool huge_pages_failed(struct error *error, const struct options *options, int failure)
{
    char hint[HINT_BYTES] = " on huge pages (see HugePages_Free in /proc/meminfo; set "
                            "vm.nr_hugepages)";
    char pool[POOL_BYTES];

    if (options->huge_page_bytes) {
        (void)snprintf(pool, sizeof(pool), "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB",
                       options->huge_page_bytes >> 10);
        if (access(pool, F_OK) != 0)
            return error_set(error, ERROR_HOST, 0,
                             "the host has no huge pages of %" PRIu64
                             " KiB: `armlet doctor` shows which it has",
                             options->huge_page_bytes >> 10);
        (void)snprintf(hint, sizeof(hint), " on huge pages (set %s/nr_hugepages)", pool);
    }
    errno = failure;
    return map_failed(error, options, hint);
}

static bool map_hugetlb(struct memory_mapping *mapping, const struct options *options,
                        struct error *error)
{
    int size_flag = 0;
    size_t bytes = options->memory_bytes;

    if (options->huge_page_bytes) {
        size_flag = __builtin_ctzll(options->huge_page_bytes) << MAP_HUGE_SHIFT;
        if (bytes % options->huge_page_bytes)
            return error_set(error, ERROR_USAGE, 0,
                             "--memory of %" PRIu64 " MiB is not a multiple of the huge page size, "
                             "%" PRIu64 " MiB",
                             MIB_OF(bytes), MIB_OF(options->huge_page_bytes));
    }
    /* Without MAP_NORESERVE the pages are set aside now, or the call fails. */
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size_flag, -1, 0);
    if (start == MAP_FAILED)
        return huge_pages_failed(error, options, errno);
    mapping->mapping = start;
    mapping->mapping_bytes = bytes;
    mapping->memory.host = start;
    return true;
}

static bool prepare_file(int fd, const struct options *options, struct error *error)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return error_set(error, ERROR_FILE, 0, "it is not a regular file");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, ERROR_FILE, 0, "it is in use by another machine");
    if ((uint64_t)status.st_size > options->memory_bytes)
        return error_set(error, ERROR_FILE, 0,
                         "it is larger (%" PRIu64 " MiB) than the guest's memory (%" PRIu64 " MiB)",
                         MIB_OF(status.st_size), MIB_OF(options->memory_bytes));
    /* Sets the blocks aside, so that a full file system is an error now and not SIGBUS later. */
    int failure = posix_fallocate(fd, 0, (off_t)options->memory_bytes);
    if (!failure)
        return true;
    /* As long as it was, and with it the pages that a hugetlbfs gave so far. */
    (void)!ftruncate(fd, status.st_size);
    return error_set(error, ERROR_HOST, failure, "cannot set %" PRIu64 " MiB aside",
                     MIB_OF(options->memory_bytes));
}

/* *made says that the file wasn't there before. */
static int open_file(const char *path, bool *made)
{
    const int flags = O_RDWR | O_CLOEXEC;
    int fd = open(path, flags | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);

    *made = fd >= 0;
    return fd >= 0 || errno != EEXIST ? fd : open(path, flags);
}

static bool map_file(struct memory_mapping *mapping, const struct options *options,
                     struct error *error)
{
    const char *path = options->memory_path;

    bool made;

    mapping->fd = open_file(path, &made);
    if (mapping->fd < 0)
        return error_set(error, ERROR_FILE, errno, "cannot open memory file '%s'", path);
    if (!prepare_file(mapping->fd, options, error)) {
        if (made)
            (void)unlink(path);
        return error_add_context(error, "cannot use memory file '%s'", path);
    }

    void *start =
        mmap(NULL, options->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mapping->fd, 0);
    if (start == MAP_FAILED)
        return map_failed(error, options, " from a file");
    mapping->mapping = start;
    mapping->mapping_bytes = options->memory_bytes;
    mapping->memory.host = start;
    return true;
}

/* What the host's kernel says it could give without swapping; 0 if it doesn't. */
static uint64_t available_bytes(void)
{
    uint64_t kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    char line[HINT_BYTES];

    if (!file)
        return 0;
    while (kib == 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, available_tag, sizeof(available_tag) - 1) == 0)
            kib = strtoull(line + sizeof(available_tag) - 1, NULL, 10);
    (void)fclose(file);
    return kib << 10;
}

/* Asked for all at once, too much memory would call up the OOM killer instead of an error. */
static bool check_available(const struct options *options, struct error *error)
{
    if (!options->prefault || options->backing == BACKING_HUGETLB)
        return true;
    uint64_t available = available_bytes();
    if (available == 0 || options->memory_bytes <= available)
        return true;
    return error_set(error, ERROR_HOST, 0,
                     "cannot prefault %" PRIu64 " MiB: the host has %" PRIu64 " MiB available",
                     MIB_OF(options->memory_bytes), MIB_OF(available));
}

static bool prepare_pages(const struct memory_mapping *mapping, const struct options *options,
                          struct error *error)
{
    void *host = mapping->memory.host;

    if (options->prefault && madvise(host, options->memory_bytes, MADV_POPULATE_WRITE) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot prefault %" PRIu64 " MiB",
                         MIB_OF(options->memory_bytes));
    /* Without --prefault a page is locked when the guest first touches it. */
    if (options->locked && mlock2(host, options->memory_bytes, MLOCK_ONFAULT) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot lock %" PRIu64 " MiB (see `ulimit -l`)",
                         MIB_OF(options->memory_bytes));
    return true;
}

static bool map(struct memory_mapping *mapping, const struct options *options, struct error *error)
{
    switch (options->backing) {
    case BACKING_HUGETLB:
        return map_hugetlb(mapping, options, error);
    case BACKING_SHARED_FILE:
        return map_file(mapping, options, error);
    case BACKING_DEFAULT:
    case BACKING_TRANSPARENT:
        break;
    }
    return map_anonymous(mapping, options, error);
}

void memory_mapping_expect_little(const struct guest_memory *memory, const struct options *options,
                                  gpa_t address, uint64_t size_bytes)
{
    uint64_t first = (address.value - memory->base.value) & ~(TWO_MIB - 1);
    uint64_t end = address.value - memory->base.value + size_bytes;

    assert(end <= memory->size_bytes);
    if (options->backing == BACKING_DEFAULT && !options->prefault)
        (void)madvise(memory->host + first, end - first, MADV_NOHUGEPAGE);
}

/* A child (see guardian.h) would make every page that the guest writes a copy. */
static bool keep_from_children(const struct memory_mapping *mapping, struct error *error)
{
    return madvise(mapping->mapping, mapping->mapping_bytes, MADV_DONTFORK) == 0 ||
           error_set(error, ERROR_HOST, errno, "cannot keep guest memory from child processes");
}

bool memory_mapping_create(struct memory_mapping *mapping, const struct options *options,
                           gpa_t base, struct error *error)
{
    *mapping = (struct memory_mapping){
        .memory = {.base = base, .size_bytes = options->memory_bytes},
        .fd = -1,
    };
    if (!check_available(options, error))
        return false;
    if (map(mapping, options, error) && keep_from_children(mapping, error) &&
        prepare_pages(mapping, options, error))
        return true;
    memory_mapping_destroy(mapping);
    return false;
}

void memory_mapping_destroy(struct memory_mapping *mapping)
{
    if (mapping->mapping)
        (void)munmap(mapping->mapping, mapping->mapping_bytes);
    if (mapping->fd >= 0)
        (void)close(mapping->fd);
    *mapping = (struct memory_mapping){.fd = -1};
}
