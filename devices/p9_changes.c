// SPDX-License-Identifier: Apache-2.0
/* Making, renaming and removing entries of directories. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "p9_files.h"
#include "p9_files_internal.h"

/* The name of an entry to change. */
static int check_entry(const struct p9_files *files, const struct p9_node *directory,
                       struct p9_text text, char name[static P9_NAME_BYTES + 1])
{
    int code = p9_check_change(files, directory);

    if (code == 0 && directory->type != S_IFDIR)
        code = ENOTDIR;
    return code ? code : p9_copy_name(text, name);
}

/* Gives what was just made its owner and its mode, whatever armlet's umask is. */
static int dress(const struct p9_files *files, const struct p9_node *node, uint32_t mode,
                 struct p9_owner owner)
{
    int code = p9_set_owner(files, node, owner.uid, owner.gid);

    return code || node->type == S_IFLNK ? code : p9_set_mode(files, node, mode);
}

/* What is made has to be found, and dressed; if that can't be, it mustn't be made. */
static int check_making(const struct p9_files *files, const struct p9_node *directory,
                        struct p9_text text, char name[static P9_NAME_BYTES + 1])
{
    int code = check_entry(files, directory, text, name);

    if (code)
        return code;
    if (files->node_count >= files->node_limit)
        return ENFILE;
    int spare = fcntl(directory->fd, F_DUPFD_CLOEXEC, 0);

    if (spare < 0)
        return errno;
    (void)close(spare);
    return 0;
}

/* After something of a type was made: finds it, and tells its qid. */
static int finish_making(struct p9_files *files, struct p9_node *directory, const char *name,
                         mode_t type, uint32_t mode, struct p9_owner owner, struct p9_qid *qid)
{
    struct p9_node *node = NULL;
    int code = p9_find(files, directory, name, &node);

    if (code)
        return code;
    /* Another one may have put something else in its place. */
    code = node->type == type ? dress(files, node, mode, owner) : ESTALE;
    if (code == 0)
        code = p9_node_qid(files, node, qid);
    p9_node_put(files, node);
    return code;
}

/* A file that is there: it is opened as any other, so that no device or FIFO is. */
static int open_existing(struct p9_files *files, struct p9_node *directory, const char *name,
                         uint32_t flags, struct p9_node **child, int *fd)
{
    int code = p9_find(files, directory, name, child);

    if (code)
        return code;
    code = p9_files_open_node(files, *child, flags, fd);
    if (code)
        p9_node_put(files, *child);
    return code;
}

/* What was just made: finds it, and gives it its owner and mode. */
static int finish_creating(struct p9_files *files, struct p9_node *directory, const char *name,
                           uint32_t mode, struct p9_owner owner, int made, struct p9_node **child)
{
    struct stat status;
    int code = p9_find(files, directory, name, child);

    if (code)
        return code;
    if (fstat(made, &status) != 0)
        code = errno;
    else if (status.st_dev != (*child)->device || status.st_ino != (*child)->inode)
        code = ESTALE; /* another one has put something else in its place */
    else
        code = dress(files, *child, mode, owner);
    if (code)
        p9_node_put(files, *child);
    return code;
}

/* A request that fails leaves nothing behind; but what another one has put in its place stays. */
static void undo_creating(const struct p9_node *directory, const char *name, int made)
{
    struct stat status;
    struct stat there;

    if (fstat(made, &status) == 0 &&
        fstatat(directory->fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_dev == there.st_dev && status.st_ino == there.st_ino)
        (void)unlinkat(directory->fd, name, 0);
    (void)close(made);
}

int p9_files_create(struct p9_files *files, struct p9_node *directory, struct p9_text text,
                    uint32_t flags, uint32_t mode, struct p9_owner owner, struct p9_node **child,
                    int *fd)
{
    char name[P9_NAME_BYTES + 1];
    int code = check_entry(files, directory, text, name);

    if (code)
        return code;
    if ((flags & P9_OPEN_ACCESS) == P9_OPEN_ACCESS)
        return EINVAL;
    /* Who makes a file has it open as asked, even if its mode lets nobody open it so again. */
    int made =
        p9_open_beneath(directory->fd, name, (uint64_t)p9_host_flags(flags) | O_CREAT | O_EXCL,
                        p9_allowed_mode(S_IFREG, mode));
    if (made < 0 && (errno != EEXIST || flags & P9_OPEN_EXCLUSIVE))
        return errno;
    if (made < 0)
        return open_existing(files, directory, name, flags & ~(uint32_t)P9_OPEN_EXCLUSIVE, child,
                             fd);
    code = finish_creating(files, directory, name, mode, owner, made, child);
    if (code)
        undo_creating(directory, name, made);
    else
        *fd = made;
    return code;
}

int p9_files_make_directory(struct p9_files *files, struct p9_node *directory, struct p9_text text,
                            uint32_t mode, struct p9_owner owner, struct p9_qid *qid)
{
    char name[P9_NAME_BYTES + 1];
    int code = check_making(files, directory, text, name);

    if (code)
        return code;
    if (mkdirat(directory->fd, name, p9_allowed_mode(S_IFDIR, mode)) != 0)
        return errno;
    return finish_making(files, directory, name, S_IFDIR, mode, owner, qid);
}

int p9_files_make_link(struct p9_files *files, struct p9_node *directory, struct p9_text text,
                       struct p9_text target_text, struct p9_owner owner, struct p9_qid *qid)
{
    char name[P9_NAME_BYTES + 1];
    char target[P9_PATH_BYTES];
    int code = check_making(files, directory, text, name);

    if (code)
        return code;
    if (target_text.length >= sizeof(target))
        return ENAMETOOLONG;
    if (memchr(target_text.bytes, '\0', target_text.length))
        return EINVAL;
    memcpy(target, target_text.bytes, target_text.length);
    target[target_text.length] = '\0';
    if (symlinkat(target, directory->fd, name) != 0)
        return errno;
    return finish_making(files, directory, name, S_IFLNK, 0, owner, qid);
}

int p9_files_make_node(struct p9_files *files, struct p9_node *directory, struct p9_text text,
                       uint32_t mode, struct p9_owner owner, struct p9_qid *qid)
{
    char name[P9_NAME_BYTES + 1];
    mode_t type = (mode_t)mode & S_IFMT;
    int code = check_making(files, directory, text, name);

    if (code)
        return code;
    if (type == 0)
        type = S_IFREG;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
        return EPERM;
    if (mknodat(directory->fd, name, type | p9_allowed_mode(type, mode), 0) != 0)
        return errno;
    return finish_making(files, directory, name, type, mode, owner, qid);
}

int p9_files_link(struct p9_files *files, struct p9_node *directory, struct p9_node *node,
                  struct p9_text text)
{
    char name[P9_NAME_BYTES + 1];
    char descriptor[P9_DESCRIPTOR_BYTES];
    int code = check_entry(files, directory, text, name);

    if (code == 0 && node->type == S_IFDIR)
        code = EPERM;
    if (code)
        return code;
    return linkat(files->descriptors, p9_descriptor_name(node->fd, descriptor), directory->fd, name,
                  AT_SYMLINK_FOLLOW) == 0
               ? 0
               : errno;
}

int p9_files_rename(struct p9_files *files, struct p9_node *from, struct p9_text from_text,
                    struct p9_node *to, struct p9_text to_text)
{
    char from_name[P9_NAME_BYTES + 1];
    char to_name[P9_NAME_BYTES + 1];
    int code = check_entry(files, from, from_text, from_name);

    if (code == 0)
        code = check_entry(files, to, to_text, to_name);
    if (code)
        return code;
    return renameat(from->fd, from_name, to->fd, to_name) == 0 ? 0 : errno;
}

int p9_files_unlink(struct p9_files *files, struct p9_node *directory, struct p9_text text,
                    bool is_directory)
{
    char name[P9_NAME_BYTES + 1];
    int code = check_entry(files, directory, text, name);

    if (code)
        return code;
    return unlinkat(directory->fd, name, is_directory ? AT_REMOVEDIR : 0) == 0 ? 0 : errno;
}

/* ---- by node ---- */

/* Whether the name that a node was found by still means it. */
static int check_name(const struct p9_node *node)
{
    struct stat status;

    if (!node->parent)
        return EBUSY;
    if (fstatat(node->parent->fd, node->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    return status.st_dev == node->device && status.st_ino == node->inode ? 0 : ESTALE;
}

static struct p9_text name_of(const struct p9_node *node)
{
    return (struct p9_text){node->name, strlen(node->name)};
}

/* As far as nodes know: directories that moved meanwhile must not make a ring of them. */
static bool is_beneath(const struct p9_node *node, const struct p9_node *ancestor)
{
    while (node && node != ancestor)
        node = node->parent;
    return node;
}

int p9_files_rename_node(struct p9_files *files, struct p9_node *node, struct p9_node *to,
                         struct p9_text to_text)
{
    int code = is_beneath(to, node) ? EINVAL : check_name(node);
    char *name = code ? NULL : strndup(to_text.bytes, to_text.length);

    if (code == 0)
        code = name ? p9_files_rename(files, node->parent, name_of(node), to, to_text) : ENOMEM;
    if (code) {
        free(name);
        return code;
    }
    struct p9_node *parent = node->parent;

    free(node->name);
    node->name = name;
    node->parent = p9_node_get(to);
    p9_node_put(files, parent);
    return 0;
}

int p9_files_unlink_node(struct p9_files *files, struct p9_node *node)
{
    int code = check_name(node);

    return code ? code : p9_files_unlink(files, node->parent, name_of(node), node->type == S_IFDIR);
}
