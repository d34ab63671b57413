// SPDX-License-Identifier: Apache-2.0
/* Traces: what is in the file, whoever is too fast, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_ticks.h"
#include "kvm_machine.h"
#include "tests/guest/trace_check.h"
#include "trace.h"
#include "trace_json.h"
#include "trace_ring.h"

Suite *unit_suite(void);

#define UART UINT64_C(0x09000000)

static char path[] = "/tmp/armlet-trace-XXXXXX";
static char text[1 << 24];
static struct trace_summary summary;

static void make_path(void)
{
    trial_setup();
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void remove_path(void)
{
    (void)unlink(path);
    memcpy(path + sizeof(path) - sizeof("XXXXXX"), "XXXXXX", sizeof("XXXXXX"));
    trial_teardown();
}

static size_t read_trace(void)
{
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[bytes] = '\0';
    return bytes;
}

static void check_trace(void)
{
    size_t bytes = read_trace();

    ck_assert_msg(trace_check(text, bytes, &summary), "%s in %.2000s", summary.why, text);
}

#define HAS(what)   ck_assert_msg(strstr(text, (what)), "no %s in %.2000s", (what), text)
#define LACKS(what) ck_assert_msg(!strstr(text, (what)), "there is %s in %.2000s", (what), text)

/* ---- of a machine ---- */

static const struct fake_step steps[] = {
    FAKE_WRITE(UART, 1, 'x'),
    FAKE_READ(UART + 0x18, 4, 0x97),
    FAKE_READ(UINT64_C(0x0b000000), 4, 0),
    FAKE_ERROR(EAGAIN),
    FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
};

START_TEST(a_run_is_traced)
{
    OPTIONS("--trace", path, "-c", "2");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    check_trace();
    ck_assert_uint_eq(summary.vcpu_tracks, 2);
    ck_assert_uint_eq(summary.gaps, 0);
    HAS("\"name\":\"mmio pl011\",\"ph\":\"X\",\"pid\":1,\"tid\":100,");
    HAS("\"args\":{\"access\":\"write\",\"address\":\"0x09000000\",\"value\":\"0x78\"}");
    HAS("\"name\":\"mmio nothing\"");
    HAS("\"name\":\"again\"");
    HAS("\"name\":\"system-event\"");
    HAS("\"name\":\"signal\",\"ph\":\"X\",\"pid\":1,\"tid\":101,");
    HAS("\"name\":\"call\",\"ph\":\"i\",\"pid\":3,\"tid\":2001,");
    HAS("\"name\":\"running\",\"ph\":\"i\",\"pid\":3,\"tid\":2000,");
    HAS("\"args\":{\"name\":\"pl011@9000000\"}");
    HAS("\"name\":\"stopped\",\"ph\":\"i\",\"pid\":3,\"tid\":2000,");
}
END_TEST

START_TEST(a_filter_leaves_out_the_rest)
{
    OPTIONS("--trace", path, "--trace-filter", "mmio,machine-state");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    check_trace();
    ck_assert_uint_eq(summary.slices, 0);
    HAS("\"name\":\"write\",\"ph\":\"i\",\"pid\":2,\"tid\":1000,");
    HAS("\"name\":\"read\",\"ph\":\"i\",\"pid\":2,\"tid\":1999,");
    HAS("\"name\":\"ready\"");
    LACKS("\"name\":\"call\"");
}
END_TEST

START_TEST(a_run_that_fails_has_a_whole_trace)
{
    static const struct fake_step fails[] = {FAKE_INTERNAL_ERROR(1)};

    OPTIONS("--trace", path);
    STEPS(&trial, 0, 0, fails);
    ck_assert(!trial_run(&trial, &trial.error));
    check_trace();
    HAS("\"name\":\"internal-error\"");
    HAS("\"name\":\"error\",\"ph\":\"i\",\"pid\":3,\"tid\":2004,");
    HAS("\"args\":{\"message\":\"vCPU 0: KVM internal error 1\"}");
    HAS("\"name\":\"failed\"");
}
END_TEST

START_TEST(a_dry_run_is_not_traced)
{
    OPTIONS("--trace", path, "--dry-run");
    struct machine *machine = machine_create(&trial.options, &trial.log, &trial.error);

    ck_assert_msg(machine, "%s", trial.error.message);
    machine_destroy(machine);
    ck_assert_uint_eq(read_trace(), 0);
}
END_TEST

/* ---- the file ---- */

static void check_refused(const char *where, const char *message)
{
    OPTIONS("--trace", where);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_msg(strstr(trial.error.message, message), "%s", trial.error.message);
    options_finish(&trial.options);
}

START_TEST(only_a_trace_is_replaced)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("my thesis", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    check_refused(path, "is there already, and is no trace to be replaced");
    ck_assert_uint_eq(read_trace(), strlen("my thesis"));
    check_refused("/", "cannot create '/'");
    check_refused("/dev/null", "'/dev/null' is not a regular file");

    ck_assert_int_eq(truncate(path, 0), 0);
    for (int i = 0; i < 2; i++) {
        OPTIONS("--trace", path);
        STEPS(&trial, 0, 0, steps);
        trial.fake.vm_count = 0;
        trial_check_run(MACHINE_POWERED_OFF, 0);
        options_finish(&trial.options);
    }
    check_trace();
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    const struct rlimit small = {100, RLIM_INFINITY};
    struct rlimit usual;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &usual), 0);
    OPTIONS("--trace", path);
    STEPS(&trial, 0, 0, steps);
    struct machine *machine = machine_create(&trial.options, &trial.log, &trial.error);
    ck_assert_ptr_nonnull(machine);
    /* The log is a file too, and may grow no more than the trace: it is empty so far. */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    machine_destroy(machine);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &usual), 0);
    ck_assert(LOGGED("cannot write all of the trace"));
}
END_TEST

/* ---- rings ---- */

static struct event_hub hub;
static struct log quiet = {.fd = -1};
static struct event_loop *loop;

static struct trace *make_trace(uint32_t vcpu_count, struct log *log)
{
    const struct trace_config config = {
        .path = path,
        .vcpu_count = vcpu_count,
        .events = &hub,
        .loop = loop,
        .log = log,
    };

    hub = (struct event_hub){0};
    loop = event_loop_create(&trial.error);
    ck_assert_ptr_nonnull(loop);
    struct trace_config whole = config;
    whole.loop = loop;
    struct trace *trace = trace_create(&whole, &trial.error);
    ck_assert_msg(trace, "%s", trial.error.message);
    events_freeze(&hub);
    return trace;
}

static void finish_trace(struct trace *trace)
{
    trace_destroy(trace);
    event_loop_destroy(loop);
}

/* An exit of this thread's vCPU, a little after the last. */
static void publish_exit(void)
{
    struct event event = {
        .kind = EVENT_EXIT,
        .exit = {.reason = EXIT_KIND_SIGNAL, .returned = ticks_now()},
    };

    events_publish(&hub, &event);
}

START_TEST(what_comes_too_fast_is_counted)
{
    const uint64_t many = TRACE_RING_RECORDS + 1000;
    struct trace *trace = make_trace(1, &trial.log);

    events_set_publisher(0);
    for (uint64_t i = 0; i < many; i++)
        publish_exit();
    events_set_publisher(EVENT_IO_THREAD);
    finish_trace(trace);
    check_trace();
    ck_assert_uint_eq(summary.slices, TRACE_RING_RECORDS);
    ck_assert_uint_eq(summary.gaps, 1);
    ck_assert_uint_eq(summary.dropped, 1000);
    ck_assert(LOGGED("the trace lacks 1000 events"));
}
END_TEST

START_TEST(a_gap_is_where_it_was)
{
    struct trace_ring ring = {0};
    struct event event = {.kind = EVENT_EXIT};

    ring.records = calloc(TRACE_RING_RECORDS, sizeof(*ring.records));
    ck_assert_ptr_nonnull(ring.records);
    for (uint64_t i = 1; i <= TRACE_RING_RECORDS + 3; i++) {
        event.ticks = i;
        ck_assert_int_eq(trace_ring_put(&ring, &event),
                         i <= TRACE_RING_RECORDS && i % TRACE_RING_WAKE == 0);
    }
    trace_ring_take(&ring);
    ck_assert(!trace_ring_put(&ring, &event)); /* one room is no room for two */
    trace_ring_take(&ring);
    (void)trace_ring_put(&ring, &event);
    for (uint64_t i = 3; i <= TRACE_RING_RECORDS; i++) {
        ck_assert_uint_eq(trace_ring_peek(&ring)->ticks, i);
        trace_ring_take(&ring);
    }
    ck_assert_uint_eq(trace_ring_peek(&ring)->kind, TRACE_DROPPED);
    ck_assert_uint_eq(trace_ring_peek(&ring)->mmio.value, 4);
    ck_assert_uint_eq(trace_ring_peek(&ring)->ticks, TRACE_RING_RECORDS);
    trace_ring_take(&ring);
    ck_assert_uint_eq(trace_ring_peek(&ring)->kind, EVENT_EXIT);
    trace_ring_take(&ring);
    ck_assert_ptr_null(trace_ring_peek(&ring));
    ck_assert_uint_eq(ring.dropped, 4);
    free(ring.records);
}
END_TEST

enum { PRODUCED = 300000 };

static _Atomic bool produced;

static void *produce(void *context)
{
    struct trace_ring *ring = context;
    struct event event = {.kind = EVENT_EXIT};

    for (uint64_t i = 1; i <= PRODUCED; i++) {
        event.ticks = i;
        event.exit.entered = ~i;
        (void)trace_ring_put(ring, &event);
    }
    produced = true;
    return NULL;
}

/* Everything is either taken out whole and in order, or counted. */
START_TEST(two_threads_lose_nothing_unseen)
{
    struct trace_ring ring = {0};
    pthread_t producer;
    uint64_t last = 0;
    uint64_t seen = 0;
    uint64_t missing = 0;

    ring.records = calloc(TRACE_RING_RECORDS, sizeof(*ring.records));
    ck_assert_ptr_nonnull(ring.records);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &ring), 0);
    for (;;) {
        bool last_look = produced;
        const struct event *event = trace_ring_peek(&ring);

        if (!event && last_look)
            break;
        if (!event)
            continue;
        if (event->kind == TRACE_DROPPED) {
            missing += event->mmio.value;
        } else {
            ck_assert_uint_eq(event->exit.entered, ~event->ticks);
            ck_assert_uint_gt(event->ticks, last);
            last = event->ticks;
            seen++;
        }
        trace_ring_take(&ring);
    }
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    ck_assert_uint_eq(seen + missing + ring.missing, PRODUCED);
    ck_assert_uint_eq(missing + ring.missing, ring.dropped);
    free(ring.records);
}
END_TEST

/* ---- each kind of event ---- */

START_TEST(every_kind_is_written)
{
    struct trace *trace = make_trace(1, &quiet);
    static const uint8_t bytes[] = "hello";
    struct device device = {.name = "odd \"name\"\n\xff"};
    struct event events[] = {
        {.kind = EVENT_TIMER, .timer = {.name = NULL}},
        {.kind = EVENT_TIMER, .timer = {.name = "power key"}},
        {.kind = EVENT_CONSOLE_OUTPUT, .console = {bytes, 5, false}},
        {.kind = EVENT_CONSOLE_OUTPUT, .console = {bytes, 4, true}},
        {.kind = EVENT_CONSOLE_INPUT, .console = {bytes, 3, false}},
        {.kind = EVENT_IRQ, .irq = {&device, 33, true}},
        {.kind = EVENT_IRQ, .irq = {&device, 33, false}},
        {.kind = EVENT_ERROR, .error = {ERROR_GUEST, "a \"bad\" one\\"}},
    };

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        events_publish(&hub, &events[i]);
    struct event access = {.kind = EVENT_MMIO, .mmio = {.device = &device, .width = 4}};
    events_set_publisher(0);
    events_publish(&hub, &access);
    publish_exit();
    events_set_publisher(EVENT_IO_THREAD);
    trace_finish(trace);
    events_publish(&hub, &events[0]);
    trace_finish(trace);
    finish_trace(trace);
    check_trace();
    HAS("\"name\":\"a device's\"");
    HAS("\"name\":\"power key\"");
    HAS("\"name\":\"output\"");
    HAS("\"args\":{\"bytes\":5}");
    HAS("\"name\":\"output dropped\"");
    HAS("\"name\":\"input\"");
    HAS("\"name\":\"interrupt high\"");
    HAS("\"name\":\"interrupt low\"");
    HAS("\"args\":{\"intid\":33}");
    HAS("\"message\":\"a \\\"bad\\\" one\\\\\"");
    HAS("\"name\":\"signal odd \\\"name\\\"\\u000a\\u00ff\"");
    ck_assert_uint_eq(summary.interrupts, 2);
}
END_TEST

/* ---- the check itself ---- */

static void check_bad(const char *records, const char *why)
{
    static char whole[4096];
    int bytes = snprintf(
        whole, sizeof(whole),
        "%s},\n"
        "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":100,\"cat\":\"m\","
        "\"args\":{\"name\":\"vCPU 0\"}},\n%s\n]\n",
        "[{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"cat\":\"m\",\"args\":{\"name\":"
        "\"vCPUs\"}",
        records);

    ck_assert(!trace_check(whole, (size_t)bytes, &summary));
    ck_assert_msg(strstr(summary.why, why), "'%s' is no '%s'", summary.why, why);
}

#define SLICE(ts, dur)                                                                             \
    "{\"name\":\"x\",\"ph\":\"X\",\"cat\":\"c\",\"pid\":1,\"tid\":100,\"ts\":" ts ",\"dur\":" dur  \
    "}"

START_TEST(the_check_finds_what_is_wrong)
{
    check_bad(SLICE("1", "2") "," SLICE("2", "5.5"), "slices overlap");
    check_bad(SLICE("3", "1") "," SLICE("2", "5"), "time goes back");
    check_bad(SLICE("03", "1"), "no number");
    check_bad(SLICE("3.", "1"), "no digit");
    check_bad(SLICE("3", "1") ",", "no object");
    check_bad(
        "{\"name\":\"x\",\"ph\":\"X\",\"cat\":\"c\",\"pid\":1,\"tid\":101,\"ts\":1,\"dur\":1}",
        "no name");
    check_bad("{\"name\":\"x\",\"ph\":\"X\",\"cat\":\"c\",\"pid\":1,\"tid\":100,\"ts\":1}",
              "without a duration");
    check_bad("{\"name\":\"x\",\"ph\":\"i\",\"cat\":\"c\",\"pid\":1,\"tid\":100,\"ts\":1}",
              "without a scope");
    check_bad("{\"name\":\"x\",\"ph\":\"B\",\"cat\":\"c\",\"pid\":1,\"tid\":100,\"ts\":1}",
              "of phase");
    check_bad("{\"name\":\"x\",\"ph\":\"X\"}", "without a name or category");
    check_bad("{\"name\":\"x\\q\"}", "no escape");
    check_bad("{\"name\":\"x\n\"}", "control character");
    check_bad("{\"nome\":\"x\"}", "unknown member");
    ck_assert(!trace_check("[]x", 3, &summary));
    ck_assert(!trace_check("", 0, &summary));
    ck_assert(trace_check("[]", 2, &summary));
}
END_TEST

START_TEST(options_that_dont_fit)
{
    ck_assert(!PARSE(&trial.options, &trial.error, "run", "--trace-filter", "exit"));
    ck_assert_str_eq(trial.error.message,
                     "--trace-filter says what is traced, and --trace FILE where to");
    ck_assert(
        !PARSE(&trial.options, &trial.error, "run", "--trace", "x", "--trace-filter", "exit,iqr"));
    ck_assert_str_eq(trial.error.message,
                     "--trace-filter exit,iqr: unknown kind 'iqr': did you mean 'irq'?");
    ck_assert(!PARSE(&trial.options, &trial.error, "run", "--trace", "x", "--trace-filter", "q"));
    ck_assert_ptr_nonnull(strstr(trial.error.message, "there are machine-state, vcpu-state"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("trace");
    TCase *tests = tcase_create("trace");

    tcase_add_checked_fixture(tests, make_path, remove_path);
    tcase_add_test(tests, a_run_is_traced);
    tcase_add_test(tests, a_filter_leaves_out_the_rest);
    tcase_add_test(tests, a_run_that_fails_has_a_whole_trace);
    tcase_add_test(tests, a_dry_run_is_not_traced);
    tcase_add_test(tests, only_a_trace_is_replaced);
    tcase_add_test(tests, a_full_disk_is_told);
    tcase_add_test(tests, what_comes_too_fast_is_counted);
    tcase_add_test(tests, a_gap_is_where_it_was);
    tcase_add_test(tests, two_threads_lose_nothing_unseen);
    tcase_add_test(tests, every_kind_is_written);
    tcase_add_test(tests, the_check_finds_what_is_wrong);
    tcase_add_test(tests, options_that_dont_fit);
    suite_add_tcase(suite, tests);
    return suite;
}
