// SPDX-License-Identifier: Apache-2.0
/*
 * How interrupts get to the guest: with --irqchip user KVM has no GIC, and with --irq-delivery
 * irqfd its GIC gets them by events.
 */
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "armlet/fdt_writer.h"
#include "devices/gicv2_registers.h"
#include "irq_resample.h"
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
    GPIOIEV = 0x40c,
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

/* Of each device with an SPI: the tree and the map that doctor prints say the same. */
static void check_triggers(void *context)
{
    struct trial *self = context;
    const void *tree = trial_memory(self, fake_kvm_register(&self->fake, 0, VCPU_REG_X(0)));
    unsigned count = 0;

    for (int node = fdt_next_node(tree, -1, NULL); node >= 0;
         node = fdt_next_node(tree, node, NULL)) {
        int bytes;
        const fdt32_t *cells = fdt_getprop(tree, node, "interrupts", &bytes);

        if (!cells || fdt32_ld(&cells[0]) != FDT_IRQ_SPI)
            continue;
        for (int id = 0; id < REGION_COUNT; id++) {
            const struct region *region = memory_map_region((enum region_id)id);
            uint32_t within = fdt32_ld(&cells[1]) - (uint32_t)region->spi;

            if (region->spi == NO_SPI || within >= region->spi_count)
                continue;
            ck_assert_msg((memory_map_trigger((enum region_id)id) == TRIGGER_LEVEL) ==
                              (fdt32_ld(&cells[2]) == FDT_IRQ_LEVEL_HIGH),
                          "%s", region->name);
            count++;
        }
    }
    ck_assert_uint_eq(count, 8);
}

START_TEST(the_tree_and_the_map_agree_on_triggers)
{
    static const struct fake_step steps[] = {FAKE_HOOK(check_triggers), POWER_OFF};

    OPTIONS("--irqchip", "user", "--device=testdev", "--device=sp804", "--device=sp805",
            "--device=timer-mmio", "--device=virtio-rng");
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

/* ---- lines by event ---- */

static const struct kvm_irqfd *key_event(const struct trial *self)
{
    const struct fake_vm *vm = &self->fake.vm;

    for (size_t i = 0; i < vm->irqfd_count; i++)
        if (vm->irqfds[i].gsi == KEY_INTID - GIC_SPI_BASE)
            return &vm->irqfds[i];
    ck_abort_msg("the key's line has no event");
}

/* What KVM does when the event comes. */
static void take_raise(const struct kvm_irqfd *event)
{
    struct pollfd wait = {.fd = (int)event->fd, .events = POLLIN};
    uint64_t count;

    ck_assert_int_eq(poll(&wait, 1, -1), 1);
    ck_assert_int_eq(read(wait.fd, &count, sizeof(count)), sizeof(count));
    ck_assert_uint_eq(count, 1);
}

/* What KVM does when the guest ends the interrupt; waits until the I/O thread has heard of it. */
static void end_interrupt(const struct kvm_irqfd *event)
{
    struct pollfd told = {.fd = (int)event->resamplefd, .events = POLLIN};
    const uint64_t one = 1;

    ck_assert_int_eq(write(told.fd, &one, sizeof(one)), sizeof(one));
    while (poll(&told, 1, 0) > 0)
        (void)sched_yield();
}

static void take_raise_twice(void *context)
{
    const struct kvm_irqfd *event = key_event(context);

    ck_assert_uint_eq(event->flags, KVM_IRQFD_FLAG_RESAMPLE);
    take_raise(event);
    end_interrupt(event);
    take_raise(event); /* the device hasn't been seen to */
}

static void end_seen_to(void *context)
{
    end_interrupt(key_event(context));
}

static void check_low(void *context)
{
    const struct trial *self = context;
    struct pollfd raise = {.fd = (int)key_event(self)->fd, .events = POLLIN};

    ck_assert_int_eq(poll(&raise, 1, 0), 0);
}

#define KEY_ON FAKE_WRITE(GPIO + GPIOIEV, 4, KEY), FAKE_WRITE(GPIO + GPIOIE, 4, KEY)

START_TEST(an_event_raises_and_is_resampled)
{
    static const struct fake_step steps[] = {
        KEY_ON,
        FAKE_HOOK(terminate),
        FAKE_HOOK(take_raise_twice),
        FAKE_WRITE(GPIO + GPIOIC, 4, KEY),
        FAKE_HOOK(end_seen_to),
        FAKE_HOOK(check_low),
        POWER_OFF,
    };

    trial.fake.no_gic = false;
    OPTIONS("--irq-delivery", "irqfd", "-v");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_SIGNALLED, SIGTERM);
    /* Up by the event alone, down by a call. */
    ck_assert_uint_eq(trial.fake.irq_count, 1);
    ck_assert_uint_eq(trial.fake.irqs[0].irq,
                      KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | KEY_INTID);
    ck_assert(!trial.fake.irqs[0].level);
    ck_assert(LOGGED("INTID 39: raised 2 times by event, 1 of them again; ended 2 times"));
}
END_TEST

static void check_connected(void *context)
{
    const struct trial *self = context;

    ck_assert_uint_eq(self->fake.vm.irqfd_count, 3); /* pl011, pl031, pl061 */
    check_low(context);
}

START_TEST(a_reset_connects_events_anew)
{
    static const struct fake_step first[] = {FAKE_HOOK(check_connected),
                                             FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};
    static const struct fake_step second[] = {FAKE_HOOK(check_connected), POWER_OFF};

    trial.fake.no_gic = false;
    OPTIONS("--irq-delivery", "irqfd");
    STEPS(&trial, 0, 0, first);
    STEPS(&trial, 1, 0, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 2);
}
END_TEST

START_TEST(a_host_that_tells_no_end_cannot)
{
    trial.fake.no_gic = false;
    OPTIONS("--irq-delivery", "irqfd");
    fake_kvm_set_capability(&trial.fake, KVM_CAP_IRQFD_RESAMPLE, 0);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "--irq-delivery irqfd: the host's KVM"));
}
END_TEST

START_TEST(a_line_that_gets_no_event_is_named)
{
    trial.fake.no_gic = false;
    OPTIONS("--irq-delivery", "irqfd");
    fake_kvm_fail_request(&trial.fake, KVM_IRQFD, 1, ENOMEM);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "cannot connect an event to INTID 34"));
}
END_TEST

/* A line that moves while no VM listens is as it was left when one does. */
START_TEST(a_level_waits_for_the_vm)
{
    struct irq_resample resample = {0};
    struct event_loop *loop = event_loop_create(&trial.error);
    struct kvm kvm;
    struct vm vm = {.fd = -1};
    struct irq_line line;
    const uint64_t one = 1;
    uint64_t count = 0;

    ck_assert_ptr_nonnull(loop);
    fake_kvm_install(&trial.fake);
    ck_assert(kvm_open(&kvm, &trial.error));
    ck_assert(vm_create(&vm, &kvm, &(struct vm_config){.highest = GPA(0)}, &trial.error));
    trial.fake.vm.gic_initialised = true;
    ck_assert(irq_resample_init(&resample, &vm, loop, KEY_INTID, &trial.error));
    irq_resample_line(&resample, &line);
    ck_assert_uint_eq(line.intid, KEY_INTID);

    irq_line_set(&line, true);
    ck_assert_int_eq(read(resample.raise_fd, &count, sizeof(count)), -1);
    ck_assert(irq_resample_connect(&resample, &trial.error));
    ck_assert_int_eq(read(resample.raise_fd, &count, sizeof(count)), sizeof(count));
    irq_resample_disconnect(&resample);
    irq_line_set(&line, false);
    irq_line_set(&line, true);
    irq_line_set(&line, false);
    ck_assert_uint_eq(trial.fake.irq_count, 0);
    trial.fake.vm.irqfd_count = 0;
    ck_assert(irq_resample_connect(&resample, &trial.error));
    ck_assert_int_eq(read(resample.raise_fd, &count, sizeof(count)), -1);

    /* The end of an interrupt, heard of too late, doesn't raise the next one twice. */
    ck_assert_int_eq(write(resample.ended.fd, &one, sizeof(one)), sizeof(one));
    irq_line_set(&line, true);
    ck_assert_int_eq(read(resample.ended.fd, &count, sizeof(count)), -1);

    irq_resample_finish(&resample);
    vm_destroy(&vm);
    kvm_close(&kvm);
    event_loop_destroy(loop);
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
    tcase_add_test(tests, the_tree_and_the_map_agree_on_triggers);
    tcase_add_test(tests, the_id_register_denies_a_gicv3);
    tcase_add_test(tests, a_host_that_keeps_the_timers_to_itself_cannot);
    tcase_add_test(tests, an_event_raises_and_is_resampled);
    tcase_add_test(tests, a_reset_connects_events_anew);
    tcase_add_test(tests, a_host_that_tells_no_end_cannot);
    tcase_add_test(tests, a_line_that_gets_no_event_is_named);
    tcase_add_test(tests, a_level_waits_for_the_vm);
    suite_add_tcase(suite, tests);
    return suite;
}
