// SPDX-License-Identifier: Apache-2.0
/*
 * `armlet doctor`: can this host run guests, and how well. One thread.
 */
#ifndef ARMLET_SRC_DOCTOR_H
#define ARMLET_SRC_DOCTOR_H

#include "armlet/error.h"
#include "options.h"

/* Prints the report (or, with --map, the guest's memory map) and returns the exit status. */
int doctor(const struct options *options, struct error *error);

#endif
