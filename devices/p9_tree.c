// SPDX-License-Identifier: Apache-2.0
/* Messages about the tree: attaching, walking, attributes, and changes of directories. */
#include <errno.h>
#include <string.h>

#include "p9_server_internal.h"

static struct p9_files *files_of(const struct p9_call *call)
{
    return &call->server->files;
}

int p9_attach(struct p9_call *call)
{
    struct p9_node *root = files_of(call)->root;
    uint32_t number = p9_read_u32(&call->in);
    struct p9_qid qid;

    (void)p9_read_u32(&call->in);  /* afid: there is no authentication */
    (void)p9_read_text(&call->in); /* names of user and tree: there is one tree */
    (void)p9_read_text(&call->in);
    uint32_t uid = p9_read_u32(&call->in);
    if (call->in.bad)
        return EPROTO;
    int code = p9_node_qid(files_of(call), root, &qid);
    if (code == 0)
        code = p9_fid_add(call->server, number, p9_node_get(root), uid);
    if (code == 0)
        p9_write_qid(&call->out, &qid);
    return code;
}

/* Walks while it can; that the first name isn't there is an error, later ones end the walk. */
static int walk_names(struct p9_call *call, uint16_t count, struct p9_node **node, uint16_t *walked)
{
    for (*walked = 0; *walked < count; ++*walked) {
        struct p9_node *next = NULL;
        struct p9_qid qid;
        struct p9_text name = p9_read_text(&call->in);
        int code = call->in.bad ? EPROTO : p9_files_walk(files_of(call), *node, name, &next);

        if (code)
            return *walked == 0 || code == EPROTO ? code : 0;
        p9_node_put(files_of(call), *node);
        *node = next;
        code = p9_node_qid(files_of(call), next, &qid);
        if (code)
            return code;
        p9_write_qid(&call->out, &qid);
    }
    return 0;
}

int p9_walk(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);
    uint32_t new_number = p9_read_u32(&call->in);
    uint16_t count = p9_read_u16(&call->in);
    size_t count_at = call->out.used_bytes;
    uint16_t walked = 0;

    if (code || call->in.bad)
        return code ? code : EPROTO;
    if (count > P9_MOST_WALK)
        return EINVAL;
    p9_write_u16(&call->out, count);
    struct p9_node *node = p9_node_get(fid->node);
    code = walk_names(call, count, &node, &walked);
    if (code || call->out.bad || walked < count) {
        p9_node_put(files_of(call), node);
        if (code == 0 && !call->out.bad)
            memcpy(call->out.start + count_at, &walked, sizeof(walked));
        return code;
    }
    if (new_number != fid->number)
        return p9_fid_add(call->server, new_number, node, fid->uid);
    if (fid->file != P9_NO_FILE) {
        p9_node_put(files_of(call), node);
        return EBUSY;
    }
    p9_node_put(files_of(call), fid->node);
    fid->node = node;
    return 0;
}

int p9_clunk(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);

    if (code == 0)
        p9_fid_remove(call->server, fid);
    return code;
}

/* The fid is gone, whether the file is or not. */
int p9_remove(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);

    if (code)
        return code;
    code = p9_files_unlink_node(files_of(call), fid->node);
    p9_fid_remove(call->server, fid);
    return code;
}

/* ---- attributes ---- */

int p9_statfs(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct statfs status;
    uint64_t id = 0;
    int code = p9_take_fid(call, &fid);

    if (code == 0)
        code = p9_node_statfs(fid->node, &status);
    if (code)
        return code;
    memcpy(&id, &status.f_fsid, sizeof(id));
    p9_write_u32(&call->out, (uint32_t)status.f_type);
    p9_write_u32(&call->out, (uint32_t)status.f_bsize);
    p9_write_u64(&call->out, status.f_blocks);
    p9_write_u64(&call->out, status.f_bfree);
    p9_write_u64(&call->out, status.f_bavail);
    p9_write_u64(&call->out, status.f_files);
    p9_write_u64(&call->out, status.f_ffree);
    p9_write_u64(&call->out, id);
    p9_write_u32(&call->out, P9_NAME_BYTES);
    return 0;
}

static void put_time(struct p9_writer *out, struct timespec time)
{
    p9_write_u64(out, (uint64_t)time.tv_sec);
    p9_write_u64(out, (uint64_t)time.tv_nsec);
}

int p9_getattr(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct stat status;
    struct p9_qid qid;
    int code = p9_take_fid(call, &fid);

    (void)p9_read_u64(&call->in); /* what is wanted: all that is known is told */
    if (code == 0)
        code = p9_node_stat(fid->node, &status);
    if (code == 0)
        code = p9_node_qid(files_of(call), fid->node, &qid);
    if (code)
        return code;
    p9_write_u64(&call->out, P9_GETATTR_BASIC);
    p9_write_qid(&call->out, &qid);
    p9_write_u32(&call->out, status.st_mode);
    p9_write_u32(&call->out, status.st_uid);
    p9_write_u32(&call->out, status.st_gid);
    p9_write_u64(&call->out, status.st_nlink);
    p9_write_u64(&call->out, status.st_rdev);
    p9_write_u64(&call->out, (uint64_t)status.st_size);
    p9_write_u64(&call->out, (uint64_t)status.st_blksize);
    p9_write_u64(&call->out, (uint64_t)status.st_blocks);
    put_time(&call->out, status.st_atim);
    put_time(&call->out, status.st_mtim);
    put_time(&call->out, status.st_ctim);
    put_time(&call->out, (struct timespec){0}); /* creation, not among the basic ones */
    p9_write_u64(&call->out, 0);                /* generation */
    p9_write_u64(&call->out, 0);                /* version of the data */
    return 0;
}

static struct timespec take_time(struct p9_call *call)
{
    uint64_t seconds = p9_read_u64(&call->in);
    uint64_t nanoseconds = p9_read_u64(&call->in);

    return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds};
}

/* utimensat(2) has values of its own beyond a second. */
static bool is_time(struct timespec time)
{
    return time.tv_nsec >= 0 && time.tv_nsec < 1000000000;
}

int p9_setattr(struct p9_call *call)
{
    struct p9_attributes attributes = {0};
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);

    attributes.valid = p9_read_u32(&call->in);
    attributes.mode = p9_read_u32(&call->in);
    attributes.uid = p9_read_u32(&call->in);
    attributes.gid = p9_read_u32(&call->in);
    attributes.size = p9_read_u64(&call->in);
    attributes.accessed = take_time(call);
    attributes.modified = take_time(call);
    if (code || call->in.bad)
        return code ? code : EPROTO;
    if ((attributes.valid & P9_SETATTR_ATIME_SET && !is_time(attributes.accessed)) ||
        (attributes.valid & P9_SETATTR_MTIME_SET && !is_time(attributes.modified)))
        return EINVAL;
    return p9_node_set(files_of(call), fid->node, fid->file, &attributes);
}

int p9_readlink(struct p9_call *call)
{
    char target[P9_PATH_BYTES];
    struct p9_fid *fid = NULL;
    size_t length = 0;
    int code = p9_take_fid(call, &fid);

    if (code == 0)
        code = p9_node_read_link(fid->node, target, sizeof(target), &length);
    if (code == 0)
        p9_write_text(&call->out, target, length);
    return code;
}

/* ---- changes ---- */

static int answer_made(struct p9_call *call, int code, const struct p9_qid *qid)
{
    if (code == 0)
        p9_write_qid(&call->out, qid);
    return code;
}

int p9_symlink(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct p9_qid qid;
    int code = p9_take_fid(call, &fid);
    struct p9_text name = p9_read_text(&call->in);
    struct p9_text target = p9_read_text(&call->in);
    uint32_t gid = p9_read_u32(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    code = p9_files_make_link(files_of(call), fid->node, name, target,
                              (struct p9_owner){fid->uid, gid}, &qid);
    return answer_made(call, code, &qid);
}

int p9_mknod(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct p9_qid qid;
    int code = p9_take_fid(call, &fid);
    struct p9_text name = p9_read_text(&call->in);
    uint32_t mode = p9_read_u32(&call->in);

    (void)p9_read_u64(&call->in); /* the device's numbers: there are none for devices */
    uint32_t gid = p9_read_u32(&call->in);
    if (code || call->in.bad)
        return code ? code : EPROTO;
    code = p9_files_make_node(files_of(call), fid->node, name, mode,
                              (struct p9_owner){fid->uid, gid}, &qid);
    return answer_made(call, code, &qid);
}

int p9_mkdir(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct p9_qid qid;
    int code = p9_take_fid(call, &fid);
    struct p9_text name = p9_read_text(&call->in);
    uint32_t mode = p9_read_u32(&call->in);
    uint32_t gid = p9_read_u32(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    code = p9_files_make_directory(files_of(call), fid->node, name, mode,
                                   (struct p9_owner){fid->uid, gid}, &qid);
    return answer_made(call, code, &qid);
}

int p9_link(struct p9_call *call)
{
    struct p9_fid *directory = NULL;
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &directory);

    if (code == 0)
        code = p9_take_fid(call, &fid);
    if (code)
        return code;
    struct p9_text name = p9_read_text(&call->in);
    return call->in.bad ? EPROTO : p9_files_link(files_of(call), directory->node, fid->node, name);
}

int p9_rename(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    struct p9_fid *directory = NULL;
    int code = p9_take_fid(call, &fid);

    if (code == 0)
        code = p9_take_fid(call, &directory);
    if (code)
        return code;
    struct p9_text name = p9_read_text(&call->in);
    return call->in.bad ? EPROTO
                        : p9_files_rename_node(files_of(call), fid->node, directory->node, name);
}

int p9_renameat(struct p9_call *call)
{
    struct p9_fid *from = NULL;
    struct p9_fid *to = NULL;
    int code = p9_take_fid(call, &from);
    struct p9_text from_name = p9_read_text(&call->in);

    if (code == 0)
        code = p9_take_fid(call, &to);
    if (code)
        return code;
    struct p9_text to_name = p9_read_text(&call->in);
    return call->in.bad ? EPROTO
                        : p9_files_rename(files_of(call), from->node, from_name, to->node, to_name);
}

int p9_unlinkat(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);
    struct p9_text name = p9_read_text(&call->in);
    uint32_t flags = p9_read_u32(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    return p9_files_unlink(files_of(call), fid->node, name, flags & P9_UNLINK_DIRECTORY);
}
