// SPDX-License-Identifier: Apache-2.0
/* The entropy device (Virtual I/O Device 1.2, 5.4): the host's random bytes. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "armlet/counters.h"
#include "builtin.h"
#include "virtio.h"

enum rng_counter { RNG_REQUESTS, RNG_BYTES, RNG_COUNTERS };

struct rng {
    struct virtio virtio;
    struct device_counter counters[RNG_COUNTERS];
};

enum {
    REQUEST_QUEUE_COUNT = 1,
    MOST_BYTES = 65536, /* of one request: a driver gets less than it has room for (5.4.6.2) */
};

/*
 * Straight into the guest's memory: the host has no need to see them. Calls of getrandom(2) are
 * short of 256 bytes only when a signal comes.
 */
static uint32_t rng_handle(struct virtio *virtio, uint32_t queue,
                           const struct virtqueue_chain *chain)
{
    struct rng *rng = container_of(virtio, struct rng, virtio);
    uint32_t written_bytes = 0;

    (void)queue;
    for (size_t i = 0; i < chain->writable_count && written_bytes < MOST_BYTES; i++) {
        const struct iovec *segment = &chain->segments[chain->readable_count + i];
        size_t left = MOST_BYTES - written_bytes;
        size_t wanted = segment->iov_len < left ? segment->iov_len : left;
        ssize_t count = getrandom(segment->iov_base, wanted, 0);

        if (count > 0)
            written_bytes += (uint32_t)count;
        if (count < 0 || (size_t)count < wanted)
            break;
    }
    counter_add(&rng->counters[RNG_REQUESTS].value, 1);
    counter_add(&rng->counters[RNG_BYTES].value, written_bytes);
    return written_bytes;
}

static void rng_destroy(struct virtio *virtio)
{
    free(container_of(virtio, struct rng, virtio));
}

static const struct virtio_model rng_model = {
    .name = "virtio-rng",
    .id = VIRTIO_ID_ENTROPY,
    .queue_count = REQUEST_QUEUE_COUNT,
    .handle = rng_handle,
    .destroy = rng_destroy,
};

static struct device *rng_create(const struct device_resources *resources, struct error *error)
{
    struct rng *rng = calloc(1, sizeof(*rng));

    if (!rng) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the entropy device");
        return NULL;
    }
    rng->counters[RNG_REQUESTS].name = "requests";
    rng->counters[RNG_BYTES].name = "bytes";
    if (virtio_init(&rng->virtio, &rng_model, resources, error) &&
        virtio_start(&rng->virtio, error)) {
        rng->virtio.device.counters = rng->counters;
        rng->virtio.device.counter_count = RNG_COUNTERS;
        return &rng->virtio.device;
    }
    virtio_finish(&rng->virtio);
    free(rng);
    return NULL;
}

const struct device_class virtio_rng_class = {
    .name = "virtio-rng",
    .purpose = "random numbers of the host's (virtio)",
    .create = rng_create,
};
