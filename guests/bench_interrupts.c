// SPDX-License-Identifier: Apache-2.0
/* Interrupts of the one CPU that runs: SGIs to itself, LPIs, the timer. */
#include "armlet/testdev.h"
#include "bench.h"
#include "gic_registers.h"
#include "its.h"

enum {
    CNTV_CTL_ENABLE = 1 << 0,
    TIMER_PERIODS_PER_SECOND = 2000,
    ITS_DEVICE = 5,
    ITS_EVENT_BITS = 4,
    ITS_EVENT = 3,
    ITS_COLLECTION = 0,
    RESPONSE_MS = 1000,
    REST_MS = 40,
    MS_PER_SECOND = 1000,
};

static uint64_t deadline;

/* When the handler of each CPU began, last; 0: not since it was cleared. */
static volatile uint64_t handler_ticks[BENCH_CPUS];

static void on_interrupt(uint32_t intid)
{
    uint64_t now = ticks_now();

    if (intid == machine.virtual_timer_intid)
        WRITE_SYSREG(cntv_ctl_el0, 0);
    handler_ticks[cpu_index() % BENCH_CPUS] = now;
}

void bench_interrupts_start(void)
{
    gic_init(on_interrupt);
    gic_enable(BENCH_SGI);
    if (machine.virtual_timer_intid != 0)
        gic_enable(machine.virtual_timer_intid);
}

void bench_rest(void)
{
    uint64_t end = ticks_now() + ticks_per_second() / MS_PER_SECOND * REST_MS;
    bool can_sleep = machine.gicd != 0 && machine.virtual_timer_intid != 0;

    if (can_sleep) {
        WRITE_SYSREG(cntv_cval_el0, end);
        WRITE_SYSREG(cntv_ctl_el0, CNTV_CTL_ENABLE);
    }
    while (ticks_now() < end)
        if (can_sleep)
            __asm__ volatile("dsb sy\n\twfi" : : : "memory");
    WRITE_SYSREG(cntv_ctl_el0, 0);
}

void bench_interrupt_forget(uint32_t cpu)
{
    handler_ticks[cpu] = 0;
}

static bool has_come(void *context)
{
    const uint32_t *cpu = context;

    return handler_ticks[*cpu] != 0;
}

uint64_t bench_interrupt_wait(uint32_t cpu)
{
    CHECK(wait_until(has_come, &cpu, RESPONSE_MS));
    return handler_ticks[cpu];
}

static const char *need_gic(void)
{
    return machine.gicd ? NULL : "the device tree has no GIC";
}

/* ---- SGIs, with interrupts masked ---- */

static void sgi_to_itself(void)
{
    gic_send_sgi(BENCH_SGI, cpu_index());
    gic_end(gic_acknowledge());
}

static uint64_t sgi_self(void)
{
    return BENCH_BATCH_OF(BENCH_BATCH, sgi_to_itself());
}

/* A target list without a CPU. */
static uint64_t sgi_none(void)
{
    if (machine.gic_version == 2)
        return BENCH_BATCH_OF(BENCH_BATCH, write32(machine.gicd + GICD_SGIR, 0));
    return BENCH_BATCH_OF(BENCH_BATCH, WRITE_SYSREG(icc_sgi1r_el1, 0));
}

static uint64_t eoi(void)
{
    if (machine.gic_version == 2)
        return BENCH_BATCH_OF(BENCH_BATCH, write32(machine.gicc + GICC_EOIR, INTID_SPURIOUS));
    return BENCH_BATCH_OF(BENCH_BATCH, WRITE_SYSREG(icc_eoir1_el1, INTID_SPURIOUS));
}

/* ---- an LPI ---- */

static const char *lpi_prepare(void)
{
    static bool done;

    if (machine.its == 0)
        return "the device tree has no ITS";
    if (done)
        return NULL;
    done = true;
    its_init();
    its_init_cpu();
    its_configure_lpi(GIC_FIRST_LPI, GIC_PRIORITY_DEFAULT, true);
    its_map_device(ITS_DEVICE, ITS_EVENT_BITS);
    its_map_collection(ITS_COLLECTION, cpu_index());
    its_map_event(ITS_DEVICE, ITS_EVENT, GIC_FIRST_LPI, ITS_COLLECTION);
    its_invalidate(ITS_DEVICE, ITS_EVENT);
    return failed_checks() == 0 ? NULL : "the ITS does not do as it is told";
}

static uint64_t lpi(void)
{
    uint64_t start;
    uint64_t came;

    bench_interrupt_forget(0);
    interrupts_unmask();
    start = ticks_now();
    its_interrupt(ITS_DEVICE, ITS_EVENT);
    came = bench_interrupt_wait(0);
    interrupts_mask();
    return came - start;
}

/* ---- the test device's interrupt ---- */

static const char *testdev_prepare(void)
{
    if (machine.testdev == 0 || machine.gicd == 0)
        return "the device tree has no test device (armlet-testdev(7)), or no GIC";
    gic_set_edge(machine.testdev_intid, true);
    gic_enable(machine.testdev_intid);
    return NULL;
}

static const char *irqfd_prepare(void)
{
    const char *why_not = testdev_prepare();

    if (why_not)
        return why_not;
    return read32(machine.testdev + TESTDEV_ABILITIES) & TESTDEV_CAN_LOOPBACK
               ? NULL
               : "the GIC is not in the kernel, or this host's KVM can't do it";
}

static void testdev_finish(void)
{
    gic_disable(machine.testdev_intid);
}

/* From a write to a word of the test device that raises its interrupt. */
static uint64_t until_handler(uint64_t word)
{
    uint64_t start;
    uint64_t came;

    bench_interrupt_forget(0);
    interrupts_unmask();
    start = ticks_now();
    write32(machine.testdev + word, 0);
    came = bench_interrupt_wait(0);
    interrupts_mask();
    return came - start;
}

static uint64_t irqfd(void)
{
    return until_handler(TESTDEV_LOOPBACK);
}

static uint64_t irq_line(void)
{
    return until_handler(TESTDEV_RAISE);
}

/* The device's thread raises the interrupt, while this CPU waits. */
static uint64_t wfi_irqfd(void)
{
    uint64_t start;
    uint64_t woken;

    bench_interrupt_forget(0);
    start = ticks_now();
    write32(machine.testdev + TESTDEV_ECHO, 0);
    do {
        __asm__ volatile("dsb sy\n\twfi" : : : "memory");
        woken = ticks_now();
    } while (!gic_is_pending(machine.testdev_intid));
    interrupts_unmask();
    (void)bench_interrupt_wait(0);
    interrupts_mask();
    return woken - start;
}

/* ---- the timer: deadlines come at a fixed rate, however late the one before was served ---- */

static const char *timer_prepare(void)
{
    if (machine.gicd == 0 || machine.virtual_timer_intid == 0)
        return "the device tree has no GIC, or no timer";
    deadline = ticks_now();
    return NULL;
}

static void timer_set(void)
{
    uint64_t period = ticks_per_second() / TIMER_PERIODS_PER_SECOND;

    do
        deadline += period;
    while (deadline < ticks_now() + period / 2);
    bench_interrupt_forget(0);
    WRITE_SYSREG(cntv_cval_el0, deadline);
    WRITE_SYSREG(cntv_ctl_el0, CNTV_CTL_ENABLE);
}

static uint64_t timer_late(void)
{
    uint64_t came;

    timer_set();
    interrupts_unmask();
    came = bench_interrupt_wait(0);
    interrupts_mask();
    return came - deadline;
}

static uint64_t wfi_timer(void)
{
    uint64_t woken;

    timer_set();
    do {
        __asm__ volatile("dsb sy\n\twfi" : : : "memory");
        woken = ticks_now();
    } while (woken < deadline);
    interrupts_unmask();
    (void)bench_interrupt_wait(0);
    interrupts_mask();
    return woken - deadline;
}

const struct benchmark bench_interrupts[] = {
    {.id = BENCH_SGI_SELF, .operations = BENCH_BATCH, .prepare = need_gic, .sample = sgi_self},
    {.id = BENCH_SGI_NONE, .operations = BENCH_BATCH, .prepare = need_gic, .sample = sgi_none},
    {.id = BENCH_EOI, .operations = BENCH_BATCH, .prepare = need_gic, .sample = eoi},
    {.id = BENCH_LPI, .operations = 1, .prepare = lpi_prepare, .sample = lpi},
    {.id = BENCH_IRQ_LINE,
     .operations = 1,
     .prepare = testdev_prepare,
     .sample = irq_line,
     .finish = testdev_finish},
    {.id = BENCH_IRQFD,
     .operations = 1,
     .prepare = irqfd_prepare,
     .sample = irqfd,
     .finish = testdev_finish},
    {.id = BENCH_TIMER_LATE, .operations = 1, .prepare = timer_prepare, .sample = timer_late},
    {.id = BENCH_WFI_TIMER, .operations = 1, .prepare = timer_prepare, .sample = wfi_timer},
    {.id = BENCH_WFI_IRQFD,
     .operations = 1,
     .prepare = irqfd_prepare,
     .sample = wfi_irqfd,
     .finish = testdev_finish},
    {.sample = NULL},
};
