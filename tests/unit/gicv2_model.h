// SPDX-License-Identifier: Apache-2.0
/*
 * A GICv2 written down as IHI 0048B tells it, one interrupt after the other, without a thought for
 * speed: what devices/gicv2 is compared with. Nothing is remembered that can be worked out.
 */
#ifndef TESTS_GICV2_MODEL_H
#define TESTS_GICV2_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_CPUS = 8, MODEL_INTIDS = 1020, MODEL_PRIORITIES = 32 };

struct model_interrupt {
    bool group1, enabled, latched, level, active, edge;
    bool from[MODEL_CPUS]; /* an SGI that is pending from these */
    uint8_t priority;
    bool targets[MODEL_CPUS];
};

struct model_cpu {
    struct model_interrupt own[32];
    bool enable[2], ack_control, fiq_enable, common_bpr, split_eoi;
    uint8_t mask, bpr, abpr;
    bool active_priority[2][MODEL_PRIORITIES]; /* by group */
};

struct gicv2_model {
    uint32_t cpu_count, intid_count;
    bool enable[2];
    struct model_interrupt shared[MODEL_INTIDS];
    struct model_cpu cpus[MODEL_CPUS];
};

enum model_block { MODEL_DISTRIBUTOR, MODEL_CPU_INTERFACE };

void model_reset(struct gicv2_model *model, uint32_t cpu_count, uint32_t intid_count);
uint32_t model_read(struct gicv2_model *model, uint32_t cpu, enum model_block block,
                    uint64_t offset, unsigned width_bytes);
void model_write(struct gicv2_model *model, uint32_t cpu, enum model_block block, uint64_t offset,
                 unsigned width_bytes, uint32_t value);
void model_set_spi(struct gicv2_model *model, uint32_t intid, bool level);
void model_set_ppi(struct gicv2_model *model, uint32_t cpu, uint32_t intid, bool level);

struct model_outputs {
    bool irq, fiq;
};

struct model_outputs model_outputs(struct gicv2_model *model, uint32_t cpu);

#endif
