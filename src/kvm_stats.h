// SPDX-License-Identifier: Apache-2.0
/*
 * What KVM counts of a vCPU by itself: the binary statistics of its file
 * (Documentation/virt/kvm/api.rst, 4.131 KVM_GET_STATS_FD; Linux 5.14).
 *
 * Opened before the vCPU's thread starts (KVM_RUN holds what KVM_GET_STATS_FD would wait for), read
 * at any time, by the I/O thread. A host that has none, or no more file descriptors, leaves the
 * reader closed: its numbers are unknown, which is no error.
 */
#ifndef ARMLET_SRC_KVM_STATS_H
#define ARMLET_SRC_KVM_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum kvm_stat {
    KVM_STAT_EXITS, /* from the guest, those that KVM handles by itself included */
    KVM_STAT_WFI,
    KVM_STAT_WFE,
    KVM_STAT_HVC,
    KVM_STAT_MMIO_KERNEL, /* accesses that KVM carried out */
    KVM_STAT_MMIO_USER,   /* ... that it handed on */
    KVM_STAT_SIGNAL,
    KVM_STAT_HALT_WAIT_NS, /* asleep in WFI */
    KVM_STAT_HALT_POLL_NS, /* in WFI, but polling (halt_poll_ns) */
    KVM_STAT_COUNT,
};

/* As in JSON: "wfi"; static. */
const char *kvm_stat_name(enum kvm_stat stat);

struct kvm_stats {
    uint32_t known; /* mask of 1 << enum kvm_stat */
    uint64_t values[KVM_STAT_COUNT];
};

static inline bool kvm_stats_has(const struct kvm_stats *stats, enum kvm_stat stat)
{
    return stats->known & UINT32_C(1) << stat;
}

/* Adds numbers of the same kind: of another vCPU, or of the same one before a reset. */
void kvm_stats_add(struct kvm_stats *sum, const struct kvm_stats *stats);

/* A zeroed reader is closed. */
struct kvm_stats_reader {
    bool is_open;
    int fd;
    uint32_t known;
    uint32_t offsets[KVM_STAT_COUNT]; /* in the file */
};

void kvm_stats_open(struct kvm_stats_reader *reader, int vcpu_fd);
/* Nothing is known of what could not be read. */
void kvm_stats_read(const struct kvm_stats_reader *reader, struct kvm_stats *stats);
void kvm_stats_close(struct kvm_stats_reader *reader);

#endif
