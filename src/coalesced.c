// SPDX-License-Identifier: Apache-2.0
#include "coalesced.h"

#include <string.h>
#include <unistd.h>

#include "armlet/counters.h"
#include "kvm.h"

void coalesced_init(struct coalesced *coalesced, const struct bus *bus)
{
    *coalesced = (struct coalesced){.bus = bus};
    (void)pthread_mutex_init(&coalesced->lock, NULL); /* cannot fail with default attributes */
}

void coalesced_finish(struct coalesced *coalesced)
{
    (void)pthread_mutex_destroy(&coalesced->lock);
}

void coalesced_attach(struct coalesced *coalesced, const struct vm *vm, struct kvm_run *run,
                      size_t run_bytes)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const size_t page = (size_t)kvm_check_extension(vm->fd, KVM_CAP_COALESCED_MMIO);

    if (page == 0 || (page + 1) * page_bytes > run_bytes)
        return;
    coalesced->mapped = (void *)((char *)run + page * page_bytes);
    coalesced->capacity = (uint32_t)((page_bytes - sizeof(struct kvm_coalesced_mmio_ring)) /
                                     sizeof(struct kvm_coalesced_mmio));
}

void coalesced_detach(struct coalesced *coalesced)
{
    if (coalesced_pending(coalesced))
        coalesced_drain(coalesced);
    atomic_store(&coalesced->ring, NULL);
    coalesced->mapped = NULL;
}

bool coalesced_begin(struct coalesced *coalesced)
{
    if (coalesced->mapped)
        atomic_store_explicit(&coalesced->ring, coalesced->mapped, memory_order_release);
    return coalesced->mapped;
}

/* What vcpu_access() does for the others. */
static void note(struct coalesced *coalesced, bool found, const struct kvm_coalesced_mmio *entry,
                 uint64_t value)
{
    const struct bus_entry *there = found ? coalesced->cursor.last : NULL;

    if (there && coalesced->device_writes)
        counter_add(&coalesced->device_writes[bus_entry_index(coalesced->bus, there)], 1);
    if (coalesced->events && events_wanted(coalesced->events, EVENT_MMIO)) {
        enum access_width width = (enum access_width)entry->len;
        struct event event = {
            .kind = EVENT_MMIO,
            .mmio = {.device = there ? there->device : NULL,
                     .address = GPA(entry->phys_addr),
                     .value = value & access_mask(width),
                     .access = ACCESS_WRITE,
                     .width = width},
        };
        events_publish(coalesced->events, &event);
    }
}

void coalesced_drain(struct coalesced *coalesced)
{
    struct kvm_coalesced_mmio_ring *ring = atomic_load(&coalesced->ring);

    if (!ring)
        return;
    (void)pthread_mutex_lock(&coalesced->lock);
    uint32_t first = ring->first;
    /* What comes meanwhile is for the next: vCPUs that never stop writing must not keep us here. */
    const uint32_t end = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
    while (first != end) {
        const struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[first];
        uint64_t value;

        _Static_assert(sizeof(value) == sizeof(entry->data), "an access has at most 8 bytes");
        memcpy(&value, entry->data, sizeof(value));
        bool found = bus_access(coalesced->bus, &coalesced->cursor, GPA(entry->phys_addr),
                                ACCESS_WRITE, (enum access_width)entry->len, &value);
        coalesced->count++;
        note(coalesced, found, entry, value);
        first = (first + 1) % coalesced->capacity;
        __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
    }
    (void)pthread_mutex_unlock(&coalesced->lock);
}
