// SPDX-License-Identifier: Apache-2.0
/*
 * Where a run's time went and what would lower it, in words.
 *
 * Each rule is one sentence or two about one cost. It speaks if the counters say that the cost was
 * there and mattered, and gives advice only if that is not followed already. Pure functions of the
 * snapshot; see stats.h.
 */
#ifndef ARMLET_SRC_EXPLAIN_H
#define ARMLET_SRC_EXPLAIN_H

#include <stdio.h>

#include "stats.h"

void explain_print(FILE *out, const struct stats *stats);

#endif
