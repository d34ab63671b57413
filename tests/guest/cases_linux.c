// SPDX-License-Identifier: Apache-2.0
/* Debian's kernels, as guests do real work: boot, see, talk, reboot, end. */
#include <signal.h>

#include "harness.h"

#define KERNEL_6_1  "-k", "@kernel-6.1/vmlinuz"
#define KERNEL_6_12 "-k", "@kernel-6.12/vmlinuz"
#define INITRD      "-i", "@guest.cpio"
#define DO(check)   "-a", "console=ttyAMA0 quiet panic=-1 armlet.test=" check

const struct guest_case linux_cases[] = {
    {.name = "linux 6.1, 1 vCPU, 128 MiB",
     .arguments = {KERNEL_6_1, INITRD, DO("report"), "-c", "1", "-m", "128M"},
     .steps = {EXPECT("CHECK kernel 6.1"), EXPECT("CHECK cpus 1")}},
    {.name = "linux 6.1, 2 vCPUs, 512 MiB",
     .arguments = {KERNEL_6_1, INITRD, DO("report"), "-c", "2", "-m", "512M"},
     .steps = {EXPECT("CHECK kernel 6.1"), EXPECT("CHECK cpus 2")}},
    {.name = "linux 6.1, 4 vCPUs, 3 GiB",
     .arguments = {KERNEL_6_1, INITRD, DO("report"), "-c", "4", "-m", "3G"},
     .steps = {EXPECT("CHECK kernel 6.1"), EXPECT("CHECK cpus 4")}},
    {.name = "linux 6.12, 1 vCPU, 256 MiB",
     .arguments = {KERNEL_6_12, INITRD, DO("report"), "-c", "1", "-m", "256M"},
     .steps = {EXPECT("CHECK kernel 6.12"), EXPECT("CHECK cpus 1")}},
    {.name = "linux 6.12, 2 vCPUs, 1 GiB",
     .arguments = {KERNEL_6_12, INITRD, DO("report"), "-c", "2", "-m", "1G"},
     .steps = {EXPECT("CHECK kernel 6.12"), EXPECT("CHECK cpus 2")}},
    {.name = "linux 6.12, 4 vCPUs, 3 GiB",
     .arguments = {KERNEL_6_12, INITRD, DO("report"), "-c", "4", "-m", "3G"},
     .steps = {EXPECT("CHECK kernel 6.12"), EXPECT("CHECK cpus 4")}},
    {.name = "linux reads the console",
     .arguments = {KERNEL_6_1, INITRD, DO("echo")},
     .steps = {EXPECT("CHECK ready"), SEND("good morning\n"), EXPECT("CHECK input good morning")}},
    {.name = "linux shuts down on the power key",
     .arguments = {KERNEL_6_1, INITRD, DO("powerkey")},
     .steps = {EXPECT("CHECK ready"), SIGNAL(SIGTERM), EXPECT("CHECK powerkey")},
     .status = 128 + SIGTERM},
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
     .arguments = {"-k", "@formats/Image.gz", INITRD, DO("report"), "-m", "256M"},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in zstd",
     .arguments = {"-k", "@formats/Image.zst", INITRD, DO("report"), "-m", "256M"},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in lz4",
     .arguments = {"-k", "@formats/Image.lz4", INITRD, DO("report"), "-m", "256M"},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in xz",
     .arguments = {"-k", "@formats/Image.xz", INITRD, DO("report"), "-m", "256M"},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = "linux kernel in zboot",
     .arguments = {"-k", "@formats/zboot", INITRD, DO("report"), "-m", "256M"},
     .steps = {EXPECT("CHECK cpus 1")}},
    {.name = 0},
};
