// SPDX-License-Identifier: Apache-2.0
/* The I/O thread's loop on real files, and the log. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "armlet/event_loop.h"
#include "armlet/log.h"

#define NS_PER_MS 1000000ULL

struct fixture {
    struct event_loop *loop;
    struct event_source sources[2];
    unsigned fired;
    struct error error;
};

static struct event_loop *create_loop(void)
{
    struct error error;
    struct event_loop *loop = event_loop_create(&error);

    ck_assert_ptr_nonnull(loop);
    return loop;
}

static void run_loop(struct event_loop *loop)
{
    struct error error;

    ck_assert_msg(event_loop_run(loop, &error), "%s", error.message);
}

static void watch(struct fixture *fixture, size_t index, int fd, event_callback *callback)
{
    fixture->sources[index] =
        (struct event_source){.fd = fd, .callback = callback, .context = fixture};
    ck_assert(event_loop_add(fixture->loop, &fixture->sources[index], EPOLLIN, &fixture->error));
}

static void count_and_stop(struct event_source *source, uint32_t events)
{
    struct fixture *fixture = source->context;

    ck_assert(events & EPOLLIN);
    fixture->fired++;
    event_loop_stop(fixture->loop);
}

/* Both sources are ready: whichever comes first removes the other and itself. */
static void remove_both(struct event_source *source, uint32_t events)
{
    struct fixture *fixture = source->context;

    (void)events;
    fixture->fired++;
    event_loop_remove(fixture->loop, &fixture->sources[0]);
    event_loop_remove(fixture->loop, &fixture->sources[1]);
    event_loop_stop(fixture->loop);
}

START_TEST(a_ready_file_calls_back)
{
    struct fixture fixture = {.loop = create_loop()};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    watch(&fixture, 0, ends[0], count_and_stop);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 1);
    event_loop_remove(fixture.loop, &fixture.sources[0]);
    ck_assert(!fixture.sources[0].registered);
    event_loop_destroy(fixture.loop);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_removed_source_stays_silent)
{
    struct fixture fixture = {.loop = create_loop()};
    int ends[2][2];

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pipe(ends[i]), 0);
        watch(&fixture, i, ends[i][0], remove_both);
        ck_assert_int_eq(write(ends[i][1], "x", 1), 1);
    }
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 1);
    event_loop_remove(fixture.loop, &fixture.sources[0]); /* twice is allowed */
    event_loop_destroy(fixture.loop);
    for (size_t i = 0; i < 2; i++) {
        (void)close(ends[i][0]);
        (void)close(ends[i][1]);
    }
}
END_TEST

static void on_writable(struct event_source *source, uint32_t events)
{
    struct fixture *fixture = source->context;

    ck_assert_uint_eq(events, EPOLLOUT);
    fixture->fired++;
    event_loop_stop(fixture->loop);
}

START_TEST(what_is_watched_can_change)
{
    struct fixture fixture = {.loop = create_loop()};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    fixture.sources[0] =
        (struct event_source){.fd = ends[1], .callback = on_writable, .context = &fixture};
    ck_assert(event_loop_add(fixture.loop, &fixture.sources[0], 0, &fixture.error));
    event_loop_modify(fixture.loop, &fixture.sources[0], EPOLLOUT);
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 1);
    event_loop_destroy(fixture.loop);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_regular_file_cannot_be_watched)
{
    struct fixture fixture = {.loop = create_loop()};
    char path[] = "/tmp/armlet-test-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    fixture.sources[0] =
        (struct event_source){.fd = fd, .callback = count_and_stop, .context = &fixture};
    ck_assert(!event_loop_add(fixture.loop, &fixture.sources[0], EPOLLIN, &fixture.error));
    ck_assert_int_eq(fixture.error.code, ERROR_HOST);
    ck_assert_int_eq(fixture.error.os_errno, EPERM);
    ck_assert(!fixture.sources[0].registered);
    event_loop_destroy(fixture.loop);
    (void)close(fd);
    (void)unlink(path);
}
END_TEST

static void on_timer(struct event_timer *timer)
{
    struct fixture *fixture = timer->context;

    fixture->fired++;
    event_loop_stop(fixture->loop);
}

START_TEST(a_timer_fires_once_and_can_be_disarmed)
{
    struct fixture fixture = {.loop = create_loop()};
    struct event_timer timers[2];

    for (size_t i = 0; i < 2; i++)
        ck_assert(event_timer_init(&timers[i], fixture.loop, on_timer, &fixture, &fixture.error));
    event_timer_arm(&timers[0], 1); /* due at once, but disarmed before the loop runs */
    event_timer_disarm(&timers[0]);
    event_timer_arm(&timers[1], 2 * NS_PER_MS);
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 1);
    event_timer_arm(&timers[0], 0); /* zero means now, not never */
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 2);
    for (size_t i = 0; i < 2; i++)
        event_timer_finish(&timers[i]);
    event_loop_destroy(fixture.loop);
}
END_TEST

static void on_notify(struct event_notify *notify)
{
    struct fixture *fixture = notify->context;

    fixture->fired++;
    event_loop_stop(fixture->loop);
}

static void *send_from_a_thread(void *context)
{
    event_notify_send(context);
    return NULL;
}

START_TEST(a_notification_comes_from_any_thread)
{
    struct fixture fixture = {.loop = create_loop()};
    struct event_notify notify;
    pthread_t thread;

    ck_assert(event_notify_init(&notify, fixture.loop, on_notify, &fixture, &fixture.error));
    ck_assert_int_eq(pthread_create(&thread, NULL, send_from_a_thread, &notify), 0);
    run_loop(fixture.loop);
    ck_assert_uint_eq(fixture.fired, 1);
    (void)pthread_join(thread, NULL);
    event_notify_finish(&notify);
    event_loop_destroy(fixture.loop);
}
END_TEST

START_TEST(finishing_what_never_began_is_allowed)
{
    struct event_timer timer = {.loop = NULL};
    struct event_notify notify = {.loop = NULL};

    event_timer_finish(&timer);
    event_notify_finish(&notify);
    event_loop_destroy(NULL);
}
END_TEST

/* Each call that needs a file descriptor says so when the process may have no more. */
START_TEST(no_more_files_is_an_error)
{
    struct fixture fixture = {.loop = create_loop()};
    struct event_timer timer;
    struct event_notify notify;
    struct rlimit old, none;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct event_loop *second = event_loop_create(&fixture.error);
    int loop_errno = fixture.error.os_errno;
    bool timer_made = event_timer_init(&timer, fixture.loop, on_timer, &fixture, &fixture.error);
    bool notify_made =
        event_notify_init(&notify, fixture.loop, on_notify, &fixture, &fixture.error);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);

    ck_assert_ptr_null(second);
    ck_assert_int_eq(loop_errno, EMFILE);
    ck_assert(!timer_made && !notify_made);
    ck_assert_ptr_nonnull(strstr(fixture.error.message, "eventfd failed"));
    event_timer_finish(&timer);
    event_notify_finish(&notify);
    event_loop_destroy(fixture.loop);
}
END_TEST

/* ---- the log ---- */

static void read_log(int fd, char *text, size_t room)
{
    ssize_t length = read(fd, text, room - 1);

    text[length > 0 ? length : 0] = '\0';
}

START_TEST(a_line_is_whole_and_has_its_level)
{
    int ends[2];
    char text[4096];

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    struct log log = {.fd = ends[1], .threshold = LOG_WARNING};

    log_line(&log, LOG_INFO, "dropped");
    log_line(&log, LOG_ERROR, "number %d", 7);
    read_log(ends[0], text, sizeof(text));
    ck_assert_str_eq(text, "armlet: error: number 7\n");
    atomic_store(&log.raw_terminal, true);
    log.threshold = LOG_INFO;
    log_line(&log, LOG_INFO, "plain");
    read_log(ends[0], text, sizeof(text));
    ck_assert_str_eq(text, "armlet: plain\r\n");
    log.fd = -1;
    log_line(&log, LOG_ERROR, "nowhere");
    read_log(ends[0], text, sizeof(text));
    ck_assert_str_eq(text, "");
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_reader_that_reads_no_more_holds_nobody_up)
{
    const char fill[4096] = "x";
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], fill, sizeof(fill)) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    struct log log = {.fd = ends[1], .threshold = LOG_INFO};
    log_line(&log, LOG_ERROR, "to nobody");
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_long_line_is_cut)
{
    int ends[2];
    char text[4096];
    char word[2000];

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    struct log log = {.fd = ends[1], .threshold = LOG_INFO, .raw_terminal = true};

    log_line(&log, LOG_INFO, "%s", word);
    read_log(ends[0], text, sizeof(text));
    ck_assert_uint_le(strlen(text), 1024);
    ck_assert_str_eq(text + strlen(text) - 3, "w\r\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_flood_is_logged_ever_more_rarely)
{
    struct log_limit limit = {0};
    unsigned passed = 0;

    for (unsigned i = 0; i < 1024; i++)
        passed += log_limit_pass(&limit);
    ck_assert_uint_eq(passed, LOG_BURST + 7); /* 16, 32, ... 1024 */
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("event_loop");
    TCase *tests = tcase_create("event_loop");

    tcase_add_test(tests, a_ready_file_calls_back);
    tcase_add_test(tests, a_removed_source_stays_silent);
    tcase_add_test(tests, what_is_watched_can_change);
    tcase_add_test(tests, a_regular_file_cannot_be_watched);
    tcase_add_test(tests, a_timer_fires_once_and_can_be_disarmed);
    tcase_add_test(tests, a_notification_comes_from_any_thread);
    tcase_add_test(tests, finishing_what_never_began_is_allowed);
    tcase_add_test(tests, no_more_files_is_an_error);
    tcase_add_test(tests, a_line_is_whole_and_has_its_level);
    tcase_add_test(tests, a_long_line_is_cut);
    tcase_add_test(tests, a_reader_that_reads_no_more_holds_nobody_up);
    tcase_add_test(tests, a_flood_is_logged_ever_more_rarely);
    suite_add_tcase(suite, tests);
    return suite;
}
