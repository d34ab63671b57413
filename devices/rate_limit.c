// SPDX-License-Identifier: Apache-2.0
#include "rate_limit.h"

enum { BURST_PARTS = 10 }; /* of a second: what a burst is if nothing is said */

/* Nanoseconds of a second, and so the parts of a token: a nanosecond brings `rate` of them. */
#define TOKEN_PARTS UINT64_C(1000000000)

__extension__ typedef unsigned __int128 parts_t;

static bool init_bucket(struct token_bucket *bucket, const char *name, uint64_t rate,
                        uint64_t burst, struct error *error)
{
    if (rate == 0 && burst > 0)
        return error_set(error, ERROR_USAGE, 0, "%s-burst is given, and no %s", name, name);
    if (rate > 0 && burst == 0)
        burst = rate / BURST_PARTS ? rate / BURST_PARTS : 1;
    *bucket = (struct token_bucket){.rate = rate, .burst = burst, .tokens = (int64_t)burst};
    return true;
}

bool rate_limit_init(struct rate_limit *limit, const struct rate_limit_config *config,
                     uint64_t now_ns, struct error *error)
{
    limit->then_ns = now_ns;
    return init_bucket(&limit->bytes, "bandwidth", config->bandwidth, config->bandwidth_burst,
                       error) &&
           init_bucket(&limit->operations, "operations", config->operations,
                       config->operations_burst, error);
}

static void fill(struct token_bucket *bucket, uint64_t elapsed_ns)
{
    parts_t parts = (parts_t)elapsed_ns * bucket->rate + bucket->remainder;
    parts_t tokens = parts / TOKEN_PARTS;
    uint64_t room = (uint64_t)((int64_t)bucket->burst - bucket->tokens);

    if (tokens >= room) {
        bucket->tokens = (int64_t)bucket->burst;
        bucket->remainder = 0;
    } else {
        bucket->tokens += (int64_t)tokens;
        bucket->remainder = (uint64_t)(parts % TOKEN_PARTS);
    }
}

/* Until the bucket holds what lets `cost` pass. */
static uint64_t wait_ns(const struct token_bucket *bucket, uint64_t cost)
{
    int64_t needed = (int64_t)(cost < bucket->burst ? cost : bucket->burst);

    if (bucket->rate == 0 || bucket->tokens >= needed)
        return 0;
    parts_t parts = (parts_t)(uint64_t)(needed - bucket->tokens) * TOKEN_PARTS - bucket->remainder;
    return (uint64_t)((parts + bucket->rate - 1) / bucket->rate);
}

uint64_t rate_limit_wait_ns(struct rate_limit *limit, uint32_t size_bytes, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns > limit->then_ns ? now_ns - limit->then_ns : 0;

    limit->then_ns += elapsed_ns;
    fill(&limit->bytes, elapsed_ns);
    fill(&limit->operations, elapsed_ns);
    uint64_t bytes_ns = wait_ns(&limit->bytes, size_bytes);
    uint64_t operations_ns = wait_ns(&limit->operations, 1);

    return bytes_ns > operations_ns ? bytes_ns : operations_ns;
}

void rate_limit_charge(struct rate_limit *limit, uint32_t size_bytes)
{
    if (limit->bytes.rate > 0)
        limit->bytes.tokens -= size_bytes;
    if (limit->operations.rate > 0)
        limit->operations.tokens--;
}

uint64_t rate_limit_take(struct rate_limit *limit, uint32_t size_bytes, uint64_t now_ns)
{
    uint64_t wait = rate_limit_wait_ns(limit, size_bytes, now_ns);

    if (wait == 0)
        rate_limit_charge(limit, size_bytes);
    return wait;
}
