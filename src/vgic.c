// SPDX-License-Identifier: Apache-2.0
#include "vgic.h"

#include <errno.h>
#include <linux/kvm.h>

#include "kvm_sys.h"
#include "memory_map.h"

static int create_device(const struct vm *vm, uint32_t type, uint32_t flags)
{
    struct kvm_create_device create = {.type = type, .flags = flags};

    if (kvm_sys_ioctl(vm->fd, KVM_CREATE_DEVICE, (uintptr_t)&create) < 0)
        return -1;
    return (int)create.fd;
}

static uint32_t device_type(enum gic_version version)
{
    return version == GIC_VERSION_3 ? KVM_DEV_TYPE_ARM_VGIC_V3 : KVM_DEV_TYPE_ARM_VGIC_V2;
}

bool vgic_is_supported(const struct vm *vm, enum gic_version version)
{
    struct kvm_create_device create = {
        .type = device_type(version),
        .flags = KVM_CREATE_DEVICE_TEST,
    };
    return kvm_sys_ioctl(vm->fd, KVM_CREATE_DEVICE, (uintptr_t)&create) == 0;
}

static bool set_attribute(int fd, uint32_t group, uint64_t attribute, const void *value,
                          const char *name, struct error *error)
{
    const struct kvm_device_attr request = {
        .group = group,
        .attr = attribute,
        .addr = (uintptr_t)value,
    };
    return kvm_ioctl(fd, KVM_SET_DEVICE_ATTR, &request, name, error);
}

static bool set_address(int fd, uint64_t type, enum region_id region, const char *name,
                        struct error *error)
{
    uint64_t base = memory_map_region(region)->base.value;

    return set_attribute(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, type, &base, name, error);
}

uint32_t vgic_high_redistributor_count(uint32_t vcpu_count)
{
    uint32_t low = memory_map_low_redistributors();

    return vcpu_count > low ? vcpu_count - low : 0;
}

/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: count in bits 63:52, base in 51:16, index in 11:0. */
static bool add_redistributor_region(const struct vgic *vgic, uint64_t index, uint64_t count,
                                     gpa_t base, struct error *error)
{
    const unsigned count_shift = 52;
    uint64_t value = count << count_shift | base.value | index;

    return set_attribute(vgic->fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
                         &value, "placing the GIC's redistributors", error);
}

static bool place_redistributors(const struct vgic *vgic, struct error *error)
{
    uint32_t high = vgic_high_redistributor_count(vgic->config.vcpu_count);

    /* The older attribute is one region without a count, and is there on every kernel. */
    if (high == 0)
        return set_address(vgic->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, REGION_GICR,
                           "placing the GIC's redistributors", error);
    return add_redistributor_region(vgic, 0, memory_map_low_redistributors(),
                                    memory_map_region(REGION_GICR)->base, error) &&
           add_redistributor_region(vgic, 1, high, vgic->config.high_redistributors, error);
}

static bool place(const struct vgic *vgic, struct error *error)
{
    if (vgic->version == GIC_VERSION_3)
        return set_address(vgic->fd, KVM_VGIC_V3_ADDR_TYPE_DIST, REGION_GICD,
                           "placing the GIC's distributor", error) &&
               place_redistributors(vgic, error);
    return set_address(vgic->fd, KVM_VGIC_V2_ADDR_TYPE_DIST, REGION_GICD,
                       "placing the GIC's distributor", error) &&
           set_address(vgic->fd, KVM_VGIC_V2_ADDR_TYPE_CPU, REGION_GICC,
                       "placing the GIC's CPU interface", error);
}

static bool create_its(struct vgic *vgic, const struct vm *vm, struct error *error)
{
    vgic->its_fd = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_ITS, 0);
    if (vgic->its_fd < 0 && errno == ENODEV)
        return error_set(error, ERROR_HOST, 0, "the host's KVM has no GICv3 ITS");
    if (vgic->its_fd < 0)
        return error_set(error, ERROR_HOST, errno, "cannot create a GICv3 ITS");
    return set_address(vgic->its_fd, KVM_VGIC_ITS_ADDR_TYPE, REGION_ITS, "placing the ITS", error);
}

static bool create_version(struct vgic *vgic, const struct vm *vm, enum gic_version version)
{
    vgic->version = version;
    vgic->fd = create_device(vm, device_type(version), 0);
    return vgic->fd >= 0;
}

/* Why the version tried last can't be had. `absence` says that the host lacks it. Returns false. */
static bool refuse_version(const struct vgic *vgic, const char *absence, struct error *error)
{
    if (errno == ENODEV)
        return error_set(error, ERROR_HOST, 0, "%s", absence);
    return error_set(error, ERROR_HOST, errno, "cannot create a vGICv%d", (int)vgic->version);
}

static bool create_chosen(struct vgic *vgic, const struct vm *vm, struct error *error)
{
    switch (vgic->config.choice) {
    case GIC_AUTO:
        return create_version(vgic, vm, GIC_VERSION_3) ||
               (errno == ENODEV && create_version(vgic, vm, GIC_VERSION_2)) ||
               refuse_version(
                   vgic, "the host's KVM has neither vGICv3 nor vGICv2: try --irqchip user", error);
    case GIC_V3:
        return create_version(vgic, vm, GIC_VERSION_3) ||
               refuse_version(vgic, "the host's KVM has no vGICv3: try --gic 2 or --gic auto",
                              error);
    case GIC_V2:
        return create_version(vgic, vm, GIC_VERSION_2) ||
               refuse_version(vgic, "the host's KVM has no vGICv2: try --gic 3 or --gic auto",
                              error);
    }
    return error_set(error, ERROR_INTERNAL, 0, "unknown choice of GIC");
}

bool vgic_create(struct vgic *vgic, const struct vm *vm, const struct vgic_config *config,
                 struct error *error)
{
    *vgic = (struct vgic){.fd = -1, .its_fd = -1, .config = *config};
    if (!create_chosen(vgic, vm, error))
        return false;
    if (vgic->version == GIC_VERSION_2 && config->vcpu_count > GICV2_MAX_VCPUS) {
        error_set(error, ERROR_USAGE, 0, "a GICv2 serves at most %d vCPUs, not %u", GICV2_MAX_VCPUS,
                  config->vcpu_count);
        goto fail;
    }
    if (vgic->version == GIC_VERSION_2 && config->its) {
        error_set(error, ERROR_USAGE, 0, "--its needs a GICv3, this machine has a GICv2");
        goto fail;
    }
    if (!place(vgic, error) || (config->its && !create_its(vgic, vm, error)))
        goto fail;
    return true;

fail:
    vgic_destroy(vgic);
    return false;
}

bool vgic_finish_setup(const struct vgic *vgic, struct error *error)
{
    /* KVM allocates and routes each one, wanted or not, and takes them by the register full. */
    const uint32_t per_register = 32;
    uint32_t registers = (vgic->config.spi_count + per_register - 1) / per_register;
    const uint32_t irq_count = GIC_SPI_BASE + (registers ? registers : 1) * per_register;

    if (!set_attribute(vgic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irq_count,
                       "setting the GIC's number of interrupts", error) ||
        !set_attribute(vgic->fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL,
                       "initialising the GIC", error))
        return false;
    return vgic->its_fd < 0 ||
           set_attribute(vgic->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL,
                         "initialising the ITS", error);
}

void vgic_destroy(struct vgic *vgic)
{
    if (vgic->its_fd >= 0)
        kvm_sys_close(vgic->its_fd);
    if (vgic->fd >= 0)
        kvm_sys_close(vgic->fd);
    vgic->its_fd = -1;
    vgic->fd = -1;
}
