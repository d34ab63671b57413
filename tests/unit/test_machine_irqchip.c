// SPDX-License-Identifier: Apache-2.0
/* A machine with --irqchip user: KVM has no GIC, and its vCPUs get interrupts all the same. */
#include <check.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>

#include "devices/gicv2_registers.h"
#include "kvm_machine.h"
#include "memory_map.h"
#include "vcpu_registers.h"

Suite *unit_suite(void);

enum {
    GICD = 0x08000000,
    GICC = 0x08010000,
    GPIO = 0x09030000,
    GPIOIE = 0x410,
    GPIOIBE = 0x408,
    GPIOIC = 0x41c,
    KEY = 1 << 3,
    KEY_INTID = GIC_SPI_BASE + 7,
    TIMER_INTID = GIC_PPI_BASE + PPI_VIRTUAL_TIMER,
    SPURIOUS = 1023,
    SGI = 5,
    TO_CPU_0 = 1 << 16,
    TO_CPU_1 = 2 << 16,
    FROM_CPU_1 = 1 << 10,
};

#define CPU_ON                                                                                     \
    FAKE_WRITE(GICC + GICC_CTLR, 4, 1), FAKE_WRITE(GICC + GICC_PMR, 4, 0xff),                      \
        FAKE_WRITE(GICD + GICD_ISENABLER, 4, 1 << TIMER_INTID | 1 << SGI)
#define POWER_OFF FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)

static void setup(void)
{
    trial_setup();
    trial.fake.no_gic = true;
}

static bool is_driven(size_t index, uint32_t vcpu, bool level)
{
    const struct fake_irq_change *change = &trial.fake.irqs[index];

    return index < trial.fake.irq_count && change->level == level &&
           change->irq == (vcpu << KVM_ARM_IRQ_VCPU_SHIFT | KVM_ARM_IRQ_CPU_IRQ);
}

START_TEST(a_timer_comes_out_of_the_kernel_and_goes_to_the_input)
{
    static const struct fake_step steps[] = {
        FAKE_READ(GICD + GICD_TYPER, 4, (GIC_SPI_BASE + GIC_SPI_COUNT) / 32 - 1),
        FAKE_WRITE(GICD + GICD_CTLR, 4, 1),
        CPU_ON,
        FAKE_LEVELS(KVM_ARM_DEV_EL1_VTIMER),
        FAKE_WAIT_INPUT(0U, true),
        FAKE_READ(GICC + GICC_IAR, 4, TIMER_INTID),
        FAKE_WAIT_INPUT(0U, false),
        FAKE_WRITE(GICC + GICC_EOIR, 4, TIMER_INTID),
        FAKE_WAIT_INPUT(0U, true), /* the timer hasn't been seen to */
        FAKE_LEVELS(KVM_ARM_DEV_EL1_PTIMER),
        FAKE_READ(GICC + GICC_IAR, 4, SPURIOUS),
        FAKE_READ(GICD + GICD_ISPENDR, 4, 1 << (GIC_PPI_BASE + PPI_PHYSICAL_TIMER)),
        FAKE_LEVELS(KVM_ARM_DEV_PMU),
        FAKE_READ(GICD + GICD_ISPENDR, 4, 1 << (GIC_PPI_BASE + PPI_PMU)),
        POWER_OFF,
    };

    OPTIONS("--irqchip", "user", "--cpu", "pmu=on", "-v");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm.gic_type, 0);
    /* Up and down, and again; each of them twice: see vm.c. */
    ck_assert_uint_eq(trial.fake.irq_count, 8);
    for (size_t i = 0; i < 8; i++)
        ck_assert(is_driven(i, 0, i / 2 % 2 == 0));
    ck_assert(LOGGED("INTID 27: taken 1 times, by vCPU: 1"));
    ck_assert(LOGGED(" 0 kicks")); /* levels are none */
}
END_TEST

static pthread_barrier_t together;

static void meet(void *context)
{
    (void)context;
    (void)pthread_barrier_wait(&together);
}

START_TEST(vcpus_interrupt_each_other)
{
    static const struct fake_step first[] = {
        FAKE_WRITE(GICD + GICD_CTLR, 4, 1),
        CPU_ON,
        FAKE_WRITE(GICD + GICD_SGIR, 4, TO_CPU_1 | SGI),
        FAKE_HOOK(meet), /* one waits at a time */
        FAKE_WAIT_INPUT(0U, true),
        FAKE_READ(GICC + GICC_IAR, 4, FROM_CPU_1 | SGI),
        FAKE_WRITE(GICC + GICC_EOIR, 4, FROM_CPU_1 | SGI),
        POWER_OFF,
    };
    static const struct fake_step second[] = {
        CPU_ON,
        FAKE_WAIT_INPUT(1U, true),
        FAKE_READ(GICC + GICC_IAR, 4, SGI),
        FAKE_WRITE(GICC + GICC_EOIR, 4, SGI),
        FAKE_READ(GICD + GICD_ITARGETSR, 4, 0x02020202),
        FAKE_WRITE(GICD + GICD_SGIR, 4, TO_CPU_0 | SGI),
        FAKE_HOOK(meet),
        FAKE_WAIT(),
    };

    (void)pthread_barrier_init(&together, NULL, 2);
    OPTIONS("--irqchip", "user", "-c", "2");
    STEPS(&trial, 0, 0, first);
    STEPS(&trial, 0, 1, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    (void)pthread_barrier_destroy(&together);
}
END_TEST

static void terminate(void *context)
{
    const struct trial *self = context;

    (void)pthread_kill(self->thread, SIGTERM);
}

START_TEST(a_device_interrupts)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(GPIO + GPIOIBE, 4, KEY),
        FAKE_WRITE(GPIO + GPIOIE, 4, KEY),
        FAKE_WRITE(GICD + GICD_CTLR, 4, 1),
        CPU_ON,
        FAKE_WRITE(GICD + GICD_ISENABLER + 4, 4, 1 << KEY_INTID % 32),
        FAKE_WRITE(GICD + GICD_ITARGETSR + KEY_INTID, 1, 1),
        FAKE_HOOK(terminate),
        FAKE_WAIT_INPUT(0U, true),
        FAKE_READ(GICC + GICC_IAR, 4, KEY_INTID),
        FAKE_WRITE(GPIO + GPIOIC, 4, KEY),
        FAKE_WRITE(GICC + GICC_EOIR, 4, KEY_INTID),
        POWER_OFF,
    };

    OPTIONS("--irqchip", "user");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGTERM);
}
END_TEST

START_TEST(a_reset_is_one_of_the_gic_too)
{
    static const struct fake_step first[] = {
        FAKE_WRITE(GICD + GICD_CTLR, 4, 1),  CPU_ON,
        FAKE_LEVELS(KVM_ARM_DEV_EL1_VTIMER), FAKE_WAIT_INPUT(0U, true),
        FAKE_EVENT(KVM_SYSTEM_EVENT_RESET),
    };
    static const struct fake_step second[] = {
        FAKE_READ(GICD + GICD_CTLR, 4, 0),
        FAKE_READ(GICD + GICD_ISENABLER, 4, 0),
        FAKE_READ(GICD + GICD_ISPENDR, 4, 0),
        FAKE_WRITE(GICD + GICD_CTLR, 4, 1),
        CPU_ON,
        FAKE_LEVELS(KVM_ARM_DEV_EL1_VTIMER),
        FAKE_READ(GICC + GICC_IAR, 4, 27),
        POWER_OFF,
    };

    OPTIONS("--irqchip", "user");
    STEPS(&trial, 0, 0, first);
    STEPS(&trial, 1, 0, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 2);
}
END_TEST

static void check_tree(void *context)
{
    struct trial *self = context;
    const void *tree = trial_memory(self, fake_kvm_register(&self->fake, 0, VCPU_REG_X(0)));

    ck_assert_int_ge(fdt_node_offset_by_compatible(tree, -1, "arm,cortex-a15-gic"), 0);
    ck_assert_int_lt(fdt_node_offset_by_compatible(tree, -1, "arm,gic-v3"), 0);
}

START_TEST(the_tree_has_a_gicv2)
{
    static const struct fake_step steps[] = {FAKE_HOOK(check_tree), POWER_OFF};

    OPTIONS("--irqchip", "user");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

static void check_hidden(void *context)
{
    struct trial *self = context;

    ck_assert_uint_eq(fake_kvm_register(&self->fake, 0, VCPU_REG_ID_AA64PFR0_EL1), 0x11);
}

START_TEST(the_id_register_denies_a_gicv3)
{
    static const struct fake_step steps[] = {FAKE_HOOK(check_hidden), POWER_OFF};

    OPTIONS("--irqchip", "user");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

START_TEST(a_host_that_keeps_the_timers_to_itself_cannot)
{
    OPTIONS("--irqchip", "user");
    fake_kvm_set_capability(&trial.fake, KVM_CAP_ARM_USER_IRQ, 0);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "--irqchip user: the host's KVM keeps"));
}
END_TEST

Suite *unit_suite(void)
{
    enum { TIMEOUT_S = 120 };
    Suite *suite = suite_create("machine irqchip");
    TCase *tests = tcase_create("user");

    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_checked_fixture(tests, setup, trial_teardown);
    tcase_add_test(tests, a_timer_comes_out_of_the_kernel_and_goes_to_the_input);
    tcase_add_test(tests, vcpus_interrupt_each_other);
    tcase_add_test(tests, a_device_interrupts);
    tcase_add_test(tests, a_reset_is_one_of_the_gic_too);
    tcase_add_test(tests, the_tree_has_a_gicv2);
    tcase_add_test(tests, the_id_register_denies_a_gicv3);
    tcase_add_test(tests, a_host_that_keeps_the_timers_to_itself_cannot);
    suite_add_tcase(suite, tests);
    return suite;
}
