// SPDX-License-Identifier: Apache-2.0
/* The device_regions contract without a kernel: what was asked for, and what is switched how. */
#ifndef TESTS_FAKE_REGIONS_H
#define TESTS_FAKE_REGIONS_H

#include "armlet/device_regions.h"

struct fake_regions {
    struct device_regions regions;
    bool incapable; /* set by the test: nothing can be switched on */
    bool stuck;     /* nothing can be switched off */

    struct {
        uint64_t offset;
        enum access_width width;
        int event_fd;
        bool match;
        uint64_t value;
    } doorbells[DEVICE_REGION_DOORBELLS];
    size_t doorbell_count;
    uint64_t loopback_offset;
    uint64_t coalesced_offset;
    uint32_t coalesced_bytes;
    uint64_t page_offset;
    size_t part_bytes; /* 0: it isn't a part */
    uint64_t sink_offset, sink_value;
    enum access_width sink_width;
    bool coalesced; /* how it is */
    bool page_on;
    bool sink;
    bool irq_connected;
    bool deferred; /* doorbells and loopback wait */
    unsigned connects;
    bool raises_by_event; /* set by the test: as with a loopback */
    unsigned raises;
    unsigned switches; /* that changed something */
    unsigned drains;
    size_t changed_from, changed_to; /* of the last page_changed */
    void (*on_drain)(void *context); /* what waits in the ring; may be NULL */
    void *context;
    _Alignas(uint64_t) uint8_t page[DEVICE_REGION_PAGE_BYTES];
};

void fake_regions_init(struct fake_regions *fake);

#endif
