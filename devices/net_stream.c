// SPDX-License-Identifier: Apache-2.0
/* Frames on a stream socket, each with its length before it. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net_link.h"

enum { LENGTH_BYTES = 4, IN_BYTES = NET_STREAM_BUFFER_BYTES, OUT_BYTES = NET_STREAM_BUFFER_BYTES };

static bool may_go_on(int code)
{
    return code == EAGAIN || code == EINTR || code == ENOBUFS;
}

/* Keeps all but the first `sent` bytes. */
static enum net_stream_state keep(struct net_stream *stream, const struct iovec *segments,
                                  size_t count, size_t sent)
{
    stream->out_start = stream->out_end = 0;
    for (size_t i = 0; i < count; i++) {
        const struct iovec *segment = &segments[i];
        size_t skip = sent < segment->iov_len ? sent : segment->iov_len;
        size_t part = segment->iov_len - skip;

        sent -= skip;
        if (part > OUT_BYTES - stream->out_end)
            return NET_STREAM_BROKEN; /* what the caller promised it would not ask */
        memcpy(stream->out + stream->out_end, (const uint8_t *)segment->iov_base + skip, part);
        stream->out_end += part;
    }
    return stream->out_end > 0 ? NET_STREAM_BLOCKED : NET_STREAM_OK;
}

enum net_stream_state net_stream_send(struct net_link *link, const struct iovec *segments,
                                      size_t count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)segments, .msg_iovlen = count};
    ssize_t sent = sendmsg(link->fds[0], &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && !may_go_on(errno))
        return NET_STREAM_BROKEN;
    return keep(&link->stream, segments, count, sent > 0 ? (size_t)sent : 0);
}

enum net_stream_state net_stream_flush(struct net_link *link)
{
    struct net_stream *stream = &link->stream;

    while (stream->out_start < stream->out_end) {
        ssize_t sent = send(link->fds[0], stream->out + stream->out_start,
                            stream->out_end - stream->out_start, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0)
            return may_go_on(errno) ? NET_STREAM_BLOCKED : NET_STREAM_BROKEN;
        stream->out_start += (size_t)sent;
    }
    return NET_STREAM_OK;
}

/* Whether a whole frame is there, and which. */
static enum net_stream_state cut(struct net_stream *stream, const uint8_t **frame,
                                 size_t *size_bytes)
{
    size_t there = stream->in_end - stream->in_start;
    uint32_t length;

    if (there < LENGTH_BYTES)
        return NET_STREAM_BLOCKED;
    memcpy(&length, stream->in + stream->in_start, sizeof(length));
    length = ntohl(length);
    if (length > NET_FRAME_BYTES)
        return NET_STREAM_BROKEN;
    if (there - LENGTH_BYTES < length)
        return NET_STREAM_BLOCKED;
    *frame = stream->in + stream->in_start + LENGTH_BYTES;
    *size_bytes = length;
    stream->in_start += LENGTH_BYTES + length;
    return NET_STREAM_OK;
}

enum net_stream_state net_stream_receive(struct net_link *link, const uint8_t **frame,
                                         size_t *size_bytes)
{
    struct net_stream *stream = &link->stream;
    enum net_stream_state state = cut(stream, frame, size_bytes);

    if (state != NET_STREAM_BLOCKED)
        return state;
    memmove(stream->in, stream->in + stream->in_start, stream->in_end - stream->in_start);
    stream->in_end -= stream->in_start;
    stream->in_start = 0;
    ssize_t got =
        recv(link->fds[0], stream->in + stream->in_end, IN_BYTES - stream->in_end, MSG_DONTWAIT);

    if (got < 0)
        return may_go_on(errno) ? NET_STREAM_BLOCKED : NET_STREAM_BROKEN;
    if (got == 0)
        return NET_STREAM_BROKEN;
    stream->in_end += (size_t)got;
    return cut(stream, frame, size_bytes);
}
