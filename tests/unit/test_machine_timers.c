// SPDX-License-Identifier: Apache-2.0
/* What a machine does when its watchdog bites, and the frame that makes interrupts of messages. */
#include <stdlib.h>
#include <string.h>

#include "kvm_machine.h"
#include "memory_map.h"

Suite *unit_suite(void);

#define WATCHDOG    UINT64_C(0x0c011000)
#define FRAME       UINT64_C(0x08020000)
#define DUAL_TIMER  UINT64_C(0x0c010000)
#define TIMER_FRAME UINT64_C(0x0c030000)

enum {
    LOAD = 0x000,
    CONTROL = 0x008,
    ITCR = 0xf00,
    ITOP = 0xf04,
    TYPER = 0x008,
    SETSPI_NS = 0x040,
    INT_CLR = 0x00c,
    TIMER2 = 0x020,
    CNTV_TVAL = 0x038,
    CNTV_CTL = 0x03c,
};

enum { PERIODIC = 0xe2, MEETING_STEPS = 1000 };

enum { WATCHDOG_INTID = 146, FRAME_INTID = 80, FRAME_COUNT = 64 };

/* A millisecond to the interrupt, another to the bite. */
#define STARVE FAKE_WRITE(WATCHDOG + LOAD, 4, 24000), FAKE_WRITE(WATCHDOG + CONTROL, 4, 3)

static const struct fake_step starve[] = {STARVE, FAKE_WAIT_IRQ(WATCHDOG_INTID, true), FAKE_WAIT()};

START_TEST(a_bite_resets_the_machine)
{
    static const struct fake_step second[] = {
        FAKE_READ(WATCHDOG + CONTROL, 4, 0),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS("--watchdog", "reset", "-c", "2");
    STEPS(&trial, 0, 0, starve);
    STEPS(&trial, 1, 0, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 2);
    ck_assert(LOGGED("watchdog bit: resetting"));
}
END_TEST

START_TEST(a_bite_is_a_reset_to_no_reboot)
{
    OPTIONS("--device", "sp805", "--no-reboot");
    STEPS(&trial, 0, 0, starve);
    trial_check_run(MACHINE_RESET, 0);
}
END_TEST

START_TEST(a_bite_ends_the_machine)
{
    OPTIONS("--watchdog", "exit", "--device", "sp805");
    STEPS(&trial, 0, 0, starve);
    trial_check_run(MACHINE_WATCHDOG, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 1);
    ck_assert(LOGGED("watchdog bit (--watchdog exit)"));
}
END_TEST

/* The notification of a bite that a reset overtook is for a machine that is no more. */
START_TEST(a_bite_taken_back_is_none)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(WATCHDOG + ITCR, 4, 1), FAKE_WRITE(WATCHDOG + ITOP, 4, 1),
        FAKE_WRITE(WATCHDOG + ITOP, 4, 0), FAKE_EVENT(KVM_SYSTEM_EVENT_RESET)};
    static const struct fake_step second[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};

    OPTIONS("--watchdog", "reset");
    STEPS(&trial, 0, 0, steps);
    STEPS(&trial, 1, 0, second);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 2);
}
END_TEST

START_TEST(a_message_is_a_pulse)
{
    static const struct fake_step steps[] = {
        FAKE_READ(FRAME + TYPER, 4, FRAME_INTID << 16 | FRAME_COUNT),
        FAKE_WRITE(FRAME + SETSPI_NS, 4, FRAME_INTID + 5),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS("--msi", "gicv2m");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.irq_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(trial.fake.irqs[i].irq & 0xffff, FRAME_INTID + 5);
        ck_assert_int_eq(trial.fake.irqs[i].level, i == 0);
    }
}
END_TEST

static const struct {
    const char *options[4];
    uint32_t typer;
} frames[] = {
    {{"--msi", "off"}, 0},
    {{"--msi", "gicv2m", "--gic", "2"}, FRAME_INTID << 16 | FRAME_COUNT},
    {{"--msi", "auto", "--gic", "2"}, 0},
    {{"--its", "on", "--msi", "gicv2m"}, FRAME_INTID << 16 | FRAME_COUNT},
    {{"--msi", "off", "--device", "gicv2m"}, FRAME_INTID << 16 | FRAME_COUNT},
};

START_TEST(the_frame_is_there_if_messages_need_it)
{
    struct fake_step steps[] = {
        FAKE_READ(FRAME + TYPER, 4, frames[_i].typer),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    OPTIONS(frames[_i].options[0], frames[_i].options[1], frames[_i].options[2],
            frames[_i].options[3]);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

/* Both vCPUs drive both timer devices, whose alarms go off meanwhile; the answer is in sanitizers.
 */
START_TEST(vcpus_and_alarms_meet)
{
    static struct fake_step steps[2][MEETING_STEPS];

    for (unsigned vcpu = 0; vcpu < 2; vcpu++) {
        const struct fake_step round[] = {
            FAKE_WRITE(DUAL_TIMER + vcpu * TIMER2 + LOAD, 4, 2400),
            FAKE_WRITE(DUAL_TIMER + vcpu * TIMER2 + CONTROL, 4, PERIODIC),
            FAKE_WRITE(TIMER_FRAME + CNTV_TVAL, 4, 100 * (vcpu + 1)),
            FAKE_WRITE(TIMER_FRAME + CNTV_CTL, 4, 1),
            FAKE_WRITE(DUAL_TIMER + (1 - vcpu) * TIMER2 + INT_CLR, 4, 1),
        };
        enum { ROUND = sizeof(round) / sizeof(round[0]) };

        for (unsigned i = 0; i < MEETING_STEPS; i++)
            steps[vcpu][i] = round[i % ROUND];
        steps[vcpu][MEETING_STEPS - 1] = (struct fake_step)FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN);
        STEPS(&trial, 0, vcpu, steps[vcpu]);
    }
    OPTIONS("-c", "2", "--device", "sp804", "--device", "timer-mmio");
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine_timers");
    TCase *tests = tcase_create("machine_timers");

    tcase_add_checked_fixture(tests, trial_setup, trial_teardown);
    tcase_add_test(tests, a_bite_resets_the_machine);
    tcase_add_test(tests, a_bite_is_a_reset_to_no_reboot);
    tcase_add_test(tests, a_bite_ends_the_machine);
    tcase_add_test(tests, a_bite_taken_back_is_none);
    tcase_add_test(tests, a_message_is_a_pulse);
    tcase_add_loop_test(tests, the_frame_is_there_if_messages_need_it, 0,
                        sizeof(frames) / sizeof(frames[0]));
    tcase_add_test(tests, vcpus_and_alarms_meet);
    suite_add_tcase(suite, tests);
    return suite;
}
