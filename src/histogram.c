// SPDX-License-Identifier: Apache-2.0
#include "histogram.h"

#define PRECISION HISTOGRAM_PRECISION_BITS
#define LARGEST   ((UINT64_C(1) << HISTOGRAM_LIMIT_BITS) - 1)

/* Plain additions that other threads may look at. */
static void add(uint64_t *word, uint64_t amount)
{
    __atomic_store_n(word, *word + amount, __ATOMIC_RELAXED);
}

static uint64_t look(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/*
 * A number is kept by its leading bit and the PRECISION bits after that; `shift` bits are lost.
 * Numbers with fewer bits lose none, and have the first buckets.
 */
static uint32_t bucket_of(uint64_t value)
{
    if (value > LARGEST)
        value = LARGEST;
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(value | 1);
    uint32_t shift = bits > PRECISION + 1 ? bits - (PRECISION + 1) : 0;

    return (shift << PRECISION) + (uint32_t)(value >> shift);
}

static uint32_t shift_of(uint32_t bucket)
{
    uint32_t octave = bucket >> PRECISION;

    return octave > 1 ? octave - 1 : 0;
}

uint64_t histogram_bucket_low(uint32_t bucket)
{
    uint32_t shift = shift_of(bucket);

    return (uint64_t)(bucket - (shift << PRECISION)) << shift;
}

uint64_t histogram_bucket_high(uint32_t bucket)
{
    return histogram_bucket_low(bucket) + (UINT64_C(1) << shift_of(bucket)) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    if (histogram->count == 0 || value < histogram->min)
        __atomic_store_n(&histogram->min, value, __ATOMIC_RELAXED);
    if (value > histogram->max)
        __atomic_store_n(&histogram->max, value, __ATOMIC_RELAXED);
    add(&histogram->buckets[bucket_of(value)], 1);
    add(&histogram->sum, value);
    add(&histogram->count, 1);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    uint64_t count = look(&other->count);
    uint64_t min = look(&other->min);
    uint64_t max = look(&other->max);

    if (count == 0)
        return;
    if (histogram->count == 0 || min < histogram->min)
        histogram->min = min;
    if (max > histogram->max)
        histogram->max = max;
    histogram->count += count;
    histogram->sum += look(&other->sum);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += look(&other->buckets[i]);
}

static uint64_t clamp(const struct histogram *histogram, uint64_t value)
{
    if (value < histogram->min)
        return histogram->min;
    return value > histogram->max ? histogram->max : value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
    if (histogram->count == 0 || fraction <= 0)
        return histogram->min;
    if (fraction >= 1)
        return histogram->max;
    double exact_rank = fraction * (double)histogram->count;
    uint64_t rank = (uint64_t)exact_rank;
    uint64_t seen = 0;

    rank += (double)rank < exact_rank;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank && histogram->buckets[i] > 0) {
            uint64_t low = histogram_bucket_low(i);

            return clamp(histogram, low + (histogram_bucket_high(i) - low) / 2);
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
