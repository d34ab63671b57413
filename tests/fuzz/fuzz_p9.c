// SPDX-License-Identifier: Apache-2.0
/*
 * The file server, and a client that the input is: messages that are mostly of the protocol's form,
 * with few fids and few names, on a small directory that is made anew each time; the first byte
 * says whether it is read-only. Some messages are raw bytes. What is outside has to be as it
 * was.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/p9_message.h"
#include "devices/p9_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MESSAGE_BYTES = 4096,
    ANSWER_BYTES = 8192,
    MOST_MESSAGES = 64,
    FIDS = 6,
    SECRET_BYTES = 6,
};

struct input {
    const uint8_t *at;
    size_t left_bytes;
};

static uint8_t take(struct input *input)
{
    if (input->left_bytes == 0)
        return 0;
    input->left_bytes--;
    return *input->at++;
}

/* ---- the world ---- */

static char top[] = "/tmp/armlet-fuzz-p9-XXXXXX";

static void in_top(char *path, size_t room, const char *name)
{
    (void)snprintf(path, room, "%s/%s", top, name);
}

static void put_file(const char *name, const char *content)
{
    char path[128];

    in_top(path, sizeof(path), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content) || close(fd) != 0)
        abort();
}

static void remove_top(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", top, top);
    (void)!system(command);
}

static void make_world(void)
{
    static bool made;
    static const char *const links[][2] = {{"../out", "in/up"}, {"/", "in/root"}, {"d", "in/l"}};
    char path[128];

    if (!made) {
        if (!mkdtemp(top) || atexit(remove_top) != 0)
            abort();
        made = true;
        in_top(path, sizeof(path), "out");
        if (mkdir(path, 0700) != 0)
            abort();
        put_file("out/f", "secret");
    }
    in_top(path, sizeof(path), "in");
    if (mkdir(path, 0700) != 0)
        abort();
    in_top(path, sizeof(path), "in/d");
    (void)mkdir(path, 0700);
    put_file("in/f", "inside");
    put_file("in/d/f", "deeper");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        in_top(path, sizeof(path), links[i][1]);
        (void)!symlink(links[i][0], path);
    }
}

/* Whatever the messages made. */
static void clear_directory(int parent, const char *name)
{
    (void)fchmodat(parent, name, 0700, 0);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!directory)
        abort();
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) != 0)
            clear_directory(fd, entry->d_name);
    }
    (void)closedir(directory);
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0)
        abort();
}

static void check_world(void)
{
    char path[128];
    char secret[SECRET_BYTES + 1] = "";
    struct stat status;

    in_top(path, sizeof(path), "out");
    if (stat(path, &status) != 0 || status.st_nlink != 2 || (status.st_mode & 07777) != 0700)
        abort();
    in_top(path, sizeof(path), "out/f");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, secret, sizeof(secret)) != SECRET_BYTES ||
        memcmp(secret, "secret", SECRET_BYTES) != 0 || fstat(fd, &status) != 0 ||
        (status.st_mode & 07777) != 0600 || status.st_nlink != 1)
        abort();
    (void)close(fd);
    in_top(path, sizeof(path), "in");
    (void)chmod(path, 0700);
    clear_directory(AT_FDCWD, path);
}

/* ---- messages ---- */

static void put_name(struct p9_writer *out, uint8_t choice)
{
    static const char *const names[] = {"f",   "d",      "up", "root", "l",   "..",   ".", "",
                                        "a/b", "../out", "n",  "m",    "out", "/tmp", "p", "q"};
    const char *name = names[choice % (sizeof(names) / sizeof(names[0]))];

    p9_write_text(out, name, strlen(name));
}

/* Of each kind of message the fields: f fid, n name, 1 2 4 8 numbers, w walk, d data. */
struct form {
    enum p9_type type;
    const char *fields;
};

static const struct form forms[] = {
    {P9_TVERSION, "4n"},   {P9_TATTACH, "ffnn4"},       {P9_TWALK, "ffw"},
    {P9_TWALK, "ffw"},     {P9_TLOPEN, "f4"},           {P9_TLCREATE, "fn444"},
    {P9_TREAD, "f84"},     {P9_TWRITE, "f8d"},          {P9_TREADDIR, "f84"},
    {P9_TCLUNK, "f"},      {P9_TREMOVE, "f"},           {P9_TSTATFS, "f"},
    {P9_TGETATTR, "f8"},   {P9_TSETATTR, "f444488888"}, {P9_TSYMLINK, "fnn4"},
    {P9_TMKNOD, "fn4444"}, {P9_TRENAME, "ffn"},         {P9_TREADLINK, "f"},
    {P9_TFSYNC, "f4"},     {P9_TLOCK, "f14884n"},       {P9_TGETLOCK, "f1884n"},
    {P9_TLINK, "ffn"},     {P9_TMKDIR, "fn44"},         {P9_TRENAMEAT, "fnfn"},
    {P9_TUNLINKAT, "fn4"}, {P9_TXATTRWALK, "ffn"},      {P9_TFLUSH, "2"},
};

static uint64_t number_of(struct input *input)
{
    static const uint64_t numbers[] = {0, 1, 2, 0x200, 01000, 0100644, 010644, UINT64_MAX};
    uint8_t choice = take(input);

    return choice < 128 ? choice : numbers[choice % (sizeof(numbers) / sizeof(numbers[0]))];
}

static void put_field(struct p9_writer *out, char field, struct input *input)
{
    uint16_t count;

    switch (field) {
    case 'f':
        p9_write_u32(out, take(input) % FIDS);
        break;
    case 'n':
        put_name(out, take(input));
        break;
    case 'w':
        count = take(input) % 20;
        p9_write_u16(out, count);
        for (uint16_t i = 0; i < count; i++)
            put_name(out, take(input));
        break;
    case 'd':
        count = take(input);
        p9_write_u32(out, count);
        for (uint16_t i = 0; i < count; i++)
            p9_write_u8(out, 'x');
        break;
    case '1':
        p9_write_u8(out, take(input));
        break;
    case '2':
        p9_write_u16(out, (uint16_t)number_of(input));
        break;
    case '4':
        p9_write_u32(out, (uint32_t)number_of(input));
        break;
    default:
        p9_write_u64(out, number_of(input));
        break;
    }
}

static size_t make_message(uint8_t *message, struct input *input)
{
    struct p9_writer out = {.start = message, .room_bytes = MESSAGE_BYTES};
    uint8_t kind = take(input);

    if (kind >= 0xf0) { /* raw */
        size_t length = take(input);

        for (size_t i = 0; i < length; i++)
            message[i] = take(input);
        return length;
    }
    const struct form *form = &forms[kind % (sizeof(forms) / sizeof(forms[0]))];

    p9_write_u32(&out, 0);
    p9_write_u8(&out, (uint8_t)form->type);
    p9_write_u16(&out, 1);
    for (const char *field = form->fields; *field; field++)
        put_field(&out, *field, input);
    p9_patch_u32(&out, 0, (uint32_t)out.used_bytes - (kind == 0xef));
    return out.used_bytes;
}

/* The message is in memory of its own size, so that the sanitizer sees its end. */
static void send_message(struct p9_server *server, const uint8_t *message, size_t length,
                         size_t room)
{
    uint8_t *request = malloc(length ? length : 1);
    uint8_t *answer = malloc(room ? room : 1);

    if (!request || !answer)
        abort();
    memcpy(request, message, length);
    size_t answered = p9_server_answer(server, request, length, answer, room);
    if (answered > room || (answered > 0 && answered < P9_HEADER_BYTES))
        abort();
    free(request);
    free(answer);
}

static void begin_session(struct p9_server *server)
{
    static const uint8_t version[] = "\x15\0\0\0\x64\1\0\0\x20\0\0\x08\0"
                                     "9P2000.L";
    static const uint8_t attach[] = "\x17\0\0\0\x68\1\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";

    send_message(server, version, sizeof(version) - 1, ANSWER_BYTES);
    send_message(server, attach, sizeof(attach) - 1, ANSWER_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t message[MESSAGE_BYTES];
    struct error error;
    char path[128];
    uint8_t how = take(&input);

    make_world();
    in_top(path, sizeof(path), "in");
    struct p9_server *server = p9_server_create(path, how & 1, &error);

    if (!server)
        abort();
    if (!(how & 2))
        begin_session(server);
    for (int i = 0; i < MOST_MESSAGES && input.left_bytes > 0; i++) {
        size_t length = make_message(message, &input);

        send_message(server, message, length, how & 4 ? take(&input) : ANSWER_BYTES);
    }
    p9_server_destroy(server);
    check_world();
    return 0;
}
