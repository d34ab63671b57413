// SPDX-License-Identifier: Apache-2.0
/*
 * A client of the file server, without a transport: a request is built field by field, sent, and
 * its answer read. Functions for usual requests return 0 or the errno that the server answered.
 */
#ifndef TESTS_P9_CLIENT_H
#define TESTS_P9_CLIENT_H

#include "devices/p9_message.h"
#include "devices/p9_server.h"

enum { CLIENT_BYTES = 65536, CLIENT_TAG = 7, CLIENT_ROOT = 0 };

struct p9_client {
    struct p9_server *server;
    struct p9_writer out;
    struct p9_reader in; /* the answer, behind its header */
    uint32_t room_bytes; /* for answers */
    uint8_t request[CLIENT_BYTES], answer[CLIENT_BYTES];
};

/* Agrees on a version, and attaches the root as CLIENT_ROOT. */
void client_start(struct p9_client *client, const char *path, bool read_only);
void client_finish(struct p9_client *client);

void client_begin(struct p9_client *client, enum p9_type type);
void client_put_text(struct p9_client *client, const char *text);
/* Checks that the answer is one, of the request's type or an error. */
int client_send(struct p9_client *client);

/* `path` is names with slashes between them, "" for the fid itself. ENOENT: not all the way. */
int client_walk(struct p9_client *client, uint32_t fid, uint32_t new_fid, const char *path);
int client_clunk(struct p9_client *client, uint32_t fid);
int client_open(struct p9_client *client, uint32_t fid, uint32_t flags);
int client_create(struct p9_client *client, uint32_t fid, const char *name, uint32_t flags,
                  uint32_t mode);
int client_write(struct p9_client *client, uint32_t fid, uint64_t offset, const char *text);
/* What was read ends with a zero. */
int client_read(struct p9_client *client, uint32_t fid, uint64_t offset, char *text, size_t room);
int client_mkdir(struct p9_client *client, uint32_t fid, const char *name, uint32_t mode);
int client_symlink(struct p9_client *client, uint32_t fid, const char *name, const char *target);
int client_mknod(struct p9_client *client, uint32_t fid, const char *name, uint32_t mode);
int client_link(struct p9_client *client, uint32_t directory, uint32_t fid, const char *name);
int client_rename(struct p9_client *client, uint32_t fid, uint32_t directory, const char *name);
int client_renameat(struct p9_client *client, uint32_t from, const char *name, uint32_t to,
                    const char *new_name);
int client_unlinkat(struct p9_client *client, uint32_t fid, const char *name, uint32_t flags);
int client_remove(struct p9_client *client, uint32_t fid);
int client_readlink(struct p9_client *client, uint32_t fid, char *target, size_t room);
int client_chmod(struct p9_client *client, uint32_t fid, uint32_t mode);
int client_truncate(struct p9_client *client, uint32_t fid, uint64_t size);
/* The names of a directory, each followed by a blank, sorted as the host has them. */
int client_list(struct p9_client *client, uint32_t fid, char *names, size_t room);

#endif
