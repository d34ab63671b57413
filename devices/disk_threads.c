// SPDX-License-Identifier: Apache-2.0
/* Requests to a disk's image by a few threads that may sleep in them. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_engine.h"

enum { THREAD_COUNT = 4 };

struct list {
    struct disk_io *first;
    struct disk_io **last; /* where the next one goes */
};

struct threads {
    struct disk_engine engine;
    pthread_mutex_t lock; /* guards the lists and `quit` */
    pthread_cond_t work, finished;
    struct list waiting, done;
    bool quit;
    pthread_t threads[THREAD_COUNT];
    size_t thread_count;
};

static struct threads *of(struct disk_engine *engine)
{
    return (struct threads *)((char *)engine - offsetof(struct threads, engine));
}

static void list_init(struct list *list)
{
    *list = (struct list){.last = &list->first};
}

static void list_push(struct list *list, struct disk_io *io)
{
    io->next = NULL;
    *list->last = io;
    list->last = &io->next;
}

static struct disk_io *list_pop(struct list *list)
{
    struct disk_io *io = list->first;

    if (io) {
        list->first = io->next;
        if (!list->first)
            list->last = &list->first;
    }
    return io;
}

void disk_io_perform(struct disk_image *image, struct disk_io *io)
{
    switch (io->kind) {
    case DISK_IO_READ:
        io->code = disk_image_read(image, io->offset, io->segments, io->count);
        break;
    case DISK_IO_WRITE:
        io->code = disk_image_write(image, io->offset, io->segments, io->count);
        break;
    case DISK_IO_FLUSH:
        io->code = disk_image_flush(image);
        break;
    case DISK_IO_DISCARD:
        io->code = disk_image_discard(image, io->offset, io->size_bytes);
        break;
    case DISK_IO_ZERO:
    case DISK_IO_ZERO_UNMAP:
        io->code = disk_image_write_zeroes(image, io->offset, io->size_bytes,
                                           io->kind == DISK_IO_ZERO_UNMAP);
        break;
    }
}

static void *run(void *context)
{
    struct threads *self = context;
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&self->lock);
    while (!self->quit) {
        struct disk_io *io = list_pop(&self->waiting);

        if (!io) {
            (void)pthread_cond_wait(&self->work, &self->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&self->lock);
        disk_io_perform(self->engine.image, io);
        (void)pthread_mutex_lock(&self->lock);
        list_push(&self->done, io);
        (void)pthread_cond_signal(&self->finished);
        (void)!write(self->engine.wake_fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void threads_submit(struct disk_engine *engine, struct disk_io *io)
{
    struct threads *self = of(engine);

    (void)pthread_mutex_lock(&self->lock);
    list_push(&self->waiting, io);
    (void)pthread_cond_signal(&self->work);
    (void)pthread_mutex_unlock(&self->lock);
}

static void threads_start(struct disk_engine *engine)
{
    (void)engine; /* they have begun */
}

static struct disk_io *threads_reap(struct disk_engine *engine, bool wait)
{
    struct threads *self = of(engine);
    struct disk_io *io;

    (void)pthread_mutex_lock(&self->lock);
    while (!(io = list_pop(&self->done)) && wait)
        (void)pthread_cond_wait(&self->finished, &self->lock);
    (void)pthread_mutex_unlock(&self->lock);
    return io;
}

static void threads_destroy(struct disk_engine *engine)
{
    struct threads *self = of(engine);

    assert(engine->under_way == 0);
    (void)pthread_mutex_lock(&self->lock);
    self->quit = true;
    (void)pthread_cond_broadcast(&self->work);
    (void)pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < self->thread_count; i++)
        (void)pthread_join(self->threads[i], NULL);
    (void)pthread_cond_destroy(&self->finished);
    (void)pthread_cond_destroy(&self->work);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static const struct disk_engine_ops threads_ops = {
    .name = "threads",
    .submit = threads_submit,
    .start = threads_start,
    .reap = threads_reap,
    .destroy = threads_destroy,
};

struct disk_engine *disk_engine_create_threads(struct disk_image *image, uint32_t depth,
                                               int wake_fd, struct error *error)
{
    struct threads *self = calloc(1, sizeof(*self));

    (void)depth; /* lists have no end */
    if (!self) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a disk's threads");
        return NULL;
    }
    self->engine = (struct disk_engine){.ops = &threads_ops, .image = image, .wake_fd = wake_fd};
    (void)pthread_mutex_init(&self->lock, NULL); /* cannot fail with default attributes */
    (void)pthread_cond_init(&self->work, NULL);
    (void)pthread_cond_init(&self->finished, NULL);
    list_init(&self->waiting);
    list_init(&self->done);
    for (; self->thread_count < THREAD_COUNT; self->thread_count++) {
        pthread_t *thread = &self->threads[self->thread_count];
        int code = pthread_create(thread, NULL, run, self);

        if (code != 0) {
            (void)error_set(error, ERROR_HOST, code, "cannot start a disk's threads");
            threads_destroy(&self->engine);
            return NULL;
        }
        (void)pthread_setname_np(*thread, "disk");
    }
    return &self->engine;
}
