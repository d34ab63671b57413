// SPDX-License-Identifier: Apache-2.0
/* What KVM handles without an exit, and the test device that shows it. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "harness.h"

enum { CHARS_CPUS = 4, CHARS_LINES = 400 };

/* Each CPU's lines are there, whole, in order, and nothing between them. */
static int are_lines_whole(const char *output, unsigned cpus)
{
    unsigned next[CHARS_CPUS] = {0};
    const char *at = strstr(output, "LINE ");

    for (unsigned i = 0; at && i < cpus * CHARS_LINES; i++) {
        char expected[64];
        unsigned cpu = 0;

        (void)sscanf(at, "LINE %u.", &cpu);
        if (cpu >= cpus)
            return 0;
        (void)snprintf(expected, sizeof(expected), "LINE %u.%u of this guest", cpu, next[cpu]++);
        size_t length = strlen(expected);
        if (strncmp(at, expected, length) != 0)
            return 0;
        at += length;
        at += strspn(at, "\r\n");
    }
    return at && strncmp(at, "PASS chars", strlen("PASS chars")) == 0;
}

static int all_lines_of_one(struct running *running)
{
    return are_lines_whole(running_output(running), 1);
}

static int all_lines_of_four(struct running *running)
{
    return are_lines_whole(running_output(running), CHARS_CPUS);
}

#define CHARS(...) "run", "-k", "@bin/chars", __VA_ARGS__
/* A host of Linux 6.4 or later. */
static int has_smccc_filter(void)
{
    struct utsname host;
    unsigned major = 0;
    unsigned minor = 0;

    return uname(&host) == 0 && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 4));
}

static int lacks_smccc_filter(void)
{
    return !has_smccc_filter();
}

#define HYPERCALLS(...) "run", "-k", "@bin/hypercall", __VA_ARGS__
#define TESTDEV(...)    "run", "--device", "testdev", "-k", "@bin/testdev", __VA_ARGS__

const struct guest_case region_cases[] = {
    {.name = "testdev without exits",
     .arguments = {TESTDEV("-a", "abilities=15")},
     .steps = {EXPECT("PASS testdev")},
     .forbidden = "FAIL"},
    {.name = "testdev of a guest that succeeds",
     .arguments = {TESTDEV("-a", "exit=0")},
     .steps = {EXPECT("EXIT with status 0")},
     .forbidden = "FAIL"},
    {.name = "testdev of a guest with a status",
     .arguments = {TESTDEV("-a", "exit=9")},
     .steps = {EXPECT("EXIT with status 9")},
     .forbidden = "FAIL",
     .status = 73},
    {.name = "testdev of a guest with a large status",
     .arguments = {TESTDEV("-a", "exit=1000")},
     .steps = {EXPECT("EXIT with status 1000")},
     .forbidden = "FAIL",
     .status = 127},
    {.name = "hypercalls",
     .arguments = {HYPERCALLS("--hypercalls", "on")},
     .steps = {EXPECT("49 by the UART, by the character, from a buffer\n"),
               EXPECT("PASS hypercall")},
     .forbidden = "FAIL",
     .needs = has_smccc_filter},
    {.name = "hypercalls where the host can",
     .arguments = {HYPERCALLS("--hypercalls=auto", "-a", "exit=5")},
     .steps = {EXPECT("EXIT with status 5")},
     .forbidden = "FAIL",
     .needs = has_smccc_filter,
     .status = 69},
    {.name = "no hypercalls unless asked for",
     .arguments = {HYPERCALLS("-a", "none")},
     .steps = {EXPECT("PASS hypercall")},
     .forbidden = "FAIL"},
    {.name = "no hypercalls where the host cannot",
     .arguments = {HYPERCALLS("--hypercalls=auto", "-a", "none")},
     .steps = {EXPECT("PASS hypercall")},
     .forbidden = "FAIL",
     .needs = lacks_smccc_filter},
    {.name = "hypercalls that the host cannot have",
     .arguments = {HYPERCALLS("--hypercalls=on")},
     .steps = {EXPECT("it takes Linux 6.4")},
     .needs = lacks_smccc_filter,
     .status = 3},
    {.name = "chars arrive in order, without exits",
     .arguments = {CHARS("-a", "lines=400")},
     .steps = {EXPECT("PASS chars"), CALL(all_lines_of_one)}},
    {.name = "chars arrive in order, each an exit",
     .arguments = {CHARS("-a", "lines=400", "--fast-console", "off")},
     .steps = {EXPECT("PASS chars"), CALL(all_lines_of_one)}},
    {.name = "chars of 4 vCPUs at once",
     .arguments = {CHARS("-c", "4", "-a", "cpus lines=400")},
     .steps = {EXPECT("PASS chars"), CALL(all_lines_of_four)},
     .forbidden = "FAIL"},
    {.name = "chars, and answers to who polls",
     .arguments = {CHARS("-a", "answer rounds=3 lines=50")},
     .steps = {EXPECT("READY"), SEND("one\n"), EXPECT("GOT one"), EXPECT("READY"), SEND("two\n"),
               EXPECT("GOT two"), EXPECT("READY"), SEND("three\n"), EXPECT("GOT three"),
               EXPECT("PASS chars")}},
    {.name = "chars, and an answer that waited",
     .arguments = {CHARS("-a", "answer lines=200")},
     .steps = {SEND("early\n"), EXPECT("GOT early"), EXPECT("PASS chars")}},
    {.name = "chars, and answers on a terminal, each an exit",
     .arguments = {CHARS("-a", "answer rounds=2 lines=50", "--fast-console=off")},
     .input = INPUT_PTY,
     .steps = {EXPECT("READY"), SEND("one\n"), EXPECT("GOT one"), EXPECT("READY"), SEND("two\n"),
               EXPECT("GOT two"), EXPECT("PASS chars")}},
    {.name = "chars, and answers on a terminal",
     .arguments = {CHARS("-a", "answer rounds=2 lines=50")},
     .input = INPUT_PTY,
     .steps = {EXPECT("READY"), SEND("one\n"), EXPECT("GOT one"), EXPECT("READY"), SEND("two\n"),
               EXPECT("GOT two"), EXPECT("PASS chars")}},
    {.name = NULL},
};
