// SPDX-License-Identifier: Apache-2.0
#include "hypercall.h"

#include <linux/kvm.h>

#include "armlet/hypercall.h"
#include "kvm.h"
#include "kvm_sys.h"
#include "vcpu_registers.h"

/* From <asm/kvm.h> of Linux 6.4, which many build hosts don't have yet. */
enum {
    VM_SMCCC_CTRL = 0,
    VM_SMCCC_FILTER = 0,
    SMCCC_FILTER_FWD_TO_USER = 2,
    SMCCC_FILTER_PAD_BYTES = 15,
};

struct smccc_filter {
    uint32_t base;
    uint32_t nr_functions;
    uint8_t action;
    uint8_t pad[SMCCC_FILTER_PAD_BYTES];
};

bool hypercalls_can(const struct vm *vm)
{
    const struct kvm_device_attr filter = {.group = VM_SMCCC_CTRL, .attr = VM_SMCCC_FILTER};

    return kvm_sys_ioctl(vm->fd, KVM_HAS_DEVICE_ATTR, (uintptr_t)&filter) == 0;
}

bool hypercalls_enable(const struct vm *vm, struct error *error)
{
    static const uint32_t bases[] = {HYPERCALL_BASE_32, HYPERCALL_BASE_64};

    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        const struct smccc_filter filter = {
            .base = bases[i],
            .nr_functions = HYPERCALL_COUNT,
            .action = SMCCC_FILTER_FWD_TO_USER,
        };
        const struct kvm_device_attr request = {
            .group = VM_SMCCC_CTRL, .attr = VM_SMCCC_FILTER, .addr = (uintptr_t)&filter};

        if (!kvm_ioctl(vm->fd, KVM_SET_DEVICE_ATTR, &request, "KVM_ARM_VM_SMCCC_FILTER", error))
            return error_add_context(error, "cannot have hypercalls");
    }
    return true;
}

/* Bytes of the guest's memory; it may change them meanwhile, each is looked at once. */
static int64_t write_bytes(const struct hypercalls *hypercalls, gpa_t address, uint64_t size_bytes)
{
    struct span span;

    if (size_bytes == 0)
        return 0;
    if (size_bytes > HYPERCALL_WRITE_MAX_BYTES)
        size_bytes = HYPERCALL_WRITE_MAX_BYTES;
    if (!guest_memory_span(hypercalls->memory, address, size_bytes, &span))
        return HYPERCALL_INVALID_PARAMETER;
    return (int64_t)console_write(hypercalls->console, span.data, span.size_bytes);
}

static int64_t answer(const struct hypercalls *hypercalls, uint32_t function, const uint64_t x[3])
{
    uint8_t character = (uint8_t)x[1];

    switch (function) {
    case HYPERCALL_VERSION:
        return HYPERCALL_VERSION_VALUE;
    case HYPERCALL_PUT:
        return (int64_t)console_write(hypercalls->console, &character, sizeof(character));
    case HYPERCALL_WRITE:
        return write_bytes(hypercalls, GPA(x[1]), x[2]);
    case HYPERCALL_EXIT:
        hypercalls->guest_exit->exit(hypercalls->guest_exit, x[1]);
        return 0;
    default:
        return HYPERCALL_NOT_SUPPORTED;
    }
}

bool hypercall_answer(const struct hypercalls *hypercalls, int fd, uint32_t function,
                      struct error *error)
{
    bool narrow = function - HYPERCALL_BASE_32 < HYPERCALL_COUNT;
    uint32_t number = function - (narrow ? HYPERCALL_BASE_32 : HYPERCALL_BASE_64);
    uint64_t x[3] = {0};

    for (uint32_t i = 1; number < HYPERCALL_COUNT && i < sizeof(x) / sizeof(x[0]); i++) {
        if (!vcpu_get_register(fd, VCPU_REG_X(i), &x[i], error))
            return false;
        x[i] = narrow ? (uint32_t)x[i] : x[i];
    }
    int64_t result =
        number < HYPERCALL_COUNT ? answer(hypercalls, number, x) : HYPERCALL_NOT_SUPPORTED;
    return vcpu_set_register(fd, VCPU_REG_X(0), narrow ? (uint32_t)result : (uint64_t)result,
                             error);
}
