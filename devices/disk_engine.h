// SPDX-License-Identifier: Apache-2.0
/*
 * Several requests to a disk's image under way at once: by io_uring, or by a few threads where the
 * host has none. What is in memory needs neither.
 *
 *     disk_engine_submit(engine, io);   any number, then
 *     disk_engine_start(engine);        the host gets them
 *     while ((io = disk_engine_reap(engine, false))) ...
 *
 * Requests finish in any order, and whoever needs an order waits. When one has finished the eventfd
 * `wake_fd` is written to, unless it finished within disk_engine_start(); also when the host took
 * none for now. After each wake-up disk_engine_start() is called, and then what has finished is
 * reaped.
 *
 * Threads: all functions on one thread at a time.
 */
#ifndef DEVICES_DISK_ENGINE_H
#define DEVICES_DISK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk_image.h"

enum disk_io_kind {
    DISK_IO_READ,
    DISK_IO_WRITE,
    DISK_IO_FLUSH,      /* no range */
    DISK_IO_DISCARD,    /* a range, no segments: see disk_image.h */
    DISK_IO_ZERO,       /* a range, no segments */
    DISK_IO_ZERO_UNMAP, /* a range, no segments */
};

/* Lent from submit to reap. */
struct disk_io {
    enum disk_io_kind kind;
    uint64_t offset, size_bytes;
    struct iovec *segments; /* the engine changes them */
    size_t count;           /* at most DISK_MOST_SEGMENTS */
    int code;               /* when it has finished: 0 or an errno */
    struct disk_io *next;   /* the engine's */
};

struct disk_engine;

struct disk_engine_ops {
    const char *name;
    void (*submit)(struct disk_engine *engine, struct disk_io *io);
    void (*start)(struct disk_engine *engine);
    struct disk_io *(*reap)(struct disk_engine *engine, bool wait);
    void (*destroy)(struct disk_engine *engine);
};

struct disk_engine {
    const struct disk_engine_ops *ops;
    struct disk_image *image;
    int wake_fd;
    size_t under_way; /* submitted and not reaped */
};

/*
 * For at most `depth` requests under way; image and wake_fd outlive the engine. Of uring: fails
 * with ERROR_HOST where the host's kernel has no io_uring, an old one (before Linux 5.6), or
 * forbids it.
 */
struct disk_engine *disk_engine_create_uring(struct disk_image *image, uint32_t depth, int wake_fd,
                                             struct error *error) WARN_UNUSED;
struct disk_engine *disk_engine_create_threads(struct disk_image *image, uint32_t depth,
                                               int wake_fd, struct error *error) WARN_UNUSED;
/* For images in memory: requests are done in disk_engine_submit(). */
struct disk_engine *disk_engine_create_at_once(struct disk_image *image, uint32_t depth,
                                               int wake_fd, struct error *error) WARN_UNUSED;

static inline void disk_engine_submit(struct disk_engine *engine, struct disk_io *io)
{
    engine->under_way++;
    engine->ops->submit(engine, io);
}

static inline void disk_engine_start(struct disk_engine *engine)
{
    engine->ops->start(engine);
}

/* One that has finished; NULL: none has, or with `wait` that none is under way. */
static inline struct disk_io *disk_engine_reap(struct disk_engine *engine, bool wait)
{
    struct disk_io *io = engine->under_way > 0 ? engine->ops->reap(engine, wait) : NULL;

    if (io)
        engine->under_way--;
    return io;
}

/* Nothing is under way. NULL is allowed. */
static inline void disk_engine_destroy(struct disk_engine *engine)
{
    if (engine)
        engine->ops->destroy(engine);
}

/* Does it here and now, and sets its code. Any thread; what the engines fall back to. */
void disk_io_perform(struct disk_image *image, struct disk_io *io);

#endif
