// SPDX-License-Identifier: Apache-2.0
/*
 * Guests that don't end by themselves, one a word in bootargs:
 *   spin       runs forever
 *   wfi        sleeps forever, with all interrupts masked
 *   bad-pc     fetches instructions, those of its vectors too, where nothing is
 *   bad-table  has its translation tables where nothing is, and no vectors either
 */
#include "guest.h"

const char guest_name[] = "crash";

enum { VECTORS_BYTES = 2048, SCTLR_EL1_M = 1 << 0 };

static _Noreturn void spin(void)
{
    print("SPIN\n");
    for (;;)
        __asm__ volatile("");
}

static _Noreturn void sleep(void)
{
    print("WFI\n");
    __asm__ volatile("msr daifset, #0xf" : : : "memory");
    for (;;)
        __asm__ volatile("wfi");
}

/* Beyond RAM, where vectors may start. */
static uint64_t nowhere(void)
{
    uint64_t end = machine.memory_base + machine.memory_bytes;

    return (end + VECTORS_BYTES - 1) & ~(uint64_t)(VECTORS_BYTES - 1);
}

/* Without the MMU the address goes out as it is; with it no execution there would be allowed. */
static _Noreturn void jump_nowhere(void)
{
    print("BAD-PC 0x%lx\n", nowhere());
    __asm__ volatile("msr daifset, #0xf\n\t"
                     "msr vbar_el1, %0\n\t"
                     "msr sctlr_el1, %1\n\t"
                     "isb\n\t"
                     "br %0"
                     :
                     : "r"(nowhere()), "r"(READ_SYSREG(sctlr_el1) & ~(uint64_t)SCTLR_EL1_M)
                     : "memory");
    __builtin_unreachable();
}

static _Noreturn void lose_tables(void)
{
    print("BAD-TABLE 0x%lx\n", nowhere());
    __asm__ volatile("msr daifset, #0xf\n\t"
                     "msr vbar_el1, %0\n\t"
                     "msr ttbr0_el1, %0\n\t"
                     "isb\n\t"
                     "tlbi vmalle1\n\t"
                     "dsb nsh\n\t"
                     "isb\n\t"
                     "b ."
                     :
                     : "r"(nowhere())
                     : "memory");
    __builtin_unreachable();
}

void guest_main(void)
{
    if (bootargs_has("spin"))
        spin();
    if (bootargs_has("wfi"))
        sleep();
    if (bootargs_has("bad-pc"))
        jump_nowhere();
    if (bootargs_has("bad-table"))
        lose_tables();
    print("bootargs: one of spin, wfi, bad-pc, bad-table\n");
    CHECK(false);
}
