// SPDX-License-Identifier: Apache-2.0
/* Timers, the watchdog and message-signalled interrupts on the bus. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define GUEST(name)         "-k", "@bin/" name
#define GUEST_ARGS(name, x) "-k", "@bin/" name, "-a", x
#define PASSES(guest)                                                                              \
    {                                                                                              \
        EXPECT("PASS " guest)                                                                      \
    }

#define LINUX(check)                                                                               \
    "-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-a",                                        \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check

/* The tree that a machine with the memory-mapped timer gets, without the CPUs' timers. */
static int make_tree(void)
{
    static const char cpu_timer[] = "arm,armv8-timer";
    char command[1024];
    unsigned char tree[16384];
    size_t count;
    FILE *file;

    (void)snprintf(command, sizeof(command),
                   "armlet run --device timer-mmio --dump-dtb %s --dry-run >/dev/null",
                   lab_path("mem.dtb"));
    if (system(command) != 0)
        return 0;
    file = fopen(lab_path("mem.dtb"), "r+b");
    if (!file)
        return 0;
    count = fread(tree, 1, sizeof(tree), file);
    unsigned char *at = memmem(tree, count, cpu_timer, sizeof(cpu_timer));
    if (at)
        *at = 'x';
    int good = at && fseek(file, 0, SEEK_SET) == 0 && fwrite(tree, 1, count, file) == count;
    return fclose(file) == 0 && good;
}

const struct guest_case timer_cases[] = {
    {.name = "sp804",
     .arguments = {GUEST("sp804"), "--device", "sp804"},
     .steps = PASSES("sp804"),
     .forbidden = "FAIL"},
    {.name = "sp805",
     .arguments = {GUEST("sp805"), "--watchdog", "exit"},
     .steps = PASSES("sp805"),
     .forbidden = "FAIL"},
    {.name = "sp805 bites a busy guest, which boots again",
     .arguments = {GUEST_ARGS("sp805", "starve"), "--watchdog", "reset", "-c", "2"},
     .steps = {EXPECT("STARVE"), EXPECT("watchdog bit: resetting"), EXPECT("STARVE"),
               EXPECT("watchdog bit: resetting"), EXPECT("STARVE"), SIGNAL(SIGKILL)},
     .forbidden = "FAIL",
     .status = 1000 + SIGKILL},
    {.name = "sp805 bites a sleeping guest",
     .arguments = {GUEST_ARGS("sp805", "sleep"), "--device", "sp805", "--no-reboot"},
     .steps = {EXPECT("STARVE"), EXPECT("watchdog bit")},
     .forbidden = "FAIL",
     .status = 6},
    {.name = "sp805 bites, and that is the end",
     .arguments = {GUEST_ARGS("sp805", "starve"), "--watchdog", "exit"},
     .steps = {EXPECT("STARVE"), EXPECT("--watchdog exit"), EXPECT("vCPU 0")},
     .forbidden = "FAIL",
     .status = 9},
    {.name = "timer_mmio",
     .arguments = {GUEST("timer_mmio"), "--device", "timer-mmio"},
     .steps = PASSES("timer_mmio"),
     .forbidden = "FAIL"},
    {.name = "gicv2m",
     .arguments = {GUEST("gicv2m"), "--msi", "gicv2m"},
     .steps = PASSES("gicv2m"),
     .forbidden = "FAIL"},
    {.name = "gicv2m beside an ITS",
     .arguments = {GUEST("gicv2m"), "--its", "on", "--msi", "gicv2m", "-c", "2"},
     .needs = has_its,
     .steps = PASSES("gicv2m"),
     .forbidden = "FAIL"},
    {.name = "sp804, userspace GIC",
     .arguments = {GUEST("sp804"), "--device", "sp804", "--irqchip", "user"},
     .steps = PASSES("sp804"),
     .forbidden = "FAIL"},
    {.name = "timer_mmio, userspace GIC",
     .arguments = {GUEST("timer_mmio"), "--device", "timer-mmio", "--irqchip", "user"},
     .steps = PASSES("timer_mmio"),
     .forbidden = "FAIL"},
    {.name = "gicv2m, userspace GIC",
     .arguments = {GUEST("gicv2m"), "--msi", "gicv2m", "--irqchip", "user", "-c", "2"},
     .steps = PASSES("gicv2m"),
     .forbidden = "FAIL"},
    {.name = "sp804, vGICv2",
     .arguments = {GUEST("sp804"), "--device", "sp804", "--gic", "2"},
     .steps = PASSES("sp804"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "gicv2m, vGICv2",
     .arguments = {GUEST("gicv2m"), "--msi", "gicv2m", "--gic", "2", "-c", "2"},
     .steps = PASSES("gicv2m"),
     .forbidden = "FAIL",
     .needs = has_vgicv2},
    {.name = "linux finds the MSI frame of a vGICv2",
     .arguments = {LINUX("msiframe"), "--msi", "gicv2m", "--gic", "2"},
     .steps = {EXPECT("CHECK frame range[mem 0x08020000-0x08020fff], SPI[80:143]")},
     .needs = has_vgicv2},
    {.name = "linux tells time by the SP804",
     .arguments = {LINUX("dualtimer"), "--device", "sp804", "--device", "timer-mmio"},
     .steps = {EXPECT("CHECK clocksource arm,sp804"), EXPECT("CHECK tick arm,sp804"),
               EXPECT("CHECK interrupted"), EXPECT("CHECK clocks agree")}},
    {.name = "linux lives on the memory-mapped timer alone",
     .arguments = {LINUX("memtimer"), "--device", "timer-mmio", "--dtb", "@mem.dtb"},
     .steps = {EXPECT("CHECK tick arch_mem_timer"), EXPECT("CHECK cpu timer 0\r"),
               EXPECT("CHECK interrupted"), EXPECT("CHECK clocks agree")},
     .prepare = make_tree},
    {.name = "linux feeds its watchdog",
     .arguments = {LINUX("fed"), "--watchdog", "exit"},
     .steps = {EXPECT("CHECK watchdog sp805-wdt"), EXPECT("CHECK fed")},
     .forbidden = "watchdog bit"},
    {.name = "linux starves its watchdog, which ends it",
     .arguments = {LINUX("starved"), "--watchdog", "exit", "-c", "2"},
     .steps = {EXPECT("CHECK watchdog sp805-wdt"), EXPECT("watchdog bit"), EXPECT("vCPU 1")},
     .status = 9},
    {.name = "linux starves its watchdog, and boots again",
     .arguments = {LINUX("starved"), "--watchdog", "reset"},
     .steps = {EXPECT("CHECK boot"), EXPECT("watchdog bit"), EXPECT("CHECK boot"), SIGNAL(SIGKILL)},
     .status = 1000 + SIGKILL},
    {.name = "linux finds the MSI frame of a GICv3",
     .arguments = {LINUX("msiframe"), "--msi", "gicv2m"},
     .steps = {EXPECT("CHECK frame range[mem 0x08020000-0x08020fff], SPI[80:143]")}},
    {.name = "linux finds the MSI frame of a userspace GIC",
     .arguments = {LINUX("msiframe"), "--msi", "gicv2m", "--irqchip", "user"},
     .steps = {EXPECT("CHECK frame range[mem 0x08020000-0x08020fff], SPI[80:143]")}},
    {.name = 0},
};
