// SPDX-License-Identifier: Apache-2.0
/* A plugin of another ABI, which must not even be asked its name. */
#include "armlet/plugin.h"

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI + 1,
    .size_bytes = sizeof(struct armlet_plugin),
    .name = (const char *)1,
};
