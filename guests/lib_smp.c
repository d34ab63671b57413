// SPDX-License-Identifier: Apache-2.0
/* CPUs: which one this is, and starting others. */
#include "cpu.h"
#include "lib.h"

/* Aff3 and Aff2 to Aff0 of MPIDR_EL1, as the device tree and PSCI name a CPU. */
#define MPIDR_AFFINITY_MASK 0xff00ffffffULL

_Static_assert(GUEST_STACK_BYTES == 1 << GUEST_STACK_SHIFT, "cpu.S agrees");
_Static_assert(GUEST_MAX_CPUS == STACKS_COUNT, "cpu.S has a stack for each");

static void (*entries[GUEST_MAX_CPUS])(uint32_t index);

uint64_t mpidr_affinity(void)
{
    return READ_SYSREG(mpidr_el1) & MPIDR_AFFINITY_MASK;
}

uint32_t cpu_index_of(uint64_t mpidr)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (machine.cpu_mpidr[i] == mpidr)
            return i;
    return 0;
}

void cpu_note_index(uint32_t index)
{
    WRITE_SYSREG(tpidr_el1, index);
}

uint32_t cpu_index(void)
{
    return (uint32_t)READ_SYSREG(tpidr_el1);
}

/* Called by cpu.S, with the MMU on. */
void secondary_main(uint32_t index);

void secondary_main(uint32_t index)
{
    cpu_set_up();
    cpu_note_index(index);
    entries[index](index);
    (void)psci_call(PSCI_FN_CPU_OFF, 0, 0, 0);
}

int64_t cpu_start(uint32_t index, void (*entry)(uint32_t index))
{
    entries[index] = entry;
    __asm__ volatile("dsb sy" : : : "memory");
    return psci_call(PSCI_FN64_CPU_ON, machine.cpu_mpidr[index], (uint64_t)secondary_start, index);
}

static bool is_off(void *context)
{
    const int64_t off = 1; /* DEN0022, 5.7: AFFINITY_INFO */

    return psci_call(PSCI_FN64_AFFINITY_INFO, *(const uint64_t *)context, 0, 0) == off;
}

bool cpu_wait_off(uint32_t index, uint32_t milliseconds)
{
    return wait_until(is_off, &machine.cpu_mpidr[index], milliseconds);
}
