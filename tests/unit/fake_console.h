// SPDX-License-Identifier: Apache-2.0
/* The console contract without threads: output is kept, input is offered when the test says so. */
#ifndef TESTS_FAKE_CONSOLE_H
#define TESTS_FAKE_CONSOLE_H

#include "armlet/console.h"

enum { FAKE_CONSOLE_OUTPUT_BYTES = 256 };

struct console {
    struct console_client client;
    char output[FAKE_CONSOLE_OUTPUT_BYTES]; /* what fits, ended by NUL */
    size_t output_count;                    /* all that was put */
    _Atomic bool full; /* console_put() returns false; a device's thread looks at it */
    unsigned resumes;  /* calls of console_resume_input() */
    unsigned collects; /* calls of console_collect() */
};

/* Offers bytes to the client; returns how many it took. */
size_t fake_console_type(struct console *console, const char *bytes);

/* Has room again and tells the client. */
void fake_console_drain(struct console *console);

#endif
