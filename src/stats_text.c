// SPDX-License-Identifier: Apache-2.0
/* The table for people: what is zero is left out, but for the first lines. */
#include <inttypes.h>
#include <string.h>

#include "figures.h"
#include "stats.h"

enum {
    LABEL_COLUMNS = 34,
    NUMBER_COLUMNS = 15,
    TIME_COLUMNS = 10,
    MAX_VCPU_COLUMNS = 4, /* with more vCPUs only their sum is shown */
    LEVEL_COLUMNS = 2,
};

#define NS_PER_S 1e9

/* A number of one vCPU; `detail` says which, where a function knows several. */
typedef uint64_t value_of(const struct stats *stats, const struct stats_vcpu *vcpu,
                          unsigned detail);

enum form { FORM_COUNT, FORM_TIME };

struct line {
    unsigned level;
    const char *label;
    value_of *value;
    unsigned detail;
    enum form form;
};

/* ---- the values ---- */

static uint64_t exits(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned detail)
{
    (void)stats;
    (void)detail;
    return stats_vcpu_exits(vcpu);
}

static uint64_t exits_of(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned kind)
{
    (void)stats;
    return counter_read(&vcpu->counters->exits[kind]);
}

static uint64_t accesses(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned writes)
{
    struct access_counters counters = stats_vcpu_accesses(stats, vcpu);

    return writes ? counters.writes : counters.reads;
}

static uint64_t nowhere(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned detail)
{
    (void)stats;
    (void)detail;
    return counter_read(&vcpu->counters->unassigned.reads) +
           counter_read(&vcpu->counters->unassigned.writes);
}

static uint64_t hypercalls(const struct stats *stats, const struct stats_vcpu *vcpu,
                           unsigned detail)
{
    (void)stats;
    (void)detail;
    return counter_read(&vcpu->counters->hypercalls);
}

static uint64_t usage(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned offset)
{
    uint64_t value;

    (void)stats;
    memcpy(&value, (const char *)&vcpu->usage + offset, sizeof(value));
    return value;
}

static uint64_t kvm(const struct stats *stats, const struct stats_vcpu *vcpu, unsigned stat)
{
    (void)stats;
    return vcpu->kvm.values[stat];
}

#define USAGE(member) usage, offsetof(struct thread_usage, member)

static const struct line vcpu_lines[] = {
    {1, "accesses of devices: reads", accesses, 0, FORM_COUNT},
    {1, "accesses of devices: writes", accesses, 1, FORM_COUNT},
    {1, "accesses to where nothing is", nowhere, 0, FORM_COUNT},
    {1, "hypercalls to armlet", hypercalls, 0, FORM_COUNT},
    {1, "context switches: waiting", USAGE(voluntary_switches), FORM_COUNT},
    {1, "context switches: pushed out", USAGE(involuntary_switches), FORM_COUNT},
    {1, "page faults", USAGE(minor_faults), FORM_COUNT},
    {1, "page faults, from a disk", USAGE(major_faults), FORM_COUNT},
    {1, "CPU time in guest and armlet", USAGE(user_ns), FORM_TIME},
    {1, "CPU time in the host's kernel", USAGE(system_ns), FORM_TIME},
};

static const struct line kvm_lines[] = {
    {1, "exits from the guest, all", kvm, KVM_STAT_EXITS, FORM_COUNT},
    {2, "accesses handed to armlet", kvm, KVM_STAT_MMIO_USER, FORM_COUNT},
    {2, "accesses done by KVM", kvm, KVM_STAT_MMIO_KERNEL, FORM_COUNT},
    {2, "hypercalls", kvm, KVM_STAT_HVC, FORM_COUNT},
    {2, "WFI", kvm, KVM_STAT_WFI, FORM_COUNT},
    {2, "WFE", kvm, KVM_STAT_WFE, FORM_COUNT},
    {2, "signals", kvm, KVM_STAT_SIGNAL, FORM_COUNT},
    {1, "asleep in WFI", kvm, KVM_STAT_HALT_WAIT_NS, FORM_TIME},
    {1, "awake in WFI (halt polling)", kvm, KVM_STAT_HALT_POLL_NS, FORM_TIME},
};

/* ---- cells ---- */

/* Right-aligned, by characters and not bytes. */
static void put_right(FILE *out, const char *text, int columns)
{
    for (const char *byte = text; *byte; byte++)
        columns -= ((unsigned char)*byte & 0xc0) != 0x80;
    (void)fprintf(out, "%*s%s", columns > 0 ? columns : 1, "", text);
}

static void put_number(FILE *out, uint64_t value, enum form form)
{
    char text[FIGURE_COUNT_BYTES];

    if (form == FORM_COUNT)
        figure_count(value, text);
    else
        figure_ns((double)value, text);
    put_right(out, text, NUMBER_COLUMNS);
}

static void put_label(FILE *out, unsigned level, const char *label)
{
    (void)fprintf(out, "%*s%-*s", (int)(level * LEVEL_COLUMNS), "",
                  (int)(LABEL_COLUMNS - level * LEVEL_COLUMNS), label);
}

static uint32_t column_count(const struct stats *stats)
{
    return stats->vcpu_count > 1 && stats->vcpu_count <= MAX_VCPU_COLUMNS ? stats->vcpu_count : 0;
}

static void put_line(FILE *out, const struct stats *stats, const struct line *line, bool always)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        sum += line->value(stats, &stats->vcpus[i], line->detail);
    if (sum == 0 && !always)
        return;
    put_label(out, line->level, line->label);
    put_number(out, sum, line->form);
    for (uint32_t i = 0; i < column_count(stats); i++)
        put_number(out, line->value(stats, &stats->vcpus[i], line->detail), line->form);
    (void)fputc('\n', out);
}

/* ---- parts ---- */

static void put_head(FILE *out, const struct stats *stats)
{
    char time[FIGURE_TIME_BYTES];

    figure_ns((double)stats->elapsed_ns, time);
    (void)fprintf(out, "armlet: %u vCPU%s, %s%s", stats->vcpu_count,
                  stats->vcpu_count == 1 ? "" : "s", time, stats->running ? " so far" : "");
    if (stats->boots > 1)
        (void)fprintf(out, ", %u boots", stats->boots);
    (void)fputs("\n\n", out);
    if (column_count(stats) == 0)
        return;
    put_label(out, 0, "");
    put_right(out, "all vCPUs", NUMBER_COLUMNS);
    for (uint32_t i = 0; i < column_count(stats); i++) {
        char text[FIGURE_COUNT_BYTES];

        (void)snprintf(text, sizeof(text), "vCPU %u", i);
        put_right(out, text, NUMBER_COLUMNS);
    }
    (void)fputc('\n', out);
}

static void put_vcpus(FILE *out, const struct stats *stats)
{
    const struct line all = {1, "exits to armlet", exits, 0, FORM_COUNT};

    put_line(out, stats, &all, true);
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
        const struct line line = {2, exit_kind_name(kind), exits_of, kind, FORM_COUNT};

        put_line(out, stats, &line, false);
    }
    for (size_t i = 0; i < sizeof(vcpu_lines) / sizeof(vcpu_lines[0]); i++)
        put_line(out, stats, &vcpu_lines[i], false);
}

static void put_kvm(FILE *out, const struct stats *stats)
{
    if (stats_kvm(stats).known == 0) {
        (void)fputs("\nKVM's own counters: n/a\n", out);
        return;
    }
    (void)fputs("\nKVM's own counters\n", out);
    for (size_t i = 0; i < sizeof(kvm_lines) / sizeof(kvm_lines[0]); i++)
        put_line(out, stats, &kvm_lines[i], false);
}

/* What a device counts of its own, if anything happened: as "read_bytes 512, writes 3". */
static void put_own_counters(FILE *out, const struct stats_device *device)
{
    const char *separator = "    ";

    for (size_t i = 0; i < device->counter_count; i++) {
        uint64_t value = counter_read(&device->counters[i].value);

        if (value == 0)
            continue;
        (void)fprintf(out, "%s%s %" PRIu64, separator, device->counters[i].name, value);
        separator = ", ";
    }
    if (separator[0] == ',')
        (void)fputc('\n', out);
}

static void put_devices(FILE *out, const struct stats *stats)
{
    static const char *const heads[] = {"reads", "writes", "coalesced", "bad", "interrupts"};
    const struct access_counters missed = stats_unassigned(stats);
    char label[LABEL_COLUMNS];

    (void)fputc('\n', out);
    put_label(out, 0, "Devices");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        put_right(out, heads[i], NUMBER_COLUMNS);
    (void)fputc('\n', out);
    for (size_t i = 0; i < stats->device_count; i++) {
        const struct stats_device *device = &stats->devices[i];
        const struct access_counters counters = stats_accesses(stats, device->index);

        (void)snprintf(label, sizeof(label), "%-14s 0x%08" PRIx64, device->name, device->base);
        put_label(out, 1, label);
        put_number(out, counters.reads, FORM_COUNT);
        put_number(out, counters.writes, FORM_COUNT);
        put_number(out, device->coalesced_writes, FORM_COUNT);
        put_number(out, device->bad_accesses, FORM_COUNT);
        put_number(out, stats_interrupts(device), FORM_COUNT);
        (void)fputc('\n', out);
        put_own_counters(out, device);
    }
    if (missed.reads + missed.writes == 0)
        return;
    put_label(out, 1, "(where nothing is)");
    put_number(out, missed.reads, FORM_COUNT);
    put_number(out, missed.writes, FORM_COUNT);
    (void)fputc('\n', out);
}

/* What 'armlet doctor --map' numbers; the table above has sums. */
static void put_interrupts(FILE *out, const struct stats *stats)
{
    char label[LABEL_COLUMNS];
    bool first = true;

    for (size_t i = 0; i < stats->device_count; i++) {
        const struct stats_device *device = &stats->devices[i];

        for (size_t j = 0; j < device->irq_count; j++) {
            if (device->irqs[j].raised == 0)
                continue;
            if (first) {
                (void)fputc('\n', out);
                put_label(out, 0, "Interrupts");
                put_right(out, "raised", NUMBER_COLUMNS);
                (void)fputc('\n', out);
            }
            first = false;
            (void)snprintf(label, sizeof(label), "%-14s INTID %u", device->name,
                           device->irqs[j].intid);
            put_label(out, 1, label);
            put_number(out, device->irqs[j].raised, FORM_COUNT);
            (void)fputc('\n', out);
        }
    }
}

static void put_console(FILE *out, const struct stats *stats)
{
    char output[FIGURE_COUNT_BYTES];
    char input[FIGURE_COUNT_BYTES];
    char writes[FIGURE_COUNT_BYTES];

    figure_count(stats->console.output, output);
    figure_count(stats->console.input, input);
    figure_count(stats->console.writes, writes);
    (void)fprintf(out, "\nConsole: %s bytes out in %s writes, %s bytes in", output, writes, input);
    if (stats->console.dropped > 0) {
        figure_count(stats->console.dropped, output);
        (void)fprintf(out, "; %s bytes were dropped", output);
    }
    (void)fputc('\n', out);
}

/* ---- latencies ---- */

static void put_histogram(FILE *out, const struct stats *stats, unsigned level, const char *label,
                          const struct histogram *histogram)
{
    static const double fractions[] = {0.5, 0.9, 0.99, 0.999};
    const double tick_ns = NS_PER_S / (double)stats->ticks_per_second;
    char text[FIGURE_COUNT_BYTES];

    if (histogram->count == 0)
        return;
    put_label(out, level, label);
    figure_count(histogram->count, text);
    put_right(out, text, NUMBER_COLUMNS);
    figure_ns((double)histogram->min * tick_ns, text);
    put_right(out, text, TIME_COLUMNS);
    figure_ns(histogram_mean(histogram) * tick_ns, text);
    put_right(out, text, TIME_COLUMNS);
    for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
        figure_ns((double)histogram_quantile(histogram, fractions[i]) * tick_ns, text);
        put_right(out, text, TIME_COLUMNS);
    }
    figure_ns((double)histogram->max * tick_ns, text);
    put_right(out, text, TIME_COLUMNS);
    (void)fputc('\n', out);
}

static const struct histogram *half_of(const struct latency_pair *pair, bool guest)
{
    return guest ? &pair->guest : &pair->vmm;
}

static void put_latencies(FILE *out, const struct stats *stats, const char *title, bool guest)
{
    static const char *const heads[] = {"min", "mean", "p50", "p90", "p99", "p99.9", "max"};
    const struct latency *latency = stats->latency;

    (void)fputc('\n', out);
    put_label(out, 0, title);
    put_right(out, "exits", NUMBER_COLUMNS);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        put_right(out, heads[i], TIME_COLUMNS);
    (void)fputc('\n', out);
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
        put_histogram(out, stats, 1, exit_kind_name(kind), half_of(&latency->kinds[kind], guest));
        if (kind != EXIT_KIND_MMIO)
            continue;
        for (size_t i = 0; i < stats->device_count; i++)
            put_histogram(out, stats, 2, stats->devices[i].name,
                          half_of(&latency->sources[stats->devices[i].index], guest));
        put_histogram(out, stats, 2, "(where nothing is)",
                      half_of(&latency->sources[latency->source_count - 1], guest));
    }
}

void stats_print_text(FILE *out, const struct stats *stats)
{
    put_head(out, stats);
    put_vcpus(out, stats);
    put_kvm(out, stats);
    put_devices(out, stats);
    put_interrupts(out, stats);
    put_console(out, stats);
    if (stats->latency) {
        put_latencies(out, stats, "Time in armlet, after an exit", false);
        put_latencies(out, stats, "Time in the guest, up to an exit", true);
    }
}
