// SPDX-License-Identifier: Apache-2.0
/*
 * A run of benchmarks, from the choice to the last figure: the floor on this thread, the guests in
 * processes of their own, one after the other. One thread.
 */
#ifndef ARMLET_SRC_BENCH_SESSION_H
#define ARMLET_SRC_BENCH_SESSION_H

#include "options.h"
#include "report.h"

/*
 * Chooses by the options' filter. ERROR_USAGE if nothing matches one of its patterns.
 */
bool session_choose(struct bench_report *report, const char *filter,
                    struct error *error) WARN_UNUSED;

/* Measures everything that is chosen; what can't be had says why in its result. */
bool session_measure(struct bench_report *report, const struct options *options,
                     struct error *error) WARN_UNUSED;

#endif
