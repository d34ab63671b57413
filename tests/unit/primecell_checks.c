// SPDX-License-Identifier: Apache-2.0
#include "primecell_checks.h"

#include <check.h>
#include <string.h>

const struct device_class *find_device_class(const char *name)
{
    const struct device_class *const *class = builtin_device_classes;

    while (*class != NULL && strcmp((*class)->name, name) != 0) {
        class ++;
    }
    ck_assert_ptr_nonnull(*class);
    return *class;
}

void check_identification(struct device *device, uint32_t periph_id)
{
    static const uint32_t pcell_id[] = {0x0d, 0xf0, 0x05, 0xb1};

    for (unsigned i = 0; i < 4; i++) {
        device_write32(device, 0xfe0 + 4 * i, 0xdeadbeef);
        device_write32(device, 0xff0 + 4 * i, 0xdeadbeef);
        ck_assert_uint_eq(device_read32(device, 0xfe0 + 4 * i), periph_id >> 8 * i & 0xff);
        ck_assert_uint_eq(device_read32(device, 0xff0 + 4 * i), pcell_id[i]);
    }
}

void check_bad_accesses(struct device *device, uint64_t register_offset, uint64_t reserved_offset)
{
    uint32_t before = device_read32(device, register_offset);

    device->ops->write(device, register_offset, ACCESS_64_BIT, ~(uint64_t)before);
    device->ops->write(device, register_offset + 1, ACCESS_8_BIT, 0xff);
    device->ops->write(device, register_offset + 2, ACCESS_16_BIT, 0xffff);
    device_write32(device, reserved_offset, UINT32_MAX);
    ck_assert_uint_eq(device_read32(device, register_offset), before);
    ck_assert_uint_eq(device->ops->read(device, register_offset, ACCESS_64_BIT), 0);
    ck_assert_uint_eq(device->ops->read(device, register_offset + 1, ACCESS_8_BIT), 0);
    ck_assert_uint_eq(device->ops->read(device, register_offset + 2, ACCESS_16_BIT), 0);
    ck_assert_uint_eq(device_read32(device, reserved_offset), 0);
}

uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

void random_access(struct device *device, uint64_t registers, uint64_t *state)
{
    uint64_t choice = random_next(state);
    enum access_width width = (enum access_width)(1U << (choice & 3));
    uint64_t offset = choice >> 8 & 0xfff;

    if ((choice & 4) != 0) {
        offset = registers + (offset & 0x7c);
    } else if ((choice & 8) != 0) {
        offset &= ~UINT64_C(7);
    }
    if ((choice & 16) != 0) {
        device->ops->write(device, offset, width, random_next(state) & access_mask(width));
    } else {
        (void)device->ops->read(device, offset, width);
    }
}
