// SPDX-License-Identifier: Apache-2.0
/* What the files of the server share: fids, and the handlers of messages. */
#ifndef DEVICES_P9_SERVER_INTERNAL_H
#define DEVICES_P9_SERVER_INTERNAL_H

#include "armlet/counters.h"
#include "p9_files.h"
#include "p9_message.h"
#include "p9_server.h"

enum { P9_BUCKETS = 1024, P9_NO_FILE = -1 };

struct p9_fid {
    uint32_t number, uid;
    struct p9_node *node;
    int file; /* open for reading or writing, or P9_NO_FILE */
    struct p9_fid *next;
};

struct p9_server {
    struct p9_files files;
    uint32_t message_bytes; /* the longest message; 0: no version was agreed on */
    struct p9_fid *buckets[P9_BUCKETS];
    size_t fid_count;
    struct device_counter counters[P9_COUNTERS];
};

/* A message being answered. Handlers return 0 or the errno that the client gets. */
struct p9_call {
    struct p9_server *server;
    struct p9_reader in;
    struct p9_writer out;
};

typedef int p9_handler(struct p9_call *call);

static inline void p9_count(struct p9_server *server, enum p9_counter counter, uint64_t amount)
{
    counter_add(&server->counters[counter].value, amount);
}

struct p9_fid *p9_fid_find(struct p9_server *server, uint32_t number);
/* Takes over the reference to the node, also when it fails. */
int p9_fid_add(struct p9_server *server, uint32_t number, struct p9_node *node,
               uint32_t uid) WARN_UNUSED;
void p9_fid_remove(struct p9_server *server, struct p9_fid *fid);

/* The fid that the message names next; EBADF: there is none. */
int p9_take_fid(struct p9_call *call, struct p9_fid **fid) WARN_UNUSED;

/* p9_io.c: open files */
p9_handler p9_lopen, p9_lcreate, p9_read, p9_write, p9_readdir, p9_fsync, p9_lock, p9_getlock;
/* p9_tree.c: everything else that has a fid */
p9_handler p9_attach, p9_walk, p9_clunk, p9_remove, p9_statfs, p9_getattr, p9_setattr, p9_symlink,
    p9_mknod, p9_mkdir, p9_link, p9_rename, p9_renameat, p9_unlinkat, p9_readlink;

#endif
