// SPDX-License-Identifier: Apache-2.0
/*
 * A made-up host for the tests of the doctor: a root directory of its own, a KVM of memory, and
 * what the doctor found there. An able arm64 host without any file, until the test changes it.
 */
#ifndef TESTS_DOCTOR_FIXTURE_H
#define TESTS_DOCTOR_FIXTURE_H

#include <check.h>

#include "doctor_internal.h"
#include "fake_kvm.h"

enum { FIXTURE_PATH_BYTES = 256, FIXTURE_OUTPUT_BYTES = 65536 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct doctor_fixture {
    char root[64];
    struct doctor_host host;
    struct fake_kvm kvm;
    struct report report;
    char output[FIXTURE_OUTPUT_BYTES];
};

extern struct doctor_fixture fixture;

void doctor_fixture_set_up(void);
void doctor_fixture_tear_down(void);

/* The path below the root of what the host knows by this name. */
void path_of(char path[FIXTURE_PATH_BYTES], const char *name);
/* Writes a file below the root, and makes the directories that it takes. */
void put(const char *name, const char *text);

/* Examines the host and returns the check of this name; there has to be one. */
const struct check *examine(const char *name);
/* The same without examining it again. */
const struct check *find(const char *name);

void assert_contains(const char *text, const char *part);
/* Examines the host; the hint has to contain `hint`, or to be empty if that is. */
void assert_found(const char *name, enum check_status status, const char *value, const char *hint);

/* In doctor_output.c. */
void doctor_add_output_tests(TCase *tests);

/* ---- files ---- */

#define CPU(number, implementer, part)                                                             \
    "processor\t: " number "\nCPU implementer\t: " implementer                                     \
    "\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: " part "\nCPU revision\t: 1\n\n"

#define TIMER(intid)                                                                               \
    "           CPU0       CPU1\n"                                                                 \
    " 10:     123456     123456     GICv3  27 Level     kvm guest vtimer\n"                        \
    " 11:     123456     123456     GICv3  " intid " Level     arch_timer\n"

#endif
