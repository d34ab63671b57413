// SPDX-License-Identifier: Apache-2.0
/*
 * The parts of the bench guest (bench.c). A benchmark takes samples; a sample is how long some
 * operations took together, so many that the counter's grain doesn't show.
 */
#ifndef ARMLET_GUESTS_BENCH_H
#define ARMLET_GUESTS_BENCH_H

#include "guest.h"

enum bench_id {
#define BENCHMARK(id, name, where, floor, what) BENCH_##id,
#include "../src/bench/benchmarks.def"
    BENCH_COUNT,
};

enum {
    BENCH_BATCH = 100, /* operations of a sample that leave the guest */
    BENCH_LONG_BATCH = 1000,
    BENCH_MAX_SAMPLES = 10000,
};

struct benchmark {
    enum bench_id id;
    uint32_t operations; /* of a sample */
    uint32_t most;       /* samples that can be had; 0: any number */
    /* NULL, or why it can't be had on this machine. May be NULL itself. */
    const char *(*prepare)(void);
    /* Ticks that a sample took. */
    uint64_t (*sample)(void);
    void (*finish)(void); /* may be NULL */
};

/* A sample of `count` times the statement `operation`. */
#define BENCH_BATCH_OF(count, operation)                                                           \
    ({                                                                                             \
        uint64_t start_ = ticks_now();                                                             \
        for (uint32_t i_ = 0; i_ < (count); i_++)                                                  \
            operation;                                                                             \
        ticks_now() - start_;                                                                      \
    })

/* Ended by one without `sample`. */
extern const struct benchmark bench_exits[];      /* bench_exits.c */
extern const struct benchmark bench_interrupts[]; /* bench_interrupts.c */
extern const struct benchmark bench_cpus[];       /* bench_cpus.c */
extern const struct benchmark bench_console[];    /* bench_console.c */

/* How many samples each benchmark takes ("runs=" of bootargs). */
uint32_t bench_runs(void);
/* Host CPUs for the two vCPUs ("host-cpus="); with one, they take turns. */
bool bench_has_two_cpus(void);

/* ---- bench_interrupts.c ---- */

enum { BENCH_CPUS = 2, BENCH_SGI = 5 };

/* The GIC, with a handler that notes when it began. */
void bench_interrupts_start(void);
/*
 * Waits until a VMM has done with what was printed: it may look for more for a while. Interrupts
 * are masked.
 */
void bench_rest(void);
void bench_interrupt_forget(uint32_t cpu);
/* When the handler of that CPU began, since it was told to forget; waits for it. */
uint64_t bench_interrupt_wait(uint32_t cpu);

#endif
