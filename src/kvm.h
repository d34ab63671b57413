// SPDX-License-Identifier: Apache-2.0
/*
 * /dev/kvm itself: what the host's kernel offers (Documentation/virt/kvm/api.rst, system ioctls).
 * One thread at a time; a struct kvm outlives the VMs made from it.
 */
#ifndef ARMLET_SRC_KVM_H
#define ARMLET_SRC_KVM_H

#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"

#define KVM_DEVICE_PATH "/dev/kvm"

struct kvm {
    int fd; /* -1 when not open */
};

bool kvm_open(struct kvm *kvm, struct error *error) WARN_UNUSED;
void kvm_close(struct kvm *kvm);

/* KVM_CHECK_EXTENSION on the system (or on a VM's) file: 0 when absent. */
int kvm_check_extension(int fd, long capability);

/* The size of the mapping of a vCPU's struct kvm_run; 0 and an error on failure. */
size_t kvm_run_bytes(const struct kvm *kvm, struct error *error) WARN_UNUSED;

/* An ioctl that takes a pointer (or an integer) and is fatal for the operation when it fails. */
bool kvm_ioctl(int fd, unsigned long request, const void *argument, const char *name,
               struct error *error) WARN_UNUSED;

#endif
