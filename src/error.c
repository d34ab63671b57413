// SPDX-License-Identifier: Apache-2.0
#include "armlet/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, enum error_code code, int os_errno, const char *format, ...)
{
    va_list arguments;

    error->code = code;
    error->os_errno = os_errno;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);

    if (os_errno != 0) {
        size_t used = strlen(error->message);
        (void)snprintf(error->message + used, sizeof(error->message) - used, ": %s",
                       strerror(os_errno));
    }
    return false;
}

bool error_add_context(struct error *error, const char *format, ...)
{
    char cause[ERROR_MESSAGE_BYTES];
    va_list arguments;

    memcpy(cause, error->message, sizeof(cause));
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);

    size_t used = strlen(error->message);
    (void)snprintf(error->message + used, sizeof(error->message) - used, ": %s", cause);
    return false;
}
