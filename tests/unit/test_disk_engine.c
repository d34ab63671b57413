// SPDX-License-Identifier: Apache-2.0
/* Both engines: many requests under way, failures of the host, wake-ups. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/disk_engine.h"

Suite *unit_suite(void);

enum {
    DEPTH = 32,
    BLOCK = 4096,
    PATIENCE_MS = 60000,
};

typedef struct disk_engine *create_function(struct disk_image *, uint32_t, int, struct error *);

static create_function *create;
static struct disk_image image;
static struct disk_engine *engine;
static int wake_fd;
static uint8_t blocks[DEPTH][BLOCK];
static struct iovec segments[DEPTH];
static struct disk_io requests[DEPTH];

/* ---- the host's calls, which can be made to fail ---- */

static int init_error, register_error, thread_error, submit_error;
static bool is_old;

int __real_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int __real_io_uring_register_eventfd(struct io_uring *ring, int fd);
int __wrap_io_uring_register_eventfd(struct io_uring *ring, int fd);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);

int __wrap_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    return init_error ? -init_error : __real_io_uring_queue_init(entries, ring, flags);
}

int __wrap_io_uring_register_eventfd(struct io_uring *ring, int fd)
{
    return register_error ? -register_error : __real_io_uring_register_eventfd(ring, fd);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
    int code = submit_error;

    submit_error = 0;
    return code ? -code : __real_io_uring_submit(ring);
}

struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
    return is_old ? NULL : __real_io_uring_get_probe_ring(ring);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context)
{
    return thread_error && --thread_error == 0
               ? EAGAIN
               : __real_pthread_create(thread, attributes, run, context);
}

/* ---- an engine on a file ---- */

static void setup(create_function *function)
{
    char path[] = "/tmp/armlet-engine-XXXXXX";
    struct error error = {0};

    init_error = register_error = thread_error = submit_error = 0;
    is_old = false;
    create = function;
    image = (struct disk_image){.path = "test", .fd = mkstemp(path), .direct_fd = -1};
    ck_assert_int_ge(image.fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(ftruncate(image.fd, DEPTH * BLOCK), 0);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine = create(&image, DEPTH, wake_fd, &error);
    ck_assert_msg(engine, "%s", error.message);
}

static void setup_threads(void)
{
    setup(disk_engine_create_threads);
}

static void setup_at_once(void)
{
    setup(disk_engine_create_at_once);
}

static void setup_uring(void)
{
    setup(disk_engine_create_uring);
}

static void teardown(void)
{
    disk_engine_destroy(engine);
    (void)close(wake_fd);
    (void)close(image.fd);
}

static struct disk_io *submit(size_t i, enum disk_io_kind kind, uint64_t offset)
{
    bool is_transfer = kind == DISK_IO_READ || kind == DISK_IO_WRITE;

    segments[i] = (struct iovec){blocks[i], BLOCK};
    requests[i] = (struct disk_io){
        .kind = kind,
        .offset = offset,
        .size_bytes = BLOCK,
        .segments = is_transfer ? &segments[i] : NULL,
        .count = is_transfer ? 1 : 0,
        .code = -1,
    };
    disk_engine_submit(engine, &requests[i]);
    return &requests[i];
}

/* As a worker does: woken, it starts what is left, and looks. */
static struct disk_io *wait_for_one(void)
{
    struct pollfd bell = {.fd = wake_fd, .events = POLLIN};
    struct disk_io *io;
    uint64_t rung;

    disk_engine_start(engine);
    while (!(io = disk_engine_reap(engine, false))) {
        ck_assert_int_eq(poll(&bell, 1, PATIENCE_MS), 1);
        (void)!read(wake_fd, &rung, sizeof(rung));
        disk_engine_start(engine);
    }
    return io;
}

static int do_one(enum disk_io_kind kind, uint64_t offset)
{
    struct disk_io *io = submit(0, kind, offset);

    ck_assert_ptr_eq(wait_for_one(), io);
    ck_assert_uint_eq(engine->under_way, 0);
    return io->code;
}

START_TEST(many_are_under_way)
{
    for (size_t i = 0; i < DEPTH; i++) {
        memset(blocks[i], (int)i + 1, BLOCK);
        (void)submit(i, DISK_IO_WRITE, i * BLOCK);
    }
    for (size_t i = 0; i < DEPTH; i++)
        ck_assert_int_eq(wait_for_one()->code, 0);
    ck_assert_ptr_null(disk_engine_reap(engine, true));
    memset(blocks, 0, sizeof(blocks));
    for (size_t i = 0; i < DEPTH; i++)
        (void)submit(i, DISK_IO_READ, i * BLOCK);
    for (size_t i = 0; i < DEPTH; i++)
        ck_assert_int_eq(disk_engine_reap(engine, true)->code, 0); /* waits, started or not */
    for (size_t i = 0; i < DEPTH; i++) {
        ck_assert_uint_eq(blocks[i][0], i + 1);
        ck_assert_uint_eq(blocks[i][BLOCK - 1], i + 1);
    }
}
END_TEST

START_TEST(ranges_and_flushes)
{
    memset(blocks[0], 7, BLOCK);
    ck_assert_int_eq(do_one(DISK_IO_WRITE, 0), 0);
    ck_assert_int_eq(do_one(DISK_IO_FLUSH, 0), 0);
    ck_assert_int_eq(do_one(DISK_IO_ZERO, 0), 0);
    ck_assert_int_eq(do_one(DISK_IO_READ, 0), 0);
    ck_assert_uint_eq(blocks[0][9], 0);
    ck_assert_int_eq(do_one(DISK_IO_ZERO_UNMAP, BLOCK), 0);
    ck_assert_int_eq(do_one(DISK_IO_DISCARD, BLOCK), 0);
}
END_TEST

START_TEST(what_is_cut_short_goes_on_or_fails)
{
    ck_assert_int_eq(ftruncate(image.fd, BLOCK + 100), 0);
    blocks[0][0] = 1;
    ck_assert_int_eq(do_one(DISK_IO_READ, BLOCK), EIO); /* 100 bytes, then none */
    ck_assert_uint_eq(blocks[0][0], 0);
    ck_assert_int_eq(do_one(DISK_IO_READ, (uint64_t)DEPTH * BLOCK), EIO);
}
END_TEST

/* A pipe can't be synced, read at an offset, or have holes. */
START_TEST(the_hosts_errors_are_told)
{
    int file = image.fd;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    image.fd = ends[0];
    ck_assert_int_eq(do_one(DISK_IO_FLUSH, 0), EINVAL);
    ck_assert_int_ne(do_one(DISK_IO_DISCARD, 0), 0);
    ck_assert_int_ne(do_one(DISK_IO_ZERO, 0), 0);
    ck_assert_int_eq(do_one(DISK_IO_WRITE, 0) != 0, 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    image.fd = file;
    ck_assert_int_eq(do_one(DISK_IO_READ, 0), 0);
}
END_TEST

START_TEST(a_host_that_is_busy_is_asked_again)
{
    submit_error = EAGAIN;
    ck_assert_int_eq(do_one(DISK_IO_READ, 0), 0);
    submit_error = EINTR;
    ck_assert_int_eq(do_one(DISK_IO_READ, 0), 0);
}
END_TEST

static void check_refused(create_function *function, int code, const char *text)
{
    struct error error = {0};

    ck_assert_ptr_null(function(&image, DEPTH, wake_fd, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, code);
    ck_assert_msg(strstr(error.message, text), "%s", error.message);
}

START_TEST(a_host_without_uring)
{
    init_error = ENOSYS;
    check_refused(disk_engine_create_uring, ENOSYS, "cannot use io_uring");
    init_error = 0;
    is_old = true;
    check_refused(disk_engine_create_uring, 0, "before Linux 5.6");
    is_old = false;
    register_error = EPERM;
    check_refused(disk_engine_create_uring, EPERM, "eventfd");
}
END_TEST

START_TEST(a_host_without_threads)
{
    for (int at = 1; at < 4; at++) {
        thread_error = at;
        check_refused(disk_engine_create_threads, EAGAIN, "cannot start a disk's threads");
    }
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, SFun setup_engine)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup_engine, teardown);
    tcase_add_test(tests, many_are_under_way);
    tcase_add_test(tests, ranges_and_flushes);
    tcase_add_test(tests, what_is_cut_short_goes_on_or_fails);
    tcase_add_test(tests, the_hosts_errors_are_told);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("disk_engine");
    TCase *threads = add_case(suite, "threads", setup_threads);
    struct io_uring ring;

    tcase_add_test(threads, a_host_without_threads);
    (void)add_case(suite, "at once", setup_at_once);
    if (io_uring_queue_init(1, &ring, 0) == 0) {
        io_uring_queue_exit(&ring);
        TCase *uring = add_case(suite, "uring", setup_uring);

        tcase_add_test(uring, a_host_that_is_busy_is_asked_again);
        tcase_add_test(uring, a_host_without_uring);
    }
    return suite;
}
