// SPDX-License-Identifier: Apache-2.0
#include "bus.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

void bus_init(struct bus *bus, struct arena *arena)
{
    *bus = (struct bus){.arena = arena};
}

static bool grow(struct bus *bus, struct error *error)
{
    size_t capacity = bus->capacity ? 2 * bus->capacity : FIRST_CAPACITY;
    struct bus_entry *entries = arena_alloc(bus->arena, capacity, sizeof(*entries), error);

    if (!entries)
        return false;
    if (bus->count)
        memcpy(entries, bus->entries, bus->count * sizeof(*entries));
    bus->entries = entries;
    bus->capacity = capacity;
    return true;
}

bool bus_add(struct bus *bus, struct device *device, gpa_t base, struct error *error)
{
    assert(!bus->frozen);
    if (device->size_bytes < ACCESS_64_BIT || gpa_range_wraps(base, device->size_bytes))
        return error_set(error, ERROR_INTERNAL, 0,
                         "device '%s' at 0x%" PRIx64 " has an impossible size of 0x%" PRIx64
                         " bytes",
                         device->name, base.value, device->size_bytes);
    if (bus->count == bus->capacity && !grow(bus, error))
        return error_add_context(error, "cannot add device '%s'", device->name);
    bus->entries[bus->count++] = (struct bus_entry){
        .base = base,
        .size_bytes = device->size_bytes,
        .device = device,
    };
    return true;
}

bool bus_add_banked(struct bus *bus, struct device *const *banks, uint32_t count, gpa_t base,
                    struct error *error)
{
    assert(bus->view_count == 0 || bus->view_count == count);
    if (!bus_add(bus, banks[0], base, error))
        return false;
    bus->entries[bus->count - 1].banks = banks;
    bus->view_count = count;
    return true;
}

static int by_base(const void *left, const void *right)
{
    const struct bus_entry *a = left;
    const struct bus_entry *b = right;

    return (a->base.value > b->base.value) - (a->base.value < b->base.value);
}

static bool make_view(const struct bus *bus, uint32_t cpu, struct bus *view, struct error *error)
{
    *view = *bus;
    view->entries = arena_alloc(bus->arena, bus->count, sizeof(*bus->entries), error);
    if (!view->entries)
        return false;
    for (size_t i = 0; i < bus->count; i++) {
        view->entries[i] = bus->entries[i];
        if (bus->entries[i].banks)
            view->entries[i].device = bus->entries[i].banks[cpu];
    }
    return true;
}

static bool make_views(struct bus *bus, struct error *error)
{
    if (bus->view_count == 0)
        return true;
    bus->views = arena_alloc(bus->arena, bus->view_count, sizeof(*bus->views), error);
    if (!bus->views)
        return false;
    for (uint32_t i = 0; i < bus->view_count; i++)
        if (!make_view(bus, i, &bus->views[i], error))
            return false;
    return true;
}

const struct bus *bus_view(const struct bus *bus, uint32_t cpu)
{
    assert(bus->frozen && (!bus->views || cpu < bus->view_count));
    return bus->views ? &bus->views[cpu] : bus;
}

bool bus_freeze(struct bus *bus, struct error *error)
{
    if (bus->count)
        qsort(bus->entries, bus->count, sizeof(*bus->entries), by_base);
    for (size_t i = 1; i < bus->count; i++) {
        const struct bus_entry *low = &bus->entries[i - 1];
        const struct bus_entry *high = &bus->entries[i];

        if (high->base.value - low->base.value < low->size_bytes)
            return error_set(error, ERROR_INTERNAL, 0,
                             "devices '%s' at 0x%" PRIx64 " and '%s' at 0x%" PRIx64 " overlap",
                             low->device->name, low->base.value, high->device->name,
                             high->base.value);
    }
    bus->frozen = true;
    return make_views(bus, error);
}

static bool contains(const struct bus_entry *entry, gpa_t address)
{
    /* Below the base the difference wraps to a number above any size. */
    return address.value - entry->base.value < entry->size_bytes;
}

const struct bus_entry *bus_find(const struct bus *bus, gpa_t address)
{
    const struct bus_entry *low = bus->entries;
    size_t half;

    /*
     * Invariant: of the `count` entries from `low` on, no later one contains the address than the
     * last that starts at or below it. Even odds make a conditional move of what could be a branch:
     * where a guest turns to next can't be predicted, and a wrong guess costs more than all the
     * rest.
     */
    for (size_t count = bus->count; count > 1; count -= half) {
        half = count / 2;
        const struct bus_entry *middle = low + half;
        bool is_above = middle->base.value <= address.value;

        low = __builtin_expect_with_probability(is_above, 1, 0.5) ? middle : low;
    }
    return bus->count && contains(low, address) ? low : NULL;
}
