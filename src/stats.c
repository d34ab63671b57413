// SPDX-License-Identifier: Apache-2.0
#include "stats.h"

static void add_accesses(struct access_counters *sum, const struct access_counters *counters)
{
    sum->reads += counter_read(&counters->reads);
    sum->writes += counter_read(&counters->writes);
}

uint64_t stats_vcpu_exits(const struct stats_vcpu *vcpu)
{
    uint64_t sum = 0;

    for (size_t kind = 0; kind < EXIT_KIND_COUNT; kind++)
        sum += counter_read(&vcpu->counters->exits[kind]);
    return sum;
}

struct access_counters stats_vcpu_accesses(const struct stats *stats, const struct stats_vcpu *vcpu)
{
    struct access_counters sum = {0};

    for (size_t i = 0; i < stats->device_count; i++)
        add_accesses(&sum, &vcpu->counters->devices[i]);
    return sum;
}

uint64_t stats_exits_of_kind(const struct stats *stats, enum exit_kind kind)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        sum += counter_read(&stats->vcpus[i].counters->exits[kind]);
    return sum;
}

uint64_t stats_exits(const struct stats *stats)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        sum += stats_vcpu_exits(&stats->vcpus[i]);
    return sum;
}

struct access_counters stats_accesses(const struct stats *stats, size_t device)
{
    struct access_counters sum = {0};

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        add_accesses(&sum, &stats->vcpus[i].counters->devices[device]);
    return sum;
}

struct access_counters stats_unassigned(const struct stats *stats)
{
    struct access_counters sum = {0};

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        add_accesses(&sum, &stats->vcpus[i].counters->unassigned);
    return sum;
}

uint64_t stats_hypercalls(const struct stats *stats)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        sum += counter_read(&stats->vcpus[i].counters->hypercalls);
    return sum;
}

uint64_t stats_interrupts(const struct stats_device *device)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < device->irq_count; i++)
        sum += device->irqs[i].raised;
    return sum;
}

struct thread_usage stats_usage(const struct stats *stats)
{
    struct thread_usage sum = {0};

    for (uint32_t i = 0; i < stats->vcpu_count; i++) {
        const struct thread_usage *usage = &stats->vcpus[i].usage;

        sum.voluntary_switches += usage->voluntary_switches;
        sum.involuntary_switches += usage->involuntary_switches;
        sum.minor_faults += usage->minor_faults;
        sum.major_faults += usage->major_faults;
        sum.user_ns += usage->user_ns;
        sum.system_ns += usage->system_ns;
    }
    return sum;
}

struct kvm_stats stats_kvm(const struct stats *stats)
{
    struct kvm_stats sum = {0};

    for (uint32_t i = 0; i < stats->vcpu_count; i++)
        kvm_stats_add(&sum, &stats->vcpus[i].kvm);
    return sum;
}
