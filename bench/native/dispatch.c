// SPDX-License-Identifier: Apache-2.0
/*
 * What finding a device and calling it costs, on whatever machine this runs: the device table of
 * src/bus.c beside two that other VMMs have, written for this comparison alone:
 *
 *     table     src/bus.c: sorted, frozen, the last hit remembered per thread; no lock
 *     linear    devices one after the other, the last hit not remembered; no lock
 *     tree      a balanced tree (tsearch(3)) behind a mutex, as where devices may come and go
 *
 * Accesses are 4-byte reads of devices that return their offset: `same` goes to one device again
 * and again, `any` to a random one each time, `miss` to where nothing is. Then threads, each with a
 * device of its own. Prints ns an access: the median of 21 batches, and the smallest.
 */
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "bus.h"

enum {
    DEVICES_MAX = 128,
    ACCESSES = 1 << 16, /* in a batch */
    BATCHES = 21,
    WARM_UP = 3,
    PATTERN = 4096, /* addresses in turn; a power of two */
    THREADS_MAX = 64,
    DEVICE_BYTES = 4096,
};

#define FIRST_BASE  UINT64_C(0x09000000)
#define STRIDE      UINT64_C(0x10000)
#define NS_PER_S    1e9
#define RANDOM_SEED 1

struct place {
    uint64_t base;
    struct device *device;
};

static struct device devices[DEVICES_MAX];
static struct place places[DEVICES_MAX];
static struct bus bus;
static struct arena arena;
static size_t place_count;

static void *tree_root;
static pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER; /* guards tree_root */

static uint64_t read_offset(struct device *device, uint64_t offset, enum access_width width)
{
    (void)device;
    (void)width;
    return offset;
}

static const struct device_ops ops = {.read = read_offset};

/* ---- the three ---- */

typedef uint64_t access_function(struct bus_cursor *cursor, uint64_t address);

static uint64_t access_table(struct bus_cursor *cursor, uint64_t address)
{
    uint64_t value = 0;

    (void)bus_access(&bus, cursor, GPA(address), ACCESS_READ, ACCESS_32_BIT, &value);
    return value;
}

static uint64_t access_linear(struct bus_cursor *cursor, uint64_t address)
{
    (void)cursor;
    for (size_t i = 0; i < place_count; i++)
        if (address - places[i].base < DEVICE_BYTES)
            return places[i].device->ops->read(places[i].device, address - places[i].base,
                                               ACCESS_32_BIT);
    return 0;
}

/* A place is equal to each address in it. */
static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;

    if (a->base - b->base < DEVICE_BYTES || b->base - a->base < DEVICE_BYTES)
        return 0;
    return a->base < b->base ? -1 : 1;
}

static uint64_t access_tree(struct bus_cursor *cursor, uint64_t address)
{
    const struct place key = {.base = address};
    uint64_t value = 0;

    (void)cursor;
    (void)pthread_mutex_lock(&tree_lock);
    struct place *const *found = tfind(&key, &tree_root, compare_places);
    if (found)
        value =
            (*found)->device->ops->read((*found)->device, address - (*found)->base, ACCESS_32_BIT);
    (void)pthread_mutex_unlock(&tree_lock);
    return value;
}

static const struct {
    const char *name;
    access_function *access;
} tables[] = {{"table", access_table}, {"linear", access_linear}, {"tree", access_tree}};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static void build(size_t count)
{
    struct error error;

    arena_finish(&arena);
    bus_init(&bus, &arena);
    while (tree_root)
        (void)tdelete(*(struct place **)tree_root, &tree_root, compare_places);
    place_count = count;
    for (size_t i = 0; i < count; i++) {
        devices[i] = (struct device){.ops = &ops, .name = "test", .size_bytes = DEVICE_BYTES};
        places[i] = (struct place){FIRST_BASE + i * STRIDE, &devices[i]};
        if (!tsearch(&places[i], &tree_root, compare_places) ||
            !bus_add(&bus, &devices[i], GPA(places[i].base), &error))
            exit(EXIT_FAILURE);
    }
    if (!bus_freeze(&bus, &error))
        exit(EXIT_FAILURE);
}

/* ---- measuring ---- */

struct job {
    access_function *access;
    uint64_t addresses[PATTERN];
    double ns[BATCHES]; /* an access */
    pthread_barrier_t *start;
};

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * NS_PER_S + (double)now.tv_nsec;
}

static double batch(struct job *job, struct bus_cursor *cursor)
{
    double start = now_ns();
    uint64_t sum = 0;

    for (size_t i = 0; i < ACCESSES; i++)
        sum += job->access(cursor, job->addresses[i % PATTERN]);
    __asm__ volatile("" : : "r"(sum));
    return (now_ns() - start) / ACCESSES;
}

static void *run(void *argument)
{
    struct job *job = argument;
    struct bus_cursor cursor = {0};

    if (job->start)
        (void)pthread_barrier_wait(job->start);
    for (int i = 0; i < WARM_UP; i++)
        (void)batch(job, &cursor);
    for (int i = 0; i < BATCHES; i++)
        job->ns[i] = batch(job, &cursor);
    return NULL;
}

static int compare_ns(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;

    return (*a > *b) - (*a < *b);
}

static void print_median(struct job *job)
{
    qsort(job->ns, BATCHES, sizeof(job->ns[0]), compare_ns);
    printf(" %7.2f (%.2f)", job->ns[BATCHES / 2], job->ns[0]);
}

static void measure_pattern(size_t count, const char *pattern, uint64_t (*address)(size_t count))
{
    static struct job job;

    printf("%7zu  %-8s", count, pattern);
    srandom(RANDOM_SEED);
    for (size_t i = 0; i < PATTERN; i++)
        job.addresses[i] = address(count);
    for (size_t i = 0; i < TABLES; i++) {
        job.access = tables[i].access;
        (void)run(&job);
        print_median(&job);
    }
    printf("\n");
}

static uint64_t same(size_t count)
{
    return FIRST_BASE + (count - 1) * STRIDE;
}

static uint64_t any(size_t count)
{
    return FIRST_BASE + (uint64_t)random() % count * STRIDE + 4;
}

static uint64_t miss(size_t count)
{
    return FIRST_BASE + (uint64_t)random() % count * STRIDE + DEVICE_BYTES;
}

static void measure_threads(size_t threads)
{
    static struct job jobs[THREADS_MAX];
    pthread_t ids[THREADS_MAX];

    printf("%7zu  %-8s", threads, "own");
    for (size_t i = 0; i < TABLES; i++) {
        pthread_barrier_t start;

        (void)pthread_barrier_init(&start, NULL, (unsigned)threads);
        for (size_t t = 0; t < threads; t++) {
            jobs[t].access = tables[i].access;
            jobs[t].start = &start;
            for (size_t j = 0; j < PATTERN; j++)
                jobs[t].addresses[j] = FIRST_BASE + t % place_count * STRIDE;
            if (pthread_create(&ids[t], NULL, run, &jobs[t]) != 0)
                exit(EXIT_FAILURE);
        }
        for (size_t t = 0; t < threads; t++)
            (void)pthread_join(ids[t], NULL);
        (void)pthread_barrier_destroy(&start);
        print_median(&jobs[threads / 2]);
    }
    printf("\n");
}

int main(void)
{
    static const size_t counts[] = {1, 8, 32, 128};
    const size_t thread_devices = 32;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus > THREADS_MAX ? THREADS_MAX : (size_t)cpus;

    printf("ns an access: median (smallest) of %d batches of %d\n\n", BATCHES, ACCESSES);
    printf("devices  access   %14s %14s %14s\n", tables[0].name, tables[1].name, tables[2].name);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        build(counts[i]);
        measure_pattern(counts[i], "same", same);
        measure_pattern(counts[i], "any", any);
        measure_pattern(counts[i], "miss", miss);
    }
    build(thread_devices);
    printf("\nthreads, each with a device of its own, of %zu\n", thread_devices);
    for (size_t threads = 1; threads <= most; threads *= 2)
        measure_threads(threads);
    return EXIT_SUCCESS;
}
