// SPDX-License-Identifier: Apache-2.0
#include "irq_resample.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vm_regions.h"

enum { NO_FILE = -1 };

static bool take(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

/* With the lock held. It fails only when the counter is full, and then KVM knows. */
static void raise_level(struct irq_resample *self)
{
    const uint64_t one = 1;

    self->raised_count++;
    (void)!write(self->raise_fd, &one, sizeof(one));
}

static void set_level(struct irq_line *line, bool level)
{
    struct irq_resample *self = line->controller;

    (void)pthread_mutex_lock(&self->lock);
    self->level = level;
    if (self->connected && level) {
        /* An end before this isn't one of what is raised now, which may be an edge. */
        self->ended_count += take(self->ended.fd);
        raise_level(self);
    } else if (self->connected) {
        irq_line_set(&self->wire, false);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

static void on_ended(struct event_source *source, uint32_t events)
{
    struct irq_resample *self = source->context;

    (void)events;
    (void)pthread_mutex_lock(&self->lock);
    if (take(source->fd)) {
        self->ended_count++;
        if (self->connected && self->level) {
            self->raised_again_count++;
            raise_level(self);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
}

static bool make_event(int *fd, struct error *error)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd >= 0 || error_set(error, ERROR_HOST, errno, "eventfd failed");
}

bool irq_resample_init(struct irq_resample *self, struct vm *vm, struct event_loop *loop,
                       uint32_t intid, struct error *error)
{
    *self = (struct irq_resample){
        .raise_fd = NO_FILE,
        .ended = {.fd = NO_FILE, .callback = on_ended, .context = self},
        .loop = loop,
    };
    vm_connect_irq(vm, &self->wire, intid);
    (void)pthread_mutex_init(&self->lock, NULL); /* cannot fail with default attributes */
    return make_event(&self->raise_fd, error) && make_event(&self->ended.fd, error) &&
           event_loop_add(loop, &self->ended, EPOLLIN, error);
}

void irq_resample_finish(struct irq_resample *self)
{
    event_loop_remove(self->loop, &self->ended);
    if (self->ended.fd != NO_FILE)
        (void)close(self->ended.fd);
    if (self->raise_fd != NO_FILE)
        (void)close(self->raise_fd);
    (void)pthread_mutex_destroy(&self->lock);
}

void irq_resample_line(struct irq_resample *self, struct irq_line *line)
{
    static const struct irq_ops ops = {.set_level = set_level};

    *line = (struct irq_line){.ops = &ops, .controller = self, .intid = self->wire.intid};
}

bool irq_resample_connect(struct irq_resample *self, struct error *error)
{
    const struct vm *vm = self->wire.controller;

    /* What came of a VM that is gone isn't this guest's. */
    (void)take(self->raise_fd);
    (void)take(self->ended.fd);
    if (!vm_add_irqfd(vm, self->wire.intid, self->raise_fd, self->ended.fd, error))
        return false;
    (void)pthread_mutex_lock(&self->lock);
    self->connected = true;
    if (self->level)
        raise_level(self);
    (void)pthread_mutex_unlock(&self->lock);
    return true;
}

void irq_resample_disconnect(struct irq_resample *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->connected = false;
    (void)pthread_mutex_unlock(&self->lock);
}
