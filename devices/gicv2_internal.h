// SPDX-License-Identifier: Apache-2.0
/*
 * The state of a GICv2, and what its distributor, its CPU interfaces and its lines do to it.
 *
 * gicv2.lock guards everything but what create made for good. All functions here want it held.
 * Whoever changes what could make an interrupt the most urgent one of a CPU calls gicv2_update()
 * for that CPU before the lock is given up.
 */
#ifndef DEVICES_GICV2_INTERNAL_H
#define DEVICES_GICV2_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "gicv2.h"

enum {
    GICV2_WORD_BITS = 32,
    GICV2_WORDS = (GICV2_MAX_INTIDS + GICV2_WORD_BITS - 1) / GICV2_WORD_BITS,
    GICV2_SGI_COUNT = 16,
    GICV2_SPURIOUS = 1023,
    GICV2_SPURIOUS_GROUP1 = 1022, /* acknowledge it by the aliased register */
    GICV2_IDLE_PRIORITY = 0xff,
    GICV2_PRIORITY_MASK = 0xf8, /* the bits of a priority that exist */
    GICV2_PRIORITY_SHIFT = 3,
    GICV2_GROUPS = 2,
    GICV2_CACHE_LINE_BYTES = 64,
};

#define GICV2_SGI_MASK 0xffffU /* of the word of INTIDs 0 to 31 */

/* GICD_CTLR and GICC_CTLR: EnableGrp0, EnableGrp1 */
#define GICV2_ENABLE_GROUP(group) (1U << (group))

/* 32 interrupts, a bit each. */
struct gicv2_word {
    uint32_t group;
    uint32_t enabled;
    uint32_t latched; /* pending by an edge, by a write, or as an SGI */
    uint32_t level;   /* of the input */
    uint32_t active;
    uint32_t edge; /* edge-triggered, else level-sensitive */
};

/* A CPU's registers, in cache lines of their own. */
struct gicv2_cpu {
    /* The CPU interface. */
    _Alignas(GICV2_CACHE_LINE_BYTES) uint32_t ctlr;
    uint8_t pmr;
    uint8_t bpr;                              /* 2 to 7 */
    uint8_t abpr;                             /* 3 to 7 */
    uint32_t active_priorities[GICV2_GROUPS]; /* GICC_APR0, GICC_NSAPR0: bit n is priority 8n */

    /* The most urgent interrupt that the distributor forwards, whatever the CPU interface masks. */
    uint32_t best; /* INTID, or GICV2_SPURIOUS */
    uint8_t best_priority;
    uint8_t best_group;

    bool irq, fiq; /* as driven */

    struct gicv2_word private;            /* INTIDs 0 to 31 */
    uint8_t sgi_sources[GICV2_SGI_COUNT]; /* from which CPUs it is pending: a bit each */
    uint8_t priorities[GICV2_FIRST_SPI];
    uint32_t targeted[GICV2_WORDS]; /* the interrupts that may come to this CPU */
};

/* A register block as a CPU sees it. */
struct gicv2_view {
    struct device device;
    struct gicv2 *gic;
    uint32_t cpu;
};

struct gicv2 {
    pthread_mutex_t lock;
    struct gicv2_config config;
    uint32_t word_count; /* of 32 INTIDs */
    struct log_limit bad_access;
    struct gicv2_view distributors[GICV2_MAX_CPUS];
    struct gicv2_view cpu_interfaces[GICV2_MAX_CPUS];

    /* What the guest sees. */
    uint32_t ctlr;
    struct gicv2_word shared[GICV2_WORDS]; /* [n]: INTIDs from 32n; [0] is the CPUs' own */
    uint8_t priorities[GICV2_MAX_INTIDS];
    uint8_t targets[GICV2_MAX_INTIDS];
    struct gicv2_cpu cpus[GICV2_MAX_CPUS];

    uint64_t acknowledged[GICV2_MAX_CPUS][GICV2_MAX_INTIDS];
};

/* gicv2_distributor.c, gicv2_cpu_interface.c; without the lock */
extern const struct device_ops gicv2_distributor_ops;
extern const struct device_ops gicv2_cpu_interface_ops;

static inline struct gicv2_word *gicv2_word(struct gicv2 *gic, uint32_t cpu, uint32_t index)
{
    return index == 0 ? &gic->cpus[cpu].private : &gic->shared[index];
}

static inline uint32_t gicv2_pending(const struct gicv2_word *word)
{
    return word->latched | (word->level & ~word->edge);
}

static inline uint8_t *gicv2_priority(struct gicv2 *gic, uint32_t cpu, uint32_t intid)
{
    return intid < GICV2_FIRST_SPI ? &gic->cpus[cpu].priorities[intid] : &gic->priorities[intid];
}

static inline uint32_t gicv2_bit(uint32_t intid)
{
    return 1U << intid % GICV2_WORD_BITS;
}

/* The priority that counts for preemption: the bits above the group's binary point. */
uint8_t gicv2_group_priority(const struct gicv2_cpu *cpu, unsigned group, uint8_t priority);
/* The group priority of what is active, or GICV2_IDLE_PRIORITY. */
uint8_t gicv2_running_priority(const struct gicv2_cpu *cpu);
/* Whether the CPU's most urgent interrupt gets through to it. */
bool gicv2_is_signalled(const struct gicv2_cpu *cpu);

/* Finds the CPU's most urgent interrupt anew, and drives its IRQ and FIQ. */
void gicv2_update(struct gicv2 *gic, uint32_t cpu);
/* The same for this CPU and for all that the interrupt may come to. */
void gicv2_update_for(struct gicv2 *gic, uint32_t cpu, uint32_t intid);
void gicv2_update_all(struct gicv2 *gic);

/* The one CPU there is gets all SPIs, whatever is written (IHI 0048B, 4.3.12). */
static inline bool gicv2_is_uniprocessor(const struct gicv2 *gic)
{
    return gic->config.cpu_count == 1;
}

/* Makes an SGI pending at `target` as if `source` had sent it; does not update. */
void gicv2_pend_sgi(struct gicv2 *gic, uint32_t target, uint32_t sgi, uint32_t source);

/* Counts an access that no register answers, and logs some. Without the lock. */
void gicv2_bad_access(struct gicv2 *gic, struct device *device, enum access_kind kind,
                      uint64_t offset, enum access_width width);

#endif
