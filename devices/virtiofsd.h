// SPDX-License-Identifier: Apache-2.0
/*
 * virtiofsd(1): a process that serves a directory of the host's, confined to it by namespaces of
 * its own. Both programs of that name will do, QEMU's former one and that of its successors.
 *
 * It ends when its socket is closed, however armlet ended. I/O thread, but for what it says.
 */
#ifndef DEVICES_VIRTIOFSD_H
#define DEVICES_VIRTIOFSD_H

#include <stdbool.h>
#include <sys/types.h>

#include "armlet/error.h"
#include "armlet/log.h"
#include "vhost_user.h"

enum { VIRTIOFSD_LINE_BYTES = 256 };

struct virtiofsd {
    pid_t pid;                             /* 0: none */
    int socket;                            /* to it */
    int messages;                          /* what it prints; non-blocking */
    char last_words[VIRTIOFSD_LINE_BYTES]; /* of that, the last line; "": nothing */
    struct vhost_user back_end;
};

/* Starts one for a directory and says hello. What it complains of is quoted. */
bool virtiofsd_start(struct virtiofsd *self, const char *directory,
                     struct error *error) WARN_UNUSED;
/* Ends it and waits for that. Allowed if none was started, on zeroed memory too. */
void virtiofsd_stop(struct virtiofsd *self);

/* Takes what it has printed, for the log of those who ask for much. Any thread, one at a time. */
void virtiofsd_listen(struct virtiofsd *self, struct log *log);

#endif
