// SPDX-License-Identifier: Apache-2.0
/* The block device (Virtual I/O Device 1.2, 5.2) on an image of the host's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "monotonic_clock.h"
#include "virtio_blk_internal.h"

static struct blk *of(struct virtio *virtio)
{
    return container_of(virtio, struct blk, virtio);
}

/* ---- the worker ---- */

static void reap(struct blk *blk)
{
    struct disk_io *io;

    while ((io = disk_engine_reap(blk->engine, false)))
        blk_io_done(blk, io);
}

/* Whether the next request has to wait; the timer ends that. */
static bool is_limited(struct blk *blk)
{
    if (!rate_limit_is_set(&blk->limit))
        return false;
    uint64_t wait_ns = rate_limit_wait_ns(&blk->limit, 0, monotonic_clock_now_ns());

    if (wait_ns > 0) {
        counter_add(&blk->counters[BLK_LIMITED].value, 1);
        event_timer_arm(&blk->limit_timer, wait_ns);
    }
    return wait_ns > 0;
}

/* Starts the next request of a queue. False: there is none, or it has to wait. */
static bool take(struct blk *blk, uint32_t queue)
{
    struct blk_request *request = blk->unused;

    if (!request || is_limited(blk) || !virtio_take(&blk->virtio, queue, &request->chain))
        return false;
    blk->unused = request->next;
    request->queue = queue;
    counter_add(&blk->counters[BLK_QUEUES + queue].value, 1);
    blk_request_start(blk, request);
    rate_limit_charge(&blk->limit, blk_request_bytes(request));
    return true;
}

static void signal_driver(struct blk *blk)
{
    for (uint32_t i = 0; i < blk->virtio.queue_count; i++)
        if (blk->returned[i]) {
            blk->returned[i] = false;
            virtio_signal(&blk->virtio, i);
        }
}

/* One look at everything. False: there was nothing new, or somebody waits for us to rest. */
static bool pass(struct blk *blk)
{
    struct virtio *virtio = &blk->virtio;
    bool any = false;

    reap(blk);
    for (uint32_t i = 0; i < virtio->queue_count; i++)
        while (virtio->active[i] && !virtio_is_wanted(virtio) && take(blk, i))
            any = true;
    disk_engine_start(blk->engine);
    reap(blk); /* what the host had at hand */
    signal_driver(blk);
    return any && !virtio_is_wanted(virtio);
}

static void set_notify(struct virtio *virtio, bool on)
{
    for (uint32_t i = 0; i < virtio->queue_count; i++)
        if (virtio->active[i])
            virtqueue_set_notify(&virtio->queues[i], on);
}

/* Ends when a look at the rings after notifications were turned on finds nothing. */
static void blk_serve(struct virtio *virtio)
{
    struct blk *blk = of(virtio);

    do {
        set_notify(virtio, false);
        while (pass(blk))
            ;
        set_notify(virtio, true);
    } while (pass(blk));
}

static void blk_settle(struct virtio *virtio)
{
    struct blk *blk = of(virtio);
    struct disk_io *io;

    while (blk->engine && (io = disk_engine_reap(blk->engine, true))) {
        blk_io_done(blk, io);
        disk_engine_start(blk->engine);
    }
    signal_driver(blk);
}

static void limit_passed(struct event_timer *timer)
{
    virtio_ring(&container_of(timer, struct blk, limit_timer)->virtio);
}

/* ---- from create to destroy ---- */

static void blk_destroy(struct virtio *virtio)
{
    struct blk *blk = of(virtio);

    if (blk->has_timer)
        event_timer_finish(&blk->limit_timer);
    disk_engine_destroy(blk->engine);
    disk_image_close(&blk->image);
    free(blk->requests);
    free(blk);
}

static const struct virtio_model blk_model = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .queue_count = 1, /* unless queues= says more */
    .serve = blk_serve,
    .settle = blk_settle,
    .destroy = blk_destroy,
};

struct properties {
    struct disk_image_config image;
    const char *serial;
    uint64_t queue_count;
    const char *engine;
    struct rate_limit_config limit;
};

static const struct property_row rows[] = {
    {"path", PROPERTY_TEXT, offsetof(struct properties, image.path), 0, 0,
     "the image: a raw file or a block device"},
    {"ro", PROPERTY_FLAG, offsetof(struct properties, image.read_only), 0, 0,
     "the guest may only read it"},
    {"serial", PROPERTY_TEXT, offsetof(struct properties, serial), 0, 0,
     "its serial number, up to 20 characters"},
    {"direct", PROPERTY_FLAG, offsetof(struct properties, image.direct), 0, 0,
     "around the host's page cache"},
    {"raw", PROPERTY_FLAG, offsetof(struct properties, image.raw), 0, 0,
     "raw, though its first bytes look like another format"},
    {"queues", PROPERTY_NUMBER, offsetof(struct properties, queue_count), 1, BLK_MOST_QUEUES,
     "request queues (1)"},
    {"io", PROPERTY_TEXT, offsetof(struct properties, engine), 0, 0,
     "auto, uring or threads: how the host does it"},
    RATE_LIMIT_PROPERTY_ROWS(struct properties, limit),
    {0},
};

static void offer(struct blk *blk)
{
    struct virtio *virtio = &blk->virtio;

    virtio->config = (const uint8_t *)&blk->config;
    virtio->config_bytes = VIRTIO_BLK_CONFIG_BYTES;
    if (virtio->queue_count > 1)
        virtio->offered |= VIRTIO_FEATURE(VIRTIO_BLK_F_MQ);
    virtio->offered |= VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX) |
                       VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) |
                       VIRTIO_FEATURE(VIRTIO_BLK_F_TOPOLOGY);
    virtio->offered |= blk->image.read_only ? VIRTIO_FEATURE(VIRTIO_BLK_F_RO)
                                            : VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) |
                                                  VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
}

static uint16_t in_blocks(uint32_t size_bytes, uint32_t block_bytes)
{
    uint32_t blocks = size_bytes / block_bytes;

    return blocks < UINT16_MAX ? (uint16_t)blocks : UINT16_MAX;
}

static void configure(struct blk *blk)
{
    const struct disk_image *image = &blk->image;
    uint32_t physical_blocks = image->physical_block_bytes / image->block_bytes;
    uint8_t exponent = 0;

    while (physical_blocks >> (exponent + 1))
        exponent++;
    blk->config = (struct virtio_blk_config){
        .capacity = image->size_bytes / DISK_SECTOR_BYTES,
        .segment_count_max = VIRTQUEUE_MOST_ENTRIES - 2, /* beside header and status */
        .block_bytes = image->block_bytes,
        .physical_block_exponent = exponent,
        .minimum_io_blocks = in_blocks(image->minimum_io_bytes, image->block_bytes),
        .optimal_io_blocks = image->optimal_io_bytes / image->block_bytes,
        .queue_count = (uint16_t)blk->virtio.queue_count,
        .discard_sectors_max = VIRTIO_BLK_MOST_RANGE_SECTORS,
        .discard_segments_max = VIRTIO_BLK_MOST_RANGES,
        .discard_alignment_sectors = image->physical_block_bytes / DISK_SECTOR_BYTES,
        .zero_sectors_max = VIRTIO_BLK_MOST_RANGE_SECTORS,
        .zero_segments_max = VIRTIO_BLK_MOST_RANGES,
        .zero_may_unmap = 1,
    };
}

/* A request is a step at a time, and a flush is one more. */
static bool create_engine(struct blk *blk, const char *name, struct error *error)
{
    const uint32_t depth = BLK_REQUESTS + 1;
    bool any = strcmp(name, "auto") == 0;

    if (!any && strcmp(name, "uring") != 0 && strcmp(name, "threads") != 0)
        return error_set(error, ERROR_USAGE, 0, "io=%s: must be auto, uring or threads", name);
    if (any && blk->image.in_memory)
        blk->engine = disk_engine_create_at_once(&blk->image, depth, blk->virtio.doorbell, error);
    else if (any || strcmp(name, "uring") == 0)
        blk->engine = disk_engine_create_uring(&blk->image, depth, blk->virtio.doorbell, error);
    if (!blk->engine && any && !blk->image.in_memory)
        log_line(blk->virtio.log, LOG_DEBUG, "disk '%s' is served by threads: %s", blk->image.path,
                 error->message);
    if (!blk->engine && (any || strcmp(name, "threads") == 0))
        blk->engine = disk_engine_create_threads(&blk->image, depth, blk->virtio.doorbell, error);
    return blk->engine || error_add_context(error, "io=%s", name);
}

static bool create_requests(struct blk *blk, struct error *error)
{
    blk->requests = calloc(BLK_REQUESTS, sizeof(*blk->requests));
    if (!blk->requests)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a disk's requests");
    for (size_t i = BLK_REQUESTS; i > 0; i--) { /* those in front are used most */
        blk->requests[i - 1].next = blk->unused;
        blk->unused = &blk->requests[i - 1];
    }
    return true;
}

static bool create_limit(struct blk *blk, const struct rate_limit_config *config,
                         struct event_loop *loop, struct error *error)
{
    if (!rate_limit_init(&blk->limit, config, monotonic_clock_now_ns(), error))
        return false;
    if (rate_limit_is_set(&blk->limit))
        blk->has_timer = event_timer_init(&blk->limit_timer, loop, limit_passed, blk, error);
    return blk->has_timer || !rate_limit_is_set(&blk->limit);
}

static bool set_up(struct blk *blk, const struct device_resources *resources, struct error *error)
{
    struct properties properties = {.serial = "", .queue_count = 1, .engine = "auto"};

    if (!property_list_read(&resources->properties, rows, &properties, error))
        return false;
    if (!properties.image.path)
        return error_set(error, ERROR_USAGE, 0, "path=FILE is missing");
    if (strlen(properties.serial) > sizeof(blk->serial))
        return error_set(error, ERROR_USAGE, 0, "serial=%s: more than %zu characters",
                         properties.serial, sizeof(blk->serial));
    memcpy(blk->serial, properties.serial, strlen(properties.serial));
    blk->virtio.queue_count = (uint32_t)properties.queue_count;
    if (!disk_image_open(&blk->image, &properties.image, error) ||
        !create_engine(blk, properties.engine, error) || !create_requests(blk, error) ||
        !create_limit(blk, &properties.limit, resources->loop, error))
        return false;
    configure(blk);
    offer(blk);
    return virtio_start(&blk->virtio, error);
}

static void name_counters(struct blk *blk)
{
    static const char *const names[BLK_COUNTERS] = {
        [BLK_READS] = "reads",
        [BLK_READ_BYTES] = "read_bytes",
        [BLK_WRITES] = "writes",
        [BLK_WRITTEN_BYTES] = "written_bytes",
        [BLK_FLUSHES] = "flushes",
        [BLK_DISCARDS] = "discards",
        [BLK_ZEROES] = "zeroes",
        [BLK_FAILURES] = "failures",
        [BLK_LIMITED] = "limited",
        [BLK_QUEUES] = "queue0",
        "queue1",
        "queue2",
        "queue3",
        "queue4",
        "queue5",
        "queue6",
        "queue7",
        "queue8",
        "queue9",
        "queue10",
        "queue11",
        "queue12",
        "queue13",
        "queue14",
        "queue15",
    };
    uint32_t queues = blk->virtio.queue_count > 1 ? blk->virtio.queue_count : 0;

    for (size_t i = 0; i < BLK_COUNTERS; i++)
        blk->counters[i].name = names[i];
    blk->virtio.device.counters = blk->counters;
    blk->virtio.device.counter_count = BLK_QUEUES + queues;
}

static struct device *blk_create(const struct device_resources *resources, struct error *error)
{
    struct blk *blk = calloc(1, sizeof(*blk));

    if (!blk) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a disk");
        return NULL;
    }
    blk->image.fd = blk->image.direct_fd = -1;
    if (virtio_init(&blk->virtio, &blk_model, resources, error) && set_up(blk, resources, error)) {
        name_counters(blk);
        return &blk->virtio.device;
    }
    virtio_finish(&blk->virtio);
    blk_destroy(&blk->virtio);
    return NULL;
}

const struct device_class virtio_blk_class = {
    .name = "virtio-blk",
    .purpose = "a disk (virtio); also --disk",
    .properties = rows,
    .create = blk_create,
};
