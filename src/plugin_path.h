// SPDX-License-Identifier: Apache-2.0
/* Finding what was installed, or built, beside the running program. I/O thread. */
#ifndef ARMLET_SRC_PLUGIN_PATH_H
#define ARMLET_SRC_PLUGIN_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"

/*
 * Writes the path of the first of DIRECTORY/places[i]/name that exists, where DIRECTORY is that of
 * the running program. ERROR_HOST, with the places, if none does.
 */
bool plugin_path_find(const char *const *places, size_t count, const char *name,
                      char path[PATH_MAX], struct error *error) WARN_UNUSED;

#endif
