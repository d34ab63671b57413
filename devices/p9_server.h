// SPDX-License-Identifier: Apache-2.0
/*
 * A file server of 9P2000.L: one session, one message after the other, on one directory.
 *
 * It knows nothing of how messages travel. What a client sends may be anything: it is answered with
 * an error, or not at all if there is no telling what it was. The client's fids are bounded by the
 * host's limit of open files, all else that it can make the server keep by the size of a message.
 *
 * One thread at a time. p9_server_answer() may sleep.
 */
#ifndef DEVICES_P9_SERVER_H
#define DEVICES_P9_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/device.h"
#include "armlet/error.h"

struct p9_server;

/* Since the server was created. Bytes are of files, those of messages about them aside. */
enum p9_counter {
    P9_REQUESTS, /* messages that were answered, also with an error */
    P9_READ_BYTES,
    P9_WRITTEN_BYTES,
    P9_ERRORS, /* answers that are one; that a file isn't there is the most usual */
    P9_COUNTERS,
};

/* Fails with ERROR_FILE or ERROR_HOST. */
struct p9_server *p9_server_create(const char *path, bool read_only,
                                   struct error *error) WARN_UNUSED;
void p9_server_destroy(struct p9_server *server); /* NULL is allowed */

/* P9_COUNTERS of them, in the order of enum p9_counter; they last as long as the server. */
const struct device_counter *p9_server_counters(const struct p9_server *server);

/*
 * Writes the answer to one message and returns its length, at most `room`; 0: there is none. The
 * bytes of the request are the server's alone meanwhile.
 */
size_t p9_server_answer(struct p9_server *server, const uint8_t *request, size_t request_bytes,
                        uint8_t *answer, size_t room);

#endif
