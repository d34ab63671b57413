// SPDX-License-Identifier: Apache-2.0
/*
 * The performance counters' interrupt (PMUv3, DDI 0487, D13): the cycle counter overflows, the line
 * goes up, and down again when the overflow is cleared.
 */
#include "guest.h"

const char guest_name[] = "pmu";

enum {
    PMU_INTID = 23, /* as the Base System Architecture has it */
    PMCR_ENABLE = 1 << 0,
    PMCR_LONG_CYCLES = 1 << 6,
    SOON_MS = 5000,
    QUIET_US = 1000,
};

#define PMU_CYCLES   (1UL << 31) /* in PMCNTENSET_EL0 and its like */
#define PMU_COUNTERS UINT32_MAX
#define SHORT_OF_IT  1000000UL /* cycles before the overflow */

static volatile uint32_t interrupts;

static void on_interrupt(uint32_t intid)
{
    CHECK_EQ(intid, PMU_INTID);
    CHECK_EQ(READ_SYSREG(pmovsset_el0), PMU_CYCLES);
    WRITE_SYSREG(pmovsclr_el0, PMU_CYCLES);
    interrupts = interrupts + 1;
}

static bool has_come(void *count)
{
    return interrupts >= *(const uint32_t *)count;
}

static void overflow(uint32_t count)
{
    WRITE_SYSREG(pmccntr_el0, 0UL - SHORT_OF_IT);
    CHECK(wait_until(has_come, &count, SOON_MS));
    spin_microseconds(QUIET_US);
    CHECK_EQ(interrupts, count); /* cleared, the line is low */
}

/* What the registers hold after a reset is unknown. */
static void set_up(void)
{
    WRITE_SYSREG(pmcr_el0, 0);
    WRITE_SYSREG(pmcntenclr_el0, PMU_COUNTERS);
    WRITE_SYSREG(pmintenclr_el1, PMU_COUNTERS);
    WRITE_SYSREG(pmovsclr_el0, PMU_COUNTERS);
    WRITE_SYSREG(pmccfiltr_el0, 0);
    WRITE_SYSREG(pmccntr_el0, 0);
    WRITE_SYSREG(pmcr_el0, PMCR_ENABLE | PMCR_LONG_CYCLES);
    WRITE_SYSREG(pmintenset_el1, PMU_CYCLES);
    WRITE_SYSREG(pmcntenset_el0, PMU_CYCLES);
}

void guest_main(void)
{
    set_up();
    gic_init(on_interrupt);
    gic_enable(PMU_INTID);
    interrupts_unmask();
    overflow(1);
    overflow(2);
    interrupts_mask();
}
