// SPDX-License-Identifier: Apache-2.0
/*
 * Shared objects. A static program can't load them, and armlet is one, to start fast and anywhere.
 * So its objects are linked a second time, dynamically, into `armlet-dynamic`; which of the two a
 * program is, is this module's file: plugin_static.c or plugin_dynamic.c. I/O thread.
 */
#ifndef ARMLET_SRC_PLUGIN_LOADER_H
#define ARMLET_SRC_PLUGIN_LOADER_H

#include <stdbool.h>

#include "armlet/error.h"

#define PLUGIN_LOADER_PROGRAM "armlet-dynamic"

/*
 * Makes sure that this process can load shared objects: the static armlet becomes its sibling, with
 * the same arguments, files and signals, and doesn't return. For the start of the program, before
 * anything has been done. False: there is no sibling, ERROR_HOST.
 */
bool plugin_loader_prepare(char *const argv[], struct error *error) WARN_UNUSED;

/*
 * `name` is a path or, without a slash and a ".so" at the end, one of the plugins that were
 * installed with armlet. ERROR_FILE: it can't be loaded, and why.
 */
void *plugin_loader_open(const char *name, struct error *error) WARN_UNUSED;
/* The object's symbol; ERROR_FILE if it has none. */
const void *plugin_loader_find(void *object, const char *symbol, struct error *error) WARN_UNUSED;
void plugin_loader_close(void *object);

#endif
