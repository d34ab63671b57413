// SPDX-License-Identifier: Apache-2.0
/*
 * Requests to an image in the host's memory (tmpfs), each done when it is submitted: there is no
 * disk to wait for, so that handing it to anybody else, as io_uring does for such files, is all
 * that would take time.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk_engine.h"

struct at_once {
    struct disk_engine engine;
    struct disk_io *first, **end; /* done, the oldest first */
};

static struct at_once *of(struct disk_engine *engine)
{
    return (struct at_once *)((char *)engine - offsetof(struct at_once, engine));
}

static void at_once_submit(struct disk_engine *engine, struct disk_io *io)
{
    struct at_once *self = of(engine);

    disk_io_perform(engine->image, io);
    io->next = NULL;
    *self->end = io;
    self->end = &io->next;
}

static void at_once_start(struct disk_engine *engine)
{
    (void)engine; /* all is done */
}

static struct disk_io *at_once_reap(struct disk_engine *engine, bool wait)
{
    struct at_once *self = of(engine);
    struct disk_io *io = self->first;

    (void)wait;
    if (io && !(self->first = io->next))
        self->end = &self->first;
    return io;
}

static void at_once_destroy(struct disk_engine *engine)
{
    free(of(engine));
}

static const struct disk_engine_ops at_once_ops = {
    .name = "at once",
    .submit = at_once_submit,
    .start = at_once_start,
    .reap = at_once_reap,
    .destroy = at_once_destroy,
};

struct disk_engine *disk_engine_create_at_once(struct disk_image *image, uint32_t depth,
                                               int wake_fd, struct error *error)
{
    struct at_once *self = calloc(1, sizeof(*self));

    (void)depth; /* a list has no end */
    if (!self) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a disk's requests");
        return NULL;
    }
    self->engine = (struct disk_engine){.ops = &at_once_ops, .image = image, .wake_fd = wake_fd};
    self->end = &self->first;
    return &self->engine;
}
