// SPDX-License-Identifier: Apache-2.0
/* Frames between the queues of a network device and the host. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "virtio_net_internal.h"

enum {
    ETHERNET_HEADER_BYTES = 14,
    ETHERNET_MOST_BYTES = 18, /* of a header, with a VLAN's tag */
    ETHERNET_MTU = 1500,
    LENGTH_BYTES = sizeof(uint32_t),
    PAIR_QUEUES = 2, /* receiveq, then transmitq (5.1.2) */
};

static uint32_t receive_queue(uint32_t pair)
{
    return PAIR_QUEUES * pair;
}

static uint32_t send_queue(uint32_t pair)
{
    return PAIR_QUEUES * pair + 1;
}

/* ---- out ---- */

static bool is_frame(const struct virtqueue_chain *chain)
{
    return chain->readable_bytes >= VIRTIO_NET_HEADER_BYTES + ETHERNET_HEADER_BYTES &&
           chain->readable_bytes <= NET_PACKET_BYTES;
}

/* A chain's segments without the header. Returns their count. */
static size_t strip(const struct virtqueue_chain *chain, struct iovec *out)
{
    size_t skip = VIRTIO_NET_HEADER_BYTES;
    size_t count = 0;

    for (size_t i = 0; i < chain->readable_count; i++) {
        const struct iovec *segment = &chain->segments[i];
        size_t part = skip < segment->iov_len ? skip : segment->iov_len;

        skip -= part;
        if (part < segment->iov_len)
            out[count++] =
                (struct iovec){(uint8_t *)segment->iov_base + part, segment->iov_len - part};
    }
    return count;
}

/* Whether the host took it. */
static bool send_frame(struct net *net, uint32_t pair, const struct virtqueue_chain *chain)
{
    long sent = 0;

    if (net->link.header)
        sent = net_link_send(&net->link, pair, chain->segments, chain->readable_count);
    else
        sent = net_link_send(&net->link, pair, net->out, strip(chain, net->out));
    return sent >= 0;
}

static void count_sent(struct net *net, uint64_t readable_bytes)
{
    uint64_t bytes = readable_bytes - VIRTIO_NET_HEADER_BYTES;

    net_count(net, NET_SENT, 1);
    net_count(net, NET_SENT_BYTES, bytes);
    if (rate_limit_is_set(&net->send_limit))
        rate_limit_charge(&net->send_limit, (uint32_t)bytes);
}

/* The next chain of a transmit queue; false: there is none, or it has to wait. */
static bool take_frame(struct net *net, uint32_t queue)
{
    return !virtio_is_wanted(&net->virtio) && net->virtio.active[queue] &&
           !net_is_limited(net, &net->send_limit) &&
           virtio_take(&net->virtio, queue, &net->virtio.chain);
}

/* One system call a frame. Of a cable that is pulled nothing comes out. */
static bool send_frames(struct net *net, uint32_t pair)
{
    const struct virtqueue_chain *chain = &net->virtio.chain;
    uint32_t queue = send_queue(pair);
    unsigned count = 0;

    for (; count < NET_BATCH && take_frame(net, queue); count++) {
        if (net_link_is_up(&net->link) && is_frame(chain) && send_frame(net, pair, chain))
            count_sent(net, chain->readable_bytes);
        else
            net_count(net, NET_SEND_DROPS, 1);
        virtio_return(&net->virtio, queue, chain, 0);
    }
    if (count > 0)
        virtio_signal(&net->virtio, queue);
    return count > 0;
}

/* Adds a frame to those that go out together. Returns the count of segments in all. */
static size_t gather(struct net *net, const struct virtqueue_chain *chain, size_t index,
                     size_t count)
{
    uint32_t length = (uint32_t)(chain->readable_bytes - VIRTIO_NET_HEADER_BYTES);

    net->lengths[index] = htonl(length);
    net->out[count] = (struct iovec){&net->lengths[index], LENGTH_BYTES};
    return count + 1 + strip(chain, &net->out[count + 1]);
}

static void judge_stream(struct net *net, enum net_stream_state state)
{
    net->send_blocked = state == NET_STREAM_BLOCKED;
    if (state == NET_STREAM_BROKEN)
        net_link_lost(net);
}

/*
 * Takes the frames that go out together. passt reads a frame in at most two pieces and is out of
 * step for good if there are more; so it is one alone, which the host's kernel makes two pieces of,
 * or so many as it keeps in one (NET_STREAM_PIECE_BYTES). Returns how many chains were taken.
 */
static size_t gather_frames(struct net *net, uint32_t queue, size_t *segments)
{
    const struct virtqueue_chain *chain = &net->virtio.chain;
    size_t bytes = 0;
    size_t count = 0;

    while (count < NET_BATCH && bytes < NET_STREAM_PIECE_BYTES &&
           *segments + VIRTQUEUE_MOST_ENTRIES + 1 <= NET_SEGMENTS && take_frame(net, queue)) {
        size_t more = LENGTH_BYTES + chain->readable_bytes - VIRTIO_NET_HEADER_BYTES;

        if (is_frame(chain) && bytes > 0 && bytes + more > NET_STREAM_PIECE_BYTES) {
            virtqueue_untake(&net->virtio.queues[queue], chain->entries);
            break;
        }
        if (is_frame(chain)) {
            bytes += more;
            *segments = gather(net, chain, count, *segments);
            count_sent(net, chain->readable_bytes);
        } else {
            net_count(net, NET_SEND_DROPS, 1);
        }
        net->sent[count++] = (struct virtqueue_used){chain->id, chain->entries, 0};
    }
    return count;
}

/* One system call for all of them. They are copied if the socket is full, so all can go back. */
static bool send_stream(struct net *net)
{
    const uint32_t queue = send_queue(0);
    size_t segments = 0;

    if (net->send_blocked)
        judge_stream(net, net_stream_flush(&net->link));
    size_t count = net->send_blocked ? 0 : gather_frames(net, queue, &segments);
    if (segments > 0)
        judge_stream(net, net_stream_send(&net->link, net->out, segments));
    if (count > 0 && net->virtio.active[queue]) {
        virtqueue_return_batch(&net->virtio.queues[queue], net->sent, count);
        virtio_signal(&net->virtio, queue);
    }
    return count > 0;
}

bool net_send_some(struct net *net, uint32_t pair)
{
    return net->link.kind == NET_LINK_STREAM && net_link_is_up(&net->link) ? send_stream(net)
                                                                           : send_frames(net, pair);
}

/* ---- in ---- */

/* Makes room at the end of the lists of what is lent. */
static void compact(struct net_receiver *receiver)
{
    size_t count = receiver->end - receiver->first;
    size_t iov_count = receiver->iov_end - receiver->iov_first;

    memmove(receiver->lent, receiver->lent + receiver->first, count * sizeof(*receiver->lent));
    memmove(receiver->capacity, receiver->capacity + receiver->first,
            count * sizeof(*receiver->capacity));
    memmove(receiver->segments, receiver->segments + receiver->first,
            count * sizeof(*receiver->segments));
    memmove(receiver->iov, receiver->iov + receiver->iov_first, iov_count * sizeof(*receiver->iov));
    receiver->first = receiver->iov_first = 0;
    receiver->end = count;
    receiver->iov_end = iov_count;
}

/* One more segment than a chain has: that for what they don't hold. */
static bool has_room(const struct net_receiver *receiver)
{
    return receiver->end < NET_LENT &&
           receiver->iov_end + VIRTQUEUE_MOST_ENTRIES + 1 <= NET_SEGMENTS;
}

static void add_lent(struct net_receiver *receiver, const struct virtqueue_chain *chain)
{
    receiver->lent[receiver->end] = (struct virtqueue_used){chain->id, chain->entries, 0};
    receiver->capacity[receiver->end] = (uint32_t)chain->writable_bytes;
    receiver->segments[receiver->end] = (uint16_t)chain->writable_count;
    receiver->end++;
    memcpy(&receiver->iov[receiver->iov_end], &chain->segments[chain->readable_count],
           chain->writable_count * sizeof(struct iovec));
    receiver->iov_end += chain->writable_count;
    receiver->bytes += chain->writable_bytes;
}

static void set_notify(struct net *net, uint32_t pair, bool on)
{
    uint32_t queue = receive_queue(pair);

    if (net->receivers[pair].notify != on && net->virtio.active[queue])
        virtqueue_set_notify(&net->virtio.queues[queue], on);
    net->receivers[pair].notify = on;
}

/* Takes one chain more; false: there is none, and the driver will say when. */
static bool lend_one(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];
    uint32_t queue = receive_queue(pair);

    if (!has_room(receiver))
        compact(receiver);
    if (!has_room(receiver) || !net->virtio.active[queue])
        return false;
    if (!virtio_take(&net->virtio, queue, &net->virtio.chain)) {
        set_notify(net, pair, true);
        if (!net->virtio.active[queue] || !virtio_take(&net->virtio, queue, &net->virtio.chain))
            return false;
    }
    set_notify(net, pair, false);
    add_lent(receiver, &net->virtio.chain);
    return true;
}

/* How much one packet can have: chains are joined only if the driver knows how. */
static uint64_t room(const struct net *net, const struct net_receiver *receiver)
{
    return net->merges || receiver->first == receiver->end ? receiver->bytes
                                                           : receiver->capacity[receiver->first];
}

static bool lend(struct net *net, uint32_t pair, uint64_t bytes)
{
    struct net_receiver *receiver = &net->receivers[pair];

    while (room(net, receiver) < bytes && (net->merges || receiver->first == receiver->end))
        if (!lend_one(net, pair))
            break;
    return room(net, receiver) >= bytes;
}

/* Copies to what is lent, from `offset` on; there is room. */
static void put(struct net_receiver *receiver, size_t offset, const uint8_t *from, size_t bytes)
{
    for (size_t i = receiver->iov_first; bytes > 0 && i < receiver->iov_end; i++) {
        const struct iovec *segment = &receiver->iov[i];

        if (offset >= segment->iov_len) {
            offset -= segment->iov_len;
            continue;
        }
        size_t left = segment->iov_len - offset;
        size_t part = bytes < left ? bytes : left;

        memcpy((uint8_t *)segment->iov_base + offset, from, part);
        from += part;
        bytes -= part;
        offset = 0;
    }
}

/* How many of the chains lent a packet takes up, with what is written to each. */
static size_t spread(struct net_receiver *receiver, uint64_t bytes)
{
    size_t count = 0;

    for (; bytes > 0; count++) {
        uint32_t capacity = receiver->capacity[receiver->first + count];
        uint32_t part = bytes < capacity ? (uint32_t)bytes : capacity;

        receiver->lent[receiver->first + count].written_bytes = part;
        bytes -= part;
    }
    return count;
}

/* Gives a packet that lies in the chains lent to the driver, which sees all of them at once. */
static void deliver(struct net *net, uint32_t pair, uint64_t bytes)
{
    struct net_receiver *receiver = &net->receivers[pair];
    uint16_t count = (uint16_t)spread(receiver, bytes);

    if (!net->virtio.active[receive_queue(pair)]) /* broken by what was lent last */
        return;

    put(receiver, offsetof(struct virtio_net_header, buffer_count), (const uint8_t *)&count,
        sizeof(count));
    virtqueue_return_batch(&net->virtio.queues[receive_queue(pair)],
                           &receiver->lent[receiver->first], count);
    for (size_t i = 0; i < count; i++) {
        receiver->bytes -= receiver->capacity[receiver->first];
        receiver->iov_first += receiver->segments[receiver->first];
        receiver->first++;
    }
    net_count(net, NET_RECEIVED, 1);
    net_count(net, NET_RECEIVED_BYTES, bytes - VIRTIO_NET_HEADER_BYTES);
    if (rate_limit_is_set(&net->receive_limit))
        rate_limit_charge(&net->receive_limit, (uint32_t)(bytes - VIRTIO_NET_HEADER_BYTES));
}

static void drop_received(struct net *net)
{
    net_count(net, NET_RECEIVE_DROPS, 1);
}

/* A frame with a header before it, of which `there` bytes are in the chains and the rest is in
 * `packet`. */
static void finish(struct net *net, uint32_t pair, uint64_t bytes, uint64_t there)
{
    if (bytes < VIRTIO_NET_HEADER_BYTES + ETHERNET_HEADER_BYTES || !lend(net, pair, bytes)) {
        drop_received(net);
        return;
    }
    if (bytes > there)
        put(&net->receivers[pair], there, net->packet, bytes - there);
    deliver(net, pair, bytes);
}

/* Straight into the guest's memory; what is too long for it goes to `packet`. */
static long receive_into_chains(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];
    uint64_t there = room(net, receiver);
    size_t count =
        net->merges ? receiver->iov_end - receiver->iov_first : receiver->segments[receiver->first];
    struct iovec *rest = &receiver->iov[receiver->iov_first + count];
    const struct iovec saved = *rest;

    *rest = (struct iovec){net->packet, sizeof(net->packet)};
    long got = net_link_receive(&net->link, pair, &receiver->iov[receiver->iov_first], count + 1);
    *rest = saved;
    if (got >= 0)
        finish(net, pair, (uint64_t)got, (uint64_t)got < there ? (uint64_t)got : there);
    return got;
}

static long receive_and_copy(struct net *net, uint32_t pair)
{
    const struct iovec whole = {net->packet + VIRTIO_NET_HEADER_BYTES, NET_FRAME_BYTES};
    long got = net_link_receive(&net->link, pair, &whole, 1);

    if (got >= 0) {
        memset(net->packet, 0, VIRTIO_NET_HEADER_BYTES);
        finish(net, pair, VIRTIO_NET_HEADER_BYTES + (uint64_t)got, 0);
    }
    return got;
}

static long receive_stream(struct net *net)
{
    const uint8_t *frame = NULL;
    size_t size_bytes = 0;
    enum net_stream_state state = net_stream_receive(&net->link, &frame, &size_bytes);

    if (state != NET_STREAM_OK)
        return state == NET_STREAM_BLOCKED ? -EAGAIN : -EPIPE;
    memset(net->packet, 0, VIRTIO_NET_HEADER_BYTES);
    if (size_bytes < ETHERNET_HEADER_BYTES || !lend(net, 0, VIRTIO_NET_HEADER_BYTES + size_bytes)) {
        drop_received(net);
        return 0;
    }
    put(&net->receivers[0], 0, net->packet, VIRTIO_NET_HEADER_BYTES);
    put(&net->receivers[0], VIRTIO_NET_HEADER_BYTES, frame, size_bytes);
    deliver(net, 0, VIRTIO_NET_HEADER_BYTES + size_bytes);
    return 0;
}

static long receive_one(struct net *net, uint32_t pair)
{
    if (net->link.kind == NET_LINK_STREAM)
        return receive_stream(net);
    return net->link.header ? receive_into_chains(net, pair) : receive_and_copy(net, pair);
}

/* What the longest packet takes up that may come. */
static uint64_t longest(const struct net *net)
{
    uint64_t mtu = net->config.mtu ? net->config.mtu : ETHERNET_MTU;

    return net->segments ? NET_PACKET_BYTES : VIRTIO_NET_HEADER_BYTES + ETHERNET_MOST_BYTES + mtu;
}

/*
 * Whether there are chains for whatever comes next. A driver that has had more of them makes more
 * again, so no frame is read for dropping; one that never has gets what fits.
 */
static bool prepare(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];
    uint64_t wanted = longest(net);

    (void)lend(net, pair, wanted);
    uint64_t there = room(net, receiver);

    if (there > receiver->most)
        receiver->most = there;
    if (!net->merges)
        wanted = VIRTIO_NET_HEADER_BYTES;
    else if (wanted > receiver->most && receiver->most > VIRTIO_NET_HEADER_BYTES)
        wanted = receiver->most;
    receiver->starved = there < wanted;
    receiver->limited = net_is_limited(net, &net->receive_limit);
    return !receiver->starved && !receiver->limited;
}

bool net_receive_some(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];
    unsigned count = 0;
    long got = 0;

    while (!receiver->dry && got >= 0 && count < NET_BATCH && net_link_is_up(&net->link) &&
           !virtio_is_wanted(&net->virtio) && prepare(net, pair)) {
        got = receive_one(net, pair);
        count += got >= 0;
    }
    receiver->dry |= got == -EAGAIN;
    if (got < 0 && got != -EAGAIN && got != -EINTR)
        net_link_lost(net);
    if (count > 0)
        virtio_signal(&net->virtio, receive_queue(pair));
    return count > 0;
}

void net_unlend(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];
    const uint32_t queue = receive_queue(pair);

    while (net->virtio.active[queue] && receiver->end > receiver->first)
        virtqueue_untake(&net->virtio.queues[queue], receiver->lent[--receiver->end].entries);
    net_forget_lent(net, pair);
}

void net_forget_lent(struct net *net, uint32_t pair)
{
    struct net_receiver *receiver = &net->receivers[pair];

    receiver->first = receiver->end = 0;
    receiver->iov_first = receiver->iov_end = 0;
    receiver->bytes = 0;
    receiver->notify = true; /* as a queue begins */
}
