// SPDX-License-Identifier: Apache-2.0
#include "fake_regions.h"

#include <assert.h>

#include "armlet/device.h"

static struct fake_regions *of(struct device_regions *regions)
{
    return container_of(regions, struct fake_regions, regions);
}

static void add_doorbell(struct device_regions *regions, uint64_t offset, enum access_width width,
                         int event_fd)
{
    struct fake_regions *fake = of(regions);

    assert(fake->doorbell_count < DEVICE_REGION_DOORBELLS);
    fake->doorbells[fake->doorbell_count].offset = offset;
    fake->doorbells[fake->doorbell_count].width = width;
    fake->doorbells[fake->doorbell_count++].event_fd = event_fd;
}

static void add_doorbell_of(struct device_regions *regions, uint64_t offset,
                            enum access_width width, uint64_t value, int event_fd)
{
    struct fake_regions *fake = of(regions);

    add_doorbell(regions, offset, width, event_fd);
    fake->doorbells[fake->doorbell_count - 1].match = true;
    fake->doorbells[fake->doorbell_count - 1].value = value;
}

static void add_loopback(struct device_regions *regions, uint64_t offset, enum access_width width)
{
    (void)width;
    of(regions)->loopback_offset = offset;
}

static void add_coalesced(struct device_regions *regions, uint64_t offset, uint32_t size_bytes,
                          bool on)
{
    struct fake_regions *fake = of(regions);

    fake->coalesced_offset = offset;
    fake->coalesced_bytes = size_bytes;
    fake->coalesced = on;
}

static void add_page(struct device_regions *regions, uint64_t offset, bool on)
{
    struct fake_regions *fake = of(regions);

    fake->page_offset = offset;
    fake->page_on = on;
}

static void defer(struct device_regions *regions)
{
    of(regions)->deferred = true;
}

static void connect(struct device_regions *regions)
{
    of(regions)->connects++;
}

static bool raise_by_event(struct device_regions *regions)
{
    of(regions)->raises += of(regions)->raises_by_event;
    return of(regions)->raises_by_event;
}

static void *page(struct device_regions *regions)
{
    return of(regions)->page;
}

static unsigned granted(const struct device_regions *regions)
{
    const struct fake_regions *fake = of((struct device_regions *)regions);

    return (fake->sink ? DEVICE_REGION_SINK : 0U) |
           (fake->coalesced ? DEVICE_REGION_COALESCED : 0U) |
           (fake->page_on ? DEVICE_REGION_PAGE : 0U);
}

static bool set(struct fake_regions *fake, bool *state, bool on)
{
    if (on == *state)
        return true;
    if (on ? fake->incapable : fake->stuck)
        return false;
    *state = on;
    fake->switches++;
    return true;
}

static bool set_coalesced(struct device_regions *regions, bool on)
{
    return set(of(regions), &of(regions)->coalesced, on);
}

static bool set_page(struct device_regions *regions, bool on)
{
    return set(of(regions), &of(regions)->page_on, on);
}

static void page_changed(struct device_regions *regions, size_t offset, size_t size_bytes)
{
    of(regions)->changed_from = offset;
    of(regions)->changed_to = offset + size_bytes;
}

static void drain(struct device_regions *regions)
{
    struct fake_regions *fake = of(regions);

    fake->drains++;
    if (fake->on_drain)
        fake->on_drain(fake->context);
}

static void add_sink(struct device_regions *regions, uint64_t offset, enum access_width width,
                     uint64_t value)
{
    struct fake_regions *fake = of(regions);

    fake->sink_offset = offset;
    fake->sink_width = width;
    fake->sink_value = value;
}

static void add_part(struct device_regions *regions, size_t size_bytes)
{
    of(regions)->part_bytes = size_bytes;
}

static bool set_sink(struct device_regions *regions, bool on)
{
    return set(of(regions), &of(regions)->sink, on);
}

static bool connect_irq(struct device_regions *regions)
{
    of(regions)->irq_connected |= !of(regions)->incapable;
    return of(regions)->irq_connected;
}

void fake_regions_init(struct fake_regions *fake)
{
    static const struct device_regions_ops ops = {
        .add_doorbell = add_doorbell,
        .add_loopback = add_loopback,
        .add_coalesced = add_coalesced,
        .add_page = add_page,
        .defer = defer,
        .connect = connect,
        .raise = raise_by_event,
        .page = page,
        .granted = granted,
        .set_coalesced = set_coalesced,
        .set_page = set_page,
        .page_changed = page_changed,
        .drain = drain,
        .add_doorbell_of = add_doorbell_of,
        .add_sink = add_sink,
        .add_part = add_part,
        .set_sink = set_sink,
        .connect_irq = connect_irq,
    };

    *fake = (struct fake_regions){.regions = {.ops = &ops}};
}
