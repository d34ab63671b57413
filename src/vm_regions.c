// SPDX-License-Identifier: Apache-2.0
#include "vm_regions.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <unistd.h>

#include "kvm.h"
#include "memory_map.h"

bool vm_can(const struct vm *vm, enum vm_ability ability)
{
    static const long capabilities[] = {
        [VM_CAN_IOEVENTFD] = KVM_CAP_IOEVENTFD,
        [VM_CAN_IRQFD] = KVM_CAP_IRQFD,
        [VM_CAN_COALESCE] = KVM_CAP_COALESCED_MMIO,
        [VM_CAN_READONLY_PAGE] = KVM_CAP_READONLY_MEM,
    };

    if (ability == VM_CAN_READONLY_PAGE && sysconf(_SC_PAGESIZE) != VM_PAGE_BYTES)
        return false;
    return kvm_check_extension(vm->fd, capabilities[ability]) > 0;
}

static bool set_ioeventfd(const struct vm *vm, const struct vm_doorbell *doorbell, uint32_t flags,
                          struct error *error)
{
    const struct kvm_ioeventfd request = {
        .datamatch = doorbell->match ? doorbell->value : 0,
        .addr = doorbell->address.value,
        .len = doorbell->width,
        .fd = doorbell->event_fd,
        .flags = flags | (doorbell->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };

    if (kvm_ioctl(vm->fd, KVM_IOEVENTFD, &request, "KVM_IOEVENTFD", error))
        return true;
    return error_add_context(error, "cannot %s a doorbell at 0x%" PRIx64,
                             flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? "remove" : "place",
                             doorbell->address.value);
}

bool vm_add_ioeventfd(const struct vm *vm, const struct vm_doorbell *doorbell, struct error *error)
{
    return set_ioeventfd(vm, doorbell, 0, error);
}

bool vm_remove_ioeventfd(const struct vm *vm, const struct vm_doorbell *doorbell,
                         struct error *error)
{
    return set_ioeventfd(vm, doorbell, KVM_IOEVENTFD_FLAG_DEASSIGN, error);
}

bool vm_add_irqfd(const struct vm *vm, uint32_t intid, int event_fd, int resample_fd,
                  struct error *error)
{
    bool resample = resample_fd != VM_NO_RESAMPLE;
    const struct kvm_irqfd request = {
        .fd = (uint32_t)event_fd,
        .gsi = intid - GIC_SPI_BASE, /* KVM's default routing: GSI n is SPI n */
        .flags = resample ? KVM_IRQFD_FLAG_RESAMPLE : 0,
        .resamplefd = resample ? (uint32_t)resample_fd : 0,
    };

    if (kvm_ioctl(vm->fd, KVM_IRQFD, &request, "KVM_IRQFD", error))
        return true;
    return error_add_context(error, "cannot connect an event to INTID %" PRIu32, intid);
}

bool vm_set_coalesced(const struct vm *vm, gpa_t address, uint32_t size_bytes, bool on,
                      struct error *error)
{
    const struct kvm_coalesced_mmio_zone zone = {.addr = address.value, .size = size_bytes};
    bool good = on ? kvm_ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone,
                               "KVM_REGISTER_COALESCED_MMIO", error)
                   : kvm_ioctl(vm->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone,
                               "KVM_UNREGISTER_COALESCED_MMIO", error);

    return good || error_add_context(error, "cannot coalesce writes at 0x%" PRIx64, address.value);
}

void vm_page_init(struct vm *vm, struct vm_page *page, gpa_t base, void *host)
{
    *page = (struct vm_page){.base = base, .host = host, .slot = vm->slot_count++};
}

bool vm_page_set_present(const struct vm *vm, struct vm_page *page, bool present,
                         struct error *error)
{
    const struct kvm_userspace_memory_region region = {
        .slot = page->slot,
        .flags = KVM_MEM_READONLY,
        .guest_phys_addr = page->base.value,
        .memory_size = present ? VM_PAGE_BYTES : 0, /* of no size: deleted */
        .userspace_addr = (uintptr_t)page->host,
    };

    if (page->present == present)
        return true;
    if (!kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION",
                   error))
        return error_add_context(error, "cannot %s the read-only page at 0x%" PRIx64,
                                 present ? "place" : "remove", page->base.value);
    page->present = present;
    return true;
}
