// SPDX-License-Identifier: Apache-2.0
/* A plugin that lies about its ABI: what follows isn't what it says. */
#include "armlet/plugin.h"

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI,
    .size_bytes = 2 * sizeof(uint32_t),
    .name = (const char *)1,
};
