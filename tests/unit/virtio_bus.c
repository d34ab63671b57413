// SPDX-License-Identifier: Apache-2.0
#include "virtio_bus.h"

#include <check.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "armlet/counters.h"
#include "devices/virtio.h"

enum { PATIENCE_S = 60 };

void virtio_bus_init(struct virtio_bus *bus, const struct virtqueue_layout *features)
{
    *bus = (struct virtio_bus){.log = {.fd = -1}};
    virtio_driver_init(&bus->driver, features);
    fake_irq_init(&bus->irq);
    fake_regions_init(&bus->regions);
    bus->regions.incapable = true;
    bus->resources = (struct device_resources){
        .irq = &bus->irq.line,
        .memory = &bus->driver.memory,
        .log = &bus->log,
        .regions = &bus->regions.regions,
    };
}

void virtio_bus_finish(struct virtio_bus *bus)
{
    if (bus->device)
        bus->device->ops->destroy(bus->device);
    virtio_driver_finish(&bus->driver);
}

static void write_pair(struct virtio_bus *bus, uint64_t low_offset, uint64_t value)
{
    device_write32(bus->device, low_offset, (uint32_t)value);
    device_write32(bus->device, low_offset + 4, (uint32_t)(value >> 32));
}

uint64_t virtio_bus_offered(struct virtio_bus *bus)
{
    device_write32(bus->device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    uint64_t high = device_read32(bus->device, VIRTIO_MMIO_DEVICE_FEATURES);

    device_write32(bus->device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return high << 32 | device_read32(bus->device, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void add_status(struct virtio_bus *bus, uint32_t bit)
{
    device_write32(bus->device, VIRTIO_MMIO_STATUS,
                   device_read32(bus->device, VIRTIO_MMIO_STATUS) | bit);
}

bool virtio_bus_negotiate(struct virtio_bus *bus, uint64_t features)
{
    device_write32(bus->device, VIRTIO_MMIO_STATUS, 0);
    add_status(bus, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(bus, VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        device_write32(bus->device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        device_write32(bus->device, VIRTIO_MMIO_DRIVER_FEATURES,
                       (uint32_t)(features >> (32 * half)));
    }
    add_status(bus, VIRTIO_STATUS_FEATURES_OK);
    return device_read32(bus->device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

void virtio_bus_put_queue(struct virtio_bus *bus, uint32_t queue,
                          const struct virtqueue_layout *layout)
{
    device_write32(bus->device, VIRTIO_MMIO_QUEUE_SEL, queue);
    device_write32(bus->device, VIRTIO_MMIO_QUEUE_NUM, layout->entries);
    write_pair(bus, VIRTIO_MMIO_QUEUE_DESC_LOW, layout->descriptors.value);
    write_pair(bus, VIRTIO_MMIO_QUEUE_DRIVER_LOW, layout->driver_area.value);
    write_pair(bus, VIRTIO_MMIO_QUEUE_DEVICE_LOW, layout->device_area.value);
    device_write32(bus->device, VIRTIO_MMIO_QUEUE_READY, 1);
}

void virtio_bus_set_queue(struct virtio_bus *bus)
{
    virtio_bus_put_queue(bus, bus->queue, &bus->driver.layout);
    add_status(bus, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_bus_start(struct virtio_bus *bus, uint64_t model_features)
{
    const struct virtqueue_layout *layout = &bus->driver.layout;
    uint64_t features = model_features | VIRTIO_FEATURE(VIRTIO_F_VERSION_1);

    features |= layout->packed ? VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) : 0;
    features |= layout->indirect ? VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) : 0;
    features |= layout->event_index ? VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) : 0;
    ck_assert(virtio_bus_negotiate(bus, features));
    virtio_bus_set_queue(bus);
}

void virtio_bus_notify(struct virtio_bus *bus)
{
    device_write32(bus->device, VIRTIO_MMIO_QUEUE_NOTIFY, bus->queue);
}

static time_t seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

uint32_t virtio_bus_reap(struct virtio_bus *bus)
{
    time_t deadline = seconds() + PATIENCE_S;
    uint32_t written_bytes = 0;
    uint16_t id;

    while (!virtio_driver_reap(&bus->driver, &id, &written_bytes)) {
        ck_assert_msg(seconds() < deadline, "nothing came back");
        (void)sched_yield();
    }
    return written_bytes;
}

uint32_t virtio_bus_take_interrupt(struct virtio_bus *bus)
{
    time_t deadline = seconds() + PATIENCE_S;
    uint32_t causes;

    while ((causes = device_read32(bus->device, VIRTIO_MMIO_INTERRUPT_STATUS)) == 0) {
        ck_assert_msg(seconds() < deadline, "no interrupt came");
        (void)sched_yield();
    }
    ck_assert(bus->irq.level);
    device_write32(bus->device, VIRTIO_MMIO_INTERRUPT_ACK, causes);
    return causes;
}

uint64_t virtio_bus_counter(const struct virtio_bus *bus, const char *name)
{
    const struct device *device = bus->device;

    for (size_t i = 0; i < device->counter_count; i++)
        if (strcmp(device->counters[i].name, name) == 0)
            return counter_read(&device->counters[i].value);
    ck_abort_msg("no counter %s", name);
}
