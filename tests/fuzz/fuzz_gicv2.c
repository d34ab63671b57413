// SPDX-License-Identifier: Apache-2.0
/*
 * A GICv2 beside its model: a byte for the number of CPUs, then eight bytes a step, as in
 * tests/unit/gicv2_pair.h. What differs aborts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/gicv2_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { INTIDS = 64 };
    static struct gicv2_pair pair;

    if (size == 0)
        return 0;
    if (!pair_init(&pair, 1 + data[0] % MODEL_CPUS, INTIDS))
        abort();
    for (size_t at = 1; size - at >= PAIR_STEP_BYTES; at += PAIR_STEP_BYTES)
        if (!pair_step(&pair, &data[at])) {
            (void)fprintf(stderr, "%s\n", pair.difference);
            abort();
        }
    pair_finish(&pair);
    return 0;
}
