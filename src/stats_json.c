// SPDX-License-Identifier: Apache-2.0
/* The document for programs: armlet(1) promises its members. */
#include "json.h"
#include "stats.h"

/* Changes when a program that reads the document would break. */
enum { VERSION = 1 };

#define NS_PER_S 1e9

static void put_accesses(struct json *json, const char *key, struct access_counters accesses)
{
    json_open(json, key, '{');
    json_number(json, "reads", accesses.reads);
    json_number(json, "writes", accesses.writes);
    json_close(json, '}');
}

static void put_usage(struct json *json, const struct thread_usage *usage)
{
    json_open(json, "thread", '{');
    json_number(json, "voluntary_switches", usage->voluntary_switches);
    json_number(json, "involuntary_switches", usage->involuntary_switches);
    json_number(json, "minor_faults", usage->minor_faults);
    json_number(json, "major_faults", usage->major_faults);
    json_number(json, "user_ns", usage->user_ns);
    json_number(json, "system_ns", usage->system_ns);
    json_close(json, '}');
}

static void put_kvm(struct json *json, const struct kvm_stats *kvm)
{
    if (kvm->known == 0) {
        json_null(json, "kvm");
        return;
    }
    json_open(json, "kvm", '{');
    for (unsigned stat = 0; stat < KVM_STAT_COUNT; stat++) {
        if (kvm_stats_has(kvm, stat))
            json_number(json, kvm_stat_name(stat), kvm->values[stat]);
        else
            json_null(json, kvm_stat_name(stat));
    }
    json_close(json, '}');
}

static void put_vcpu(struct json *json, const struct stats *stats, uint32_t index)
{
    const struct stats_vcpu *vcpu = &stats->vcpus[index];
    const struct vcpu_counters *counters = vcpu->counters;

    json_open(json, NULL, '{');
    json_number(json, "index", index);
    json_open(json, "exits", '{');
    json_number(json, "total", stats_vcpu_exits(vcpu));
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++)
        json_number(json, exit_kind_name(kind), counter_read(&counters->exits[kind]));
    json_close(json, '}');
    json_number(json, "hypercalls", counter_read(&counters->hypercalls));
    put_accesses(json, "accesses", stats_vcpu_accesses(stats, vcpu));
    put_accesses(json, "unassigned",
                 (struct access_counters){counter_read(&counters->unassigned.reads),
                                          counter_read(&counters->unassigned.writes)});
    put_usage(json, &vcpu->usage);
    put_kvm(json, &vcpu->kvm);
    json_close(json, '}');
}

static void put_device(struct json *json, const struct stats *stats,
                       const struct stats_device *device)
{
    const struct access_counters accesses = stats_accesses(stats, device->index);

    json_open(json, NULL, '{');
    json_string(json, "name", device->name);
    json_number(json, "address", device->base);
    json_number(json, "reads", accesses.reads);
    json_number(json, "writes", accesses.writes);
    json_number(json, "coalesced_writes", device->coalesced_writes);
    json_number(json, "bad_accesses", device->bad_accesses);
    json_open(json, "interrupts", '[');
    for (size_t i = 0; i < device->irq_count; i++) {
        json_open(json, NULL, '{');
        json_number(json, "intid", device->irqs[i].intid);
        json_number(json, "raised", device->irqs[i].raised);
        json_close(json, '}');
    }
    json_close(json, ']');
    if (device->counter_count > 0) {
        json_open(json, "counters", '{');
        for (size_t i = 0; i < device->counter_count; i++)
            json_number(json, device->counters[i].name, counter_read(&device->counters[i].value));
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void put_console(struct json *json, const struct console_counters *console)
{
    json_open(json, "console", '{');
    json_number(json, "output_bytes", console->output);
    json_number(json, "dropped_bytes", console->dropped);
    json_number(json, "input_bytes", console->input);
    json_number(json, "writes", console->writes);
    json_close(json, '}');
}

static void put_histogram(struct json *json, const char *key, const struct histogram *histogram,
                          double tick_ns)
{
    json_open(json, key, '{');
    json_real(json, "min_ns", (double)histogram->min * tick_ns);
    json_real(json, "mean_ns", histogram_mean(histogram) * tick_ns);
    json_real(json, "p50_ns", (double)histogram_quantile(histogram, 0.5) * tick_ns);
    json_real(json, "p90_ns", (double)histogram_quantile(histogram, 0.9) * tick_ns);
    json_real(json, "p99_ns", (double)histogram_quantile(histogram, 0.99) * tick_ns);
    json_real(json, "p99_9_ns", (double)histogram_quantile(histogram, 0.999) * tick_ns);
    json_real(json, "max_ns", (double)histogram->max * tick_ns);
    json_close(json, '}');
}

static void put_pair(struct json *json, const char *exit, const char *device,
                     const struct latency_pair *pair, double tick_ns)
{
    if (pair->vmm.count == 0)
        return;
    json_open(json, NULL, '{');
    json_string(json, "exit", exit);
    json_string(json, "device", device);
    json_number(json, "count", pair->vmm.count);
    put_histogram(json, "guest", &pair->guest, tick_ns);
    put_histogram(json, "vmm", &pair->vmm, tick_ns);
    json_close(json, '}');
}

static void put_latency(struct json *json, const struct stats *stats)
{
    const struct latency *latency = stats->latency;
    const double tick_ns = NS_PER_S / (double)stats->ticks_per_second;
    const char *mmio = exit_kind_name(EXIT_KIND_MMIO);

    if (!latency) {
        json_null(json, "latency");
        return;
    }
    json_open(json, "latency", '{');
    json_number(json, "ticks_per_second", stats->ticks_per_second);
    json_open(json, "exits", '[');
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++)
        put_pair(json, exit_kind_name(kind), NULL, &latency->kinds[kind], tick_ns);
    json_close(json, ']');
    json_open(json, "devices", '[');
    for (size_t i = 0; i < stats->device_count; i++)
        put_pair(json, mmio, stats->devices[i].name, &latency->sources[stats->devices[i].index],
                 tick_ns);
    put_pair(json, mmio, NULL, &latency->sources[latency->source_count - 1], tick_ns);
    json_close(json, ']');
    json_close(json, '}');
}

void stats_print_json(FILE *out, const struct stats *stats)
{
    struct json json = json_begin(out);

    json_open(&json, NULL, '{');
    json_number(&json, "version", VERSION);
    json_bool(&json, "running", stats->running);
    json_number(&json, "elapsed_ns", stats->elapsed_ns);
    json_number(&json, "boots", stats->boots);
    json_number(&json, "exits", stats_exits(stats));
    json_number(&json, "hypercalls", stats_hypercalls(stats));
    put_accesses(&json, "unassigned", stats_unassigned(stats));
    json_open(&json, "vcpus", '[');
    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        put_vcpu(&json, stats, i);
    json_close(&json, ']');
    json_open(&json, "devices", '[');
    for (size_t i = 0; i < stats->device_count; i++)
        put_device(&json, stats, &stats->devices[i]);
    json_close(&json, ']');
    put_console(&json, &stats->console);
    put_latency(&json, stats);
    json_close(&json, '}');
}
