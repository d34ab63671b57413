// SPDX-License-Identifier: Apache-2.0
/*
 * Benchmarks of what a guest pays for leaving itself. Runs under any VMM; the words of its command
 * line that name benchmarks (src/bench/benchmarks.def) choose those, else all run that need no
 * machine of their own:
 *
 *     runs=N        samples of each (100)
 *     host-cpus=N   host CPUs that the vCPUs may use (2)
 *
 * A line each, for `armlet bench` to read; VALUE is what a sample took in ticks of CNTVCT_EL0:
 *
 *     bench: begin VERSION TICKS-PER-SECOND
 *     bench: clock TICKS INSTRUCTIONS [TICKS INSTRUCTIONS]...
 *     bench: run NAME
 *     bench: result NAME OPERATIONS-OF-A-SAMPLE VALUE*COUNT VALUE*COUNT...
 *     bench: skip NAME WHY
 *     bench: end
 */
#include "bench.h"

const char guest_name[] = "bench";

enum {
    PROTOCOL_VERSION = 1,
    DEFAULT_RUNS = 100,
    WARM_UP_SAMPLES = 3,
    DEFAULT_HOST_CPUS = 2,
};

static const char *const names[BENCH_COUNT] = {
#define BENCHMARK(id, name, where, floor, what) [BENCH_##id] = (name),
#include "../src/bench/benchmarks.def"
};

enum where { GUEST, ALONE, HOST };
static const uint8_t places[BENCH_COUNT] = {
#define BENCHMARK(id, name, where, floor, what) [BENCH_##id] = (where),
#include "../src/bench/benchmarks.def"
};

static uint64_t samples[BENCH_MAX_SAMPLES];

uint32_t bench_runs(void)
{
    uint64_t runs = bootargs_number("runs", DEFAULT_RUNS);

    return runs < 1 ? 1 : runs > BENCH_MAX_SAMPLES ? BENCH_MAX_SAMPLES : (uint32_t)runs;
}

bool bench_has_two_cpus(void)
{
    return bootargs_number("host-cpus", DEFAULT_HOST_CPUS) > 1;
}

/* ---- which ---- */

static bool is_any_named(void)
{
    for (uint32_t i = 0; i < BENCH_COUNT; i++)
        if (bootargs_has(names[i]))
            return true;
    return false;
}

static bool is_chosen(const struct benchmark *benchmark)
{
    return is_any_named() ? bootargs_has(names[benchmark->id]) : places[benchmark->id] == GUEST;
}

/* ---- how ---- */

/* Where an instruction takes a nanosecond, as in an emulator that counts, these tell. */
static uint64_t clock_of_adds(uint32_t turns)
{
    uint64_t start = ticks_now();

    __asm__ volatile("1: subs %w0, %w0, #1\n\tb.ne 1b" : "+r"(turns) : : "cc");
    return ticks_now() - start;
}

static uint64_t clock_of_products(uint32_t turns)
{
    uint64_t start = ticks_now();
    uint64_t product = turns;

    __asm__ volatile("1: mul %1, %1, %1\n\tmul %1, %1, %1\n\tsubs %w0, %w0, #1\n\tb.ne 1b"
                     : "+r"(turns), "+r"(product)
                     :
                     : "cc");
    return ticks_now() - start;
}

static uint64_t clock_of_quotients(uint32_t turns)
{
    uint64_t start = ticks_now();
    uint64_t quotient = UINT64_MAX;

    __asm__ volatile("1: udiv %1, %1, %2\n\tadd %1, %1, #1\n\tsubs %w0, %w0, #1\n\tb.ne 1b"
                     : "+r"(turns), "+r"(quotient)
                     : "r"(quotient)
                     : "cc");
    return ticks_now() - start;
}

/* The least of a few: the host's own timer comes now and then. */
static uint64_t least_of(uint64_t (*clock)(uint32_t turns), uint32_t turns)
{
    const uint32_t tries = 5;
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < tries; i++) {
        uint64_t ticks = clock(turns);

        if (ticks < least)
            least = ticks;
    }
    return least;
}

static void print_clock(void)
{
    const uint32_t turns = 20000;

    print("bench: clock %lu %u %lu %u %lu %u\n", least_of(clock_of_adds, turns), 2 * turns,
          least_of(clock_of_products, turns), 4 * turns, least_of(clock_of_quotients, turns),
          4 * turns);
}

/* Heapsort: in place, and never slow. */
static void sift(uint64_t *values, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * root + 1;
        uint64_t value = values[root];

        if (child >= count)
            return;
        if (child + 1 < count && values[child + 1] > values[child])
            child++;
        if (values[child] <= value)
            return;
        values[root] = values[child];
        values[child] = value;
        root = child;
    }
}

static void sort(uint64_t *values, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift(values, i, count);
    while (count > 1) {
        uint64_t largest = values[0];

        count--;
        values[0] = values[count];
        values[count] = largest;
        sift(values, 0, count);
    }
}

static void print_result(const struct benchmark *benchmark, uint32_t count)
{
    sort(samples, count);
    print("bench: result %s %u", names[benchmark->id], benchmark->operations);
    for (uint32_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && samples[i + same] == samples[i];)
            same++;
        print(" %lu*%u", samples[i], same);
    }
    print("\n");
}

static void run(const struct benchmark *benchmark)
{
    uint32_t runs = bench_runs();
    const char *why_not;

    print("bench: run %s\n", names[benchmark->id]);
    bench_rest();
    why_not = benchmark->prepare ? benchmark->prepare() : NULL;
    if (why_not) {
        print("bench: skip %s %s\n", names[benchmark->id], why_not);
        return;
    }
    if (benchmark->most != 0 && runs > benchmark->most)
        runs = benchmark->most;
    for (uint32_t i = 0; i < WARM_UP_SAMPLES; i++)
        (void)benchmark->sample();
    for (uint32_t i = 0; i < runs; i++)
        samples[i] = benchmark->sample();
    if (benchmark->finish)
        benchmark->finish();
    print_result(benchmark, runs);
}

static void run_all(const struct benchmark *benchmarks)
{
    for (; benchmarks->sample; benchmarks++)
        if (is_chosen(benchmarks))
            run(benchmarks);
}

void guest_main(void)
{
    print("bench: begin %u %lu\n", PROTOCOL_VERSION, ticks_per_second());
    print_clock();
    if (machine.gicd != 0)
        bench_interrupts_start();
    run_all(bench_exits);
    run_all(bench_interrupts);
    run_all(bench_cpus);
    run_all(bench_console);
    print("bench: end\n");
}
