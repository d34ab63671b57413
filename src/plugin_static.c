// SPDX-License-Identifier: Apache-2.0
/* In the static armlet, which becomes armlet-dynamic before it would load anything. */
#include <errno.h>
#include <unistd.h>

#include "plugin_loader.h"
#include "plugin_path.h"

bool plugin_loader_prepare(char *const argv[], struct error *error)
{
    static const char *const places[] = {".", "../libexec/armlet"};
    char path[PATH_MAX];

    if (!plugin_path_find(places, sizeof(places) / sizeof(places[0]), PLUGIN_LOADER_PROGRAM, path,
                          error))
        return error_add_context(error,
                                 "cannot load plugins without the dynamically linked armlet");
    (void)execv(path, argv);
    return error_set(error, ERROR_HOST, errno,
                     "cannot run '%s', which loads plugins (does this host have the arm64 libc?)",
                     path);
}

void *plugin_loader_open(const char *name, struct error *error)
{
    (void)error_set(error, ERROR_INTERNAL, 0, "the static armlet can't load '%s'", name);
    return NULL;
}

const void *plugin_loader_find(void *object, const char *symbol, struct error *error)
{
    (void)object;
    (void)error_set(error, ERROR_INTERNAL, 0, "the static armlet can't look for '%s'", symbol);
    return NULL;
}

void plugin_loader_close(void *object)
{
    (void)object;
}
