// SPDX-License-Identifier: Apache-2.0
#include "machine_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "armlet/ticks.h"
#include "explain.h"
#include "irq_watch.h"
#include "memory_map.h"
#include "stats.h"
#include "svg.h"
#include "thread_usage.h"
#include "vcpu_registers.h"

#define NS_PER_S 1000000000ULL

/*
 * KVM traps the registers that describe caches since Linux 6.3, and CTR_EL0 with them
 * (HCR_EL2.TID2) if ID_AA64MMFR2_EL1.EVT (DDI 0487) is zero.
 */
enum { KVM_TRAPS_CACHES_MAJOR = 6, KVM_TRAPS_CACHES_MINOR = 3 };

#define REG_ID_AA64MMFR2_EL1 ARM64_SYS_REG(3, 0, 0, 7, 2)
#define MMFR2_EVT_SHIFT      56
#define MMFR2_EVT_MASK       0xfU

enum {
    FILE_MODE = 0666,
    STUCK_READER_MS = 2000, /* a reader that takes nothing for so long doesn't get the rest */
    WRITE_BYTES = 2048,     /* no more than what a pipe that poll(2) calls writable takes at once */
};

struct machine_stats {
    int stats_fd;   /* --stats-file, or -1 */
    int picture_fd; /* --latency=FILE, or -1 */
    uint64_t started_ns;
    uint32_t boots;
    bool host_traps_ctr;
    struct stats_vcpu *vcpus;
    struct stats_device *devices;
    struct stats_irq *irqs; /* of all devices */
    struct latency *latency;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- making ---- */

/* Keeps what is in a file until it is written to. */
static bool open_output(const char *path, int flags, int *fd, struct error *error)
{
    if (!path)
        return true;
    *fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, FILE_MODE);
    return *fd >= 0 || error_set(error, ERROR_FILE, errno, "cannot write to '%s'", path);
}

static bool create_latencies(struct machine *machine, struct error *error)
{
    const size_t devices = machine->bus.count;

    if (!machine->options->latency)
        return true;
    machine->stats->latency = latency_create(&machine->arena, devices, error);
    if (!machine->stats->latency)
        return false;
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++) {
        machine->vcpus[i].latency = latency_create(&machine->arena, devices, error);
        if (!machine->vcpus[i].latency)
            return false;
    }
    return true;
}

static size_t count_irqs(const struct machine *machine)
{
    size_t count = 0;

    for (size_t i = 0; i < machine->device_count; i++)
        count += machine->devices[i].irq_count;
    return count;
}

bool machine_stats_create(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;
    struct machine_stats *stats = arena_alloc(&machine->arena, 1, sizeof(*stats), error);

    if (!stats)
        return false;
    machine->stats = stats;
    stats->stats_fd = stats->picture_fd = -1;
    stats->vcpus = arena_alloc(&machine->arena, options->vcpu_count, sizeof(*stats->vcpus), error);
    stats->devices =
        arena_alloc(&machine->arena, machine->bus.count + 1, sizeof(*stats->devices), error);
    stats->irqs =
        arena_alloc(&machine->arena, count_irqs(machine) + 1, sizeof(*stats->irqs), error);
    if (!stats->vcpus || !stats->devices || !stats->irqs || !create_latencies(machine, error))
        return false;
    machine->environment.kvm_stats =
        options->stats != STATS_OFF || options->stats_path || options->explain;
    return options->dry_run ||
           (open_output(options->stats_path, O_APPEND, &stats->stats_fd, error) &&
            open_output(options->latency_path, 0, &stats->picture_fd, error));
}

static void close_output(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void machine_stats_destroy(struct machine *machine)
{
    if (!machine->stats)
        return;
    close_output(machine->stats->stats_fd);
    close_output(machine->stats->picture_fd);
}

static bool host_traps_cache_registers(void)
{
    struct utsname host;
    char *end;

    if (uname(&host) != 0)
        return false;
    unsigned long major = strtoul(host.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > KVM_TRAPS_CACHES_MAJOR ||
           (major == KVM_TRAPS_CACHES_MAJOR && minor >= KVM_TRAPS_CACHES_MINOR);
}

void machine_stats_power_on(struct machine *machine)
{
    struct machine_stats *stats = machine->stats;
    struct error error;
    uint64_t features;

    if (stats->boots++ == 0)
        stats->started_ns = now_ns();
    if (machine->options->explain && host_traps_cache_registers() &&
        vcpu_get_register(machine->vcpus[0].fd, REG_ID_AA64MMFR2_EL1, &features, &error))
        stats->host_traps_ctr = (features >> MMFR2_EVT_SHIFT & MMFR2_EVT_MASK) == 0;
}

/* ---- taking ---- */

static void take_vcpus(const struct machine *machine)
{
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++) {
        const struct vcpu *vcpu = &machine->vcpus[i];
        struct stats_vcpu *taken = &machine->stats->vcpus[i];
        struct thread_usage usage;
        struct kvm_stats kvm;
        pid_t thread = atomic_load(&vcpu->thread_id);

        *taken = (struct stats_vcpu){.counters = &vcpu->counters, .kvm = vcpu->kvm_before};
        thread_usage_add(&taken->usage, &vcpu->usage);
        if (thread != 0 && thread_usage_read(thread, &usage))
            thread_usage_add(&taken->usage, &usage);
        kvm_stats_read(&vcpu->kvm_stats, &kvm);
        kvm_stats_add(&taken->kvm, &kvm);
    }
}

static const struct machine_device *find_device(const struct machine *machine,
                                                const struct device *device)
{
    for (size_t i = 0; i < machine->device_count; i++)
        if (machine->devices[i].device == device)
            return &machine->devices[i];
    return NULL;
}

/* A device that each CPU has one of counts in each. */
static uint64_t count_bad_accesses(const struct machine *machine, const struct bus_entry *entry)
{
    uint64_t count = 0;

    if (!entry->banks)
        return atomic_load(&entry->device->bad_accesses.count);
    for (uint32_t i = 0; i < machine->bus.view_count; i++)
        count += atomic_load(&entry->banks[i]->bad_accesses.count);
    return count;
}

static void take_devices(const struct machine *machine)
{
    struct stats_irq *irq = machine->stats->irqs;

    for (size_t i = 0; i < machine->bus.count; i++) {
        const struct bus_entry *entry = &machine->bus.entries[i];
        const struct machine_device *found = find_device(machine, entry->device);
        uint32_t irq_count = found ? found->irq_count : 0;

        machine->stats->devices[i] = (struct stats_device){
            .name = entry->device->name,
            .base = entry->base.value,
            .index = i,
            .coalesced_writes = counter_read(&machine->coalesced.device_writes[i]),
            .bad_accesses = count_bad_accesses(machine, entry),
            .irqs = irq,
            .irq_count = irq_count,
            .counters = entry->device->counters,
            .counter_count = entry->device->counter_count,
        };
        for (uint32_t j = 0; j < irq_count; j++)
            *irq++ = (struct stats_irq){
                .intid = found->irqs[j].wire.intid,
                .raised = counter_read(&found->irqs[j].raised),
            };
    }
}

static const struct latency *take_latencies(const struct machine *machine)
{
    struct latency *sum = machine->stats->latency;

    if (!sum)
        return NULL;
    latency_clear(sum);
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        latency_merge(sum, machine->vcpus[i].latency);
    return sum;
}

static struct stats take(const struct machine *machine, bool running)
{
    const struct machine_stats *own = machine->stats;
    struct stats stats = {
        .running = running,
        .elapsed_ns = own->boots ? now_ns() - own->started_ns : 0,
        .boots = own->boots,
        .options = machine->options,
        .host_traps_ctr = own->host_traps_ctr,
        .vcpus = own->vcpus,
        .vcpu_count = machine->options->vcpu_count,
        .devices = own->devices,
        .device_count = machine->bus.count,
        .latency = take_latencies(machine),
        .ticks_per_second = ticks_per_second(),
    };

    take_vcpus(machine);
    take_devices(machine);
    console_count(machine->console, &stats.console);
    while (stats.console_device < stats.device_count &&
           stats.devices[stats.console_device].base != memory_map_region(REGION_UART)->base.value)
        stats.console_device++;
    return stats;
}

/* ---- showing ---- */

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        struct pollfd writable = {.fd = fd, .events = POLLOUT};

        if (poll(&writable, 1, STUCK_READER_MS) <= 0)
            return false;
        ssize_t written = write(fd, text, length < WRITE_BYTES ? length : WRITE_BYTES);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return true;
}

/* To the log's file: a terminal in raw mode wants carriage returns. */
static void write_to_log(const struct log *log, const char *text, size_t length)
{
    const char *end = text + length;

    while (atomic_load_explicit(&log->raw_terminal, memory_order_relaxed) && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line = newline ? (size_t)(newline - text) : (size_t)(end - text);

        if (!write_all(log->fd, text, line) || !write_all(log->fd, "\r\n", newline ? 2 : 0))
            return;
        text += line + (newline != NULL);
    }
    (void)write_all(log->fd, text, (size_t)(end - text));
}

typedef void print_function(FILE *out, const struct stats *stats);

static bool make_text(print_function *print, const struct stats *stats, char **text, size_t *length,
                      struct error *error)
{
    FILE *out = open_memstream(text, length);

    if (!out)
        return error_set(error, ERROR_HOST, errno, "cannot allocate a report");
    print(out, stats);
    bool good = fflush(out) == 0 && !ferror(out);
    if (fclose(out) == 0 && good)
        return true;
    free(*text);
    (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a report");
    return false;
}

static bool show(const struct machine *machine, print_function *print, const struct stats *stats,
                 struct error *error)
{
    char *text = NULL;
    size_t length = 0;

    if (!make_text(print, stats, &text, &length, error))
        return false;
    write_to_log(machine->log, text, length);
    free(text);
    return true;
}

/* What was in the file is replaced once the new text is there; a pipe can't be cut, nor need be. */
static bool store(int fd, const char *path, bool replace, print_function *print,
                  const struct stats *stats, struct error *error)
{
    char *text = NULL;
    size_t length = 0;

    if (!make_text(print, stats, &text, &length, error))
        return false;
    bool good = write_all(fd, text, length);
    free(text);
    if (!good)
        return error_set(error, ERROR_HOST, errno, "cannot write to '%s'", path);
    if (replace)
        (void)!ftruncate(fd, (off_t)length);
    return true;
}

static void print_picture(FILE *out, const struct stats *stats)
{
    enum { MAX_ROWS = 64 };
    const struct latency *latency = stats->latency;
    struct svg_row rows[2][MAX_ROWS];
    char labels[MAX_ROWS][48];
    size_t count = 0;

    for (size_t i = 0; i < latency->source_count && count < MAX_ROWS; i++) {
        const struct latency_pair *pair = &latency->sources[i];
        const char *name = i < stats->device_count ? stats->devices[i].name : "unassigned";

        (void)snprintf(labels[i], sizeof(labels[i]), "%s %s", exit_kind_name(EXIT_KIND_MMIO), name);
        rows[0][count] = (struct svg_row){labels[i], &pair->vmm};
        rows[1][count++] = (struct svg_row){labels[i], &pair->guest};
    }
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT && count < MAX_ROWS; kind++) {
        const struct latency_pair *pair = &latency->kinds[kind];

        if (kind == EXIT_KIND_MMIO)
            continue;
        rows[0][count] = (struct svg_row){exit_kind_name(kind), &pair->vmm};
        rows[1][count++] = (struct svg_row){exit_kind_name(kind), &pair->guest};
    }
    const double tick_ns = (double)NS_PER_S / (double)stats->ticks_per_second;
    char subtitle[96];
    (void)snprintf(subtitle, sizeof(subtitle),
                   "armlet %s, %u vCPU%s; the clock ticks every %.3g ns", ARMLET_VERSION,
                   stats->vcpu_count, stats->vcpu_count == 1 ? "" : "s", tick_ns);
    const struct svg_panel panels[] = {
        {"In armlet: from an exit to the next entry", rows[0], count},
        {"In the guest and KVM: from an entry to the exit", rows[1], count},
    };
    svg_write(out, &(struct svg_picture){"Latency of exits", subtitle, tick_ns, panels, 2});
}

static bool report_stats(const struct machine *machine, const struct stats *stats,
                         struct error *error)
{
    const struct options *options = machine->options;
    bool json =
        options->stats == STATS_JSON || (options->stats == STATS_OFF && options->stats_path);
    print_function *print = json ? stats_print_json : stats_print_text;

    if (machine->stats->stats_fd < 0)
        return show(machine, print, stats, error);
    return store(machine->stats->stats_fd, options->stats_path, false, print, stats, error);
}

void machine_stats_report_now(struct machine *machine)
{
    const struct stats stats = take(machine, true);
    struct error error;

    if (!report_stats(machine, &stats, &error))
        log_line(machine->log, LOG_ERROR, "SIGUSR1: %s", error.message);
}

bool machine_stats_report(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;
    bool wanted = options->stats != STATS_OFF || options->stats_path ||
                  (options->latency && !options->latency_path);

    if (!wanted && !options->latency && !options->explain)
        return true;
    const struct stats stats = take(machine, false);
    return (!wanted || report_stats(machine, &stats, error)) &&
           (machine->stats->picture_fd < 0 ||
            store(machine->stats->picture_fd, options->latency_path, true, print_picture, &stats,
                  error)) &&
           (!options->explain || show(machine, explain_print, &stats, error));
}
