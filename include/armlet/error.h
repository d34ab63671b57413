// SPDX-License-Identifier: Apache-2.0
/*
 * Errors of the host and of the operator, as values.
 *
 * Every function that can fail takes a `struct error *` last, returns false (or NULL) when it
 * failed, and has filled the error in then; the caller owns it and never passes NULL. Context is
 * put in front while unwinding, so that the message reads from the general to the particular:
 *
 *     cannot load kernel 'Image': file is truncated: 4096 of 35584 bytes
 *
 * What a guest does wrong is never an error: it is device state and counters. What armlet itself
 * does wrong is an assertion. Only main() prints errors and turns the code into an exit status.
 *
 * An error belongs to one thread at a time. No function here allocates or fails.
 */
#ifndef ARMLET_ERROR_H
#define ARMLET_ERROR_H

#include <stdbool.h>

/* The classes of cause that armlet(1) documents an exit status for. */
enum error_code {
    ERROR_NONE,
    ERROR_USAGE,    /* an option or its value is wrong */
    ERROR_HOST,     /* the host cannot: a system call failed, a feature is missing */
    ERROR_FILE,     /* a file the operator named is missing, unreadable or of a wrong kind */
    ERROR_GUEST,    /* the guest did what armlet cannot carry on from */
    ERROR_INTERNAL, /* armlet contradicts itself, e.g. an illegal change of state */
};

enum { ERROR_MESSAGE_BYTES = 512 };

struct error {
    enum error_code code;
    int os_errno;                      /* the errno of the call that failed, or 0 */
    char message[ERROR_MESSAGE_BYTES]; /* one line without newline; cut, never overrun */
};

/*
 * Fills in `error` and returns false, so that a failing function can end in
 * `return error_set(...)`. With os_errno != 0 its text is appended: "...: No such file".
 */
bool error_set(struct error *error, enum error_code code, int os_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "context: " in front of the message and returns false. */
bool error_add_context(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define WARN_UNUSED __attribute__((warn_unused_result))

#endif
