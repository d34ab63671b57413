// SPDX-License-Identifier: Apache-2.0
/*
 * The balloon (Virtual I/O Device 1.2, 5.5): memory that the guest doesn't need goes back to the
 * host. The guest reports what is free by itself (5.5.6.7), and puts as much into the balloon as
 * it is asked to; either way the host drops the pages, and a page that is used again is a new one,
 * of zeros.
 *
 * Nothing here trusts the guest: what it gives away is its own RAM, and if it uses it meanwhile it
 * finds zeros.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "armlet/counters.h"
#include "armlet/event_loop.h"
#include "armlet/log.h"
#include "balloon_control.h"
#include "builtin.h"
#include "virtio.h"
#include "virtio_balloon.h"

enum { MOST_STATS = 32, PFNS_AT_ONCE = 256 };

enum balloon_counter {
    BALLOON_INFLATED,
    BALLOON_DEFLATED,
    BALLOON_REPORTED,
    BALLOON_DROPPED,
    BALLOON_FAILED,
    BALLOON_BAD,
    BALLOON_GUEST_STATS, /* the guest's own, in the order of their tags */
    BALLOON_COUNTERS = BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_TAGS,
};

struct balloon {
    struct virtio virtio;
    struct virtio_balloon_config config; /* guarded by virtio.lock */
    struct balloon_control *control;     /* NULL: nobody changes the target */
    uint64_t page_bytes;                 /* of the host's */
    int advice;                          /* to madvise(2), that drops pages */
    struct event_timer timer;            /* for the guest's statistics */
    uint64_t stats_ns;                   /* 0: they are asked for once */
    _Atomic bool wants_stats;
    struct virtqueue_chain stats; /* the driver's buffer for statistics, kept until asked for */
    bool has_stats;
    struct device_counter counters[BALLOON_COUNTERS];
    struct log_limit failures;
};

static struct balloon *of(struct virtio *virtio)
{
    return container_of(virtio, struct balloon, virtio);
}

static void count(struct balloon *balloon, enum balloon_counter which, uint64_t amount)
{
    counter_add(&balloon->counters[which].value, amount);
}

/* ---- pages ---- */

/* Drops the host's pages that lie wholly in these bytes of the guest's RAM. */
static void drop(struct balloon *balloon, uint8_t *bytes, uint64_t size_bytes)
{
    uint64_t mask = balloon->page_bytes - 1;
    uint64_t skip = -(uintptr_t)bytes & mask;

    if (size_bytes < skip + balloon->page_bytes)
        return;
    size_bytes = (size_bytes - skip) & ~mask;
    if (madvise(bytes + skip, size_bytes, balloon->advice) == 0) {
        count(balloon, BALLOON_DROPPED, size_bytes);
        return;
    }
    count(balloon, BALLOON_FAILED, 1);
    if (log_limit_pass(&balloon->failures))
        log_line(balloon->virtio.log, LOG_WARNING,
                 "virtio-balloon: the host takes no memory back: %s (is it locked, or of huge "
                 "pages?)",
                 strerror(errno));
}

/* A run of pages that follow each other, upwards or downwards. */
struct run {
    uint64_t first, page_count;
};

static void drop_run(struct balloon *balloon, const struct run *run)
{
    struct span span;

    if (run->page_count == 0)
        return;
    if (guest_memory_span(balloon->virtio.memory, GPA(run->first * VIRTIO_BALLOON_PAGE_BYTES),
                          run->page_count * VIRTIO_BALLOON_PAGE_BYTES, &span))
        drop(balloon, span.data, span.size_bytes);
    else
        count(balloon, BALLOON_BAD, 1);
}

static void inflate_page(struct balloon *balloon, struct run *run, uint64_t page)
{
    if (run->page_count > 0 && page == run->first + run->page_count) {
        run->page_count++;
    } else if (run->page_count > 0 && page + 1 == run->first) {
        run->first--;
        run->page_count++;
    } else {
        drop_run(balloon, run);
        *run = (struct run){page, 1};
    }
}

/* A chain may be of a thousand million pages: who waits for `work` doesn't wait for all of them. */
static void inflate(struct balloon *balloon, const struct virtqueue_chain *chain)
{
    uint32_t pages[PFNS_AT_ONCE];
    struct run run = {0, 0};
    uint64_t offset = 0;

    while (chain->readable_bytes - offset >= sizeof(pages[0]) &&
           !virtio_is_wanted(&balloon->virtio)) {
        uint64_t left = chain->readable_bytes - offset;
        size_t part = left < sizeof(pages) ? (size_t)left : sizeof(pages);

        part -= part % sizeof(pages[0]);
        (void)!virtio_copy_from(chain, offset, pages, part);
        for (size_t i = 0; i < part / sizeof(pages[0]); i++)
            inflate_page(balloon, &run, pages[i]);
        offset += part;
    }
    drop_run(balloon, &run);
    count(balloon, BALLOON_INFLATED, offset / sizeof(pages[0]));
}

static void report(struct balloon *balloon, const struct virtqueue_chain *chain)
{
    for (size_t i = 0; i < chain->writable_count; i++) {
        const struct iovec *segment = &chain->segments[chain->readable_count + i];

        drop(balloon, segment->iov_base, segment->iov_len);
    }
    count(balloon, BALLOON_REPORTED, chain->writable_bytes);
}

static void take_stats(struct balloon *balloon)
{
    struct virtio_balloon_stat stat;

    for (uint64_t i = 0;
         i < MOST_STATS && virtio_copy_from(&balloon->stats, i * sizeof(stat), &stat, sizeof(stat));
         i++)
        if (stat.tag < VIRTIO_BALLOON_S_TAGS)
            __atomic_store_n(&balloon->counters[BALLOON_GUEST_STATS + stat.tag].value, stat.value,
                             __ATOMIC_RELAXED);
}

/* ---- queues ---- */

/* Takes what is in one queue; the one for statistics is read and kept. */
static bool serve_queue(struct balloon *balloon, uint32_t queue)
{
    struct virtio *virtio = &balloon->virtio;
    bool is_stats = queue == VIRTIO_BALLOON_STATS && virtio_has(virtio, VIRTIO_BALLOON_F_STATS_VQ);
    struct virtqueue_chain *chain = is_stats ? &balloon->stats : &virtio->chain;
    bool any = false;

    while (virtio->active[queue] && !virtio_is_wanted(virtio) &&
           !(is_stats && balloon->has_stats) && virtio_take(virtio, queue, chain)) {
        any = true;
        if (is_stats) {
            take_stats(balloon);
            balloon->has_stats = true;
            continue;
        }
        if (queue == VIRTIO_BALLOON_INFLATE)
            inflate(balloon, chain);
        else if (queue == VIRTIO_BALLOON_DEFLATE)
            count(balloon, BALLOON_DEFLATED, chain->readable_bytes / sizeof(uint32_t));
        else if (virtio_has(virtio, VIRTIO_BALLOON_F_PAGE_REPORTING))
            report(balloon, chain);
        virtio_return(virtio, queue, chain, 0);
    }
    virtio_signal(virtio, queue);
    return any;
}

/* The driver fills its buffer anew when it gets it back (5.5.6.3). */
static void ask_for_stats(struct balloon *balloon)
{
    if (!balloon->has_stats || !atomic_exchange(&balloon->wants_stats, false))
        return;
    balloon->has_stats = false;
    virtio_return(&balloon->virtio, VIRTIO_BALLOON_STATS, &balloon->stats, 0);
    virtio_signal(&balloon->virtio, VIRTIO_BALLOON_STATS);
}

static void balloon_serve(struct virtio *virtio)
{
    struct balloon *balloon = of(virtio);
    bool more = true;

    ask_for_stats(balloon);
    while (more && !virtio_is_wanted(virtio)) {
        more = false;
        for (uint32_t i = 0; i < VIRTIO_BALLOON_QUEUES; i++) {
            if (!virtio->active[i])
                continue;
            (void)serve_queue(balloon, i);
            if (virtio->active[i])
                virtqueue_set_notify(&virtio->queues[i], true);
            more |= serve_queue(balloon, i);
        }
    }
}

static void balloon_reset(struct virtio *virtio)
{
    struct balloon *balloon = of(virtio);

    balloon->has_stats = false;
    (void)pthread_mutex_lock(&virtio->lock);
    balloon->config.actual_pages = 0;
    (void)pthread_mutex_unlock(&virtio->lock);
}

static bool write_config(struct virtio *virtio, uint64_t offset, uint8_t byte)
{
    struct virtio_balloon_config *config = &of(virtio)->config;
    uint64_t at = offset - offsetof(struct virtio_balloon_config, actual_pages);

    if (offset < offsetof(struct virtio_balloon_config, actual_pages) ||
        at >= sizeof(config->actual_pages))
        return false;
    config->actual_pages &= ~(UINT32_C(0xff) << (8 * at));
    config->actual_pages |= (uint32_t)byte << (8 * at);
    return true;
}

/* ---- the operator ---- */

static void set_target(void *context, uint64_t target_bytes)
{
    struct balloon *balloon = context;

    (void)pthread_mutex_lock(&balloon->virtio.lock);
    balloon->config.target_pages = (uint32_t)(target_bytes / VIRTIO_BALLOON_PAGE_BYTES);
    (void)pthread_mutex_unlock(&balloon->virtio.lock);
    virtio_config_changed(&balloon->virtio);
}

static struct balloon_state get_state(void *context)
{
    struct balloon *balloon = context;

    (void)pthread_mutex_lock(&balloon->virtio.lock);
    const struct balloon_state state = {
        .target_bytes = (uint64_t)balloon->config.target_pages * VIRTIO_BALLOON_PAGE_BYTES,
        .actual_bytes = (uint64_t)balloon->config.actual_pages * VIRTIO_BALLOON_PAGE_BYTES,
    };
    (void)pthread_mutex_unlock(&balloon->virtio.lock);
    return state;
}

static void on_timer(struct event_timer *timer)
{
    struct balloon *balloon = timer->context;

    atomic_store(&balloon->wants_stats, true);
    virtio_ring(&balloon->virtio);
    event_timer_arm(timer, balloon->stats_ns);
}

/* ---- from create to destroy ---- */

static void balloon_destroy(struct virtio *virtio)
{
    struct balloon *balloon = of(virtio);

    event_timer_finish(&balloon->timer);
    balloon_control_destroy(balloon->control);
    free(balloon);
}

static const struct virtio_model balloon_model = {
    .name = "virtio-balloon",
    .id = VIRTIO_ID_BALLOON,
    .queue_count = VIRTIO_BALLOON_QUEUES,
    .serve = balloon_serve,
    .reset = balloon_reset,
    .write_config = write_config,
    .destroy = balloon_destroy,
};

struct properties {
    uint64_t target_bytes, stats_ns;
    bool reporting, oom;
    const char *uds;
};

static const struct property_row rows[] = {
    {"size", PROPERTY_SIZE, offsetof(struct properties, target_bytes), 0, 0,
     "what the guest is to give away, as 256M (default 0)"},
    {"reporting", PROPERTY_FLAG, offsetof(struct properties, reporting), 0, 0,
     "the guest reports free pages by itself (default on)"},
    {"oom", PROPERTY_FLAG, offsetof(struct properties, oom), 0, 0,
     "it takes memory back when it runs out (default on)"},
    {"stats", PROPERTY_TIME, offsetof(struct properties, stats_ns), 100000000, 0,
     "how often it tells its statistics, as 1s (default: once)"},
    {"uds", PROPERTY_TEXT, offsetof(struct properties, uds), 0, 0,
     "a Unix socket on the host that takes another size"},
    {0},
};

static const char *const counter_names[BALLOON_COUNTERS] = {
    [BALLOON_INFLATED] = "inflated_pages",
    [BALLOON_DEFLATED] = "deflated_pages",
    [BALLOON_REPORTED] = "reported_bytes",
    [BALLOON_DROPPED] = "dropped_bytes",
    [BALLOON_FAILED] = "failed_drops",
    [BALLOON_BAD] = "bad_pages",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_SWAP_IN] = "guest_swap_in_bytes",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_SWAP_OUT] = "guest_swap_out_bytes",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_MAJFLT] = "guest_major_faults",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_MINFLT] = "guest_minor_faults",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_MEMFREE] = "guest_free_bytes",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_MEMTOT] = "guest_total_bytes",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_AVAIL] = "guest_available_bytes",
    [BALLOON_GUEST_STATS + VIRTIO_BALLOON_S_CACHES] = "guest_cache_bytes",
};

static void offer(struct balloon *balloon, const struct properties *properties)
{
    struct virtio *virtio = &balloon->virtio;

    virtio->offered |= VIRTIO_FEATURE(VIRTIO_BALLOON_F_STATS_VQ);
    virtio->offered |= properties->oom ? VIRTIO_FEATURE(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) : 0;
    virtio->offered |= properties->reporting ? VIRTIO_FEATURE(VIRTIO_BALLOON_F_PAGE_REPORTING) : 0;
    virtio->config = (const uint8_t *)&balloon->config;
    virtio->config_bytes = sizeof(balloon->config);
    for (size_t i = 0; i < BALLOON_COUNTERS; i++)
        balloon->counters[i].name = counter_names[i];
    virtio->device.counters = balloon->counters;
    virtio->device.counter_count = BALLOON_COUNTERS;
}

static bool set_up(struct balloon *balloon, const struct device_resources *resources,
                   struct error *error)
{
    struct properties properties = {.reporting = true, .oom = true};
    const struct balloon_control_config control = {
        .loop = resources->loop,
        .socket = resources->host_socket,
        .most_bytes = resources->memory->size_bytes,
        .set = set_target,
        .get = get_state,
        .context = balloon,
    };

    if (!property_list_read(&resources->properties, rows, &properties, error))
        return false;
    if (properties.target_bytes >= resources->memory->size_bytes)
        return error_set(error, ERROR_USAGE, 0,
                         "size=%" PRIu64 "M: the guest has %" PRIu64 "M in all",
                         properties.target_bytes >> 20, resources->memory->size_bytes >> 20);
    balloon->config.target_pages = (uint32_t)(properties.target_bytes / VIRTIO_BALLOON_PAGE_BYTES);
    balloon->stats_ns = properties.stats_ns;
    balloon->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    /* A file keeps pages that nobody maps: they are cut out of it. */
    balloon->advice = resources->shared_memory ? MADV_REMOVE : MADV_DONTNEED;
    offer(balloon, &properties);
    if (resources->host_socket && !(balloon->control = balloon_control_create(&control, error)))
        return false;
    if (!event_timer_init(&balloon->timer, resources->loop, on_timer, balloon, error))
        return false;
    balloon->timer.name = "balloon's statistics";
    if (balloon->stats_ns > 0)
        event_timer_arm(&balloon->timer, balloon->stats_ns);
    return virtio_start(&balloon->virtio, error);
}

static struct device *balloon_create(const struct device_resources *resources, struct error *error)
{
    struct balloon *balloon = calloc(1, sizeof(*balloon));

    if (!balloon) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the balloon");
        return NULL;
    }
    if (virtio_init(&balloon->virtio, &balloon_model, resources, error) &&
        set_up(balloon, resources, error))
        return &balloon->virtio.device;
    virtio_finish(&balloon->virtio);
    balloon_destroy(&balloon->virtio);
    return NULL;
}

const struct device_class virtio_balloon_class = {
    .name = "virtio-balloon",
    .purpose = "gives unused memory back to the host (virtio); also --balloon",
    .properties = rows,
    .create = balloon_create,
};
