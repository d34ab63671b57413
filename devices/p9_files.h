// SPDX-License-Identifier: Apache-2.0
/*
 * The files of one directory of the host's, and nothing beyond it.
 *
 * A node is an object of the tree, held open with O_PATH: by it, and never by a path, all else is
 * done. Nodes are found one name at a time, beneath a node (openat2(2) with RESOLVE_BENEATH,
 * RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS), so that neither "..", nor a symbolic link, nor
 * one that is put in place meanwhile leads anywhere else. Only regular files and directories are
 * ever opened: no device, no FIFO that would block, no socket. File systems that are the kernel's
 * own interfaces (proc, sysfs and their like), where they are mounted below the directory, look
 * like empty directories.
 *
 * Set-user-ID and set-group-ID bits never reach files of the host's. Unless armlet is root, what it
 * makes is its user's, and changes of owners are taken and forgotten. What a host's process moves
 * out of the directory stays within reach of a node that was there before, as with any open file.
 *
 * Functions return 0 or an errno. One thread at a time. They may sleep.
 */
#ifndef DEVICES_P9_FILES_H
#define DEVICES_P9_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "armlet/error.h"
#include "p9.h"
#include "p9_message.h"

enum { P9_MOST_FILE_SYSTEMS = 64 /* below one directory */ };

struct p9_node {
    int fd;                 /* O_PATH, whatever the object is; of a symbolic link the link */
    unsigned references;    /* of fids, and of children */
    struct p9_node *parent; /* of the root NULL */
    bool sealed;            /* a file system of the kernel's: nothing beneath it is shown */
    dev_t device;
    ino_t inode;
    mode_t type; /* S_IFMT */
    char *name;  /* that it was found by, in its parent */
};

struct p9_files {
    struct p9_node *root;
    int descriptors; /* /proc/self/fd */
    bool read_only;
    bool owns_all; /* runs as root: objects get the owner that the guest says */
    size_t node_count, node_limit;
    dev_t devices[P9_MOST_FILE_SYSTEMS]; /* that were met so far */
    size_t device_count;
};

/* New objects belong to them, if armlet may say so. */
struct p9_owner {
    uint32_t uid, gid;
};

struct p9_attributes {
    uint32_t valid; /* of enum p9_setattr */
    uint32_t mode, uid, gid;
    uint64_t size;
    struct timespec accessed, modified;
};

/* Fails with ERROR_FILE if `path` isn't a directory that can be used. */
bool p9_files_open(struct p9_files *files, const char *path, bool read_only,
                   struct error *error) WARN_UNUSED;
/* All nodes but the root were let go. */
void p9_files_close(struct p9_files *files);

struct p9_node *p9_node_get(struct p9_node *node); /* one reference more */
void p9_node_put(struct p9_files *files, struct p9_node *node);

/* The node of `name` in a directory, with a reference. ".." of the root is the root. */
int p9_files_walk(struct p9_files *files, struct p9_node *node, struct p9_text name,
                  struct p9_node **child) WARN_UNUSED;

int p9_node_stat(const struct p9_node *node, struct stat *status) WARN_UNUSED;
int p9_node_qid(struct p9_files *files, const struct p9_node *node, struct p9_qid *qid) WARN_UNUSED;
/* If `file` is the node, open for writing, its size is set by that, whatever its mode; or -1. */
int p9_node_set(struct p9_files *files, struct p9_node *node, int file,
                const struct p9_attributes *attributes) WARN_UNUSED;
int p9_node_statfs(const struct p9_node *node, struct statfs *status) WARN_UNUSED;
/* At most `room` bytes of a symbolic link's target, and how many. */
int p9_node_read_link(const struct p9_node *node, char *target, size_t room,
                      size_t *length) WARN_UNUSED;

/* A descriptor to read or write; `flags` of enum p9_open_flag. */
int p9_files_open_node(const struct p9_files *files, const struct p9_node *node, uint32_t flags,
                       int *fd) WARN_UNUSED;
/* A regular file, made unless it is there. */
int p9_files_create(struct p9_files *files, struct p9_node *directory, struct p9_text name,
                    uint32_t flags, uint32_t mode, struct p9_owner owner, struct p9_node **child,
                    int *fd) WARN_UNUSED;
int p9_files_make_directory(struct p9_files *files, struct p9_node *directory, struct p9_text name,
                            uint32_t mode, struct p9_owner owner, struct p9_qid *qid) WARN_UNUSED;
int p9_files_make_link(struct p9_files *files, struct p9_node *directory, struct p9_text name,
                       struct p9_text target, struct p9_owner owner,
                       struct p9_qid *qid) WARN_UNUSED;
/* A regular file, FIFO or socket: devices are refused. */
int p9_files_make_node(struct p9_files *files, struct p9_node *directory, struct p9_text name,
                       uint32_t mode, struct p9_owner owner, struct p9_qid *qid) WARN_UNUSED;
/* Another name for an object. */
int p9_files_link(struct p9_files *files, struct p9_node *directory, struct p9_node *node,
                  struct p9_text name) WARN_UNUSED;
int p9_files_rename(struct p9_files *files, struct p9_node *from, struct p9_text from_name,
                    struct p9_node *to, struct p9_text to_name) WARN_UNUSED;
int p9_files_unlink(struct p9_files *files, struct p9_node *directory, struct p9_text name,
                    bool is_directory) WARN_UNUSED;
/* The same by the name that the node was found by, if it still is the object of that name. */
int p9_files_rename_node(struct p9_files *files, struct p9_node *node, struct p9_node *to,
                         struct p9_text to_name) WARN_UNUSED;
int p9_files_unlink_node(struct p9_files *files, struct p9_node *node) WARN_UNUSED;

/* Of what getdents64(2) gives: the object's number, as its node's qid would have it. */
uint64_t p9_files_path(struct p9_files *files, dev_t device, ino_t inode);

#endif
