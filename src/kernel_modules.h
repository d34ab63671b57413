// SPDX-License-Identifier: Apache-2.0
/*
 * Modules of a Linux kernel on the host, as its build leaves them in a directory such as
 * /lib/modules/6.1.0-50-arm64: modules.order lists them, modules.builtin what the kernel has
 * itself. What a module depends on, it says itself; depmod(8) is not needed. One thread.
 */
#ifndef ARMLET_SRC_KERNEL_MODULES_H
#define ARMLET_SRC_KERNEL_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"

enum { KERNEL_RELEASE_BYTES = 128 };

struct kernel_module {
    char *name;    /* "9pnet_virtio" */
    uint8_t *data; /* unpacked */
    size_t size_bytes;
};

/* In the order to load them in. */
struct kernel_modules {
    struct kernel_module *items;
    size_t count;
};

/*
 * Adds the module `name`, and before it those it depends on. What is built in, or there already,
 * adds nothing. ERROR_FILE: the kernel has no such module, or its file is no module.
 */
bool kernel_modules_add(struct kernel_modules *modules, const char *directory, const char *name,
                        struct error *error) WARN_UNUSED;
void kernel_modules_finish(struct kernel_modules *modules);

/* What `uname -r` would say of a kernel, packed or not: its file says so near "Linux version". */
bool kernel_release_find(const char *path, char release[static KERNEL_RELEASE_BYTES],
                         struct error *error) WARN_UNUSED;

#endif
