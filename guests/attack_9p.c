// SPDX-License-Identifier: Apache-2.0
/*
 * A client of a shared directory that wants out of it, and lies about its messages. The directory
 * has a file `inside`; what it does outside must fail, whatever is there.
 */
#include "../devices/p9.h"
#include "attack.h"

enum { MESSAGE_BYTES = 8192, NO_TAG = 0xffff, ROOT = 1, OTHER = 2, UNKNOWN = 77, HOLDS = 3000 };

/* ---- messages, in `out` ---- */

static uint32_t used;

static void number(uint64_t value, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++)
        attack.out[used++] = (uint8_t)(value >> (8 * i));
}

static void begin(uint8_t type)
{
    used = 0;
    number(0, 4);
    number(type, 1);
    number(NO_TAG, 2);
}

static void u16(uint16_t value)
{
    number(value, 2);
}

static void u32(uint32_t value)
{
    number(value, 4);
}

static void u64(uint64_t value)
{
    number(value, 8);
}

static void text(const char *string)
{
    uint16_t length = 0;

    while (string[length])
        length++;
    u16(length);
    for (uint16_t i = 0; i < length; i++)
        number((uint8_t)string[i], 1);
}

/* Sends it with that size in front; the answer's type, 0: there is none. */
static uint8_t send_sized(uint32_t size_bytes, uint32_t room_bytes)
{
    const struct piece pieces[] = {TAKES(attack.out, used), GIVES(attack.in, room_bytes)};
    uint32_t end = used;

    used = 0;
    u32(size_bytes);
    used = end;
    uint32_t written = attack_ask(0, pieces, 2);

    CHECK(written != UINT32_MAX && written <= room_bytes);
    return written < P9_HEADER_BYTES ? 0 : ((volatile uint8_t *)attack.in)[4];
}

static uint8_t send(void)
{
    return send_sized(used, MESSAGE_BYTES);
}

static uint8_t walk(uint32_t fid, uint32_t new_fid, const char *name)
{
    begin(P9_TWALK);
    u32(fid);
    u32(new_fid);
    u16(name ? 1 : 0);
    if (name)
        text(name);
    return send();
}

bool attack_9p_use(void)
{
    begin(P9_TVERSION);
    u32(MESSAGE_BYTES);
    text(P9_VERSION);
    if (send() != P9_TVERSION + 1)
        return false;
    begin(P9_TATTACH);
    u32(ROOT);
    u32(P9_NO_FID);
    text("");
    text("");
    u32(0);
    return send() == P9_TATTACH + 1 && walk(ROOT, OTHER, "inside") == P9_TWALK + 1;
}

/* A session in which OTHER is free. */
static void again(const char *what)
{
    attack_survived(what);
    begin(P9_TCLUNK);
    u32(OTHER);
    CHECK_EQ(send(), P9_TCLUNK + 1);
}

/* ---- messages that aren't ---- */

static void attack_sizes(void)
{
    static const uint32_t sizes[] = {0, 1, 6, 7, 8, 4096, 65536, UINT32_MAX};
    static const uint32_t rooms[] = {1, 6, 7, 10, 11, 12};

    for (uint32_t i = 0; i < COUNT_OF(sizes); i++) {
        begin(P9_TGETATTR);
        u32(ROOT);
        u64(P9_GETATTR_BASIC);
        CHECK_EQ(send_sized(sizes[i], MESSAGE_BYTES), P9_RLERROR);
    }
    for (uint32_t i = 0; i < COUNT_OF(rooms); i++) {
        begin(P9_TGETATTR);
        u32(ROOT);
        u64(P9_GETATTR_BASIC);
        uint8_t type = send_sized(used, rooms[i]);

        CHECK(type == 0 || type == P9_RLERROR);
    }
    for (uint32_t bytes = 1; bytes < P9_HEADER_BYTES; bytes++) {
        begin(P9_TVERSION);
        used = bytes < 4 ? 4 : bytes;
        CHECK_EQ(send(), 0);
    }
    again("sizes that lie");
}

/* Each type there may be, with nothing and with all ones behind it. */
static void attack_types(void)
{
    for (uint32_t type = 0; type <= UINT8_MAX; type++) {
        begin((uint8_t)type);
        uint8_t empty = send();

        CHECK(empty == P9_RLERROR || type == P9_TFLUSH);
        begin((uint8_t)type);
        for (uint32_t i = 0; i < 16; i++)
            u64(UINT64_MAX);
        uint8_t ones = send();

        CHECK(ones == P9_RLERROR || type == P9_TFLUSH);
    }
    again("messages of every type, of nothing and of ones");
}

static void attack_counts(void)
{
    static const uint16_t counts[] = {1, 17, UINT16_MAX};

    for (uint32_t i = 0; i < COUNT_OF(counts); i++) {
        begin(P9_TWALK);
        u32(ROOT);
        u32(OTHER);
        u16(counts[i]);
        CHECK_EQ(send(), P9_RLERROR);
    }
    begin(P9_TWALK);
    u32(ROOT);
    u32(OTHER);
    u16(1);
    u16(UINT16_MAX); /* of a name that is short */
    u32(0);
    CHECK_EQ(send(), P9_RLERROR);
    for (uint32_t type = P9_TREAD; type <= P9_TWRITE; type += P9_TWRITE - P9_TREAD) {
        begin((uint8_t)type);
        u32(ROOT);
        u64(UINT64_MAX);
        u32(UINT32_MAX);
        CHECK_EQ(send(), P9_RLERROR);
    }
    begin(P9_TREADDIR);
    u32(ROOT);
    u64(UINT64_MAX);
    u32(UINT32_MAX);
    CHECK_EQ(send(), P9_RLERROR); /* it isn't open */
    CHECK_EQ(walk(UNKNOWN, OTHER, "inside"), P9_RLERROR);
    CHECK_EQ(walk(ROOT, P9_NO_FID, "inside"), P9_RLERROR);
    again("counts and fids that can't be");
}

/* Reads at the end of numbers, of a file and of a directory. */
static void attack_offsets(void)
{
    static const uint64_t offsets[] = {UINT64_MAX, 1UL << 63, (1UL << 63) - 1, 1UL << 40};

    CHECK_EQ(walk(ROOT, OTHER, "inside"), P9_TWALK + 1);
    begin(P9_TLOPEN);
    u32(OTHER);
    u32(P9_OPEN_READ_ONLY);
    CHECK_EQ(send(), P9_TLOPEN + 1);
    for (uint32_t i = 0; i < COUNT_OF(offsets); i++) {
        begin(P9_TREAD);
        u32(OTHER);
        u64(offsets[i]);
        u32(UINT32_MAX);
        uint8_t type = send();

        CHECK(type == P9_RLERROR || type == P9_TREAD + 1);
        begin(P9_TWRITE);
        u32(OTHER);
        u64(offsets[i]);
        u32(UINT32_MAX);
        u32(0);
        CHECK_EQ(send(), P9_RLERROR);
    }
    attack_survived("offsets at the end of numbers");
}

/* ---- ways out ---- */

static const char *const ways_out[] = {"..",   ".",         "",          "/",
                                       "/etc", "../beside", "inside/..", "./../beside"};

static void attack_walks(void)
{
    for (uint32_t i = 0; i < COUNT_OF(ways_out); i++) {
        uint8_t type = walk(ROOT, OTHER, ways_out[i]);

        /* `..` of the root is the root, as everywhere. */
        if (type != P9_RLERROR) {
            CHECK(walk(OTHER, UNKNOWN, "beside") == P9_RLERROR);
            CHECK(walk(OTHER, UNKNOWN, "inside") == P9_TWALK + 1);
            again("a walk to the root itself");
        }
    }
    begin(P9_TWALK);
    u32(ROOT);
    u32(OTHER);
    u16(P9_MOST_WALK);
    for (uint32_t i = 0; i + 1 < P9_MOST_WALK; i++)
        text("..");
    text("beside");
    (void)send(); /* some of the walk may be answered: it makes no fid then */
    begin(P9_TGETATTR);
    u32(OTHER);
    u64(P9_GETATTR_BASIC);
    CHECK_EQ(send(), P9_RLERROR);
    again("walks out of the directory");
}

static void make(uint8_t type, const char *name)
{
    begin(type);
    u32(ROOT);
    if (type == P9_TLINK)
        u32(ROOT);
    text(name);
    switch (type) {
    case P9_TSYMLINK:
        text("/etc/passwd");
        break;
    case P9_TMKNOD:
        for (uint32_t i = 0; i < 3; i++) /* mode, major, minor */
            u32(i == 0 ? 0100644 : 0);
        break;
    case P9_TLCREATE:
        u32(P9_OPEN_READ_WRITE);
        u32(0644);
        break;
    case P9_TUNLINKAT:
        u32(0);
        break;
    case P9_TRENAME:
    case P9_TRENAMEAT:
        break;
    default: /* a mode */
        u32(0755);
        break;
    }
    u32(0); /* group */
    CHECK_EQ(send(), P9_RLERROR);
}

static void rename_to(const char *from, const char *to)
{
    begin(P9_TRENAMEAT);
    u32(ROOT);
    text(from);
    u32(ROOT);
    text(to);
    CHECK_EQ(send(), P9_RLERROR);
}

static void attack_names(void)
{
    static const uint8_t makers[] = {P9_TSYMLINK, P9_TMKNOD, P9_TLCREATE,
                                     P9_TMKDIR,   P9_TLINK,  P9_TUNLINKAT};

    for (uint32_t i = 0; i < COUNT_OF(ways_out); i++) {
        for (uint32_t m = 0; m < COUNT_OF(makers); m++)
            make(makers[m], ways_out[i]);
        rename_to("inside", ways_out[i]);
        rename_to(ways_out[i], "stolen");
    }
    begin(P9_TMKNOD); /* a disk of the host's */
    u32(ROOT);
    text("disk");
    u32(060666);
    u32(8);
    u32(0);
    u32(0);
    CHECK_EQ(send(), P9_RLERROR);
    again("names with a way out");
}

/* More names held than the host lets armlet have files open, or as many as it bears. */
static void attack_holding(void)
{
    uint32_t held = 0;

    while (held < HOLDS && walk(ROOT, UNKNOWN + 1 + held, NULL) == P9_TWALK + 1)
        held++;
    CHECK(held > 100);
    attack_survived("names held without end");
}

void attack_9p(void)
{
    again("a session");
    attack_sizes();
    attack_types();
    attack_counts();
    attack_offsets();
    again("files");
    attack_walks();
    attack_names();
    attack_holding();
}
