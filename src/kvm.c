// SPDX-License-Identifier: Apache-2.0
#include "kvm.h"

#include <errno.h>
#include <linux/kvm.h>

#include "kvm_sys.h"

static const char *hint_for_open(int os_errno)
{
    switch (os_errno) {
    case ENOENT:
        return " (no KVM here: is this an arm64 host with virtualisation, kvm loaded?)";
    case EACCES:
    case EPERM:
        return " (add yourself to the group that owns it, usually 'kvm', or run as root)";
    default:
        return "";
    }
}

/* Returns false. */
static bool refuse_version(int version, int os_errno, struct error *error)
{
    if (version >= 0)
        return error_set(error, ERROR_HOST, 0, KVM_DEVICE_PATH " speaks KVM API %d instead of %d",
                         version, KVM_API_VERSION);
    /* What a driver says to an ioctl that it doesn't know: ENOTTY, some EINVAL. */
    if (os_errno == ENOTTY || os_errno == EINVAL)
        return error_set(error, ERROR_HOST, os_errno, KVM_DEVICE_PATH " is not KVM");
    return error_set(error, ERROR_HOST, os_errno, "KVM_GET_API_VERSION failed");
}

bool kvm_open(struct kvm *kvm, struct error *error)
{
    kvm->fd = kvm_sys_open(KVM_DEVICE_PATH);
    if (kvm->fd < 0)
        return error_set(error, ERROR_HOST, errno, "cannot open " KVM_DEVICE_PATH "%s",
                         hint_for_open(errno));

    int version = kvm_sys_ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        (void)refuse_version(version, errno, error);
        kvm_close(kvm);
        return false;
    }
    return true;
}

void kvm_close(struct kvm *kvm)
{
    if (kvm->fd >= 0)
        kvm_sys_close(kvm->fd);
    kvm->fd = -1;
}

int kvm_check_extension(int fd, long capability)
{
    int answer = kvm_sys_ioctl(fd, KVM_CHECK_EXTENSION, (uintptr_t)capability);

    return answer > 0 ? answer : 0;
}

size_t kvm_run_bytes(const struct kvm *kvm, struct error *error)
{
    int bytes = kvm_sys_ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    if (bytes < 0) {
        (void)error_set(error, ERROR_HOST, errno, "KVM_GET_VCPU_MMAP_SIZE failed");
        return 0;
    }
    if (bytes < (int)sizeof(struct kvm_run)) {
        (void)error_set(error, ERROR_HOST, 0, "KVM_GET_VCPU_MMAP_SIZE answered %d", bytes);
        return 0;
    }
    return (size_t)bytes;
}

bool kvm_ioctl(int fd, unsigned long request, const void *argument, const char *name,
               struct error *error)
{
    if (kvm_sys_ioctl(fd, request, (uintptr_t)argument) < 0)
        return error_set(error, ERROR_HOST, errno, "%s failed", name);
    return true;
}
