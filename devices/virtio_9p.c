// SPDX-License-Identifier: Apache-2.0
/*
 * A shared directory: 9P over virtio (Linux, net/9p/trans_virtio.c; Virtual I/O Device 1.2 gives
 * the device its number and no section). A chain is a request, and room for its answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/log.h"
#include "builtin.h"
#include "p9.h"
#include "p9_server.h"
#include "virtio.h"

enum {
    REQUEST_QUEUE_COUNT = 1,
    MOUNT_TAG = 0, /* feature bit: the configuration has a tag */
    TAG_LENGTH_BYTES = 2,
    TAG_BYTES = 64, /* of the longest tag */
};

static const char DEFAULT_TAG[] = "share";

struct share {
    struct virtio virtio;
    struct p9_server *server;
    uint8_t config[TAG_LENGTH_BYTES + TAG_BYTES]; /* the tag, after its length */
    uint8_t request[P9_MOST_MESSAGE_BYTES];
    uint8_t answer[P9_MOST_MESSAGE_BYTES];
};

/* The guest may change its request meanwhile: what is judged is the copy. */
static uint32_t share_handle(struct virtio *virtio, uint32_t queue,
                             const struct virtqueue_chain *chain)
{
    struct share *share = container_of(virtio, struct share, virtio);
    size_t request_bytes = chain->readable_bytes < sizeof(share->request)
                               ? (size_t)chain->readable_bytes
                               : sizeof(share->request);
    size_t room = chain->writable_bytes < sizeof(share->answer) ? (size_t)chain->writable_bytes
                                                                : sizeof(share->answer);

    (void)queue;
    if (!virtio_copy_from(chain, 0, share->request, request_bytes))
        return 0;
    size_t answer_bytes =
        p9_server_answer(share->server, share->request, request_bytes, share->answer, room);
    return virtio_copy_to(chain, 0, share->answer, answer_bytes) ? (uint32_t)answer_bytes : 0;
}

static void share_destroy(struct virtio *virtio)
{
    struct share *share = container_of(virtio, struct share, virtio);

    p9_server_destroy(share->server);
    free(share);
}

static const struct virtio_model share_model = {
    .name = "virtio-9p",
    .id = VIRTIO_ID_9P,
    .queue_count = REQUEST_QUEUE_COUNT,
    .handle = share_handle,
    .destroy = share_destroy,
};

struct properties {
    const char *path, *tag;
    bool read_only;
};

static const struct property_row rows[] = {
    {"path", PROPERTY_TEXT, offsetof(struct properties, path), 0, 0, "the directory"},
    {"tag", PROPERTY_TEXT, offsetof(struct properties, tag), 0, 0,
     "what the guest mounts it by, up to 64 bytes (default share)"},
    {"ro", PROPERTY_FLAG, offsetof(struct properties, read_only), 0, 0,
     "the guest may only read it"},
    {0},
};

static bool set_tag(struct share *share, const char *tag, struct error *error)
{
    size_t length = strlen(tag);

    if (length == 0 || length > TAG_BYTES)
        return error_set(error, ERROR_USAGE, 0, "tag=%s: must have 1 to %d bytes", tag, TAG_BYTES);
    share->config[0] = (uint8_t)length;
    memcpy(share->config + TAG_LENGTH_BYTES, tag, length);
    share->virtio.config = share->config;
    share->virtio.config_bytes = TAG_LENGTH_BYTES + length;
    share->virtio.offered |= VIRTIO_FEATURE(MOUNT_TAG);
    return true;
}

static bool set_up(struct share *share, const struct device_resources *resources,
                   struct error *error)
{
    struct properties properties = {.tag = DEFAULT_TAG};

    if (!property_list_read(&resources->properties, rows, &properties, error))
        return false;
    if (!properties.path)
        return error_set(error, ERROR_USAGE, 0, "path=DIR is missing");
    if (!set_tag(share, properties.tag, error))
        return false;
    share->server = p9_server_create(properties.path, properties.read_only, error);
    if (!share->server)
        return error_add_context(error, "cannot share '%s'", properties.path);
    share->virtio.device.counters = p9_server_counters(share->server);
    share->virtio.device.counter_count = P9_COUNTERS;
    return virtio_start(&share->virtio, error);
}

static struct device *share_create(const struct device_resources *resources, struct error *error)
{
    struct share *share = calloc(1, sizeof(*share));

    if (!share) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a shared directory");
        return NULL;
    }
    if (virtio_init(&share->virtio, &share_model, resources, error) &&
        set_up(share, resources, error))
        return &share->virtio.device;
    virtio_finish(&share->virtio);
    share_destroy(&share->virtio);
    return NULL;
}

const struct device_class virtio_9p_class = {
    .name = "virtio-9p",
    .purpose = "a directory of the host's (virtio); also --share",
    .properties = rows,
    .create = share_create,
};
