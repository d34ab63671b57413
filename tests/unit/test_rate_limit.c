// SPDX-License-Identifier: Apache-2.0
/* Token buckets: what passes and when, to the nanosecond, with a clock of the test's own. */
#include <check.h>
#include <string.h>

#include "devices/rate_limit.h"

Suite *unit_suite(void);

#define SECOND_NS UINT64_C(1000000000)
#define START_NS  UINT64_C(123456789)

static struct rate_limit limit;

static void init(uint64_t bandwidth, uint64_t bandwidth_burst, uint64_t operations,
                 uint64_t operations_burst)
{
    const struct rate_limit_config config = {bandwidth, bandwidth_burst, operations,
                                             operations_burst};
    struct error error = {0};

    ck_assert_msg(rate_limit_init(&limit, &config, START_NS, &error), "%s", error.message);
}

START_TEST(no_limit_lets_everything_pass)
{
    init(0, 0, 0, 0);
    ck_assert(!rate_limit_is_set(&limit));
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(rate_limit_take(&limit, UINT32_MAX, START_NS), 0);
}
END_TEST

START_TEST(a_burst_passes_then_the_rate)
{
    init(0, 0, 1000, 3);
    ck_assert(rate_limit_is_set(&limit));
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(rate_limit_take(&limit, 1 << 20, START_NS), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS), SECOND_NS / 1000);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS + 400000), 600000);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS + 999999), 1);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS + 1000000), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS + 1000000), 1000000);
}
END_TEST

START_TEST(bytes_and_operations_are_taken_together_or_not)
{
    init(1 << 20, 1 << 20, 10, 1);
    ck_assert_uint_eq(rate_limit_take(&limit, 1 << 19, START_NS), 0);
    /* Refused for the operations, it leaves the bytes alone. */
    ck_assert_uint_eq(rate_limit_take(&limit, 1 << 19, START_NS), SECOND_NS / 10);
    ck_assert_int_eq(limit.bytes.tokens, 1 << 19);
    ck_assert_uint_eq(rate_limit_take(&limit, 1 << 19, START_NS + SECOND_NS / 10), 0);
    /* Half a second for the bytes is more than a tenth for the operation. */
    uint64_t wait_ns = rate_limit_take(&limit, 1 << 20, START_NS + SECOND_NS / 10);
    ck_assert_uint_eq(wait_ns, 9 * SECOND_NS / 10);
    ck_assert_uint_eq(rate_limit_take(&limit, 1 << 20, START_NS + SECOND_NS / 10 + wait_ns), 0);
}
END_TEST

START_TEST(more_than_a_burst_passes_and_leaves_a_debt)
{
    init(1000, 100, 0, 0);
    ck_assert_uint_eq(rate_limit_take(&limit, 1100, START_NS), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS), SECOND_NS + SECOND_NS / 1000);
    ck_assert_uint_eq(rate_limit_take(&limit, 1000000, START_NS), SECOND_NS + SECOND_NS / 10);
    ck_assert_uint_eq(rate_limit_take(&limit, 1, START_NS + SECOND_NS + 1000000), 0);
}
END_TEST

START_TEST(a_rest_saves_no_more_than_the_burst)
{
    init(0, 0, 1000, 5);
    for (uint64_t hour = 1; hour < 3; hour++) {
        uint64_t now_ns = START_NS + hour * 3600 * SECOND_NS;

        for (int i = 0; i < 5; i++)
            ck_assert_uint_eq(rate_limit_take(&limit, 0, now_ns), 0);
        ck_assert_uint_eq(rate_limit_take(&limit, 0, now_ns), 1000000);
    }
}
END_TEST

/* Whatever is taken when: what is left is the burst and what the time brought, less what passed. */
START_TEST(the_rate_holds_to_the_token)
{
    static const uint64_t rates[] = {1, 3, 7777, 999999937, RATE_LIMIT_MOST};
    enum { ROUNDS = 20000, MOST_BYTES = 5000, BURST = 8000 };
    uint64_t now_ns = START_NS;
    uint64_t taken = 0;

    init(rates[_i], BURST, 0, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t cost = i * 7919 % MOST_BYTES + 1;
        uint64_t wait_ns = rate_limit_take(&limit, cost, now_ns);

        now_ns += wait_ns;
        if (wait_ns > 0)
            ck_assert_uint_eq(rate_limit_take(&limit, cost, now_ns), 0);
        taken += cost;
    }
    __extension__ unsigned __int128 brought =
        (unsigned __int128)(now_ns - START_NS) * rates[_i] / SECOND_NS;
    ck_assert_int_eq(limit.bytes.tokens, (int64_t)(BURST + brought - taken));
}
END_TEST

START_TEST(time_that_goes_back_brings_nothing)
{
    init(0, 0, 1000, 1);
    ck_assert_uint_eq(rate_limit_take(&limit, 0, START_NS + 10), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, 0, START_NS), 1000000);
    ck_assert_uint_eq(rate_limit_take(&limit, 0, START_NS + 11), 999999);
}
END_TEST

START_TEST(a_size_that_is_learnt_late_is_a_debt)
{
    init(1000, 100, 0, 0);
    ck_assert_uint_eq(rate_limit_wait_ns(&limit, 0, START_NS), 0);
    rate_limit_charge(&limit, 100);
    ck_assert_uint_eq(rate_limit_wait_ns(&limit, 0, START_NS), 0);
    rate_limit_charge(&limit, 500);
    ck_assert_uint_eq(rate_limit_wait_ns(&limit, 0, START_NS), SECOND_NS / 2);
    ck_assert_uint_eq(rate_limit_wait_ns(&limit, 0, START_NS + SECOND_NS / 2), 0);
}
END_TEST

START_TEST(the_largest_numbers_fit)
{
    init(RATE_LIMIT_MOST, RATE_LIMIT_MOST, RATE_LIMIT_MOST, RATE_LIMIT_MOST);
    for (int i = 0; i < 256; i++)
        ck_assert_uint_eq(rate_limit_take(&limit, UINT32_MAX, START_NS), 0);
    ck_assert_uint_gt(rate_limit_take(&limit, UINT32_MAX, START_NS), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, UINT32_MAX, UINT64_MAX), 0);
    init(1, 1, 1, 1);
    ck_assert_uint_eq(rate_limit_take(&limit, UINT32_MAX, START_NS), 0);
    ck_assert_uint_eq(rate_limit_take(&limit, UINT32_MAX, START_NS), UINT32_MAX * SECOND_NS);
}
END_TEST

START_TEST(a_burst_is_a_tenth_of_a_second_by_itself)
{
    init(1 << 20, 0, 5, 0);
    ck_assert_uint_eq(limit.bytes.burst, (1 << 20) / 10);
    ck_assert_uint_eq(limit.operations.burst, 1);
}
END_TEST

START_TEST(a_burst_needs_its_rate)
{
    const struct rate_limit_config bandwidth = {.bandwidth_burst = 1};
    const struct rate_limit_config operations = {.operations_burst = 1};
    struct error error = {0};

    ck_assert(!rate_limit_init(&limit, &bandwidth, 0, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_str_eq(error.message, "bandwidth-burst is given, and no bandwidth");
    error = (struct error){0};
    ck_assert(!rate_limit_init(&limit, &operations, 0, &error));
    ck_assert_str_eq(error.message, "operations-burst is given, and no operations");
}
END_TEST

struct properties {
    bool other;
    struct rate_limit_config rate;
};
static const struct property_row rows[] = {RATE_LIMIT_PROPERTY_ROWS(struct properties, rate), {0}};

START_TEST(an_operator_says_it)
{
    static const struct property items[] = {{"bandwidth", "10M"},
                                            {"bandwidth-burst", "64K"},
                                            {"operations", "300"},
                                            {"operations-burst", "30"}};
    static const struct property none = {"operations", "0"};
    const struct property_list list = {items, 4};
    const struct property_list bad = {&none, 1};
    struct properties properties = {0};
    struct error error = {0};

    ck_assert_msg(property_list_read(&list, rows, &properties, &error), "%s", error.message);
    ck_assert_uint_eq(properties.rate.bandwidth, 10 << 20);
    ck_assert_uint_eq(properties.rate.bandwidth_burst, 64 << 10);
    ck_assert_uint_eq(properties.rate.operations, 300);
    ck_assert_uint_eq(properties.rate.operations_burst, 30);
    ck_assert(!property_list_read(&bad, rows, &properties, &error));
    ck_assert_str_eq(error.message, "operations=0: must be at least 1");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("rate_limit");
    TCase *tests = tcase_create("rate_limit");

    tcase_add_test(tests, no_limit_lets_everything_pass);
    tcase_add_test(tests, a_burst_passes_then_the_rate);
    tcase_add_test(tests, bytes_and_operations_are_taken_together_or_not);
    tcase_add_test(tests, more_than_a_burst_passes_and_leaves_a_debt);
    tcase_add_test(tests, a_rest_saves_no_more_than_the_burst);
    tcase_add_loop_test(tests, the_rate_holds_to_the_token, 0, 5);
    tcase_add_test(tests, time_that_goes_back_brings_nothing);
    tcase_add_test(tests, a_size_that_is_learnt_late_is_a_debt);
    tcase_add_test(tests, the_largest_numbers_fit);
    tcase_add_test(tests, a_burst_is_a_tenth_of_a_second_by_itself);
    tcase_add_test(tests, a_burst_needs_its_rate);
    tcase_add_test(tests, an_operator_says_it);
    suite_add_tcase(suite, tests);
    return suite;
}
