// SPDX-License-Identifier: Apache-2.0
#include "plugin_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool find_directory(char directory[PATH_MAX], struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);

    if (length < 0)
        return error_set(error, ERROR_HOST, errno, "cannot find out where armlet is");
    directory[length] = '\0';
    *strrchr(directory, '/') = '\0';
    return true;
}

bool plugin_path_find(const char *const *places, size_t count, const char *name,
                      char path[PATH_MAX], struct error *error)
{
    char directory[PATH_MAX];

    if (!find_directory(directory, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        int length = snprintf(path, PATH_MAX, "%s/%s/%s", directory, places[i], name);

        if (length < PATH_MAX && access(path, F_OK) == 0)
            return true;
    }
    (void)error_set(error, ERROR_HOST, 0, "'%s' is not in '%s'", name, directory);
    for (size_t i = 1; i < count; i++) {
        size_t used = strlen(error->message);

        (void)snprintf(error->message + used, sizeof(error->message) - used, " or its '%s'",
                       places[i]);
    }
    return false;
}
