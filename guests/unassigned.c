// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses where nothing is: they read as zero and ignore writes, in every width, between devices,
 * around memory, beyond a device's registers, and by pairs of which one half is a device.
 */
#include "primecell.h"

const char guest_name[] = "unassigned";

enum {
    RTCMR = 0x004,
    RTC_RESERVED = 0x800,  /* no register of the PL031 (DDI 0224C, 3.2) */
    UART_RESERVED = 0x400, /* nor of the PL011 (DDI 0183G, 3.2) */
    DEVICE_BYTES = 0x1000,
    DOUBLE_WORD = 8,
    WORD = 4,
    PCELL_ID3 = 0xb1,
};

#define GIB   (UINT64_C(1) << 30)
#define MATCH 0x600df00dU

static void check_nothing_at(uint64_t address)
{
    for (unsigned written = 0; written < 2; written++) {
        CHECK_EQ(read8(address), 0);
        CHECK_EQ(read16(address), 0);
        CHECK_EQ(read32(address), 0);
        CHECK_EQ(read64(address), 0);
        write8(address, UINT8_MAX);
        write16(address, UINT16_MAX);
        write32(address, UINT32_MAX);
        write64(address, UINT64_MAX);
    }
}

static bool is_apart(uint64_t address, uint64_t base, uint64_t size_bytes)
{
    return base == 0 || address - base >= size_bytes;
}

static bool is_gap(uint64_t address)
{
    enum { GIC_BYTES = 0x10000, ITS_BYTES = 0x20000 };

    return is_apart(address, machine.uart, DEVICE_BYTES) &&
           is_apart(address, machine.rtc, DEVICE_BYTES) &&
           is_apart(address, machine.gpio, DEVICE_BYTES) &&
           is_apart(address, machine.gicd, GIC_BYTES) &&
           is_apart(address, machine.gicc, GIC_BYTES) &&
           is_apart(address, machine.its, ITS_BYTES) &&
           is_apart(address, machine.gicr, machine.gicr_bytes) &&
           is_apart(address, machine.gicr_second, machine.gicr_second_bytes) &&
           is_apart(address, machine.memory_base, machine.memory_bytes);
}

/* The first bytes after a device, and the last of the page behind it. */
static void check_behind(uint64_t base)
{
    const uint64_t candidates[] = {base + DEVICE_BYTES, base + 2 * DEVICE_BYTES - DOUBLE_WORD};

    for (unsigned i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
        if (base != 0 && is_gap(candidates[i]))
            check_nothing_at(candidates[i]);
}

static void check_around_memory(void)
{
    uint64_t below = machine.memory_base - DOUBLE_WORD;
    uint64_t end = machine.memory_base + machine.memory_bytes;
    uint64_t above = (end + GIB - 1) / GIB * GIB; /* from there the map is Device memory */

    if (is_gap(below))
        check_nothing_at(below);
    if (is_gap(above))
        check_nothing_at(above);
}

static void check_reserved_registers(void)
{
    write32(machine.rtc + RTCMR, MATCH);
    check_nothing_at(machine.rtc + RTC_RESERVED);
    CHECK_EQ(read32(machine.rtc + RTCMR), MATCH);
    check_nothing_at(machine.uart + UART_RESERVED);
}

static uint64_t load_pair(uint64_t address)
{
    uint64_t first, second;

    __asm__ volatile("ldp %w0, %w1, [%2]" : "=&r"(first), "=&r"(second) : "r"(address) : "memory");
    return second << 32 | first;
}

static void store_pair(uint64_t address, uint32_t first, uint32_t second)
{
    __asm__ volatile("stp %w0, %w1, [%2]" : : "r"(first), "r"(second), "r"(address) : "memory");
}

/* Across the end of a device's page, and across its beginning. */
static void check_straddling(void)
{
    uint64_t rtc = machine.rtc;

    if (!is_gap(rtc + DEVICE_BYTES) || !is_gap(rtc - WORD))
        return;
    CHECK_EQ(load_pair(rtc + PRIMECELL_PCELL_ID3), PCELL_ID3);
    store_pair(rtc + PRIMECELL_PCELL_ID3, UINT32_MAX, UINT32_MAX);
    CHECK_EQ(load_pair(rtc + PRIMECELL_PCELL_ID3), PCELL_ID3);
    CHECK_EQ((uint32_t)load_pair(rtc - WORD), 0);
    CHECK_EQ(load_pair(rtc - WORD) >> 32 != 0, true); /* the time of day */
    CHECK_EQ(read32(rtc + RTCMR), MATCH);
}

void guest_main(void)
{
    check_behind(machine.uart);
    check_behind(machine.rtc);
    check_behind(machine.gpio);
    check_around_memory();
    check_reserved_registers();
    check_straddling();
    write32(machine.rtc + RTCMR, 0);
}
