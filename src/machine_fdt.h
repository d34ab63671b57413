// SPDX-License-Identifier: Apache-2.0
/*
 * The device tree of the machine that armlet builds (Devicetree Specification v0.4, the Linux
 * bindings for arm64). I/O thread.
 */
#ifndef ARMLET_SRC_MACHINE_FDT_H
#define ARMLET_SRC_MACHINE_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/device.h"
#include "armlet/error.h"
#include "armlet/gpa.h"
#include "vgic.h"

struct irq_watch;

struct machine_device {
    struct device *device;
    struct device_place place;
    struct irq_watch *irqs; /* its lines, irq_count of them */
    uint32_t irq_count;
};

struct machine_description {
    uint32_t vcpu_count;
    const uint64_t *affinities; /* MPIDR_EL1 affinity fields of each vCPU */
    const struct vgic *vgic;
    bool pmu;
    bool aarch32;
    bool hypercalls;
    bool symbols; /* labels for device-tree overlays */
    gpa_t ram_base;
    uint64_t ram_bytes;
    const struct machine_device *devices;
    size_t device_count;
};

/* A malloc'd tree without /chosen's boot arguments, which fdt_set_chosen() adds. */
void *machine_fdt_build(const struct machine_description *machine, size_t *size_bytes,
                        struct error *error) WARN_UNUSED;

#endif
