// SPDX-License-Identifier: Apache-2.0
#include "memory_map.h"

#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define GIB(n) ((uint64_t)(n) << 30)

static const struct region regions[REGION_COUNT] = {
    [REGION_GICD] = {"gicd", "GIC distributor", {0x08000000}, KIB(64), NO_SPI, 0, NULL},
    [REGION_GICC] = {"gicc", "GICv2 CPU interface", {0x08010000}, KIB(64), NO_SPI, 0, NULL},
    [REGION_GICV2M] = {"gicv2m", "GICv2m MSI frame", {0x08020000}, KIB(4), 48, 64, "gicv2m"},
    [REGION_ITS] =
        {"its", "GICv3 interrupt translation service", {0x08080000}, KIB(128), NO_SPI, 0, NULL},
    [REGION_GICR] = {"gicr", "GICv3 redistributors", {0x080a0000}, 0xf60000, NO_SPI, 0, NULL},
    [REGION_UART] = {"uart", "PL011 UART", {0x09000000}, KIB(4), 1, 1, "pl011"},
    [REGION_RTC] = {"rtc", "PL031 real-time clock", {0x09010000}, KIB(4), 2, 1, "pl031"},
    [REGION_GPIO] =
        {"gpio", "PL061 GPIO, power key on line 3", {0x09030000}, KIB(4), 7, 1, "pl061"},
    [REGION_PVTIME] = {"pvtime", "stolen time (DEN0057)", {0x090a0000}, KIB(64), NO_SPI, 0, NULL},
    [REGION_VIRTIO] =
        {"virtio", "virtio devices, if asked for", {0x0a000000}, KIB(16), 16, 32, "virtio-*"},
    [REGION_TESTDEV] =
        {"testdev", "test device, if asked for", {0x0c000000}, KIB(16), 112, 1, "testdev"},
    [REGION_DUAL_TIMER] = {"dual-timer", "SP804 dual timer", {0x0c010000}, KIB(4), 113, 1, "sp804"},
    [REGION_WATCHDOG] = {"watchdog", "SP805 watchdog", {0x0c011000}, KIB(4), 114, 1, "sp805"},
    [REGION_TIMER_MMIO] =
        {"timer-mmio", "memory-mapped generic timer", {0x0c020000}, KIB(128), 115, 2, "timer-mmio"},
    [REGION_DEVICES] = {"devices", "devices of plugins", {0x0c100000}, KIB(1024), 120, 8, NULL},
    [REGION_RAM] = {"ram", "RAM", {GIB(1)}, 0, NO_SPI, 0, NULL},
    [REGION_GICR_HIGH] =
        {"gicr-high", "GICv3 redistributors, second region", {GIB(256)}, 0, NO_SPI, 0, NULL},
};

const struct region *memory_map_region(enum region_id id)
{
    return &regions[id];
}

bool memory_map_is_shared(const struct region *region)
{
    return region->device && strchr(region->device, '*');
}

const struct region *memory_map_find_device(const char *class_name)
{
    for (size_t i = 0; i < REGION_COUNT; i++) {
        const char *device = regions[i].device;

        if (!device)
            continue;
        if (memory_map_is_shared(&regions[i]) ? strncmp(device, class_name, strlen(device) - 1) == 0
                                              : strcmp(device, class_name) == 0)
            return &regions[i];
    }
    return NULL;
}

enum region_trigger memory_map_trigger(enum region_id id)
{
    switch (id) {
    case REGION_GICV2M:
    case REGION_VIRTIO:
    case REGION_TESTDEV:
        return TRIGGER_EDGE;
    case REGION_DEVICES:
        return TRIGGER_NONE;
    default:
        return regions[id].spi == NO_SPI ? TRIGGER_NONE : TRIGGER_LEVEL;
    }
}

uint32_t memory_map_low_redistributors(void)
{
    return (uint32_t)(regions[REGION_GICR].size_bytes / GICV3_REDIST_BYTES);
}

gpa_t memory_map_high_redistributors(gpa_t ram_end)
{
    const uint64_t alignment = GIB(1);
    uint64_t above_ram = (ram_end.value + alignment - 1) & ~(alignment - 1);
    uint64_t lowest = regions[REGION_GICR_HIGH].base.value;

    return GPA(above_ram > lowest ? above_ram : lowest);
}
