// SPDX-License-Identifier: Apache-2.0
/* Finding nodes, and what is done to a node by itself; p9_changes.c has what changes directories.
 */
#include "p9_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "p9_files_internal.h"

enum {
    NO_FILE = -1,
    MOST_NODES = 262144,
    LEAST_NODES = 16,
    NODES_SHARE = 8, /* of the descriptors that the process may have, at most one of so many */
    DEVICE_SHIFT = 56,
};

/* What linux/magic.h of some hosts doesn't have yet. */
#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570
#endif
#ifndef FUSE_CTL_SUPER_MAGIC
#define FUSE_CTL_SUPER_MAGIC 0x65735543
#endif
#define MQUEUE_SUPER_MAGIC 0x19800202
#define RPC_PIPEFS_MAGIC   0x67596969

int p9_open_beneath(int directory, const char *name, uint64_t flags, uint32_t mode)
{
    const struct open_how how = {
        .flags = flags | O_NOFOLLOW | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
}

/* The object itself again, by another kind of descriptor: the one link of /proc that is followed.
 */
static int reopen(const struct p9_files *files, int fd, int flags)
{
    char name[P9_DESCRIPTOR_BYTES];

    return openat(files->descriptors, p9_descriptor_name(fd, name), flags | O_CLOEXEC);
}

const char *p9_descriptor_name(int fd, char name[static P9_DESCRIPTOR_BYTES])
{
    (void)snprintf(name, P9_DESCRIPTOR_BYTES, "%d", fd);
    return name;
}

/* ---- nodes ---- */

/* File systems by which processes talk to the kernel, and not files. */
static bool is_kernels_own(int fd)
{
    static const unsigned long magics[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,        DEBUGFS_MAGIC,        TRACEFS_MAGIC,
        SECURITYFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,  BPF_FS_MAGIC,
        DEVPTS_SUPER_MAGIC, SELINUX_MAGIC,      PSTOREFS_MAGIC,       EFIVARFS_MAGIC,
        BINFMTFS_MAGIC,     CONFIGFS_MAGIC,     FUSE_CTL_SUPER_MAGIC, MQUEUE_SUPER_MAGIC,
        RPC_PIPEFS_MAGIC,   AUTOFS_SUPER_MAGIC, NSFS_MAGIC,
    };
    struct statfs status;

    if (fstatfs(fd, &status) != 0)
        return true;
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if ((unsigned long)status.f_type == magics[i])
            return true;
    return false;
}

/* Takes over `fd`, also when it fails. */
static int make_node(struct p9_files *files, int fd, struct p9_node *parent, const char *name,
                     struct p9_node **made)
{
    struct stat status;
    struct p9_node *node = NULL;
    int code = 0;

    if (fstat(fd, &status) != 0)
        code = errno;
    else if (files->node_count >= files->node_limit)
        code = ENFILE;
    else if (!(node = calloc(1, sizeof(*node))) || !(node->name = strdup(name)))
        code = ENOMEM;
    if (code || !node) {
        free(node);
        (void)close(fd);
        return code;
    }
    node->fd = fd;
    node->references = 1;
    node->parent = parent ? p9_node_get(parent) : NULL;
    node->device = status.st_dev;
    node->inode = status.st_ino;
    node->type = status.st_mode & S_IFMT;
    node->sealed = parent && parent->device != node->device && is_kernels_own(fd);
    files->node_count++;
    *made = node;
    return 0;
}

struct p9_node *p9_node_get(struct p9_node *node)
{
    node->references++;
    return node;
}

void p9_node_put(struct p9_files *files, struct p9_node *node)
{
    while (node && --node->references == 0) {
        struct p9_node *parent = node->parent;

        (void)close(node->fd);
        free(node->name);
        free(node);
        files->node_count--;
        node = parent;
    }
}

int p9_copy_name(struct p9_text text, char name[static P9_NAME_BYTES + 1])
{
    if (text.length > P9_NAME_BYTES)
        return ENAMETOOLONG;
    if (text.length == 0 || memchr(text.bytes, '/', text.length) ||
        memchr(text.bytes, '\0', text.length))
        return EINVAL;
    memcpy(name, text.bytes, text.length);
    name[text.length] = '\0';
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? EINVAL : 0;
}

int p9_find(struct p9_files *files, struct p9_node *directory, const char *name,
            struct p9_node **child)
{
    if (directory->sealed)
        return ENOENT;
    int fd = p9_open_beneath(directory->fd, name, O_PATH, 0);

    return fd < 0 ? errno : make_node(files, fd, directory, name, child);
}

int p9_files_walk(struct p9_files *files, struct p9_node *node, struct p9_text text,
                  struct p9_node **child)
{
    char name[P9_NAME_BYTES + 1];

    if (node->type != S_IFDIR)
        return ENOTDIR;
    if (text.length == 2 && memcmp(text.bytes, "..", 2) == 0) {
        *child = p9_node_get(node->parent ? node->parent : node);
        return 0;
    }
    int code = p9_copy_name(text, name);

    return code ? code : p9_find(files, node, name, child);
}

/* ---- what a node is ---- */

/* Numbers of different file systems are told apart by their upper bits. */
uint64_t p9_files_path(struct p9_files *files, dev_t device, ino_t inode)
{
    size_t index = 0;

    while (index < files->device_count && files->devices[index] != device)
        index++;
    if (index == files->device_count && index < P9_MOST_FILE_SYSTEMS)
        files->devices[files->device_count++] = device;
    return (uint64_t)inode ^ (uint64_t)index << DEVICE_SHIFT;
}

int p9_node_stat(const struct p9_node *node, struct stat *status)
{
    return fstat(node->fd, status) == 0 ? 0 : errno;
}

int p9_node_qid(struct p9_files *files, const struct p9_node *node, struct p9_qid *qid)
{
    struct stat status;
    int code = p9_node_stat(node, &status);

    if (code)
        return code;
    *qid = (struct p9_qid){
        .type = S_ISDIR(status.st_mode)   ? P9_QID_DIRECTORY
                : S_ISLNK(status.st_mode) ? P9_QID_SYMLINK
                                          : P9_QID_FILE,
        .version = (uint32_t)status.st_mtim.tv_sec ^ (uint32_t)status.st_mtim.tv_nsec ^
                   (uint32_t)status.st_size << 8,
        .path = p9_files_path(files, status.st_dev, status.st_ino),
    };
    return 0;
}

int p9_node_statfs(const struct p9_node *node, struct statfs *status)
{
    return fstatfs(node->fd, status) == 0 ? 0 : errno;
}

int p9_node_read_link(const struct p9_node *node, char *target, size_t room, size_t *length)
{
    if (node->type != S_IFLNK)
        return EINVAL;
    ssize_t count = readlinkat(node->fd, "", target, room);

    if (count < 0)
        return errno;
    *length = (size_t)count;
    return 0;
}

/* ---- opening ---- */

int p9_host_flags(uint32_t flags)
{
    int host = O_NONBLOCK | O_NOCTTY;

    host |= flags & P9_OPEN_TRUNCATE ? O_TRUNC : 0;
    host |= flags & P9_OPEN_APPEND ? O_APPEND : 0;
    host |= (flags & P9_OPEN_SYNC) == P9_OPEN_SYNC ? O_SYNC : 0;
    host |= flags & P9_OPEN_DATA_SYNC ? O_DSYNC : 0;
    switch (flags & P9_OPEN_ACCESS) {
    case P9_OPEN_WRITE_ONLY:
        return host | O_WRONLY;
    case P9_OPEN_READ_WRITE:
        return host | O_RDWR;
    default:
        return host | O_RDONLY;
    }
}

static bool wants_to_write(uint32_t flags)
{
    return (flags & P9_OPEN_ACCESS) != P9_OPEN_READ_ONLY || flags & P9_OPEN_TRUNCATE;
}

int p9_files_open_node(const struct p9_files *files, const struct p9_node *node, uint32_t flags,
                       int *fd)
{
    if ((flags & P9_OPEN_ACCESS) == P9_OPEN_ACCESS)
        return EINVAL;
    if (node->type == S_IFLNK)
        return ELOOP;
    if (node->type != S_IFREG && node->type != S_IFDIR)
        return EACCES;
    if (wants_to_write(flags) && node->type == S_IFDIR)
        return EISDIR;
    if (wants_to_write(flags) && files->read_only)
        return EROFS;
    int opened = reopen(files, node->fd,
                        node->type == S_IFDIR ? O_RDONLY | O_DIRECTORY : p9_host_flags(flags));
    if (opened < 0)
        return errno;
    *fd = opened;
    return 0;
}

/* ---- attributes ---- */

mode_t p9_allowed_mode(mode_t type, uint32_t mode)
{
    mode_t kept = type == S_IFDIR ? 03777 : 01777;

    return (mode_t)mode & kept;
}

static bool is_open_for_writing(int file)
{
    int flags = file == NO_FILE ? O_RDONLY : fcntl(file, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static int set_size(const struct p9_files *files, const struct p9_node *node, int file,
                    uint64_t size)
{
    int fd = NO_FILE;

    if (node->type != S_IFREG)
        return node->type == S_IFDIR ? EISDIR : EINVAL;
    if (size > INT64_MAX)
        return EFBIG;
    if (is_open_for_writing(file))
        return ftruncate(file, (off_t)size) == 0 ? 0 : errno;
    int code = p9_files_open_node(files, node, P9_OPEN_WRITE_ONLY, &fd);
    if (code)
        return code;
    code = ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
    (void)close(fd);
    return code;
}

int p9_set_owner(const struct p9_files *files, const struct p9_node *node, uid_t uid, gid_t gid)
{
    return !files->owns_all || fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

int p9_set_mode(const struct p9_files *files, const struct p9_node *node, uint32_t mode)
{
    char name[P9_DESCRIPTOR_BYTES];

    if (node->type == S_IFLNK)
        return EOPNOTSUPP;
    return fchmodat(files->descriptors, p9_descriptor_name(node->fd, name),
                    p9_allowed_mode(node->type, mode), 0) == 0
               ? 0
               : errno;
}

static struct timespec new_time(uint32_t valid, uint32_t change, uint32_t given,
                                struct timespec time)
{
    if (!(valid & change))
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    return valid & given ? time : (struct timespec){.tv_nsec = UTIME_NOW};
}

static int set_times(const struct p9_node *node, const struct p9_attributes *attributes)
{
    const struct timespec times[] = {
        new_time(attributes->valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET, attributes->accessed),
        new_time(attributes->valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET, attributes->modified),
    };

    return utimensat(node->fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

int p9_node_set(struct p9_files *files, struct p9_node *node, int file,
                const struct p9_attributes *attributes)
{
    uint32_t valid = attributes->valid;
    int code = p9_check_change(files, node);

    if (code == 0 && valid & P9_SETATTR_SIZE)
        code = set_size(files, node, file, attributes->size);
    if (code == 0 && valid & (P9_SETATTR_UID | P9_SETATTR_GID))
        code = p9_set_owner(files, node, valid & P9_SETATTR_UID ? attributes->uid : (uid_t)-1,
                            valid & P9_SETATTR_GID ? attributes->gid : (gid_t)-1);
    if (code == 0 && valid & P9_SETATTR_MODE)
        code = p9_set_mode(files, node, attributes->mode);
    if (code == 0 && valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME))
        code = set_times(node, attributes);
    return code;
}

int p9_check_change(const struct p9_files *files, const struct p9_node *node)
{
    if (files->read_only)
        return EROFS;
    return node->sealed ? EACCES : 0;
}

/* ---- the tree ---- */

/* Nodes are descriptors: as many as the host allows are allowed, and the limit is a part of it. */
static size_t choose_limit(void)
{
    struct rlimit limit = {0};
    rlim_t most = LEAST_NODES;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        most = limit.rlim_cur / NODES_SHARE;
    }
    if (most > MOST_NODES)
        return MOST_NODES;
    return most < LEAST_NODES ? LEAST_NODES : (size_t)most;
}

static int open_root(struct p9_files *files, const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? errno : make_node(files, fd, NULL, "/", &files->root);
}

/* Tells now, and not at the guest's first request, what this host lacks. */
static bool check_host(const struct p9_files *files, struct error *error)
{
    int fd = p9_open_beneath(files->root->fd, ".", O_PATH, 0);

    if (fd < 0)
        return error_set(error, ERROR_HOST, errno,
                         "openat2 failed, which directories are shared with (Linux 5.8)");
    (void)close(fd);
    int again = reopen(files, files->root->fd, O_RDONLY | O_DIRECTORY);
    if (again < 0)
        return error_set(error, ERROR_FILE, errno, "cannot read it");
    (void)close(again);
    return true;
}

bool p9_files_open(struct p9_files *files, const char *path, bool read_only, struct error *error)
{
    *files = (struct p9_files){
        .descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .read_only = read_only,
        .owns_all = geteuid() == 0,
        .node_limit = choose_limit(),
    };
    if (files->descriptors < 0)
        return error_set(error, ERROR_HOST, errno, "cannot open /proc/self/fd");
    int code = open_root(files, path);
    if (code)
        (void)error_set(error, ERROR_FILE, code, "cannot open it as a directory");
    if (!code && check_host(files, error))
        return true;
    p9_files_close(files);
    return false;
}

void p9_files_close(struct p9_files *files)
{
    p9_node_put(files, files->root);
    files->root = NULL;
    if (files->descriptors >= 0)
        (void)close(files->descriptors);
    files->descriptors = NO_FILE;
}
