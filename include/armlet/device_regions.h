// SPDX-License-Identifier: Apache-2.0
/*
 * Exits that need not happen, as a device sees them: registers that the host's kernel handles.
 *
 * A device that is lent a struct device_regions asks at create for what it would like. The machine
 * grants it at each power-on as far as the host can. A device implements all of it in `read` and
 * `write` too, to the same effect: that is what guests get where the host can't, at accesses of
 * another width, and whenever a region is switched off. Each device may have a few doorbells, one
 * loopback, one sink, one range of coalesced writes, and one page or a part of one.
 *
 * Every function allows NULL for `regions`, and does nothing then.
 *
 * Threads: device_regions_add_...() and device_regions_defer() in create. The switches: any thread,
 * also with the device's lock held; the device orders its calls. device_regions_drain(): any
 * thread, no lock held, not from `write`.
 */
#ifndef ARMLET_DEVICE_REGIONS_H
#define ARMLET_DEVICE_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/access.h"

struct device_regions;

/* What was granted, for device_regions_granted(). */
enum device_region_kind {
    DEVICE_REGION_DOORBELL = 1U << 0,
    DEVICE_REGION_COALESCED = 1U << 1,
    DEVICE_REGION_LOOPBACK = 1U << 2,
    DEVICE_REGION_PAGE = 1U << 3, /* shared: also if another device switched it on */
    DEVICE_REGION_SINK = 1U << 4,
    DEVICE_REGION_IRQ = 1U << 5,
};

enum { DEVICE_REGION_DOORBELLS = 16, DEVICE_REGION_PAGE_BYTES = 4096 };

struct device_regions_ops {
    void (*add_doorbell)(struct device_regions *regions, uint64_t offset, enum access_width width,
                         int event_fd);
    void (*add_loopback)(struct device_regions *regions, uint64_t offset, enum access_width width);
    void (*add_coalesced)(struct device_regions *regions, uint64_t offset, uint32_t size_bytes,
                          bool on);
    void (*add_page)(struct device_regions *regions, uint64_t offset, bool on);
    void (*defer)(struct device_regions *regions);
    void (*connect)(struct device_regions *regions);
    bool (*raise)(struct device_regions *regions);
    void *(*page)(struct device_regions *regions);
    unsigned (*granted)(const struct device_regions *regions);
    bool (*set_coalesced)(struct device_regions *regions, bool on);
    bool (*set_page)(struct device_regions *regions, bool on);
    void (*page_changed)(struct device_regions *regions, size_t offset, size_t size_bytes);
    void (*drain)(struct device_regions *regions);
    void (*add_doorbell_of)(struct device_regions *regions, uint64_t offset,
                            enum access_width width, uint64_t value, int event_fd);
    void (*add_sink)(struct device_regions *regions, uint64_t offset, enum access_width width,
                     uint64_t value);
    void (*add_part)(struct device_regions *regions, size_t size_bytes);
    bool (*set_sink)(struct device_regions *regions, bool on);
    bool (*connect_irq)(struct device_regions *regions);
};

struct device_regions {
    const struct device_regions_ops *ops;
};

/* Writes of this width at this offset signal event_fd, an eventfd that outlives the device. */
static inline void device_regions_add_doorbell(struct device_regions *regions, uint64_t offset,
                                               enum access_width width, int event_fd)
{
    if (regions)
        regions->ops->add_doorbell(regions, offset, width, event_fd);
}

/* The same for writes of one value, so that each has its eventfd. Other values exit. */
static inline void device_regions_add_doorbell_of(struct device_regions *regions, uint64_t offset,
                                                  enum access_width width, uint64_t value,
                                                  int event_fd)
{
    if (regions)
        regions->ops->add_doorbell_of(regions, offset, width, value, event_fd);
}

/* Writes of this width at this offset raise irq[0] and lower it at once, as an edge. */
static inline void device_regions_add_loopback(struct device_regions *regions, uint64_t offset,
                                               enum access_width width)
{
    if (regions)
        regions->ops->add_loopback(regions, offset, width);
}

/*
 * Writes into this range come to `write` later: before any other access of the vCPU that made them
 * comes to any device, and at the latest at device_regions_drain(). They keep their order. `on`
 * says how it is after power-on.
 */
static inline void device_regions_add_coalesced(struct device_regions *regions, uint64_t offset,
                                                uint32_t size_bytes, bool on)
{
    if (regions)
        regions->ops->add_coalesced(regions, offset, size_bytes, on);
}

/*
 * Guests read the 4 KiB at this offset, a multiple of 4 KiB, from device_regions_page() as long as
 * the page is on; writes go on as before. `on` says how it is after power-on.
 */
static inline void device_regions_add_page(struct device_regions *regions, uint64_t offset, bool on)
{
    if (regions)
        regions->ops->add_page(regions, offset, on);
}

/*
 * Instead of a page, for a device smaller than one: guests read its size_bytes from
 * device_regions_page(), which are a part of a page. While that page is on, for this or another
 * device, all devices in it are read from it; so each keeps its part true from create on, and
 * always. It is off after power-on.
 */
static inline void device_regions_add_part(struct device_regions *regions, size_t size_bytes)
{
    if (regions)
        regions->ops->add_part(regions, size_bytes);
}

/* Writes of this value, width and offset do nothing while the sink is on; it is off at first. */
static inline void device_regions_add_sink(struct device_regions *regions, uint64_t offset,
                                           enum access_width width, uint64_t value)
{
    if (regions)
        regions->ops->add_sink(regions, offset, width, value);
}

/*
 * Doorbells and loopback are not there after power-on, but from device_regions_connect() on: the
 * more there are, the longer KVM looks for the one that any exit is for.
 */
static inline void device_regions_defer(struct device_regions *regions)
{
    if (regions)
        regions->ops->defer(regions);
}

/* Doorbells and loopback are there now, as far as the host can. One of the switches. */
static inline void device_regions_connect(struct device_regions *regions)
{
    if (regions)
        regions->ops->connect(regions);
}

/* Raises irq[0] as a write to the loopback does. False: that isn't there. Any thread. */
static inline bool device_regions_raise(struct device_regions *regions)
{
    return regions ? regions->ops->raise(regions) : false;
}

/*
 * irq_line_pulse() of irq[0] is an event for KVM from now on (KVM_IRQFD), which costs half of what
 * two levels do. One of the switches. False: it goes on by levels.
 */
static inline bool device_regions_connect_irq(struct device_regions *regions)
{
    return regions ? regions->ops->connect_irq(regions) : false;
}

/*
 * The page's DEVICE_REGION_PAGE_BYTES, or those of the part, zeros at first; NULL if the host has
 * no memory for it. They are made at the first call, in create or later, and live as long as the
 * machine.
 */
static inline void *device_regions_page(struct device_regions *regions)
{
    return regions ? regions->ops->page(regions) : NULL;
}

/* A mask of enum device_region_kind: what the host has done for this device since power-on. */
static inline unsigned device_regions_granted(const struct device_regions *regions)
{
    return regions ? regions->ops->granted(regions) : 0;
}

/*
 * Switches coalescing; a few microseconds. False: it is still as it was, for the host failed or
 * can't. Switched off, what has been written before still waits to be drained.
 */
static inline bool device_regions_set_coalesced(struct device_regions *regions, bool on)
{
    return regions ? regions->ops->set_coalesced(regions, on) : !on;
}

/*
 * Switches the page; some microseconds. When it is off, no guest reads from it any more. False: it
 * is still as it was, for the host failed or can't.
 */
static inline bool device_regions_set_page(struct device_regions *regions, bool on)
{
    return regions ? regions->ops->set_page(regions, on) : !on;
}

/* Switches the sink; a few microseconds. False: as for the page. */
static inline bool device_regions_set_sink(struct device_regions *regions, bool on)
{
    return regions ? regions->ops->set_sink(regions, on) : !on;
}

/* To be called after the page's memory was written, for guests that read around the caches. */
static inline void device_regions_page_changed(struct device_regions *regions, size_t offset,
                                               size_t size_bytes)
{
    if (regions)
        regions->ops->page_changed(regions, offset, size_bytes);
}

/* Hands on the coalesced writes of all devices. */
static inline void device_regions_drain(struct device_regions *regions)
{
    if (regions)
        regions->ops->drain(regions);
}

#endif
