// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options_suggest.h"
#include "options_value.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MIB             (UINT64_C(1) << 20)
#define GIB             (UINT64_C(1) << 30)
#define SECOND_NS       UINT64_C(1000000000)

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"512M", 512 * MIB},
        {"2G", 2 * GIB},
        {"1.5G", 1536 * MIB},
        {"1T", 1024 * GIB},
        {"256MiB", 256 * MIB},
        {"256mb", 256 * MIB},
        {"64k", 65536},
        {"3gib", 3 * GIB},
        {"512", 512 * MIB},
        {"0.5", MIB / 2},
        {"0", 0},
        {"007M", 7 * MIB},
        {"0.000001K", 1},
        {"1.000001K", 1025},
        {"16777215T", UINT64_MAX - (1ULL << 40) + 1},
    };
    static const char *const wrong[] = {"",       "M",   "10X", "-1M",        "+1M",  "1.M",
                                        ".5G",    " 1M", "1 M", "1M ",        "0x10", "1e3",
                                        "1.5.5G", "1MM", "1Mi", "1.1234567G", "1,5G"};
    struct error error;
    uint64_t bytes = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(options_parse_size(cases[i].text, &bytes, &error), "%s", cases[i].text);
        ck_assert_uint_eq(bytes, cases[i].bytes);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ck_assert_msg(!options_parse_size(wrong[i], &bytes, &error), "'%s'", wrong[i]);
        ck_assert_str_eq(error.message, "not a size: write it like 512M or 2G");
    }
    ck_assert(!options_parse_size("16777216T", &bytes, &error));
    ck_assert_str_eq(error.message, "too large for a size");
    ck_assert(!options_parse_size("18446744073709551616K", &bytes, &error));
    ck_assert_str_eq(error.message, "too large for a size");
}
END_TEST

START_TEST(sizes_are_written_in_the_largest_unit)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{2 * GIB, "2G"},
                 {1536 * MIB, "1536M"},
                 {1024 * GIB, "1T"},
                 {65536, "64K"},
                 {0, "0 bytes"},
                 {1, "1 bytes"},
                 {UINT64_MAX, "18446744073709551615 bytes"}};
    char text[SIZE_TEXT_BYTES];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        options_format_size(cases[i].bytes, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"30s", 30 * SECOND_NS},
        {"500ms", SECOND_NS / 2},
        {"2m", 120 * SECOND_NS},
        {"1h", 3600 * SECOND_NS},
        {"7", 7 * SECOND_NS},
        {"0.25", SECOND_NS / 4},
        {"1.5M", 90 * SECOND_NS},
        {"10us", 10000},
        {"3ns", 3},
        {"0.1ns", 1},
        {"0", 0},
    };
    static const char *const wrong[] = {"", "s", "-1s", "1 s", "1d", "1min", "1.s", "inf"};
    static const char *const too_long[] = {"9223372037s", "5124096h", "99999999999999999999ns"};
    struct error error;
    uint64_t ns = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(options_parse_duration(cases[i].text, &ns, &error), "%s", cases[i].text);
        ck_assert_uint_eq(ns, cases[i].ns);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ck_assert_msg(!options_parse_duration(wrong[i], &ns, &error), "'%s'", wrong[i]);
        ck_assert_ptr_nonnull(strstr(error.message, "not a time"));
    }
    for (size_t i = 0; i < COUNT_OF(too_long); i++) {
        ck_assert_msg(!options_parse_duration(too_long[i], &ns, &error), "'%s'", too_long[i]);
        ck_assert_str_eq(error.message, "too long a time");
    }
}
END_TEST

START_TEST(cpu_lists)
{
    static const int expected[] = {7, 2, 3, 4, 0, 0};
    static const struct {
        const char *text;
        const char *message;
    } wrong[] = {
        {"", "not a list of CPUs"},          {",", "not a list of CPUs"},
        {"1,", "not a list of CPUs"},        {"1-", "not a list of CPUs"},
        {"-1", "not a list of CPUs"},        {"1-2-3", "not a list of CPUs"},
        {"1 2", "not a list of CPUs"},       {"3-1", "write 1-3"},
        {"4096", "a CPU above 4095"},        {"0-4096", "a CPU above 4095"},
        {"99999999999999999999", "above"},   {"0-99999999999999999999", "above"},
        {"0-4095,0", "more than 4096 CPUs"},
    };
    struct error error;
    int *cpus = NULL;
    size_t count = 0;

    ck_assert(options_parse_cpu_list("7,2-4,0,0", &cpus, &count, &error));
    ck_assert_uint_eq(count, COUNT_OF(expected));
    ck_assert_mem_eq(cpus, expected, sizeof(expected));
    free(cpus);
    ck_assert(options_parse_cpu_list("0-4095", &cpus, &count, &error));
    ck_assert_uint_eq(count, CPU_LIST_COUNT_MAX);
    ck_assert_int_eq(cpus[HOST_CPU_MAX], HOST_CPU_MAX);
    free(cpus);

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ck_assert_msg(!options_parse_cpu_list(wrong[i].text, &cpus, &count, &error), "'%s'",
                      wrong[i].text);
        ck_assert_msg(strstr(error.message, wrong[i].message) != NULL, "'%s': %s", wrong[i].text,
                      error.message);
    }
}
END_TEST

START_TEST(suggestions_are_near)
{
    static const struct {
        const char *word;
        const char *best;
    } cases[] = {
        {"memory", "memory"},
        {"memroy", "memory"},
        {"mem", "memory"},
        {"memory-back", "memory-backing"},
        {"cpsu", "cpus"},
        {"dbt", "dtb"},
        {"KERNEL", "kernel"},
        {"kernal", "kernel"},
        {"xernel", "kernel"},
        {"k", NULL},
        {"", NULL},
        {"zzzzzz", NULL},
        {"memory-backing-of-many-many-letters", NULL},
    };
    static const char *const candidates[] = {"memory", "memory-backing",
                                             "cpus",   "dtb",
                                             "kernel", "a-candidate-that-is-longer-than-any-word"};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct suggestion suggestion;
        suggestion_init(&suggestion, cases[i].word, strlen(cases[i].word));
        for (size_t j = 0; j < COUNT_OF(candidates); j++)
            suggestion_offer(&suggestion, candidates[j]);
        ck_assert_pstr_eq(suggestion.best, cases[i].best);
    }
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options_value");
    TCase *values = tcase_create("options_value");

    tcase_add_test(values, sizes);
    tcase_add_test(values, sizes_are_written_in_the_largest_unit);
    tcase_add_test(values, durations);
    tcase_add_test(values, cpu_lists);
    tcase_add_test(values, suggestions_are_near);
    suite_add_tcase(suite, values);
    return suite;
}
