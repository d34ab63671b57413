// SPDX-License-Identifier: Apache-2.0
/* The table of streams, and the packets that the guest is owed. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vsock_internal.h"

enum {
    PACKET_MOST_BYTES = 64 << 10, /* of data: what Linux's driver takes */
    MOST_SEGMENTS = 64,           /* of one read */
};

/* ---- the table ---- */

static int slot_of(const struct vsock *vsock, const struct vsock_stream *stream)
{
    return (int)(stream - vsock->streams);
}

static int *bucket_of(struct vsock *vsock, uint32_t guest_port, uint32_t host_port)
{
    return &vsock->buckets[(guest_port + host_port * 31U) % VSOCK_BUCKETS];
}

void vsock_init_streams(struct vsock *vsock)
{
    vsock->first_queued = vsock->last_queued = VSOCK_NONE;
    vsock->first_free = 0;
    for (int i = 0; i < VSOCK_BUCKETS; i++)
        vsock->buckets[i] = VSOCK_NONE;
    for (int i = 0; i < VSOCK_MOST_STREAMS; i++)
        vsock->streams[i] = (struct vsock_stream){
            .fd = VIRTIO_NO_FILE,
            .next_free = i + 1 < VSOCK_MOST_STREAMS ? i + 1 : VSOCK_NONE,
        };
}

struct vsock_stream *vsock_find(struct vsock *vsock, uint32_t guest_port, uint32_t host_port)
{
    int slot = *bucket_of(vsock, guest_port, host_port);

    while (slot != VSOCK_NONE) {
        struct vsock_stream *stream = &vsock->streams[slot];

        if (stream->guest_port == guest_port && stream->host_port == host_port)
            return stream;
        slot = stream->next_in_bucket;
    }
    return NULL;
}

struct vsock_stream *vsock_add(struct vsock *vsock, int fd, enum vsock_phase phase)
{
    int slot = vsock->first_free;

    if (slot == VSOCK_NONE)
        return NULL;
    struct vsock_stream *stream = &vsock->streams[slot];
    vsock->first_free = stream->next_free;
    *stream = (struct vsock_stream){
        .phase = phase,
        .generation = stream->generation + 1,
        .fd = fd,
        .next_in_bucket = VSOCK_NONE,
        .writable = true,
    };
    return stream;
}

void vsock_set_ports(struct vsock *vsock, struct vsock_stream *stream, uint32_t guest_port,
                     uint32_t host_port)
{
    int *bucket = bucket_of(vsock, guest_port, host_port);

    stream->guest_port = guest_port;
    stream->host_port = host_port;
    stream->next_in_bucket = *bucket;
    *bucket = slot_of(vsock, stream);
}

void vsock_detach(struct vsock *vsock, struct vsock_stream *stream)
{
    int *link = bucket_of(vsock, stream->guest_port, stream->host_port);

    while (*link != VSOCK_NONE && *link != slot_of(vsock, stream))
        link = &vsock->streams[*link].next_in_bucket;
    if (*link != VSOCK_NONE)
        *link = stream->next_in_bucket;
}

/* A queued stream is taken out of the queue when its turn comes: its slot is free from then on. */
static void release_slot(struct vsock *vsock, struct vsock_stream *stream)
{
    stream->next_free = vsock->first_free;
    vsock->first_free = slot_of(vsock, stream);
    if (vsock->full) {
        vsock->full = false;
        vsock_listen(vsock, true);
    }
}

void vsock_free(struct vsock *vsock, struct vsock_stream *stream)
{
    assert(stream->phase != VSOCK_FREE);
    vsock->greeting_count -= stream->phase == VSOCK_GREETING;
    vsock_detach(vsock, stream);
    (void)close(stream->fd); /* which ends its being watched, too */
    stream->fd = VIRTIO_NO_FILE;
    free(stream->waiting);
    stream->waiting = NULL;
    stream->phase = VSOCK_FREE;
    if (!stream->queued)
        release_slot(vsock, stream);
}

void vsock_drop_streams(struct vsock *vsock)
{
    vsock_listen(vsock, false);
    vsock->full = false;
    vsock->has_rx = false;
    vsock->reset_count = 0;
    for (size_t i = 0; i < VSOCK_MOST_STREAMS; i++)
        if (vsock->streams[i].phase != VSOCK_FREE)
            vsock_free(vsock, &vsock->streams[i]);
    while (vsock->first_queued != VSOCK_NONE) {
        struct vsock_stream *stream = &vsock->streams[vsock->first_queued];

        vsock->first_queued = stream->next_queued;
        stream->queued = false;
        release_slot(vsock, stream);
    }
    vsock->last_queued = VSOCK_NONE;
}

/* ---- what is owed ---- */

void vsock_queue(struct vsock *vsock, struct vsock_stream *stream)
{
    if (stream->queued || stream->phase == VSOCK_FREE)
        return;
    stream->queued = true;
    stream->next_queued = VSOCK_NONE;
    if (vsock->last_queued == VSOCK_NONE)
        vsock->first_queued = slot_of(vsock, stream);
    else
        vsock->streams[vsock->last_queued].next_queued = slot_of(vsock, stream);
    vsock->last_queued = slot_of(vsock, stream);
}

void vsock_owe(struct vsock *vsock, struct vsock_stream *stream, unsigned what)
{
    stream->owed |= what;
    vsock_queue(vsock, stream);
}

bool vsock_may_owe_reset(const struct vsock *vsock)
{
    return vsock->reset_count < VSOCK_MOST_RESETS;
}

void vsock_owe_reset(struct vsock *vsock, const struct vsock_reset *reset)
{
    assert(vsock_may_owe_reset(vsock));
    vsock->resets[(vsock->reset_start + vsock->reset_count++) % VSOCK_MOST_RESETS] = *reset;
}

static uint32_t credit_of(const struct vsock_stream *stream)
{
    uint32_t under_way = stream->sent - stream->peer_forwarded;

    return under_way < stream->peer_space ? stream->peer_space - under_way : 0;
}

static bool may_send_data(const struct vsock_stream *stream)
{
    return stream->phase == VSOCK_OPEN && stream->readable && !stream->host_ended &&
           !(stream->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Flags of a SHUTDOWN that the guest hasn't been told yet. */
static uint32_t untold_shutdown(const struct vsock_stream *stream)
{
    uint32_t flags = 0;

    if (stream->phase != VSOCK_OPEN)
        return 0;
    flags |= stream->host_ended ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0U;
    flags |= stream->host_deaf ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0U;
    return flags & ~stream->shutdown_told ? flags : 0;
}

/* Asks a guest without room, once, to say when there is some. */
static bool has_something(struct vsock_stream *stream)
{
    if (stream->phase == VSOCK_FREE || stream->phase == VSOCK_FLUSHING)
        return false;
    if (may_send_data(stream) && credit_of(stream) == 0 && !stream->starved) {
        stream->starved = true;
        stream->owed |= VSOCK_OWES_CREDIT_REQUEST;
    }
    return stream->owed || untold_shutdown(stream) ||
           (may_send_data(stream) && credit_of(stream) > 0);
}

/* ---- packets ---- */

static void send_header(struct vsock *vsock, const struct virtio_vsock_header *header,
                        uint32_t data_bytes)
{
    (void)!virtio_copy_to(&vsock->rx, 0, header, sizeof(*header));
    virtio_return(&vsock->virtio, VIRTIO_VSOCK_RX, &vsock->rx,
                  VIRTIO_VSOCK_HEADER_BYTES + data_bytes);
    vsock->has_rx = false;
}

static struct virtio_vsock_header header_to(const struct vsock *vsock, uint32_t guest_port,
                                            uint32_t host_port, enum virtio_vsock_op op)
{
    return (struct virtio_vsock_header){
        .source_cid = VIRTIO_VSOCK_CID_HOST,
        .target_cid = vsock->cid,
        .source_port = host_port,
        .target_port = guest_port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = (uint16_t)op,
    };
}

static void send_packet(struct vsock *vsock, struct vsock_stream *stream, enum virtio_vsock_op op,
                        uint32_t flags, uint32_t data_bytes)
{
    struct virtio_vsock_header header = header_to(vsock, stream->guest_port, stream->host_port, op);

    header.flags = flags;
    header.data_bytes = data_bytes;
    header.space_bytes = VSOCK_SPACE_BYTES;
    header.forwarded = stream->told_forwarded = stream->forwarded;
    stream->owed &= ~(unsigned)VSOCK_OWES_CREDIT;
    send_header(vsock, &header, data_bytes);
}

/* The writable part of a chain behind the header, up to so many bytes. Returns the segments. */
static int room_for_data(const struct virtqueue_chain *chain, size_t most_bytes, struct iovec *room)
{
    size_t skip = VIRTIO_VSOCK_HEADER_BYTES;
    int count = 0;

    for (size_t i = 0; i < chain->writable_count && count < MOST_SEGMENTS && most_bytes > 0; i++) {
        struct iovec part = chain->segments[chain->readable_count + i];
        size_t skipped = skip < part.iov_len ? skip : part.iov_len;

        skip -= skipped;
        part.iov_base = (uint8_t *)part.iov_base + skipped;
        part.iov_len -= skipped;
        if (part.iov_len > most_bytes)
            part.iov_len = most_bytes;
        most_bytes -= part.iov_len;
        if (part.iov_len > 0)
            room[count++] = part;
    }
    return count;
}

/* Reads from the host straight into the guest's buffer. False: there was nothing. */
static bool send_data(struct vsock *vsock, struct vsock_stream *stream)
{
    struct iovec room[MOST_SEGMENTS];
    uint32_t credit = credit_of(stream);
    size_t most_bytes = credit < PACKET_MOST_BYTES ? credit : PACKET_MOST_BYTES;
    struct msghdr message = {.msg_iov = room};

    message.msg_iovlen = (size_t)room_for_data(&vsock->rx, most_bytes, room);
    assert(message.msg_iovlen > 0); /* take_rx() saw to it */
    ssize_t got = recvmsg(stream->fd, &message, MSG_DONTWAIT);

    if (got > 0) {
        stream->sent += (uint32_t)got;
        vsock_count(vsock, VSOCK_BYTES_TO_GUEST, (uint64_t)got);
        send_packet(vsock, stream, VIRTIO_VSOCK_OP_RW, 0, (uint32_t)got);
        return true;
    }
    if (got < 0 && errno == EINTR)
        return false;
    stream->readable = false;
    if (got == 0 || errno != EAGAIN) {
        stream->host_ended = true;
        stream->host_deaf |= stream->hung_up || got < 0;
    }
    return false;
}

/* One packet of what is owed, with an rx buffer at hand. */
static void send_one(struct vsock *vsock, struct vsock_stream *stream)
{
    static const struct {
        unsigned owed;
        enum virtio_vsock_op op;
    } order[] = {
        {VSOCK_OWES_REQUEST, VIRTIO_VSOCK_OP_REQUEST},
        {VSOCK_OWES_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE},
        {VSOCK_OWES_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE},
        {VSOCK_OWES_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST},
    };

    if (stream->owed & VSOCK_OWES_RST) {
        vsock_count(vsock, VSOCK_RESETS, 1);
        send_packet(vsock, stream, VIRTIO_VSOCK_OP_RST, 0, 0);
        vsock_free(vsock, stream);
        return;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (stream->owed & order[i].owed) {
            stream->owed &= ~order[i].owed;
            send_packet(vsock, stream, order[i].op, 0, 0);
            return;
        }
    if (may_send_data(stream) && credit_of(stream) > 0 && send_data(vsock, stream))
        return;
    uint32_t flags = untold_shutdown(stream);
    if (flags) {
        stream->shutdown_told = flags;
        send_packet(vsock, stream, VIRTIO_VSOCK_OP_SHUTDOWN, flags, 0);
    }
}

static struct vsock_stream *unqueue(struct vsock *vsock)
{
    struct vsock_stream *stream = &vsock->streams[vsock->first_queued];

    vsock->first_queued = stream->next_queued;
    if (vsock->first_queued == VSOCK_NONE)
        vsock->last_queued = VSOCK_NONE;
    stream->queued = false;
    if (stream->phase == VSOCK_FREE)
        release_slot(vsock, stream);
    return stream;
}

/* A buffer that has no room for a header is given back empty. */
static bool take_rx(struct vsock *vsock)
{
    while (!vsock->has_rx && virtio_take(&vsock->virtio, VIRTIO_VSOCK_RX, &vsock->rx)) {
        if (vsock->rx.writable_bytes > VIRTIO_VSOCK_HEADER_BYTES) {
            vsock->has_rx = true;
        } else {
            vsock_count(vsock, VSOCK_BAD_PACKETS, 1);
            virtio_return(&vsock->virtio, VIRTIO_VSOCK_RX, &vsock->rx, 0);
        }
    }
    return vsock->has_rx;
}

static void send_reset(struct vsock *vsock)
{
    const struct vsock_reset reset = vsock->resets[vsock->reset_start];
    struct virtio_vsock_header header =
        header_to(vsock, reset.guest_port, reset.host_port, VIRTIO_VSOCK_OP_RST);

    header.source_cid = reset.host_cid;
    vsock->reset_start = (vsock->reset_start + 1) % VSOCK_MOST_RESETS;
    vsock->reset_count--;
    vsock_count(vsock, VSOCK_RESETS, 1);
    send_header(vsock, &header, 0);
}

bool vsock_can_send(struct vsock *vsock)
{
    return (vsock->reset_count > 0 || vsock->first_queued != VSOCK_NONE) && take_rx(vsock);
}

/* One stream after the other, a packet each: nobody waits for one that has much to say. */
void vsock_send_packets(struct vsock *vsock)
{
    while (!virtio_is_wanted(&vsock->virtio)) {
        if (vsock->reset_count > 0) {
            if (!take_rx(vsock))
                break;
            send_reset(vsock);
            continue;
        }
        if (vsock->first_queued == VSOCK_NONE)
            break;
        if (!has_something(&vsock->streams[vsock->first_queued])) {
            (void)unqueue(vsock);
            continue;
        }
        if (!take_rx(vsock))
            break;
        struct vsock_stream *stream = unqueue(vsock);
        send_one(vsock, stream);
        vsock_queue(vsock, stream);
    }
    virtio_signal(&vsock->virtio, VIRTIO_VSOCK_RX);
}
