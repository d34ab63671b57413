// SPDX-License-Identifier: Apache-2.0
/*
 * The device table: which device answers at which guest physical address.
 *
 * Built before the run (bus_add, bus_freeze), constant afterwards: looking up takes no lock and
 * writes nothing shared. Each vCPU remembers the entry it hit last in a struct bus_cursor of its
 * own, because accesses come in runs to one device.
 *
 * Where devices are banked, a CPU sees one of its own at the same address: each CPU has a table of
 * its own then, its view, and looking up stays what it was.
 *
 * bus_add and bus_freeze: one thread, before the first vCPU runs. The rest: any thread.
 */
#ifndef ARMLET_SRC_BUS_H
#define ARMLET_SRC_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/access.h"
#include "armlet/device.h"
#include "armlet/error.h"
#include "armlet/gpa.h"

struct bus_entry {
    gpa_t base;
    uint64_t size_bytes;
    struct device *device;       /* what answers; of bank 0 until a view replaces it */
    struct device *const *banks; /* one a CPU, or NULL */
};

struct bus {
    struct arena *arena;
    struct bus_entry *entries; /* sorted by base once frozen */
    size_t count;
    size_t capacity;
    struct bus *views; /* one a CPU, or NULL: all CPUs see this table */
    uint32_t view_count;
    bool frozen;
};

struct bus_cursor {
    const struct bus_entry *last; /* hit last, in the one table that the cursor is used with */
};

void bus_init(struct bus *bus, struct arena *arena);

/*
 * Puts a device at `base`. Refuses a range that wraps, or is smaller than the widest access; the
 * bus doesn't own the device.
 */
bool bus_add(struct bus *bus, struct device *device, gpa_t base, struct error *error) WARN_UNUSED;

/*
 * Puts `count` devices of one size at `base`, of which CPU n sees banks[n]. The array outlives the
 * bus; all banked devices of a bus are for as many CPUs.
 */
bool bus_add_banked(struct bus *bus, struct device *const *banks, uint32_t count, gpa_t base,
                    struct error *error) WARN_UNUSED;

/* Sorts the table and refuses overlaps, naming both devices. No bus_add() afterwards. */
bool bus_freeze(struct bus *bus, struct error *error) WARN_UNUSED;

/* The table as a CPU sees it, once frozen. Entries have the same index in all views. */
const struct bus *bus_view(const struct bus *bus, uint32_t cpu);

/* The entry that contains `address`, or NULL. */
const struct bus_entry *bus_find(const struct bus *bus, gpa_t address);

/* What number an entry has, from 0 on, in the order of addresses. */
static inline size_t bus_entry_index(const struct bus *bus, const struct bus_entry *entry)
{
    return (size_t)(entry - bus->entries);
}

/* Whether an entry covers this access; a difference that wraps is above any size. */
static inline bool bus_entry_covers(const struct bus_entry *entry, gpa_t address,
                                    enum access_width width)
{
    return address.value - entry->base.value <= entry->size_bytes - (uint64_t)width;
}

/* Carries out an access that the entry covers. What a read gives above the width means nothing. */
static inline void bus_entry_access(const struct bus_entry *entry, gpa_t address,
                                    enum access_kind kind, enum access_width width, uint64_t *value)
{
    struct device *device = entry->device;
    uint64_t offset = address.value - entry->base.value;

    if (kind == ACCESS_READ)
        *value = device->ops->read(device, offset, width);
    else
        device->ops->write(device, offset, width, *value & access_mask(width));
}

/*
 * One access of a guest. False, with *value = 0 for a read, when no device covers all of it: such
 * an access is unassigned. Moves the cursor to the device it finds.
 */
static inline bool bus_access(const struct bus *bus, struct bus_cursor *cursor, gpa_t address,
                              enum access_kind kind, enum access_width width, uint64_t *value)
{
    const struct bus_entry *entry = cursor->last;

    if (!entry || !bus_entry_covers(entry, address, width)) {
        entry = bus_find(bus, address);
        if (!entry || !bus_entry_covers(entry, address, width)) {
            if (kind == ACCESS_READ)
                *value = 0;
            return false;
        }
        cursor->last = entry;
    }
    bus_entry_access(entry, address, kind, width, value);
    return true;
}

#endif
