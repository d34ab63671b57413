// SPDX-License-Identifier: Apache-2.0
/* From start.S to guest_main() and the verdict; checks; time. */
#include "lib.h"

enum { MILLISECONDS_PER_SECOND = 1000, MICROSECONDS_PER_SECOND = 1000000 };

static uint32_t failures;

void guest_entry(const void *fdt);

/* Weak: a guest that wants the CPU as the VMM leaves it brings its own. */
__attribute__((weak)) void guest_entry(const void *fdt)
{
    cpu_set_up();
    machine_find(fdt);
    mmu_start();
    cpu_note_index(cpu_index_of(mpidr_affinity()));
    guest_main();
    if (failed_checks() == 0)
        print("PASS %s\n", guest_name);
    else
        print("FAIL %s: %u checks\n", guest_name, failed_checks());
    power_off();
}

static void count_failure(void)
{
    (void)__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

uint32_t failed_checks(void)
{
    return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

void check(bool good, const char *file, int line, const char *text)
{
    if (good)
        return;
    count_failure();
    print("FAIL %s:%d: %s\n", file, line, text);
}

void check_equal(uint64_t left, uint64_t right, const char *file, int line, const char *text)
{
    if (left == right)
        return;
    count_failure();
    print("FAIL %s:%d: %s (0x%lx, 0x%lx)\n", file, line, text, left, right);
}

uint64_t ticks_now(void)
{
    __asm__ volatile("isb" : : : "memory"); /* or the counter is read ahead of time */
    return READ_SYSREG(cntvct_el0);
}

uint64_t ticks_per_second(void)
{
    return READ_SYSREG(cntfrq_el0);
}

bool wait_until(bool (*condition)(void *context), void *context, uint32_t milliseconds)
{
    uint64_t limit = ticks_per_second() * milliseconds / MILLISECONDS_PER_SECOND;
    uint64_t start = ticks_now();

    while (ticks_now() - start < limit)
        if (condition(context))
            return true;
    return condition(context);
}

void spin_microseconds(uint32_t microseconds)
{
    uint64_t limit = ticks_per_second() * microseconds / MICROSECONDS_PER_SECOND;
    uint64_t start = ticks_now();

    while (ticks_now() - start < limit)
        ;
}

/* GCC and Clang call these two on their own, for copies of structs and cleared arrays. */
void *memset(void *destination, int value, size_t size_bytes);
void *memcpy(void *destination, const void *source, size_t size_bytes);

void *memset(void *destination, int value, size_t size_bytes)
{
    uint8_t *to = destination;

    for (size_t i = 0; i < size_bytes; i++)
        to[i] = (uint8_t)value;
    return destination;
}

void *memcpy(void *destination, const void *source, size_t size_bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;

    for (size_t i = 0; i < size_bytes; i++)
        to[i] = from[i];
    return destination;
}
