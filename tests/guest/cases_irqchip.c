// SPDX-License-Identifier: Apache-2.0
/* The interrupt controllers: armlet's own GICv2, and the vGICv2 of a host that has one. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"

#define USER                "--irqchip", "user"
#define GUEST(name)         "-k", "@bin/" name
#define GUEST_ARGS(name, x) "-k", "@bin/" name, "-a", x
#define PASSES(guest)                                                                              \
    {                                                                                              \
        EXPECT("PASS " guest)                                                                      \
    }
#define KERNEL_6_1  "-k", "@kernel-6.1/vmlinuz"
#define KERNEL_6_12 "-k", "@kernel-6.12/vmlinuz"
#define DO(check)   "-i", "@guest.cpio", "-a", "console=ttyAMA0 quiet panic=-1 armlet.test=" check
#define REPORT      DO("report armlet.memory=512"), "-m", "512M"
#define BOOTS(series, cpus)                                                                        \
    {                                                                                              \
        EXPECT("CHECK kernel " series), EXPECT("CHECK cpus " cpus "\r"),                           \
            EXPECT("CHECK memory good"), EXPECT("CHECK warnings "), EXPECT("\n"),                  \
            CALL(has_no_reason_to_warn)                                                            \
    }

enum { BOOT_TIMEOUT_S = 300 };

static int has_device(unsigned type)
{
    struct kvm_create_device create = {.type = type, .flags = KVM_CREATE_DEVICE_TEST};
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = kvm >= 0 ? ioctl(kvm, KVM_CREATE_VM, 0) : -1;
    int has = vm >= 0 && ioctl(vm, KVM_CREATE_DEVICE, &create) == 0;

    if (vm >= 0)
        (void)close(vm);
    if (kvm >= 0)
        (void)close(kvm);
    return has;
}

int has_vgicv2(void)
{
    return has_device(KVM_DEV_TYPE_ARM_VGIC_V2);
}

int has_its(void)
{
    return has_device(KVM_DEV_TYPE_ARM_VGIC_ITS);
}

static int has_pmu(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int has = kvm >= 0 && ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PMU_V3) > 0;

    if (kvm >= 0)
        (void)close(kvm);
    return has;
}

int lacks_vgicv2(void)
{
    return !has_vgicv2();
}

/*
 * Linux before 6.12 has guests read of its GICv3's system registers in their ID registers, whatever
 * we say. A Linux guest warns of that, once a CPU, and goes on.
 */
static int has_no_reason_to_warn(struct running *running)
{
    struct utsname host;
    char *end;

    if (strstr(running_output(running), "CHECK warnings 0\r"))
        return 1;
    if (uname(&host) != 0)
        return 0;
    long major = strtol(host.release, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return lacks_vgicv2() && (major < 6 || (major == 6 && minor < 12));
}

/* ---- an interrupt storm ---- */

#define LINE_60 "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklm\n"
#define LINES_8 LINE_60 LINE_60 LINE_60 LINE_60 LINE_60 LINE_60 LINE_60 LINE_60

enum { UART_INTID = 33, TIMER_INTID = 27, LATE_INTERRUPTS = 500, LATE_PARTS = 10 };

/* The number after "prefix INTID middle" in armlet's output, or -1. */
static long long count_of(const char *output, const char *format, int intid)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), format, intid);
    const char *found = strstr(output, wanted);
    return found ? strtoll(found + strlen(wanted), NULL, 10) : -1;
}

/*
 * What Linux counts in /proc/interrupts is what armlet counts, but for the interrupts after Linux
 * looked. The timer, the UART and the first IPIs were there.
 */
static int agree(struct running *running, bool has_ipis)
{
    const char *output = running_output(running);

    for (int intid = 0; intid <= UART_INTID; intid++) {
        long long linux_count = count_of(output, "CHECK irq %d ", intid);
        long long count = count_of(output, "INTID %d: taken ", intid);

        if ((intid == UART_INTID || intid == TIMER_INTID || (intid == 0 && has_ipis)) &&
            linux_count < 1)
            return 0;
        if (linux_count < 1)
            continue;
        if (count < linux_count || count > linux_count + linux_count / LATE_PARTS + LATE_INTERRUPTS)
            return 0;
    }
    return 1;
}

static int counts_agree(struct running *running)
{
    return agree(running, true);
}

static int counts_of_one_vcpu_agree(struct running *running)
{
    return agree(running, false);
}

#define STORM(cpus)                                                                                \
    {                                                                                              \
        KERNEL_6_1, DO("storm"), USER, "-c", cpus, "-v"                                            \
    }
#define STORM_STEPS                                                                                \
    {                                                                                              \
        EXPECT("CHECK ready"), SEND(LINES_8), SEND(LINES_8), SEND(LINES_8), SEND("end\n"),         \
            EXPECT("CHECK storm 300"), EXPECT("INTID 33: taken"), CALL(counts_agree)               \
    }

const struct guest_case irqchip_cases[] = {
    {.name = "userspace GIC, 1 vCPU",
     .arguments = {GUEST("gic"), USER},
     .steps = PASSES("gic"),
     .forbidden = "FAIL"},
    {.name = "userspace GIC in a dry run",
     .arguments = {"run", USER, "-c", "8", "--dry-run"},
     .steps = {EXPECT("GICv2 by armlet")}},
    {.name = "userspace GIC, too many vCPUs",
     .arguments = {"run", USER, "-c", "9"},
     .steps = {EXPECT("for 8 vCPUs at most, not 9")},
     .status = 2},
    {.name = "userspace GIC, 2 vCPUs",
     .arguments = {GUEST("gic"), USER, "-c", "2"},
     .steps = PASSES("gic"),
     .forbidden = "FAIL"},
    {.name = "userspace GIC, nesting, modes and groups",
     .arguments = {GUEST("gic_modes"), USER, "-c", "2"},
     .steps = PASSES("gic_modes"),
     .forbidden = "no aliased"},
    {.name = "userspace GIC, timers",
     .arguments = {GUEST("timer"), USER},
     .steps = PASSES("timer"),
     .forbidden = "FAIL"},
    {.name = "userspace GIC, performance counters",
     .arguments = {GUEST("pmu"), USER, "--cpu", "pmu=on"},
     .steps = PASSES("pmu"),
     .forbidden = "FAIL",
     .needs = has_pmu},
    {.name = "KVM's GIC, performance counters",
     .arguments = {GUEST("pmu"), "--cpu", "pmu=on"},
     .steps = PASSES("pmu"),
     .forbidden = "FAIL",
     .needs = has_pmu},
    {.name = "userspace GIC, smp 8 vCPUs",
     .arguments = {GUEST("smp"), USER, "-c", "8"},
     .steps = {EXPECT("CPUS 8"), EXPECT("PASS smp")},
     .forbidden = "FAIL"},
    {.name = "userspace GIC, psci",
     .arguments = {GUEST("psci"), USER, "-c", "4"},
     .steps = PASSES("psci"),
     .forbidden = "FAIL"},
    {.name = "userspace GIC, pl011 input by interrupt",
     .arguments = {GUEST_ARGS("pl011", "input"), USER},
     .steps = {EXPECT("READY"), SEND("hello\n"), EXPECT("GOT hello"), EXPECT("PASS pl011")},
     .forbidden = "FAIL"},
    {.name = "userspace GIC, pl031",
     .arguments = {GUEST("pl031"), USER},
     .steps = PASSES("pl031"),
     .forbidden = "FAIL"},
    {.name = "userspace GIC, power key on SIGTERM",
     .arguments = {GUEST_ARGS("pl061", "powerkey"), USER},
     .steps = {EXPECT("READY"), SIGNAL(SIGTERM), EXPECT("POWERKEY")},
     .status = 128 + SIGTERM},
    {.name = "userspace GIC, reset boots again",
     .arguments = {GUEST_ARGS("reset", "reset"), USER},
     .steps = {EXPECT("BOOT"), EXPECT("BOOT"), EXPECT("PASS reset")},
     .forbidden = "FAIL"},
    {.name = "userspace GIC, a sleeping vCPU ends by timeout",
     .arguments = {GUEST_ARGS("crash", "wfi"), USER, "--timeout", "1s"},
     .status = 7},
    {.name = "userspace GIC, linux 6.1, 1 vCPU",
     .arguments = {KERNEL_6_1, REPORT, USER},
     .steps = BOOTS("6.1", "1"),
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, linux 6.1, 2 vCPUs",
     .arguments = {KERNEL_6_1, REPORT, USER, "-c", "2"},
     .steps = BOOTS("6.1", "2"),
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, linux 6.12, 4 vCPUs",
     .arguments = {KERNEL_6_12, REPORT, USER, "-c", "4"},
     .steps = BOOTS("6.12", "4"),
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, linux 6.1, 8 vCPUs",
     .arguments = {KERNEL_6_1, REPORT, USER, "-c", "8"},
     .steps = BOOTS("6.1", "8"),
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, linux reboots and comes up again",
     .arguments = {KERNEL_6_1, DO("reboot"), USER, "-c", "2"},
     .steps = {EXPECT("CHECK boot"), EXPECT("CHECK boot"), SIGNAL(SIGKILL)},
     .status = 1000 + SIGKILL,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, interrupt storm, 1 vCPU",
     .arguments = {KERNEL_6_1, DO("storm"), USER, "-v"},
     .steps = {EXPECT("CHECK ready"), SEND(LINES_8), SEND("end\n"), EXPECT("CHECK storm 300"),
               EXPECT("INTID 33: taken"), CALL(counts_of_one_vcpu_agree)},
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, interrupt storm, 2 vCPUs",
     .arguments = STORM("2"),
     .steps = STORM_STEPS,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, interrupt storm, 4 vCPUs",
     .arguments = STORM("4"),
     .steps = STORM_STEPS,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "userspace GIC, interrupt storm, 8 vCPUs",
     .arguments = STORM("8"),
     .steps = STORM_STEPS,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "vGICv2",
     .arguments = {GUEST("gic"), "--gic", "2", "-c", "2"},
     .steps = PASSES("gic"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "vGICv2, nesting, modes and groups",
     .arguments = {GUEST("gic_modes"), "--gic", "2", "-c", "2"},
     .steps = PASSES("gic_modes"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "KVM's GIC, nesting and modes",
     .arguments = {GUEST("gic_modes"), "-c", "2"},
     .steps = PASSES("gic_modes"),
     .forbidden = "FAIL"},
    {.name = "vGICv2, smp 8 vCPUs",
     .arguments = {GUEST("smp"), "--gic", "2", "-c", "8"},
     .steps = {EXPECT("CPUS 8"), EXPECT("PASS smp")},
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "vGICv2, timers",
     .arguments = {GUEST("timer"), "--gic", "2"},
     .steps = PASSES("timer"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "vGICv2, linux 6.1, 4 vCPUs",
     .arguments = {KERNEL_6_1, REPORT, "--gic", "2", "-c", "4"},
     .steps = BOOTS("6.1", "4"),
     .needs = has_vgicv2,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = "vGICv2, linux 6.12, 2 vCPUs",
     .arguments = {KERNEL_6_12, REPORT, "--gic", "2", "-c", "2"},
     .steps = BOOTS("6.12", "2"),
     .needs = has_vgicv2,
     .timeout_s = BOOT_TIMEOUT_S},
    {.name = 0},
};
