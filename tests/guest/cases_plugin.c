// SPDX-License-Identifier: Apache-2.0
/* Plugins on KVM: those that come with armlet, and those that misbehave. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GUEST(file)  "run", "-k", "@bin/" file
#define PLUGIN(text) "--plugin", text

static int dynamic_is_there(void)
{
    return access(lab_path("bin/armlet-dynamic"), X_OK) == 0;
}

static int forget_log(void)
{
    return unlink("/tmp/exits.log") == 0 || access("/tmp/exits.log", F_OK) != 0;
}

/* Whether the log has a line with both words. */
static int log_has(const char *first, const char *second)
{
    char line[256];
    int found = 0;
    FILE *file = fopen("/tmp/exits.log", "r");

    while (file && fgets(line, sizeof(line), file))
        found |= strstr(line, first) && strstr(line, second);
    if (file)
        (void)fclose(file);
    return found;
}

static int exits_are_logged(void)
{
    return log_has("vcpu0 read ", " pl031 at 0x09010fe0 4 0x31\n") &&
           log_has("vcpu0 write", " pl031 at 0x0901") && log_has("vcpu0 exit ", " mmio ") &&
           log_has("vcpu0 call ", " 0x84000008\n");
}

static int only_the_clock_is_logged(void)
{
    return log_has(" pl031 at ", "") && !log_has(" exit ", "") && !log_has(" pl011 at ", "");
}

#define REFUSED(what, text, result, ...)                                                           \
    {                                                                                              \
        .name = "plugin: " what, .arguments = {GUEST("empty"), __VA_ARGS__},                       \
        .steps = {EXPECT(text)}, .status = (result), .needs = dynamic_is_there                     \
    }

const struct guest_case plugin_cases[] = {
    {.name = "plugin: exitlog",
     .arguments = {GUEST("pl031"), PLUGIN("exitlog,file=/tmp/exits.log")},
     .steps = {EXPECT("PASS pl031")},
     .forbidden = "FAIL",
     .needs = dynamic_is_there,
     .prepare = forget_log,
     .after = exits_are_logged},
    {.name = "plugin: exitlog of a device",
     .arguments = {GUEST("pl031"), PLUGIN("exitlog,file=/tmp/exits.log,device=pl031,limit=5")},
     .steps = {EXPECT("PASS pl031")},
     .needs = dynamic_is_there,
     .prepare = forget_log,
     .after = only_the_clock_is_logged},
    {.name = "plugin: sample",
     .arguments = {GUEST("sample"), PLUGIN("sample"), "--device", "sample,id=0xabcd1234", "-a",
                   "id=2882343476"},
     .steps = {EXPECT("is no register"), EXPECT("PASS sample")},
     .forbidden = "FAIL",
     .needs = dynamic_is_there},
    {.name = "plugin: two of them, and two vCPUs in Linux",
     .arguments = {"run", "-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-c", "2", "-a",
                   "quiet panic=-1 armlet.test=report", PLUGIN("sample"), "--device", "sample",
                   PLUGIN("exitlog,file=/tmp/exits.log"), "--no-reboot"},
     .needs = dynamic_is_there,
     .timeout_s = 300},
    {.name = "plugin: faults fail reads",
     .arguments = {GUEST("pl031"),
                   PLUGIN("faults,device=pl031,offset=0xfe0,access=read,fail,value=0x42")},
     .steps = {EXPECT("FAIL"), EXPECT("faults: "), EXPECT("had the fault")},
     .needs = dynamic_is_there},
    {.name = "plugin: faults delay",
     .arguments = {GUEST("pl031"), PLUGIN("faults,device=pl031,every=3,count=4,delay=10ms")},
     .steps = {EXPECT("PASS pl031"), EXPECT("faults: 4 of ")},
     .needs = dynamic_is_there},
    {.name = "plugin: faults end the run",
     .arguments = {GUEST("pl031"), PLUGIN("faults,device=pl031,access=write,stop")},
     .steps = {EXPECT("registers of vCPU 0"),
               EXPECT("vCPU 0: plugin 'faults' ended the run: a write of pl031 at offset 0x")},
     .status = 5,
     .needs = dynamic_is_there},
    {.name = "plugin: a long delay is no obstacle to the end",
     .arguments = {GUEST("pl031"), PLUGIN("faults,device=pl031,delay=1m"), "--timeout", "1s"},
     .status = 7,
     .needs = dynamic_is_there,
     .timeout_s = 50},
    {.name = "plugin: faults without a match",
     .arguments = {GUEST("empty"), PLUGIN("faults,device=pl301,fail")},
     .steps = {EXPECT("no access fitted device=pl301")},
     .needs = dynamic_is_there},
    REFUSED("faults without a fault", "say delay=TIME, fail or stop", 2,
            PLUGIN("faults,device=pl031")),
    REFUSED("a mistyped property", "did you mean 'device'?", 2, PLUGIN("faults,devise=pl031")),
    REFUSED("no such file", "No such file", 4, PLUGIN("/nowhere/x.so")),
    REFUSED("not installed", "no such plugin was installed", 4, PLUGIN("nothing")),
    REFUSED("a kernel is none", "cannot load it", 4, PLUGIN("/lab/bin/armlet")),
    REFUSED("without the symbol", "it has no symbol 'armlet_plugin'", 4, PLUGIN("no_symbol")),
    REFUSED("of another ABI", "this armlet has 2: compile it again", 4, PLUGIN("old_abi")),
    REFUSED("that lies about its ABI", "has 8 bytes instead of", 4, PLUGIN("liar")),
    REFUSED("that fails", "the moon is wrong", 3, PLUGIN("trial,mode=fail")),
    REFUSED("that crashes", "--plugin trial: it crashed while it was loaded: Segmentation fault", 4,
            PLUGIN("trial,mode=segv")),
    REFUSED("that aborts", "--plugin trial: it crashed while it was loaded: Aborted", 4,
            PLUGIN("trial,mode=abort")),
    REFUSED("that recurses", "--plugin trial: it crashed while it was loaded: Segmentation fault",
            4, PLUGIN("trial,mode=overflow")),
    REFUSED("that crashes early", "--plugin crash_early: it crashed while it was loaded", 4,
            PLUGIN("crash_early")),
    REFUSED("an overlapping device", "to 0x09000fff, where 'pl011' is", 4,
            PLUGIN("trial,mode=overlap"), "--device", "trial"),
    {.name = "plugin: an error on an exit",
     .arguments = {GUEST("pl031"), PLUGIN("trial,mode=error")},
     .steps = {EXPECT("vCPU 0: plugin 'trial' ended the run: it gives no reason")},
     .status = 3,
     .needs = dynamic_is_there},
    {.name = "plugin: the device list has what plugins bring",
     .arguments = {"run", PLUGIN("sample"), "--device", "help"},
     .steps = {EXPECT("pl011"), EXPECT("sample"), EXPECT("what ID reads as")},
     .needs = dynamic_is_there},
    {.name = "plugin: many vCPUs",
     .arguments = {GUEST("smp"), "-c", "2", PLUGIN("sample"), PLUGIN("trial")},
     .steps = {EXPECT("PASS smp"), EXPECT("trial: finished")},
     .needs = dynamic_is_there},
    {.name = 0},
};
