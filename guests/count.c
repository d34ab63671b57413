// SPDX-License-Identifier: Apache-2.0
/*
 * So many reads and writes of a device register ("count=N"), and little else: what one costs is the
 * difference between two counts. GPIOAFSEL of the PL061 holds what is written and does nothing.
 */
#include "guest.h"

const char guest_name[] = "count";

enum { GPIOAFSEL = 0x420, AFSEL_MASK = 0xff, DEFAULT_COUNT = 1000 };

void guest_main(void)
{
    const uint64_t count = bootargs_number("count", DEFAULT_COUNT);
    const uint64_t mode_control = machine.gpio + GPIOAFSEL;
    uint64_t wrong = 0;

    CHECK(machine.gpio != 0);
    if (machine.gpio == 0)
        return;
    uint32_t before = read32(mode_control);
    for (uint64_t i = 0; i < count; i++) {
        write32(mode_control, i & AFSEL_MASK);
        wrong += read32(mode_control) != (i & AFSEL_MASK);
    }
    write32(mode_control, before);
    print("COUNT %lu\n", count);
    CHECK_EQ(wrong, 0);
}
