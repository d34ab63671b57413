// SPDX-License-Identifier: Apache-2.0
/*
 * The contract between virtio's transport and the models of devices (Virtual I/O Device 1.2).
 *
 * A model embeds a struct virtio as its first member, and says what it is in a struct
 * virtio_model: which device, which features it offers, what its configuration space reads as, and
 * how it handles one request. The transport (virtio_mmio.c) has the registers, the negotiation, the
 * queues and a thread of the device's own: the worker. A doorbell wakes it; no vCPU does a model's
 * work.
 *
 * The transport itself offers VERSION_1, which drivers have to take (there is no legacy interface),
 * RING_PACKED, INDIRECT_DESC and EVENT_IDX.
 *
 * A model whose requests take long brings serve() and settle() instead of handle(), and has several
 * under way.
 *
 * Threads: handle() and serve() run on the worker; handle() may sleep. A driver that resets the
 * device or stops a queue waits for the requests under way, on its vCPU, where settle() runs then.
 * No lock of the transport's but `work` is held during all three.
 */
#ifndef DEVICES_VIRTIO_H
#define DEVICES_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "armlet/device.h"
#include "virtio_fast.h"
#include "virtqueue.h"

enum virtio_device_id {
    VIRTIO_ID_NET = 1,
    VIRTIO_ID_BLOCK = 2,
    VIRTIO_ID_CONSOLE = 3,
    VIRTIO_ID_ENTROPY = 4,
    VIRTIO_ID_BALLOON = 5,
    VIRTIO_ID_9P = 9,
    VIRTIO_ID_VSOCK = 19,
    VIRTIO_ID_FS = 26,
}; /* 5 */

enum { VIRTIO_NO_FILE = -1 };

enum { VIRTIO_MOST_QUEUES = 32 };

#define VIRTIO_FEATURE(bit) (UINT64_C(1) << (bit))

/* 6, reserved feature bits */
enum virtio_feature {
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_RING_PACKED = 34,
};

struct virtio;

struct virtio_model {
    const char *name; /* of the class */
    enum virtio_device_id id;
    uint32_t queue_count; /* at most VIRTIO_MOST_QUEUES; see there in struct virtio */
    /*
     * Does what the chain asks for and says how many bytes of its writable part it wrote, which is
     * what the driver is told. Every byte of the chain is the guest's and may change meanwhile.
     */
    uint32_t (*handle)(struct virtio *virtio, uint32_t queue, const struct virtqueue_chain *chain);
    /*
     * Instead of handle(): serves all active queues, with the functions below, each time that the
     * doorbell was rung, which the model may do, too. Doesn't sleep, and ends when
     * virtio_is_wanted(); it is called again then.
     */
    void (*serve)(struct virtio *virtio);
    /* With serve(): waits until nothing is under way, and gives all of it back. */
    void (*settle)(struct virtio *virtio);
    /*
     * For models whose queues a back end serves (virtio_vhost.h): the driver runs, and the active
     * queues are handed over; or, what makes no sense to the back end, virtio_give_up(). And each
     * queue that was active is the driver's again: when this returns nobody touches it any more.
     * Both with `work` held, and NULL of all other models.
     */
    void (*start)(struct virtio *virtio);
    void (*stop)(struct virtio *virtio, uint32_t queue);
    /*
     * The driver reset the device: no queue is active, and no chain is the model's any more. The
     * worker rests. May be NULL.
     */
    void (*reset)(struct virtio *virtio);
    /*
     * The driver wrote one byte of the configuration space, under `lock`; false: it may not. NULL:
     * it may write none. A vCPU's thread.
     */
    bool (*write_config)(struct virtio *virtio, uint64_t offset, uint8_t byte);
    void (*destroy)(struct virtio *virtio); /* frees the model; the worker has ended */
};

/* 4.2.2, what the driver wrote about one queue */
struct virtio_queue_registers {
    uint32_t entries;
    uint64_t descriptors, driver_area, device_area;
    bool ready;
};

/* What the guest sees. */
struct virtio_registers {
    uint32_t status;
    uint32_t interrupt_status;
    uint32_t device_features_select, driver_features_select;
    uint64_t driver_features;
    uint32_t queue_select;
    struct virtio_queue_registers queues[VIRTIO_MOST_QUEUES];
};

struct virtio {
    struct device device;
    const struct virtio_model *model;
    const struct guest_memory *memory;
    struct irq_line *irq;
    struct log *log;

    /* Constant from virtio_start() on. */
    uint32_t queue_count;  /* the model's, unless it says more for this device */
    uint64_t offered;      /* feature bits */
    const uint8_t *config; /* the configuration space; reads beyond it are zero */
    size_t config_bytes;
    /* With serve(): another file that wakes the worker while it is readable, or VIRTIO_NO_FILE. */
    int watch;

    /* Lock order: work, then lock. */
    pthread_mutex_t work; /* guards queues, active, features; the worker holds it at work */
    pthread_mutex_t lock; /* guards regs, and what was driven on irq */
    struct virtio_registers regs;
    struct virtio_fast fast;
    uint32_t config_generation; /* guarded by lock, too */

    struct virtqueue queues[VIRTIO_MOST_QUEUES];
    bool active[VIRTIO_MOST_QUEUES]; /* the worker serves it */
    uint64_t features;               /* what was negotiated */
    struct virtqueue_chain chain;    /* the worker's */
    struct log_limit breaks;

    int doorbell; /* eventfd, which the worker reads */
    /* Eventfds that are the doorbells of queues that a back end serves; or VIRTIO_NO_FILE. */
    int kicks[VIRTIO_MOST_QUEUES];
    struct device_regions *regions;
    pthread_t worker;
    bool has_worker;
    _Atomic unsigned waiting; /* for `work`, which the worker lets go of after this request */
    _Atomic bool quit;
};

/* Fills in all but what a model says about features and configuration. No thread runs yet. */
bool virtio_init(struct virtio *virtio, const struct virtio_model *model,
                 const struct device_resources *resources, struct error *error) WARN_UNUSED;

/* Starts the worker; what is offered and configured is set. The device may be reset from here on.
 */
bool virtio_start(struct virtio *virtio, struct error *error) WARN_UNUSED;

/* Ends the worker and releases all but the model. Allowed at any time after virtio_init(). */
void virtio_finish(struct virtio *virtio);

/* Whether the driver has taken a feature; in handle(). */
static inline bool virtio_has(const struct virtio *virtio, unsigned feature)
{
    return virtio->features & VIRTIO_FEATURE(feature);
}

/* In serve(): whether somebody waits for `work`. */
static inline bool virtio_is_wanted(const struct virtio *virtio)
{
    return atomic_load(&virtio->waiting) > 0;
}

/* Wakes the worker. Any thread. */
void virtio_ring(struct virtio *virtio);

/*
 * In serve() and settle(). The next chain of an active queue; false: there is none, or the queue is
 * broken, and so no queue is active any more. Giving one back, to which the driver is signalled if
 * it wants to be: once for many.
 */
bool virtio_take(struct virtio *virtio, uint32_t queue, struct virtqueue_chain *chain) WARN_UNUSED;
void virtio_return(struct virtio *virtio, uint32_t queue, const struct virtqueue_chain *chain,
                   uint32_t written_bytes);
void virtio_signal(struct virtio *virtio, uint32_t queue);

/* The device can't go on until it is reset (2.1.2), and the log says why. With `work` held. */
void virtio_give_up(struct virtio *virtio, const char *why);

/*
 * For queues that the host's kernel serves (vhost): the eventfd that notifies the driver of used
 * buffers from now on, to the next reset; or IRQ_NO_EVENT: signal them by virtio_notify(). The
 * driver has to have configured its interrupt as edge-triggered, as the tree says. In an answer to
 * DRIVER_OK, on the vCPU's thread, without `lock`.
 */
int virtio_event_fd(struct virtio *virtio);

/* Notifies the driver of used buffers, of queues that something else than the worker serves. */
void virtio_notify(struct virtio *virtio);

/* The configuration space was changed, and the driver is to know (2.5). Any thread, no lock held.
 */
void virtio_config_changed(struct virtio *virtio);

/*
 * Copies bytes of a chain's readable part, from `offset` on, or to its writable part. False: there
 * are not so many. The guest may change them meanwhile: what is judged is the copy.
 */
bool virtio_copy_from(const struct virtqueue_chain *chain, uint64_t offset, void *to,
                      size_t size_bytes) WARN_UNUSED;
bool virtio_copy_to(const struct virtqueue_chain *chain, uint64_t offset, const void *from,
                    size_t size_bytes) WARN_UNUSED;

#endif
