// SPDX-License-Identifier: Apache-2.0
/*
 * How much a device may do: bytes a second and operations a second, each a token bucket.
 *
 * A bucket fills at its rate up to its burst, and is full at first. An operation passes when both
 * buckets hold what it costs, and takes it from both or from none. One that costs more than the
 * burst passes when the bucket is full and leaves it in debt: in the long run the rate holds to the
 * token, whatever the sizes.
 *
 * There is no clock in it: the caller says what time it is, in nanoseconds on any clock that never
 * goes back (a time before the last one counts as the last one). The same calls give the same
 * answers. One thread at a time.
 *
 *     uint64_t wait_ns = rate_limit_take(&limit, size_bytes, monotonic_clock_now_ns());
 *     if (wait_ns > 0)
 *         ... nothing was taken: ask again after wait_ns
 */
#ifndef DEVICES_RATE_LIMIT_H
#define DEVICES_RATE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/property.h"

/* What an operator says. The rows' ranges are what rate_limit_init() takes. */
struct rate_limit_config {
    uint64_t bandwidth;        /* bytes a second; 0: no limit */
    uint64_t bandwidth_burst;  /* bytes; 0: what comes in a tenth of a second */
    uint64_t operations;       /* operations a second; 0: no limit */
    uint64_t operations_burst; /* operations; 0: what come in a tenth of a second */
};

#define RATE_LIMIT_MOST (UINT64_C(1) << 40) /* of each of them */

/* The rows of a property table for `struct rate_limit_config member` of struct `type`. */
/* clang-format off */
#define RATE_LIMIT_PROPERTY_ROWS(type, member)                                                     \
    {"bandwidth", PROPERTY_SIZE, offsetof(type, member.bandwidth), 1, RATE_LIMIT_MOST,             \
     "bytes a second at most, as 100M"},                                                           \
    {"bandwidth-burst", PROPERTY_SIZE, offsetof(type, member.bandwidth_burst), 1,                  \
     RATE_LIMIT_MOST, "bytes at once after a rest (a tenth of a second's)"},                       \
    {"operations", PROPERTY_NUMBER, offsetof(type, member.operations), 1, RATE_LIMIT_MOST,         \
     "operations a second at most"},                                                               \
    {"operations-burst", PROPERTY_NUMBER, offsetof(type, member.operations_burst), 1,              \
     RATE_LIMIT_MOST, "operations at once after a rest (a tenth of a second's)"}
/* clang-format on */

struct token_bucket {
    uint64_t rate;      /* tokens a second; 0: no limit */
    uint64_t burst;     /* tokens it holds */
    int64_t tokens;     /* at most `burst`; below zero is debt */
    uint64_t remainder; /* of a token, in 1/10^9 */
};

struct rate_limit {
    struct token_bucket bytes, operations;
    uint64_t then_ns; /* when the buckets held that */
};

/* Fails with ERROR_USAGE: a burst without its rate. The buckets are full at now_ns. */
bool rate_limit_init(struct rate_limit *limit, const struct rate_limit_config *config,
                     uint64_t now_ns, struct error *error) WARN_UNUSED;

/* Whether there is a limit at all: without one there is no need to look at a clock. */
static inline bool rate_limit_is_set(const struct rate_limit *limit)
{
    return limit->bytes.rate || limit->operations.rate;
}

/*
 * Takes one operation of so many bytes and returns 0; or takes nothing, and returns in how many
 * nanoseconds this operation will pass if no other is taken before.
 */
uint64_t rate_limit_take(struct rate_limit *limit, uint32_t size_bytes,
                         uint64_t now_ns) WARN_UNUSED;

/*
 * The two halves of it, for who learns the size too late to refuse: in how many nanoseconds an
 * operation of so many bytes will pass (0: now), and taking it, into debt if need be. Asked for no
 * bytes, the bucket of bytes lets pass unless it is in debt.
 */
uint64_t rate_limit_wait_ns(struct rate_limit *limit, uint32_t size_bytes, uint64_t now_ns);
void rate_limit_charge(struct rate_limit *limit, uint32_t size_bytes);

#endif
