// SPDX-License-Identifier: Apache-2.0
/* The ring that output crosses, from the clients to the I/O thread. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "console_internal.h"

#define NS_PER_MS        1000000ULL
#define NS_PER_S         1000000000ULL
#define FLUSH_DELAY_NS   NS_PER_MS
#define COLLECT_DELAY_NS (CONSOLE_COLLECT_MS * NS_PER_MS)

static bool is_watched(const struct console *console, enum event_kind kind)
{
    return console->config.events && events_wanted(console->config.events, kind);
}

/* One client orders its calls itself. */
static void lock_output(struct console *console)
{
    if (console->client_count > 1)
        (void)pthread_mutex_lock(&console->output_lock);
}

static void unlock_output(struct console *console)
{
    if (console->client_count > 1)
        (void)pthread_mutex_unlock(&console->output_lock);
}

static bool put(struct console *console, uint8_t byte)
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

bool console_put(struct console *console, uint8_t byte)
{
    lock_output(console);
    bool room = put(console, byte);
    unlock_output(console);
    return room;
}

/* Copies what there is room for; returns how much. */
static size_t copy_in(struct console *console, const uint8_t *bytes, size_t count)
{
    size_t tail = atomic_load_explicit(&console->tail, memory_order_relaxed);
    size_t used = tail - atomic_load(&console->head);
    size_t room = used < RING_FULL_BYTES ? RING_FULL_BYTES - used : 0;
    size_t start = tail % RING_BYTES;

    if (count > room)
        count = room;
    if (count == 0)
        return 0;
    size_t first = count < RING_BYTES - start ? count : RING_BYTES - start;
    memcpy(console->ring + start, bytes, first);
    memcpy(console->ring, bytes + first, count - first);
    atomic_store(&console->tail, tail + count);
    if (!atomic_load(&console->flush_armed)) {
        atomic_store(&console->flush_armed, true);
        event_timer_arm(&console->flush, console->config.port ? 0 : FLUSH_DELAY_NS);
    } else if (used < RING_SOON_BYTES && used + count >= RING_SOON_BYTES) {
        event_timer_arm(&console->flush, 0);
    }
    return count;
}

static size_t put_some(struct console *console, const uint8_t *bytes, size_t count)
{
    if (console->silent && !is_watched(console, EVENT_CONSOLE_OUTPUT)) {
        counter_add(&console->unheard, count);
        return count;
    }
    size_t done = copy_in(console, bytes, count);
    if (done == count)
        return done;
    /* Either this sees the room that was made meanwhile, or who made it sees that it is waited for.
     */
    atomic_store(&console->client_waits, true);
    return done + copy_in(console, bytes + done, count - done);
}

size_t console_put_some(struct console *console, const uint8_t *bytes, size_t count)
{
    lock_output(console);
    size_t done = put_some(console, bytes, count);
    unlock_output(console);
    return done;
}

size_t console_write(struct console *console, const uint8_t *bytes, size_t count)
{
    const struct console_client *client = &console->clients[0];

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
    if (console->config.port)
        return 0;
    return used > RING_KEPT_BYTES ? used - RING_KEPT_BYTES : 0;
}

void console_publish(const struct console *console, enum event_kind kind, const uint8_t *bytes,
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
    console_publish(console, EVENT_CONSOLE_OUTPUT, console->ring + start, first, true);
    console_publish(console, EVENT_CONSOLE_OUTPUT, console->ring, count - first, true);
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
        console_publish(console, EVENT_CONSOLE_OUTPUT, console->ring + start, (size_t)written,
                        false);
        return (size_t)written;
    }
    if (errno == EAGAIN) {
        wait_for_output(console);
        return 0;
    }
    console_backend_hang_up(&console->backend, errno);
    return drop(console, head, used);
}

/* Has clients put what waits with them; says whether to ask again. */
static bool collect(const struct console *console)
{
    bool again = false;

    for (size_t i = 0; i < console->client_count; i++) {
        const struct console_client *client = &console->clients[i];

        again |= client->collect && client->collect(client->context);
    }
    return again;
}

void console_drain(struct console *console)
{
    size_t head = atomic_load_explicit(&console->head, memory_order_relaxed);
    size_t written = 0;
    size_t used;

    bool again = collect(console);
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
        for (size_t i = 0; i < console->client_count; i++)
            console->clients[i].output_ready(console->clients[i].context);
    }
}

static void on_output(struct event_source *source, uint32_t events)
{
    struct console *console = source->context;

    (void)events;
    event_loop_remove(console->config.loop, source);
    console_drain(console);
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
        console_drain(console);
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
           error_set(error, ERROR_HOST, failure, "output of %s could not be written",
                     console->backend.what);
}

void console_count(const struct console *console, struct console_counters *counters)
{
    uint64_t lost = counter_read(&console->lost) + counter_read(&console->unheard);

    counters->output = atomic_load_explicit(&console->tail, memory_order_relaxed) + lost;
    counters->dropped = counter_read(&console->counters.dropped) + lost;
    counters->input = counter_read(&console->counters.input);
    counters->writes = counter_read(&console->counters.writes);
}
