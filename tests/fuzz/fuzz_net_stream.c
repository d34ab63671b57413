// SPDX-License-Identifier: Apache-2.0
/*
 * Frames on a stream socket, as passt speaks it, between two ends that the input is: a byte and
 * its argument a step. Bytes come in pieces of any size, with lengths that are true or lie; frames
 * go out to a reader who may be slow. A plain model says which frames have to come, when the other
 * end doesn't speak the protocol, and which bytes have to go.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LENGTH_BYTES = 4,
    STEP_BYTES = 2,
    MODEL_BYTES = 1 << 20,
    SCALE = 300, /* an argument of 255 is longer than any frame */
    SPLIT = 7,   /* where a frame that goes out is cut in two */
};

enum step_kind { LENGTH, LIE, CONTENT, RECEIVE, SEND, FLUSH, READ, STEP_KINDS };

/* Bytes on their way. */
struct pipe_model {
    uint8_t bytes[MODEL_BYTES];
    size_t start, end;
};

static struct pipe_model in, out;
static struct net_link link_;
static int host;
static bool broken, blocked;
static uint8_t next; /* no two bytes that follow each other are the same */

static void append(struct pipe_model *model, const void *bytes, size_t count)
{
    if (model->end + count > MODEL_BYTES)
        return;
    memcpy(model->bytes + model->end, bytes, count);
    model->end += count;
}

/* What the socket takes of these bytes comes. */
static void arrive(const void *bytes, size_t count)
{
    ssize_t sent = in.end + count > MODEL_BYTES ? 0 : send(host, bytes, count, MSG_DONTWAIT);

    if (sent > 0)
        append(&in, bytes, (size_t)sent);
}

static void arrive_length(uint32_t length)
{
    length = htonl(length);
    arrive(&length, sizeof(length));
}

static const uint8_t *make_content(size_t count)
{
    static uint8_t bytes[UINT8_MAX * SCALE];

    for (size_t i = 0; i < count; i++)
        bytes[i] = next++;
    return bytes;
}

/* The frame that has to come next, if it is whole. */
static void check_frame(const uint8_t *frame, size_t size_bytes)
{
    uint32_t length;

    if (in.end - in.start < LENGTH_BYTES)
        abort();
    memcpy(&length, in.bytes + in.start, sizeof(length));
    length = ntohl(length);
    if (length != size_bytes || length > NET_FRAME_BYTES ||
        in.end - in.start - LENGTH_BYTES < length ||
        memcmp(frame, in.bytes + in.start + LENGTH_BYTES, length) != 0)
        abort();
    in.start += LENGTH_BYTES + length;
}

static void check_is_broken(void)
{
    uint32_t length;

    if (in.end - in.start < LENGTH_BYTES)
        abort();
    memcpy(&length, in.bytes + in.start, sizeof(length));
    if (ntohl(length) <= NET_FRAME_BYTES)
        abort();
    broken = true;
}

static void receive(void)
{
    enum net_stream_state state = NET_STREAM_OK;

    while (!broken && state == NET_STREAM_OK) {
        const uint8_t *frame = NULL;
        size_t size_bytes = 0;

        state = net_stream_receive(&link_, &frame, &size_bytes);
        if (state == NET_STREAM_OK)
            check_frame(frame, size_bytes);
        else if (state == NET_STREAM_BROKEN)
            check_is_broken();
    }
}

static void send_frame(size_t count)
{
    const uint8_t *content = make_content(count);
    const uint32_t length = htonl((uint32_t)count);
    size_t cut = count < SPLIT ? count : SPLIT;
    const struct iovec segments[] = {{(void *)&length, sizeof(length)},
                                     {(void *)content, cut},
                                     {(void *)(content + cut), count - cut}};

    if (blocked || count > NET_FRAME_BYTES || out.end + count + sizeof(length) > MODEL_BYTES)
        return;
    append(&out, &length, sizeof(length));
    append(&out, content, count);
    enum net_stream_state state = net_stream_send(&link_, segments, 3);

    if (state == NET_STREAM_BROKEN)
        abort();
    blocked = state == NET_STREAM_BLOCKED;
}

static void flush(void)
{
    enum net_stream_state state = net_stream_flush(&link_);

    if (state == NET_STREAM_BROKEN)
        abort();
    blocked = state == NET_STREAM_BLOCKED;
}

/* Whether anything was there. */
static bool read_some(size_t most)
{
    static uint8_t bytes[UINT8_MAX * SCALE];
    ssize_t got = most > 0 ? recv(host, bytes, most, MSG_DONTWAIT) : 0;

    if (got <= 0)
        return false;
    if ((size_t)got > out.end - out.start || memcmp(bytes, out.bytes + out.start, (size_t)got) != 0)
        abort();
    out.start += (size_t)got;
    return true;
}

static void do_step(const uint8_t *step)
{
    size_t amount = (size_t)step[1] * (step[1] & 1 ? 1 : SCALE);

    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case LENGTH:
        arrive_length((uint32_t)amount);
        arrive(make_content(amount), amount);
        break;
    case LIE:
        arrive_length(step[1] > 250 ? (uint32_t)step[1] << 24 : (uint32_t)amount);
        break;
    case CONTENT:
        arrive(make_content(amount), amount);
        break;
    case RECEIVE:
        receive();
        break;
    case SEND:
        send_frame(amount);
        break;
    case FLUSH:
        flush();
        break;
    case READ:
        (void)read_some(amount);
        break;
    case STEP_KINDS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_link_config config = {.pairs = 1};
    struct error error;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    host = ends[1];
    config.fd = (uint64_t)ends[0];
    if (!net_link_open(&link_, &config, &error))
        abort();
    in.start = in.end = out.start = out.end = 0;
    broken = blocked = false;
    for (size_t at = 0; size - at >= STEP_BYTES; at += STEP_BYTES)
        do_step(&data[at]);
    receive();
    do
        flush();
    while (read_some(UINT8_MAX * SCALE));
    if (blocked || out.start != out.end)
        abort(); /* nothing was lost */
    net_link_close(&link_);
    (void)close(host);
    return 0;
}
