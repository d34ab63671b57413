// SPDX-License-Identifier: Apache-2.0
/* The registers of a virtio device (Virtual I/O Device 1.2, 2.1, 3.1, 4.2). */
#include "virtio_mmio.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "armlet/device_regions.h"
#include "armlet/fdt_writer.h"
#include "virtio_worker.h"

enum { HALF_BITS = 32 };

static const uint64_t TRANSPORT_FEATURES =
    VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
    VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);

static struct virtio *of(struct device *device)
{
    return container_of(device, struct virtio, device);
}

static void note_bad_access(struct virtio *virtio, enum access_kind kind, uint64_t offset,
                            uint64_t value)
{
    if (!log_limit_pass(&virtio->device.bad_accesses))
        return;
    if (kind == ACCESS_READ)
        log_line(virtio->log, LOG_WARNING, "%s: a read at offset 0x%" PRIx64 " is out of place",
                 virtio->model->name, offset);
    else
        log_line(virtio->log, LOG_WARNING,
                 "%s: a write of 0x%" PRIx64 " at offset 0x%" PRIx64 " is out of place",
                 virtio->model->name, value, offset);
}

/* ---- interrupts ---- */

void virtio_interrupt(struct virtio *virtio, uint32_t causes)
{
    (void)pthread_mutex_lock(&virtio->lock);
    virtio_fast_raise(virtio, causes);
    (void)pthread_mutex_unlock(&virtio->lock);
}

void virtio_notify(struct virtio *virtio)
{
    virtio_interrupt(virtio, VIRTIO_INTERRUPT_USED_BUFFER);
}

int virtio_event_fd(struct virtio *virtio)
{
    (void)pthread_mutex_lock(&virtio->lock);
    int event_fd = virtio_fast_direct(virtio);
    (void)pthread_mutex_unlock(&virtio->lock);
    return event_fd;
}

void virtio_config_changed(struct virtio *virtio)
{
    (void)pthread_mutex_lock(&virtio->lock);
    bool runs = virtio->regs.status & VIRTIO_STATUS_DRIVER_OK;
    virtio->config_generation++;
    virtio_fast_show(virtio);
    (void)pthread_mutex_unlock(&virtio->lock);
    if (runs)
        virtio_interrupt(virtio, VIRTIO_INTERRUPT_CONFIG);
}

static void stop_queue(struct virtio *virtio, uint32_t queue)
{
    if (virtio->active[queue] && virtio->model->stop)
        virtio->model->stop(virtio, queue);
    virtio->active[queue] = false;
}

static void stop_queues(struct virtio *virtio)
{
    for (uint32_t i = 0; i < virtio->queue_count; i++)
        stop_queue(virtio, i);
}

static void ask_for_reset(struct virtio *virtio, const char *what, const char *why)
{
    stop_queues(virtio);
    if (log_limit_pass(&virtio->breaks))
        log_line(virtio->log, LOG_WARNING, "%s: %s: %s", virtio->model->name, what, why);
    (void)pthread_mutex_lock(&virtio->lock);
    virtio->regs.status |= VIRTIO_STATUS_NEEDS_RESET;
    virtio_fast_show(virtio);
    (void)pthread_mutex_unlock(&virtio->lock);
    virtio_interrupt(virtio, VIRTIO_INTERRUPT_CONFIG);
}

void virtio_need_reset(struct virtio *virtio, const char *why)
{
    ask_for_reset(virtio, "the guest's queue is broken", why);
}

void virtio_give_up(struct virtio *virtio, const char *why)
{
    ask_for_reset(virtio, "the device fails until it is reset", why);
}

/* ---- device status; the caller holds `work`, and so the worker rests ---- */

static void reset(struct virtio *virtio)
{
    stop_queues(virtio);
    virtio->features = 0;
    (void)pthread_mutex_lock(&virtio->lock);
    virtio->regs = (struct virtio_registers){0};
    virtio_fast_reset(virtio);
    (void)pthread_mutex_unlock(&virtio->lock);
    if (!virtio->model->reset)
        return;
    virtio->model->reset(virtio);
    (void)pthread_mutex_lock(&virtio->lock);
    virtio_fast_show(virtio); /* the model may have changed its configuration */
    (void)pthread_mutex_unlock(&virtio->lock);
}

static void start_queues(struct virtio *virtio, const struct virtio_registers *regs)
{
    const char *broken = NULL;

    virtio->features = regs->driver_features;
    for (uint32_t i = 0; i < virtio->queue_count; i++) {
        const struct virtio_queue_registers *queue = &regs->queues[i];
        const struct virtqueue_layout layout = {
            .entries = queue->entries,
            .descriptors = GPA(queue->descriptors),
            .driver_area = GPA(queue->driver_area),
            .device_area = GPA(queue->device_area),
            .packed = virtio_has(virtio, VIRTIO_F_RING_PACKED),
            .indirect = virtio_has(virtio, VIRTIO_F_INDIRECT_DESC),
            .event_index = virtio_has(virtio, VIRTIO_F_EVENT_IDX),
        };

        if (!queue->ready)
            continue;
        virtqueue_init(&virtio->queues[i], virtio->memory, &layout);
        virtio->active[i] = true;
        if (virtio->queues[i].broken)
            broken = virtio->queues[i].broken;
    }
    if (broken) /* handed to nobody, so that stop() has nothing to take back */
        memset(virtio->active, 0, sizeof(virtio->active));
    if (broken)
        virtio_need_reset(virtio, broken);
    else if (virtio->model->start)
        virtio->model->start(virtio);
}

/* 3.1.1: FEATURES_OK stays clear if the driver took what isn't offered, or not VERSION_1. */
static bool features_are_good(const struct virtio *virtio, uint64_t features)
{
    return !(features & ~virtio->offered) && features & VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
}

/* Which of the bits that the driver set anew may be. */
static uint32_t allowed_status(const struct virtio *virtio, uint32_t set)
{
    const struct virtio_registers *regs = &virtio->regs;

    set &= VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |
           VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FAILED;
    if (!features_are_good(virtio, regs->driver_features))
        set &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK;
    if (!((regs->status | set) & VIRTIO_STATUS_FEATURES_OK))
        set &= ~(uint32_t)VIRTIO_STATUS_DRIVER_OK;
    return set;
}

/* Bits are only ever added, until all are cleared by a reset. */
static void write_status(struct virtio *virtio, uint32_t value)
{
    virtio_worker_pause(virtio);
    if (value == 0) {
        reset(virtio);
    } else {
        (void)pthread_mutex_lock(&virtio->lock);
        uint32_t set = value & ~virtio->regs.status;
        uint32_t allowed = allowed_status(virtio, set);

        virtio->regs.status |= allowed;
        virtio_fast_show(virtio);
        const struct virtio_registers regs = virtio->regs;
        (void)pthread_mutex_unlock(&virtio->lock);
        if (allowed != set)
            note_bad_access(virtio, ACCESS_WRITE, VIRTIO_MMIO_STATUS, value);
        if (regs.status & VIRTIO_STATUS_FAILED)
            stop_queues(virtio);
        else if (allowed & VIRTIO_STATUS_DRIVER_OK)
            start_queues(virtio, &regs);
    }
    virtio_worker_resume(virtio);
}

/* ---- queues ---- */

/* NULL: QueueSel names none. The caller holds `lock`. */
static struct virtio_queue_registers *selected(struct virtio *virtio)
{
    return virtio->regs.queue_select < virtio->queue_count
               ? &virtio->regs.queues[virtio->regs.queue_select]
               : NULL;
}

/* A queue is made ready before the device runs, and can be stopped at any time (4.2.3.2). */
static bool write_queue_ready(struct virtio *virtio, uint32_t value)
{
    bool good = false;
    bool stopped = false;

    virtio_worker_pause(virtio);
    (void)pthread_mutex_lock(&virtio->lock);
    struct virtio_queue_registers *queue = selected(virtio);
    if (queue && (value == 0 || !(virtio->regs.status & VIRTIO_STATUS_DRIVER_OK))) {
        queue->ready = value & 1;
        good = true;
        stopped = !queue->ready;
        virtio_fast_show(virtio);
    }
    uint32_t index = virtio->regs.queue_select;
    (void)pthread_mutex_unlock(&virtio->lock);
    if (stopped)
        stop_queue(virtio, index);
    virtio_worker_resume(virtio);
    return good;
}

static void set_half(uint64_t *number, bool high, uint32_t value)
{
    unsigned shift = high ? HALF_BITS : 0;

    *number = (*number & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* Where a ready queue is can't be changed. The caller holds `lock`. */
static bool write_queue(struct virtio *virtio, uint64_t offset, uint32_t value)
{
    struct virtio_queue_registers *queue = selected(virtio);
    bool high = offset & sizeof(uint32_t);

    if (!queue || queue->ready)
        return false;
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NUM:
        queue->entries = value;
        return true;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        set_half(&queue->descriptors, high, value);
        return true;
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
        set_half(&queue->driver_area, high, value);
        return true;
    case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
    case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
        set_half(&queue->device_area, high, value);
        return true;
    default:
        return false;
    }
}

/* ---- accesses ---- */

static bool write_driver_features(struct virtio_registers *regs, uint32_t value)
{
    /* Bits from 64 on are of no feature there is. */
    if (regs->status & VIRTIO_STATUS_FEATURES_OK ||
        (regs->driver_features_select > 1 && value != 0))
        return false;
    if (regs->driver_features_select <= 1)
        set_half(&regs->driver_features, regs->driver_features_select, value);
    return true;
}

static bool write_register(struct virtio *virtio, uint64_t offset, uint32_t value)
{
    struct virtio_registers *regs = &virtio->regs;

    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        regs->device_features_select = value;
        return true;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        regs->driver_features_select = value;
        return true;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        return write_driver_features(regs, value);
    case VIRTIO_MMIO_QUEUE_SEL:
        regs->queue_select = value;
        return true;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        virtio_fast_acknowledge(virtio, value);
        return true;
    case VIRTIO_MMIO_SHM_SEL: /* there are no regions to select */
        return true;
    default:
        return write_queue(virtio, offset, value);
    }
}

static bool write_config(struct virtio *virtio, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    bool good = virtio->model->write_config && offset % (uint64_t)width == 0;

    (void)pthread_mutex_lock(&virtio->lock);
    for (unsigned i = 0; good && i < (unsigned)width; i++)
        good = virtio->model->write_config(virtio, offset + i, (uint8_t)(value >> (8 * i)));
    virtio_fast_show(virtio);
    (void)pthread_mutex_unlock(&virtio->lock);
    return good;
}

static int doorbell_of(const struct virtio *virtio, uint32_t queue)
{
    return virtio->kicks[queue] != VIRTIO_NO_FILE ? virtio->kicks[queue] : virtio->doorbell;
}

static void virtio_write(struct device *device, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    struct virtio *virtio = of(device);
    uint32_t word = (uint32_t)value;
    bool good = false;

    if (offset >= VIRTIO_MMIO_CONFIG) {
        good = write_config(virtio, offset - VIRTIO_MMIO_CONFIG, width, value);
    } else if (width == ACCESS_32_BIT && offset == VIRTIO_MMIO_QUEUE_NOTIFY) {
        good = word < virtio->queue_count;
        if (good)
            virtio_signal_file(doorbell_of(virtio, word));
    } else if (width == ACCESS_32_BIT && offset == VIRTIO_MMIO_STATUS) {
        write_status(virtio, word);
        good = true;
    } else if (width == ACCESS_32_BIT && offset == VIRTIO_MMIO_QUEUE_READY) {
        good = write_queue_ready(virtio, word);
    } else if (width == ACCESS_32_BIT) {
        (void)pthread_mutex_lock(&virtio->lock);
        good = write_register(virtio, offset, word);
        virtio_fast_show(virtio);
        (void)pthread_mutex_unlock(&virtio->lock);
    }
    if (!good)
        note_bad_access(virtio, ACCESS_WRITE, offset, value);
}

/*
 * Any width, if aligned (4.2.2.2); beyond its end it is zero. The device's thread may change it
 * meanwhile: drivers look at the generation.
 */
static uint64_t read_config(const struct virtio *virtio, uint64_t offset, enum access_width width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < (unsigned)width && offset + i < virtio->config_bytes; i++)
        value |= (uint64_t)__atomic_load_n(&virtio->config[offset + i], __ATOMIC_RELAXED)
                 << (8 * i);
    return value;
}

static uint32_t offered_half(const struct virtio *virtio)
{
    uint32_t select = virtio->regs.device_features_select;

    return select > 1 ? 0 : (uint32_t)(virtio->offered >> (select * HALF_BITS));
}

bool virtio_read_register(struct virtio *virtio, uint64_t offset, uint32_t *value)
{
    const struct virtio_queue_registers *queue = selected(virtio);

    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        *value = VIRTIO_MMIO_MAGIC;
        return true;
    case VIRTIO_MMIO_VERSION:
        *value = VIRTIO_MMIO_MODERN;
        return true;
    case VIRTIO_MMIO_DEVICE_ID:
        *value = virtio->model->id;
        return true;
    case VIRTIO_MMIO_VENDOR_ID:
        *value = VIRTIO_VENDOR;
        return true;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        *value = offered_half(virtio);
        return true;
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        *value = queue ? VIRTQUEUE_MOST_ENTRIES : 0;
        return true;
    case VIRTIO_MMIO_QUEUE_READY:
        *value = queue && queue->ready;
        return true;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        *value = virtio->regs.interrupt_status;
        return true;
    case VIRTIO_MMIO_STATUS:
        *value = virtio->regs.status;
        return true;
    case VIRTIO_MMIO_SHM_LEN_LOW: /* a region that isn't there has this length and base */
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH:
        *value = UINT32_MAX;
        return true;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        *value = virtio->config_generation;
        return true;
    case VIRTIO_MMIO_QUEUE_RESET: /* not offered */
        *value = 0;
        return true;
    default:
        return false;
    }
}

static uint64_t virtio_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct virtio *virtio = of(device);
    uint32_t value = 0;
    bool good = false;

    if (offset >= VIRTIO_MMIO_CONFIG && offset % (uint64_t)width == 0)
        return read_config(virtio, offset - VIRTIO_MMIO_CONFIG, width);
    if (width == ACCESS_32_BIT) {
        (void)pthread_mutex_lock(&virtio->lock);
        good = virtio_read_register(virtio, offset, &value);
        if (offset == VIRTIO_MMIO_INTERRUPT_STATUS)
            virtio_fast_note_status_read(virtio);
        (void)pthread_mutex_unlock(&virtio->lock);
    }
    if (!good)
        note_bad_access(virtio, ACCESS_READ, offset, 0);
    return value;
}

/* ---- from create to destroy ---- */

static void virtio_reset(struct device *device)
{
    virtio_worker_pause(of(device));
    reset(of(device));
    virtio_worker_resume(of(device));
}

static void virtio_describe(struct device *device, struct fdt_writer *writer,
                            const struct device_place *place)
{
    fdt_begin_node_at(writer, "virtio_mmio", place->base.value);
    fdt_prop_string(writer, "compatible", "virtio,mmio");
    fdt_prop_reg(writer, place->base, device->size_bytes);
    fdt_prop_spi(writer, place->spi, FDT_IRQ_EDGE_RISING);
    fdt_prop_empty(writer, "dma-coherent");
    fdt_end_node(writer);
}

static void virtio_destroy(struct device *device)
{
    struct virtio *virtio = of(device);

    virtio_finish(virtio);
    virtio->model->destroy(virtio);
}

static const struct device_ops virtio_ops = {
    .read = virtio_read,
    .write = virtio_write,
    .reset = virtio_reset,
    .describe = virtio_describe,
    .destroy = virtio_destroy,
};

bool virtio_init(struct virtio *virtio, const struct virtio_model *model,
                 const struct device_resources *resources, struct error *error)
{
    assert(resources->irq && resources->memory && resources->log);
    virtio->device =
        (struct device){.ops = &virtio_ops, .name = model->name, .size_bytes = VIRTIO_MMIO_BYTES};
    virtio->model = model;
    virtio->queue_count = model->queue_count;
    virtio->watch = VIRTIO_NO_FILE;
    virtio->memory = resources->memory;
    virtio->irq = resources->irq;
    virtio->log = resources->log;
    virtio->offered = TRANSPORT_FEATURES;
    virtio->regions = resources->regions;
    for (uint32_t i = 0; i < VIRTIO_MOST_QUEUES; i++)
        virtio->kicks[i] = VIRTIO_NO_FILE;
    (void)pthread_mutex_init(&virtio->work, NULL); /* cannot fail with default attributes */
    (void)pthread_mutex_init(&virtio->lock, NULL);
    virtio->doorbell = eventfd(0, EFD_CLOEXEC);
    if (virtio->doorbell < 0)
        return error_set(error, ERROR_HOST, errno, "eventfd failed");
    virtio_fast_init(virtio);
    return true;
}

/* One for all queues, unless some of them have their own. */
static void add_doorbells(struct virtio *virtio)
{
    bool has_kicks = false;

    for (uint32_t i = 0; i < virtio->queue_count; i++)
        has_kicks |= virtio->kicks[i] != VIRTIO_NO_FILE;
    if (!has_kicks)
        device_regions_add_doorbell(virtio->regions, VIRTIO_MMIO_QUEUE_NOTIFY, ACCESS_32_BIT,
                                    virtio->doorbell);
    for (uint32_t i = 0; has_kicks && i < virtio->queue_count; i++)
        device_regions_add_doorbell_of(virtio->regions, VIRTIO_MMIO_QUEUE_NOTIFY, ACCESS_32_BIT, i,
                                       doorbell_of(virtio, i));
}

bool virtio_start(struct virtio *virtio, struct error *error)
{
    assert(virtio->queue_count <= VIRTIO_MOST_QUEUES);
    add_doorbells(virtio);
    virtio_fast_show(virtio);
    return virtio_worker_start(virtio, error);
}

void virtio_finish(struct virtio *virtio)
{
    virtio_worker_stop(virtio);
    if (virtio->doorbell != VIRTIO_NO_FILE)
        (void)close(virtio->doorbell);
    virtio->doorbell = VIRTIO_NO_FILE;
    (void)pthread_mutex_destroy(&virtio->lock);
    (void)pthread_mutex_destroy(&virtio->work);
}
