// SPDX-License-Identifier: Apache-2.0
/*
 * What a device asked of device_regions.h, and what the VM there is has granted of it.
 *
 * Everything but the switches of device_regions.h: the I/O thread, while no vCPU runs.
 */
#ifndef ARMLET_SRC_MACHINE_REGIONS_H
#define ARMLET_SRC_MACHINE_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/device_regions.h"
#include "armlet/error.h"
#include "armlet/events.h"
#include "armlet/gpa.h"
#include "armlet/log.h"
#include "coalesced.h"
#include "irq_watch.h"
#include "machine_page.h"
#include "vm.h"
#include "vm_regions.h"

/* What all devices of a machine share. */
struct machine_regions_environment {
    struct vm *vm;
    struct coalesced *coalesced;
    struct machine_pages *pages;
    const struct event_hub *events;
    struct log *log;
};

struct machine_doorbell {
    uint64_t offset;
    enum access_width width;
    int event_fd;
    bool match; /* only writes of `value` */
    uint64_t value;
};

struct machine_regions {
    struct device_regions regions; /* what the device is lent */
    const struct machine_regions_environment *environment;
    struct irq_watch *irq; /* irq[0] */
    gpa_t base;            /* of the device: from machine_regions_apply() on, or the memory map's */
    bool attached;         /* there is a VM */
    bool kernel_gic;       /* its GIC is KVM's */
    bool defers_doorbells; /* until the device says so */
    bool connected;        /* doorbells and loopback were asked for from the VM */
    unsigned granted;      /* mask of enum device_region_kind, but for the page */

    int irq_event; /* that raises irq[0], when listened to; ours; IRQ_NO_EVENT: not made yet */
    bool irq_is_listened_to;

    struct machine_doorbell doorbells[DEVICE_REGION_DOORBELLS];
    size_t doorbell_count;

    bool wants_loopback;
    struct machine_doorbell loopback; /* of irq_event */

    bool wants_sink, sink_is_on;
    struct vm_doorbell sink; /* its event_fd is ours, and nobody reads it */

    bool wants_coalesced, starts_coalesced, is_coalesced;
    uint64_t coalesced_offset;
    uint32_t coalesced_bytes;

    bool starts_with_page, wants_page_now;
    uint64_t page_offset;      /* from the device's base; of a part: from the page's */
    struct machine_page *page; /* NULL: it didn't ask for one */
    struct machine_page own_page;
};

/* `base` is where the memory map has the device, if it does: only there pages can be shared. */
void machine_regions_init(struct machine_regions *regions,
                          const struct machine_regions_environment *environment,
                          struct irq_watch *irq, gpa_t base);
/* Allowed on zeroed memory. The device is gone. */
void machine_regions_finish(struct machine_regions *regions);

/*
 * There is a new VM, and the device is at `base`: grants what it asked for. After the GIC is
 * initialised; `kernel_gic` says whether it is KVM's, which alone can be told of events. Nothing is
 * granted, now or later, while somebody wants to see each access (EVENT_MMIO).
 */
bool machine_regions_apply(struct machine_regions *regions, gpa_t base, bool kernel_gic,
                           struct error *error) WARN_UNUSED;
/* The VM goes, and with it all that was granted. Allowed when nothing is. */
void machine_regions_forget(struct machine_regions *regions);

#endif
