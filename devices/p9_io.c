// SPDX-License-Identifier: Apache-2.0
/* Open files: reading, writing, listing, locking. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "p9_server_internal.h"

enum { LIST_BYTES = 32768 /* of what the host says about a directory at once */ };

/* linux/dirent.h, struct linux_dirent64 */
struct host_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size_bytes;
    uint8_t type;
    char name[];
};

/* The fid that the message names next, which has to be open. */
static int take_open_fid(struct p9_call *call, struct p9_fid **fid)
{
    int code = p9_take_fid(call, fid);

    return code == 0 && (*fid)->file == P9_NO_FILE ? EBADF : code;
}

/* What reading, writing and listing begin with. */
struct stretch {
    struct p9_fid *fid;
    uint64_t offset;
    uint32_t count;
};

static int take_stretch(struct p9_call *call, struct stretch *stretch)
{
    int code = take_open_fid(call, &stretch->fid);

    stretch->offset = p9_read_u64(&call->in);
    stretch->count = p9_read_u32(&call->in);
    return code || !call->in.bad ? code : EPROTO;
}

static int answer_open(struct p9_call *call, const struct p9_fid *fid)
{
    struct p9_qid qid;
    int code = p9_node_qid(&call->server->files, fid->node, &qid);

    if (code)
        return code;
    p9_write_qid(&call->out, &qid);
    p9_write_u32(&call->out, 0); /* iounit: what a message holds */
    return 0;
}

int p9_lopen(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = p9_take_fid(call, &fid);
    uint32_t flags = p9_read_u32(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    if (fid->file != P9_NO_FILE)
        return EBUSY;
    code = p9_files_open_node(&call->server->files, fid->node, flags, &fid->file);
    return code ? code : answer_open(call, fid);
}

/* The fid, which was the directory's, is the file's then. */
int p9_lcreate(struct p9_call *call)
{
    struct p9_files *files = &call->server->files;
    struct p9_fid *fid = NULL;
    struct p9_node *node = NULL;
    int code = p9_take_fid(call, &fid);
    struct p9_text name = p9_read_text(&call->in);
    uint32_t flags = p9_read_u32(&call->in);
    uint32_t mode = p9_read_u32(&call->in);
    uint32_t gid = p9_read_u32(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    if (fid->file != P9_NO_FILE)
        return EBUSY;
    code = p9_files_create(files, fid->node, name, flags, mode, (struct p9_owner){fid->uid, gid},
                           &node, &fid->file);
    if (code) {
        fid->file = P9_NO_FILE;
        return code;
    }
    p9_node_put(files, fid->node);
    fid->node = node;
    return answer_open(call, fid);
}

int p9_read(struct p9_call *call)
{
    struct stretch from = {0};
    int code = take_stretch(call, &from);
    size_t count_at = call->out.used_bytes;

    if (code)
        return code;
    if (from.offset > INT64_MAX)
        return EINVAL;
    p9_write_u32(&call->out, 0);
    size_t room = call->out.bad ? 0 : call->out.room_bytes - call->out.used_bytes;
    ssize_t got = pread(from.fid->file, call->out.start + call->out.used_bytes,
                        from.count < room ? from.count : room, (off_t)from.offset);
    if (got < 0)
        return errno;
    (void)p9_write_space(&call->out, (size_t)got);
    p9_patch_u32(&call->out, count_at, (uint32_t)got);
    p9_count(call->server, P9_READ_BYTES, (uint64_t)got);
    return 0;
}

int p9_write(struct p9_call *call)
{
    struct stretch to = {0};
    int code = take_stretch(call, &to);
    const uint8_t *bytes = p9_read_bytes(&call->in, to.count);

    if (code || !bytes)
        return code ? code : EPROTO;
    if (to.offset > INT64_MAX)
        return EFBIG;
    ssize_t done = pwrite(to.fid->file, bytes, to.count, (off_t)to.offset);
    if (done < 0)
        return errno;
    p9_write_u32(&call->out, (uint32_t)done);
    p9_count(call->server, P9_WRITTEN_BYTES, (uint64_t)done);
    return 0;
}

/* ---- directories ---- */

static uint8_t qid_type_of(uint8_t host_type)
{
    switch (host_type) {
    case DT_DIR:
        return P9_QID_DIRECTORY;
    case DT_LNK:
        return P9_QID_SYMLINK;
    default:
        return P9_QID_FILE;
    }
}

/* False: it doesn't fit any more. */
static bool put_entry(struct p9_call *call, const struct p9_fid *fid,
                      const struct host_entry *entry, size_t end)
{
    size_t length = strlen(entry->name);
    const struct p9_qid qid = {
        .type = qid_type_of(entry->type),
        .path = p9_files_path(&call->server->files, fid->node->device, entry->inode),
    };

    if (P9_DIRENT_BYTES + length > end - call->out.used_bytes)
        return false;
    p9_write_qid(&call->out, &qid);
    p9_write_u64(&call->out, (uint64_t)entry->offset);
    p9_write_u8(&call->out, entry->type);
    p9_write_text(&call->out, entry->name, length);
    return true;
}

/* Entries until there are no more, or no room. The host is asked anew each time. */
static int list(struct p9_call *call, const struct p9_fid *fid, size_t end)
{
    _Alignas(struct host_entry) char buffer[LIST_BYTES];
    size_t room = end - call->out.used_bytes;
    /* What the host says of an entry is a little shorter than what the message does. */
    long got =
        syscall(SYS_getdents64, fid->file, buffer, room < sizeof(buffer) ? room : sizeof(buffer));
    const struct host_entry *entry;

    if (got < 0)
        return errno;
    for (long at = 0; at < got; at += entry->size_bytes) {
        entry = (const void *)(buffer + at);
        if (!put_entry(call, fid, entry, end))
            return at > 0 ? 0 : EINVAL; /* nothing at all would be the end */
    }
    return 0;
}

int p9_readdir(struct p9_call *call)
{
    struct stretch from = {0};
    int code = take_stretch(call, &from);
    const struct p9_fid *fid = from.fid;
    size_t count_at = call->out.used_bytes;

    if (code)
        return code;
    if (fid->node->type != S_IFDIR)
        return ENOTDIR;
    p9_write_u32(&call->out, 0);
    if (call->out.bad)
        return EMSGSIZE;
    size_t start = call->out.used_bytes;
    size_t room = call->out.room_bytes - start;
    if (!fid->node->sealed) {
        if (lseek(fid->file, (off_t)from.offset, SEEK_SET) < 0)
            return errno;
        code = list(call, fid, start + (from.count < room ? from.count : room));
    }
    p9_patch_u32(&call->out, count_at, (uint32_t)(call->out.used_bytes - start));
    return code;
}

/* ---- the rest ---- */

int p9_fsync(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = take_open_fid(call, &fid);
    /* Clients before Linux 3.4 don't say whether the data are enough. */
    uint32_t data_only = call->in.left_bytes >= sizeof(uint32_t) ? p9_read_u32(&call->in) : 0;

    if (code)
        return code;
    return (data_only ? fdatasync(fid->file) : fsync(fid->file)) == 0 ? 0 : errno;
}

static short host_lock_type(uint8_t type)
{
    static const short types[] = {
        [P9_LOCK_READ] = F_RDLCK, [P9_LOCK_WRITE] = F_WRLCK, [P9_LOCK_NONE] = F_UNLCK};

    return types[type <= P9_LOCK_NONE ? type : P9_LOCK_NONE];
}

/* A lock of the open file's (fcntl(2), F_OFD_SETLK), as messages have it. */
static bool take_lock(struct p9_call *call, uint8_t type, struct flock *lock)
{
    uint64_t start = p9_read_u64(&call->in);
    uint64_t length = p9_read_u64(&call->in);

    *lock = (struct flock){
        .l_type = host_lock_type(type),
        .l_whence = SEEK_SET,
        .l_start = (off_t)start,
        .l_len = (off_t)length,
    };
    return type <= P9_LOCK_NONE && start <= INT64_MAX && length <= INT64_MAX;
}

int p9_lock(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = take_open_fid(call, &fid);
    uint8_t type = p9_read_u8(&call->in);
    struct flock lock;

    (void)p9_read_u32(&call->in); /* a lock is never waited for: the client asks again */
    bool good = take_lock(call, type, &lock);
    (void)p9_read_u32(&call->in); /* whose it is matters among processes of the guest alone */
    (void)p9_read_text(&call->in);
    if (code || call->in.bad)
        return code ? code : EPROTO;
    if (!good)
        return EINVAL;
    enum p9_lock_status status = P9_LOCK_SUCCESS;
    if (fcntl(fid->file, F_OFD_SETLK, &lock) != 0)
        status = errno == EAGAIN || errno == EACCES ? P9_LOCK_BLOCKED : P9_LOCK_ERROR;
    p9_write_u8(&call->out, (uint8_t)status);
    return 0;
}

int p9_getlock(struct p9_call *call)
{
    struct p9_fid *fid = NULL;
    int code = take_open_fid(call, &fid);
    uint8_t type = p9_read_u8(&call->in);
    struct flock lock;
    bool good = take_lock(call, type, &lock);
    uint32_t process = p9_read_u32(&call->in);
    struct p9_text client = p9_read_text(&call->in);

    if (code || call->in.bad)
        return code ? code : EPROTO;
    if (!good || type == P9_LOCK_NONE)
        return EINVAL;
    if (fcntl(fid->file, F_OFD_GETLK, &lock) != 0)
        return errno;
    p9_write_u8(&call->out, lock.l_type == F_RDLCK   ? P9_LOCK_READ
                            : lock.l_type == F_WRLCK ? P9_LOCK_WRITE
                                                     : P9_LOCK_NONE);
    p9_write_u64(&call->out, (uint64_t)lock.l_start);
    p9_write_u64(&call->out, (uint64_t)lock.l_len);
    p9_write_u32(&call->out, process);
    p9_write_text(&call->out, client.bytes, client.length);
    return 0;
}
