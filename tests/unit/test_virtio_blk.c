// SPDX-License-Identifier: Apache-2.0
/* Disks: each request on a real file, what a host's failures become, and what isn't opened. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/disk_image.h"
#include "devices/virtio.h"
#include "devices/virtio_blk.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 8,
    SECTOR = DISK_SECTOR_BYTES,
    SECTORS = 4096,
    HEADER = DRIVER_BUFFERS,
    DATA = DRIVER_BUFFERS + 0x1000,
    STATUS = DRIVER_BUFFERS + 0x20000,
    NO_STATUS = 0xee,
    MODEL_FEATURES = 1 << VIRTIO_BLK_F_FLUSH,
};

static struct virtio_bus bus;
static const char *engine;
static char path[] = "/tmp/armlet-disk-XXXXXX";

/* ---- the host's calls, which can be made to fail ---- */

static int flush_error, allocate_error;
static unsigned flushes;

int __real_fallocate(int fd, int mode, off_t offset, off_t size_bytes);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size_bytes);
int __wrap_fdatasync(int fd);

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size_bytes)
{
    if (allocate_error == 0)
        return __real_fallocate(fd, mode, offset, size_bytes);
    errno = allocate_error;
    return -1;
}

/* The kernel's way: an error is told once. */
int __wrap_fdatasync(int fd)
{
    ck_assert_int_ge(fd, 0);
    flushes++;
    errno = flush_error;
    flush_error = 0;
    return errno ? -1 : 0;
}

/* ---- a disk ---- */

static void make_file(uint64_t size_bytes)
{
    (void)snprintf(path, sizeof(path), "/tmp/armlet-disk-XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size_bytes), 0);
    (void)close(fd);
}

static struct device *create_with(const struct property *properties, size_t count,
                                  struct error *error)
{
    fake_regions_init(&bus.regions);
    bus.resources.properties = (struct property_list){properties, count};
    return find_device_class("virtio-blk")->create(&bus.resources, error);
}

static void create(const char *key, const char *value)
{
    const struct property properties[] = {{"path", path}, {"io", engine}, {key, value}};
    struct error error = {0};

    bus.device = create_with(properties, key ? 3 : 2, &error);
    ck_assert_msg(bus.device, "%s", error.message);
}

static const struct virtqueue_layout packed = {
    .entries = ENTRIES, .packed = true, .indirect = true, .event_index = true};
static const struct virtqueue_layout split = {.entries = ENTRIES};

static void setup(const char *name)
{
    engine = name;
    flush_error = allocate_error = 0;
    flushes = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    make_file((uint64_t)SECTORS * SECTOR);
    virtio_bus_init(&bus, &split);
}

static void setup_threads(void)
{
    setup("threads");
}

static void setup_uring(void)
{
    setup("uring");
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    (void)unlink(path);
}

static void put_header(uint32_t type, uint64_t sector)
{
    const struct virtio_blk_header header = {.type = type, .sector = sector};

    memcpy(virtio_driver_at(&bus.driver, HEADER), &header, sizeof(header));
    memset(virtio_driver_at(&bus.driver, STATUS), NO_STATUS, 1);
}

/* A request of header, data and status; returns the status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t data_bytes, bool data_is_writable,
                       uint32_t expected_bytes)
{
    const struct driver_buffer buffers[] = {
        {HEADER, sizeof(struct virtio_blk_header), false},
        {data_bytes ? DATA : STATUS, data_bytes ? data_bytes : 1, data_is_writable || !data_bytes},
        {STATUS, 1, true},
    };

    put_header(type, sector);
    (void)virtio_driver_add(&bus.driver, buffers, data_bytes ? 3 : 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), expected_bytes);
    return *(uint8_t *)virtio_driver_at(&bus.driver, STATUS);
}

static uint8_t write_sectors(uint64_t sector, uint32_t count, uint8_t byte)
{
    memset(virtio_driver_at(&bus.driver, DATA), byte, (size_t)count * SECTOR);
    return request(VIRTIO_BLK_T_OUT, sector, count * SECTOR, false, 1);
}

static void check_file(uint64_t sector, uint8_t byte)
{
    uint8_t bytes[SECTOR];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), (off_t)(sector * SECTOR)), SECTOR);
    (void)close(fd);
    for (size_t i = 0; i < sizeof(bytes); i++)
        ck_assert_uint_eq(bytes[i], byte);
}

/* ---- requests ---- */

START_TEST(it_says_what_it_is)
{
    create("serial", "12345678901234567890");
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_CONFIG), SECTORS);
    ck_assert_uint_eq(
        device_read32(bus.device,
                      VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, block_bytes)),
        SECTOR);
    uint64_t offered = virtio_bus_offered(&bus);
    ck_assert(!(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_RO)));
    ck_assert(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD));
    ck_assert(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20, true, 21), VIRTIO_BLK_S_OK);
    ck_assert_int_eq(memcmp(virtio_driver_at(&bus.driver, DATA), "12345678901234567890", 20), 0);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 19, true, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(99, 0, 512, true, 1), VIRTIO_BLK_S_UNSUPP);
}
END_TEST

START_TEST(what_is_written_is_read)
{
    static const struct {
        const char *key;
        const struct virtqueue_layout *layout;
    } ways[] = {{NULL, &split}, {"direct", &split}, {NULL, &packed}};

    virtio_bus_finish(&bus);
    virtio_bus_init(&bus, ways[_i].layout);
    create(ways[_i].key, "on");
    virtio_bus_start(&bus, MODEL_FEATURES);
    for (uint32_t count = 1; count <= 64; count *= 2) {
        ck_assert_uint_eq(write_sectors(count, count, (uint8_t)count), VIRTIO_BLK_S_OK);
        memset(virtio_driver_at(&bus.driver, DATA), 0, (size_t)count * SECTOR);
        ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, count, count * SECTOR, true, count * SECTOR + 1),
                          VIRTIO_BLK_S_OK);
        const uint8_t *bytes = virtio_driver_at(&bus.driver, DATA);
        ck_assert_uint_eq(bytes[0], count);
        ck_assert_uint_eq(bytes[count * SECTOR - 1], count);
        check_file(2 * count - 1, (uint8_t)count);
    }
    ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, true, 1), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(write_sectors(SECTORS - 1, 1, 9), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(segments_are_cut_as_the_driver_likes)
{
    /* The header in two, 1024 bytes of data in three with the status in the last. */
    static const struct driver_buffer buffers[] = {
        {HEADER, 3, false},    {HEADER + 3, 13, false}, {DATA, 100, true},
        {DATA + 100, 1, true}, {DATA + 101, 924, true},
    };
    uint8_t *bytes = virtio_driver_at(&bus.driver, DATA);

    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_uint_eq(write_sectors(5, 2, 0x55), VIRTIO_BLK_S_OK);
    memset(bytes, 0, 1025);
    bytes[1024] = NO_STATUS;
    put_header(VIRTIO_BLK_T_IN, 5);
    (void)virtio_driver_add(&bus.driver, buffers, 5, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 1025);
    ck_assert_uint_eq(bytes[0], 0x55);
    ck_assert_uint_eq(bytes[1023], 0x55);
    ck_assert_uint_eq(bytes[1024], VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(what_is_beyond_the_disk_is_an_error)
{
    static const uint64_t sectors[] = {SECTORS - 1, SECTORS, UINT64_MAX, UINT64_MAX / SECTOR,
                                       UINT64_C(1) << 55};
    struct stat status;

    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    for (size_t i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
        ck_assert_uint_eq(write_sectors(sectors[i], 2, 1), VIRTIO_BLK_S_IOERR);
        ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, sectors[i], 1024, true, 1), VIRTIO_BLK_S_IOERR);
    }
    ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 511, true, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 513, false, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, SECTORS * SECTOR);
}
END_TEST

START_TEST(malformed_requests_are_answered_or_dropped)
{
    static const struct driver_buffer no_header[] = {{HEADER, 15, false}, {STATUS, 1, true}};
    static const struct driver_buffer no_status = {HEADER, 16, false};

    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    put_header(VIRTIO_BLK_T_IN, 0);
    (void)virtio_driver_add(&bus.driver, no_header, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 1);
    ck_assert_uint_eq(*(uint8_t *)virtio_driver_at(&bus.driver, STATUS), VIRTIO_BLK_S_IOERR);
    (void)virtio_driver_add(&bus.driver, &no_status, 1, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
}
END_TEST

/* ---- ranges ---- */

static uint8_t request_range(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags)
{
    const struct virtio_blk_range range = {sector, count, flags};

    memcpy(virtio_driver_at(&bus.driver, DATA), &range, sizeof(range));
    return request(type, 0, sizeof(range), false, 1);
}

START_TEST(discarding_shrinks_the_file)
{
    struct stat before, after;

    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    for (uint32_t i = 0; i < 8; i++)
        ck_assert_uint_eq(write_sectors(64 * (uint64_t)i, 64, 1), VIRTIO_BLK_S_OK);
    ck_assert_int_eq(stat(path, &before), 0);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 64, 256, 0), VIRTIO_BLK_S_OK);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_int_lt(after.st_blocks, before.st_blocks);
    ck_assert_int_eq(after.st_size, before.st_size);
    check_file(63, 1);
    check_file(64, 0);
}
END_TEST

START_TEST(a_discard_may_fail)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    allocate_error = EOPNOTSUPP; /* a hint that the host can't take */
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_OK);
    allocate_error = EIO;
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(zeroes_are_written)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    for (uint32_t way = 0; way < 3; way++) {
        allocate_error = way == 2 ? EOPNOTSUPP : 0;
        for (uint32_t at = 0; at < SECTORS; at += 128)
            ck_assert_uint_eq(write_sectors(at, 128, 7), VIRTIO_BLK_S_OK);
        ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, SECTORS - 6, way & 1),
                          VIRTIO_BLK_S_OK);
        check_file(2, 7);
        check_file(3, 0);
        check_file(SECTORS / 2, 0);
        check_file(SECTORS - 4, 0);
        check_file(SECTORS - 3, 7);
    }
}
END_TEST

START_TEST(ranges_are_judged)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 8, 1), VIRTIO_BLK_S_UNSUPP);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, SECTORS - 1, 2, 0),
                      VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, UINT64_MAX, UINT32_MAX, 0),
                      VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 15, false, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 0, false, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16 * (VIRTIO_BLK_MOST_RANGES + 1), false, 1),
                      VIRTIO_BLK_S_IOERR);
}
END_TEST

/* ---- a host that fails ---- */

START_TEST(a_write_error_of_the_host_is_the_guests)
{
    struct rlimit usual, small;

    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = usual;
    small.rlim_cur = SECTORS / 2 * SECTOR;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_uint_eq(write_sectors(0, 8, 1), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(write_sectors(SECTORS / 2 - 2, 4, 2), VIRTIO_BLK_S_IOERR); /* half fits */
    ck_assert_uint_eq(write_sectors(SECTORS - 1, 1, 2), VIRTIO_BLK_S_IOERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &usual), 0);
    ck_assert_uint_eq(write_sectors(SECTORS - 1, 1, 3), VIRTIO_BLK_S_OK);
    check_file(SECTORS - 1, 3);
}
END_TEST

START_TEST(a_failed_flush_is_for_good)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    flush_error = EIO;
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, true, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(flushes, 1);
    /* Nor does a reset bring back what is lost. */
    bus.device->ops->reset(bus.device);
    virtio_driver_finish(&bus.driver);
    virtio_driver_init(&bus.driver, &split);
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, true, 1), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(an_interrupted_flush_goes_on)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    flush_error = EINTR;
    ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, true, 1), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(flushes, 2);
}
END_TEST

START_TEST(drivers_that_cant_flush_need_not)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, 0);
    ck_assert_uint_eq(write_sectors(0, 1, 1), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(flushes, 1);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(flushes, 2);
    flush_error = EIO;
    ck_assert_uint_eq(write_sectors(0, 1, 1), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(a_file_that_got_shorter_is_an_error)
{
    create(NULL, NULL);
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_int_eq(truncate(path, 4096), 0);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 6, 2048, true, 1), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(a_disk_for_reading_is_not_written)
{
    ck_assert_int_eq(chmod(path, 0400), 0);
    create("ro", "on");
    uint64_t offered = virtio_bus_offered(&bus);
    ck_assert(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_RO));
    ck_assert(!(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD)));
    ck_assert(!(offered & VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));
    virtio_bus_start(&bus, MODEL_FEATURES);
    ck_assert_uint_eq(write_sectors(0, 1, 1), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, true, 513), VIRTIO_BLK_S_OK);
    check_file(0, 0);
}
END_TEST

/* ---- what isn't opened ---- */

static void check_refused(enum error_code code, const char *text, const char *key,
                          const char *value)
{
    const struct property properties[] = {{"path", path}, {key, value}};
    struct error error = {0};

    ck_assert_ptr_null(create_with(properties, key ? 2 : 1, &error));
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.message, text), "%s", error.message);
    ck_assert_ptr_null(strchr(error.message, '\n'));
}

START_TEST(an_image_is_open_once)
{
    struct error error = {0};
    const struct property properties[] = {{"path", path}, {"ro", "on"}};

    create(NULL, NULL);
    check_refused(ERROR_FILE, "is in use", NULL, NULL);
    check_refused(ERROR_FILE, "is in use", "ro", "on");
    bus.device->ops->destroy(bus.device);
    create("ro", "on");
    struct device *second = create_with(properties, 2, &error);
    ck_assert_msg(second, "%s", error.message);
    check_refused(ERROR_FILE, "is in use", NULL, NULL);
    second->ops->destroy(second);
}
END_TEST

static void put_magic(off_t offset, const char *magic, size_t size_bytes)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    ck_assert_int_eq(pwrite(fd, magic, size_bytes, offset), (ssize_t)size_bytes);
    (void)close(fd);
}

START_TEST(other_formats_are_told_by_name)
{
    put_magic(0, "QFI\xfb", 4);
    check_refused(ERROR_FILE, "is a qcow2 image", NULL, NULL);
    create("raw", "on");
    bus.device->ops->destroy(bus.device);
    bus.device = NULL;
    put_magic(0, "vhdxfile", 8);
    check_refused(ERROR_FILE, "is a vhdx image", NULL, NULL);
    put_magic(0, "\0\0\0\0\0\0\0\0", 8);
    put_magic(0x40, "\x7f\x10\xda\xbe", 4);
    check_refused(ERROR_FILE, "is a vdi image", NULL, NULL);
}
END_TEST

START_TEST(what_is_no_disk_is_refused)
{
    struct error error = {0};

    ck_assert_ptr_null(create_with(NULL, 0, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_str_eq(error.message, "path=FILE is missing");
    check_refused(ERROR_USAGE, "more than 20 characters", "serial", "123456789012345678901");
    check_refused(ERROR_USAGE, "did you mean 'serial'?", "seriel", "1");
    ck_assert_int_eq(truncate(path, 1000), 0);
    check_refused(ERROR_FILE, "has 1000 bytes: a disk has a multiple of 512", NULL, NULL);
    ck_assert_int_eq(truncate(path, 0), 0);
    check_refused(ERROR_FILE, "has 0 bytes", NULL, NULL);
    ck_assert_int_eq(unlink(path), 0);
    check_refused(ERROR_FILE, "cannot open disk", NULL, NULL);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    check_refused(ERROR_FILE, "cannot open disk", NULL, NULL);
    check_refused(ERROR_FILE, "", "ro", "on");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    check_refused(ERROR_FILE, "", "ro", "on");
}
END_TEST

/* What each engine has to do. */
static void add_tests(Suite *suite, const char *name, SFun setup_engine)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup_engine, teardown);
    tcase_add_test(tests, it_says_what_it_is);
    tcase_add_loop_test(tests, what_is_written_is_read, 0, 3);
    tcase_add_test(tests, segments_are_cut_as_the_driver_likes);
    tcase_add_test(tests, what_is_beyond_the_disk_is_an_error);
    tcase_add_test(tests, malformed_requests_are_answered_or_dropped);
    tcase_add_test(tests, discarding_shrinks_the_file);
    tcase_add_test(tests, zeroes_are_written);
    tcase_add_test(tests, ranges_are_judged);
    tcase_add_test(tests, a_write_error_of_the_host_is_the_guests);
    tcase_add_test(tests, a_file_that_got_shorter_is_an_error);
    tcase_add_test(tests, a_disk_for_reading_is_not_written);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
}

static bool has_uring(void)
{
    struct io_uring ring;

    if (io_uring_queue_init(1, &ring, 0) != 0)
        return false;
    io_uring_queue_exit(&ring);
    return true;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_blk");
    TCase *tests = tcase_create("the host's calls are ours");

    add_tests(suite, "threads", setup_threads);
    if (has_uring())
        add_tests(suite, "uring", setup_uring);
    tcase_add_checked_fixture(tests, setup_threads, teardown);
    tcase_add_test(tests, a_discard_may_fail);
    tcase_add_test(tests, a_failed_flush_is_for_good);
    tcase_add_test(tests, an_interrupted_flush_goes_on);
    tcase_add_test(tests, drivers_that_cant_flush_need_not);
    tcase_add_test(tests, an_image_is_open_once);
    tcase_add_test(tests, other_formats_are_told_by_name);
    tcase_add_test(tests, what_is_no_disk_is_refused);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return suite;
}
