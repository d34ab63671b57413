// SPDX-License-Identifier: Apache-2.0
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "armlet/ticks.h"
#include "trace_json.h"
#include "trace_ring.h"

#define DRAIN_NS UINT64_C(100000000)

enum { FILE_BUFFER_BYTES = 256 * 1024 };

/* A vCPU's ring, and what of it the last exit was about. */
struct trace_source {
    struct trace_ring ring;
    struct event access; /* the last one since an exit; kind EVENT_MMIO if there is one */
};

struct trace {
    struct trace_config config;
    struct trace_source *sources; /* one a vCPU */
    struct event *records;        /* of all rings */
    struct event_notify wake;
    struct event_timer timer; /* so that little is lost with the process */

    pthread_mutex_t lock; /* guards what follows: not all events of the I/O thread's are on it */
    struct trace_json json;
    bool finished;
    bool failed;
    char buffer[FILE_BUFFER_BYTES];
};

static const char timer_name[] = "trace";

/* ---- the consumer ---- */

static void write_record(struct trace *trace, uint32_t vcpu, const struct event *event)
{
    struct trace_source *source = &trace->sources[vcpu];

    if (event->kind == TRACE_DROPPED) {
        trace_json_put_gap(&trace->json, vcpu, event->ticks, event->mmio.value);
        return;
    }
    trace_json_put(&trace->json, event, source->access.kind == EVENT_MMIO ? &source->access : NULL);
    if (event->kind == EVENT_MMIO)
        source->access = *event;
    else if (event->kind == EVENT_EXIT)
        source->access.kind = EVENT_KIND_COUNT;
}

/* The caller holds the lock. */
static void drain(struct trace *trace)
{
    for (uint32_t i = 0; i < trace->config.vcpu_count; i++) {
        struct trace_ring *ring = &trace->sources[i].ring;
        const struct event *event;

        while ((event = trace_ring_peek(ring)) != NULL) {
            write_record(trace, i, event);
            trace_ring_take(ring);
        }
    }
    if ((fflush(trace->json.file) == 0 && !ferror(trace->json.file)) || trace->failed)
        return;
    trace->failed = true;
    log_line(trace->config.log, LOG_ERROR, "cannot write all of the trace '%s'",
             trace->config.path);
}

static void drain_now(struct trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    if (!trace->finished)
        drain(trace);
    pthread_mutex_unlock(&trace->lock);
}

static void on_wake(struct event_notify *notify)
{
    drain_now(notify->context);
}

static void on_timer(struct event_timer *timer)
{
    drain_now(timer->context);
    event_timer_arm(timer, DRAIN_NS);
}

/* ---- the producers ---- */

/* A vCPU moves between states only while its thread isn't there, so its ring is the I/O thread's.
 */
static struct trace_ring *ring_of(const struct trace *trace, const struct event *event)
{
    uint32_t vcpu =
        event->kind == EVENT_VCPU_STATE ? event->vcpu_state.vcpu : (uint32_t)event->publisher;

    return vcpu < trace->config.vcpu_count ? &trace->sources[vcpu].ring : NULL;
}

static void on_event(void *context, const struct event *event)
{
    struct trace *trace = context;
    struct trace_ring *ring = ring_of(trace, event);

    if (event->kind == EVENT_TIMER && event->timer.name == timer_name)
        return;
    if (ring) {
        if (trace_ring_put(ring, event))
            event_notify_send(&trace->wake);
        return;
    }
    pthread_mutex_lock(&trace->lock);
    if (!trace->finished)
        trace_json_put(&trace->json, event, NULL);
    pthread_mutex_unlock(&trace->lock);
}

/* ---- its life ---- */

/* Only what we wrote may be overwritten. */
static bool check_replaceable(int fd, const char *path, struct error *error)
{
    const size_t start_bytes = sizeof(TRACE_JSON_START) - 1;
    char start[sizeof(TRACE_JSON_START)];
    struct stat status;

    if (fstat(fd, &status) != 0)
        return error_set(error, ERROR_HOST, errno, "fstat failed for '%s'", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_FILE, 0, "'%s' is not a regular file", path);
    if (status.st_size == 0 || (pread(fd, start, start_bytes, 0) == (ssize_t)start_bytes &&
                                memcmp(start, TRACE_JSON_START, start_bytes) == 0))
        return true;
    return error_set(error, ERROR_FILE, 0, "'%s' is there already, and is no trace to be replaced",
                     path);
}

static FILE *open_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    FILE *file = NULL;

    if (fd < 0) {
        (void)error_set(error, ERROR_FILE, errno, "cannot create '%s'", path);
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)error_set(error, ERROR_FILE, 0, "'%s' is in use by another machine", path);
    } else if (check_replaceable(fd, path, error)) {
        if (ftruncate(fd, 0) != 0 || (file = fdopen(fd, "w")) == NULL)
            (void)error_set(error, ERROR_FILE, errno, "cannot write to '%s'", path);
    }
    if (!file)
        (void)close(fd);
    return file;
}

static bool begin(struct trace *trace, struct error *error)
{
    const struct event_subscriber subscriber = {
        .notify = on_event,
        .context = trace,
        .wanted = trace->config.kinds ? trace->config.kinds : EVENT_MASK_ALL,
        .timed = true,
    };

    trace->json = (struct trace_json){
        .file = open_file(trace->config.path, error),
        .config = &trace->config,
        .start = ticks_now(),
        .ticks_per_second = ticks_per_second(),
    };
    if (!trace->json.file)
        return false;
    (void)setvbuf(trace->json.file, trace->buffer, _IOFBF, sizeof(trace->buffer));
    if (!event_notify_init(&trace->wake, trace->config.loop, on_wake, trace, error) ||
        !event_timer_init(&trace->timer, trace->config.loop, on_timer, trace, error) ||
        !events_subscribe(trace->config.events, &subscriber, error))
        return false;
    trace->timer.name = timer_name;
    event_timer_arm(&trace->timer, DRAIN_NS);
    trace_json_begin(&trace->json);
    return true;
}

static bool create_rings(struct trace *trace)
{
    uint32_t count = trace->config.vcpu_count;

    /* Zeroed by the kernel, so that memory is taken only as rings are filled. */
    trace->records = calloc(count, TRACE_RING_RECORDS * sizeof(*trace->records));
    trace->sources = aligned_alloc(CACHE_LINE_BYTES, count * sizeof(*trace->sources));
    if (!trace->records || !trace->sources)
        return false;
    memset(trace->sources, 0, count * sizeof(*trace->sources));
    for (uint32_t i = 0; i < count; i++) {
        trace->sources[i].ring.records = trace->records + (size_t)i * TRACE_RING_RECORDS;
        trace->sources[i].access.kind = EVENT_KIND_COUNT;
    }
    return true;
}

struct trace *trace_create(const struct trace_config *config, struct error *error)
{
    struct trace *trace = calloc(1, sizeof(*trace));

    if (!trace) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a trace");
        return NULL;
    }
    trace->config = *config;
    (void)pthread_mutex_init(&trace->lock, NULL);
    if (!create_rings(trace))
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the rings of a trace");
    else if (begin(trace, error))
        return trace;
    trace->finished = true; /* there is nothing to write */
    trace_destroy(trace);
    return NULL;
}

/* What was dropped since a vCPU's last record, and all in all. */
static void tell_of_gaps(struct trace *trace)
{
    uint64_t dropped = 0;

    for (uint32_t i = 0; i < trace->config.vcpu_count; i++) {
        const struct trace_ring *ring = &trace->sources[i].ring;

        if (ring->missing)
            trace_json_put_gap(&trace->json, i, ticks_now(), ring->missing);
        dropped += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    }
    if (dropped)
        log_line(trace->config.log, LOG_WARNING,
                 "the trace lacks %" PRIu64 " events, which came too fast: --trace-filter leaves "
                 "out what isn't needed",
                 dropped);
}

void trace_finish(struct trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    if (!trace->finished) {
        trace->finished = true;
        drain(trace);
        tell_of_gaps(trace);
        trace_json_end(&trace->json);
        drain(trace);
    }
    pthread_mutex_unlock(&trace->lock);
}

void trace_destroy(struct trace *trace)
{
    trace_finish(trace);
    event_timer_finish(&trace->timer);
    event_notify_finish(&trace->wake);
    if (trace->json.file)
        (void)fclose(trace->json.file);
    (void)pthread_mutex_destroy(&trace->lock);
    free(trace->sources);
    free(trace->records);
    free(trace);
}
