// SPDX-License-Identifier: Apache-2.0
/*
 * The file system device (Virtual I/O Device 1.2, 5.11): virtiofsd serves its queues.
 *
 * When that process dies, the worker answers each request with an error, those that it left behind
 * too: Linux's driver waits for answers, and for nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "builtin.h"
#include "virtio_vhost.h"
#include "virtiofsd.h"

enum { TAG_BYTES = 36 };

/* 5.11.2: one that doesn't wait for others (forget), and one for requests. */
enum { HIGH_PRIORITY, REQUESTS, QUEUES };
enum { ALL_QUEUES = 1U << HIGH_PRIORITY | 1U << REQUESTS };

/* 5.11.4 */
struct virtio_fs_config {
    char tag[TAG_BYTES]; /* padded with zeros */
    uint32_t request_queue_count;
};

/* What a request begins with, and an answer (Linux, fuse.h). */
struct fuse_in {
    uint32_t size_bytes, opcode;
    uint64_t unique;
};
struct fuse_out {
    uint32_t size_bytes;
    int32_t error;
    uint64_t unique;
};

static const uint64_t BACK_END_FEATURES = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) |
                                          VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
                                          VIRTIO_FEATURE(VIRTIO_F_VERSION_1);

static const char DEFAULT_TAG[] = "share";

struct fs {
    struct virtio virtio;
    struct virtio_vhost events;
    struct virtiofsd process;
    struct virtio_fs_config config;
    int memory_fd;
    bool given[QUEUES];
    bool dead; /* the process is */
};

static struct fs *of(struct virtio *virtio)
{
    return container_of(virtio, struct fs, virtio);
}

/* ---- without virtiofsd ---- */

/* Requests that get no answer have no room for one. */
static uint32_t refuse(const struct virtqueue_chain *chain)
{
    struct fuse_in in;

    if (!virtio_copy_from(chain, 0, &in, sizeof(in)))
        return 0;
    const struct fuse_out out = {sizeof(out), -ENOTCONN, in.unique};
    return virtio_copy_to(chain, 0, &out, sizeof(out)) ? sizeof(out) : 0;
}

static bool refuse_some(struct virtio *virtio, uint32_t queue)
{
    bool any = false;

    while (virtio->active[queue] && !virtio_is_wanted(virtio) &&
           virtio_take(virtio, queue, &virtio->chain)) {
        virtio_return(virtio, queue, &virtio->chain, refuse(&virtio->chain));
        any = true;
    }
    return any;
}

/* Notifications are as virtiofsd left them; and what the driver was told of isn't known. */
static void refuse_all(struct fs *fs)
{
    struct virtio *virtio = &fs->virtio;
    bool any = false;

    for (uint32_t i = 0; i < QUEUES; i++) {
        bool more = virtio->active[i];

        while (more) {
            any |= refuse_some(virtio, i);
            if (virtio->active[i])
                virtqueue_set_notify(&virtio->queues[i], true);
            more = refuse_some(virtio, i);
            any |= more;
        }
    }
    if (any)
        virtio_vhost_interrupt(&fs->events);
}

/* It answers in order: what it has taken and not answered is the first that we find. */
static void take_over(struct fs *fs, const char *why)
{
    struct virtio *virtio = &fs->virtio;
    struct error error;

    fs->dead = true;
    log_line(virtio->log, LOG_WARNING,
             "share '%.*s': virtiofsd is gone (%s): what the guest does there fails", TAG_BYTES,
             fs->config.tag, why);
    virtio_vhost_unwatch(&fs->events, fs->process.socket);
    virtio_vhost_unwatch(&fs->events, fs->process.messages);
    for (uint32_t i = 0; i < QUEUES; i++) {
        fs->given[i] = false;
        if (virtio->active[i])
            virtqueue_resume(&virtio->queues[i]);
    }
    if (!virtio_vhost_keep(&fs->events, ALL_QUEUES, &error))
        virtio_vhost_failed(&fs->events, &error);
    virtio_vhost_interrupt(&fs->events);
}

/* ---- with it ---- */

static bool hand_over(struct fs *fs, struct error *error)
{
    struct vhost_user *back_end = &fs->process.back_end;
    struct virtio *virtio = &fs->virtio;

    if (!vhost_user_set_features(back_end, virtio->features, error) ||
        !vhost_user_set_memory(back_end, virtio->memory, fs->memory_fd, error))
        return false;
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct vhost_ring ring = virtio_vhost_ring(&fs->events, i, i);

        if (virtio->active[i] && !vhost_user_give_ring(back_end, &ring, error))
            return false;
        fs->given[i] = virtio->active[i];
    }
    return true;
}

static void fs_start(struct virtio *virtio)
{
    struct fs *fs = of(virtio);
    struct error error;

    virtio_vhost_begin(&fs->events);
    if (!fs->dead && !hand_over(fs, &error))
        take_over(fs, error.message);
}

static void fs_stop(struct virtio *virtio, uint32_t queue)
{
    struct fs *fs = of(virtio);
    struct error error;

    if (!fs->given[queue])
        return;
    fs->given[queue] = false;
    if (!vhost_user_take_ring(&fs->process.back_end, queue, &error))
        take_over(fs, error.message);
}

/* It says nothing unasked: what there is to read is the end. */
static bool has_ended(const struct fs *fs)
{
    char byte;
    ssize_t got = recv(fs->process.socket, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

    return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

static void fs_serve(struct virtio *virtio)
{
    struct fs *fs = of(virtio);

    virtio_vhost_serve(&fs->events);
    if (!fs->dead) {
        virtiofsd_listen(&fs->process, virtio->log);
        if (has_ended(fs))
            take_over(fs, fs->process.last_words[0] ? fs->process.last_words : "it said nothing");
    }
    if (fs->dead)
        refuse_all(fs);
}

/* ---- from create to destroy ---- */

static void fs_destroy(struct virtio *virtio)
{
    struct fs *fs = of(virtio);

    virtiofsd_stop(&fs->process);
    virtio_vhost_finish(&fs->events);
    free(fs);
}

static const struct virtio_model fs_model = {
    .name = "virtio-fs",
    .id = VIRTIO_ID_FS,
    .queue_count = QUEUES,
    .serve = fs_serve,
    .start = fs_start,
    .stop = fs_stop,
    .destroy = fs_destroy,
};

struct properties {
    const char *path;
    const char *tag;
};

static const struct property_row rows[] = {
    {"path", PROPERTY_TEXT, offsetof(struct properties, path), 0, 0, "the directory on the host"},
    {"tag", PROPERTY_TEXT, offsetof(struct properties, tag), 0, 0,
     "the name that the guest mounts it by (share)"},
    {0},
};

static bool judge(const struct properties *properties, const struct device_resources *resources,
                  struct error *error)
{
    size_t length = strlen(properties->tag);

    if (!properties->path)
        return error_set(error, ERROR_USAGE, 0, "path=DIR is missing");
    if (length == 0 || length > TAG_BYTES)
        return error_set(error, ERROR_USAGE, 0, "tag=%s: must have 1 to %d bytes", properties->tag,
                         TAG_BYTES);
    return resources->shared_memory ||
           error_set(error, ERROR_USAGE, 0,
                     "virtiofsd can't have part in memory of --memory-backing hugetlb: use "
                     "another kind, or via=9p");
}

static bool set_up(struct fs *fs, const struct device_resources *resources, struct error *error)
{
    struct properties properties = {.tag = DEFAULT_TAG};
    struct virtio *virtio = &fs->virtio;

    if (!property_list_read(&resources->properties, rows, &properties, error) ||
        !judge(&properties, resources, error))
        return false;
    if (!virtiofsd_start(&fs->process, properties.path, error))
        return error_add_context(error, "cannot share '%s'", properties.path);
    fs->memory_fd = *resources->shared_memory;
    memcpy(fs->config.tag, properties.tag, strlen(properties.tag));
    fs->config.request_queue_count = 1;
    virtio->config = (const uint8_t *)&fs->config;
    virtio->config_bytes = sizeof(fs->config);
    virtio->offered = fs->process.back_end.features & BACK_END_FEATURES;
    return virtio_vhost_init(&fs->events, virtio, QUEUES, error) &&
           virtio_vhost_watch(&fs->events, fs->process.socket, error) &&
           virtio_vhost_watch(&fs->events, fs->process.messages, error) &&
           virtio_start(virtio, error);
}

static struct device *fs_create(const struct device_resources *resources, struct error *error)
{
    struct fs *fs = calloc(1, sizeof(*fs));

    if (!fs) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a shared directory");
        return NULL;
    }
    if (virtio_init(&fs->virtio, &fs_model, resources, error) && set_up(fs, resources, error))
        return &fs->virtio.device;
    virtio_finish(&fs->virtio);
    fs_destroy(&fs->virtio);
    return NULL;
}

const struct device_class virtio_fs_class = {
    .name = "virtio-fs",
    .purpose = "a directory of the host's by virtiofsd (virtio); also --share",
    .properties = rows,
    .create = fs_create,
};
