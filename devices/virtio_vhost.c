// SPDX-License-Identifier: Apache-2.0
#include "virtio_vhost.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio_mmio.h"
#include "virtio_worker.h"

static bool make_event(int *fd, struct error *error)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd >= 0 || error_set(error, ERROR_HOST, errno, "eventfd failed");
}

bool virtio_vhost_watch(const struct virtio_vhost *self, int fd, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ||
           error_set(error, ERROR_HOST, errno, "epoll_ctl failed");
}

void virtio_vhost_unwatch(const struct virtio_vhost *self, int fd)
{
    (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, fd, NULL);
}

bool virtio_vhost_init(struct virtio_vhost *self, struct virtio *virtio, uint32_t queues,
                       struct error *error)
{
    *self = (struct virtio_vhost){
        .virtio = virtio,
        .call = VIRTIO_NO_FILE,
        .error = VIRTIO_NO_FILE,
        .direct = IRQ_NO_EVENT,
        .epoll = VIRTIO_NO_FILE,
    };
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0)
        return error_set(error, ERROR_HOST, errno, "epoll_create1 failed");
    if (!make_event(&self->call, error) || !make_event(&self->error, error) ||
        !virtio_vhost_watch(self, self->call, error) ||
        !virtio_vhost_watch(self, self->error, error))
        return false;
    for (uint32_t i = 0; i < queues; i++)
        if (!make_event(&virtio->kicks[i], error))
            return false;
    virtio->watch = self->epoll;
    return true;
}

static void close_file(int *fd)
{
    if (*fd != VIRTIO_NO_FILE)
        (void)close(*fd);
    *fd = VIRTIO_NO_FILE;
}

void virtio_vhost_finish(struct virtio_vhost *self)
{
    if (!self->virtio)
        return;
    for (uint32_t i = 0; i < VIRTIO_MOST_QUEUES; i++)
        close_file(&self->virtio->kicks[i]);
    close_file(&self->epoll);
    close_file(&self->call);
    close_file(&self->error);
    self->virtio = NULL;
}

void virtio_vhost_begin(struct virtio_vhost *self)
{
    self->direct = virtio_event_fd(self->virtio);
}

struct vhost_ring virtio_vhost_ring(const struct virtio_vhost *self, uint32_t queue, uint32_t index)
{
    return (struct vhost_ring){
        .index = index,
        .queue = &self->virtio->queues[queue],
        .kick = self->virtio->kicks[queue],
        .call = self->direct == IRQ_NO_EVENT ? self->call : self->direct,
        .error = self->error,
    };
}

bool virtio_vhost_give(const struct virtio_vhost *self, const struct vhost *vhost, uint32_t queue,
                       uint32_t index, struct error *error)
{
    const struct vhost_ring ring = virtio_vhost_ring(self, queue, index);

    return vhost_give_ring(vhost, &ring, error);
}

bool virtio_vhost_keep(struct virtio_vhost *self, uint32_t queues, struct error *error)
{
    for (uint32_t i = 0; i < self->virtio->queue_count; i++) {
        uint32_t bit = 1U << i;
        int kick = self->virtio->kicks[i];

        if ((self->kept & bit) == (queues & bit))
            continue;
        if (self->kept & bit)
            virtio_vhost_unwatch(self, kick);
        else if (!virtio_vhost_watch(self, kick, error))
            return false;
        self->kept ^= bit;
    }
    return true;
}

static bool take_event(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

void virtio_vhost_serve(struct virtio_vhost *self)
{
    if (take_event(self->call))
        virtio_interrupt(self->virtio, VIRTIO_INTERRUPT_USED_BUFFER);
    for (uint32_t i = 0; self->kept >> i; i++)
        if (self->kept >> i & 1)
            (void)take_event(self->virtio->kicks[i]);
    if (take_event(self->error))
        virtio_need_reset(self->virtio, "its back end can make nothing of it");
}

void virtio_vhost_interrupt(const struct virtio_vhost *self)
{
    virtio_interrupt(self->virtio, VIRTIO_INTERRUPT_USED_BUFFER);
}

void virtio_vhost_complain(const struct virtio_vhost *self, const struct error *error)
{
    log_line(self->virtio->log, LOG_WARNING, "%s: %s", self->virtio->model->name, error->message);
}

void virtio_vhost_failed(struct virtio_vhost *self, const struct error *error)
{
    virtio_give_up(self->virtio, error->message);
}
