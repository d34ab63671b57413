// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_internal.h"
#include "options.h"

#define GROUP_MEMORY "memory"
#define GROUP_LIMITS "limits"
#define POOLS_PATH   "/sys/kernel/mm/hugepages"

enum {
    KIB_BYTES = 1024,
    POOLS_MAX = 8, /* arm64 has at most four sizes at a time */
    /* A vCPU's file, and with room to spare the rest: VM, GIC, event loop, console. */
    FILES_WANTED = MAX_VCPUS + 64,
};

const char *size_text(char text[SIZE_TEXT_BYTES], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    uint64_t rest = 0;

    while (bytes >= KIB_BYTES && unit + 1 < sizeof(units) / sizeof(units[0])) {
        rest = bytes % KIB_BYTES;
        bytes /= KIB_BYTES;
        unit++;
    }
    uint64_t tenth = rest * 10 / KIB_BYTES;
    if (tenth)
        (void)snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " %s", bytes, tenth,
                       units[unit]);
    else
        (void)snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
    return text;
}

/* A line of /proc/meminfo: "MemTotal:  16313420 kB". */
static bool read_meminfo(const struct doctor_host *host, const char *key, uint64_t *bytes)
{
    FILE *file = host_open(host, "/proc/meminfo");
    char line[DOCTOR_TEXT_BYTES];
    const size_t length = strlen(key);
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        uint64_t kib = 0;

        found = strncmp(line, key, length) == 0 && line[length] == ':' &&
                sscanf(line + length + 1, "%" SCNu64, &kib) == 1;
        *bytes = kib * KIB_BYTES;
    }
    if (file)
        (void)fclose(file);
    return found;
}

static void check_ram(const struct doctor_host *host, struct report *report, const char *name,
                      const char *key)
{
    char text[SIZE_TEXT_BYTES];
    uint64_t bytes = 0;

    (void)report_add(report, GROUP_MEMORY, name, CHECK_INFO, "%s",
                     read_meminfo(host, key, &bytes) ? size_text(text, bytes) : "unknown");
}

/* The mode in use is the one in brackets: "always [madvise] never". */
static void check_transparent_huge_pages(const struct doctor_host *host, struct report *report)
{
    static const char name[] = "transparent huge pages";
    static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    char text[DOCTOR_TEXT_BYTES];
    char *mode = host_read(host, path, text) ? strchr(text, '[') : NULL;

    if (!mode) {
        struct check *check = report_add(report, GROUP_MEMORY, name, CHECK_MISSING, "no");
        check_hint(check, "this kernel has none (CONFIG_TRANSPARENT_HUGEPAGE): guests with much "
                          "memory run slower");
        return;
    }
    mode++;
    mode[strcspn(mode, "]")] = '\0';
    struct check *check = report_add(report, GROUP_MEMORY, name, CHECK_OK, "%.20s", mode);
    if (strcmp(mode, "never") == 0) {
        check->status = CHECK_WARNING;
        check_hint(check, "guests with much memory run slower: echo madvise | sudo tee %s", path);
    }
}

struct pool {
    uint64_t page_kib;
    uint64_t total;
    uint64_t free;
};

static int compare_pools(const void *left, const void *right)
{
    uint64_t a = ((const struct pool *)left)->page_kib;
    uint64_t b = ((const struct pool *)right)->page_kib;

    return (a > b) - (a < b);
}

static size_t read_pools(const struct doctor_host *host, struct pool pools[POOLS_MAX])
{
    char path[PATH_MAX];
    const struct dirent *entry;
    size_t count = 0;

    if (snprintf(path, sizeof(path), "%s" POOLS_PATH, host->root) >= (int)sizeof(path))
        return 0;
    DIR *directory = opendir(path);
    if (!directory)
        return 0;
    /* This directory is ours alone. */
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while (count < POOLS_MAX && (entry = readdir(directory))) {
        struct pool pool = {0};

        if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &pool.page_kib) != 1)
            continue;
        (void)snprintf(path, sizeof(path), POOLS_PATH "/hugepages-%" PRIu64 "kB/nr_hugepages",
                       pool.page_kib);
        (void)host_read_number(host, path, &pool.total);
        (void)snprintf(path, sizeof(path), POOLS_PATH "/hugepages-%" PRIu64 "kB/free_hugepages",
                       pool.page_kib);
        (void)host_read_number(host, path, &pool.free);
        pools[count++] = pool;
    }
    (void)closedir(directory);
    qsort(pools, count, sizeof(pools[0]), compare_pools);
    return count;
}

static struct check *check_pool(struct report *report, const struct pool *pool)
{
    char size[SIZE_TEXT_BYTES];
    char name[CHECK_NAME_BYTES];

    (void)snprintf(name, sizeof(name), "huge pages, %s",
                   size_text(size, pool->page_kib * KIB_BYTES));
    return report_add(report, GROUP_MEMORY, name, CHECK_INFO, "%" PRIu64 " free of %" PRIu64,
                      pool->free, pool->total);
}

/* Where no pool has pages, the hint stands once: at the size that --memory-backing hugetlb takes.
 */
static void check_pools(const struct doctor_host *host, struct report *report)
{
    struct pool pools[POOLS_MAX];
    size_t count = read_pools(host, pools);
    struct check *usual = NULL;
    uint64_t usual_bytes = 0;
    uint64_t total = 0;

    (void)read_meminfo(host, "Hugepagesize", &usual_bytes);
    for (size_t i = 0; i < count; i++) {
        struct check *check = check_pool(report, &pools[i]);

        total += pools[i].total;
        if (pools[i].page_kib * KIB_BYTES == usual_bytes)
            usual = check;
    }
    if (usual && total == 0)
        check_hint(usual,
                   "for --memory-backing hugetlb: echo COUNT | sudo tee " POOLS_PATH
                   "/hugepages-%" PRIu64 "kB/nr_hugepages",
                   usual_bytes / KIB_BYTES);
    if (count == 0) {
        struct check *check = report_add(report, GROUP_MEMORY, "huge pages", CHECK_MISSING, "no");
        check_hint(check, "this kernel has none to set aside (CONFIG_HUGETLBFS): "
                          "--memory-backing hugetlb can't be used");
    }
}

void doctor_check_memory(const struct doctor_host *host, struct report *report)
{
    check_ram(host, report, "RAM", "MemTotal");
    check_ram(host, report, "RAM available", "MemAvailable");
    check_transparent_huge_pages(host, report);
    check_pools(host, report);
}

static void check_memory_lock(const struct doctor_host *host, struct report *report)
{
    char text[SIZE_TEXT_BYTES];
    rlim_t limit = host->memory_lock.rlim_cur;

    if (limit == RLIM_INFINITY) {
        (void)report_add(report, GROUP_LIMITS, "locked memory", CHECK_OK, "unlimited");
        return;
    }
    struct check *check =
        report_add(report, GROUP_LIMITS, "locked memory", CHECK_INFO, "%s", size_text(text, limit));
    check_hint(check, "--lock-memory needs as much as the guest has: ulimit -l unlimited, or "
                      "LimitMEMLOCK= in a systemd unit (root has no limit)");
}

static void check_open_files(const struct doctor_host *host, struct report *report)
{
    rlim_t limit = host->open_files.rlim_cur;

    if (limit == RLIM_INFINITY) {
        (void)report_add(report, GROUP_LIMITS, "open files", CHECK_OK, "unlimited");
        return;
    }
    struct check *check =
        report_add(report, GROUP_LIMITS, "open files", CHECK_OK, "%ju", (uintmax_t)limit);
    if (limit < FILES_WANTED) {
        check->status = CHECK_WARNING;
        check_hint(check, "each vCPU takes one: for %d of them ulimit -n %d", MAX_VCPUS,
                   FILES_WANTED);
    }
}

void doctor_check_limits(const struct doctor_host *host, struct report *report)
{
    check_memory_lock(host, report);
    check_open_files(host, report);
}
