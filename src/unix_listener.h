// SPDX-License-Identifier: Apache-2.0
/*
 * A Unix socket that others connect to: only its owner may, it replaces what a killed armlet left
 * behind and nothing else, and it goes away with armlet, however that ends. I/O thread.
 */
#ifndef ARMLET_SRC_UNIX_LISTENER_H
#define ARMLET_SRC_UNIX_LISTENER_H

#include <sys/types.h>

#include "armlet/error.h"
#include "guardian.h"

struct unix_listener {
    int fd;           /* listening, non-blocking; -1: none */
    const char *path; /* as given to unix_listener_open(), which it has to outlive */
    dev_t device;     /* what is at `path`, as long as it is ours */
    ino_t inode;
    struct guardian guardian;
};

/*
 * Fails with ERROR_FILE or ERROR_HOST, and says which socket couldn't be made. What was made until
 * then is released by unix_listener_close() all the same.
 */
bool unix_listener_open(struct unix_listener *listener, const char *path,
                        struct error *error) WARN_UNUSED;
/* Allowed on a zeroed listener, and twice. */
void unix_listener_close(struct unix_listener *listener);

#endif
