// SPDX-License-Identifier: Apache-2.0
/* --share: what is the directory, what the tag, and what is neither. */
#include <check.h>
#include <string.h>

#include "options.h"

Suite *unit_suite(void);

static struct options options;
static struct error error;

static const char *class = "virtio-9p";

static void teardown(void)
{
    options_finish(&options);
}

static bool parse(const char *first, const char *second)
{
    char *const arguments[] = {
        "armlet", "run", "--share", (char *)first, second ? "--share" : NULL, (char *)second, NULL};

    return options_parse(second ? 6 : 4, arguments, &options, &error);
}

/* "key=value key=value ", in order. */
static const char *properties(size_t index)
{
    static char text[256];
    const struct option_request *request = &options.devices.items[index];

    ck_assert_str_eq(request->name, class);
    text[0] = '\0';
    for (size_t i = 0; i < request->properties.count; i++) {
        strcat(text, request->properties.items[i].key);
        strcat(text, "=");
        strcat(text, request->properties.items[i].value);
        strcat(text, " ");
    }
    return text;
}

START_TEST(a_share_is_a_directory_and_a_tag)
{
    ck_assert(parse("/srv/data,ro", "src:code"));
    ck_assert_uint_eq(options.devices.count, 2);
    ck_assert_str_eq(properties(0), "path=/srv/data ro=on ");
    ck_assert_str_eq(properties(1), "path=src tag=code ");
}
END_TEST

START_TEST(a_share_may_be_virtiofsds)
{
    ck_assert(parse("/srv/data,via=virtiofs", "src:code,via=virtiofs,ro=off"));
    class = "virtio-fs";
    ck_assert_str_eq(properties(0), "path=/srv/data ");
    ck_assert_str_eq(properties(1), "path=src ro=off tag=code ");
    options_finish(&options);
    ck_assert(parse("/srv/data,via=9p,ro", NULL));
    class = "virtio-9p";
    ck_assert_str_eq(properties(0), "path=/srv/data ro=on ");
}
END_TEST

START_TEST(a_colon_within_the_path_is_the_paths)
{
    ck_assert(parse("a:b/c", "a:b/c:tag,ro"));
    ck_assert_str_eq(properties(0), "path=a:b/c ");
    ck_assert_str_eq(properties(1), "path=a:b/c ro=on tag=tag ");
}
END_TEST

static void refuse(const char *first, const char *second, const char *message)
{
    ck_assert(!parse(first, second));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_str_eq(error.message, message);
}

START_TEST(what_is_wrong_is_told)
{
    refuse("dir:", NULL, "--share 'dir:': the tag after the colon is missing");
    refuse(":tag", NULL, "--share :tag: the directory before the colon is missing");
    refuse("", NULL, "--share needs a value: a directory, as DIR:TAG");
    refuse("a", "b,ro",
           "--share b,ro: there is a share with the tag 'share' already: write it as DIR:TAG");
    refuse("a:x", "b:x",
           "--share b:x: there is a share with the tag 'x' already: write it as DIR:TAG");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options_share");
    TCase *tests = tcase_create("share");

    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, a_share_is_a_directory_and_a_tag);
    tcase_add_test(tests, a_share_may_be_virtiofsds);
    tcase_add_test(tests, a_colon_within_the_path_is_the_paths);
    tcase_add_test(tests, what_is_wrong_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}
