// SPDX-License-Identifier: Apache-2.0
/* key=value: on the command line, and what becomes of it in a device. */
#include <check.h>
#include <string.h>

#include "armlet/property.h"
#include "parse_options.h"

Suite *unit_suite(void);

struct config {
    bool flag;
    uint64_t number, size, time;
    const char *text;
};

static const struct property_row rows[] = {
    {"flag", PROPERTY_FLAG, offsetof(struct config, flag), 0, 0, "a flag"},
    {"number", PROPERTY_NUMBER, offsetof(struct config, number), 2, 40, "a number"},
    {"size", PROPERTY_SIZE, offsetof(struct config, size), 0, 1 << 20, "a size"},
    {"time", PROPERTY_TIME, offsetof(struct config, time), 0, 0, "a time"},
    {"text", PROPERTY_TEXT, offsetof(struct config, text), 0, 0, "a text"},
    {0},
};

static struct config config;
static struct error error;

static bool read_one(const char *key, const char *value)
{
    const struct property property = {key, value};
    const struct property_list list = {&property, 1};

    error = (struct error){0};
    return property_list_read(&list, rows, &config, &error);
}

static void check_refused(const char *key, const char *value, const char *message)
{
    ck_assert(!read_one(key, value));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_str_eq(error.message, message);
}

START_TEST(values_of_every_kind)
{
    config = (struct config){.number = 7};
    ck_assert(read_one("flag", "on") && config.flag);
    ck_assert_uint_eq(config.number, 7);
    ck_assert(read_one("flag", "off") && !config.flag);
    ck_assert(read_one("number", "0x1F") && config.number == 0x1f);
    ck_assert(read_one("number", "08") && config.number == 8);
    ck_assert(read_one("size", "12") && config.size == 12);
    ck_assert(read_one("size", "4k") && config.size == 4096);
    ck_assert(read_one("time", "10us") && config.time == 10000);
    ck_assert(read_one("text", "") && strcmp(config.text, "") == 0);
}
END_TEST

START_TEST(bad_values_are_told)
{
    check_refused("flag", "yes", "flag=yes: must be on or off");
    check_refused("number", "1", "number=1: must be at least 2");
    check_refused("number", "41", "number=41: must be at most 40");
    check_refused("number", "", "number=: not a number: write it like 16 or 0x10");
    check_refused("number", "-3", "number=-3: not a number: write it like 16 or 0x10");
    check_refused("number", "0x", "number=0x: not a number: write it like 16 or 0x10");
    check_refused("number", "1f", "number=1f: not a number: write it like 16 or 0x10");
    check_refused("number", "99999999999999999999",
                  "number=99999999999999999999: too large a number");
    check_refused("size", "2M", "size=2M: must be at most 1048576 bytes");
    ck_assert(!read_one("time", "soon"));
    ck_assert(!read_one("size", "many"));
}
END_TEST

START_TEST(unknown_keys_are_told)
{
    const struct property property = {"numbre", "1"};
    const struct property_list list = {&property, 1};

    check_refused("numbre", "1", "unknown property 'numbre': did you mean 'number'?");
    check_refused("zzzzzz", "1",
                  "unknown property 'zzzzzz': known: flag, number, size, time, text");
    ck_assert(!property_list_read(&list, NULL, NULL, &error));
    ck_assert_str_eq(error.message, "unknown property 'numbre': there are none");
}
END_TEST

START_TEST(a_list_is_judged_without_a_target)
{
    const struct property items[] = {{"flag", "on"}, {"number", "3"}, {"number", "4"}};
    const struct property_list list = {items, 3};

    ck_assert(property_list_read(&list, rows, NULL, &error));
    ck_assert(property_list_read(&list, rows, &config, &error));
    ck_assert_uint_eq(config.number, 4);
    ck_assert(property_list_read(&(struct property_list){0}, NULL, NULL, &error));
}
END_TEST

/* ---- on the command line ---- */

static void check_property(const struct option_request *request, size_t index, const char *key,
                           const char *value)
{
    ck_assert_uint_gt(request->properties.count, index);
    ck_assert_str_eq(request->properties.items[index].key, key);
    ck_assert_str_eq(request->properties.items[index].value, value);
}

START_TEST(devices_on_the_command_line)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--device", "one", "--device=two,a=1,b,c=x=y", "--device",
                  "three,path=a,,b,,,d=,,");
    ck_assert_uint_eq(options.devices.count, 3);
    ck_assert_str_eq(options.devices.items[0].name, "one");
    ck_assert_uint_eq(options.devices.items[0].properties.count, 0);
    ck_assert_str_eq(options.devices.items[1].name, "two");
    ck_assert_uint_eq(options.devices.items[1].properties.count, 3);
    check_property(&options.devices.items[1], 0, "a", "1");
    check_property(&options.devices.items[1], 1, "b", "on");
    check_property(&options.devices.items[1], 2, "c", "x=y");
    check_property(&options.devices.items[2], 0, "path", "a,b,");
    check_property(&options.devices.items[2], 1, "d", ",");
    ck_assert(!options.list_devices);
    options_finish(&options);
}
END_TEST

START_TEST(disks_on_the_command_line)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--device", "one", "--disk", "a,,b.img", "--disk=c,ro,serial=7");
    ck_assert_uint_eq(options.devices.count, 3);
    ck_assert_str_eq(options.devices.items[1].name, "virtio-blk");
    ck_assert_uint_eq(options.devices.items[1].properties.count, 1);
    check_property(&options.devices.items[1], 0, "path", "a,b.img");
    ck_assert_str_eq(options.devices.items[2].name, "virtio-blk");
    ck_assert_uint_eq(options.devices.items[2].properties.count, 3);
    check_property(&options.devices.items[2], 0, "path", "c");
    check_property(&options.devices.items[2], 1, "ro", "on");
    check_property(&options.devices.items[2], 2, "serial", "7");
    options_finish(&options);
    ck_assert(!PARSE(&options, &error, "run", "--disk", ",ro"));
    ck_assert_int_eq(error.code, ERROR_USAGE);
}
END_TEST

START_TEST(sockets_on_the_command_line)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--vsock", "3,uds=vm.sock");
    ck_assert_str_eq(options.devices.items[0].name, "virtio-vsock");
    check_property(&options.devices.items[0], 0, "cid", "3");
    check_property(&options.devices.items[0], 1, "uds", "vm.sock");
    options_finish(&options);
    ck_assert(!PARSE(&options, &error, "run", "--vsock", ",uds=a"));
    ck_assert_int_eq(error.code, ERROR_USAGE);
}
END_TEST

START_TEST(a_disk_to_start_from)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "-a", "quiet", "--disk", "a", "--root", "b,direct", "-a", "x");
    ck_assert_uint_eq(options.devices.count, 2);
    check_property(&options.devices.items[1], 0, "path", "b");
    check_property(&options.devices.items[1], 1, "direct", "on");
    ck_assert_str_eq(options.append, "quiet root=/dev/vdb rw x");
    options_finish(&options);
    ASSERT_PARSES(&options, "run", "--root", "a,ro");
    ck_assert_str_eq(options.append, "root=/dev/vda ro");
    options_finish(&options);
    ASSERT_PARSES(&options, "run", "--root", "a,ro=off");
    ck_assert_str_eq(options.append, "root=/dev/vda rw");
    options_finish(&options);
    ck_assert(!PARSE(&options, &error, "run", "--root", ",ro"));
    ck_assert_int_eq(error.code, ERROR_USAGE);
}
END_TEST

START_TEST(devices_that_say_nothing)
{
    static const char *const wrong[] = {"one,", "one,a,,,", "one,=1", ",a=1"};
    struct options options;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert(!PARSE(&options, &error, "run", "--device", wrong[i]));
        ck_assert_int_eq(error.code, ERROR_USAGE);
        ck_assert_ptr_nonnull(strstr(error.message, wrong[i]));
    }
    ASSERT_PARSES(&options, "run", "--device", "help");
    ck_assert(options.list_devices);
    options_finish(&options);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("property");
    TCase *tests = tcase_create("property");

    tcase_add_test(tests, values_of_every_kind);
    tcase_add_test(tests, bad_values_are_told);
    tcase_add_test(tests, unknown_keys_are_told);
    tcase_add_test(tests, a_list_is_judged_without_a_target);
    tcase_add_test(tests, devices_on_the_command_line);
    tcase_add_test(tests, disks_on_the_command_line);
    tcase_add_test(tests, sockets_on_the_command_line);
    tcase_add_test(tests, a_disk_to_start_from);
    tcase_add_test(tests, devices_that_say_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
