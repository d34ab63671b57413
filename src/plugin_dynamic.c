// SPDX-License-Identifier: Apache-2.0
/* In armlet-dynamic. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "plugin_loader.h"
#include "plugin_path.h"

#define SUFFIX ".so"

bool plugin_loader_prepare(char *const argv[], struct error *error)
{
    (void)argv;
    (void)error;
    return true;
}

static bool ends_in_suffix(const char *name)
{
    size_t length = strlen(name);

    return length >= strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* Of a name without a slash dlopen(3) would think as of a system library. */
static bool find_object(const char *name, char path[PATH_MAX], struct error *error)
{
    /* beside the build's program, and seen from bin/ and from libexec/armlet/ */
    static const char *const places[] = {"plugins", "../lib/armlet/plugins",
                                         "../../lib/armlet/plugins"};
    char file[NAME_MAX];
    bool is_path = strchr(name, '/') != NULL;
    int length;

    if (is_path || ends_in_suffix(name)) {
        length = snprintf(path, PATH_MAX, "%s%s", is_path ? "" : "./", name);
        return length < PATH_MAX || error_set(error, ERROR_FILE, 0, "too long a name");
    }
    length = snprintf(file, sizeof(file), "%s" SUFFIX, name);
    if (length >= (int)sizeof(file))
        return error_set(error, ERROR_FILE, 0, "too long a name");
    if (plugin_path_find(places, sizeof(places) / sizeof(places[0]), file, path, error))
        return true;
    error->code = ERROR_FILE;
    return error_add_context(
        error, "no such plugin was installed (a path has a slash or ends in " SUFFIX ")");
}

void *plugin_loader_open(const char *name, struct error *error)
{
    char path[PATH_MAX];

    if (!find_object(name, path, error))
        return NULL;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        (void)error_set(error, ERROR_FILE, 0, "cannot load it: %s", dlerror());
    return object;
}

const void *plugin_loader_find(void *object, const char *symbol, struct error *error)
{
    const void *address = dlsym(object, symbol);

    if (!address)
        (void)error_set(error, ERROR_FILE, 0, "it is no plugin of armlet: it has no symbol '%s'",
                        symbol);
    return address;
}

void plugin_loader_close(void *object)
{
    (void)dlclose(object);
}
