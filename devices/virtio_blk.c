// SPDX-License-Identifier: Apache-2.0
/* The block device (Virtual I/O Device 1.2, 5.2) on an image of the host's. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/log.h"
#include "builtin.h"
#include "disk_image.h"
#include "virtio.h"
#include "virtio_blk.h"

_Static_assert((int)DISK_MOST_SEGMENTS >= (int)VIRTQUEUE_MOST_ENTRIES, "a chain fits");

enum { REQUEST_QUEUE_COUNT = 1 };

struct blk {
    struct virtio virtio;
    struct disk_image image;
    struct virtio_blk_config config;
    uint8_t serial[VIRTIO_BLK_ID_BYTES];
    struct iovec data[VIRTQUEUE_MOST_ENTRIES]; /* of the request under way */
    struct log_limit failures;
};

/* ---- one request; the worker ---- */

/* Tells the operator what the guest is told as an I/O error. */
static enum virtio_blk_status judge(struct blk *blk, int code, const char *what, uint64_t offset)
{
    if (code == 0)
        return VIRTIO_BLK_S_OK;
    if (log_limit_pass(&blk->failures))
        log_line(blk->virtio.log, LOG_WARNING, "disk '%s': %s at 0x%" PRIx64 " failed: %s",
                 blk->image.path, what, offset, strerror(code));
    return VIRTIO_BLK_S_IOERR;
}

/* The part of some segments that is data: `size_bytes` from `skip` on. Returns their count. */
static size_t slice(struct iovec *data, const struct iovec *segments, uint64_t skip,
                    uint64_t size_bytes)
{
    size_t count = 0;

    for (; size_bytes > 0; segments++) {
        if (skip >= segments->iov_len) {
            skip -= segments->iov_len;
            continue;
        }
        uint64_t left = segments->iov_len - skip;
        size_t part = (size_t)(size_bytes < left ? size_bytes : left);

        data[count++] = (struct iovec){(uint8_t *)segments->iov_base + skip, part};
        size_bytes -= part;
        skip = 0;
    }
    return count;
}

static bool is_on_disk(const struct blk *blk, uint64_t sector, uint64_t size_bytes)
{
    uint64_t capacity = blk->config.capacity;

    return size_bytes % DISK_SECTOR_BYTES == 0 && sector <= capacity &&
           size_bytes / DISK_SECTOR_BYTES <= capacity - sector;
}

static enum virtio_blk_status do_read(struct blk *blk, const struct virtqueue_chain *chain,
                                      uint64_t sector, uint32_t *written_bytes)
{
    uint64_t size_bytes = chain->writable_bytes - VIRTIO_BLK_STATUS_BYTES;
    uint64_t offset = sector * DISK_SECTOR_BYTES;

    if (!is_on_disk(blk, sector, size_bytes))
        return VIRTIO_BLK_S_IOERR;
    size_t count = slice(blk->data, &chain->segments[chain->readable_count], 0, size_bytes);
    int code = disk_image_read(&blk->image, offset, blk->data, count);

    *written_bytes = code == 0 ? (uint32_t)size_bytes : 0;
    return judge(blk, code, "reading", offset);
}

static enum virtio_blk_status do_flush(struct blk *blk)
{
    return judge(blk, disk_image_flush(&blk->image), "flushing", 0);
}

/* A driver that can't flush expects what is written to be on the disk (5.2.5). */
static enum virtio_blk_status settle(struct blk *blk, enum virtio_blk_status status)
{
    return status == VIRTIO_BLK_S_OK && !virtio_has(&blk->virtio, VIRTIO_BLK_F_FLUSH)
               ? do_flush(blk)
               : status;
}

static enum virtio_blk_status do_write(struct blk *blk, const struct virtqueue_chain *chain,
                                       uint64_t sector)
{
    uint64_t size_bytes = chain->readable_bytes - sizeof(struct virtio_blk_header);
    uint64_t offset = sector * DISK_SECTOR_BYTES;

    if (blk->image.read_only || !is_on_disk(blk, sector, size_bytes))
        return VIRTIO_BLK_S_IOERR;
    size_t count = slice(blk->data, chain->segments, sizeof(struct virtio_blk_header), size_bytes);
    int code = disk_image_write(&blk->image, offset, blk->data, count);

    return settle(blk, judge(blk, code, "writing", offset));
}

static enum virtio_blk_status do_range(struct blk *blk, const struct virtio_blk_range *range,
                                       bool zero)
{
    uint64_t offset = range->sector * DISK_SECTOR_BYTES;
    uint64_t size_bytes = (uint64_t)range->sector_count * DISK_SECTOR_BYTES;
    bool unmap = range->flags & VIRTIO_BLK_RANGE_UNMAP;

    if (range->flags & ~(zero ? VIRTIO_BLK_RANGE_UNMAP : 0U))
        return VIRTIO_BLK_S_UNSUPP;
    if (range->sector_count > VIRTIO_BLK_MOST_RANGE_SECTORS ||
        !is_on_disk(blk, range->sector, size_bytes))
        return VIRTIO_BLK_S_IOERR;
    if (size_bytes == 0)
        return VIRTIO_BLK_S_OK;
    if (zero)
        return judge(blk, disk_image_write_zeroes(&blk->image, offset, size_bytes, unmap),
                     "writing zeroes", offset);
    return judge(blk, disk_image_discard(&blk->image, offset, size_bytes), "discarding", offset);
}

static enum virtio_blk_status do_ranges(struct blk *blk, const struct virtqueue_chain *chain,
                                        bool zero)
{
    uint64_t size_bytes = chain->readable_bytes - sizeof(struct virtio_blk_header);
    uint64_t count = size_bytes / sizeof(struct virtio_blk_range);
    enum virtio_blk_status status = VIRTIO_BLK_S_OK;

    if (blk->image.read_only || size_bytes % sizeof(struct virtio_blk_range) || count == 0 ||
        count > VIRTIO_BLK_MOST_RANGES)
        return VIRTIO_BLK_S_IOERR;
    for (uint64_t i = 0; i < count && status == VIRTIO_BLK_S_OK; i++) {
        struct virtio_blk_range range = {0};

        (void)!virtio_copy_from(chain, sizeof(struct virtio_blk_header) + i * sizeof(range), &range,
                                sizeof(range));
        status = do_range(blk, &range, zero);
    }
    return zero ? settle(blk, status) : status;
}

static enum virtio_blk_status do_get_id(const struct blk *blk, const struct virtqueue_chain *chain,
                                        uint32_t *written_bytes)
{
    uint64_t room = chain->writable_bytes - VIRTIO_BLK_STATUS_BYTES;

    if (room < sizeof(blk->serial) || !virtio_copy_to(chain, 0, blk->serial, sizeof(blk->serial)))
        return VIRTIO_BLK_S_IOERR;
    *written_bytes = sizeof(blk->serial);
    return VIRTIO_BLK_S_OK;
}

static enum virtio_blk_status do_request(struct blk *blk, const struct virtqueue_chain *chain,
                                         const struct virtio_blk_header *header,
                                         uint32_t *written_bytes)
{
    switch (header->type) {
    case VIRTIO_BLK_T_IN:
        return do_read(blk, chain, header->sector, written_bytes);
    case VIRTIO_BLK_T_OUT:
        return do_write(blk, chain, header->sector);
    case VIRTIO_BLK_T_FLUSH:
        return do_flush(blk);
    case VIRTIO_BLK_T_GET_ID:
        return do_get_id(blk, chain, written_bytes);
    case VIRTIO_BLK_T_DISCARD:
        return do_ranges(blk, chain, false);
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return do_ranges(blk, chain, true);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

/* Where header, data and status are cut into segments is the driver's affair (2.7.4). */
static uint32_t blk_handle(struct virtio *virtio, uint32_t queue,
                           const struct virtqueue_chain *chain)
{
    struct blk *blk = container_of(virtio, struct blk, virtio);
    struct virtio_blk_header header;
    uint32_t written_bytes = 0;

    (void)queue;
    /* Without room for a status there is no way to answer. */
    if (chain->writable_bytes < VIRTIO_BLK_STATUS_BYTES)
        return 0;
    uint8_t status = VIRTIO_BLK_S_IOERR;
    if (virtio_copy_from(chain, 0, &header, sizeof(header)))
        status = (uint8_t)do_request(blk, chain, &header, &written_bytes);
    (void)!virtio_copy_to(chain, chain->writable_bytes - VIRTIO_BLK_STATUS_BYTES, &status,
                          sizeof(status));
    return written_bytes + VIRTIO_BLK_STATUS_BYTES;
}

/* ---- from create to destroy ---- */

static void blk_destroy(struct virtio *virtio)
{
    struct blk *blk = container_of(virtio, struct blk, virtio);

    disk_image_close(&blk->image);
    free(blk);
}

static const struct virtio_model blk_model = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .queue_count = REQUEST_QUEUE_COUNT,
    .handle = blk_handle,
    .destroy = blk_destroy,
};

struct properties {
    struct disk_image_config image;
    const char *serial;
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
    {0},
};

static void offer(struct blk *blk)
{
    struct virtio *virtio = &blk->virtio;

    virtio->config = (const uint8_t *)&blk->config;
    virtio->config_bytes = VIRTIO_BLK_CONFIG_BYTES;
    virtio->offered |= VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX) |
                       VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) |
                       VIRTIO_FEATURE(VIRTIO_BLK_F_TOPOLOGY);
    virtio->offered |= blk->image.read_only ? VIRTIO_FEATURE(VIRTIO_BLK_F_RO)
                                            : VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) |
                                                  VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
}

static void configure(struct blk *blk)
{
    uint32_t block_bytes = blk->image.block_bytes;
    uint32_t physical_blocks = blk->image.physical_block_bytes / block_bytes;
    uint8_t exponent = 0;

    while (physical_blocks >> (exponent + 1))
        exponent++;
    blk->config = (struct virtio_blk_config){
        .capacity = blk->image.size_bytes / DISK_SECTOR_BYTES,
        .segment_count_max = VIRTQUEUE_MOST_ENTRIES - 2, /* beside header and status */
        .block_bytes = block_bytes,
        .physical_block_exponent = exponent,
        .minimum_io_blocks = (uint16_t)(1U << exponent),
        .discard_sectors_max = VIRTIO_BLK_MOST_RANGE_SECTORS,
        .discard_segments_max = VIRTIO_BLK_MOST_RANGES,
        .discard_alignment_sectors = blk->image.physical_block_bytes / DISK_SECTOR_BYTES,
        .zero_sectors_max = VIRTIO_BLK_MOST_RANGE_SECTORS,
        .zero_segments_max = VIRTIO_BLK_MOST_RANGES,
        .zero_may_unmap = 1,
    };
}

static bool set_up(struct blk *blk, const struct device_resources *resources, struct error *error)
{
    struct properties properties = {.serial = ""};

    if (!property_list_read(&resources->properties, rows, &properties, error))
        return false;
    if (!properties.image.path)
        return error_set(error, ERROR_USAGE, 0, "path=FILE is missing");
    if (strlen(properties.serial) > sizeof(blk->serial))
        return error_set(error, ERROR_USAGE, 0, "serial=%s: more than %zu characters",
                         properties.serial, sizeof(blk->serial));
    memcpy(blk->serial, properties.serial, strlen(properties.serial));
    if (!disk_image_open(&blk->image, &properties.image, error))
        return false;
    configure(blk);
    offer(blk);
    return virtio_start(&blk->virtio, error);
}

static struct device *blk_create(const struct device_resources *resources, struct error *error)
{
    struct blk *blk = calloc(1, sizeof(*blk));

    if (!blk) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a disk");
        return NULL;
    }
    blk->image.fd = blk->image.direct_fd = -1;
    if (virtio_init(&blk->virtio, &blk_model, resources, error) && set_up(blk, resources, error))
        return &blk->virtio.device;
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
