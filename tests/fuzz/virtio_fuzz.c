// SPDX-License-Identifier: Apache-2.0
#include "virtio_fuzz.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio_mmio.h"

void virtio_fuzz_create(struct virtio_fuzz *self, const struct device_class *class,
                        struct device_resources resources, uint8_t *bytes, size_t size_bytes)
{
    struct error error = {0};

    if (!bytes || self->queue_count > QUEUES_MOST)
        abort();
    self->bytes = bytes;
    self->memory = (struct guest_memory){GPA(BASE), size_bytes, bytes};
    self->log.fd = -1;
    fake_irq_init(&self->irq);
    resources.irq = &self->irq.line;
    resources.memory = &self->memory;
    resources.log = &self->log;
    self->device = class->create(&resources, &error);
    if (!self->device) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
}

struct virtio *virtio_fuzz_device(const struct virtio_fuzz *self)
{
    return container_of(self->device, struct virtio, device);
}

void virtio_fuzz_set(const struct virtio_fuzz *self, uint64_t offset, uint32_t value)
{
    self->device->ops->write(self->device, offset, ACCESS_32_BIT, value);
}

static void set_pair(const struct virtio_fuzz *self, uint64_t offset, uint64_t value)
{
    virtio_fuzz_set(self, offset, (uint32_t)value);
    virtio_fuzz_set(self, offset + sizeof(uint32_t), (uint32_t)(value >> 32));
}

static void make_ready(const struct virtio_fuzz *self, uint32_t queue)
{
    const uint64_t at = BASE + queue * QUEUE_BYTES;

    virtio_fuzz_set(self, VIRTIO_MMIO_QUEUE_SEL, queue);
    virtio_fuzz_set(self, VIRTIO_MMIO_QUEUE_NUM, self->entries);
    set_pair(self, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
    set_pair(self, VIRTIO_MMIO_QUEUE_DRIVER_LOW, at + DRIVER_AREA);
    set_pair(self, VIRTIO_MMIO_QUEUE_DEVICE_LOW, at + DEVICE_AREA);
    virtio_fuzz_set(self, VIRTIO_MMIO_QUEUE_READY, 1);
}

void virtio_fuzz_start(struct virtio_fuzz *self, uint64_t features, size_t clear_bytes)
{
    features |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
    virtio_fuzz_set(self, VIRTIO_MMIO_STATUS, 0);
    memset(self->bytes, 0, clear_bytes);
    memset(self->offered, 0, sizeof(self->offered));
    virtio_fuzz_set(self, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        virtio_fuzz_set(self, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        virtio_fuzz_set(self, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    virtio_fuzz_set(self, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FEATURES_OK);
    for (uint32_t i = 0; i < self->queue_count; i++)
        make_ready(self, i);
    virtio_fuzz_set(self, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_DRIVER_OK);
}

/* As the worker does it for models that know one request alone. */
static void handle_requests(struct virtio *virtio, uint32_t queue)
{
    while (virtio->active[queue] && virtio_take(virtio, queue, &virtio->chain))
        virtio_return(virtio, queue, &virtio->chain,
                      virtio->model->handle(virtio, queue, &virtio->chain));
    virtio_signal(virtio, queue);
}

void virtio_fuzz_serve(const struct virtio_fuzz *self)
{
    struct virtio *virtio = virtio_fuzz_device(self);

    (void)pthread_mutex_lock(&virtio->work);
    if (virtio->model->serve)
        virtio->model->serve(virtio);
    for (uint32_t i = 0; !virtio->model->serve && i < virtio->queue_count; i++)
        handle_requests(virtio, i);
    (void)pthread_mutex_unlock(&virtio->work);
}

void virtio_fuzz_settle(const struct virtio_fuzz *self)
{
    struct virtio *virtio = virtio_fuzz_device(self);

    (void)pthread_mutex_lock(&virtio->work);
    virtio->model->settle(virtio);
    (void)pthread_mutex_unlock(&virtio->work);
}

void virtio_fuzz_put(const struct virtio_fuzz *self, uint32_t queue, uint32_t index,
                     const struct descriptor *descriptor)
{
    memcpy(self->bytes + queue * QUEUE_BYTES + index % self->entries * sizeof(*descriptor),
           descriptor, sizeof(*descriptor));
}

void virtio_fuzz_describe(const struct virtio_fuzz *self, uint64_t at, bool packed,
                          const struct descriptor *descriptor)
{
    const uint16_t flags = descriptor->flags;

    if (packed) {
        const struct packed_descriptor own = {
            descriptor->address, descriptor->length, descriptor->next,
            (uint16_t)((flags & 0x7f) | (flags & 8 ? DESCRIPTOR_AVAILABLE : 0) |
                       (flags & 16 ? DESCRIPTOR_USED : 0))};

        memcpy(self->bytes + at, &own, sizeof(own));
    } else {
        const struct descriptor own = {descriptor->address, descriptor->length, flags & 7,
                                       (uint16_t)(descriptor->next % (self->entries + 1))};

        memcpy(self->bytes + at, &own, sizeof(own));
    }
}

void virtio_fuzz_poke(const struct virtio_fuzz *self, const uint8_t *step)
{
    memcpy(self->bytes + (step[1] | (step[2] & 0x1f) << 8), step + 3, sizeof(uint16_t));
}

void virtio_fuzz_steps(const uint8_t *data, size_t size, void (*do_step)(const uint8_t *step))
{
    for (size_t at = 1; at <= size && size - at >= STEP_BYTES; at += STEP_BYTES)
        do_step(&data[at]);
}

void virtio_fuzz_offer(struct virtio_fuzz *self, uint32_t queue, uint16_t head, uint8_t jump)
{
    uint8_t *area = self->bytes + queue * QUEUE_BYTES + DRIVER_AREA;
    uint16_t *offered = &self->offered[queue];

    memcpy(area + AVAILABLE_RING(*offered % self->entries), &head, sizeof(head));
    *offered = (uint16_t)(*offered + 1 + jump);
    memcpy(area + AVAILABLE_INDEX, offered, sizeof(*offered));
}
