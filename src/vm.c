// SPDX-License-Identifier: Apache-2.0
#include "vm.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>

#include "kvm_sys.h"

enum {
    DEFAULT_IPA_BITS = 40, /* what KVM gives when nothing is asked for */
    /* Fewer bits are fewer entries of the first stage-2 table to make and to take down. From 35 on
     * KVM has three levels of them; with less it has two, and a first one that is larger. */
    LEAST_IPA_BITS = 36,
};

/* KVM counts a slot's pages in 31 bits; pages have 4 KiB at least. */
#define SLOT_MAX_BYTES ((uint64_t)4 << 40)

static unsigned bits_needed(gpa_t highest)
{
    return highest.value ? 64 - (unsigned)__builtin_clzll(highest.value) : 1;
}

/* The machine type for KVM_CREATE_VM: the size of the guest's physical address space. */
static bool choose_ipa_bits(const struct kvm *kvm, gpa_t highest, unsigned *bits,
                            struct error *error)
{
    unsigned limit = (unsigned)kvm_check_extension(kvm->fd, KVM_CAP_ARM_VM_IPA_SIZE);
    unsigned needed = bits_needed(highest);

    bool limit_known = limit != 0; /* and that fewer can be asked for */
    if (!limit_known)
        limit = DEFAULT_IPA_BITS;
    if (needed > limit)
        return error_set(error, ERROR_HOST, 0,
                         "the guest needs %u-bit physical addresses (up to 0x%" PRIx64
                         "), this host gives guests %u bits: use less memory or fewer vCPUs",
                         needed, highest.value, limit);
    if (!limit_known) {
        *bits = DEFAULT_IPA_BITS;
        return true;
    }
    unsigned least = limit < LEAST_IPA_BITS ? limit : LEAST_IPA_BITS;
    *bits = needed > least ? needed : least;
    return true;
}

static bool enable(const struct vm *vm, uint32_t capability, const char *name, struct error *error)
{
    const struct kvm_enable_cap enable = {.cap = capability};

    return kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &enable, name, error);
}

bool vm_create(struct vm *vm, const struct kvm *kvm, const struct vm_config *config,
               struct error *error)
{
    unsigned bits = 0;

    *vm = (struct vm){.kvm = kvm, .fd = -1};
    if (!choose_ipa_bits(kvm, config->highest, &bits, error))
        return false;
    /* Type 0 is the default size, and all that kernels before 4.20 know. */
    unsigned long type = bits == DEFAULT_IPA_BITS ? 0 : KVM_VM_TYPE_ARM_IPA_SIZE(bits);
    do
        vm->fd = kvm_sys_ioctl(kvm->fd, KVM_CREATE_VM, type);
    while (vm->fd < 0 && errno == EINTR);
    if (vm->fd < 0)
        return error_set(error, ERROR_HOST, errno, "KVM_CREATE_VM failed");

    /* Without it an access whose syndrome KVM can't use ends in ENOSYS instead of an exit. */
    if (kvm_check_extension(vm->fd, KVM_CAP_ARM_NISV_TO_USER) &&
        !enable(vm, KVM_CAP_ARM_NISV_TO_USER, "enabling KVM_CAP_ARM_NISV_TO_USER", error))
        goto fail;
    if (config->mte && !enable(vm, KVM_CAP_ARM_MTE, "enabling KVM_CAP_ARM_MTE", error))
        goto fail;
    return true;

fail:
    vm_destroy(vm);
    return false;
}

void vm_destroy(struct vm *vm)
{
    if (vm->fd >= 0)
        kvm_sys_close(vm->fd);
    vm->fd = -1;
}

bool vm_is_open(const struct vm *vm)
{
    return vm->fd >= 0;
}

bool vm_add_memory(struct vm *vm, const struct guest_memory *memory, struct error *error)
{
    for (uint64_t done = 0; done < memory->size_bytes; done += SLOT_MAX_BYTES) {
        uint64_t left = memory->size_bytes - done;
        const struct kvm_userspace_memory_region region = {
            .slot = vm->slot_count,
            .guest_phys_addr = memory->base.value + done,
            .memory_size = left < SLOT_MAX_BYTES ? left : SLOT_MAX_BYTES,
            .userspace_addr = (uintptr_t)memory->host + done,
        };

        if (!kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION",
                       error))
            return error_add_context(error, "cannot give the guest memory at 0x%" PRIx64,
                                     memory->base.value + done);
        vm->slot_count++;
    }
    return true;
}

static void set_level(struct irq_line *line, bool level, uint32_t type_and_number)
{
    const struct vm *vm = line->controller;
    const struct kvm_irq_level request = {.irq = type_and_number, .level = level};

    /* An input that the VM has can't fail; between power-off and power-on nothing listens. */
    if (vm_is_open(vm))
        (void)kvm_sys_ioctl(vm->fd, KVM_IRQ_LINE, (uintptr_t)&request);
}

static void set_spi(struct irq_line *line, bool level)
{
    set_level(line, level, (KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT) | line->intid);
}

/*
 * The line's number is the vCPU's index and the input, as KVM_IRQ_LINE wants them.
 *
 * Twice: KVM keeps the level as a bit of the vCPU's HCR_EL2, in which the vCPU's thread changes the
 * bits that trap WFI and WFE each time that it is loaded, and not atomically. A level that arrives
 * in between is lost, and a vCPU in WFI then waits for ever. If it was, the second call finds the
 * bit as it was before, and does it again; else it finds nothing to do.
 */
static void set_cpu_input(struct irq_line *line, bool level)
{
    const uint32_t input = (KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT) | line->intid;

    set_level(line, level, input);
    set_level(line, level, input);
}

void vm_connect_irq(struct vm *vm, struct irq_line *line, uint32_t intid)
{
    static const struct irq_ops ops = {.set_level = set_spi};

    *line = (struct irq_line){.ops = &ops, .controller = vm, .intid = intid};
}

void vm_connect_cpu_input(struct vm *vm, struct irq_line *line, uint32_t cpu,
                          enum vm_cpu_input input)
{
    static const struct irq_ops ops = {.set_level = set_cpu_input};
    uint32_t number = input == VM_CPU_FIQ ? KVM_ARM_IRQ_CPU_FIQ : KVM_ARM_IRQ_CPU_IRQ;

    *line = (struct irq_line){
        .ops = &ops, .controller = vm, .intid = cpu << KVM_ARM_IRQ_VCPU_SHIFT | number};
}
