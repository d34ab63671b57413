// SPDX-License-Identifier: Apache-2.0
/* What KVM handles without an exit, and the test device that shows it. */
#include "harness.h"

#define TESTDEV(...) "run", "--device", "testdev", "-k", "@bin/testdev", __VA_ARGS__

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
    {.name = NULL},
};
