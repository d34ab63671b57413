// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers as people like to read them. Pure functions: any thread.
 */
#ifndef ARMLET_SRC_FIGURES_H
#define ARMLET_SRC_FIGURES_H

#include <stdint.h>

enum {
    FIGURE_TIME_BYTES = 24,
    FIGURE_COUNT_BYTES = 32,
};

/* A duration with three digits: "16.0 ns", "1.25 µs", "3600 s"; "0" for none at all. */
void figure_ns(double ns, char text[static FIGURE_TIME_BYTES]);
/* The same without a fraction, from 1 ns on: for the numbers of an axis. */
void figure_round_ns(double ns, char text[static FIGURE_TIME_BYTES]);

/* "1,234,567" */
void figure_count(uint64_t count, char text[static FIGURE_COUNT_BYTES]);

#endif
