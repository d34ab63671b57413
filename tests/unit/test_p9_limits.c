// SPDX-License-Identifier: Apache-2.0
/* The file server at the end of what the host has: the client gets errors, and it goes on. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"

Suite *unit_suite(void);

enum { A = 1, B = 2, C = 3, MOST_ALLOWED = 4 };

static struct p9_client client;
static char root[] = "/tmp/armlet-p9-limits-XXXXXX";

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    client_start(&client, root, false);
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "dir", 0755), 0);
}

static void teardown(void)
{
    char command[128];

    client_finish(&client);
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

static bool exists(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return access(path, F_OK) == 0;
}

static struct rlimit limit_of_files(void)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit;
}

/* From here on the process can have so many files more than it has. */
static void allow_files(size_t count)
{
    struct rlimit limit = limit_of_files();
    int files[MOST_ALLOWED + 1];

    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (size_t i = 0; i <= count; i++) {
        files[i] = dup(STDOUT_FILENO);
        ck_assert_int_ge(files[i], 0);
    }
    for (size_t i = 0; i <= count; i++)
        (void)close(files[i]);
    limit.rlim_cur = (rlim_t)files[count];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(the_host_runs_out_of_files)
{
    const struct rlimit before = limit_of_files();

    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, A, "dir"), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, C, ""), 0);
    allow_files(0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), EMFILE);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, B, "dir"), EMFILE);
    ck_assert_int_eq(client_create(&client, C, "new", P9_OPEN_READ_WRITE, 0644), EMFILE);
    ck_assert(!exists("new"));
    ck_assert_int_eq(client_mkdir(&client, C, "new", 0755), EMFILE);
    ck_assert_int_eq(client_symlink(&client, C, "new", "dir"), EMFILE);
    ck_assert_int_eq(client_mknod(&client, C, "new", S_IFIFO | 0644), EMFILE);
    ck_assert(!exists("new"));
    /* Enough to make a file, and not to look for it: it doesn't stay. */
    allow_files(1);
    ck_assert_int_eq(client_create(&client, C, "new", P9_OPEN_READ_WRITE, 0644), EMFILE);
    ck_assert(!exists("new"));
    /* What failed has kept none, and the same requests do with a few more. */
    allow_files(MOST_ALLOWED);
    ck_assert_int_eq(client_create(&client, C, "new", P9_OPEN_READ_WRITE, 0644), 0);
    ck_assert_int_eq(client_open(&client, A, P9_OPEN_READ_ONLY), 0);
    ck_assert_int_eq(client_write(&client, C, 0, "x"), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

/* Far fewer than the process may have files open, so that other devices have some. */
START_TEST(open_files_are_bounded)
{
    uint32_t fid = 1;
    int code = 0;

    while (fid < 1 << 20 && (code = client_walk(&client, CLIENT_ROOT, fid, "dir")) == 0 &&
           (code = client_open(&client, fid, P9_OPEN_READ_ONLY)) == 0)
        fid++;
    ck_assert_int_eq(code, ENFILE);
    ck_assert_int_eq(client_mkdir(&client, CLIENT_ROOT, "new", 0755), ENFILE);
    ck_assert(!exists("new"));
    int spare = dup(STDOUT_FILENO);

    ck_assert_int_ge(spare, 0);
    ck_assert_uint_le((rlim_t)spare, limit_of_files().rlim_cur / 2);
    (void)close(spare);
    ck_assert_int_eq(client_clunk(&client, 1), 0);
    ck_assert_int_eq(client_walk(&client, CLIENT_ROOT, 1, "dir"), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("p9_limits");
    TCase *tests = tcase_create("limits");

    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_host_runs_out_of_files);
    tcase_add_test(tests, open_files_are_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}
