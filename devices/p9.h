// SPDX-License-Identifier: Apache-2.0
/*
 * The file protocol 9P2000.L as Linux's client speaks it (9p.io's intro(5) for 9P2000, the diod
 * project's protocol.md for .L). Numbers are little endian, strings are a length of 16 bits and so
 * many bytes without a zero.
 */
#ifndef DEVICES_P9_H
#define DEVICES_P9_H

#include <stdint.h>

#define P9_VERSION         "9P2000.L"
#define P9_VERSION_UNKNOWN "unknown"

/* A request; its answer is one more. */
enum p9_type {
    P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TRENAME = 20,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TXATTRWALK = 30,
    P9_TXATTRCREATE = 32,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLOCK = 52,
    P9_TGETLOCK = 54,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TAUTH = 102,
    P9_TATTACH = 104,
    P9_TFLUSH = 108,
    P9_TWALK = 110,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
    P9_TREMOVE = 122,
    P9_TYPE_COUNT = 128,
};

enum {
    P9_HEADER_BYTES = 7,  /* size[4] type[1] tag[2] */
    P9_QID_BYTES = 13,    /* type[1] version[4] path[8] */
    P9_MOST_WALK = 16,    /* names of one walk */
    P9_NAME_BYTES = 255,  /* of one name: NAME_MAX */
    P9_PATH_BYTES = 4096, /* of a link's target: PATH_MAX */
    P9_LEAST_MESSAGE_BYTES = 4096,
    P9_MOST_MESSAGE_BYTES = 512 << 10,
    P9_DIRENT_BYTES = P9_QID_BYTES + 8 + 1 + 2, /* of Rreaddir, without the name */
    P9_COUNT_BYTES = 4,                         /* before the data of Rread and Rreaddir */
};

#define P9_NO_FID UINT32_MAX

enum p9_qid_type { P9_QID_FILE = 0x00, P9_QID_SYMLINK = 0x02, P9_QID_DIRECTORY = 0x80 };

struct p9_qid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
};

/* Tlopen, Tlcreate: flags of open(2), numbered as on most of Linux's architectures. */
enum p9_open_flag {
    P9_OPEN_ACCESS = 3,
    P9_OPEN_READ_ONLY = 0,
    P9_OPEN_WRITE_ONLY = 1,
    P9_OPEN_READ_WRITE = 2,
    P9_OPEN_EXCLUSIVE = 0200,
    P9_OPEN_TRUNCATE = 01000,
    P9_OPEN_APPEND = 02000,
    P9_OPEN_DATA_SYNC = 010000,
    P9_OPEN_SYNC = 04000000,
};

#define P9_GETATTR_BASIC UINT64_C(0x7ff) /* what struct stat has */

/* Tsetattr: which of its members count. */
enum p9_setattr {
    P9_SETATTR_MODE = 1 << 0,
    P9_SETATTR_UID = 1 << 1,
    P9_SETATTR_GID = 1 << 2,
    P9_SETATTR_SIZE = 1 << 3,
    P9_SETATTR_ATIME = 1 << 4, /* to now, unless ..._ATIME_SET */
    P9_SETATTR_MTIME = 1 << 5,
    P9_SETATTR_ATIME_SET = 1 << 7,
    P9_SETATTR_MTIME_SET = 1 << 8,
};

enum p9_lock_type { P9_LOCK_READ, P9_LOCK_WRITE, P9_LOCK_NONE };
enum p9_lock_status { P9_LOCK_SUCCESS, P9_LOCK_BLOCKED, P9_LOCK_ERROR };

enum { P9_UNLINK_DIRECTORY = 0x200 /* Tunlinkat */ };

#endif
