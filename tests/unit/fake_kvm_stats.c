// SPDX-License-Identifier: Apache-2.0
/* The file of KVM_GET_STATS_FD: a header, descriptors, values. */
#include <errno.h>
#include <string.h>

#include "kvm_calls.h"

enum { NAME_BYTES = 48, HISTOGRAM_SIZE = 32 };

struct descriptor {
    struct kvm_stats_desc fixed;
    char name[NAME_BYTES];
};

#define NUMBER(index, text)                                                                        \
    {                                                                                              \
        {.size = 1, .offset = (index) * sizeof(uint64_t)}, text                                    \
    }

enum value { VALUE_WFI, VALUE_EXITS, VALUE_HVC, VALUE_HALT_WAIT_NS, VALUE_HISTOGRAM };
enum { VALUES = VALUE_HISTOGRAM + HISTOGRAM_SIZE, DESCRIPTORS = 5 };

struct stats_file {
    struct kvm_stats_header header;
    struct descriptor descriptors[DESCRIPTORS];
    uint64_t values[VALUES];
};

_Static_assert(offsetof(struct descriptor, name) == sizeof(struct kvm_stats_desc), "no padding");

static const struct descriptor descriptors[DESCRIPTORS] = {
    NUMBER(VALUE_WFI, "wfi_exit_stat"),
    NUMBER(VALUE_EXITS, "exits"),
    NUMBER(VALUE_HVC, "hvc_exit_stat"),
    NUMBER(VALUE_HALT_WAIT_NS, "halt_wait_ns"),
    {{.size = HISTOGRAM_SIZE, .offset = VALUE_HISTOGRAM * sizeof(uint64_t)}, "halt_wait_hist"},
};

int fake_kvm_open_stats(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    (void)argument;
    return fake_kvm_open_object(fake, OBJECT_STATS, object->index);
}

ssize_t fake_kvm_read_stats(const struct fake_vcpu *vcpu, void *bytes, size_t count,
                            uint64_t offset)
{
    struct stats_file file = {
        .header = {.name_size = NAME_BYTES,
                   .num_desc = DESCRIPTORS,
                   .desc_offset = offsetof(struct stats_file, descriptors),
                   .data_offset = offsetof(struct stats_file, values)},
        .values = {[VALUE_WFI] = FAKE_STAT_WFI,
                   [VALUE_EXITS] = vcpu->run_count,
                   [VALUE_HVC] = FAKE_STAT_HVC,
                   [VALUE_HALT_WAIT_NS] = FAKE_STAT_HALT_WAIT_NS},
    };

    memcpy(file.descriptors, descriptors, sizeof(descriptors));
    if (offset > sizeof(file))
        return -EINVAL;
    if (count > sizeof(file) - offset)
        count = sizeof(file) - offset;
    memcpy(bytes, (const char *)&file + offset, count);
    return (ssize_t)count;
}
