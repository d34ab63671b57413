// SPDX-License-Identifier: Apache-2.0
/* The socket device (Virtual I/O Device 1.2, 5.10): streams between the guest and the host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "builtin.h"
#include "vsock_internal.h"
#include "vsock_vhost.h"

/* With "_PORT", of up to ten digits, behind it a path still fits an address. */
enum { MOST_PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("_4294967295") };

/* ---- packets of the guest's ---- */

static void refuse(struct vsock *vsock, const struct virtio_vsock_header *header)
{
    const struct vsock_reset reset = {header->target_cid, header->source_port, header->target_port};

    if (header->op != VIRTIO_VSOCK_OP_RST)
        vsock_owe_reset(vsock, &reset);
}

static void take_request(struct vsock *vsock, const struct virtio_vsock_header *header)
{
    struct vsock_stream *stream = vsock_connect(vsock, header->source_port, header->target_port);

    if (!stream) {
        vsock_count(vsock, VSOCK_REFUSED, 1);
        refuse(vsock, header);
        return;
    }
    vsock_count(vsock, VSOCK_FROM_GUEST, 1);
    stream->peer_space = header->space_bytes;
    stream->peer_forwarded = header->forwarded;
    vsock_owe(vsock, stream, VSOCK_OWES_RESPONSE);
}

/* What the guest has sent before it closed is the host's. */
static void take_rst(struct vsock *vsock, struct vsock_stream *stream)
{
    if (stream->phase == VSOCK_ASKED)
        vsock_count(vsock, VSOCK_REFUSED, 1);
    if (stream->waiting_bytes > 0 && stream->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND) {
        vsock_detach(vsock, stream);
        stream->phase = VSOCK_FLUSHING;
        stream->owed = 0;
    } else {
        vsock_free(vsock, stream);
    }
}

static void take_shutdown(struct vsock *vsock, struct vsock_stream *stream, uint32_t flags)
{
    stream->guest_shutdown |= flags & VIRTIO_VSOCK_SHUTDOWN;
    if (stream->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_RCV)
        (void)shutdown(stream->fd, SHUT_RD);
    if (stream->waiting_bytes == 0)
        vsock_flush(vsock, stream);
}

/* A guest that sends more than there is room for loses the connection (5.10.6.3). */
static bool take_data(struct vsock *vsock, struct vsock_stream *stream,
                      const struct virtio_vsock_header *header, const struct virtqueue_chain *chain)
{
    uint32_t held_bytes = stream->received - stream->forwarded;

    if (header->data_bytes > chain->readable_bytes - VIRTIO_VSOCK_HEADER_BYTES ||
        header->data_bytes > VSOCK_SPACE_BYTES - held_bytes ||
        stream->guest_shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)
        return false;
    vsock_forward(vsock, stream, chain, header->data_bytes);
    return true;
}

/* What may come once there is a connection. False: it makes no sense. */
static bool take_open(struct vsock *vsock, struct vsock_stream *stream,
                      const struct virtio_vsock_header *header, const struct virtqueue_chain *chain)
{
    if (stream->phase != VSOCK_OPEN || stream->owed & VSOCK_OWES_RST)
        return false;
    switch (header->op) {
    case VIRTIO_VSOCK_OP_RW:
        return take_data(vsock, stream, header, chain);
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        take_shutdown(vsock, stream, header->flags);
        return true;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        return true;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        vsock_owe(vsock, stream, VSOCK_OWES_CREDIT);
        return true;
    default:
        return false;
    }
}

static void take_packet(struct vsock *vsock, const struct virtio_vsock_header *header,
                        const struct virtqueue_chain *chain)
{
    struct vsock_stream *stream = vsock_find(vsock, header->source_port, header->target_port);

    if (!stream && header->op == VIRTIO_VSOCK_OP_REQUEST) {
        take_request(vsock, header);
    } else if (!stream) {
        refuse(vsock, header);
    } else if (header->op == VIRTIO_VSOCK_OP_RST) {
        take_rst(vsock, stream);
    } else {
        stream->peer_space = header->space_bytes;
        stream->peer_forwarded = header->forwarded;
        stream->starved = false;
        vsock_queue(vsock, stream);
        if (stream->phase == VSOCK_ASKED && header->op == VIRTIO_VSOCK_OP_RESPONSE)
            vsock_answer_client(vsock, stream);
        else if (!take_open(vsock, stream, header, chain))
            vsock_owe(vsock, stream, VSOCK_OWES_RST);
    }
}

static void judge_packet(struct vsock *vsock, const struct virtqueue_chain *chain)
{
    struct virtio_vsock_header header;

    if (!virtio_copy_from(chain, 0, &header, sizeof(header)) || header.source_cid != vsock->cid) {
        vsock_count(vsock, VSOCK_BAD_PACKETS, 1);
    } else if (header.target_cid != VIRTIO_VSOCK_CID_HOST ||
               header.type != VIRTIO_VSOCK_TYPE_STREAM) {
        vsock_count(vsock, VSOCK_REFUSED, 1);
        refuse(vsock, &header);
    } else {
        take_packet(vsock, &header, chain);
    }
}

/* A guest that takes no answers isn't listened to (5.10.6.4.1). Returns whether there was any. */
static bool take_packets(struct vsock *vsock)
{
    struct virtio *virtio = &vsock->virtio;
    bool any = false;

    while (!virtio_is_wanted(virtio) && vsock_may_owe_reset(vsock) &&
           virtio->active[VIRTIO_VSOCK_TX] &&
           virtio_take(virtio, VIRTIO_VSOCK_TX, &virtio->chain)) {
        judge_packet(vsock, &virtio->chain);
        virtio_return(virtio, VIRTIO_VSOCK_TX, &virtio->chain, 0);
        any = true;
    }
    virtio_signal(virtio, VIRTIO_VSOCK_TX);
    return any;
}

static bool is_active(const struct virtio *virtio)
{
    return virtio->active[VIRTIO_VSOCK_RX] && virtio->active[VIRTIO_VSOCK_TX];
}

static void vsock_serve(struct virtio *virtio)
{
    struct vsock *vsock = container_of(virtio, struct vsock, virtio);
    bool more = true;

    vsock_listen(vsock, is_active(virtio));
    while (more && is_active(virtio) && !virtio_is_wanted(virtio)) {
        virtqueue_set_notify(&virtio->queues[VIRTIO_VSOCK_TX], false);
        vsock_poll(vsock);
        (void)take_packets(vsock);
        vsock_send_packets(vsock);
        virtqueue_set_notify(&virtio->queues[VIRTIO_VSOCK_TX], true);
        virtqueue_set_notify(&virtio->queues[VIRTIO_VSOCK_RX], true);
        more = take_packets(vsock);
        more = is_active(virtio) && (vsock_can_send(vsock) || more);
    }
    /* A guest that broke its queues has no use for clients until it is reset. */
    if (!is_active(virtio))
        vsock_drop_streams(vsock);
}

/* ---- from create to destroy ---- */

static void vsock_reset(struct virtio *virtio)
{
    vsock_drop_streams(container_of(virtio, struct vsock, virtio));
}

static void vsock_destroy(struct virtio *virtio)
{
    struct vsock *vsock = container_of(virtio, struct vsock, virtio);

    vsock_drop_streams(vsock);
    vsock_unwatch(vsock);
    free(vsock);
}

static const struct virtio_model vsock_model = {
    .name = "virtio-vsock",
    .id = VIRTIO_ID_VSOCK,
    .queue_count = VIRTIO_VSOCK_QUEUES,
    .serve = vsock_serve,
    .reset = vsock_reset,
    .destroy = vsock_destroy,
};

struct properties {
    uint64_t cid;
    const char *uds;
};

static const struct property_row rows[] = {
    {"cid", PROPERTY_NUMBER, offsetof(struct properties, cid), VIRTIO_VSOCK_LEAST_CID,
     VIRTIO_VSOCK_MOST_CID, "the guest's context identifier, 3 or more"},
    {"uds", PROPERTY_TEXT, offsetof(struct properties, uds), 0, 0,
     "a Unix socket of the host's, instead of its kernel's AF_VSOCK"},
    {0},
};

static const struct device_counter counters[VSOCK_COUNTERS] = {
    [VSOCK_FROM_GUEST] = {"connections_from_guest", 0},
    [VSOCK_FROM_HOST] = {"connections_from_host", 0},
    [VSOCK_REFUSED] = {"connections_refused", 0},
    [VSOCK_RESETS] = {"resets_sent", 0},
    [VSOCK_BYTES_TO_HOST] = {"bytes_to_host", 0},
    [VSOCK_BYTES_TO_GUEST] = {"bytes_to_guest", 0},
    [VSOCK_STALLS] = {"packets_kept", 0},
    [VSOCK_BAD_PACKETS] = {"bad_packets", 0},
};

static bool set_up(struct vsock *vsock, const struct device_resources *resources, uint64_t cid,
                   struct error *error)
{
    if (strlen(resources->host_socket->path) > MOST_PATH_BYTES)
        return error_set(error, ERROR_USAGE, 0, "uds=%s: its path has more than %zu bytes",
                         resources->host_socket->path, (size_t)MOST_PATH_BYTES);
    vsock->cid = cid;
    vsock->listener = resources->host_socket->fd;
    vsock->address.sun_family = AF_UNIX;
    (void)memcpy(vsock->address.sun_path, resources->host_socket->path,
                 strnlen(resources->host_socket->path, sizeof(vsock->address.sun_path) - 1));
    memcpy(vsock->counters, counters, sizeof(counters));
    vsock->virtio.device.counters = vsock->counters;
    vsock->virtio.device.counter_count = VSOCK_COUNTERS;
    vsock->virtio.config = (const uint8_t *)&vsock->cid;
    vsock->virtio.config_bytes = sizeof(vsock->cid);
    if (!vsock_watch(vsock, error))
        return false;
    vsock->virtio.watch = vsock->epoll;
    return virtio_start(&vsock->virtio, error);
}

static struct device *create_here(const struct device_resources *resources, uint64_t cid,
                                  struct error *error)
{
    struct vsock *vsock = calloc(1, sizeof(*vsock));

    if (!vsock) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the socket device");
        return NULL;
    }
    vsock->epoll = vsock->timer = vsock->listener = VIRTIO_NO_FILE;
    vsock_init_streams(vsock);
    if (virtio_init(&vsock->virtio, &vsock_model, resources, error) &&
        set_up(vsock, resources, cid, error))
        return &vsock->virtio.device;
    virtio_finish(&vsock->virtio);
    vsock_destroy(&vsock->virtio);
    return NULL;
}

/* Streams are sockets of the file system's, or the kernel's. */
static struct device *vsock_create(const struct device_resources *resources, struct error *error)
{
    struct properties properties = {0};

    if (!property_list_read(&resources->properties, rows, &properties, error))
        return NULL;
    if (properties.cid == 0) {
        (void)error_set(error, ERROR_USAGE, 0, "cid=NUMBER is missing, as cid=3");
        return NULL;
    }
    return resources->host_socket ? create_here(resources, properties.cid, error)
                                  : vsock_vhost_create(resources, properties.cid, error);
}

const struct device_class virtio_vsock_class = {
    .name = "virtio-vsock",
    .purpose = "sockets between guest and host (virtio); also --vsock",
    .properties = rows,
    .create = vsock_create,
};
