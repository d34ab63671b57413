// SPDX-License-Identifier: Apache-2.0
/* What of a host makes its figures what they are: CPU, kernel, KVM, and what may disturb. */
#ifndef ARMLET_SRC_BENCH_FACTS_H
#define ARMLET_SRC_BENCH_FACTS_H

#include "../doctor_internal.h"
#include "report.h"

/* Adds the facts to the report; what can't be found out is "unknown". One thread. */
void bench_collect_facts(struct bench_report *report, const struct doctor_host *host,
                         const struct report *examined);

/* One more. */
void bench_add_fact(struct bench_report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
