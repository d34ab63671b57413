// SPDX-License-Identifier: Apache-2.0
/*
 * Where guest RAM comes from on the host: anonymous memory, huge pages, a shared file.
 *
 * Everything that could fail later as SIGBUS (huge pages running out, a full tmpfs) is made to
 * fail here with a reason. A file that existed is never shortened, and is locked against a second
 * machine. One thread.
 */
#ifndef ARMLET_SRC_MEMORY_BACKING_H
#define ARMLET_SRC_MEMORY_BACKING_H

#include "armlet/guest_memory.h"
#include "options.h"

struct memory_mapping {
    struct guest_memory memory;
    void *mapping; /* what is unmapped at the end */
    size_t mapping_bytes;
    int fd; /* of a shared file, maybe without a name; -1 otherwise */
};

/*
 * Says that little will be written to [address, address + size_bytes) before the guest runs: the
 * host shall not clear a huge page for it. Only advice, and only for BACKING_DEFAULT.
 */
void memory_mapping_expect_little(const struct guest_memory *memory, const struct options *options,
                                  gpa_t address, uint64_t size_bytes);

bool memory_mapping_create(struct memory_mapping *mapping, const struct options *options,
                           gpa_t base, struct error *error) WARN_UNUSED;
void memory_mapping_destroy(struct memory_mapping *mapping);

#endif
