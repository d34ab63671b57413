// SPDX-License-Identifier: Apache-2.0
#include "p9_client.h"

#include <check.h>
#include <string.h>

enum { CLIENT_MESSAGE_BYTES = 16384, ANY_UID = 0, READ_MOST = 4096 };

void client_begin(struct p9_client *client, enum p9_type type)
{
    client->out = (struct p9_writer){.start = client->request, .room_bytes = CLIENT_BYTES};
    p9_write_u32(&client->out, 0);
    p9_write_u8(&client->out, (uint8_t)type);
    p9_write_u16(&client->out, CLIENT_TAG);
}

static void begin_with_fid(struct p9_client *client, enum p9_type type, uint32_t fid)
{
    client_begin(client, type);
    p9_write_u32(&client->out, fid);
}

void client_put_text(struct p9_client *client, const char *text)
{
    p9_write_text(&client->out, text, strlen(text));
}

int client_send(struct p9_client *client)
{
    uint8_t type = client->request[sizeof(uint32_t)];

    ck_assert(!client->out.bad);
    p9_patch_u32(&client->out, 0, (uint32_t)client->out.used_bytes);
    size_t length = p9_server_answer(client->server, client->request, client->out.used_bytes,
                                     client->answer, client->room_bytes);

    ck_assert_uint_ge(length, P9_HEADER_BYTES);
    client->in = (struct p9_reader){.at = client->answer, .left_bytes = length};
    ck_assert_uint_eq(p9_read_u32(&client->in), length);
    uint8_t answered = p9_read_u8(&client->in);
    ck_assert_uint_eq(p9_read_u16(&client->in), CLIENT_TAG);
    if (answered != P9_RLERROR) {
        ck_assert_uint_eq(answered, type + 1U);
        return 0;
    }
    int code = (int)p9_read_u32(&client->in);
    ck_assert_int_ne(code, 0);
    return code;
}

void client_start(struct p9_client *client, const char *path, bool read_only)
{
    struct error error = {0};

    *client = (struct p9_client){.room_bytes = CLIENT_BYTES};
    client->server = p9_server_create(path, read_only, &error);
    ck_assert_msg(client->server, "%s", error.message);
    client_begin(client, P9_TVERSION);
    p9_write_u32(&client->out, CLIENT_MESSAGE_BYTES);
    client_put_text(client, P9_VERSION);
    ck_assert_int_eq(client_send(client), 0);
    ck_assert_uint_eq(p9_read_u32(&client->in), CLIENT_MESSAGE_BYTES);
    begin_with_fid(client, P9_TATTACH, CLIENT_ROOT);
    p9_write_u32(&client->out, P9_NO_FID);
    client_put_text(client, "root");
    client_put_text(client, "");
    p9_write_u32(&client->out, ANY_UID);
    ck_assert_int_eq(client_send(client), 0);
}

void client_finish(struct p9_client *client)
{
    p9_server_destroy(client->server);
}

int client_walk(struct p9_client *client, uint32_t fid, uint32_t new_fid, const char *path)
{
    size_t count_at;
    uint16_t count = 0;

    begin_with_fid(client, P9_TWALK, fid);
    p9_write_u32(&client->out, new_fid);
    count_at = client->out.used_bytes;
    p9_write_u16(&client->out, 0);
    while (*path) {
        size_t length = strcspn(path, "/");

        p9_write_text(&client->out, path, length);
        count++;
        path += length + (path[length] == '/');
    }
    memcpy(client->request + count_at, &count, sizeof(count));
    int code = client_send(client);

    if (code == 0 && p9_read_u16(&client->in) != count)
        return 2; /* ENOENT */
    return code;
}

int client_clunk(struct p9_client *client, uint32_t fid)
{
    begin_with_fid(client, P9_TCLUNK, fid);
    return client_send(client);
}

int client_open(struct p9_client *client, uint32_t fid, uint32_t flags)
{
    begin_with_fid(client, P9_TLOPEN, fid);
    p9_write_u32(&client->out, flags);
    return client_send(client);
}

int client_create(struct p9_client *client, uint32_t fid, const char *name, uint32_t flags,
                  uint32_t mode)
{
    begin_with_fid(client, P9_TLCREATE, fid);
    client_put_text(client, name);
    p9_write_u32(&client->out, flags);
    p9_write_u32(&client->out, mode);
    p9_write_u32(&client->out, ANY_UID);
    return client_send(client);
}

int client_write(struct p9_client *client, uint32_t fid, uint64_t offset, const char *text)
{
    begin_with_fid(client, P9_TWRITE, fid);
    p9_write_u64(&client->out, offset);
    p9_write_u32(&client->out, (uint32_t)strlen(text));
    memcpy(p9_write_space(&client->out, strlen(text)), text, strlen(text));
    int code = client_send(client);

    if (code == 0)
        ck_assert_uint_eq(p9_read_u32(&client->in), strlen(text));
    return code;
}

int client_read(struct p9_client *client, uint32_t fid, uint64_t offset, char *text, size_t room)
{
    begin_with_fid(client, P9_TREAD, fid);
    p9_write_u64(&client->out, offset);
    p9_write_u32(&client->out, (uint32_t)room - 1);
    int code = client_send(client);

    if (code)
        return code;
    uint32_t count = p9_read_u32(&client->in);

    ck_assert_uint_lt(count, room);
    memcpy(text, p9_read_bytes(&client->in, count), count);
    text[count] = '\0';
    return 0;
}

int client_mkdir(struct p9_client *client, uint32_t fid, const char *name, uint32_t mode)
{
    begin_with_fid(client, P9_TMKDIR, fid);
    client_put_text(client, name);
    p9_write_u32(&client->out, mode);
    p9_write_u32(&client->out, ANY_UID);
    return client_send(client);
}

int client_symlink(struct p9_client *client, uint32_t fid, const char *name, const char *target)
{
    begin_with_fid(client, P9_TSYMLINK, fid);
    client_put_text(client, name);
    client_put_text(client, target);
    p9_write_u32(&client->out, ANY_UID);
    return client_send(client);
}

int client_mknod(struct p9_client *client, uint32_t fid, const char *name, uint32_t mode)
{
    begin_with_fid(client, P9_TMKNOD, fid);
    client_put_text(client, name);
    p9_write_u32(&client->out, mode);
    p9_write_u32(&client->out, 1);
    p9_write_u32(&client->out, 3);
    p9_write_u32(&client->out, ANY_UID);
    return client_send(client);
}

int client_link(struct p9_client *client, uint32_t directory, uint32_t fid, const char *name)
{
    begin_with_fid(client, P9_TLINK, directory);
    p9_write_u32(&client->out, fid);
    client_put_text(client, name);
    return client_send(client);
}

int client_rename(struct p9_client *client, uint32_t fid, uint32_t directory, const char *name)
{
    begin_with_fid(client, P9_TRENAME, fid);
    p9_write_u32(&client->out, directory);
    client_put_text(client, name);
    return client_send(client);
}

int client_renameat(struct p9_client *client, uint32_t from, const char *name, uint32_t to,
                    const char *new_name)
{
    begin_with_fid(client, P9_TRENAMEAT, from);
    client_put_text(client, name);
    p9_write_u32(&client->out, to);
    client_put_text(client, new_name);
    return client_send(client);
}

int client_unlinkat(struct p9_client *client, uint32_t fid, const char *name, uint32_t flags)
{
    begin_with_fid(client, P9_TUNLINKAT, fid);
    client_put_text(client, name);
    p9_write_u32(&client->out, flags);
    return client_send(client);
}

int client_remove(struct p9_client *client, uint32_t fid)
{
    begin_with_fid(client, P9_TREMOVE, fid);
    return client_send(client);
}

int client_readlink(struct p9_client *client, uint32_t fid, char *target, size_t room)
{
    begin_with_fid(client, P9_TREADLINK, fid);
    int code = client_send(client);

    if (code)
        return code;
    struct p9_text text = p9_read_text(&client->in);

    ck_assert_uint_lt(text.length, room);
    memcpy(target, text.bytes, text.length);
    target[text.length] = '\0';
    return 0;
}

static void put_attributes(struct p9_client *client, uint32_t fid, uint32_t valid, uint32_t mode,
                           uint64_t size)
{
    begin_with_fid(client, P9_TSETATTR, fid);
    p9_write_u32(&client->out, valid);
    p9_write_u32(&client->out, mode);
    p9_write_u32(&client->out, 0);
    p9_write_u32(&client->out, 0);
    p9_write_u64(&client->out, size);
    for (int i = 0; i < 4; i++)
        p9_write_u64(&client->out, 0);
}

int client_chmod(struct p9_client *client, uint32_t fid, uint32_t mode)
{
    put_attributes(client, fid, P9_SETATTR_MODE, mode, 0);
    return client_send(client);
}

int client_truncate(struct p9_client *client, uint32_t fid, uint64_t size)
{
    put_attributes(client, fid, P9_SETATTR_SIZE, 0, size);
    return client_send(client);
}

/* Takes what one answer has; returns the offset to go on at. */
static uint64_t take_entries(struct p9_client *client, char *names, size_t room)
{
    uint64_t offset = 0;

    while (client->in.left_bytes > 0) {
        (void)p9_read_bytes(&client->in, P9_QID_BYTES);
        offset = p9_read_u64(&client->in);
        (void)p9_read_u8(&client->in);
        struct p9_text name = p9_read_text(&client->in);

        ck_assert(!client->in.bad);
        ck_assert_uint_lt(strlen(names) + name.length + 2, room);
        strncat(names, name.bytes, name.length);
        strcat(names, " ");
    }
    return offset;
}

int client_list(struct p9_client *client, uint32_t fid, char *names, size_t room)
{
    uint64_t offset = 0;
    uint32_t count;

    names[0] = '\0';
    do {
        begin_with_fid(client, P9_TREADDIR, fid);
        p9_write_u64(&client->out, offset);
        p9_write_u32(&client->out, READ_MOST);
        int code = client_send(client);

        if (code)
            return code;
        count = p9_read_u32(&client->in);
        ck_assert_uint_le(count, READ_MOST);
        ck_assert_uint_eq(count, client->in.left_bytes);
        offset = take_entries(client, names, room);
    } while (count > 0);
    return 0;
}
