// SPDX-License-Identifier: Apache-2.0
/*
 * --irq-delivery irqfd: the guests of devices with level interrupts can't tell that from
 * KVM_IRQ_LINE, with which cases_bare_metal.c and cases_timers.c run them, nor from the userspace
 * GIC of cases_irqchip.c. armlet counts how they were delivered.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define BY_EVENT            "--irq-delivery", "irqfd", "-v"
#define GUEST(name)         "-k", "@bin/" name
#define GUEST_ARGS(name, x) "-k", "@bin/" name, "-a", x
#define RAISED(intid)       EXPECT("INTID " intid ": raised ")
#define PASSES(guest, intid)                                                                       \
    {                                                                                              \
        EXPECT("PASS " guest), RAISED(intid)                                                       \
    }

enum { BOOT_TIMEOUT_S = 300 };

static unsigned long long number_after(const char *text, const char *words)
{
    const char *found = text ? strstr(text, words) : NULL;

    return found ? strtoull(found + strlen(words), NULL, 10) : 0;
}

/* The two timers of the SP804 share a line: one is seen to while the other still drives it. */
static int was_raised_again(struct running *running)
{
    const char *line = strstr(running_output(running), "INTID 145: raised ");

    return number_after(line, "by event, ") > 0 && number_after(line, "ended ") > 0;
}

const struct guest_case delivery_cases[] = {
    {.name = "irqfd, gic level",
     .arguments = {GUEST("gic"), BY_EVENT, "-c", "2"},
     .steps = PASSES("gic", "33"),
     .forbidden = "FAIL"},
    {.name = "irqfd, gic level, vGICv2",
     .arguments = {GUEST("gic"), BY_EVENT, "--gic", "2", "-c", "2"},
     .steps = PASSES("gic", "33"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "irqfd, pl011 input by interrupt",
     .arguments = {GUEST_ARGS("pl011", "input"), BY_EVENT},
     .steps = {EXPECT("READY"), SEND("hello\n"), EXPECT("GOT hello"), EXPECT("PASS pl011"),
               RAISED("33")},
     .forbidden = "FAIL"},
    {.name = "irqfd, pl031",
     .arguments = {GUEST("pl031"), BY_EVENT},
     .steps = PASSES("pl031", "34"),
     .forbidden = "FAIL"},
    {.name = "irqfd, pl061",
     .arguments = {GUEST("pl061"), BY_EVENT},
     .steps = PASSES("pl061", "39"),
     .forbidden = "FAIL"},
    {.name = "irqfd, power key on SIGTERM",
     .arguments = {GUEST_ARGS("pl061", "powerkey"), BY_EVENT},
     .steps = {EXPECT("READY"), SIGNAL(SIGTERM), EXPECT("POWERKEY"), RAISED("39")},
     .status = 128 + SIGTERM},
    {.name = "irqfd, sp804",
     .arguments = {GUEST("sp804"), "--device", "sp804", BY_EVENT},
     .steps = {EXPECT("PASS sp804"), RAISED("145"), EXPECT("times\n"), CALL(was_raised_again)},
     .forbidden = "FAIL"},
    {.name = "irqfd, sp805",
     .arguments = {GUEST("sp805"), "--watchdog", "exit", BY_EVENT},
     .steps = PASSES("sp805", "146"),
     .forbidden = "FAIL"},
    {.name = "irqfd, timer_mmio",
     .arguments = {GUEST("timer_mmio"), "--device", "timer-mmio", BY_EVENT},
     .steps = {EXPECT("PASS timer_mmio"), EXPECT("by event")},
     .forbidden = "FAIL"},
    {.name = "irqfd, testdev",
     .arguments = {GUEST("testdev"), "--device", "testdev", BY_EVENT},
     .steps = {EXPECT("PASS testdev")},
     .forbidden = "FAIL"},
    {.name = "irqfd, reset boots again",
     .arguments = {GUEST_ARGS("reset", "reset"), BY_EVENT},
     .steps = {EXPECT("BOOT"), EXPECT("BOOT"), EXPECT("PASS reset")},
     .forbidden = "FAIL"},
    {.name = "irqfd, linux 6.1, 2 vCPUs, interrupt storm",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",
                   "console=ttyAMA0 quiet panic=-1 armlet.test=storm", "-c", "2", BY_EVENT},
     .steps = {EXPECT("CHECK ready"), SEND("one line\n"), SEND("end\n"), EXPECT("CHECK storm 300"),
               RAISED("33")},
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "irqfd is not for the userspace GIC",
     .arguments = {"run", "--irq-delivery", "irqfd", "--irqchip", "user"},
     .steps = {EXPECT("--irq-delivery irqfd is for the kernel's GIC")},
     .status = 2},
    {.name = 0},
};
