// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the doctor share; others include doctor.h.
 *
 * doctor.c collects the checks into a struct report: doctor_host.c those of the host's files,
 * doctor_kvm.c those that ask KVM. doctor_print.c writes a report, doctor_map.c the memory map.
 * A check never fails: what cannot be found out is a finding too. One thread.
 */
#ifndef ARMLET_SRC_DOCTOR_INTERNAL_H
#define ARMLET_SRC_DOCTOR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "armlet/error.h"
#include "armlet/gpa.h"

/* What the host says of itself; tests make one up. */
struct doctor_host {
    const char *root;    /* put in front of /proc, /sys, /dev and /etc: "" for the host itself */
    struct utsname name; /* uname(2) */
    uint64_t page_bytes;
    struct rlimit memory_lock; /* RLIMIT_MEMLOCK */
    struct rlimit open_files;  /* RLIMIT_NOFILE */
    int uring_errno;           /* of io_uring_setup(2), 0 if it works */
};

enum check_status {
    CHECK_OK,
    CHECK_INFO,    /* neither good nor bad */
    CHECK_MISSING, /* guests run without it */
    CHECK_WARNING, /* guests run, but not as they could */
    CHECK_FATAL,   /* guests can't run */
};

enum {
    CHECK_NAME_BYTES = 40,
    CHECK_VALUE_BYTES = 160,
    CHECK_HINT_BYTES = 400,
    CHECKS_MAX = 96,
    /* Of what is read from a file at once: a line, or a file of one line. */
    DOCTOR_TEXT_BYTES = 4096,
};

struct check {
    const char *group;
    char name[CHECK_NAME_BYTES];
    enum check_status status;
    char value[CHECK_VALUE_BYTES];
    const char *purpose;         /* what it is good for, NULL if the name says it */
    char hint[CHECK_HINT_BYTES]; /* what to do, or what its absence means; "" if nothing */
};

struct report {
    struct check checks[CHECKS_MAX];
    size_t count;
    char reason[CHECK_HINT_BYTES]; /* why guests can't run, "" if they can */
};

/* Adds a check with a value; the result may be given a purpose and a hint. */
struct check *report_add(struct report *report, const char *group, const char *name,
                         enum check_status status, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void check_hint(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes a check fatal; the first reason is the verdict's. */
void report_fail(struct report *report, struct check *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool report_can_run(const struct report *report);

/* Opens a file below the root for reading; NULL if it can't be. */
FILE *host_open(const struct doctor_host *host, const char *path);
/* The start of a file without white space at its end; false, and "", if it can't be read. */
bool host_read(const struct doctor_host *host, const char *path, char text[DOCTOR_TEXT_BYTES]);
/* A file that is one decimal number. */
bool host_read_number(const struct doctor_host *host, const char *path, uint64_t *number);
bool host_is_arm64(const struct doctor_host *host);
/* The make of the virtual machine that this host is; false for real hardware or if unknown. */
bool host_is_virtual(const struct doctor_host *host, char make[DOCTOR_TEXT_BYTES]);

/* A size as a person writes it: "512 MiB", "1.5 GiB". */
enum { SIZE_TEXT_BYTES = 32 };
const char *size_text(char text[SIZE_TEXT_BYTES], uint64_t bytes);

void doctor_check_host(const struct doctor_host *host, struct report *report);
void doctor_check_network(const struct doctor_host *host, struct report *report);
void doctor_check_memory(const struct doctor_host *host, struct report *report);
void doctor_check_limits(const struct doctor_host *host, struct report *report);
void doctor_check_kvm(const struct doctor_host *host, struct report *report);

/* The host that this program runs on. */
bool doctor_describe_host(struct doctor_host *host, struct error *error) WARN_UNUSED;

/* All checks, in the order of the report. */
void doctor_examine(const struct doctor_host *host, struct report *report);

/* A terminal that a person wants colours on. */
bool doctor_wants_colour(FILE *out);
void doctor_print_text(FILE *out, const struct report *report, bool colour);
void doctor_print_json(FILE *out, const struct report *report);

void doctor_print_map_text(FILE *out);
void doctor_print_map_json(FILE *out);

#endif
