// SPDX-License-Identifier: Apache-2.0
#include "armlet/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_BYTES = 1024,     /* no more than what a pipe that poll(2) calls writable takes at once */
    STUCK_READER_MS = 250, /* the line is dropped then: nothing of the guest's waits for a log */
};

static const char *const level_names[] = {
    [LOG_ERROR] = "error: ",
    [LOG_WARNING] = "warning: ",
    [LOG_INFO] = "",
    [LOG_DEBUG] = "debug: ",
};

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    const size_t room = sizeof(line) - sizeof("\r\n");
    struct pollfd writable = {.fd = log->fd, .events = POLLOUT};
    va_list arguments;

    if (log->fd < 0 || level > log->threshold)
        return;
    size_t used = (size_t)snprintf(line, room, "armlet: %s", level_names[level]);
    va_start(arguments, format);
    int length = vsnprintf(line + used, room - used, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    used += (size_t)length < room - used ? (size_t)length : room - used - 1;
    if (atomic_load_explicit(&log->raw_terminal, memory_order_relaxed))
        line[used++] = '\r';
    line[used++] = '\n';
    /* There is nowhere to tell that the log itself can't be written. */
    if (poll(&writable, 1, STUCK_READER_MS) > 0)
        (void)!write(log->fd, line, used);
}

bool log_limit_pass(struct log_limit *limit)
{
    uint64_t count = atomic_fetch_add_explicit(&limit->count, 1, memory_order_relaxed) + 1;

    return count <= LOG_BURST || (count & (count - 1)) == 0;
}
