// SPDX-License-Identifier: Apache-2.0
/*
 * The in-kernel interrupt controller of a VM: vGICv3 with an optional ITS, or vGICv2
 * (Documentation/virt/kvm/devices/arm-vgic*.rst).
 *
 * Order: vgic_create() before the vCPUs, vgic_finish_setup() after them and before they run.
 * I/O thread.
 */
#ifndef ARMLET_SRC_VGIC_H
#define ARMLET_SRC_VGIC_H

#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "options.h"
#include "vm.h"

enum gic_version {
    GIC_VERSION_2 = 2,
    GIC_VERSION_3 = 3,
};

struct vgic_config {
    enum gic_choice choice;
    bool its;
    uint32_t vcpu_count;
    uint32_t spi_count;        /* SPIs from 0 on that lead somewhere; the GIC may have a few more */
    gpa_t high_redistributors; /* base of the second redistributor region */
};

struct vgic {
    enum gic_version version;
    int fd;
    int its_fd; /* -1 without ITS */
    struct vgic_config config;
};

/* Whether a VM of this host can have a GIC of this version. */
bool vgic_is_supported(const struct vm *vm, enum gic_version version);

bool vgic_create(struct vgic *vgic, const struct vm *vm, const struct vgic_config *config,
                 struct error *error) WARN_UNUSED;
bool vgic_finish_setup(const struct vgic *vgic, struct error *error) WARN_UNUSED;
void vgic_destroy(struct vgic *vgic);

/* vCPUs whose redistributors lie in the second region. */
uint32_t vgic_high_redistributor_count(uint32_t vcpu_count);

#endif
