// SPDX-License-Identifier: Apache-2.0
/* What p9_files.c and p9_changes.c share. Errors and threads as in p9_files.h. */
#ifndef DEVICES_P9_FILES_INTERNAL_H
#define DEVICES_P9_FILES_INTERNAL_H

#include "p9_files.h"

enum { P9_DESCRIPTOR_BYTES = 12 };

/* The name of a descriptor in /proc/self/fd; returns `name`. */
const char *p9_descriptor_name(int fd, char name[static P9_DESCRIPTOR_BYTES]);

/* openat2(2) of one name beneath a directory, following nothing; -1 and errno. */
int p9_open_beneath(int directory, const char *name, uint64_t flags, uint32_t mode) WARN_UNUSED;

/* Of a regular file, for flags of enum p9_open_flag that affect one that is open. */
int p9_host_flags(uint32_t flags);

/* The name of an entry, which "." and ".." are not. */
int p9_copy_name(struct p9_text text, char name[static P9_NAME_BYTES + 1]) WARN_UNUSED;

/* The node of such a name. */
int p9_find(struct p9_files *files, struct p9_node *directory, const char *name,
            struct p9_node **child) WARN_UNUSED;

/* Whether a node, or what is in it, may be changed. */
int p9_check_change(const struct p9_files *files, const struct p9_node *node) WARN_UNUSED;

mode_t p9_allowed_mode(mode_t type, uint32_t mode);
int p9_set_mode(const struct p9_files *files, const struct p9_node *node,
                uint32_t mode) WARN_UNUSED;
int p9_set_owner(const struct p9_files *files, const struct p9_node *node, uid_t uid,
                 gid_t gid) WARN_UNUSED;

#endif
