// SPDX-License-Identifier: Apache-2.0
/*
 * The log: lines on standard error about what the guest or the host does, never results.
 *
 * A struct log is created by main and lent to whoever speaks. Lines are written whole with one
 * write(2), so that lines of several threads do not mix; while the terminal is in raw mode they
 * end in CR LF. Any thread.
 */
#ifndef ARMLET_LOG_H
#define ARMLET_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_ERROR,
    LOG_WARNING,
    LOG_INFO,
    LOG_DEBUG,
};

struct log {
    int fd;                    /* usually STDERR_FILENO; -1 drops everything */
    enum log_level threshold;  /* lines above it are dropped */
    _Atomic bool raw_terminal; /* lines must end in CR LF now */
};

/* Writes "armlet: level: message\n" (no level for LOG_INFO). The message is one line without a
 * newline. */
void log_line(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * For what a guest can provoke at will: at most LOG_BURST lines a source, then a line at each
 * doubling of the count, so that a hostile guest can't fill the operator's disk.
 */
enum { LOG_BURST = 8 };

struct log_limit {
    _Atomic uint64_t count; /* how often it happened, logged or not */
};

/* Counts one occurrence and says whether it is to be logged. */
bool log_limit_pass(struct log_limit *limit);

#endif
