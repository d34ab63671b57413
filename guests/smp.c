// SPDX-License-Identifier: Apache-2.0
/*
 * All CPUs at once: each knows who it is, they count under a spinlock and by an atomic, and each
 * in turn interrupts the others. They say nothing unless something is wrong.
 */
#include "guest.h"

const char guest_name[] = "smp";

enum {
    ROUNDS = 1000,
    SGI = 5,
    TARGETS = 8, /* that a CPU interrupts: all, if there are no more CPUs */
    WAIT_MS = 60000,
};

static uint32_t lock;
static uint32_t counted_locked; /* guarded by the lock */
static uint32_t counted;
static uint32_t online;
static uint32_t finished;
static uint32_t turn;
static uint32_t received[GUEST_MAX_CPUS];

struct expectation {
    const uint32_t *at;
    uint32_t value;
};

static bool is_met(void *context)
{
    const struct expectation *expected = context;

    return __atomic_load_n(expected->at, __ATOMIC_ACQUIRE) == expected->value;
}

static bool wait_for(const uint32_t *at, uint32_t value)
{
    struct expectation expected = {at, value};

    return wait_until(is_met, &expected, WAIT_MS);
}

static void count(uint32_t *counter)
{
    __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static void spin_lock(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        __asm__ volatile("yield");
}

static void spin_unlock(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void on_interrupt(uint32_t intid)
{
    CHECK_EQ(intid, SGI);
    count(&received[cpu_index()]);
}

static void count_with_all(void)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        count(&counted);
        spin_lock();
        counted_locked++;
        spin_unlock();
    }
}

/* Those behind this CPU, in a ring; the last of few CPUs is itself. */
static void interrupt_others(uint32_t index)
{
    uint32_t targets = machine.cpu_count < TARGETS ? machine.cpu_count : TARGETS;

    for (uint32_t i = 1; i <= targets; i++) {
        uint32_t target = (index + i) % machine.cpu_count;
        uint32_t before = __atomic_load_n(&received[target], __ATOMIC_ACQUIRE);

        gic_send_sgi(SGI, target);
        CHECK(wait_for(&received[target], before + 1));
    }
}

static void cpu_main(uint32_t index)
{
    CHECK_EQ(mpidr_affinity(), machine.cpu_mpidr[index]);
    CHECK_EQ(cpu_index(), index);
    gic_enable(SGI);
    interrupts_unmask();
    count(&online);
    CHECK(wait_for(&online, machine.cpu_count));
    count_with_all();
    CHECK(wait_for(&turn, index));
    interrupt_others(index);
    count(&turn);
    CHECK(wait_for(&turn, machine.cpu_count)); /* interrupts may come until then */
    interrupts_mask();
    count(&finished);
}

static void secondary_cpu(uint32_t index)
{
    gic_init_cpu();
    cpu_main(index);
}

static void last_cpu(uint32_t index)
{
    CHECK_EQ(mpidr_affinity(), machine.cpu_mpidr[index]);
    CHECK_EQ(cpu_index(), index);
    gic_init_cpu();
    gic_enable(SGI);
    interrupts_unmask();
    count(&online);
    CHECK(wait_for(&received[index], 1));
    interrupts_mask();
}

/* bootargs "last": of many CPUs one, whose redistributor is farthest away, and only that. */
static void start_last(void)
{
    uint32_t last = machine.cpu_count - 1;

    CHECK_EQ(cpu_start(last, last_cpu), 0);
    CHECK(wait_for(&online, 1));
    gic_send_sgi(SGI, last);
    CHECK(cpu_wait_off(last, WAIT_MS));
    CHECK_EQ(received[last], 1);
    print("LAST %u\n", last);
}

void guest_main(void)
{
    gic_init(on_interrupt);
    if (bootargs_has("last")) {
        start_last();
        return;
    }
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (i != cpu_index())
            CHECK_EQ(cpu_start(i, secondary_cpu), 0);
    cpu_main(cpu_index());
    CHECK(wait_for(&finished, machine.cpu_count));
    CHECK_EQ(counted, machine.cpu_count * ROUNDS);
    CHECK_EQ(counted_locked, machine.cpu_count * ROUNDS);
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        CHECK(i == cpu_index() || cpu_wait_off(i, WAIT_MS));
    print("CPUS %u\n", online);
}
