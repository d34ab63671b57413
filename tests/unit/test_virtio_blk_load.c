// SPDX-License-Identifier: Apache-2.0
/* Disks with more than one request: several under way, several queues, limits, resets meanwhile. */
#include <check.h>
#include <errno.h>
#include <liburing.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "devices/virtio.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_blk_internal.h"
#include "fake_event_loop.h"
#include "fake_timer_clocks.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 64,
    SECTOR = 512,
    DISK_BYTES = 1 << 20,
    REQUESTS = 16,
    HEADERS = DRIVER_BUFFERS,
    STATUSES = DRIVER_BUFFERS + 0x1000,
    DATA = DRIVER_BUFFERS + 0x2000,
    NO_STATUS = 0xee,
    MOST_PROPERTIES = 4,
};

static struct virtio_bus bus;
static struct event_loop loop;
static char path[] = "/tmp/armlet-disk-XXXXXX";
static int setup_error, flush_error;
static bool is_in_memory;
static unsigned flushes;

/* ---- the host's calls ---- */

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_fdatasync(int fd);
int __wrap_fstatfs(int fd, struct statfs *file_system);

/* Where the tests' image is, as far as the disk can tell. */
int __wrap_fstatfs(int fd, struct statfs *file_system)
{
    (void)fd;
    *file_system = (struct statfs){.f_type = is_in_memory ? TMPFS_MAGIC : EXT4_SUPER_MAGIC};
    return 0;
}

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return setup_error ? -setup_error : __real_io_uring_queue_init(entries, ring, flags);
}

/* Slow, so that others ask meanwhile; and a failure is told once, as the kernel does. */
int __wrap_fdatasync(int fd)
{
    (void)fd;
    for (int i = 0; i < 1000; i++)
        (void)sched_yield();
    errno = __atomic_exchange_n(&flush_error, 0, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&flushes, 1, __ATOMIC_SEQ_CST);
    return errno ? -1 : 0;
}

/* ---- a disk ---- */

static const struct virtqueue_layout layout = {.entries = ENTRIES};

static void setup(void)
{
    setup_error = flush_error = 0;
    is_in_memory = false;
    flushes = 0;
    (void)snprintf(path, sizeof(path), "/tmp/armlet-disk-XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, DISK_BYTES), 0);
    (void)close(fd);
    loop = (struct event_loop){0};
    virtio_bus_init(&bus, &layout);
    bus.resources.loop = &loop;
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    (void)unlink(path);
}

static bool try_create(const struct property *more, size_t count, struct error *error)
{
    struct property properties[MOST_PROPERTIES + 1] = {{"path", path}};

    ck_assert_uint_le(count, MOST_PROPERTIES);
    memcpy(properties + 1, more, count * sizeof(*more));
    bus.resources.properties = (struct property_list){properties, count + 1};
    bus.device = find_device_class("virtio-blk")->create(&bus.resources, error);
    return bus.device;
}

static void create(const struct property *more, size_t count)
{
    struct error error = {0};

    ck_assert_msg(try_create(more, count, &error), "%s", error.message);
    virtio_bus_start(&bus, VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
}

static uint8_t *status_of(uint32_t number)
{
    return virtio_driver_at(&bus.driver, STATUSES + number);
}

static void add(uint32_t number, uint32_t type)
{
    uint64_t header_at = HEADERS + number * sizeof(struct virtio_blk_header);
    const struct virtio_blk_header header = {.type = type, .sector = number};
    struct driver_buffer buffers[3] = {{header_at, sizeof(header), false}};
    size_t count = 1;

    memcpy(virtio_driver_at(&bus.driver, header_at), &header, sizeof(header));
    *status_of(number) = NO_STATUS;
    if (type != VIRTIO_BLK_T_FLUSH)
        buffers[count++] = (struct driver_buffer){DATA + (uint64_t)number * SECTOR, SECTOR,
                                                  type == VIRTIO_BLK_T_IN};
    buffers[count++] = (struct driver_buffer){STATUSES + number, 1, true};
    (void)virtio_driver_add(&bus.driver, buffers, count, false);
}

static void reap(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)virtio_bus_reap(&bus);
}

static void check_many(const char *engine)
{
    const struct property io = {"io", engine};

    create(&io, 1);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        memset(virtio_driver_at(&bus.driver, DATA + (uint64_t)i * SECTOR), (int)i + 1, SECTOR);
        add(i, VIRTIO_BLK_T_OUT);
    }
    virtio_bus_notify(&bus);
    reap(REQUESTS);
    memset(virtio_driver_at(&bus.driver, DATA), 0, REQUESTS * SECTOR);
    for (uint32_t i = 0; i < REQUESTS; i++)
        add(i, VIRTIO_BLK_T_IN);
    virtio_bus_notify(&bus);
    reap(REQUESTS);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        ck_assert_uint_eq(*status_of(i), VIRTIO_BLK_S_OK);
        ck_assert_uint_eq(
            *(uint8_t *)virtio_driver_at(&bus.driver, DATA + (uint64_t)i * SECTOR + 7), i + 1);
    }
    ck_assert_uint_eq(virtio_bus_counter(&bus, "reads"), REQUESTS);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "read_bytes"), REQUESTS * SECTOR);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "writes"), REQUESTS);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "written_bytes"), REQUESTS * SECTOR);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "failures"), 0);
}

START_TEST(many_at_once)
{
    check_many(_i ? "auto" : "threads");
}
END_TEST

/* Nothing of the host is needed for it. */
START_TEST(many_in_memory)
{
    setup_error = ENOSYS;
    is_in_memory = true;
    check_many("auto");
    ck_assert_str_eq(container_of(bus.device, struct blk, virtio.device)->engine->ops->name,
                     "at once");
}
END_TEST

START_TEST(a_host_without_uring_has_threads)
{
    const struct property uring = {"io", "uring"};
    struct error error = {0};

    setup_error = ENOSYS;
    ck_assert(!try_create(&uring, 1, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, ENOSYS);
    ck_assert_msg(strstr(error.message, "io=uring: cannot use io_uring"), "%s", error.message);
    check_many("auto");
}
END_TEST

START_TEST(one_flush_serves_all_that_wait)
{
    const struct property io = {"io", "threads"};

    create(&io, 1);
    for (uint32_t i = 0; i < REQUESTS; i++)
        add(i, VIRTIO_BLK_T_FLUSH);
    virtio_bus_notify(&bus);
    reap(REQUESTS);
    for (uint32_t i = 0; i < REQUESTS; i++)
        ck_assert_uint_eq(*status_of(i), VIRTIO_BLK_S_OK);
    ck_assert_uint_ge(flushes, 1);
    ck_assert_uint_lt(flushes, REQUESTS);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "flushes"), REQUESTS);
}
END_TEST

START_TEST(a_failed_flush_fails_all_that_wait)
{
    const struct property io = {"io", "threads"};

    create(&io, 1);
    flush_error = EIO;
    for (uint32_t i = 0; i < REQUESTS; i++)
        add(i, VIRTIO_BLK_T_FLUSH);
    virtio_bus_notify(&bus);
    reap(REQUESTS);
    for (uint32_t i = 0; i < REQUESTS; i++)
        ck_assert_uint_eq(*status_of(i), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(flushes, 1);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "failures"), REQUESTS);
}
END_TEST

START_TEST(a_reset_waits_for_what_is_under_way)
{
    const struct property io = {"io", _i ? "auto" : "threads"};

    create(&io, 1);
    for (uint32_t i = 0; i < REQUESTS; i++)
        add(i, i % 4 == 3 ? VIRTIO_BLK_T_FLUSH : VIRTIO_BLK_T_IN);
    virtio_bus_notify(&bus);
    bus.device->ops->reset(bus.device);
    /* From here on nothing of the guest's changes. */
    memset(virtio_driver_at(&bus.driver, 0), 0x5a, DRIVER_MEMORY_BYTES);
    for (int i = 0; i < 1000; i++)
        (void)sched_yield();
    const uint8_t *bytes = virtio_driver_at(&bus.driver, 0);
    for (size_t i = 0; i < DRIVER_MEMORY_BYTES; i++)
        ck_assert_uint_eq(bytes[i], 0x5a);
}
END_TEST

START_TEST(queues_are_as_many_as_asked_for)
{
    static const struct property queues = {"queues", "3"};
    uint64_t at = VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, queue_count);

    create(&queues, 1);
    ck_assert(virtio_bus_offered(&bus) & VIRTIO_FEATURE(VIRTIO_BLK_F_MQ));
    ck_assert_uint_eq(bus.device->ops->read(bus.device, at, ACCESS_16_BIT), 3);
    for (uint32_t i = 0; i < 5; i++) {
        device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, i);
        ck_assert_int_eq(device_read32(bus.device, VIRTIO_MMIO_QUEUE_NUM_MAX) != 0, i < 3);
    }
    add(0, VIRTIO_BLK_T_IN);
    virtio_bus_notify(&bus);
    reap(1);
    ck_assert_uint_eq(*status_of(0), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(bus.device->counter_count, BLK_QUEUES + 3);
    ck_assert_str_eq(bus.device->counters[BLK_QUEUES + 2].name, "queue2");
    ck_assert_uint_eq(counter_read(&bus.device->counters[BLK_QUEUES].value), 1);
    ck_assert_uint_eq(counter_read(&bus.device->counters[BLK_QUEUES + 2].value), 0);
}
END_TEST

/* With a rate of one a second the rest waits for the timer, and the clock says when. */
START_TEST(limits_make_requests_wait)
{
    static const struct property limits[] = {{"operations", "1"}, {"operations-burst", "2"}};

    create(limits, 2);
    for (uint32_t i = 0; i < 3; i++)
        add(i, VIRTIO_BLK_T_IN);
    virtio_bus_notify(&bus);
    reap(2);
    while (!__atomic_load_n(&loop.armed, __ATOMIC_ACQUIRE))
        (void)sched_yield();
    ck_assert_uint_ge(virtio_bus_counter(&bus, "limited"), 1);
    ck_assert_uint_eq(*status_of(2), NO_STATUS);
    ck_assert(loop.delay_ns > 0 && loop.delay_ns <= UINT64_C(1000000000));
    fake_timer_clocks_set(UINT64_C(1000000000));
    fake_event_loop_fire(&loop);
    reap(1);
    ck_assert_uint_eq(*status_of(2), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(what_is_asked_wrongly_is_told)
{
    static const struct {
        struct property property;
        const char *message;
    } wrong[] = {
        {{"io", "aio"}, "io=aio: must be auto, uring or threads"},
        {{"queues", "0"}, "queues=0: must be at least 1"},
        {{"queues", "17"}, "queues=17: must be at most 16"},
        {{"bandwidth-burst", "1M"}, "bandwidth-burst is given, and no bandwidth"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error error = {0};

        ck_assert(!try_create(&wrong[i].property, 1, &error));
        ck_assert_int_eq(error.code, ERROR_USAGE);
        ck_assert_str_eq(error.message, wrong[i].message);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_blk_load");
    TCase *tests = tcase_create("virtio_blk_load");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, many_at_once, 0, 2);
    tcase_add_test(tests, many_in_memory);
    tcase_add_test(tests, a_host_without_uring_has_threads);
    tcase_add_test(tests, one_flush_serves_all_that_wait);
    tcase_add_test(tests, a_failed_flush_fails_all_that_wait);
    tcase_add_loop_test(tests, a_reset_waits_for_what_is_under_way, 0, 2);
    tcase_add_test(tests, queues_are_as_many_as_asked_for);
    tcase_add_test(tests, limits_make_requests_wait);
    tcase_add_test(tests, what_is_asked_wrongly_is_told);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return suite;
}
