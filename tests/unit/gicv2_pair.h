// SPDX-License-Identifier: Apache-2.0
/* A GICv2 and its model side by side: each step is done to both, and what can be seen compared. */
#ifndef TESTS_GICV2_PAIR_H
#define TESTS_GICV2_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/gicv2.h"
#include "gicv2_model.h"

enum { PAIR_STEP_BYTES = 8, PAIR_STACK = 8, PAIR_MESSAGE_BYTES = 160 };

struct pair_output {
    struct irq_line line;
    bool level;
    uint32_t needless; /* calls that changed nothing */
};

struct gicv2_pair {
    struct gicv2 *gic;
    struct gicv2_model model;
    struct irq_line irqs[MODEL_CPUS], fiqs[MODEL_CPUS]; /* driven into `outputs` */
    struct pair_output irq_outputs[MODEL_CPUS], fiq_outputs[MODEL_CPUS];
    struct irq_line spis[MODEL_INTIDS];
    struct irq_line ppis[MODEL_CPUS][32];
    uint32_t acknowledged[MODEL_CPUS][PAIR_STACK]; /* what a CPU took and has not ended */
    uint32_t depth[MODEL_CPUS];
    uint64_t taken; /* interrupts */
    char difference[PAIR_MESSAGE_BYTES];
};

/* False without memory. */
bool pair_init(struct gicv2_pair *pair, uint32_t cpu_count, uint32_t intid_count);
void pair_finish(struct gicv2_pair *pair);

/*
 * Does what these bytes mean (all of them mean something) and compares. Returns false, with
 * `difference` filled in, when the two don't agree.
 */
bool pair_step(struct gicv2_pair *pair, const uint8_t bytes[PAIR_STEP_BYTES]);

/* A 32-bit write, on purpose; the same comparison. */
bool pair_write(struct gicv2_pair *pair, uint32_t cpu, enum model_block block, uint64_t offset,
                uint32_t value);
/* Ends what a CPU has taken. */
bool pair_end_all(struct gicv2_pair *pair, uint32_t cpu);

#endif
