// SPDX-License-Identifier: Apache-2.0
/* The thread of a virtio device: waits for the doorbell and serves the queues. */
#include "virtio_worker.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "virtio_mmio.h"

/* ---- bytes of chains ---- */

/* Copies a part of some segments to a buffer of ours, or from one: the other is NULL. */
static bool copy(const struct iovec *segments, size_t count, uint64_t offset, uint8_t *to,
                 const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;

    for (size_t i = 0; i < count && done < size_bytes; i++) {
        if (offset >= segments[i].iov_len) {
            offset -= segments[i].iov_len;
            continue;
        }
        uint8_t *guest = (uint8_t *)segments[i].iov_base + offset;
        size_t left = segments[i].iov_len - offset;
        size_t part = size_bytes - done < left ? size_bytes - done : left;

        if (to)
            memcpy(to + done, guest, part);
        else
            memcpy(guest, from + done, part);
        done += part;
        offset = 0;
    }
    /* What was copied isn't read again. */
    __asm__ volatile("" : : : "memory");
    return done == size_bytes;
}

bool virtio_copy_from(const struct virtqueue_chain *chain, uint64_t offset, void *to,
                      size_t size_bytes)
{
    return copy(chain->segments, chain->readable_count, offset, to, NULL, size_bytes);
}

bool virtio_copy_to(const struct virtqueue_chain *chain, uint64_t offset, const void *from,
                    size_t size_bytes)
{
    return copy(chain->segments + chain->readable_count, chain->writable_count, offset, NULL, from,
                size_bytes);
}

/* ---- for models that serve the queues themselves ---- */

bool virtio_take(struct virtio *virtio, uint32_t queue, struct virtqueue_chain *chain)
{
    enum virtqueue_state state = virtqueue_take(&virtio->queues[queue], chain);

    if (state == VIRTQUEUE_BROKEN)
        virtio_need_reset(virtio, virtio->queues[queue].broken);
    return state == VIRTQUEUE_TAKEN;
}

/* A queue that was stopped meanwhile is the driver's again. */
void virtio_return(struct virtio *virtio, uint32_t queue, const struct virtqueue_chain *chain,
                   uint32_t written_bytes)
{
    if (virtio->active[queue])
        virtqueue_return(&virtio->queues[queue], chain, written_bytes);
}

void virtio_signal(struct virtio *virtio, uint32_t queue)
{
    if (virtio->active[queue] && virtqueue_should_signal(&virtio->queues[queue]))
        virtio_interrupt(virtio, VIRTIO_INTERRUPT_USED_BUFFER);
}

/* ---- the thread ---- */

/* Serves what is available. False: enough for now, or for ever. */
static bool serve_some(struct virtio *virtio, uint32_t index)
{
    struct virtqueue *queue = &virtio->queues[index];
    enum virtqueue_state state = VIRTQUEUE_EMPTY;
    bool any = false;

    while (atomic_load(&virtio->waiting) == 0 &&
           (state = virtqueue_take(queue, &virtio->chain)) == VIRTQUEUE_TAKEN) {
        uint32_t written_bytes = virtio->model->handle(virtio, index, &virtio->chain);

        any = true;
        virtqueue_return(queue, &virtio->chain, written_bytes);
        if (virtqueue_should_signal(queue))
            virtio_interrupt(virtio, VIRTIO_INTERRUPT_USED_BUFFER);
    }
    if (state == VIRTQUEUE_BROKEN)
        virtio_need_reset(virtio, queue->broken);
    return any && state == VIRTQUEUE_EMPTY;
}

/* Ends when a look at the ring after notifications were turned on finds nothing. */
static void serve(struct virtio *virtio, uint32_t index)
{
    struct virtqueue *queue = &virtio->queues[index];

    do {
        virtqueue_set_notify(queue, false);
        while (serve_some(virtio, index))
            ;
        virtqueue_set_notify(queue, true);
    } while (virtio->active[index] && serve_some(virtio, index));
}

static void serve_all(struct virtio *virtio)
{
    for (uint32_t i = 0; i < virtio->queue_count; i++)
        if (virtio->active[i] && !virtio_is_wanted(virtio))
            serve(virtio, i);
}

/*
 * Sleeps until there is something to do. The model's file waits while somebody else wants `work`,
 * who rings the doorbell when done. False: the host failed.
 */
static bool wait_for_work(struct virtio *virtio)
{
    struct pollfd files[] = {{virtio->doorbell, POLLIN, 0}, {virtio->watch, POLLIN, 0}};
    bool watches = virtio->watch != VIRTIO_NO_FILE && !virtio_is_wanted(virtio);
    uint64_t rung;

    if (virtio->watch != VIRTIO_NO_FILE) {
        if (poll(files, watches ? 2 : 1, -1) < 0)
            return errno == EINTR;
        if (!files[0].revents)
            return true;
    }
    return read(virtio->doorbell, &rung, sizeof(rung)) == (ssize_t)sizeof(rung) || errno == EINTR;
}

static void *work(void *context)
{
    struct virtio *virtio = context;

    while (wait_for_work(virtio)) {
        (void)pthread_mutex_lock(&virtio->work);
        if (virtio->model->serve)
            virtio->model->serve(virtio);
        else
            serve_all(virtio);
        (void)pthread_mutex_unlock(&virtio->work);
        if (atomic_load(&virtio->quit))
            break;
    }
    return NULL;
}

bool virtio_worker_start(struct virtio *virtio, struct error *error)
{
    int code = pthread_create(&virtio->worker, NULL, work, virtio);

    if (code != 0)
        return error_set(error, ERROR_HOST, code, "cannot start the thread of '%s'",
                         virtio->model->name);
    (void)pthread_setname_np(virtio->worker, virtio->model->name);
    virtio->has_worker = true;
    return true;
}

void virtio_signal_file(int event_fd)
{
    const uint64_t one = 1;

    (void)!write(event_fd, &one, sizeof(one));
}

void virtio_ring(struct virtio *virtio)
{
    virtio_signal_file(virtio->doorbell);
}

void virtio_worker_stop(struct virtio *virtio)
{
    if (!virtio->has_worker)
        return;
    atomic_fetch_add(&virtio->waiting, 1);
    atomic_store(&virtio->quit, true);
    virtio_ring(virtio);
    (void)pthread_join(virtio->worker, NULL);
    virtio->has_worker = false;
    if (virtio->model->settle)
        virtio->model->settle(virtio);
}

void virtio_worker_pause(struct virtio *virtio)
{
    atomic_fetch_add(&virtio->waiting, 1);
    (void)pthread_mutex_lock(&virtio->work);
    atomic_fetch_sub(&virtio->waiting, 1);
    if (virtio->model->settle)
        virtio->model->settle(virtio);
}

void virtio_worker_resume(struct virtio *virtio)
{
    (void)pthread_mutex_unlock(&virtio->work);
    /* It may have left work in a queue that goes on. */
    virtio_ring(virtio);
}
