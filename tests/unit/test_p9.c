// SPDX-License-Identifier: Apache-2.0
/* The file server: each message on a real directory, and messages that are none. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"

Suite *unit_suite(void);

enum { A = 1, B = 2, C = 3, TEXT_BYTES = 4096, NOBODY = 65534 };

static struct p9_client client;
static char root[64];
static char text[TEXT_BYTES];

static const char *host(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put_file(const char *name, const char *content)
{
    FILE *file = fopen(host(name), "w");

    ck_assert(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

static const char *get_file(const char *name)
{
    static char content[TEXT_BYTES];
    FILE *file = fopen(host(name), "r");

    ck_assert_ptr_nonnull(file);
    content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
    (void)fclose(file);
    return content;
}

static struct stat host_stat(const char *name)
{
    struct stat status;

    ck_assert_int_eq(lstat(host(name), &status), 0);
    return status;
}

static void setup(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/armlet-p9-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(mkdir(host("dir"), 0755), 0);
    put_file("file", "hello");
    client_start(&client, root, false);
}

static void teardown(void)
{
    char command[128];

    client_finish(&client);
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

static void start_read_only(void)
{
    client_finish(&client);
    client_start(&client, root, true);
}

/* ---- files ---- */

START_TEST(it_reads_and_writes)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_read(&client, A, 0, text, sizeof(text)), EBADF);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), EBUSY);
    ck_assert_int_eq(client_read(&client, A, 1, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "ello");
    ck_assert_int_eq(client_write(&client, A, 5, ", world"), 0);
    ck_assert_str_eq(get_file("file"), "hello, world");
    ck_assert_int_eq(client_read(&client, A, 100, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(client_read(&client, A, UINT64_MAX, text, sizeof(text)), EINVAL);
    ck_assert_int_eq(client_write(&client, A, UINT64_MAX, "x"), EFBIG);
    ck_assert_int_eq(client_clunk(&client, A), 0);
    ck_assert_int_eq(client_clunk(&client, A), EBADF);
}
END_TEST

START_TEST(bytes_and_errors_are_counted)
{
    const struct device_counter *counters = p9_server_counters(client.server);
    uint64_t requests = counters[P9_REQUESTS].value; /* those that the client started with */

    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "nothing"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), 0);
    ck_assert_int_eq(client_write(&client, A, 5, ", world"), 0);
    ck_assert_int_eq(client_write(&client, A, UINT64_MAX, "lost"), EFBIG);
    ck_assert_int_eq(client_read(&client, A, 2, text, sizeof(text)), 0);
    ck_assert_uint_eq(counters[P9_REQUESTS].value, requests + 6);
    ck_assert_uint_eq(counters[P9_READ_BYTES].value, strlen("llo, world"));
    ck_assert_uint_eq(counters[P9_WRITTEN_BYTES].value, strlen(", world"));
    ck_assert_uint_eq(counters[P9_ERRORS].value, 2);
}
END_TEST

START_TEST(it_creates_with_the_mode_asked_for)
{
    (void)umask(077);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir"), 0);
    ck_assert_int_eq(client_create(&client, A, "new", P9_OPEN_READ_WRITE, 04640), 0);
    ck_assert_int_eq(client_write(&client, A, 0, "abc"), 0);
    ck_assert_str_eq(get_file("dir/new"), "abc");
    ck_assert_uint_eq(host_stat("dir/new").st_mode, S_IFREG | 0640);
    ck_assert_int_eq(client_create(&client, A, "newer", P9_OPEN_READ_WRITE, 0600), EBUSY);

    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "dir"), 0);
    ck_assert_int_eq(client_create(&client, B, "new", P9_OPEN_READ_WRITE | P9_OPEN_EXCLUSIVE, 0600),
                     EEXIST);
    ck_assert_int_eq(client_create(&client, B, "new", P9_OPEN_READ_WRITE | P9_OPEN_TRUNCATE, 0600),
                     0);
    ck_assert_str_eq(get_file("dir/new"), "");
    ck_assert_uint_eq(host_stat("dir/new").st_mode, S_IFREG | 0640);
}
END_TEST

START_TEST(it_appends_and_truncates)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_WRITE_ONLY | P9_OPEN_APPEND), 0);
    ck_assert_int_eq(client_write(&client, A, 0, "!"), 0);
    ck_assert_str_eq(get_file("file"), "hello!");
    ck_assert_int_eq(client_truncate(&client, A, 2), 0);
    ck_assert_str_eq(get_file("file"), "he");
    ck_assert_int_eq(client_truncate(&client, A, UINT64_MAX), EFBIG);
    ck_assert_int_eq(client_truncate(&client, CLIENT_ROOT, 0), EISDIR);
}
END_TEST

START_TEST(an_unlinked_file_that_is_open_goes_on)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), 0);
    ck_assert_int_eq(client_unlinkat(&client, CLIENT_ROOT, "file", 0), 0);
    ck_assert_int_eq(client_write(&client, A, 0, "J"), 0);
    ck_assert_int_eq(client_read(&client, A, 0, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "Jello");
    ck_assert_int_eq(client_walk(&client, A, B, ""), 0);
    ck_assert_int_eq(client_truncate(&client, B, 1), 0);
}
END_TEST

/* From a user whom modes hold for, as they don't for root. */
static uid_t become_nobody(void)
{
    uid_t before = geteuid();

    client_finish(&client);
    if (before == 0) {
        ck_assert_int_eq(chown(root, NOBODY, NOBODY), 0);
        ck_assert_int_eq(seteuid(NOBODY), 0);
        ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* /proc/self/fd stays its own */
    }
    client_start(&client, root, false);
    return before;
}

/* As open(2) and ftruncate(2) have it: what was opened for writing is, whatever the mode. */
START_TEST(a_mode_without_writing_is_for_who_comes_later)
{
    uid_t before = become_nobody();

    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, ""), 0);
    ck_assert_int_eq(client_create(&client, A, "new", P9_OPEN_READ_WRITE | P9_OPEN_EXCLUSIVE, 0444),
                     0);
    ck_assert_int_eq(client_write(&client, A, 0, "abcdef"), 0);
    ck_assert_int_eq(client_truncate(&client, A, 3), 0);
    ck_assert_str_eq(get_file("new"), "abc");
    ck_assert_uint_eq(host_stat("new").st_mode, S_IFREG | 0444);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "new"), 0);
    ck_assert_int_eq(client_truncate(&client, B, 0), EACCES);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_truncate(&client, B, 0), EACCES);
    ck_assert_str_eq(get_file("new"), "abc");
    ck_assert_int_eq(seteuid(before), 0);
}
END_TEST

START_TEST(it_tells_attributes)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    client_begin(&client, P9_TGETATTR);
    p9_write_u32(&client.out, A);
    p9_write_u64(&client.out, P9_GETATTR_BASIC);
    ck_assert_int_eq(client_send(&client), 0);
    ck_assert_uint_eq(p9_read_u64(&client.in), P9_GETATTR_BASIC);
    ck_assert_uint_eq(p9_read_u8(&client.in), P9_QID_FILE);
    (void)p9_read_u32(&client.in);
    ck_assert_uint_eq(p9_read_u64(&client.in), host_stat("file").st_ino);
    ck_assert_uint_eq(p9_read_u32(&client.in), host_stat("file").st_mode);
    (void)p9_read_u64(&client.in);
    ck_assert_uint_eq(p9_read_u64(&client.in), 1);
    (void)p9_read_u64(&client.in);
    ck_assert_uint_eq(p9_read_u64(&client.in), 5);
    ck_assert_uint_eq(client.in.left_bytes, 8U * 12);

    client_begin(&client, P9_TSTATFS);
    p9_write_u32(&client.out, A);
    ck_assert_int_eq(client_send(&client), 0);
    ck_assert_uint_eq(client.in.left_bytes, 4U + 4 + 6 * 8 + 4);
}
END_TEST

static int set_times(uint32_t valid, uint64_t nanoseconds)
{
    client_begin(&client, P9_TSETATTR);
    p9_write_u32(&client.out, A);
    p9_write_u32(&client.out, valid);
    for (int i = 0; i < 3; i++)
        p9_write_u32(&client.out, 0);
    p9_write_u64(&client.out, 0);
    for (int i = 0; i < 2; i++) {
        p9_write_u64(&client.out, 1000);
        p9_write_u64(&client.out, nanoseconds);
    }
    return client_send(&client);
}

START_TEST(it_sets_attributes)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_chmod(&client, A, 06755), 0);
    ck_assert_uint_eq(host_stat("file").st_mode, S_IFREG | 0755);
    ck_assert_int_eq(set_times(P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET, 5), 0);
    ck_assert_int_eq(host_stat("file").st_mtim.tv_sec, 1000);
    ck_assert_int_eq(host_stat("file").st_mtim.tv_nsec, 5);
    ck_assert_int_ne(host_stat("file").st_atim.tv_sec, 1000);
    ck_assert_int_eq(set_times(P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET, 6), 0);
    ck_assert_int_eq(host_stat("file").st_atim.tv_sec, 1000);
    ck_assert_int_eq(set_times(P9_SETATTR_MTIME, UINT64_MAX), 0);
    ck_assert_int_ne(host_stat("file").st_mtim.tv_sec, 1000);
    ck_assert_int_eq(set_times(P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET, UTIME_NOW), EINVAL);
    ck_assert_int_eq(set_times(P9_SETATTR_UID | P9_SETATTR_GID, 0), 0);
}
END_TEST

/* ---- directories ---- */

START_TEST(it_makes_and_lists)
{
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "sub", 0750), 0);
    ck_assert_uint_eq(host_stat("sub").st_mode, S_IFDIR | 0750);
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "sub", 0750), EEXIST);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "link", "/etc/passwd"), 0);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "fifo", S_IFIFO | 0600), 0);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "socket", S_IFSOCK | 0600), 0);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "plain", 0600), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, ""), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), EISDIR);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_list(&client, A, text, sizeof(text)), 0);
    static const char *const names[] = {"sub ",   "link ", "fifo ", "socket ",
                                        "plain ", "file ", ". ",    ".. "};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(strstr(text, names[i]), "%s in %s", names[i], text);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "link"), 0);
    ck_assert_int_eq(client_readlink(&client, B, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "/etc/passwd");
    ck_assert_int_eq(client_readlink(&client, A, text, sizeof(text)), EINVAL);
}
END_TEST

START_TEST(a_large_directory_is_listed_once_each)
{
    size_t count = 0;

    for (int i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof(text), "dir/a-name-of-some-length-%d", i);
        put_file(text, "");
    }
    static char names[300 * 40];
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_list(&client, A, names, sizeof(names)), 0);
    for (const char *at = names; (at = strstr(at, "length-")); at++)
        count++;
    ck_assert_uint_eq(count, 300);
}
END_TEST

START_TEST(it_renames_links_and_removes)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir"), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "file"), 0);
    ck_assert_int_eq(client_link(&client, A, B, "other"), 0);
    ck_assert_uint_eq(host_stat("file").st_nlink, 2);
    ck_assert_int_eq(client_link(&client, A, A, "nodir"), EPERM);
    ck_assert_int_eq(client_renameat(&client, CLIENT_ROOT, "file", A, "moved"), 0);
    ck_assert_str_eq(get_file("dir/moved"), "hello");
    /* By the fid: its name is another by now. */
    ck_assert_int_eq(client_rename(&client, B, A, "again"), ENOENT);
    ck_assert_int_eq(client_walk(&client, A, C, "moved"), 0);
    ck_assert_int_eq(client_rename(&client, C, CLIENT_ROOT, "back"), 0);
    ck_assert_str_eq(get_file("back"), "hello");
    ck_assert_int_eq(client_rename(&client, A, A, "inside"), EINVAL);
    ck_assert_int_eq(client_rename(&client, CLIENT_ROOT, A, "root"), EINVAL);
    ck_assert_int_eq(client_unlinkat(&client, CLIENT_ROOT, "dir", 0), EISDIR);
    ck_assert_int_eq(client_unlinkat(&client, CLIENT_ROOT, "dir", P9_UNLINK_DIRECTORY), ENOTEMPTY);
    ck_assert_int_eq(client_remove(&client, C), 0);
    ck_assert_int_eq(client_clunk(&client, C), EBADF);
    ck_assert_int_eq(access(host("back"), F_OK), -1);
    ck_assert_int_eq(client_unlinkat(&client, A, "other", 0), 0);
    ck_assert_int_eq(client_remove(&client, A), 0);
    ck_assert_int_eq(access(host("dir"), F_OK), -1);
    ck_assert_int_eq(client_remove(&client, CLIENT_ROOT), EBUSY);
}
END_TEST

static int lock(uint8_t type, uint64_t start, uint64_t length, uint8_t *status)
{
    client_begin(&client, P9_TLOCK);
    p9_write_u32(&client.out, A);
    p9_write_u8(&client.out, type);
    p9_write_u32(&client.out, 0);
    p9_write_u64(&client.out, start);
    p9_write_u64(&client.out, length);
    p9_write_u32(&client.out, 1);
    client_put_text(&client, "guest");
    int code = client_send(&client);

    *status = p9_read_u8(&client.in);
    return code;
}

static uint8_t get_lock(uint8_t type)
{
    client_begin(&client, P9_TGETLOCK);
    p9_write_u32(&client.out, A);
    p9_write_u8(&client.out, type);
    p9_write_u64(&client.out, 0);
    p9_write_u64(&client.out, 0);
    p9_write_u32(&client.out, 1);
    client_put_text(&client, "guest");
    ck_assert_int_eq(client_send(&client), 0);
    return p9_read_u8(&client.in);
}

START_TEST(locks_are_seen_by_the_host)
{
    struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    int fd = open(host("file"), O_RDWR | O_CLOEXEC);
    uint8_t status = 0;

    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &held), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(lock(P9_LOCK_READ, 0, 1, &status), EBADF);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), 0);
    ck_assert_int_eq(lock(P9_LOCK_READ, 0, 1, &status), 0);
    ck_assert_uint_eq(status, P9_LOCK_BLOCKED);
    ck_assert_uint_eq(get_lock(P9_LOCK_READ), P9_LOCK_WRITE);
    ck_assert_int_eq(lock(P9_LOCK_WRITE, 10, 5, &status), 0);
    ck_assert_uint_eq(status, P9_LOCK_SUCCESS);
    held.l_start = 12;
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &held), -1);
    ck_assert_int_eq(lock(9, 0, 1, &status), EINVAL);
    ck_assert_int_eq(lock(P9_LOCK_READ, UINT64_MAX, 1, &status), EINVAL);
    (void)close(fd);
}
END_TEST

START_TEST(it_syncs)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE | P9_OPEN_SYNC), 0);
    for (uint32_t data_only = 0; data_only < 2; data_only++) {
        client_begin(&client, P9_TFSYNC);
        p9_write_u32(&client.out, A);
        p9_write_u32(&client.out, data_only);
        ck_assert_int_eq(client_send(&client), 0);
    }
}
END_TEST

/* ---- walking ---- */

START_TEST(a_walk_goes_all_the_way_or_makes_no_fid)
{
    put_file("dir/deep", "");
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "nothing/there"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir/nothing"), ENOENT);
    ck_assert_int_eq(client_clunk(&client, A), EBADF);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file/nothing"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir/deep"), 0);
    ck_assert_int_eq(client_walk(&client, A, B, "x"), ENOTDIR);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), EBADF);
    ck_assert_int_eq(client_walk(&client, A, P9_NO_FID, ""), EBADF);
    ck_assert_int_eq(client_walk(&client, 77, B, ""), EBADF);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"),
                     EINVAL);
    /* In place, unless it is open. */
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, ""), 0);
    ck_assert_int_eq(client_walk(&client, B, B, "dir"), 0);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_walk(&client, B, B, "deep"), EBUSY);
}
END_TEST

START_TEST(fids_are_bounded)
{
    uint32_t fid = 1;
    int code = 0;

    while (fid < 1 << 20 && (code = client_walk(&client, CLIENT_ROOT, fid, "file")) == 0)
        fid++;
    ck_assert_int_eq(code, ENFILE);
    ck_assert_int_eq(client_clunk(&client, 1), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, 1, "file"), 0);
}
END_TEST

/* ---- what is read-only ---- */

START_TEST(nothing_changes_what_is_read_only)
{
    start_read_only();
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_WRITE_ONLY), EROFS);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_WRITE), EROFS);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY | P9_OPEN_TRUNCATE), EROFS);
    ck_assert_int_eq(client_create(&client, CLIENT_ROOT, "file", P9_OPEN_READ_ONLY, 0600), EROFS);
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "x", 0700), EROFS);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "x", "y"), EROFS);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "x", S_IFIFO), EROFS);
    ck_assert_int_eq(client_link(&client, CLIENT_ROOT, A, "x"), EROFS);
    ck_assert_int_eq(client_rename(&client, A, CLIENT_ROOT, "x"), EROFS);
    ck_assert_int_eq(client_renameat(&client, CLIENT_ROOT, "file", CLIENT_ROOT, "x"), EROFS);
    ck_assert_int_eq(client_unlinkat(&client, CLIENT_ROOT, "file", 0), EROFS);
    ck_assert_int_eq(client_chmod(&client, A, 0777), EROFS);
    ck_assert_int_eq(client_truncate(&client, A, 0), EROFS);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_write(&client, A, 0, "x"), EBADF);
    ck_assert_int_eq(client_read(&client, A, 0, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "hello");
    ck_assert_int_eq(client_remove(&client, A), EROFS);
    ck_assert_str_eq(get_file("file"), "hello");
}
END_TEST

/* ---- messages ---- */

START_TEST(a_version_begins_anew)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    client_begin(&client, P9_TVERSION);
    p9_write_u32(&client.out, UINT32_MAX);
    client_put_text(&client, "9P2000.u");
    ck_assert_int_eq(client_send(&client), 0);
    ck_assert_uint_eq(p9_read_u32(&client.in), P9_MOST_MESSAGE_BYTES);
    ck_assert_uint_eq(p9_read_text(&client.in).length, strlen(P9_VERSION_UNKNOWN));
    ck_assert_int_eq(client_clunk(&client, A), EPROTO);
    client_begin(&client, P9_TVERSION);
    p9_write_u32(&client.out, P9_LEAST_MESSAGE_BYTES - 1);
    client_put_text(&client, P9_VERSION);
    ck_assert_int_eq(client_send(&client), EMSGSIZE);
    client_begin(&client, P9_TVERSION);
    p9_write_u32(&client.out, P9_LEAST_MESSAGE_BYTES);
    client_put_text(&client, P9_VERSION);
    ck_assert_int_eq(client_send(&client), 0);
    ck_assert_int_eq(client_clunk(&client, A), EBADF);
}
END_TEST

START_TEST(what_is_not_offered_is_refused)
{
    static const enum p9_type types[] = {P9_TAUTH, P9_TXATTRWALK, P9_TXATTRCREATE, 1, 120 + 7};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        client_begin(&client, types[i]);
        p9_write_u32(&client.out, CLIENT_ROOT);
        ck_assert_int_eq(client_send(&client), EOPNOTSUPP);
    }
    client_begin(&client, P9_TFLUSH);
    p9_write_u16(&client.out, CLIENT_TAG);
    ck_assert_int_eq(client_send(&client), 0);
}
END_TEST

/* Every message, cut at every length, and with lengths that lie. */
START_TEST(cut_messages_are_errors)
{
    for (unsigned type = 0; type < 256; type++)
        for (size_t length = 0; length < 64; length++) {
            if (type == P9_TVERSION || type == P9_TCLUNK || type == P9_TREMOVE)
                continue;
            client_begin(&client, type);
            memset(p9_write_space(&client.out, 64), (int)type & 1 ? 0xff : 0, 64);
            client.out.used_bytes = P9_HEADER_BYTES + length;
            (void)client_send(&client);
        }
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, C, "file"), 0);
    for (size_t length = 0; length < P9_HEADER_BYTES; length++)
        ck_assert_uint_eq(p9_server_answer(client.server, client.request, length, client.answer,
                                           sizeof(client.answer)),
                          0);
    client.request[0] = 0xff;
    ck_assert_uint_eq(
        p9_server_answer(client.server, client.request, 40, client.answer, sizeof(client.answer)),
        P9_HEADER_BYTES + sizeof(uint32_t));
}
END_TEST

START_TEST(answers_fit_their_room)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "file"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    client.room_bytes = P9_HEADER_BYTES + P9_COUNT_BYTES + 2;
    ck_assert_int_eq(client_read(&client, A, 0, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "he");
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "file"), EMSGSIZE);
    ck_assert_uint_eq(p9_server_answer(client.server, client.request, client.out.used_bytes,
                                       client.answer, P9_HEADER_BYTES),
                      0);
    client.room_bytes = CLIENT_BYTES;
    ck_assert_int_eq(client_clunk(&client, B), EBADF);
}
END_TEST

START_TEST(what_is_no_directory_is_refused)
{
    struct error error = {0};

    ck_assert_ptr_null(p9_server_create(host("file"), false, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_int_eq(error.os_errno, ENOTDIR);
    ck_assert_ptr_null(p9_server_create(host("nothing"), false, &error));
    ck_assert_int_eq(error.os_errno, ENOENT);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("p9");
    TCase *tests = tcase_create("messages");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, it_reads_and_writes);
    tcase_add_test(tests, bytes_and_errors_are_counted);
    tcase_add_test(tests, it_creates_with_the_mode_asked_for);
    tcase_add_test(tests, it_appends_and_truncates);
    tcase_add_test(tests, an_unlinked_file_that_is_open_goes_on);
    tcase_add_test(tests, a_mode_without_writing_is_for_who_comes_later);
    tcase_add_test(tests, it_tells_attributes);
    tcase_add_test(tests, it_sets_attributes);
    tcase_add_test(tests, it_makes_and_lists);
    tcase_add_test(tests, a_large_directory_is_listed_once_each);
    tcase_add_test(tests, it_renames_links_and_removes);
    tcase_add_test(tests, locks_are_seen_by_the_host);
    tcase_add_test(tests, it_syncs);
    tcase_add_test(tests, a_walk_goes_all_the_way_or_makes_no_fid);
    tcase_add_test(tests, fids_are_bounded);
    tcase_add_test(tests, nothing_changes_what_is_read_only);
    tcase_add_test(tests, a_version_begins_anew);
    tcase_add_test(tests, what_is_not_offered_is_refused);
    tcase_add_test(tests, cut_messages_are_errors);
    tcase_add_test(tests, answers_fit_their_room);
    tcase_add_test(tests, what_is_no_directory_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
