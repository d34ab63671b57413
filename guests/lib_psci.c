// SPDX-License-Identifier: Apache-2.0
/* PSCI calls (SMC Calling Convention, DEN0028: X0 to X3 in, X0 out, X4 to X17 may be lost). */
#include "lib.h"

#define SMCCC_CALL(instruction)                                                                    \
    __asm__ volatile(instruction " #0"                                                             \
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)                                      \
                     :                                                                             \
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",      \
                       "x15", "x16", "x17", "memory")

int64_t psci_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
    register uint64_t r0 __asm__("x0") = function;
    register uint64_t r1 __asm__("x1") = x1;
    register uint64_t r2 __asm__("x2") = x2;
    register uint64_t r3 __asm__("x3") = x3;

    if (machine.psci_hvc)
        SMCCC_CALL("hvc");
    else
        SMCCC_CALL("smc");
    return (int64_t)r0;
}

void power_off(void)
{
    (void)psci_call(PSCI_FN_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}

void system_reset(void)
{
    (void)psci_call(PSCI_FN_SYSTEM_RESET, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
