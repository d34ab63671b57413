// SPDX-License-Identifier: Apache-2.0
#include "thread_usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_US UINT64_C(1000)

enum { FILE_BYTES = 4096 }; /* both files are shorter */

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

void thread_usage_add(struct thread_usage *sum, const struct thread_usage *usage)
{
    counter_add(&sum->voluntary_switches, counter_read(&usage->voluntary_switches));
    counter_add(&sum->involuntary_switches, counter_read(&usage->involuntary_switches));
    counter_add(&sum->minor_faults, counter_read(&usage->minor_faults));
    counter_add(&sum->major_faults, counter_read(&usage->major_faults));
    counter_add(&sum->user_ns, counter_read(&usage->user_ns));
    counter_add(&sum->system_ns, counter_read(&usage->system_ns));
}

void thread_usage_add_own(struct thread_usage *usage)
{
    struct rusage own;

    if (getrusage(RUSAGE_THREAD, &own) != 0)
        return;
    const struct thread_usage used = {
        .voluntary_switches = (uint64_t)own.ru_nvcsw,
        .involuntary_switches = (uint64_t)own.ru_nivcsw,
        .minor_faults = (uint64_t)own.ru_minflt,
        .major_faults = (uint64_t)own.ru_majflt,
        .user_ns = ns_of(own.ru_utime),
        .system_ns = ns_of(own.ru_stime),
    };
    thread_usage_add(usage, &used);
}

static bool read_file(pid_t thread, const char *name, char text[static FILE_BYTES])
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)thread, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, FILE_BYTES - 1);
    (void)close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* The number behind a name at the start of a line; 0 if there is none. */
static uint64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* proc_pid_stat(5): the fields from the third on follow the name's parenthesis. */
static bool parse_stat(const char *text, struct thread_usage *usage)
{
    enum { MINOR_FAULTS = 10, MAJOR_FAULTS = 12, USER_TIME = 14, SYSTEM_TIME = 15, FIELDS };
    uint64_t fields[FIELDS] = {0};
    const char *at = strrchr(text, ')');
    const uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

    for (size_t field = 3; field < FIELDS; field++) {
        at = at ? strchr(at, ' ') : NULL;
        if (!at)
            return false;
        fields[field] = strtoull(++at, NULL, 10);
    }
    usage->minor_faults = fields[MINOR_FAULTS];
    usage->major_faults = fields[MAJOR_FAULTS];
    usage->user_ns = fields[USER_TIME] * tick_ns;
    usage->system_ns = fields[SYSTEM_TIME] * tick_ns;
    return true;
}

bool thread_usage_read(pid_t thread, struct thread_usage *usage)
{
    char text[FILE_BYTES];

    *usage = (struct thread_usage){0};
    if (!read_file(thread, "stat", text) || !parse_stat(text, usage) ||
        !read_file(thread, "status", text))
        return false;
    usage->voluntary_switches = number_after(text, "\nvoluntary_ctxt_switches:");
    usage->involuntary_switches = number_after(text, "\nnonvoluntary_ctxt_switches:");
    return true;
}
