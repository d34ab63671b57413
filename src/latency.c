// SPDX-License-Identifier: Apache-2.0
#include "latency.h"

#include <string.h>

struct latency *latency_create(struct arena *arena, size_t device_count, struct error *error)
{
    struct latency *latency = arena_alloc(arena, 1, sizeof(*latency), error);

    if (!latency)
        return NULL;
    latency->source_count = device_count + 1;
    latency->sources = arena_alloc(arena, latency->source_count, sizeof(*latency->sources), error);
    return latency->sources ? latency : NULL;
}

static void record(struct latency_pair *pair, uint64_t guest_ticks, uint64_t vmm_ticks)
{
    histogram_record(&pair->guest, guest_ticks);
    histogram_record(&pair->vmm, vmm_ticks);
}

void latency_record(struct latency *latency, enum exit_kind kind, size_t source,
                    uint64_t guest_ticks, uint64_t vmm_ticks)
{
    record(&latency->kinds[kind], guest_ticks, vmm_ticks);
    if (kind == EXIT_KIND_MMIO)
        record(&latency->sources[source], guest_ticks, vmm_ticks);
}

static void merge(struct latency_pair *sum, const struct latency_pair *pair)
{
    histogram_merge(&sum->guest, &pair->guest);
    histogram_merge(&sum->vmm, &pair->vmm);
}

void latency_merge(struct latency *sum, const struct latency *latency)
{
    for (size_t i = 0; i < EXIT_KIND_COUNT; i++)
        merge(&sum->kinds[i], &latency->kinds[i]);
    for (size_t i = 0; i < sum->source_count; i++)
        merge(&sum->sources[i], &latency->sources[i]);
}

void latency_clear(struct latency *latency)
{
    memset(latency->kinds, 0, sizeof(latency->kinds));
    memset(latency->sources, 0, latency->source_count * sizeof(*latency->sources));
}
