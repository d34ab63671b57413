// SPDX-License-Identifier: Apache-2.0
/* Shared directories as a device: chains in, answers out, and properties that are none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/p9_message.h"
#include "devices/virtio.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum { ENTRIES = 8, REQUEST = DRIVER_BUFFERS, ANSWER = DRIVER_BUFFERS + 0x8000, ROOM = 256 };

static struct virtio_bus bus;
static char path[32];

static void setup(void)
{
    const struct virtqueue_layout packed = {
        .entries = ENTRIES, .packed = true, .indirect = true, .event_index = true};

    (void)strcpy(path, "/tmp/armlet-9p-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    virtio_bus_init(&bus, &packed);
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    (void)rmdir(path);
}

static struct device *create_with(const struct property *properties, size_t count,
                                  struct error *error)
{
    fake_regions_init(&bus.regions);
    bus.resources.properties = (struct property_list){properties, count};
    return find_device_class("virtio-9p")->create(&bus.resources, error);
}

static void start(void)
{
    const struct property properties[] = {{"path", path}, {"tag", "home"}};
    struct error error = {0};

    bus.device = create_with(properties, 2, &error);
    ck_assert_msg(bus.device, "%s", error.message);
    virtio_bus_start(&bus, 1);
}

static uint32_t put_version(void)
{
    struct p9_writer out = {.start = virtio_driver_at(&bus.driver, REQUEST), .room_bytes = ROOM};

    p9_write_u32(&out, 0);
    p9_write_u8(&out, P9_TVERSION);
    p9_write_u16(&out, 1);
    p9_write_u32(&out, UINT32_MAX);
    p9_write_text(&out, P9_VERSION, strlen(P9_VERSION));
    p9_patch_u32(&out, 0, (uint32_t)out.used_bytes);
    return (uint32_t)out.used_bytes;
}

static uint32_t ask(uint32_t request_bytes, uint32_t room)
{
    const struct driver_buffer buffers[] = {
        {REQUEST, 3, false},
        {REQUEST + 3, request_bytes - 3, false},
        {ANSWER, 5, true},
        {ANSWER + 5, room - 5, true},
    };

    (void)virtio_driver_add(&bus.driver, buffers, 4, false);
    virtio_bus_notify(&bus);
    return virtio_bus_reap(&bus);
}

START_TEST(it_has_a_tag)
{
    start();
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_9P);
    ck_assert(virtio_bus_offered(&bus) & 1);
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_CONFIG), 4 | 'h' << 16 | 'o' << 24);
}
END_TEST

START_TEST(it_answers)
{
    start();
    uint32_t answer_bytes = ask(put_version(), ROOM);
    struct p9_reader in = {.at = virtio_driver_at(&bus.driver, ANSWER), .left_bytes = answer_bytes};

    ck_assert_uint_eq(p9_read_u32(&in), answer_bytes);
    ck_assert_uint_eq(p9_read_u8(&in), P9_TVERSION + 1);
    ck_assert_uint_eq(p9_read_u16(&in), 1);
    ck_assert_uint_eq(p9_read_u32(&in), P9_MOST_MESSAGE_BYTES);
}
END_TEST

START_TEST(what_is_no_message_is_given_back)
{
    start();
    memset(virtio_driver_at(&bus.driver, REQUEST), 0xff, ROOM);
    ck_assert_uint_eq(ask(5, ROOM), 0);
    ck_assert_uint_eq(ask(64, ROOM), P9_HEADER_BYTES + 4);
    ck_assert_uint_eq(ask(64, 8), 0);
    ck_assert_uint_eq(ask(put_version(), ROOM), P9_HEADER_BYTES + 4 + 2 + strlen(P9_VERSION));
}
END_TEST

START_TEST(requests_and_errors_are_counted)
{
    start();
    (void)ask(put_version(), ROOM);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "requests"), 1);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "errors"), 0);
    memset(virtio_driver_at(&bus.driver, REQUEST), 0xff, ROOM);
    (void)ask(64, ROOM);
    (void)ask(5, ROOM); /* is no message, and has no answer */
    ck_assert_uint_eq(virtio_bus_counter(&bus, "requests"), 2);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "errors"), 1);
}
END_TEST

START_TEST(wrong_properties_are_told)
{
    static const char too_long[] =
        "a-tag-that-is-longer-than-the-sixty-four-bytes-that-a-tag-may-have";
    const struct property bad_tag[] = {{"path", path}, {"tag", too_long}};
    const struct property bad_path[] = {{"path", "/nothing/there"}};
    struct error error = {0};

    ck_assert_ptr_null(create_with(NULL, 0, &error));
    ck_assert_str_eq(error.message, "path=DIR is missing");
    ck_assert_ptr_null(create_with(bad_tag, 2, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "must have 1 to 64 bytes"));
    ck_assert_ptr_null(create_with(bad_path, 1, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot share '/nothing/there'"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_9p");
    TCase *tests = tcase_create("device");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, it_has_a_tag);
    tcase_add_test(tests, it_answers);
    tcase_add_test(tests, what_is_no_message_is_given_back);
    tcase_add_test(tests, requests_and_errors_are_counted);
    tcase_add_test(tests, wrong_properties_are_told);
    suite_add_tcase(suite, tests);
    return suite;
}
