// SPDX-License-Identifier: Apache-2.0
/* Memory slots, and what happens in them and at registered addresses without an exit. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kvm_calls.h"

enum {
    DEFAULT_IPA_BITS = 40,
    PAGE_BYTES = 4096,
};

/* ---- memory ---- */

static bool slot_has(const struct kvm_userspace_memory_region *slot, uint64_t address,
                     uint64_t size_bytes)
{
    return address < slot->guest_phys_addr + slot->memory_size &&
           slot->guest_phys_addr < address + size_bytes;
}

bool fake_kvm_is_memory(const struct fake_vm *vm, uint64_t address, uint64_t size_bytes)
{
    for (size_t i = 0; i < FAKE_KVM_SLOTS; i++)
        if (slot_has(&vm->slots[i], address, size_bytes))
            return true;
    return false;
}

int fake_kvm_set_memory(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_userspace_memory_region *region = (const void *)argument;
    struct fake_vm *vm = &fake->vm;
    unsigned bits = vm->type ? (unsigned)vm->type : DEFAULT_IPA_BITS;
    const uint64_t in_page = PAGE_BYTES - 1;

    (void)object;
    if ((region->guest_phys_addr | region->memory_size | region->userspace_addr) & in_page ||
        region->slot >= FAKE_KVM_SLOTS || region->flags & ~(uint32_t)KVM_MEM_READONLY ||
        (region->flags & KVM_MEM_READONLY && !fake_kvm_capability(fake, KVM_CAP_READONLY_MEM)))
        return -EINVAL;
    struct kvm_userspace_memory_region *slot = &vm->slots[region->slot];
    if (region->memory_size == 0) {
        if (slot->memory_size == 0)
            return -EINVAL;
        *slot = (struct kvm_userspace_memory_region){0};
        vm->slot_count--;
        return 0;
    }
    if ((region->guest_phys_addr + region->memory_size - 1) >> bits)
        return -EFAULT;
    if (fake_kvm_is_memory(vm, region->guest_phys_addr, region->memory_size) || slot->memory_size)
        return -EEXIST;
    *slot = *region;
    vm->slot_count++;
    return 0;
}

/* ---- events ---- */

static bool same_doorbell(const struct kvm_ioeventfd *one, const struct kvm_ioeventfd *other)
{
    return one->addr == other->addr && one->len == other->len && one->fd == other->fd &&
           one->datamatch == other->datamatch &&
           one->flags == (other->flags & ~(uint32_t)KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static int remove_ioeventfd(struct fake_vm *vm, const struct kvm_ioeventfd *request)
{
    for (size_t i = 0; i < vm->doorbell_count; i++)
        if (same_doorbell(&vm->doorbells[i], request)) {
            vm->doorbells[i] = vm->doorbells[--vm->doorbell_count];
            return 0;
        }
    return -ENOENT;
}

int fake_kvm_ioeventfd(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_ioeventfd *request = (const void *)argument;
    struct fake_vm *vm = &fake->vm;

    (void)object;
    if (request->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
        return remove_ioeventfd(vm, request);
    if (request->flags & ~(uint32_t)KVM_IOEVENTFD_FLAG_DATAMATCH ||
        (request->len != 1 && request->len != 2 && request->len != 4 && request->len != 8))
        return -EINVAL;
    if (vm->doorbell_count == FAKE_KVM_DOORBELLS)
        return -ENOSPC;
    vm->doorbells[vm->doorbell_count++] = *request;
    return 0;
}

int fake_kvm_irqfd(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_irqfd *request = (const void *)argument;
    struct fake_vm *vm = &fake->vm;

    (void)object;
    if (!vm->gic_initialised)
        return -EAGAIN;
    if (request->flags & ~(uint32_t)KVM_IRQFD_FLAG_RESAMPLE)
        return -EINVAL;
    if (vm->irqfd_count == FAKE_KVM_IRQFDS)
        return -ENOSPC;
    vm->irqfds[vm->irqfd_count++] = *request;
    return 0;
}

/* ---- coalesced writes ---- */

int fake_kvm_coalesce(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    struct fake_vm *vm = &fake->vm;

    (void)object;
    if (vm->zone_count == FAKE_KVM_ZONES)
        return -ENOSPC;
    vm->zones[vm->zone_count++] = *(const struct kvm_coalesced_mmio_zone *)argument;
    return 0;
}

int fake_kvm_uncoalesce(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_coalesced_mmio_zone *zone = (const void *)argument;
    struct fake_vm *vm = &fake->vm;

    (void)object;
    for (size_t i = 0; i < vm->zone_count; i++)
        if (vm->zones[i].addr == zone->addr && vm->zones[i].size == zone->size) {
            vm->zones[i] = vm->zones[--vm->zone_count];
            return 0;
        }
    fake_kvm_complain(fake, "0x%llx is not coalesced", (unsigned long long)zone->addr);
    return 0;
}

/* ---- accesses ---- */

static bool append(struct fake_vm *vm, const struct fake_step *step)
{
    const uint32_t capacity =
        (PAGE_BYTES - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio);
    struct kvm_coalesced_mmio_ring *ring =
        (void *)((char *)vm->vcpus[0].run + (size_t)FAKE_KVM_RING_PAGE * PAGE_BYTES);
    uint32_t last = ring->last;

    if ((last + 1) % capacity == __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE))
        return false;
    ring->coalesced_mmio[last].phys_addr = step->address;
    ring->coalesced_mmio[last].len = step->size_bytes;
    memcpy(ring->coalesced_mmio[last].data, &step->value, sizeof(step->value));
    __atomic_store_n(&ring->last, (last + 1) % capacity, __ATOMIC_RELEASE);
    return true;
}

static bool absorbs_write(struct fake_vm *vm, const struct fake_step *step)
{
    const uint64_t one = 1;

    for (size_t i = 0; i < vm->doorbell_count; i++) {
        const struct kvm_ioeventfd *doorbell = &vm->doorbells[i];

        if (doorbell->addr == step->address && doorbell->len == step->size_bytes &&
            (!(doorbell->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) ||
             doorbell->datamatch == step->value))
            return write(doorbell->fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
    }
    for (size_t i = 0; i < vm->zone_count; i++)
        if (step->address >= vm->zones[i].addr &&
            step->address + step->size_bytes <= vm->zones[i].addr + vm->zones[i].size)
            return append(vm, step);
    return false;
}

static bool absorbs_read(struct fake_kvm *fake, const struct fake_step *step)
{
    for (size_t i = 0; i < FAKE_KVM_SLOTS; i++) {
        const struct kvm_userspace_memory_region *slot = &fake->vm.slots[i];
        uint64_t value = 0;

        if (!(slot->flags & KVM_MEM_READONLY) || !slot_has(slot, step->address, step->size_bytes))
            continue;
        memcpy(&value,
               (const char *)(uintptr_t)slot->userspace_addr +
                   (step->address - slot->guest_phys_addr),
               step->size_bytes);
        if (value != step->value)
            fake_kvm_complain(fake, "the page at 0x%llx reads as 0x%llx",
                              (unsigned long long)step->address, (unsigned long long)value);
        return true;
    }
    return false;
}

bool fake_kvm_absorbs(struct fake_kvm *fake, const struct fake_step *step)
{
    if (step->kind == FAKE_STEP_WRITE)
        return absorbs_write(&fake->vm, step);
    return step->kind == FAKE_STEP_READ && absorbs_read(fake, step);
}
