// SPDX-License-Identifier: Apache-2.0
/*
 * The socket device whose streams the host's kernel serves (/dev/vhost-vsock): programs of the host
 * reach the guest by AF_VSOCK, too. Its event queue belongs to nobody: there are no events to tell.
 */
#include "vsock_vhost.h"

#include <errno.h>
#include <stdlib.h>

#include "virtio_vhost.h"
#include "virtio_vsock.h"

enum { VIRTIO_VSOCK_F_SEQPACKET = 1 /* 5.10.3 */, SERVED_QUEUES = VIRTIO_VSOCK_TX + 1 };

static const uint64_t BACK_END_FEATURES =
    VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
    VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_VSOCK_F_SEQPACKET);

struct vsock_vhost {
    struct virtio virtio;
    struct virtio_vhost events;
    struct vhost vhost;
    uint64_t cid; /* little endian: the configuration space */
    bool runs;
};

static struct vsock_vhost *of(struct virtio *virtio)
{
    return container_of(virtio, struct vsock_vhost, virtio);
}

static bool hand_over(struct vsock_vhost *vsock, struct error *error)
{
    if (!vhost_set_features(&vsock->vhost, vsock->virtio.features, error))
        return false;
    for (uint32_t i = 0; i < SERVED_QUEUES; i++)
        if (!virtio_vhost_give(&vsock->events, &vsock->vhost, i, i, error))
            return false;
    return vhost_vsock_set_running(&vsock->vhost, true, error);
}

/* The kernel serves both queues or none. */
static void vsock_start(struct virtio *virtio)
{
    struct vsock_vhost *vsock = of(virtio);
    struct error error;

    if (!virtio->active[VIRTIO_VSOCK_RX] || !virtio->active[VIRTIO_VSOCK_TX])
        return;
    vsock->runs = true;
    virtio_vhost_begin(&vsock->events);
    if (!hand_over(vsock, &error))
        virtio_vhost_failed(&vsock->events, &error);
}

static void vsock_stop(struct virtio *virtio, uint32_t queue)
{
    struct vsock_vhost *vsock = of(virtio);
    struct error error;

    if (queue >= SERVED_QUEUES || !vsock->runs)
        return;
    vsock->runs = false;
    if (!vhost_vsock_set_running(&vsock->vhost, false, &error))
        virtio_vhost_complain(&vsock->events, &error);
    for (uint32_t i = 0; i < SERVED_QUEUES; i++)
        if (!vhost_take_ring(&vsock->vhost, i, &error))
            virtio_vhost_complain(&vsock->events, &error);
}

static void vsock_serve(struct virtio *virtio)
{
    virtio_vhost_serve(&of(virtio)->events);
}

static void vsock_destroy(struct virtio *virtio)
{
    struct vsock_vhost *vsock = of(virtio);

    vhost_close(&vsock->vhost);
    virtio_vhost_finish(&vsock->events);
    free(vsock);
}

static const struct virtio_model vsock_vhost_model = {
    .name = "virtio-vsock",
    .id = VIRTIO_ID_VSOCK,
    .queue_count = VIRTIO_VSOCK_QUEUES,
    .serve = vsock_serve,
    .start = vsock_start,
    .stop = vsock_stop,
    .destroy = vsock_destroy,
};

static bool set_up(struct vsock_vhost *vsock, uint64_t cid, struct error *error)
{
    struct virtio *virtio = &vsock->virtio;

    if (!vhost_open(&vsock->vhost, VHOST_VSOCK_PATH, error))
        return error_add_context(error, "without uds=PATH");
    if (!vhost_vsock_set_cid(&vsock->vhost, cid, error) ||
        !vhost_set_memory(&vsock->vhost, virtio->memory, error) ||
        !virtio_vhost_init(&vsock->events, virtio, SERVED_QUEUES, error))
        return false;
    vsock->cid = cid;
    virtio->config = (const uint8_t *)&vsock->cid;
    virtio->config_bytes = sizeof(vsock->cid);
    virtio->offered = vsock->vhost.features & BACK_END_FEATURES;
    return virtio_start(virtio, error);
}

struct device *vsock_vhost_create(const struct device_resources *resources, uint64_t cid,
                                  struct error *error)
{
    struct vsock_vhost *vsock = calloc(1, sizeof(*vsock));

    if (!vsock) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the socket device");
        return NULL;
    }
    vsock->vhost = VHOST_CLOSED;
    if (virtio_init(&vsock->virtio, &vsock_vhost_model, resources, error) &&
        set_up(vsock, cid, error))
        return &vsock->virtio.device;
    virtio_finish(&vsock->virtio);
    vsock_destroy(&vsock->virtio);
    return NULL;
}
