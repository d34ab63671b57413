// SPDX-License-Identifier: Apache-2.0
/*
 * The streams of a socket device: each is a connection of the guest's on one side and a Unix socket
 * of the host's on the other.
 *
 *   virtio_vsock.c   the device: queues, and what the guest's packets ask for
 *   vsock_stream.c   the table of streams, what is owed to the guest, and its packets
 *   vsock_host.c     sockets: who connects, and who is connected to
 *
 * All of it belongs to the device's worker, or to who made it rest. Memory is bounded: so many
 * streams, each with so many bytes that its host's reader hasn't taken; what the host sends stays
 * in the host's socket until the guest has room. So nobody who is slow stops anybody else.
 *
 * Sockets are watched edge-triggered: `readable` and `writable` are true until a call says EAGAIN.
 */
#ifndef DEVICES_VSOCK_INTERNAL_H
#define DEVICES_VSOCK_INTERNAL_H

#include <sys/un.h>

#include "armlet/counters.h"
#include "virtio.h"
#include "virtio_vsock.h"

enum {
    VSOCK_MOST_STREAMS = 512,
    VSOCK_SPACE_BYTES = 256 << 10, /* of one stream, for the host's reader: Linux's own size */
    VSOCK_MOST_RESETS = 64,        /* that wait to be told to the guest */
    VSOCK_BUCKETS = 256,
    VSOCK_GREETING_BYTES = 32, /* the longest first line of a host's client */
    VSOCK_GREETING_MS = 2000,  /* how long it may take to say it */
    VSOCK_MOST_GREETINGS = 64, /* clients that haven't; more have to wait */
    VSOCK_NONE = -1,
};

enum vsock_phase {
    VSOCK_FREE,
    VSOCK_GREETING, /* a client of the host's hasn't said yet whom it wants */
    VSOCK_ASKED,    /* the guest is asked whether it takes the connection */
    VSOCK_OPEN,
    VSOCK_FLUSHING, /* the guest has done with it; the host's reader gets the rest */
};

/* Packets that the guest is owed, a bit each. */
enum vsock_owed {
    VSOCK_OWES_RST = 1U << 0,
    VSOCK_OWES_REQUEST = 1U << 1,
    VSOCK_OWES_RESPONSE = 1U << 2,
    VSOCK_OWES_CREDIT = 1U << 3,
    VSOCK_OWES_CREDIT_REQUEST = 1U << 4,
};

struct vsock_stream {
    enum vsock_phase phase;
    uint32_t generation;  /* of this slot: an event of its former owner is told by it */
    int fd;               /* Unix socket */
    uint64_t deadline_ns; /* on CLOCK_MONOTONIC, for its greeting */
    uint32_t guest_port, host_port;
    int next_in_bucket; /* slot, or VSOCK_NONE */
    int next_free;

    /* The queue of streams that may have something for the guest. */
    int next_queued;
    bool queued;
    unsigned owed; /* enum vsock_owed */

    /* To the guest (5.10.6.3): what it said of its buffer, and what it was sent. */
    uint32_t peer_space, peer_forwarded, sent;
    bool readable;
    bool starved;               /* it was asked for credit, and hasn't answered */
    bool host_ended, host_deaf; /* the host's side sends, or reads, no more */
    bool hung_up;
    uint32_t shutdown_told;

    /* From the guest. */
    uint32_t received, forwarded, told_forwarded;
    uint32_t guest_shutdown; /* flags of its SHUTDOWNs */
    bool writable;
    uint8_t *waiting; /* ring of VSOCK_SPACE_BYTES, while the host's reader is slow; or NULL */
    uint32_t waiting_start, waiting_bytes;
};

/* A packet that belongs to no stream. */
struct vsock_reset {
    uint64_t host_cid; /* whom the guest wanted: there is one host, but it may ask for others */
    uint32_t guest_port, host_port;
};

enum vsock_counter {
    VSOCK_FROM_GUEST,
    VSOCK_FROM_HOST,
    VSOCK_REFUSED,
    VSOCK_RESETS,
    VSOCK_BYTES_TO_HOST,
    VSOCK_BYTES_TO_GUEST,
    VSOCK_STALLS,
    VSOCK_BAD_PACKETS,
    VSOCK_COUNTERS,
};

struct vsock {
    struct virtio virtio;
    uint64_t cid; /* the configuration space, little endian */
    struct sockaddr_un address;
    int listener; /* lent; VIRTIO_NO_FILE: none */
    bool listening, full;
    int epoll;
    int timer; /* timerfd: the first deadline of a greeting */
    uint32_t greeting_count;
    struct virtqueue_chain rx;
    bool has_rx; /* rx was taken and is not used yet */
    uint32_t next_port;

    int buckets[VSOCK_BUCKETS];
    int first_free, first_queued, last_queued;
    struct vsock_reset resets[VSOCK_MOST_RESETS];
    uint32_t reset_start, reset_count;
    struct device_counter counters[VSOCK_COUNTERS];
    struct log_limit failures;
    struct vsock_stream streams[VSOCK_MOST_STREAMS];
};

static inline void vsock_count(struct vsock *vsock, enum vsock_counter what, uint64_t amount)
{
    counter_add(&vsock->counters[what].value, amount);
}

/* ---- vsock_stream.c ---- */

void vsock_init_streams(struct vsock *vsock);
/* Ends all of them, on the host's side. */
void vsock_drop_streams(struct vsock *vsock);
/* NULL: there is none. */
struct vsock_stream *vsock_find(struct vsock *vsock, uint32_t guest_port, uint32_t host_port);
/* A stream with a socket, which it owns from now on; NULL: there are too many, and it doesn't. */
struct vsock_stream *vsock_add(struct vsock *vsock, int fd, enum vsock_phase phase);
void vsock_set_ports(struct vsock *vsock, struct vsock_stream *stream, uint32_t guest_port,
                     uint32_t host_port);
void vsock_free(struct vsock *vsock, struct vsock_stream *stream);
/* It may have something for the guest. */
void vsock_queue(struct vsock *vsock, struct vsock_stream *stream);
void vsock_owe(struct vsock *vsock, struct vsock_stream *stream, unsigned what);
/* The guest is to know that there is no such connection, if so many don't wait already. */
void vsock_owe_reset(struct vsock *vsock, const struct vsock_reset *reset);
bool vsock_may_owe_reset(const struct vsock *vsock);
/* The guest knows nothing of it any more. */
void vsock_detach(struct vsock *vsock, struct vsock_stream *stream);
/* Whether there is a buffer for a packet, and something to put into it. */
bool vsock_can_send(struct vsock *vsock);
/* Fills rx buffers with what the guest is owed, as long as there are both. */
void vsock_send_packets(struct vsock *vsock);

/* ---- vsock_host.c ---- */

/* Opens what the sockets are watched with. */
bool vsock_watch(struct vsock *vsock, struct error *error) WARN_UNUSED;
void vsock_unwatch(struct vsock *vsock); /* allowed if nothing was opened */
/* Whether clients of the host's may come. */
void vsock_listen(struct vsock *vsock, bool on);
/* Does what the sockets ask for. */
void vsock_poll(struct vsock *vsock);
/* A connection from the guest to that port of the host's; NULL: nobody is there. */
struct vsock_stream *vsock_connect(struct vsock *vsock, uint32_t guest_port, uint32_t host_port);
/* The guest took, or refused, a client's connection. */
void vsock_answer_client(struct vsock *vsock, struct vsock_stream *stream);
/* Bytes of a packet, from `offset` on, to the host. */
void vsock_forward(struct vsock *vsock, struct vsock_stream *stream,
                   const struct virtqueue_chain *chain, uint32_t data_bytes);
/* What waits goes on to the host, and then its end. May free the stream. */
void vsock_flush(struct vsock *vsock, struct vsock_stream *stream);

#endif
