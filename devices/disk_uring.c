// SPDX-License-Identifier: Apache-2.0
/* Requests to a disk's image by io_uring(7). */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_engine.h"

struct uring {
    struct disk_engine engine;
    struct io_uring ring;
};

static struct uring *of(struct disk_engine *engine)
{
    return (struct uring *)((char *)engine - offsetof(struct uring, engine));
}

static int fallocate_mode(enum disk_io_kind kind)
{
    return FALLOC_FL_KEEP_SIZE |
           (kind == DISK_IO_ZERO ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE);
}

static void prepare(struct uring *self, struct disk_io *io)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    const struct disk_image *image = self->engine.image;

    assert(sqe); /* the ring is as deep as there are requests */
    switch (io->kind) {
    case DISK_IO_READ:
        io_uring_prep_readv(sqe, disk_image_file(image, io->offset, io->segments, io->count),
                            io->segments, (unsigned)io->count, io->offset);
        break;
    case DISK_IO_WRITE:
        io_uring_prep_writev(sqe, disk_image_file(image, io->offset, io->segments, io->count),
                             io->segments, (unsigned)io->count, io->offset);
        break;
    case DISK_IO_FLUSH:
        io_uring_prep_fsync(sqe, image->fd, IORING_FSYNC_DATASYNC);
        break;
    case DISK_IO_DISCARD:
    case DISK_IO_ZERO:
    case DISK_IO_ZERO_UNMAP:
        /* io_uring_prep_fallocate() by hand: liburing changed the types of its sizes. */
        io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, image->fd, NULL,
                         (unsigned)fallocate_mode(io->kind), io->offset);
        sqe->addr = io->size_bytes;
        break;
    }
    io_uring_sqe_set_data(sqe, io);
}

/*
 * What finishes meanwhile wakes nobody: the caller is about to look. The host may be short of
 * memory for a moment: what it didn't take goes with the next call.
 */
static void uring_start(struct disk_engine *engine)
{
    struct io_uring *ring = &of(engine)->ring;
    const uint64_t one = 1;
    int code;

    (void)io_uring_cq_eventfd_toggle(ring, false);
    do
        code = io_uring_submit(ring);
    while (code == -EINTR);
    (void)io_uring_cq_eventfd_toggle(ring, true);
    if (code < 0)
        (void)!write(engine->wake_fd, &one, sizeof(one));
}

static void uring_submit(struct disk_engine *engine, struct disk_io *io)
{
    prepare(of(engine), io);
}

/* What the host made of it. False: it goes on, for a part is left to do. */
static bool finish(struct uring *self, struct disk_io *io, int result)
{
    bool is_transfer = io->kind == DISK_IO_READ || io->kind == DISK_IO_WRITE;

    if (result == -EINTR || result == -EAGAIN)
        return false;
    io->code = result < 0 ? -result : 0;
    if (io->code == EOPNOTSUPP && !is_transfer) {
        disk_io_perform(self->engine.image, io); /* knows what to do then */
        return true;
    }
    if (io->code != 0 || !is_transfer)
        return true;
    if (result == 0) { /* somebody made the file shorter */
        io->code = EIO;
        return true;
    }
    io->offset += (uint64_t)result;
    io->count = disk_segments_advance(&io->segments, io->count, (size_t)result);
    return io->count == 0;
}

static struct disk_io *uring_reap(struct disk_engine *engine, bool wait)
{
    struct uring *self = of(engine);
    struct io_uring_cqe *cqe;

    for (;;) {
        int code = wait ? io_uring_submit_and_wait(&self->ring, 1) : 0;

        if (io_uring_peek_cqe(&self->ring, &cqe) != 0) {
            if (wait && (code >= 0 || code == -EINTR || code == -EAGAIN || code == -EBUSY))
                continue;
            return NULL;
        }
        struct disk_io *io = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&self->ring, cqe);
        if (finish(self, io, result))
            return io;
        prepare(self, io);
        uring_start(engine);
    }
}

static void uring_destroy(struct disk_engine *engine)
{
    assert(engine->under_way == 0);
    io_uring_queue_exit(&of(engine)->ring);
    free(of(engine));
}

static const struct disk_engine_ops uring_ops = {
    .name = "io_uring",
    .submit = uring_submit,
    .start = uring_start,
    .reap = uring_reap,
    .destroy = uring_destroy,
};

/* The newest that is used is of Linux 5.6. */
static bool has_operations(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool has = probe && io_uring_opcode_supported(probe, IORING_OP_FALLOCATE);

    io_uring_free_probe(probe);
    return has;
}

struct disk_engine *disk_engine_create_uring(struct disk_image *image, uint32_t depth, int wake_fd,
                                             struct error *error)
{
    struct uring *self = calloc(1, sizeof(*self));
    int code = self ? -io_uring_queue_init(depth, &self->ring, 0) : ENOMEM;

    if (code != 0) {
        (void)error_set(error, ERROR_HOST, code, "cannot use io_uring");
        free(self);
        return NULL;
    }
    self->engine = (struct disk_engine){.ops = &uring_ops, .image = image, .wake_fd = wake_fd};
    if (!has_operations(&self->ring))
        (void)error_set(error, ERROR_HOST, 0, "the host's io_uring is too old: before Linux 5.6");
    else if ((code = -io_uring_register_eventfd(&self->ring, wake_fd)) != 0)
        (void)error_set(error, ERROR_HOST, code, "cannot use an eventfd with io_uring");
    else
        return &self->engine;
    uring_destroy(&self->engine);
    return NULL;
}
