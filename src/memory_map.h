// SPDX-License-Identifier: Apache-2.0
/*
 * The machine the guest sees: the memory map and interrupts of QEMU's `virt` board, so that what
 * boots there boots here. The table is the only place that knows an address; the device tree, the
 * wiring and `armlet doctor --map` are made from it. Constant data: any thread.
 */
#ifndef ARMLET_SRC_MEMORY_MAP_H
#define ARMLET_SRC_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/gpa.h"

enum region_id {
    REGION_GICD,
    REGION_GICC,
    REGION_GICV2M,
    REGION_ITS,
    REGION_GICR,
    REGION_UART,
    REGION_RTC,
    REGION_GPIO,
    REGION_PVTIME,
    REGION_VIRTIO,
    REGION_TESTDEV,
    REGION_DUAL_TIMER,
    REGION_WATCHDOG,
    REGION_TIMER_MMIO,
    REGION_DEVICES,
    REGION_RAM,
    REGION_GICR_HIGH,
    REGION_COUNT,
};

enum { NO_SPI = -1 };

struct region {
    const char *name;
    const char *purpose;
    gpa_t base;
    uint64_t size_bytes; /* the room set aside; 0: as much as is asked for */
    int spi;             /* the first SPI's number (INTID - 32), or NO_SPI */
    uint32_t spi_count;
    /* The class of the device that lives here; "NAME*": as many as there are SPIs, of classes whose
     * names begin so; NULL: none does. */
    const char *device;
};

const struct region *memory_map_region(enum region_id id);
/* The region of a class of devices; NULL if it has none, and is placed in REGION_DEVICES. */
const struct region *memory_map_find_device(const char *class_name);
/* Whether a region has places for several devices, each with one SPI. */
bool memory_map_is_shared(const struct region *region);

/* How the device tree says that a region's SPIs are triggered. */
enum region_trigger {
    TRIGGER_NONE, /* there are none, or each device says it */
    TRIGGER_LEVEL,
    TRIGGER_EDGE,
};

enum region_trigger memory_map_trigger(enum region_id id);

/* Private peripheral interrupts (INTID - 16), as the Base System Architecture (DEN0094) has them.
 */
enum ppi {
    PPI_PMU = 7,
    PPI_HYP_TIMER = 10,
    PPI_VIRTUAL_TIMER = 11,
    PPI_SECURE_TIMER = 13,
    PPI_PHYSICAL_TIMER = 14,
};

enum {
    GIC_SPI_BASE = 32, /* INTID of SPI 0 */
    GIC_PPI_BASE = 16, /* INTID of PPI 0 */
    GIC_SPI_COUNT = 160,
    GICV3_REDIST_BYTES = 0x20000, /* RD_base and SGI_base frames of one vCPU */
    GICV2_MAX_VCPUS = 8,
};

/* vCPUs whose redistributors fit into REGION_GICR; the rest go to REGION_GICR_HIGH. */
uint32_t memory_map_low_redistributors(void);

/* Where REGION_GICR_HIGH is when RAM ends at ram_end. */
gpa_t memory_map_high_redistributors(gpa_t ram_end);

#endif
