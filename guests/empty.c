// SPDX-License-Identifier: Apache-2.0
/* Powers off, and nothing else: what a VMM costs by itself is measured with it. */
#include "guest.h"

const char guest_name[] = "empty";

void guest_entry(const void *fdt);

void guest_entry(const void *fdt)
{
    (void)fdt;
    register uint64_t x0 __asm__("x0") = PSCI_FN_SYSTEM_OFF;
    __asm__ volatile("hvc #0" : "+r"(x0) : : "memory");
}
