// SPDX-License-Identifier: Apache-2.0
/*
 * So many reads and writes of a device register ("count=N"), and little else: what one costs is the
 * difference between two counts. The register is memory of the test device, if there is one; else
 * GPIOAFSEL of the PL061, which holds what is written and does nothing. With "reads" or "writes" it
 * is those alone.
 */
#include "armlet/testdev.h"
#include "guest.h"

const char guest_name[] = "count";

enum { GPIOAFSEL = 0x420, AFSEL_MASK = 0xff, DEFAULT_COUNT = 1000 };

static uint64_t both(uint64_t word, uint64_t count)
{
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < count; i++) {
        write32(word, i & AFSEL_MASK);
        wrong += read32(word) != (i & AFSEL_MASK);
    }
    return wrong;
}

static uint64_t reads(uint64_t word, uint64_t count)
{
    uint64_t wrong = 0;

    write32(word, AFSEL_MASK);
    for (uint64_t i = 0; i < count; i++)
        wrong += read32(word) != AFSEL_MASK;
    return wrong;
}

static uint64_t writes(uint64_t word, uint64_t count)
{
    for (uint64_t i = 0; i <= count; i++)
        write32(word, i & AFSEL_MASK);
    return read32(word) != (count & AFSEL_MASK);
}

void guest_main(void)
{
    const uint64_t count = bootargs_number("count", DEFAULT_COUNT);
    const uint64_t word =
        machine.testdev ? machine.testdev + TESTDEV_SCRATCH : machine.gpio + GPIOAFSEL;
    uint64_t wrong;

    CHECK(machine.gpio != 0);
    if (machine.gpio == 0)
        return;
    uint32_t before = read32(word);
    if (bootargs_has("reads"))
        wrong = reads(word, count);
    else if (bootargs_has("writes"))
        wrong = writes(word, count);
    else
        wrong = both(word, count);
    write32(word, before);
    print("COUNT %lu\n", count);
    CHECK_EQ(wrong, 0);
}
