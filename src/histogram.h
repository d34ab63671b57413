// SPDX-License-Identifier: Apache-2.0
/*
 * A histogram of numbers of any size with a bounded relative error, in the manner of HdrHistogram:
 * each power of two is divided into 2^HISTOGRAM_PRECISION_BITS buckets of the same width.
 *
 *     numbers below 64                       exact
 *     up to 2^HISTOGRAM_LIMIT_BITS - 1       quantiles within 1/64 (1.6 %) of the exact ones
 *     above                                  counted as the largest; count, sum, max stay exact
 *
 * count, sum (so the mean), min and max are always exact. A struct is HISTOGRAM_BUCKETS words and
 * a few more, needs no initialisation beyond zero, and recording allocates nothing and takes a
 * handful of instructions. One thread records; others may read at any time and get a recent state
 * whose parts needn't fit together to the last number.
 */
#ifndef ARMLET_SRC_HISTOGRAM_H
#define ARMLET_SRC_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_PRECISION_BITS = 5,
    HISTOGRAM_LIMIT_BITS = 40,
    HISTOGRAM_BUCKETS = (HISTOGRAM_LIMIT_BITS - HISTOGRAM_PRECISION_BITS + 1)
                        << HISTOGRAM_PRECISION_BITS,
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* of count > 0 */
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Adds one number. */
void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds all of another one, which its thread may be recording into. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/*
 * The quantile of a fraction from 0 to 1: the smallest number that at least so many of those
 * recorded don't exceed (the nearest rank). 0.5 is the median, 0 the minimum, 1 the maximum. 0 when
 * nothing was recorded.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

/* 0 when nothing was recorded. */
double histogram_mean(const struct histogram *histogram);

/* The smallest and the largest number that a bucket counts, for who draws one. */
uint64_t histogram_bucket_low(uint32_t bucket);
uint64_t histogram_bucket_high(uint32_t bucket);

#endif
