// SPDX-License-Identifier: Apache-2.0
/* Ways out of a shared directory, all of which have to be closed. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"

Suite *unit_suite(void);

enum { A = 1, B = 2, TEXT_BYTES = 4096, ROUNDS = 4000 };

static struct p9_client client;
static char top[64];
static char text[TEXT_BYTES];

/* Below the directory that has both: "in/..." is shared, "out/..." is not. */
static const char *host(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

static void put_file(const char *name, const char *content)
{
    FILE *file = fopen(host(name), "w");

    ck_assert(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void setup(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/armlet-p9-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(mkdir(host("in"), 0755), 0);
    ck_assert_int_eq(mkdir(host("in/dir"), 0755), 0);
    ck_assert_int_eq(mkdir(host("out"), 0755), 0);
    put_file("out/file", "outside");
    put_file("in/dir/file", "inside");
    client_start(&client, host("in"), false);
}

static void teardown(void)
{
    char command[128];

    client_finish(&client);
    (void)snprintf(command, sizeof(command), "rm -rf %s", top);
    ck_assert_int_eq(system(command), 0);
}

static void check_outside(void)
{
    struct stat status;
    char content[16] = "";
    FILE *file = fopen(host("out/file"), "r");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(content, 1, sizeof(content) - 1, file), strlen("outside"));
    (void)fclose(file);
    ck_assert_str_eq(content, "outside");
    ck_assert_int_eq(stat(host("out"), &status), 0);
    ck_assert_uint_eq(status.st_nlink, 2);
    ck_assert_int_eq(access(host("out/new"), F_OK), -1);
}

START_TEST(dots_lead_nowhere)
{
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "../../../../../out"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir/../../out"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir/../.."), 0);
    ck_assert_int_eq(client_walk(&client, A, B, "dir/file"), 0);
    ck_assert_int_eq(client_create(&client, A, "..", P9_OPEN_READ_WRITE, 0600), EINVAL);
    ck_assert_int_eq(client_create(&client, A, ".", P9_OPEN_READ_WRITE, 0600), EINVAL);
    ck_assert_int_eq(client_mkdir(&client, A, "..", 0700), EINVAL);
    ck_assert_int_eq(client_unlinkat(&client, A, "..", P9_UNLINK_DIRECTORY), EINVAL);
    ck_assert_int_eq(client_renameat(&client, A, "dir", A, ".."), EINVAL);
    ck_assert_int_eq(client_renameat(&client, A, "..", A, "x"), EINVAL);
    check_outside();
}
END_TEST

static int walk_one(const char *bytes, size_t length)
{
    client_begin(&client, P9_TWALK);
    p9_write_u32(&client.out, CLIENT_ROOT);
    p9_write_u32(&client.out, A);
    p9_write_u16(&client.out, 1);
    p9_write_text(&client.out, bytes, length);
    return client_send(&client);
}

START_TEST(names_are_names)
{
    static char longest[4096];

    ck_assert_int_eq(walk_one("../out", 6), EINVAL);
    ck_assert_int_eq(walk_one("dir/file", 8), EINVAL);
    ck_assert_int_eq(walk_one("/etc", 4), EINVAL);
    ck_assert_int_eq(walk_one("dir\0x", 5), EINVAL);
    ck_assert_int_eq(walk_one("", 0), EINVAL);
    ck_assert_int_eq(walk_one(".", 1), EINVAL);
    memset(longest, 'n', sizeof(longest));
    ck_assert_int_eq(walk_one(longest, 256), ENAMETOOLONG);
    ck_assert_int_eq(walk_one(longest, 255), ENOENT);
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "../out/new", 0700), EINVAL);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "../out/new", "x"), EINVAL);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "../out/new", S_IFREG), EINVAL);
    ck_assert_int_eq(client_renameat(&client, CLIENT_ROOT, "../out/file", CLIENT_ROOT, "x"),
                     EINVAL);
    ck_assert_int_eq(client_renameat(&client, CLIENT_ROOT, "dir", CLIENT_ROOT, "../out/new"),
                     EINVAL);
    ck_assert_int_eq(client_unlinkat(&client, CLIENT_ROOT, "../out/file", 0), EINVAL);
    check_outside();
}
END_TEST

/* The guest makes them, the host doesn't follow them. */
START_TEST(symbolic_links_are_not_followed)
{
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "up", "../out"), 0);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "far", host("out/file")), 0);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "new", host("out/new")), 0);
    ck_assert_int_eq(client_symlink(&client, CLIENT_ROOT, "near", "dir"), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "up/file"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "near/file"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "up"), 0);
    ck_assert_int_eq(client_walk(&client, A, B, "file"), ENOTDIR);
    ck_assert_int_eq(client_create(&client, A, "new", P9_OPEN_READ_WRITE, 0600), ENOTDIR);
    ck_assert_int_eq(client_mkdir(&client, A, "new", 0700), ENOTDIR);
    ck_assert_int_eq(client_unlinkat(&client, A, "file", 0), ENOTDIR);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "far"), 0);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_READ_ONLY), ELOOP);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_WRITE_ONLY | P9_OPEN_TRUNCATE), ELOOP);
    ck_assert_int_eq(client_truncate(&client, B, 0), EINVAL);
    ck_assert_int_eq(client_chmod(&client, B, 0777), EOPNOTSUPP);
    ck_assert_int_eq(client_create(&client, CLIENT_ROOT, "far", P9_OPEN_READ_WRITE, 0600), ELOOP);
    ck_assert_int_eq(client_create(&client, CLIENT_ROOT, "new", P9_OPEN_READ_WRITE, 0600), ELOOP);
    /* Another name for the link, and not for what it points to. */
    ck_assert_int_eq(client_link(&client, CLIENT_ROOT, B, "again"), 0);
    struct stat status;
    ck_assert_int_eq(lstat(host("in/again"), &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    check_outside();
}
END_TEST

START_TEST(a_fifo_is_not_waited_for)
{
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "fifo", S_IFIFO | 0600), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "fifo"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), EACCES);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_WRITE_ONLY), EACCES);
    ck_assert_int_eq(client_create(&client, CLIENT_ROOT, "fifo", P9_OPEN_WRITE_ONLY, 0600), EACCES);
    ck_assert_int_eq(client_truncate(&client, A, 0), EINVAL);
}
END_TEST

START_TEST(devices_are_neither_made_nor_opened)
{
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "null", S_IFCHR | 0666), EPERM);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "disk", S_IFBLK | 0666), EPERM);
    ck_assert_int_eq(client_mknod(&client, CLIENT_ROOT, "dir2", S_IFDIR | 0777), EPERM);
    client_finish(&client);
    client_start(&client, "/dev", false);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "null"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), EACCES);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_WRITE_ONLY), EACCES);
    ck_assert_int_eq(client_create(&client, CLIENT_ROOT, "null", P9_OPEN_WRITE_ONLY, 0666), EACCES);
}
END_TEST

/* /proc/self/root, /proc/self/fd/N and their like are links that go where no path does. */
START_TEST(magic_links_are_not_followed)
{
    client_finish(&client);
    client_start(&client, "/proc/self", true);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "root/etc"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "cwd"), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), ELOOP);
    ck_assert_int_eq(client_walk(&client, A, B, "."), ENOTDIR);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "fd/0"), 0);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_READ_ONLY), ELOOP);
}
END_TEST

START_TEST(the_kernels_file_systems_look_empty)
{
    client_finish(&client);
    client_start(&client, "/", true);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "proc/self"), ENOENT);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "proc"), 0);
    ck_assert_int_eq(client_walk(&client, A, B, "version"), ENOENT);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_list(&client, A, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "");
}
END_TEST

/* ---- races ---- */

static _Atomic bool racing;

/* Swaps the directory in/dir with a link to the one outside, again and again. */
static void *swap_links(void *unused)
{
    while (atomic_load(&racing)) {
        (void)renameat2(AT_FDCWD, host("in/dir"), AT_FDCWD, host("in/evil"), RENAME_EXCHANGE);
    }
    return unused;
}

/* Moves a directory of the share in and out of another one, so that its ".." is never the same. */
static void *move_about(void *unused)
{
    while (atomic_load(&racing)) {
        (void)rename(host("in/dir"), host("out/dir"));
        (void)rename(host("out/dir"), host("in/dir"));
    }
    return unused;
}

static void race(void *(*adversary)(void *), void (*round)(void))
{
    pthread_t thread;

    atomic_store(&racing, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, adversary, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        round();
    atomic_store(&racing, false);
    (void)pthread_join(thread, NULL);
}

static void use_what_is_swapped(void)
{
    if (client_walk(&client, CLIENT_ROOT, A, "dir/file") == 0) {
        if (client_open(&client, A, P9_OPEN_READ_WRITE) == 0) {
            ck_assert_int_eq(client_read(&client, A, 0, text, sizeof(text)), 0);
            ck_assert_str_eq(text, "inside");
        }
        ck_assert_int_eq(client_clunk(&client, A), 0);
    }
    if (client_walk(&client, CLIENT_ROOT, A, "dir") == 0) {
        (void)client_mkdir(&client, A, "new", 0700);
        (void)client_unlinkat(&client, A, "new", P9_UNLINK_DIRECTORY);
        (void)client_create(&client, A, "made", P9_OPEN_READ_WRITE, 0600);
        (void)client_chmod(&client, A, 0755);
        (void)client_clunk(&client, A);
    }
}

START_TEST(a_link_that_is_swapped_in_is_not_followed)
{
    ck_assert_int_eq(symlink("../out", host("in/evil")), 0);
    race(swap_links, use_what_is_swapped);
    check_outside();
    ck_assert_int_eq(access(host("out/made"), F_OK), -1);
}
END_TEST

static void climb(void)
{
    char names[TEXT_BYTES];

    if (client_walk(&client, CLIENT_ROOT, A, "dir") != 0)
        return;
    /* However it was moved, up from there is the share's root. */
    ck_assert_int_eq(client_walk(&client, A, B, "../.."), 0);
    ck_assert_int_eq(client_open(&client, B, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_list(&client, B, names, sizeof(names)), 0);
    ck_assert_ptr_null(strstr(names, "out "));
    (void)client_walk(&client, CLIENT_ROOT, B + 1, "dir/../../out/file");
    ck_assert_int_eq(client_clunk(&client, B + 1), EBADF);
    ck_assert_int_eq(client_clunk(&client, B), 0);
    ck_assert_int_eq(client_clunk(&client, A), 0);
}

START_TEST(a_directory_that_moves_leads_nowhere)
{
    race(move_about, climb);
}
END_TEST

/* Nodes must not become each other's parents, whatever moved. */
START_TEST(parents_are_no_ring)
{
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "a", 0755), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "a"), 0);
    ck_assert_int_eq(client_mkdir(&client, A, "b", 0755), 0);
    ck_assert_int_eq(client_walk(&client, A, B, "b"), 0);
    ck_assert_int_eq(rename(host("in/a/b"), host("in/b")), 0);
    ck_assert_int_eq(client_rename(&client, A, B, "a"), EINVAL);
    ck_assert_int_eq(client_rename(&client, A, CLIENT_ROOT, "c"), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("p9_escape");
    TCase *tests = tcase_create("escapes");

    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, dots_lead_nowhere);
    tcase_add_test(tests, names_are_names);
    tcase_add_test(tests, symbolic_links_are_not_followed);
    tcase_add_test(tests, a_fifo_is_not_waited_for);
    tcase_add_test(tests, devices_are_neither_made_nor_opened);
    tcase_add_test(tests, magic_links_are_not_followed);
    tcase_add_test(tests, the_kernels_file_systems_look_empty);
    tcase_add_test(tests, a_link_that_is_swapped_in_is_not_followed);
    tcase_add_test(tests, a_directory_that_moves_leads_nowhere);
    tcase_add_test(tests, parents_are_no_ring);
    suite_add_tcase(suite, tests);
    return suite;
}
