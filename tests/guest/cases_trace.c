// SPDX-License-Identifier: Apache-2.0
/* Traces of real runs, judged by the published format however the run ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "trace_check.h"

#define PATH         "/tmp/run.trace"
#define TRACE        "--trace", PATH
#define GUEST(file)  "run", "-k", "@bin/" file, TRACE
#define LINUX        "run", "-k", "@kernel-6.1/vmlinuz", "-i", "@guest.cpio", "-c", "2", TRACE
#define REPORT(more) "-a", more "console=ttyAMA0 panic=-1 armlet.test=report"

enum { TRACE_BYTES = 256 << 20, BOOT_SLICES = 1000 };

static struct trace_summary summary;

static int forget_trace(void)
{
    return unlink(PATH) == 0 || access(PATH, F_OK) != 0;
}

/* The file's text with room for more; the caller frees it. */
static char *read_trace(size_t *bytes)
{
    FILE *file = fopen(PATH, "r");
    char *text = malloc(TRACE_BYTES);

    *bytes = file && text ? fread(text, 1, TRACE_BYTES / 2, file) : 0;
    if (file)
        (void)fclose(file);
    return text;
}

static int is_whole(void)
{
    size_t bytes;
    char *text = read_trace(&bytes);
    bool good = text && trace_check(text, bytes, &summary);

    printf("%s", good ? "" : summary.why);
    printf("  trace: %zu bytes, %zu slices, %zu instants, %zu tracks, %llu dropped\n", bytes,
           summary.slices, summary.instants, summary.tracks, summary.dropped);
    free(text);
    return good;
}

static int has_slices(void)
{
    return is_whole() && summary.slices > 0 && summary.vcpu_tracks > 0;
}

static int has_two_vcpus_at_work(void)
{
    return has_slices() && summary.vcpu_tracks == 2 && summary.slices > BOOT_SLICES;
}

static int has_interrupts_alone(void)
{
    return is_whole() && summary.slices == 0 && summary.interrupts > 0 &&
           summary.interrupts == summary.instants;
}

static int has_all_but_dropped(void)
{
    return has_slices() && summary.interrupts > 0;
}

/* What is missing of a trace whose program was killed is its end. */
static int lacks_its_end_alone(void)
{
    size_t bytes;
    char *text = read_trace(&bytes);

    if (!text)
        return 0;
    while (bytes > 0 && text[bytes - 1] != '\n')
        bytes--;
    /* What comes last may be half a record. */
    while (bytes > 2 && strncmp(text + bytes - 2, ",\n", 2) != 0)
        bytes--;
    bool good = bytes > 2 && text[0] == '[';
    if (good) {
        memcpy(text + bytes - 2, "]", 1);
        good = trace_check(text, bytes - 1, &summary);
    }
    free(text);
    return good && summary.slices > 0;
}

static int wait_for_some_trace(struct running *running)
{
    (void)running;
    for (int i = 0; i < 500; i++) {
        size_t bytes;
        char *text = read_trace(&bytes);
        bool found = text && memmem(text, bytes, "\"ph\":\"X\"", strlen("\"ph\":\"X\""));

        free(text);
        if (found)
            return 1;
        (void)usleep(20000);
    }
    return 0;
}

const struct guest_case trace_cases[] = {
    {.name = "trace: Debian with two vCPUs, full log",
     .arguments = {LINUX, REPORT("")},
     .steps = {EXPECT("CHECK cpus 2")},
     .prepare = forget_trace,
     .after = has_two_vcpus_at_work,
     .timeout_s = 300},
    {.name = "trace: interrupts alone",
     .arguments = {GUEST("pl011"), "--trace-filter", "irq"},
     .steps = {EXPECT("PASS pl011")},
     .prepare = forget_trace,
     .after = has_interrupts_alone},
    {.name = "trace: many vCPUs",
     .arguments = {GUEST("smp"), "-c", "4"},
     .steps = {EXPECT("PASS smp")},
     .prepare = forget_trace,
     .after = has_slices},
    {.name = "trace: as much as a guest can cause",
     .arguments = {GUEST("pl031")},
     .steps = {EXPECT("PASS pl031")},
     .prepare = forget_trace,
     .after = has_all_but_dropped},
    {.name = "trace: resets",
     .arguments = {GUEST("reset"), "-i", "@bin/empty"},
     .prepare = forget_trace,
     .after = has_slices,
     .status = STATUS_ANY},
    {.name = "trace: ended by SIGTERM",
     .arguments = {GUEST("crash"), "-a", "spin", "--shutdown-timeout", "0.2s"},
     .steps = {CALL(wait_for_some_trace), SIGNAL(SIGTERM)},
     .prepare = forget_trace,
     .after = has_slices,
     .status = 128 + SIGTERM},
    {.name = "trace: ended by a failure",
     .arguments = {GUEST("crash"), "-a", "bad-pc", "--timeout", "2s"},
     .prepare = forget_trace,
     .after = is_whole,
     .status = STATUS_ANY},
    {.name = "trace: ended by SIGKILL",
     .arguments = {GUEST("crash"), "-a", "spin"},
     .steps = {CALL(wait_for_some_trace), SIGNAL(SIGKILL)},
     .prepare = forget_trace,
     .after = lacks_its_end_alone,
     .status = 1000 + SIGKILL},
    {.name = "trace: not over what isn't one",
     .arguments = {"run", "-k", "@bin/empty", "--trace", "@bin/empty"},
     .steps = {EXPECT("is no trace to be replaced")},
     .status = 4},
    {.name = 0},
};
