// SPDX-License-Identifier: Apache-2.0
#include "vcpu_registers.h"

#include <errno.h>
#include <string.h>

#include "kvm.h"

#define VECTOR_REG(number)                                                                         \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |                                        \
     (KVM_REG_ARM_CORE_REG(fp_regs.vregs[0]) +                                                     \
      (uint64_t)(number) * (2 * sizeof(uint64_t) / sizeof(uint32_t))))
#define SCALABLE_REG(number) KVM_REG_ARM64_SVE_ZREG(number, 0)

static bool transfer(int fd, unsigned long request, uint64_t id, const void *value,
                     const char *name, struct error *error)
{
    const struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};

    return kvm_ioctl(fd, request, &reg, name, error) ||
           error_add_context(error, "register 0x%llx", (unsigned long long)id);
}

bool vcpu_get_register(int fd, uint64_t id, uint64_t *value, struct error *error)
{
    return transfer(fd, KVM_GET_ONE_REG, id, value, "KVM_GET_ONE_REG", error);
}

bool vcpu_set_register(int fd, uint64_t id, uint64_t value, struct error *error)
{
    return transfer(fd, KVM_SET_ONE_REG, id, &value, "KVM_SET_ONE_REG", error);
}

/*
 * A vCPU with SVE has no V registers of its own (api.rst, 4.68): V is the low end of Z, whose first
 * slice has room for every length. Writing V clears the rest of Z (DDI 0487, B1.2.2).
 */
enum { VECTOR_BYTES = 2 * sizeof(uint64_t), SLICE_BYTES = 256 };

static bool vector_is_scalable(const struct error *error)
{
    return error->os_errno == EINVAL;
}

bool vcpu_get_vector(int fd, unsigned number, uint64_t halves[2], struct error *error)
{
    uint8_t slice[SLICE_BYTES];

    if (transfer(fd, KVM_GET_ONE_REG, VECTOR_REG(number), halves, "KVM_GET_ONE_REG", error))
        return true;
    if (!vector_is_scalable(error) ||
        !transfer(fd, KVM_GET_ONE_REG, SCALABLE_REG(number), slice, "KVM_GET_ONE_REG", error))
        return false;
    memcpy(halves, slice, VECTOR_BYTES);
    return true;
}

bool vcpu_set_vector(int fd, unsigned number, const uint64_t halves[2], struct error *error)
{
    uint8_t slice[SLICE_BYTES] = {0};

    if (transfer(fd, KVM_SET_ONE_REG, VECTOR_REG(number), halves, "KVM_SET_ONE_REG", error))
        return true;
    memcpy(slice, halves, VECTOR_BYTES);
    return vector_is_scalable(error) &&
           transfer(fd, KVM_SET_ONE_REG, SCALABLE_REG(number), slice, "KVM_SET_ONE_REG", error);
}
