// SPDX-License-Identifier: Apache-2.0
/* What takes two CPUs: interrupts from one to the other, and turning the other on and off. */
#include "bench.h"

enum { OTHER_CPU = 1, RESPONSE_MS = 1000, SETTLE_US = 50 };

static struct {
    volatile uint64_t began; /* when its entry began; 0: not yet */
    volatile uint64_t ended;
    volatile bool sleeps; /* waits in WFI, else running */
    volatile bool stop;
} other;

static const char *need_two(void)
{
    if (!bench_has_two_cpus())
        return "vCPUs would take turns on one host CPU";
    return machine.cpu_count < BENCH_CPUS ? "the machine has one vCPU" : NULL;
}

static bool has_begun(void *context)
{
    (void)context;
    return other.began != 0;
}

/* ---- SGIs to a vCPU that runs, or sleeps ---- */

static void other_waits(uint32_t index)
{
    (void)index;
    gic_init_cpu();
    gic_enable(BENCH_SGI);
    other.began = ticks_now();
    while (!other.stop) {
        if (other.sleeps)
            __asm__ volatile("dsb sy\n\twfi" : : : "memory");
        interrupts_unmask();
        __asm__ volatile("isb" : : : "memory");
        interrupts_mask();
    }
}

static const char *start_other(bool sleeps)
{
    const char *why_not = machine.gicd ? need_two() : "the device tree has no GIC";

    if (why_not)
        return why_not;
    other.began = 0;
    other.stop = false;
    other.sleeps = sleeps;
    if (cpu_start(OTHER_CPU, other_waits) != 0 || !wait_until(has_begun, NULL, RESPONSE_MS))
        return "the other vCPU did not start";
    return NULL;
}

static const char *start_running(void)
{
    return start_other(false);
}

static const char *start_sleeping(void)
{
    return start_other(true);
}

static void stop_other(void)
{
    other.stop = true;
    gic_send_sgi(BENCH_SGI, OTHER_CPU);
    CHECK(cpu_wait_off(OTHER_CPU, RESPONSE_MS));
}

/* Between two SGIs the other vCPU gets back to waiting. */
static uint64_t sgi(void)
{
    uint64_t start;

    spin_microseconds(SETTLE_US);
    bench_interrupt_forget(OTHER_CPU);
    start = ticks_now();
    gic_send_sgi(BENCH_SGI, OTHER_CPU);
    return bench_interrupt_wait(OTHER_CPU) - start;
}

/* ---- on and off ---- */

static void other_begins(uint32_t index)
{
    (void)index;
    other.began = ticks_now();
    other.ended = ticks_now();
}

static uint64_t on(void)
{
    uint64_t start;

    other.began = 0;
    start = ticks_now();
    CHECK(cpu_start(OTHER_CPU, other_begins) == 0);
    CHECK(wait_until(has_begun, NULL, RESPONSE_MS));
    CHECK(cpu_wait_off(OTHER_CPU, RESPONSE_MS));
    return other.began - start;
}

static uint64_t off(void)
{
    (void)on();
    return ticks_now() - other.ended;
}

const struct benchmark bench_cpus[] = {
    {.id = BENCH_SGI_OTHER,
     .operations = 1,
     .prepare = start_running,
     .sample = sgi,
     .finish = stop_other},
    {.id = BENCH_WFI_IPI,
     .operations = 1,
     .prepare = start_sleeping,
     .sample = sgi,
     .finish = stop_other},
    {.id = BENCH_PSCI_ON, .operations = 1, .prepare = need_two, .sample = on},
    {.id = BENCH_PSCI_OFF, .operations = 1, .prepare = need_two, .sample = off},
    {.sample = NULL},
};
