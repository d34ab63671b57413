// SPDX-License-Identifier: Apache-2.0
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "armlet/counters.h"
#include "console_backend.h"

#define NS_PER_MS        1000000ULL
#define NS_PER_S         1000000000ULL
#define FLUSH_DELAY_NS   NS_PER_MS
#define COLLECT_DELAY_NS (CONSOLE_COLLECT_MS * NS_PER_MS)
#define ATTENTION        0x01 /* Ctrl-A */

enum {
    RING_BYTES = 64 * 1024,      /* a power of two */
    RING_FULL_BYTES = 60 * 1024, /* the client is asked to hold back; the rest is slack */
    RING_SOON_BYTES = RING_BYTES / 2 /* written without further delay */,
    RING_KEPT_BYTES = RING_BYTES / 2, /* of output that nobody has read yet */
    INPUT_BYTES = 64 * 1024,          /* typed ahead, on a terminal */
    CHUNK_BYTES = 512,
};

static const char help_text[] = "\r\n"
                                "Ctrl-A x       leave: end the guest at once\r\n"
                                "Ctrl-A s       ask the guest to shut down (its power key)\r\n"
                                "Ctrl-A h       this help\r\n"
                                "Ctrl-A Ctrl-A  send one Ctrl-A to the guest\r\n";

struct console {
    /* Written by the producer. */
    _Alignas(CACHE_LINE_BYTES) _Atomic size_t tail;
    uint64_t lost;
    uint64_t unheard; /* sent while the console is silent */

    /* Written by both, rarely. */
    _Alignas(CACHE_LINE_BYTES) _Atomic bool flush_armed; /* a flush will come without asking */
    _Atomic bool client_waits;

    /* Written by the I/O thread. */
    _Alignas(CACHE_LINE_BYTES) _Atomic size_t head;
    uint8_t *ring;
    bool silent;                      /* nobody will ever read, so that output is dropped at once */
    struct console_counters counters; /* but for `output`, which is the producer's */
    struct event_timer flush;
    struct event_source out; /* registered while the outside takes no more */

    struct event_source in;
    struct event_notify resume_input;
    bool in_unpollable; /* a regular file: always readable */
    bool prefix;        /* Ctrl-A came last */
    uint8_t *input;     /* what the client has not taken yet */
    size_t input_start;
    size_t input_count;

    struct console_client client;
    struct console_config config;
    struct console_backend backend;
};

/* ---- output ---- */

static bool is_watched(const struct console *console, enum event_kind kind)
{
    return console->config.events && events_wanted(console->config.events, kind);
}

bool console_put(struct console *console, uint8_t byte)
{
    size_t tail = atomic_load_explicit(&console->tail, memory_order_relaxed);
    size_t used = tail - atomic_load_explicit(&console->head, memory_order_acquire);

    if (console->silent && !is_watched(console, EVENT_CONSOLE_OUTPUT)) {
        counter_add(&console->unheard, 1);
        return true;
    }
    if (used < RING_BYTES) {
        console->ring[tail % RING_BYTES] = byte;
        tail++;
        used++;
        atomic_store(&console->tail, tail);
    } else {
        counter_add(&console->lost, 1);
    }
    /* Either this sees the flag lowered, or the flush that lowered it sees the byte. */
    if (!atomic_load(&console->flush_armed)) {
        atomic_store(&console->flush_armed, true);
        event_timer_arm(&console->flush, FLUSH_DELAY_NS);
    } else if (used == RING_SOON_BYTES) {
        event_timer_arm(&console->flush, 0);
    }
    if (used < RING_FULL_BYTES)
        return true;
    atomic_store(&console->client_waits, true);
    return tail - atomic_load(&console->head) < RING_FULL_BYTES;
}

size_t console_write(struct console *console, const uint8_t *bytes, size_t count)
{
    const struct console_client *client = &console->client;

    return client->output ? client->output(client->context, bytes, count) : 0;
}

void console_collect(struct console *console)
{
    atomic_store(&console->flush_armed, true);
    event_timer_arm(&console->flush, COLLECT_DELAY_NS);
}

static void on_output(struct event_source *source, uint32_t events);

/* The outside takes no more: it will say when it does. */
static void wait_for_output(struct console *console)
{
    struct error error = {0};

    atomic_store(&console->flush_armed, true);
    if (console->out.registered)
        return;
    console->out = (struct event_source){
        .fd = console->backend.out_fd,
        .callback = on_output,
        .context = console,
    };
    if (!event_loop_add(console->config.loop, &console->out, EPOLLOUT, &error))
        event_timer_arm(&console->flush, FLUSH_DELAY_NS);
}

/* How much of the ring is not worth keeping while nobody reads. */
static size_t surplus(const struct console *console, size_t used)
{
    if (!console->backend.connectable)
        return used;
    return used > RING_KEPT_BYTES ? used - RING_KEPT_BYTES : 0;
}

static void publish(const struct console *console, enum event_kind kind, const uint8_t *bytes,
                    size_t count, bool dropped)
{
    if (count > 0 && is_watched(console, kind)) {
        struct event event = {
            .kind = (uint16_t)kind,
            .console = {.bytes = bytes, .count = count, .dropped = dropped},
        };
        events_publish(console->config.events, &event);
    }
}

/* Says that the oldest bytes are not kept; returns how many. */
static size_t drop(struct console *console, size_t head, size_t used)
{
    size_t count = surplus(console, used);
    size_t start = head % RING_BYTES;
    size_t first = count < RING_BYTES - start ? count : RING_BYTES - start;

    counter_add(&console->counters.dropped, count);
    publish(console, EVENT_CONSOLE_OUTPUT, console->ring + start, first, true);
    publish(console, EVENT_CONSOLE_OUTPUT, console->ring, count - first, true);
    return count;
}

/* Writes the oldest bytes; returns how many left the ring, 0 if none can for now. */
static size_t write_some(struct console *console, size_t head, size_t used)
{
    size_t start = head % RING_BYTES;
    size_t count = used < RING_BYTES - start ? used : RING_BYTES - start;
    ssize_t written;

    if (console->backend.out_fd < 0)
        return drop(console, head, used);
    do
        written = console_backend_write(&console->backend, console->ring + start, count);
    while (written < 0 && errno == EINTR);
    if (written >= 0) {
        counter_add(&console->counters.writes, 1);
        publish(console, EVENT_CONSOLE_OUTPUT, console->ring + start, (size_t)written, false);
        return (size_t)written;
    }
    if (errno == EAGAIN) {
        wait_for_output(console);
        return 0;
    }
    console_backend_hang_up(&console->backend, errno);
    return drop(console, head, used);
}

static void drain(struct console *console)
{
    size_t head = atomic_load_explicit(&console->head, memory_order_relaxed);
    size_t written = 0;
    size_t used;

    bool again = console->client.collect && console->client.collect(console->client.context);
    atomic_store(&console->flush_armed, again);
    if (again)
        event_timer_arm(&console->flush, COLLECT_DELAY_NS);
    while ((used = atomic_load(&console->tail) - head) > 0) {
        /* A guest that prints without end must not keep the loop from everything else. */
        if (written >= RING_BYTES) {
            atomic_store(&console->flush_armed, true);
            event_timer_arm(&console->flush, 0);
            break;
        }
        size_t gone = write_some(console, head, used);

        if (gone == 0)
            break;
        head += gone;
        written += gone;
        atomic_store(&console->head, head);
    }
    if (atomic_load(&console->client_waits) && used < RING_SOON_BYTES + 1) {
        atomic_store(&console->client_waits, false);
        console->client.output_ready(console->client.context);
    }
}

static void on_flush(struct event_timer *timer)
{
    drain(timer->context);
}

static void on_output(struct event_source *source, uint32_t events)
{
    struct console *console = source->context;

    (void)events;
    event_loop_remove(console->config.loop, source);
    drain(console);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool console_flush(struct console *console, uint64_t bound_ns)
{
    uint64_t end = now_ns() + bound_ns;

    for (;;) {
        drain(console);
        if (atomic_load(&console->tail) == atomic_load(&console->head))
            return true;
        uint64_t now = now_ns();
        if (console->backend.out_fd < 0 || now >= end)
            return false;
        struct pollfd writable = {.fd = console->backend.out_fd, .events = POLLOUT};
        (void)poll(&writable, 1, (int)((end - now + NS_PER_MS - 1) / NS_PER_MS));
    }
}

bool console_check(const struct console *console, struct error *error)
{
    int failure = console->backend.write_failure;

    return failure == 0 || failure == EPIPE || failure == EIO || failure == ECONNRESET ||
           error_set(error, ERROR_HOST, failure, "the console's output could not be written");
}

void console_count(const struct console *console, struct console_counters *counters)
{
    uint64_t lost = counter_read(&console->lost) + counter_read(&console->unheard);

    counters->output = atomic_load_explicit(&console->tail, memory_order_relaxed) + lost;
    counters->dropped = counter_read(&console->counters.dropped) + lost;
    counters->input = counter_read(&console->counters.input);
    counters->writes = counter_read(&console->counters.writes);
}

/* ---- input ---- */

static void help(const struct console *console)
{
    if (console->backend.out_fd >= 0)
        (void)!console_backend_write(&console->backend, help_text, sizeof(help_text) - 1);
}

static void keep(struct console *console, uint8_t byte)
{
    if (console->input_start + console->input_count == INPUT_BYTES) {
        memmove(console->input, console->input + console->input_start, console->input_count);
        console->input_start = 0;
    }
    /* Only on a terminal more is read than can be kept: the keys of Ctrl-A still work then. */
    if (console->input_count < INPUT_BYTES)
        console->input[console->input_start + console->input_count++] = byte;
}

/* The key after Ctrl-A. */
static void obey(struct console *console, uint8_t key)
{
    switch (key) {
    case ATTENTION:
        keep(console, key);
        return;
    case 'x':
        console->config.command(console->config.context, CONSOLE_COMMAND_QUIT);
        return;
    case 's':
        console->config.command(console->config.context, CONSOLE_COMMAND_SHUTDOWN);
        return;
    default:
        help(console);
        return;
    }
}

static void take_key(struct console *console, uint8_t key)
{
    if (console->prefix) {
        console->prefix = false;
        obey(console, key);
    } else if (key == ATTENTION && console->backend.interactive) {
        console->prefix = true;
    } else {
        keep(console, key);
    }
}

/* Hands on what the client takes; what is left waits for console_resume_input(). */
static void offer(struct console *console)
{
    while (console->input_count > 0) {
        const uint8_t *bytes = console->input + console->input_start;
        size_t taken = console->client.input(console->client.context, bytes, console->input_count);

        if (taken == 0)
            return;
        counter_add(&console->counters.input, taken);
        publish(console, EVENT_CONSOLE_INPUT, bytes, taken, false);
        console->input_start += taken;
        console->input_count -= taken;
    }
    console->input_start = 0;
}

static bool wants_input(const struct console *console)
{
    return console->client.input && console->backend.in_fd >= 0 &&
           (console->backend.interactive || console->input_count == 0);
}

static void read_input(struct console *console, uint32_t events)
{
    uint8_t chunk[CHUNK_BYTES];
    ssize_t got = read(console->backend.in_fd, chunk, sizeof(chunk));

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        bool gone = got < 0 || events & (EPOLLHUP | EPOLLERR);

        /* Closed in one direction only: wait, for nothing but the rest to be closed. */
        if (!gone && console->in.registered)
            event_loop_modify(console->config.loop, &console->in, 0);
        console_backend_input_ended(&console->backend, gone);
        return;
    }
    for (ssize_t i = 0; i < got; i++)
        take_key(console, chunk[i]);
    offer(console);
}

static void on_input(struct event_source *source, uint32_t events);

/* Watches the input if more can be kept, and only then: a hang-up would be told for ever. */
static void follow_input(struct console *console)
{
    struct error error = {0};
    bool wanted = wants_input(console);

    if (console->in.registered && (!wanted || console->in.fd != console->backend.in_fd))
        event_loop_remove(console->config.loop, &console->in);
    if (!wanted || console->in.registered)
        return;
    if (!console->in_unpollable) {
        console->in = (struct event_source){
            .fd = console->backend.in_fd,
            .callback = on_input,
            .context = console,
        };
        if (event_loop_add(console->config.loop, &console->in, EPOLLIN, &error))
            return;
        console->in_unpollable = true;
    }
    event_notify_send(&console->resume_input);
}

static void on_input(struct event_source *source, uint32_t events)
{
    struct console *console = source->context;

    read_input(console, events);
    follow_input(console);
}

static void on_resume_input(struct event_notify *notify)
{
    struct console *console = notify->context;

    offer(console);
    if (console->in_unpollable && wants_input(console))
        read_input(console, 0);
    follow_input(console);
}

void console_resume_input(struct console *console)
{
    event_notify_send(&console->resume_input);
}

void console_attach(struct console *console, const struct console_client *client)
{
    console->client = *client;
    follow_input(console);
}

/* ---- the outside comes and goes ---- */

static void on_changed(void *context)
{
    struct console *console = context;

    event_loop_remove(console->config.loop, &console->out);
    follow_input(console);
    atomic_store(&console->flush_armed, true);
    event_timer_arm(&console->flush, 0);
}

void console_resume(struct console *console)
{
    console_backend_resume(&console->backend);
}

static bool create(struct console *console, struct error *error)
{
    const struct console_config *config = &console->config;

    console->ring = malloc(RING_BYTES);
    console->input = malloc(INPUT_BYTES);
    if (!console->ring || !console->input)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the console's buffers");
    if (!event_timer_init(&console->flush, config->loop, on_flush, console, error) ||
        !event_notify_init(&console->resume_input, config->loop, on_resume_input, console, error))
        return false;
    console->silent = config->kind == CONSOLE_NONE;
    console->flush.name = "console flush";
    if (!console_backend_open(&console->backend, config->kind, config->path, error))
        return false;
    if (console->backend.terminal.raw)
        log_line(config->log, LOG_INFO, "Ctrl-A x leaves, Ctrl-A h helps");
    return true;
}

struct console *console_create(const struct console_config *config, struct error *error)
{
    struct console *console = aligned_alloc(CACHE_LINE_BYTES, sizeof(*console));

    if (!console) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the console");
        return NULL;
    }
    memset(console, 0, sizeof(*console));
    console->config = *config;
    console->backend.loop = config->loop;
    console->backend.log = config->log;
    console->backend.changed = on_changed;
    console->backend.context = console;
    if (create(console, error))
        return console;
    console_destroy(console);
    return NULL;
}

void console_destroy(struct console *console)
{
    if (!console)
        return;
    event_loop_remove(console->config.loop, &console->in);
    event_loop_remove(console->config.loop, &console->out);
    if (console->backend.ops)
        console_backend_close(&console->backend);
    event_notify_finish(&console->resume_input);
    event_timer_finish(&console->flush);
    if (console->lost > 0)
        log_line(console->config.log, LOG_WARNING,
                 "%llu bytes of console output were lost to a guest that did not wait",
                 (unsigned long long)console->lost);
    free(console->input);
    free(console->ring);
    free(console);
}
