// SPDX-License-Identifier: Apache-2.0
/* A plugin that crashes before it is asked anything. */
#include <stdlib.h>

#include "armlet/plugin.h"

__attribute__((constructor)) static void crash(void)
{
    abort();
}

const struct armlet_plugin armlet_plugin = {.abi = ARMLET_PLUGIN_ABI};
