// SPDX-License-Identifier: Apache-2.0
/*
 * One request of a block device's driver (Virtual I/O Device 1.2, 5.2.6), from its header to its
 * status. A request is a step of input or output, or some, one after the other: the ranges of a
 * discard; a write, and a flush if the driver can't ask for one.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "virtio_blk_internal.h"

/* ---- the end ---- */

static void count(struct blk *blk, enum blk_counter counter, uint64_t amount)
{
    counter_add(&blk->counters[counter].value, amount);
}

static void count_request(struct blk *blk, const struct blk_request *request,
                          enum virtio_blk_status status)
{
    if (status != VIRTIO_BLK_S_OK) {
        count(blk, BLK_FAILURES, 1);
        return;
    }
    switch (request->header.type) {
    case VIRTIO_BLK_T_IN:
        count(blk, BLK_READS, 1);
        count(blk, BLK_READ_BYTES, blk_request_bytes(request));
        break;
    case VIRTIO_BLK_T_OUT:
        count(blk, BLK_WRITES, 1);
        count(blk, BLK_WRITTEN_BYTES, blk_request_bytes(request));
        break;
    case VIRTIO_BLK_T_FLUSH:
        count(blk, BLK_FLUSHES, 1);
        break;
    case VIRTIO_BLK_T_DISCARD:
        count(blk, BLK_DISCARDS, 1);
        break;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        count(blk, BLK_ZEROES, 1);
        break;
    default:
        break;
    }
}

static void finish(struct blk *blk, struct blk_request *request, enum virtio_blk_status status)
{
    const struct virtqueue_chain *chain = &request->chain;
    uint8_t byte = (uint8_t)status;
    uint32_t written_bytes = 0;

    count_request(blk, request, status);
    /* Without room for a status there is no way to answer. */
    if (chain->writable_bytes >= VIRTIO_BLK_STATUS_BYTES) {
        (void)!virtio_copy_to(chain, chain->writable_bytes - VIRTIO_BLK_STATUS_BYTES, &byte,
                              sizeof(byte));
        written_bytes = VIRTIO_BLK_STATUS_BYTES;
        if (status == VIRTIO_BLK_S_OK)
            written_bytes += request->written_bytes;
    }
    virtio_return(&blk->virtio, request->queue, chain, written_bytes);
    blk->returned[request->queue] = true;
    request->next = blk->unused;
    blk->unused = request;
}

/* Tells the operator what the guest is told as an I/O error. */
static enum virtio_blk_status judge(struct blk *blk, const struct disk_io *io)
{
    static const char *const names[] = {
        [DISK_IO_READ] = "reading",        [DISK_IO_WRITE] = "writing",
        [DISK_IO_FLUSH] = "flushing",      [DISK_IO_DISCARD] = "discarding",
        [DISK_IO_ZERO] = "writing zeroes", [DISK_IO_ZERO_UNMAP] = "writing zeroes",
    };

    if (io->code == 0)
        return VIRTIO_BLK_S_OK;
    if (log_limit_pass(&blk->failures))
        log_line(blk->virtio.log, LOG_WARNING, "disk '%s': %s at 0x%" PRIx64 " failed: %s",
                 blk->image.path, names[io->kind], io->offset, strerror(io->code));
    return VIRTIO_BLK_S_IOERR;
}

/* ---- flushes ---- */

static void start_flush(struct blk *blk)
{
    blk->flushing = blk->flush_waiting;
    blk->flush_waiting = NULL;
    if (!blk->flushing)
        return;
    blk->flush = (struct disk_io){.kind = DISK_IO_FLUSH};
    disk_engine_submit(blk->engine, &blk->flush);
}

static void flush(struct blk *blk, struct blk_request *request)
{
    if (blk->lost) {
        finish(blk, request, VIRTIO_BLK_S_IOERR);
        return;
    }
    request->next = blk->flush_waiting;
    blk->flush_waiting = request;
    if (!blk->flushing)
        start_flush(blk);
}

static void finish_list(struct blk *blk, struct blk_request *list, enum virtio_blk_status status)
{
    while (list) {
        struct blk_request *next = list->next;

        finish(blk, list, status);
        list = next;
    }
}

static void flush_done(struct blk *blk)
{
    enum virtio_blk_status status = judge(blk, &blk->flush);

    finish_list(blk, blk->flushing, status);
    blk->flushing = NULL;
    if (status == VIRTIO_BLK_S_OK) {
        start_flush(blk);
        return;
    }
    blk->lost = true;
    finish_list(blk, blk->flush_waiting, status);
    blk->flush_waiting = NULL;
}

/* A driver that can't flush expects what is written to be on the disk (5.2.5). */
static void settle(struct blk *blk, struct blk_request *request)
{
    if (virtio_has(&blk->virtio, VIRTIO_BLK_F_FLUSH))
        finish(blk, request, VIRTIO_BLK_S_OK);
    else
        flush(blk, request);
}

/* ---- steps ---- */

/* The part of some segments that is data: `size_bytes` from `skip` on. Returns their count. */
static size_t slice(struct iovec *data, const struct iovec *segments, uint64_t skip,
                    uint64_t size_bytes)
{
    size_t parts = 0;

    for (; size_bytes > 0; segments++) {
        if (skip >= segments->iov_len) {
            skip -= segments->iov_len;
            continue;
        }
        uint64_t left = segments->iov_len - skip;
        size_t part = (size_t)(size_bytes < left ? size_bytes : left);

        data[parts++] = (struct iovec){(uint8_t *)segments->iov_base + skip, part};
        size_bytes -= part;
        skip = 0;
    }
    return parts;
}

static bool is_on_disk(const struct blk *blk, uint64_t sector, uint64_t size_bytes)
{
    uint64_t capacity = blk->config.capacity;

    return size_bytes % DISK_SECTOR_BYTES == 0 && sector <= capacity &&
           size_bytes / DISK_SECTOR_BYTES <= capacity - sector;
}

/* Data from or to segments of the chain, from the one at `first` on. */
static void transfer(struct blk *blk, struct blk_request *request, enum disk_io_kind kind,
                     size_t first, uint64_t skip, uint64_t size_bytes)
{
    uint64_t sector = request->header.sector;

    if (!is_on_disk(blk, sector, size_bytes)) {
        finish(blk, request, VIRTIO_BLK_S_IOERR);
        return;
    }
    if (size_bytes == 0) {
        finish(blk, request, VIRTIO_BLK_S_OK);
        return;
    }
    request->io = (struct disk_io){
        .kind = kind,
        .offset = sector * DISK_SECTOR_BYTES,
        .size_bytes = size_bytes,
        .segments = request->data,
        .count = slice(request->data, &request->chain.segments[first], skip, size_bytes),
    };
    disk_engine_submit(blk->engine, &request->io);
}

static void start_read(struct blk *blk, struct blk_request *request)
{
    uint64_t size_bytes = request->chain.writable_bytes - VIRTIO_BLK_STATUS_BYTES;

    request->written_bytes = (uint32_t)size_bytes;
    transfer(blk, request, DISK_IO_READ, request->chain.readable_count, 0, size_bytes);
}

static void start_write(struct blk *blk, struct blk_request *request)
{
    uint64_t size_bytes = request->chain.readable_bytes - sizeof(request->header);

    if (blk->image.read_only)
        finish(blk, request, VIRTIO_BLK_S_IOERR);
    else
        transfer(blk, request, DISK_IO_WRITE, 0, sizeof(request->header), size_bytes);
}

static bool is_zeroing(const struct blk_request *request)
{
    return request->header.type == VIRTIO_BLK_T_WRITE_ZEROES;
}

/* Whether a range can be done at all. */
static enum virtio_blk_status judge_range(const struct blk *blk, const struct blk_request *request,
                                          const struct virtio_blk_range *range)
{
    if (range->flags & ~(is_zeroing(request) ? VIRTIO_BLK_RANGE_UNMAP : 0U))
        return VIRTIO_BLK_S_UNSUPP;
    if (range->sector_count > VIRTIO_BLK_MOST_RANGE_SECTORS ||
        !is_on_disk(blk, range->sector, (uint64_t)range->sector_count * DISK_SECTOR_BYTES))
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

static enum disk_io_kind range_kind(const struct blk_request *request,
                                    const struct virtio_blk_range *range)
{
    if (!is_zeroing(request))
        return DISK_IO_DISCARD;
    return range->flags & VIRTIO_BLK_RANGE_UNMAP ? DISK_IO_ZERO_UNMAP : DISK_IO_ZERO;
}

/* The next range that isn't empty; after the last the request is done. */
static void next_range(struct blk *blk, struct blk_request *request)
{
    uint64_t offset = sizeof(request->header);
    struct virtio_blk_range range;

    while (virtio_copy_from(&request->chain, offset + request->ranges_done * sizeof(range), &range,
                            sizeof(range))) {
        enum virtio_blk_status status = judge_range(blk, request, &range);

        if (status != VIRTIO_BLK_S_OK) {
            finish(blk, request, status);
            return;
        }
        request->ranges_done++;
        if (range.sector_count == 0)
            continue;
        request->io = (struct disk_io){
            .kind = range_kind(request, &range),
            .offset = range.sector * DISK_SECTOR_BYTES,
            .size_bytes = (uint64_t)range.sector_count * DISK_SECTOR_BYTES,
        };
        disk_engine_submit(blk->engine, &request->io);
        return;
    }
    if (is_zeroing(request))
        settle(blk, request);
    else
        finish(blk, request, VIRTIO_BLK_S_OK);
}

static void start_ranges(struct blk *blk, struct blk_request *request)
{
    uint64_t size_bytes = request->chain.readable_bytes - sizeof(request->header);
    uint64_t ranges = size_bytes / sizeof(struct virtio_blk_range);

    if (blk->image.read_only || size_bytes % sizeof(struct virtio_blk_range) || ranges == 0 ||
        ranges > VIRTIO_BLK_MOST_RANGES)
        finish(blk, request, VIRTIO_BLK_S_IOERR);
    else
        next_range(blk, request);
}

static void get_id(struct blk *blk, struct blk_request *request)
{
    uint64_t room = request->chain.writable_bytes - VIRTIO_BLK_STATUS_BYTES;
    bool good = room >= sizeof(blk->serial) &&
                virtio_copy_to(&request->chain, 0, blk->serial, sizeof(blk->serial));

    request->written_bytes = sizeof(blk->serial);
    finish(blk, request, good ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
}

/* ---- from the driver, and from the engine ---- */

/* Where header, data and status are cut into segments is the driver's affair (2.7.4). */
void blk_request_start(struct blk *blk, struct blk_request *request)
{
    request->io = (struct disk_io){0};
    request->written_bytes = 0;
    request->ranges_done = 0;
    request->header = (struct virtio_blk_header){0};
    if (request->chain.writable_bytes < VIRTIO_BLK_STATUS_BYTES ||
        !virtio_copy_from(&request->chain, 0, &request->header, sizeof(request->header))) {
        finish(blk, request, VIRTIO_BLK_S_IOERR);
        return;
    }
    switch (request->header.type) {
    case VIRTIO_BLK_T_IN:
        start_read(blk, request);
        break;
    case VIRTIO_BLK_T_OUT:
        start_write(blk, request);
        break;
    case VIRTIO_BLK_T_FLUSH:
        flush(blk, request);
        break;
    case VIRTIO_BLK_T_GET_ID:
        get_id(blk, request);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        start_ranges(blk, request);
        break;
    default:
        finish(blk, request, VIRTIO_BLK_S_UNSUPP);
        break;
    }
}

void blk_io_done(struct blk *blk, struct disk_io *io)
{
    struct blk_request *request = container_of(io, struct blk_request, io);

    if (io == &blk->flush) {
        flush_done(blk);
        return;
    }
    enum virtio_blk_status status = judge(blk, io);

    if (status != VIRTIO_BLK_S_OK || io->kind == DISK_IO_READ)
        finish(blk, request, status);
    else if (io->kind == DISK_IO_WRITE)
        settle(blk, request);
    else
        next_range(blk, request);
}

uint32_t blk_request_bytes(const struct blk_request *request)
{
    bool is_transfer = request->io.kind == DISK_IO_READ || request->io.kind == DISK_IO_WRITE;

    return is_transfer ? (uint32_t)request->io.size_bytes : 0;
}
