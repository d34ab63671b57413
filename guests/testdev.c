// SPDX-License-Identifier: Apache-2.0
/*
 * The test device as armlet-testdev(7) has it. With "abilities=N" the host has to handle so much
 * without an exit; with "exit=N" the guest ends with that status, however the checks came out.
 */
#include "armlet/testdev.h"
#include "guest.h"

const char guest_name[] = "testdev";

enum { SOON_MS = 5000, BURST = 1000, NO_EXIT = -1 };

static volatile uint32_t interrupts;

static uint64_t at(uint64_t offset)
{
    return machine.testdev + offset;
}

static void check_identity(void)
{
    CHECK_EQ(read32(at(TESTDEV_ID)), TESTDEV_ID_VALUE);
    CHECK_EQ(read32(at(TESTDEV_VERSION)), TESTDEV_VERSION_VALUE);
    uint64_t least = bootargs_number("abilities", 0);
    CHECK_EQ(read32(at(TESTDEV_ABILITIES)) & least, least);
}

static void check_scratch(void)
{
    const uint64_t word = at(TESTDEV_SCRATCH + 0x120);

    CHECK_EQ(read64(word), 0);
    write64(word, 0x8877665544332211);
    CHECK_EQ(read8(word), 0x11);
    CHECK_EQ(read8(word + 7), 0x88);
    CHECK_EQ(read16(word + 2), 0x4433);
    CHECK_EQ(read32(word + 4), 0x88776655);
    write8(word, 0xff);
    write16(word + 2, 0xeeee);
    CHECK_EQ(read64(word), 0x88776655eeee22ff);
    write32(word + 4, 0xdddddddd);
    CHECK_EQ(read64(word), 0xddddddddeeee22ff);
}

static void check_page(void)
{
    for (uint32_t offset = 0; offset < TESTDEV_PAGE_BYTES; offset += 4)
        CHECK_EQ(read32(at(TESTDEV_PAGE + offset)), TESTDEV_PAGE_WORD(offset));
    write32(at(TESTDEV_PAGE), 0);
    CHECK_EQ(read32(at(TESTDEV_PAGE)), TESTDEV_PAGE_WORD(0));
}

static bool doorbell_was_heard(void *context)
{
    return read32(at(TESTDEV_DOORBELL_COUNT)) == *(const uint32_t *)context;
}

static void check_doorbells(void)
{
    uint32_t rung = 3;

    for (uint32_t i = 0; i < rung; i++) {
        write32(at(TESTDEV_DOORBELL), i);
        write32(at(TESTDEV_MUTE), i);
    }
    CHECK(wait_until(doorbell_was_heard, &rung, SOON_MS));
    CHECK_EQ(read32(at(TESTDEV_MUTE_COUNT)), rung);
}

/* More than the ring holds; each read of a register comes after all writes before it. */
static void check_coalesced(void)
{
    for (uint32_t i = 1; i <= BURST; i++)
        write32(at(TESTDEV_COALESCED), i);
    CHECK_EQ(read32(at(TESTDEV_COALESCED_LAST)), BURST);
    CHECK_EQ(read32(at(TESTDEV_COALESCED_COUNT)), BURST);
    write16(at(TESTDEV_COALESCED) + 2, 0x1234);
    CHECK_EQ(read32(at(TESTDEV_COALESCED_LAST)), 0x1234);
    write64(at(TESTDEV_COALESCED), 0x100000007);
    CHECK_EQ(read32(at(TESTDEV_COALESCED_LAST)), 7);
    CHECK_EQ(read32(at(TESTDEV_COALESCED_COUNT)), BURST + 2);
}

static void on_interrupt(uint32_t intid)
{
    CHECK_EQ(intid, machine.testdev_intid);
    interrupts = interrupts + 1;
}

static bool interrupts_are(void *context)
{
    return interrupts == *(const uint32_t *)context;
}

static void check_interrupts(void)
{
    uint32_t expected = 0;

    gic_init(on_interrupt);
    gic_set_edge(machine.testdev_intid, true);
    gic_enable(machine.testdev_intid);
    interrupts_unmask();
    for (uint32_t i = 0; i < 3; i++) {
        expected++;
        write32(at(TESTDEV_LOOPBACK), i);
        CHECK(wait_until(interrupts_are, &expected, SOON_MS));
        expected++;
        write32(at(TESTDEV_ECHO), i);
        CHECK(wait_until(interrupts_are, &expected, SOON_MS));
    }
    interrupts_mask();
}

void guest_main(void)
{
    CHECK(machine.testdev != 0);
    if (!machine.testdev)
        return;
    check_identity();
    check_scratch();
    check_page();
    check_doorbells();
    check_coalesced();
    check_interrupts();
    int64_t status = (int64_t)bootargs_number("exit", (uint64_t)NO_EXIT);
    if (status == NO_EXIT)
        return;
    print("%s with status %ld\n", failed_checks() ? "FAIL" : "EXIT", status);
    write32(at(TESTDEV_EXIT), (uint32_t)status);
    for (;;)
        __asm__ volatile("wfi");
}
