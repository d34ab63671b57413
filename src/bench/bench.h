// SPDX-License-Identifier: Apache-2.0
/*
 * `armlet bench`: what leaving the guest costs on this host, under armlet or another VMM.
 *
 * bench() does what the options ask for, prints it to standard output, and returns the exit
 * status; on failure `error` says why. It starts guests as processes of their own, and makes
 * machines without a device model for the floor. The calling thread is the only one.
 */
#ifndef ARMLET_SRC_BENCH_BENCH_H
#define ARMLET_SRC_BENCH_BENCH_H

#include "armlet/error.h"
#include "options.h"

int bench(const struct options *options, struct error *error);

#endif
