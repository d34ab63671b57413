// SPDX-License-Identifier: Apache-2.0
/* What a driver does with the registers of a virtio device, for tests of the transport and models.
 */
#ifndef TESTS_VIRTIO_BUS_H
#define TESTS_VIRTIO_BUS_H

#include "armlet/device.h"
#include "devices/virtio_mmio.h"
#include "fake_event_loop.h"
#include "fake_irq.h"
#include "fake_regions.h"
#include "primecell_checks.h"
#include "virtio_driver.h"

/* One device on a bus of its own, with its driver for one queue. */
struct virtio_bus {
    struct virtio_driver driver;
    uint32_t queue; /* 0, unless the test says something else */
    struct fake_irq irq;
    struct fake_regions regions; /* incapable, unless the test says something else */
    struct log log;
    struct device_resources resources; /* for create() */
    struct device *device;
};

/* Everything but the device. */
void virtio_bus_init(struct virtio_bus *bus, const struct virtqueue_layout *features);
/* Destroys the device, if there is one. */
void virtio_bus_finish(struct virtio_bus *bus);

uint64_t virtio_bus_offered(struct virtio_bus *bus);
/* Up to FEATURES_OK; returns whether that was accepted. */
bool virtio_bus_negotiate(struct virtio_bus *bus, uint64_t features);
/* Puts a queue of a driver in place. */
void virtio_bus_put_queue(struct virtio_bus *bus, uint32_t queue,
                          const struct virtqueue_layout *layout);
/* The driver's own queue; and then DRIVER_OK. */
void virtio_bus_set_queue(struct virtio_bus *bus);
/* All of that, with the model's features besides what the queue's form is. */
void virtio_bus_start(struct virtio_bus *bus, uint64_t model_features);

void virtio_bus_notify(struct virtio_bus *bus);
/* Waits for what comes back, and fails the test if nothing does. Returns the bytes written. */
uint32_t virtio_bus_reap(struct virtio_bus *bus);
/* Waits for an interrupt, acknowledges it, and returns its causes. */
uint32_t virtio_bus_take_interrupt(struct virtio_bus *bus);
/* Of the device; the test fails if it has none of that name. */
uint64_t virtio_bus_counter(const struct virtio_bus *bus, const char *name);

#endif
