// SPDX-License-Identifier: Apache-2.0
/* The static armlet, which can't load plugins and becomes the program that can. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin_loader.h"
#include "plugin_path.h"

Suite *unit_suite(void);

static char sibling[PATH_MAX];
static struct error error;

static void find_sibling(void)
{
    ssize_t length = readlink("/proc/self/exe", sibling, sizeof(sibling) - 1);

    ck_assert_int_gt(length, 0);
    sibling[length] = '\0';
    char *name = strrchr(sibling, '/') + 1;
    (void)snprintf(name, sizeof(sibling) - (size_t)(name - sibling), "%s", PLUGIN_LOADER_PROGRAM);
    (void)unlink(sibling);
    error = (struct error){0};
}

static void remove_sibling(void)
{
    (void)unlink(sibling);
}

static char *const arguments[] = {"armlet", "-c", "exit $(($0 + 5))", "37", NULL};

START_TEST(without_a_sibling_it_says_where_it_looked)
{
    ck_assert(!plugin_loader_prepare(arguments, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "'armlet-dynamic' is not in '"));
    ck_assert_ptr_nonnull(strstr(error.message, "' or its '../libexec/armlet'"));
}
END_TEST

START_TEST(a_sibling_gets_the_same_arguments)
{
    int status = 0;

    ck_assert_int_eq(symlink("/bin/sh", sibling), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(plugin_loader_prepare(arguments, &error) ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 42);
}
END_TEST

START_TEST(a_sibling_that_cant_run_is_told)
{
    int fd = open(sibling, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ck_assert(!plugin_loader_prepare(arguments, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, EACCES);
    ck_assert_ptr_nonnull(strstr(error.message, "/armlet-dynamic', which loads plugins"));
}
END_TEST

START_TEST(nothing_is_loaded_here)
{
    ck_assert_ptr_null(plugin_loader_open("x", &error));
    ck_assert_int_eq(error.code, ERROR_INTERNAL);
    ck_assert_ptr_null(plugin_loader_find(NULL, "x", &error));
    plugin_loader_close(NULL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("plugin_static");
    TCase *tests = tcase_create("plugin_static");

    tcase_add_checked_fixture(tests, find_sibling, remove_sibling);
    tcase_add_test(tests, without_a_sibling_it_says_where_it_looked);
    tcase_add_test(tests, a_sibling_gets_the_same_arguments);
    tcase_add_test(tests, a_sibling_that_cant_run_is_told);
    tcase_add_test(tests, nothing_is_loaded_here);
    suite_add_tcase(suite, tests);
    return suite;
}
