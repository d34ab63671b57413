// SPDX-License-Identifier: Apache-2.0
/*
 * PSCI (DEN0022): every function that a Linux guest uses, and the errors for calls that make no
 * sense. With more than one CPU, the last one is started, asked about, and started again.
 * With "qemu-tcg", what QEMU's emulation of PSCI has otherwise is left out.
 */
#include "guest.h"

const char guest_name[] = "psci";

/* Functions and values that guest.h has no use for. */
enum {
    PSCI_FN_AFFINITY_INFO_32 = 0x84000004U,
    PSCI_FN_UNKNOWN = 0x8400001fU,
    SMCCC_FN_VERSION = 0x80000000U,
};

enum {
    PSCI_VERSION_1_0 = 0x10000,
    SMCCC_VERSION_1_1 = 0x10001,
    TRUSTED_OS_NEEDS_NO_MIGRATION = 2,
    STANDBY = 0,
    RESET_TYPE_RESERVED = 1, /* neither SYSTEM_WARM_RESET nor vendor-specific */
    HIGHEST_AFFINITY_LEVEL = 3,
};

enum psci_result {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
};

enum affinity_state { AFFINITY_ON = 0, AFFINITY_OFF = 1 };

enum { SOON_MS = 5000, STANDBY_US = 2000, STARTS = 3, NO_CPU = 0xffffff };

static uint32_t starts; /* of the last CPU, counted by itself */
static uint32_t released;
static uint32_t wrong_cpu;

static int32_t call(uint32_t function, uint64_t x1, uint64_t x2)
{
    return (int32_t)psci_call(function, x1, x2, 0);
}

static int32_t state_of(uint64_t mpidr)
{
    return call(PSCI_FN64_AFFINITY_INFO, mpidr, 0);
}

/* ---- what this CPU can ask alone ---- */

static void check_version(void)
{
    int32_t version = call(PSCI_FN_VERSION, 0, 0);
    int32_t migration = call(PSCI_FN_MIGRATE_INFO_TYPE, 0, 0);

    print("PSCI %d.%d\n", version >> 16, version & 0xffff);
    CHECK(version >= PSCI_VERSION_1_0);
    CHECK(migration == TRUSTED_OS_NEEDS_NO_MIGRATION || migration == PSCI_NOT_SUPPORTED);
    CHECK_EQ(call(PSCI_FN_UNKNOWN, 0, 0), PSCI_NOT_SUPPORTED);
    CHECK_EQ(call(PSCI_FN_UNKNOWN, UINT64_MAX, UINT64_MAX), PSCI_NOT_SUPPORTED);
}

static void check_features(void)
{
    static const uint32_t mandatory[] = {
        PSCI_FN_VERSION,    PSCI_FN_CPU_OFF,         PSCI_FN64_CPU_SUSPEND, PSCI_FN64_CPU_ON,
        PSCI_FN_SYSTEM_OFF, PSCI_FN64_AFFINITY_INFO, PSCI_FN_SYSTEM_RESET,  PSCI_FN_FEATURES,
    };

    for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
        CHECK_EQ(call(PSCI_FN_FEATURES, mandatory[i], 0), 0);
    CHECK_EQ(call(PSCI_FN_FEATURES, PSCI_FN_UNKNOWN, 0), PSCI_NOT_SUPPORTED);
    CHECK_EQ(call(PSCI_FN_FEATURES, 0, 0), PSCI_NOT_SUPPORTED);
    if (call(PSCI_FN_FEATURES, SMCCC_FN_VERSION, 0) == PSCI_SUCCESS)
        CHECK(call(SMCCC_FN_VERSION, 0, 0) >= SMCCC_VERSION_1_1);
}

/* Optional; where it is, a type of reset that is not defined resets nothing. */
static void check_reset2(void)
{
    int32_t feature = call(PSCI_FN_FEATURES, PSCI_FN64_SYSTEM_RESET2, 0);

    print("SYSTEM_RESET2: %s\n", feature == PSCI_SUCCESS ? "yes" : "no");
    if (feature == PSCI_SUCCESS)
        CHECK_EQ(call(PSCI_FN64_SYSTEM_RESET2, RESET_TYPE_RESERVED, 0), PSCI_INVALID_PARAMETERS);
    else
        CHECK_EQ(feature, PSCI_NOT_SUPPORTED);
}

static void check_own_state(void)
{
    uint64_t own = mpidr_affinity();

    CHECK_EQ(state_of(own), AFFINITY_ON);
    CHECK_EQ(call(PSCI_FN_AFFINITY_INFO_32, own, 0), AFFINITY_ON);
    CHECK_EQ(state_of(NO_CPU), PSCI_INVALID_PARAMETERS);
    if (!bootargs_has("qemu-tcg")) /* any level is on */
        CHECK_EQ(call(PSCI_FN64_AFFINITY_INFO, own, HIGHEST_AFFINITY_LEVEL + 1),
                 PSCI_INVALID_PARAMETERS);
}

static void not_to_be_run(uint32_t index)
{
    (void)index;
    wrong_cpu = 1;
}

static void check_wrong_starts(void)
{
    CHECK_EQ(call(PSCI_FN64_CPU_ON, NO_CPU, (uint64_t)not_to_be_run), PSCI_INVALID_PARAMETERS);
    CHECK_EQ(cpu_start(cpu_index(), not_to_be_run), PSCI_ALREADY_ON);
}

/* ---- standby ---- */

static void not_to_be_called(uint32_t intid)
{
    CHECK_EQ(intid, INTID_SPURIOUS); /* interrupts are masked */
}

/* The timer's interrupt, masked at the CPU, ends the standby, and no more. */
static void check_suspend(void)
{
    const uint64_t enable = 1;
    uint64_t end = ticks_now() + ticks_per_second() / (1000000 / STANDBY_US);

    gic_init(not_to_be_called);
    gic_enable(machine.virtual_timer_intid);
    WRITE_SYSREG(cntv_cval_el0, end);
    WRITE_SYSREG(cntv_ctl_el0, enable);
    do
        CHECK_EQ(call(PSCI_FN64_CPU_SUSPEND, STANDBY, 0), PSCI_SUCCESS);
    while (ticks_now() < end); /* it may end early */
    WRITE_SYSREG(cntv_ctl_el0, 0);
    gic_disable(machine.virtual_timer_intid);
}

/* ---- another CPU ---- */

static void other_main(uint32_t index)
{
    if (mpidr_affinity() != machine.cpu_mpidr[index])
        wrong_cpu = 1;
    __atomic_add_fetch(&starts, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
        __asm__ volatile("yield");
}

static bool is_started(void *context)
{
    return __atomic_load_n(&starts, __ATOMIC_ACQUIRE) == *(const uint32_t *)context;
}

static void check_start(uint32_t index, uint32_t count)
{
    uint64_t mpidr = machine.cpu_mpidr[index];

    __atomic_store_n(&released, 0, __ATOMIC_RELEASE);
    CHECK_EQ(state_of(mpidr), AFFINITY_OFF);
    CHECK_EQ(cpu_start(index, other_main), PSCI_SUCCESS);
    if (!bootargs_has("qemu-tcg")) { /* a CPU that is being started is off, and started again */
        int32_t result = (int32_t)cpu_start(index, other_main);

        CHECK(result == PSCI_ON_PENDING || result == PSCI_ALREADY_ON);
    }
    CHECK(wait_until(is_started, &count, SOON_MS));
    CHECK_EQ(state_of(mpidr), AFFINITY_ON);
    CHECK_EQ((int32_t)cpu_start(index, other_main), PSCI_ALREADY_ON);
    __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
    CHECK(cpu_wait_off(index, SOON_MS));
}

static void check_others(void)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (i != cpu_index())
            CHECK_EQ(state_of(machine.cpu_mpidr[i]), AFFINITY_OFF);
    if (machine.cpu_count == 1)
        return;
    for (uint32_t count = 1; count <= STARTS; count++)
        check_start(machine.cpu_count - 1, count);
    CHECK_EQ(starts, STARTS);
}

void guest_main(void)
{
    check_version();
    check_features();
    check_reset2();
    check_own_state();
    check_wrong_starts();
    check_suspend();
    check_others();
    CHECK_EQ(wrong_cpu, 0);
}
