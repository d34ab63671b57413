// SPDX-License-Identifier: Apache-2.0
/* Histograms against the exact answer: sorted arrays of what was recorded. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "histogram.h"

Suite *unit_suite(void);

enum { NUMBERS = 20000, ROUNDS = 12 };

#define ERROR_BOUND (1.0 / (2 << HISTOGRAM_PRECISION_BITS))
#define EXACT_BELOW (UINT64_C(2) << HISTOGRAM_PRECISION_BITS)
#define LARGEST     ((UINT64_C(1) << HISTOGRAM_LIMIT_BITS) - 1)

static struct histogram histogram;
static uint64_t numbers[NUMBERS];
static uint64_t random_state;

static void setup(void)
{
    histogram = (struct histogram){0};
    random_state = 0x9e3779b97f4a7c15;
}

/* xorshift64: the same numbers on each run. */
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The nearest rank in the sorted numbers. */
static uint64_t exact_quantile(double fraction, size_t count)
{
    size_t rank = (size_t)ceil(fraction * (double)count);

    return numbers[rank > 0 ? rank - 1 : 0];
}

static void check_quantiles(size_t count)
{
    static const double fractions[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};

    qsort(numbers, count, sizeof(numbers[0]), by_value);
    for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
        uint64_t exact = exact_quantile(fractions[i], count);
        uint64_t got = histogram_quantile(&histogram, fractions[i]);
        double error = fabs((double)got - (double)exact);

        ck_assert_msg(exact < EXACT_BELOW ? got == exact : error <= ERROR_BOUND * (double)exact,
                      "quantile %g is %llu and not %llu", fractions[i], (unsigned long long)got,
                      (unsigned long long)exact);
    }
}

/* Numbers of every size, evenly spread over their logarithm, in ranges that grow by the round. */
START_TEST(quantiles_are_within_the_bound)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < NUMBERS; i++) {
        unsigned bits = 4 + (unsigned)(next_random() % (unsigned)(3 * (_i + 1)));

        numbers[i] = next_random() >> (64 - bits);
        sum += numbers[i];
        histogram_record(&histogram, numbers[i]);
    }
    check_quantiles(NUMBERS);
    ck_assert_uint_eq(histogram.count, NUMBERS);
    ck_assert_uint_eq(histogram.sum, sum);
    ck_assert_uint_eq(histogram.min, numbers[0]);
    ck_assert_uint_eq(histogram.max, numbers[NUMBERS - 1]);
    ck_assert_double_eq(histogram_mean(&histogram), (double)sum / NUMBERS);
}
END_TEST

/* A narrow peak with a long tail, as latencies have. */
START_TEST(a_tail_is_within_the_bound)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t tail = next_random() % 1000 == 0 ? next_random() % 50000000 : 0;

        numbers[i] = 4000 + next_random() % 200 + tail;
        histogram_record(&histogram, numbers[i]);
    }
    check_quantiles(NUMBERS);
}
END_TEST

START_TEST(every_number_is_in_its_bucket)
{
    uint64_t next = 0;

    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        struct histogram one = {0};

        ck_assert_uint_eq(histogram_bucket_low(i), next); /* no gap, no overlap */
        next = histogram_bucket_high(i) + 1;
        histogram_record(&one, histogram_bucket_low(i));
        histogram_record(&one, histogram_bucket_high(i));
        ck_assert_uint_eq(one.buckets[i], 2);
    }
    ck_assert_uint_eq(next, LARGEST + 1);
}
END_TEST

START_TEST(one_number_is_all_quantiles)
{
    histogram_record(&histogram, 1234567);
    for (double fraction = 0; fraction <= 1; fraction += 0.125)
        ck_assert_uint_eq(histogram_quantile(&histogram, fraction), 1234567);
}
END_TEST

START_TEST(what_is_too_large_is_the_largest)
{
    histogram_record(&histogram, 1);
    histogram_record(&histogram, UINT64_MAX / 2);
    ck_assert_uint_eq(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    ck_assert_uint_eq(histogram.max, UINT64_MAX / 2);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), UINT64_MAX / 2);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 1);
}
END_TEST

START_TEST(nothing_recorded_is_zero)
{
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    ck_assert_double_eq(histogram_mean(&histogram), 0);
}
END_TEST

START_TEST(a_sum_of_two_is_as_if_recorded_in_one)
{
    static struct histogram parts[2];
    static struct histogram sum;
    const struct histogram empty = {0};

    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t value = next_random() >> (24 + next_random() % 40);

        histogram_record(&histogram, value);
        histogram_record(&parts[i % 2], value);
    }
    histogram_merge(&sum, &empty);
    ck_assert_mem_eq(&sum, &empty, sizeof(sum));
    histogram_merge(&sum, &parts[0]);
    histogram_merge(&sum, &parts[1]);
    ck_assert_mem_eq(&sum, &histogram, sizeof(sum));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tests = tcase_create("histogram");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, quantiles_are_within_the_bound, 0, ROUNDS);
    tcase_add_test(tests, a_tail_is_within_the_bound);
    tcase_add_test(tests, every_number_is_in_its_bucket);
    tcase_add_test(tests, one_number_is_all_quantiles);
    tcase_add_test(tests, what_is_too_large_is_the_largest);
    tcase_add_test(tests, nothing_recorded_is_zero);
    tcase_add_test(tests, a_sum_of_two_is_as_if_recorded_in_one);
    suite_add_tcase(suite, tests);
    return suite;
}
