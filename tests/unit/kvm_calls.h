// SPDX-License-Identifier: Apache-2.0
/*
 * What the two halves of the fake share: fake_kvm.c has the seam, the files and KVM_RUN,
 * kvm_calls.c answers the other ioctls. Handlers run with the fake's lock held and return what the
 * ioctl does, or -errno.
 */
#ifndef TESTS_KVM_CALLS_H
#define TESTS_KVM_CALLS_H

#include <sys/types.h>

#include "fake_kvm.h"

enum object_kind {
    OBJECT_NONE,
    OBJECT_SYSTEM,
    OBJECT_VM,
    OBJECT_VCPU,
    OBJECT_GIC,
    OBJECT_ITS,
    OBJECT_STATS
};

struct object {
    enum object_kind kind;
    struct fake_kvm *fake;
    uint32_t index; /* of a vCPU */
};

typedef int fake_kvm_handler(struct fake_kvm *fake, const struct object *object,
                             uintptr_t argument);

/* kvm_region_calls.c: what KVM handles without an exit. */
fake_kvm_handler fake_kvm_set_memory, fake_kvm_ioeventfd, fake_kvm_irqfd, fake_kvm_coalesce,
    fake_kvm_uncoalesce;
bool fake_kvm_is_memory(const struct fake_vm *vm, uint64_t address, uint64_t size_bytes);
/* Whether a read or a write is over without an exit. */
bool fake_kvm_absorbs(struct fake_kvm *fake, const struct fake_step *step);
/* The page of a vCPU's mapping that has the ring, as KVM_CAP_COALESCED_MMIO tells it. */
enum { FAKE_KVM_RING_PAGE = 1 };

/* fake_kvm_stats.c: what KVM counts of a vCPU. */
fake_kvm_handler fake_kvm_open_stats;
ssize_t fake_kvm_read_stats(const struct fake_vcpu *vcpu, void *bytes, size_t count,
                            uint64_t offset);

/* NULL: a file of this kind doesn't know that request. */
fake_kvm_handler *fake_kvm_find_handler(enum object_kind kind, unsigned long request);

/* Keeps the first thing that is wrong. */
void fake_kvm_complain(struct fake_kvm *fake, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A new file, or -errno. */
int fake_kvm_open_object(struct fake_kvm *fake, enum object_kind kind, uint32_t index);
/* The answer to KVM_CHECK_EXTENSION. */
int fake_kvm_capability(const struct fake_kvm *fake, long number);
/* The place of a register, or NULL; `make`: made if there is none and room for one. */
struct fake_register *fake_kvm_find_register(struct fake_vcpu *vcpu, uint64_t id, bool make);

#endif
