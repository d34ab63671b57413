// SPDX-License-Identifier: Apache-2.0
/* Pictures, JSON and figures as text: what must be in them, and that any text can be. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "json.h"
#include "svg.h"

Suite *unit_suite(void);

static char *text;
static size_t text_bytes;
static FILE *out;

static void setup(void)
{
    out = open_memstream(&text, &text_bytes);
    ck_assert_ptr_nonnull(out);
}

static void teardown(void)
{
    (void)fclose(out);
    free(text);
}

static const char *written(void)
{
    (void)fflush(out);
    return text;
}

static unsigned count_of(const char *word)
{
    unsigned count = 0;

    for (const char *at = written(); (at = strstr(at, word)); at++)
        count++;
    return count;
}

static void draw(const char *label, const struct histogram *histograms, size_t count)
{
    struct svg_row rows[4];

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct svg_row){label, &histograms[i]};
    const struct svg_panel panels[] = {{"Panel", rows, count}, {"Another", rows, 1}};
    svg_write(out, &(struct svg_picture){"Title", "Subtitle", 16, panels, 2});
}

START_TEST(a_picture_has_its_rows)
{
    static struct histogram histograms[3];

    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_record(&histograms[0], 10 * i);
        histogram_record(&histograms[2], i * i);
    }
    draw("mmio", histograms, 3); /* one of them is empty */
    ck_assert_ptr_eq(strstr(written(), "<svg "), text);
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme:dark"));
    ck_assert_ptr_nonnull(strstr(text, ">Title</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">Subtitle</text>"));
    ck_assert_uint_eq(count_of(">mmio</text>"), 3);
    ck_assert_uint_eq(count_of("<path class=\"shape"), 3);
    ck_assert_ptr_nonnull(strstr(text, ">80.9 \u00b5s</text>")); /* 16 ns by 5 000, within 1.6 % */
    ck_assert_ptr_nonnull(strstr(text, ">16.0 ms</text>"));      /* 16 ns by 1 000 000 */
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "inf"));
}
END_TEST

START_TEST(any_numbers_can_be_drawn)
{
    static struct histogram histograms[4];

    histogram_record(&histograms[1], 0);
    histogram_record(&histograms[2], UINT64_MAX);
    for (unsigned i = 0; i < 50; i++)
        histogram_record(&histograms[3], 7);
    draw("x", histograms, 4);
    draw("x", &histograms[3], 1); /* an axis of one number */
    draw("x", histograms, 1);     /* and of none */
    ck_assert_uint_eq(count_of("</svg>"), 3);
    ck_assert_ptr_null(strstr(written(), "nan"));
    ck_assert_ptr_null(strstr(written(), "inf"));
}
END_TEST

START_TEST(any_text_can_be_in_a_picture)
{
    static struct histogram histogram;

    histogram_record(&histogram, 1);
    draw("<a> & \x01\"b\"", &histogram, 1);
    ck_assert_ptr_nonnull(strstr(written(), "&lt;a&gt; &amp;  \"b\"</text>"));
}
END_TEST

START_TEST(times_have_three_digits)
{
    static const struct {
        double ns;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1.5, "1.50 ns"},
        {16, "16.0 ns"},
        {999.4, "999 ns"},
        {999.6, "1.00 \u00b5s"},
        {12345, "12.3 \u00b5s"},
        {99949, "99.9 \u00b5s"},
        {99951, "100 \u00b5s"},
        {2.5e6, "2.50 ms"},
        {1e9, "1.00 s"},
        {3.6e12, "3600 s"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char formatted[FIGURE_TIME_BYTES];

        figure_ns(rows[i].ns, formatted);
        ck_assert_str_eq(formatted, rows[i].text);
    }
}
END_TEST

START_TEST(counts_are_grouped)
{
    static const struct {
        uint64_t count;
        const char *text;
    } rows[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {UINT64_MAX, "18,446,744,073,709,551,615"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char formatted[FIGURE_COUNT_BYTES];

        figure_count(rows[i].count, formatted);
        ck_assert_str_eq(formatted, rows[i].text);
    }
}
END_TEST

START_TEST(json_is_nested_and_quoted)
{
    struct json json = json_begin(out);

    json_open(&json, NULL, '{');
    json_number(&json, "number", UINT64_MAX);
    json_real(&json, "real", 0.25);
    json_open(&json, "list", '[');
    json_bool(&json, NULL, true);
    json_string(&json, NULL, "a\"b\\\n\xff");
    json_string(&json, NULL, NULL);
    json_close(&json, ']');
    json_open(&json, "empty", '{');
    json_close(&json, '}');
    json_close(&json, '}');
    ck_assert_str_eq(written(), "{\n"
                                "  \"number\": 18446744073709551615,\n"
                                "  \"real\": 0.25,\n"
                                "  \"list\": [\n"
                                "    true,\n"
                                "    \"a\\\"b\\\\\\u000a\\ufffd\",\n"
                                "    null\n"
                                "  ],\n"
                                "  \"empty\": {}\n"
                                "}\n");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("svg");
    TCase *tests = tcase_create("svg");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_picture_has_its_rows);
    tcase_add_test(tests, any_numbers_can_be_drawn);
    tcase_add_test(tests, any_text_can_be_in_a_picture);
    tcase_add_test(tests, times_have_three_digits);
    tcase_add_test(tests, counts_are_grouped);
    tcase_add_test(tests, json_is_nested_and_quoted);
    suite_add_tcase(suite, tests);
    return suite;
}
