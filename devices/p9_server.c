// SPDX-License-Identifier: Apache-2.0
/* The session: fids, versions, and who handles which message. */
#include "p9_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "p9_server_internal.h"

/* ---- fids ---- */

static struct p9_fid **place_of(struct p9_server *server, uint32_t number)
{
    struct p9_fid **place = &server->buckets[number % P9_BUCKETS];

    while (*place && (*place)->number != number)
        place = &(*place)->next;
    return place;
}

struct p9_fid *p9_fid_find(struct p9_server *server, uint32_t number)
{
    return *place_of(server, number);
}

int p9_fid_add(struct p9_server *server, uint32_t number, struct p9_node *node, uint32_t uid)
{
    struct p9_fid **place = place_of(server, number);
    struct p9_fid *fid = NULL;
    int code = 0;

    if (*place || number == P9_NO_FID)
        code = EBADF;
    else if (server->fid_count >= server->files.node_limit)
        code = ENFILE;
    else if (!(fid = calloc(1, sizeof(*fid))))
        code = ENOMEM;
    if (!fid) {
        p9_node_put(&server->files, node);
        return code;
    }
    *fid = (struct p9_fid){.number = number, .uid = uid, .node = node, .file = P9_NO_FILE};
    *place = fid;
    server->fid_count++;
    return 0;
}

void p9_fid_remove(struct p9_server *server, struct p9_fid *fid)
{
    *place_of(server, fid->number) = fid->next;
    if (fid->file != P9_NO_FILE)
        (void)close(fid->file);
    p9_node_put(&server->files, fid->node);
    free(fid);
    server->fid_count--;
}

int p9_take_fid(struct p9_call *call, struct p9_fid **fid)
{
    uint32_t number = p9_read_u32(&call->in);

    *fid = call->in.bad ? NULL : p9_fid_find(call->server, number);
    return *fid ? 0 : EBADF;
}

static void drop_fids(struct p9_server *server)
{
    for (size_t i = 0; i < P9_BUCKETS; i++)
        while (server->buckets[i])
            p9_fid_remove(server, server->buckets[i]);
}

/* ---- messages ---- */

/* Whatever was before is over (version(5)). */
static int version(struct p9_call *call)
{
    uint32_t size_bytes = p9_read_u32(&call->in);
    struct p9_text name = p9_read_text(&call->in);
    const char *agreed = P9_VERSION;

    if (call->in.bad)
        return EPROTO;
    if (size_bytes < P9_LEAST_MESSAGE_BYTES)
        return EMSGSIZE;
    if (size_bytes > P9_MOST_MESSAGE_BYTES)
        size_bytes = P9_MOST_MESSAGE_BYTES;
    drop_fids(call->server);
    call->server->message_bytes = size_bytes;
    if (name.length != strlen(P9_VERSION) || memcmp(name.bytes, P9_VERSION, name.length) != 0) {
        call->server->message_bytes = 0;
        agreed = P9_VERSION_UNKNOWN;
    }
    p9_write_u32(&call->out, size_bytes);
    p9_write_text(&call->out, agreed, strlen(agreed));
    return 0;
}

/* Messages are answered in order: what is to be flushed has been answered. */
static int flush(struct p9_call *call)
{
    (void)p9_read_u16(&call->in);
    return 0;
}

static int refuse(struct p9_call *call)
{
    (void)call;
    return EOPNOTSUPP;
}

static p9_handler *handler_of(uint8_t type)
{
    static p9_handler *const handlers[P9_TYPE_COUNT] = {
        [P9_TVERSION] = version,      [P9_TAUTH] = refuse,          [P9_TFLUSH] = flush,
        [P9_TXATTRWALK] = refuse,     [P9_TXATTRCREATE] = refuse,   [P9_TATTACH] = p9_attach,
        [P9_TWALK] = p9_walk,         [P9_TCLUNK] = p9_clunk,       [P9_TREMOVE] = p9_remove,
        [P9_TSTATFS] = p9_statfs,     [P9_TGETATTR] = p9_getattr,   [P9_TSETATTR] = p9_setattr,
        [P9_TSYMLINK] = p9_symlink,   [P9_TMKNOD] = p9_mknod,       [P9_TMKDIR] = p9_mkdir,
        [P9_TLINK] = p9_link,         [P9_TRENAME] = p9_rename,     [P9_TRENAMEAT] = p9_renameat,
        [P9_TUNLINKAT] = p9_unlinkat, [P9_TREADLINK] = p9_readlink, [P9_TLOPEN] = p9_lopen,
        [P9_TLCREATE] = p9_lcreate,   [P9_TREAD] = p9_read,         [P9_TWRITE] = p9_write,
        [P9_TREADDIR] = p9_readdir,   [P9_TFSYNC] = p9_fsync,       [P9_TLOCK] = p9_lock,
        [P9_TGETLOCK] = p9_getlock,
    };

    return type < P9_TYPE_COUNT && handlers[type] ? handlers[type] : refuse;
}

static void start_answer(struct p9_writer *out, uint8_t type, uint16_t tag)
{
    out->used_bytes = 0;
    out->bad = false;
    p9_write_u32(out, 0); /* its size, once that is known */
    p9_write_u8(out, type);
    p9_write_u16(out, tag);
}

size_t p9_server_answer(struct p9_server *server, const uint8_t *request, size_t request_bytes,
                        uint8_t *answer, size_t room)
{
    struct p9_call call = {
        .server = server,
        .in = {.at = request, .left_bytes = request_bytes},
        .out = {.start = answer, .room_bytes = room},
    };
    uint32_t size_bytes = p9_read_u32(&call.in);
    uint8_t type = p9_read_u8(&call.in);
    uint16_t tag = p9_read_u16(&call.in);

    if (call.in.bad)
        return 0;
    /* Until a version is agreed on, messages are of the least size. */
    size_t most_bytes = server->message_bytes ? server->message_bytes : P9_LEAST_MESSAGE_BYTES;
    int code = 0;

    if (room > most_bytes)
        call.out.room_bytes = most_bytes;
    start_answer(&call.out, (uint8_t)(type + 1), tag);
    if (size_bytes < P9_HEADER_BYTES || size_bytes > request_bytes || size_bytes > most_bytes ||
        (type != P9_TVERSION && server->message_bytes == 0)) {
        code = EPROTO;
    } else {
        call.in.left_bytes = size_bytes - P9_HEADER_BYTES;
        code = handler_of(type)(&call);
    }
    if (code == 0 && call.out.bad)
        code = EMSGSIZE;
    if (code) {
        start_answer(&call.out, P9_RLERROR, tag);
        p9_write_u32(&call.out, (uint32_t)code);
    }
    if (call.out.bad)
        return 0;
    p9_count(server, P9_REQUESTS, 1);
    p9_count(server, P9_ERRORS, code != 0);
    p9_patch_u32(&call.out, 0, (uint32_t)call.out.used_bytes);
    return call.out.used_bytes;
}

/* ---- from create to destroy ---- */

struct p9_server *p9_server_create(const char *path, bool read_only, struct error *error)
{
    static const char *const names[P9_COUNTERS] = {
        [P9_REQUESTS] = "requests",
        [P9_READ_BYTES] = "read_bytes",
        [P9_WRITTEN_BYTES] = "written_bytes",
        [P9_ERRORS] = "errors",
    };
    struct p9_server *server = calloc(1, sizeof(*server));

    if (!server) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a file server");
        return NULL;
    }
    for (size_t i = 0; i < P9_COUNTERS; i++)
        server->counters[i].name = names[i];
    if (p9_files_open(&server->files, path, read_only, error))
        return server;
    free(server);
    return NULL;
}

const struct device_counter *p9_server_counters(const struct p9_server *server)
{
    return server->counters;
}

void p9_server_destroy(struct p9_server *server)
{
    if (!server)
        return;
    drop_fids(server);
    p9_files_close(&server->files);
    free(server);
}
