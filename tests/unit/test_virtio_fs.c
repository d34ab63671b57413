// SPDX-License-Identifier: Apache-2.0
/* Shared directories by another process: a fake one, which dies at each message, or later. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/host_process.h"
#include "devices/virtio.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 16,
    REQUESTS = 1, /* the second queue */
    /* What the fake answers with what it was asked for, by the numbers of vhost-user. */
    GET_FEATURES = 1,
    GET_VRING_BASE = 11,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_VRING_ENABLE = 18,
    IS_REPLY = 1 << 2,
    NEEDS_REPLY = 1 << 3,
    MESSAGES_TO_CREATE = 4,
    MESSAGES_TO_START = 2 + 7, /* of one ring */
    FUSE_IN = 16,
    FUSE_OUT = 16,
    MOST_FILES = 64,
};

static const uint64_t FEATURES = VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                                 VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) | VIRTIO_FEATURE(30) |
                                 VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);

static struct virtio_bus bus;
static struct error error;
static int memory_fd;

/* How the fake fares; it is forked with what is set here. */
static int start_errno;
static unsigned dies_at;    /* at the nth message, from 1 on */
static unsigned refuses_at; /* says no */
static bool speaks_simply;  /* has no extensions of the protocol */
static pid_t fake;

struct message {
    uint32_t request, flags, payload_bytes;
    uint64_t payload[5];
} __attribute__((packed));

enum { HEAD_BYTES = 12 };

/* ---- the other process ---- */

static int take_message(int fd, struct message *message, int *file)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {message, HEAD_BYTES};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};

    if (recvmsg(fd, &header, MSG_WAITALL) != HEAD_BYTES ||
        message->payload_bytes > sizeof(message->payload) ||
        (message->payload_bytes > 0 &&
         recv(fd, message->payload, message->payload_bytes, MSG_WAITALL) <= 0))
        return 0;
    if (header.msg_controllen > 0)
        memcpy(file, CMSG_DATA(&control.head), sizeof(*file));
    return 1;
}

static void answer(int fd, struct message *message, uint64_t number)
{
    message->flags = 1 | IS_REPLY;
    message->payload_bytes = sizeof(number);
    message->payload[0] = number;
    (void)!send(fd, message, HEAD_BYTES + sizeof(number), MSG_NOSIGNAL);
}

/* Calls once a ring is its own. */
static void be_virtiofsd(int listener)
{
    struct message message = {0};
    int fd = accept(listener, NULL, NULL);
    int file = -1, call = -1;

    for (unsigned n = 1; take_message(fd, &message, &file); n++) {
        const uint64_t one = 1;

        if (n == dies_at)
            break;
        if (message.request == SET_VRING_CALL)
            call = file;
        if (message.request == SET_VRING_ENABLE)
            (void)!write(call, &one, sizeof(one));
        if (message.request == GET_FEATURES)
            answer(fd, &message, speaks_simply ? FEATURES & ~VIRTIO_FEATURE(30) : FEATURES);
        else if (message.request == GET_PROTOCOL_FEATURES)
            answer(fd, &message, UINT64_MAX);
        else if (message.request == GET_VRING_BASE)
            answer(fd, &message, 0);
        else if (message.flags & NEEDS_REPLY)
            answer(fd, &message, n == refuses_at);
    }
    _exit(0);
}

int __wrap_host_process_start(const char *file, const char *const words[], int fd, int messages,
                              pid_t *pid);

int __wrap_host_process_start(const char *file, const char *const words[], int fd, int messages,
                              pid_t *pid)
{
    (void)file;
    ck_assert_str_eq(words[3], "source=/srv");
    if (start_errno)
        return start_errno;
    *pid = fake = fork();
    if (fake == 0) {
        (void)!write(messages, "first\nlast words\n", 17);
        for (int i = STDERR_FILENO + 1; i < MOST_FILES; i++)
            if (i != fd)
                (void)close(i);
        be_virtiofsd(fd);
    }
    return 0;
}

/* ---- a device with it ---- */

static void setup(void)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES};

    start_errno = 0;
    dies_at = refuses_at = 0;
    speaks_simply = false;
    error = (struct error){0};
    memory_fd = memfd_create("test", MFD_CLOEXEC);
    virtio_bus_init(&bus, &layout);
    bus.queue = REQUESTS;
    bus.resources.shared_memory = &memory_fd;
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    bus = (struct virtio_bus){0};
    (void)close(memory_fd);
}

static bool create(void)
{
    static const struct property items[] = {{"path", "/srv"}, {"tag", "code"}};

    bus.resources.properties = (struct property_list){items, 2};
    bus.device = find_device_class("virtio-fs")->create(&bus.resources, &error);
    return bus.device;
}

static void request(unsigned number)
{
    uint8_t *at = virtio_driver_at(&bus.driver, DRIVER_BUFFERS);
    const uint64_t unique = number;
    const struct driver_buffer buffers[] = {{DRIVER_BUFFERS, FUSE_IN, false},
                                            {DRIVER_BUFFERS + FUSE_IN, FUSE_OUT, true}};

    memset(at, 0, FUSE_IN + FUSE_OUT);
    memcpy(at + 8, &unique, sizeof(unique));
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
}

static void check_refusal(unsigned number)
{
    const uint8_t *at = (const uint8_t *)virtio_driver_at(&bus.driver, DRIVER_BUFFERS) + FUSE_IN;
    int32_t code;
    uint64_t unique;

    ck_assert_uint_eq(virtio_bus_reap(&bus), FUSE_OUT);
    memcpy(&code, at + 4, sizeof(code));
    memcpy(&unique, at + 8, sizeof(unique));
    ck_assert_int_eq(code, -ENOTCONN);
    ck_assert_uint_eq(unique, number);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
}

START_TEST(rings_go_there_and_come_back)
{
    speaks_simply = _i;
    ck_assert_msg(create(), "%s", error.message);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG, ACCESS_8_BIT), 'c');
    ck_assert(!(virtio_bus_offered(&bus) & VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)));
    for (int lap = 0; lap < 2; lap++) {
        virtio_bus_start(&bus, 0);
        if (!speaks_simply)
            ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
        device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    }
    ck_assert_int_eq(kill(fake, 0), 0);
}
END_TEST

/* What it had taken is answered, and what comes later, also after a reset. */
START_TEST(its_death_is_survived)
{
    ck_assert_msg(create(), "%s", error.message);
    virtio_bus_start(&bus, 0);
    (void)virtio_bus_take_interrupt(&bus);
    request(1);
    ck_assert_int_eq(kill(fake, SIGKILL), 0);
    check_refusal(1);
    for (unsigned i = 2; i < 2 * ENTRIES; i++) {
        request(i);
        check_refusal(i);
    }
    virtio_driver_finish(&bus.driver);
    virtio_driver_init(&bus.driver, &(struct virtqueue_layout){.entries = ENTRIES});
    virtio_bus_start(&bus, 0);
    request(1);
    check_refusal(1);
}
END_TEST

/* A request without room for an answer, as forget(), and one that is none. */
START_TEST(nobody_wants_an_answer)
{
    const struct driver_buffer forget = {DRIVER_BUFFERS, FUSE_IN, false};
    const struct driver_buffer cut = {DRIVER_BUFFERS, FUSE_IN - 1, false};

    dies_at = MESSAGES_TO_CREATE + 1;
    ck_assert_msg(create(), "%s", error.message);
    virtio_bus_start(&bus, 0);
    (void)virtio_driver_add(&bus.driver, &forget, 1, false);
    (void)virtio_driver_add(&bus.driver, &cut, 1, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
}
END_TEST

START_TEST(it_dies_while_it_is_created)
{
    dies_at = (unsigned)_i + 1;
    ck_assert(!create());
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_msg(strstr(error.message, "cannot share '/srv': virtiofsd failed: last words"), "%s",
                  error.message);
}
END_TEST

START_TEST(it_dies_or_refuses_while_it_is_started)
{
    unsigned number = MESSAGES_TO_CREATE + (unsigned)_i / 2 + 1;

    *(_i % 2 ? &dies_at : &refuses_at) = number;
    ck_assert_msg(create(), "%s", error.message);
    virtio_bus_start(&bus, 0);
    request(7);
    check_refusal(7);
}
END_TEST

/* With GET_VRING_BASE; the next start finds it dead. */
START_TEST(it_dies_while_it_is_stopped)
{
    dies_at = MESSAGES_TO_CREATE + MESSAGES_TO_START + 1;
    ck_assert_msg(create(), "%s", error.message);
    virtio_bus_start(&bus, 0);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    virtio_bus_start(&bus, 0);
    request(3);
    check_refusal(3);
}
END_TEST

START_TEST(what_cannot_be_started)
{
    static const struct {
        int code;
        const char *text;
    } failures[] = {
        {ENOENT, "virtiofsd is not installed: install the package 'virtiofsd'"},
        {EACCES, "cannot execute virtiofsd: Permission denied"},
    };

    for (size_t i = 0; i < 2; i++) {
        start_errno = failures[i].code;
        ck_assert(!create());
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_msg(strstr(error.message, failures[i].text), "%s", error.message);
        fake_regions_init(&bus.regions);
    }
    bus.resources.shared_memory = NULL;
    ck_assert(!create());
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "--memory-backing hugetlb"));
}
END_TEST

START_TEST(wrong_properties_are_refused)
{
    static const struct property wrong[] = {{"tag", "x"},
                                            {"tag", "0123456789012345678901234567890123456"}};
    const struct property items[] = {{"path", "/srv"}, wrong[1]};

    bus.resources.properties = (struct property_list){&wrong[0], 1};
    ck_assert_ptr_null(find_device_class("virtio-fs")->create(&bus.resources, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "path=DIR is missing"));
    fake_regions_init(&bus.regions);
    bus.resources.properties = (struct property_list){items, 2};
    ck_assert_ptr_null(find_device_class("virtio-fs")->create(&bus.resources, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "must have 1 to 36 bytes"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_fs");
    TCase *tests = tcase_create("shares");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, rings_go_there_and_come_back, 0, 2);
    tcase_add_test(tests, its_death_is_survived);
    tcase_add_test(tests, nobody_wants_an_answer);
    tcase_add_loop_test(tests, it_dies_while_it_is_created, 0, MESSAGES_TO_CREATE);
    tcase_add_loop_test(tests, it_dies_or_refuses_while_it_is_started, 0, 2 * MESSAGES_TO_START);
    tcase_add_test(tests, it_dies_while_it_is_stopped);
    tcase_add_test(tests, what_cannot_be_started);
    tcase_add_test(tests, wrong_properties_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
