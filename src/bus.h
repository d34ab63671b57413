// SPDX-License-Identifier: Apache-2.0
/*
 * The device table: which device answers at which guest physical address.
 *
 * Built before the run (bus_add, bus_freeze), constant afterwards: looking up takes no lock and
 * writes nothing shared. Each vCPU remembers the entry it hit last in a struct bus_cursor of its
 * own, because accesses come in runs to one device.
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
    struct device *device;
};

struct bus {
    struct arena *arena;
    struct bus_entry *entries; /* sorted by base once frozen */
    size_t count;
    size_t capacity;
    bool frozen;
};

struct bus_cursor {
    size_t last; /* index of the entry hit last */
};

void bus_init(struct bus *bus, struct arena *arena);

/* Puts a device at `base`. Refuses an empty or wrapping range; the bus doesn't own the device. */
bool bus_add(struct bus *bus, struct device *device, gpa_t base, struct error *error) WARN_UNUSED;

/* Sorts the table and refuses overlaps, naming both devices. No bus_add() afterwards. */
bool bus_freeze(struct bus *bus, struct error *error) WARN_UNUSED;

/* The entry that contains `address`, or NULL. Updates the cursor on a hit. */
const struct bus_entry *bus_find(const struct bus *bus, struct bus_cursor *cursor, gpa_t address);

/*
 * One access of a guest. False, with *value = 0 for a read, when no device covers all of it: such
 * an access is unassigned. *value has only the bits of the width set.
 */
bool bus_access(const struct bus *bus, struct bus_cursor *cursor, gpa_t address,
                enum access_kind kind, enum access_width width, uint64_t *value);

#endif
