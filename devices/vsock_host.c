// SPDX-License-Identifier: Apache-2.0
/*
 * The host's side of a socket device, as users of Firecracker know it: whoever wants to reach the
 * guest connects to PATH and says "CONNECT port", and is told "OK port"; whom the guest wants to
 * reach listens at PATH_PORT.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "armlet/log.h"
#include "vsock_internal.h"

#define LISTENER_EVENT UINT64_MAX
#define TIMER_EVENT    (UINT64_MAX - 1)

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum {
    FIRST_HOST_PORT = 1 << 30, /* of clients: far from those that services have */
    HOST_PORTS = 1 << 30,
    EVENTS = 32,
    MOST_SEGMENTS = 64, /* of one write */
    CREDIT_STEP_BYTES = VSOCK_SPACE_BYTES / 4,
    GENERATION_SHIFT = 32,
};

/* ---- bytes to the host ---- */

/* The host's reader is gone: what the guest still sends is for nobody. */
static void note_deaf(struct vsock *vsock, struct vsock_stream *stream)
{
    stream->host_deaf = true;
    stream->forwarded += stream->waiting_bytes;
    stream->waiting_bytes = 0;
    vsock_queue(vsock, stream);
}

/* Returns how many bytes the socket took. */
static uint32_t write_some(struct vsock *vsock, struct vsock_stream *stream, struct iovec *data,
                           size_t count)
{
    const struct msghdr message = {.msg_iov = data, .msg_iovlen = count};
    ssize_t done;

    do
        done = sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    if (done < 0 && errno == EAGAIN)
        stream->writable = false;
    else if (done < 0)
        note_deaf(vsock, stream);
    if (done <= 0)
        return 0;
    stream->forwarded += (uint32_t)done;
    vsock_count(vsock, VSOCK_BYTES_TO_HOST, (uint64_t)done);
    return (uint32_t)done;
}

/* Tells the guest of room before it runs out of it. */
static void tell_credit(struct vsock *vsock, struct vsock_stream *stream)
{
    if (stream->forwarded - stream->told_forwarded >= CREDIT_STEP_BYTES)
        vsock_owe(vsock, stream, VSOCK_OWES_CREDIT);
}

/* Bytes of a chain's readable part from `offset` on. Returns the segments. */
static size_t data_of(const struct virtqueue_chain *chain, uint64_t offset, size_t size_bytes,
                      struct iovec data[MOST_SEGMENTS])
{
    size_t count = 0;

    for (size_t i = 0; i < chain->readable_count && size_bytes > 0 && count < MOST_SEGMENTS; i++) {
        const struct iovec *segment = &chain->segments[i];

        if (offset < segment->iov_len) {
            size_t left = segment->iov_len - (size_t)offset;
            size_t part = left < size_bytes ? left : size_bytes;

            data[count++] = (struct iovec){(uint8_t *)segment->iov_base + offset, part};
            size_bytes -= part;
            offset = 0;
        } else {
            offset -= segment->iov_len;
        }
    }
    return count;
}

/* Keeps what the host's reader doesn't take now; there is room, for the guest kept to its credit.
 */
static bool keep(struct vsock *vsock, struct vsock_stream *stream,
                 const struct virtqueue_chain *chain, uint64_t offset, uint32_t size_bytes)
{
    if (!stream->waiting)
        stream->waiting = malloc(VSOCK_SPACE_BYTES);
    if (!stream->waiting)
        return false;
    uint32_t end = (stream->waiting_start + stream->waiting_bytes) % VSOCK_SPACE_BYTES;
    uint32_t first = VSOCK_SPACE_BYTES - end < size_bytes ? VSOCK_SPACE_BYTES - end : size_bytes;

    stream->waiting_bytes += size_bytes;
    vsock_count(vsock, VSOCK_STALLS, 1);
    return virtio_copy_from(chain, offset, stream->waiting + end, first) &&
           virtio_copy_from(chain, offset + first, stream->waiting, size_bytes - first);
}

void vsock_forward(struct vsock *vsock, struct vsock_stream *stream,
                   const struct virtqueue_chain *chain, uint32_t data_bytes)
{
    struct iovec data[MOST_SEGMENTS];
    uint32_t done = 0;

    stream->received += data_bytes;
    if (!stream->host_deaf && stream->writable && stream->waiting_bytes == 0)
        done = write_some(vsock, stream, data,
                          data_of(chain, VIRTIO_VSOCK_HEADER_BYTES, data_bytes, data));
    if (stream->host_deaf)
        stream->forwarded += data_bytes - done;
    else if (done < data_bytes &&
             !keep(vsock, stream, chain, VIRTIO_VSOCK_HEADER_BYTES + done, data_bytes - done))
        vsock_owe(vsock, stream, VSOCK_OWES_RST);
    tell_credit(vsock, stream);
}

/* All that the guest sent is with the host. */
static void end_flush(struct vsock *vsock, struct vsock_stream *stream)
{
    free(stream->waiting);
    stream->waiting = NULL;
    stream->waiting_start = 0;
    if (stream->phase == VSOCK_FLUSHING) {
        vsock_free(vsock, stream);
        return;
    }
    if (stream->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)
        (void)shutdown(stream->fd, SHUT_WR);
    /* 5.10.6.6: the answer to one who neither sends nor receives any more. */
    if (stream->guest_shutdown == VIRTIO_VSOCK_SHUTDOWN)
        vsock_owe(vsock, stream, VSOCK_OWES_RST);
}

void vsock_flush(struct vsock *vsock, struct vsock_stream *stream)
{
    while (stream->waiting_bytes > 0 && stream->writable) {
        uint32_t first = VSOCK_SPACE_BYTES - stream->waiting_start;
        uint32_t part = stream->waiting_bytes < first ? stream->waiting_bytes : first;
        struct iovec data = {stream->waiting + stream->waiting_start, part};
        uint32_t done = write_some(vsock, stream, &data, 1);

        if (stream->host_deaf)
            break;
        stream->waiting_start = (stream->waiting_start + done) % VSOCK_SPACE_BYTES;
        stream->waiting_bytes -= done;
    }
    tell_credit(vsock, stream);
    if (stream->waiting_bytes == 0)
        end_flush(vsock, stream);
}

/* ---- clients that say nothing ---- */

bool vsock_watch(struct vsock *vsock, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = TIMER_EVENT};

    vsock->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (vsock->epoll < 0)
        return error_set(error, ERROR_HOST, errno, "epoll_create1 failed");
    vsock->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (vsock->timer < 0 || epoll_ctl(vsock->epoll, EPOLL_CTL_ADD, vsock->timer, &event) != 0)
        return error_set(error, ERROR_HOST, errno, "timerfd_create failed");
    return true;
}

void vsock_unwatch(struct vsock *vsock)
{
    if (vsock->timer >= 0)
        (void)close(vsock->timer);
    if (vsock->epoll >= 0)
        (void)close(vsock->epoll);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void set_timer(const struct vsock *vsock, uint64_t deadline_ns)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                     .tv_nsec = (long)(deadline_ns % NS_PER_S)},
    };

    (void)timerfd_settime(vsock->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void start_greeting(struct vsock *vsock, struct vsock_stream *stream)
{
    stream->deadline_ns = now_ns() + VSOCK_GREETING_MS * NS_PER_MS;
    if (vsock->greeting_count++ == 0)
        set_timer(vsock, stream->deadline_ns);
}

/* Ends those whose time is over; the timer is for the first of the others. */
static void end_silent(struct vsock *vsock)
{
    uint64_t now = now_ns(), first = UINT64_MAX, expirations;

    (void)!read(vsock->timer, &expirations, sizeof(expirations));
    for (size_t i = 0; i < VSOCK_MOST_STREAMS; i++) {
        struct vsock_stream *stream = &vsock->streams[i];

        if (stream->phase != VSOCK_GREETING)
            continue;
        if (stream->deadline_ns <= now) {
            vsock_count(vsock, VSOCK_REFUSED, 1);
            vsock_free(vsock, stream);
        } else if (stream->deadline_ns < first) {
            first = stream->deadline_ns;
        }
    }
    if (first < UINT64_MAX)
        set_timer(vsock, first);
}

/* ---- who comes, and who is asked ---- */

void vsock_listen(struct vsock *vsock, bool on)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER_EVENT};

    if (vsock->listener == VIRTIO_NO_FILE || on == vsock->listening || (on && vsock->full))
        return;
    vsock->listening = on;
    (void)epoll_ctl(vsock->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, vsock->listener, &event);
}

/* Owns the socket, also if it fails. */
static struct vsock_stream *add_socket(struct vsock *vsock, int fd, enum vsock_phase phase)
{
    struct vsock_stream *stream = vsock_add(vsock, fd, phase);

    if (!stream) {
        (void)close(fd);
        return NULL;
    }
    if (phase == VSOCK_GREETING)
        start_greeting(vsock, stream);
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)(stream - vsock->streams) | (uint64_t)stream->generation
                                                              << GENERATION_SHIFT,
    };
    if (epoll_ctl(vsock->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return stream;
    vsock_free(vsock, stream);
    return NULL;
}

/* Why no client can be taken now; NULL: one can. */
static const char *find_obstacle(const struct vsock *vsock)
{
    if (vsock->first_free == VSOCK_NONE)
        return "too many connections";
    return vsock->greeting_count == VSOCK_MOST_GREETINGS ? "too many that say nothing" : NULL;
}

/* Without a place or a descriptor clients wait in the socket's queue, until a stream ends. */
static void accept_client(struct vsock *vsock)
{
    const char *obstacle = find_obstacle(vsock);
    int fd = obstacle ? VIRTIO_NO_FILE
                      : accept4(vsock->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        (void)add_socket(vsock, fd, VSOCK_GREETING);
        return;
    }
    if (!obstacle && errno != EMFILE && errno != ENFILE)
        return;
    if (log_limit_pass(&vsock->failures))
        log_line(vsock->virtio.log, LOG_WARNING, "vsock '%s': %s: clients have to wait",
                 vsock->address.sun_path, obstacle ? obstacle : "no file descriptors left");
    vsock_listen(vsock, false);
    vsock->full = true;
}

struct vsock_stream *vsock_connect(struct vsock *vsock, uint32_t guest_port, uint32_t host_port)
{
    struct sockaddr_un address = vsock->address;
    size_t end = strlen(address.sun_path);

    if (vsock->listener == VIRTIO_NO_FILE)
        return NULL;
    (void)snprintf(address.sun_path + end, sizeof(address.sun_path) - end, "_%" PRIu32, host_port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    /* It doesn't take long: a queue that is full is one that refuses. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return NULL;
    }
    struct vsock_stream *stream = add_socket(vsock, fd, VSOCK_OPEN);
    if (stream)
        vsock_set_ports(vsock, stream, guest_port, host_port);
    return stream;
}

/* "CONNECT port": what the client wants. False: it is something else. */
static bool parse_greeting(char *line, uint32_t *port)
{
    static const char word[] = "CONNECT ";
    char *end;

    if (strncasecmp(line, word, strlen(word)) != 0)
        return false;
    const char *digits = line + strlen(word);
    errno = 0;
    unsigned long value = strtoul(digits, &end, 10);
    if (*end == '\r')
        end++;
    *port = (uint32_t)value;
    return *digits >= '0' && *digits <= '9' && *end == '\0' && errno == 0 && value < UINT32_MAX;
}

/* Reads no byte beyond the line: what follows is the guest's. Returns its length; 0: not whole yet;
 * negative: never. */
static ssize_t read_greeting(int fd, char line[VSOCK_GREETING_BYTES])
{
    ssize_t seen = recv(fd, line, VSOCK_GREETING_BYTES, MSG_PEEK | MSG_DONTWAIT);

    if (seen <= 0)
        return seen < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    const char *newline = memchr(line, '\n', (size_t)seen);
    if (!newline)
        return seen < VSOCK_GREETING_BYTES ? 0 : -1;
    ssize_t length = newline - line + 1;
    if (recv(fd, line, (size_t)length, MSG_DONTWAIT) != length)
        return -1;
    line[length - 1] = '\0';
    return length;
}

static uint32_t choose_port(struct vsock *vsock, uint32_t guest_port)
{
    uint32_t port;

    do
        port = FIRST_HOST_PORT + vsock->next_port++ % HOST_PORTS;
    while (vsock_find(vsock, guest_port, port));
    return port;
}

static void greet(struct vsock *vsock, struct vsock_stream *stream)
{
    char line[VSOCK_GREETING_BYTES];
    uint32_t guest_port = 0;
    ssize_t length = read_greeting(stream->fd, line);

    if (length == 0 && !stream->hung_up)
        return;
    if (length <= 0 || !parse_greeting(line, &guest_port)) {
        vsock_count(vsock, VSOCK_REFUSED, 1);
        vsock_free(vsock, stream);
        return;
    }
    vsock_set_ports(vsock, stream, guest_port, choose_port(vsock, guest_port));
    stream->phase = VSOCK_ASKED;
    vsock->greeting_count--;
    vsock->full = false; /* of those that say nothing, if it was; else it is so again */
    vsock_listen(vsock, true);
    vsock_owe(vsock, stream, VSOCK_OWES_REQUEST);
}

/* A socket that nothing was written to yet takes one short line. */
void vsock_answer_client(struct vsock *vsock, struct vsock_stream *stream)
{
    char line[VSOCK_GREETING_BYTES];
    int length = snprintf(line, sizeof(line), "OK %" PRIu32 "\n", stream->host_port);

    stream->phase = VSOCK_OPEN;
    vsock_count(vsock, VSOCK_FROM_HOST, 1);
    if (send(stream->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
        note_deaf(vsock, stream);
    vsock_queue(vsock, stream);
}

/* ---- events ---- */

static void note_events(struct vsock *vsock, struct vsock_stream *stream, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        stream->readable = true;
    if (events & (EPOLLHUP | EPOLLERR)) {
        stream->hung_up = true;
        stream->host_deaf |= stream->host_ended;
    }
    if (stream->phase == VSOCK_GREETING)
        greet(vsock, stream);
    else
        vsock_queue(vsock, stream);
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && stream->phase >= VSOCK_OPEN) {
        stream->writable = true;
        if (stream->waiting_bytes > 0 || stream->phase == VSOCK_FLUSHING)
            vsock_flush(vsock, stream);
    }
}

void vsock_poll(struct vsock *vsock)
{
    struct epoll_event events[EVENTS];
    int count;

    do {
        count = epoll_wait(vsock->epoll, events, EVENTS, 0);
        for (int i = 0; i < count; i++) {
            uint64_t whose = events[i].data.u64;

            if (whose == LISTENER_EVENT)
                accept_client(vsock);
            if (whose == TIMER_EVENT)
                end_silent(vsock);
            if (whose >= TIMER_EVENT)
                continue;
            struct vsock_stream *stream = &vsock->streams[(uint32_t)whose];
            if (stream->phase != VSOCK_FREE &&
                stream->generation == (uint32_t)(whose >> GENERATION_SHIFT))
                note_events(vsock, stream, events[i].events);
        }
    } while (count == EVENTS && !virtio_is_wanted(&vsock->virtio));
}
