// SPDX-License-Identifier: Apache-2.0
/* What the tests of PrimeCells have in common: access in one word, and checks that hold for all. */
#ifndef TESTS_PRIMECELL_CHECKS_H
#define TESTS_PRIMECELL_CHECKS_H

#include "armlet/device.h"

static inline uint32_t device_read32(struct device *device, uint64_t offset)
{
    return (uint32_t)device->ops->read(device, offset, ACCESS_32_BIT);
}

static inline void device_write32(struct device *device, uint64_t offset, uint32_t value)
{
    device->ops->write(device, offset, ACCESS_32_BIT, value);
}

/* The built-in class of that name; the test fails if there is none. */
const struct device_class *find_device_class(const char *name);

/* PeriphID as one word, PCellID, and that writes don't change them. */
void check_identification(struct device *device, uint32_t periph_id);

/* Reserved offsets, offsets between registers and 64-bit accesses read as zero, ignore writes. */
void check_bad_accesses(struct device *device, uint64_t register_offset, uint64_t reserved_offset);

/* One access of random kind, offset, width and value; half of them from `registers` on. */
void random_access(struct device *device, uint64_t registers, uint64_t *state);

/* The next number of a fixed sequence (xorshift64*); the state is not zero. */
uint64_t random_next(uint64_t *state);

#endif
