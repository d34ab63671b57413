// SPDX-License-Identifier: Apache-2.0
/*
 * So many reads and writes of a device register ("count=N"), and little else: what one costs is the
 * difference between two counts, or what it says its loop took ("TICKS"). The register is memory of
 * the test device, if there is one; else GPIOAFSEL of the PL061, which holds what is written and
 * does nothing. With "reads" or "writes" it is those alone; with "operations", as many of other
 * things that a VMM counts follow.
 */
#include "armlet/testdev.h"
#include "guest.h"

const char guest_name[] = "count";

enum {
    GPIOAFSEL = 0x420, /* PL061 (DDI 0190) */
    AFSEL_MASK = 0xff,
    GPIO_NO_REGISTER = 0x500,
    UARTIMSC = 0x038, /* PL011 (DDI 0183) */
    UARTIMSC_TXIM = 0x020,
    DEFAULT_COUNT = 1000,
};

#define NOWHERE UINT64_C(0x0b000000)

/* After something was printed, the transmit interrupt is asserted: the mask is all that it needs.
 */
static void count_operations(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t address = machine.gpio + GPIOAFSEL;
        uint32_t value;

        CHECK_EQ(read32(NOWHERE), 0);
        write32(NOWHERE, 1);
        write32(NOWHERE, 2);
        CHECK_EQ(read32(machine.gpio + GPIO_NO_REGISTER), 0);
        write32(machine.uart + UARTIMSC, UARTIMSC_TXIM);
        write32(machine.uart + UARTIMSC, 0);
        (void)psci_call(PSCI_FN_VERSION, 0, 0, 0);
        /* The hardware doesn't describe an access with write-back. */
        __asm__ volatile("ldr %w0, [%1], #4" : "=r"(value), "+r"(address) : : "memory");
        CHECK_EQ(value, read32(machine.gpio + GPIOAFSEL));
    }
}

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
    uint64_t start = ticks_now();
    if (bootargs_has("reads"))
        wrong = reads(word, count);
    else if (bootargs_has("writes"))
        wrong = writes(word, count);
    else
        wrong = both(word, count);
    uint64_t ticks = ticks_now() - start;
    write32(word, before);
    print("COUNT %lu\nTICKS %lu\n", count, ticks);
    CHECK_EQ(wrong, 0);
    if (bootargs_has("operations"))
        count_operations(count);
}
