// SPDX-License-Identifier: Apache-2.0
/* The sample plugin's device: its registers, and an alarm that comes as an interrupt. */
#include "guest.h"

const char guest_name[] = "sample";

enum {
    ID = 0x00,
    DELAY = 0x04,
    STATUS = 0x08,
    ACK = 0x0c,
    COUNT = 0x10,
    ARMED = 1 << 0,
    FIRED = 1 << 1,
    ALARM_US = 1000,
    LATE_MS = 10000,
    HOUR_US = 3600000000U,
};

static volatile uint32_t alarms;

static uint64_t reg(uint32_t offset)
{
    return machine.sample + offset;
}

static void on_interrupt(uint32_t intid)
{
    CHECK_EQ(intid, machine.sample_intid);
    CHECK_EQ(read32(reg(STATUS)), FIRED);
    write32(reg(ACK), 1);
    alarms++;
}

static bool alarm_came(void *context)
{
    return alarms == *(const uint32_t *)context;
}

static void check_alarms(void)
{
    gic_init(on_interrupt);
    gic_enable(machine.sample_intid);
    interrupts_unmask();
    for (uint32_t count = 1; count <= 3; count++) {
        write32(reg(DELAY), ALARM_US);
        CHECK(wait_until(alarm_came, &count, LATE_MS));
        CHECK_EQ(read32(reg(COUNT)), count);
        CHECK_EQ(read32(reg(STATUS)), 0);
        CHECK_EQ(read32(reg(DELAY)), ALARM_US);
    }
    write32(reg(DELAY), HOUR_US);
    CHECK_EQ(read32(reg(STATUS)), ARMED);
    write32(reg(DELAY), 0);
    CHECK_EQ(read32(reg(STATUS)), 0);
}

static void check_bad_accesses(void)
{
    CHECK_EQ(read8(reg(ID)), 0);
    CHECK_EQ(read64(reg(COUNT)), 0);
    CHECK_EQ(read32(reg(0xffc)), 0);
    write32(reg(ID), UINT32_MAX);
    write16(reg(DELAY), 1);
    CHECK_EQ(read32(reg(STATUS)), 0);
}

void guest_main(void)
{
    CHECK(machine.sample != 0);
    if (!machine.sample)
        return;
    CHECK_EQ(read32(reg(ID)), bootargs_number("id", 0));
    CHECK_EQ(read32(reg(COUNT)), 0);
    check_bad_accesses();
    check_alarms();
}
