// SPDX-License-Identifier: Apache-2.0
/* Debian's kernels, as guests do real work: boot, see, talk, reboot, end. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"

#define KERNEL_6_1  "-k", "@kernel-6.1/vmlinuz"
#define KERNEL_6_12 "-k", "@kernel-6.12/vmlinuz"
#define INITRD      "-i", "@guest.cpio"
#define DO(check)   "-a", "console=ttyAMA0 quiet panic=-1 armlet.test=" check
#define REPORT(mib) DO("report armlet.memory=" #mib), "-m", #mib "M"

enum { CLOCK_SKEW_S = 120 };

/* The guest's clock, which Linux reads from the PL031, against ours. */
static int rtc_is_right(struct running *running)
{
    const char *line = strstr(running_output(running), "CHECK rtc ");

    if (!line)
        return 0;
    long long apart = (long long)time(NULL) - strtoll(line + strlen("CHECK rtc "), NULL, 10);
    return apart > -CLOCK_SKEW_S && apart < CLOCK_SKEW_S;
}

#define BOOTS(series, cpus)                                                                        \
    {                                                                                              \
        EXPECT("CHECK kernel " series), EXPECT("CHECK cpus " cpus "\r"),                           \
            EXPECT("CHECK memory good"), EXPECT("CHECK rtc "), EXPECT("CHECK warnings 0"),         \
            CALL(rtc_is_right)                                                                     \
    }

const struct guest_case linux_cases[] = {
    {.name = "linux 6.1, 1 vCPU, 128 MiB",
     .arguments = {KERNEL_6_1, INITRD, REPORT(128), "-c", "1"},
     .steps = BOOTS("6.1", "1")},
    {.name = "linux 6.1, 2 vCPUs, 512 MiB",
     .arguments = {KERNEL_6_1, INITRD, REPORT(512), "-c", "2"},
     .steps = BOOTS("6.1", "2")},
    {.name = "linux 6.1, 4 vCPUs, 3 GiB",
     .arguments = {KERNEL_6_1, INITRD, REPORT(3072), "-c", "4"},
     .steps = BOOTS("6.1", "4")},
    {.name = "linux 6.12, 1 vCPU, 128 MiB",
     .arguments = {KERNEL_6_12, INITRD, REPORT(128), "-c", "1"},
     .steps = BOOTS("6.12", "1")},
    {.name = "linux 6.12, 2 vCPUs, 1 GiB",
     .arguments = {KERNEL_6_12, INITRD, REPORT(1024), "-c", "2"},
     .steps = BOOTS("6.12", "2")},
    {.name = "linux 6.12, 4 vCPUs, 3 GiB",
     .arguments = {KERNEL_6_12, INITRD, REPORT(3072), "-c", "4"},
     .steps = BOOTS("6.12", "4"),
     .timeout_s = 300},
    {.name = "linux reads the console",
     .arguments = {KERNEL_6_1, INITRD, DO("echo")},
     .steps = {EXPECT("CHECK ready"), SEND("good morning\n"), EXPECT("CHECK input good morning"),
               EXPECT("CHECK interrupted")}},
    {.name = "linux 6.12 reads the console",
     .arguments = {KERNEL_6_12, INITRD, DO("echo")},
     .steps = {EXPECT("CHECK ready"), SEND("good morning\n"), EXPECT("CHECK input good morning"),
               EXPECT("CHECK interrupted")}},
    {.name = "linux shuts down on the power key",
     .arguments = {KERNEL_6_1, INITRD, DO("powerkey")},
     .steps = {EXPECT("CHECK ready"), SIGNAL(SIGTERM), EXPECT("CHECK powerkey")},
     .status = 128 + SIGTERM},
    {.name = "linux 6.12 shuts down on the power key",
     .arguments = {KERNEL_6_12, INITRD, DO("powerkey")},
     .steps = {EXPECT("CHECK ready"), SIGNAL(SIGTERM), EXPECT("CHECK powerkey")},
     .status = 128 + SIGTERM},
    {.name = "linux 6.12 reboots and comes up again",
     .arguments = {KERNEL_6_12, INITRD, DO("reboot"), "-c", "2"},
     .steps = {EXPECT("CHECK boot"), EXPECT("CHECK boot"), SIGNAL(SIGKILL)},
     .status = 1000 + SIGKILL},
    {.name = "linux reboots and comes up again",
     .arguments = {KERNEL_6_1, INITRD, DO("reboot"), "-c", "2"},
     .steps = {EXPECT("CHECK boot"), EXPECT("CHECK boot"), SIGNAL(SIGKILL)},
     .status = 1000 + SIGKILL},
    {.name = "linux reboot under --no-reboot",
     .arguments = {KERNEL_6_1, INITRD, DO("reboot"), "--no-reboot"},
     .steps = {EXPECT("CHECK boot")},
     .status = 6},
    {.name = "linux panic is no success",
     .arguments = {KERNEL_6_1, INITRD, DO("panic"), "--no-reboot"},
     .steps = {EXPECT("Kernel panic")},
     .status = 6},
    {.name = "linux loses no line of a flood",
     .arguments = {KERNEL_6_1, INITRD, DO("flood")},
     .steps = {EXPECT("flood 1999"), EXPECT("CHECK flood 2000")}},
    {.name = "linux kernel in gzip",
     .arguments = {"-k", "@formats/Image.gz", INITRD, REPORT(256)},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in zstd",
     .arguments = {"-k", "@formats/Image.zst", INITRD, REPORT(256)},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in lz4",
     .arguments = {"-k", "@formats/Image.lz4", INITRD, REPORT(256)},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in xz",
     .arguments = {"-k", "@formats/Image.xz", INITRD, REPORT(256)},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in zboot",
     .arguments = {"-k", "@formats/zboot", INITRD, REPORT(256)},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = 0},
};
