// SPDX-License-Identifier: Apache-2.0
#include "kvm_stats.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "kvm_sys.h"

enum { NAME_BYTES_MAX = 256, DESCRIPTORS_MAX = 1024 }; /* what is larger is no header */

static const struct {
    const char *kernel;
    const char *name;
} names[KVM_STAT_COUNT] = {
    [KVM_STAT_EXITS] = {"exits", "exits"},
    [KVM_STAT_WFI] = {"wfi_exit_stat", "wfi"},
    [KVM_STAT_WFE] = {"wfe_exit_stat", "wfe"},
    [KVM_STAT_HVC] = {"hvc_exit_stat", "hvc"},
    [KVM_STAT_MMIO_KERNEL] = {"mmio_exit_kernel", "mmio_kernel"},
    [KVM_STAT_MMIO_USER] = {"mmio_exit_user", "mmio_user"},
    [KVM_STAT_SIGNAL] = {"signal_exits", "signal"},
    [KVM_STAT_HALT_WAIT_NS] = {"halt_wait_ns", "halt_wait_ns"},
    [KVM_STAT_HALT_POLL_NS] = {"halt_poll_success_ns", "halt_poll_ns"},
};

const char *kvm_stat_name(enum kvm_stat stat)
{
    return names[stat].name;
}

void kvm_stats_add(struct kvm_stats *sum, const struct kvm_stats *stats)
{
    for (size_t i = 0; i < KVM_STAT_COUNT; i++)
        sum->values[i] += stats->values[i];
    sum->known |= stats->known;
}

static bool read_all(int fd, void *bytes, size_t count, uint64_t offset)
{
    return kvm_sys_read(fd, bytes, count, offset) == (ssize_t)count;
}

/* Remembers where the value of a descriptor is, if it is one of ours. */
static void take_descriptor(struct kvm_stats_reader *reader, const struct kvm_stats_header *header,
                            const struct kvm_stats_desc *descriptor)
{
    for (size_t i = 0; i < KVM_STAT_COUNT; i++)
        if (descriptor->size == 1 &&
            strncmp(descriptor->name, names[i].kernel, header->name_size) == 0) {
            reader->offsets[i] = header->data_offset + descriptor->offset;
            reader->known |= UINT32_C(1) << i;
        }
}

static void find_offsets(struct kvm_stats_reader *reader)
{
    struct kvm_stats_header header;

    if (!read_all(reader->fd, &header, sizeof(header), 0) || header.name_size > NAME_BYTES_MAX ||
        header.num_desc > DESCRIPTORS_MAX)
        return;
    size_t stride = sizeof(struct kvm_stats_desc) + header.name_size;
    char *descriptors = malloc(header.num_desc * stride + 1);
    if (descriptors &&
        read_all(reader->fd, descriptors, header.num_desc * stride, header.desc_offset))
        for (uint32_t i = 0; i < header.num_desc; i++)
            take_descriptor(
                reader, &header,
                (const struct kvm_stats_desc *)(const void *)(descriptors + i * stride));
    free(descriptors);
}

void kvm_stats_open(struct kvm_stats_reader *reader, int vcpu_fd)
{
    *reader = (struct kvm_stats_reader){.fd = kvm_sys_ioctl(vcpu_fd, KVM_GET_STATS_FD, 0)};
    reader->is_open = reader->fd >= 0;
    if (reader->is_open)
        find_offsets(reader);
}

void kvm_stats_read(const struct kvm_stats_reader *reader, struct kvm_stats *stats)
{
    *stats = (struct kvm_stats){0};
    if (!reader->is_open)
        return;
    for (size_t i = 0; i < KVM_STAT_COUNT; i++)
        if (reader->known & UINT32_C(1) << i &&
            read_all(reader->fd, &stats->values[i], sizeof(stats->values[i]), reader->offsets[i]))
            stats->known |= UINT32_C(1) << i;
}

void kvm_stats_close(struct kvm_stats_reader *reader)
{
    if (reader->is_open)
        kvm_sys_close(reader->fd);
    reader->is_open = false;
}
