// SPDX-License-Identifier: Apache-2.0
/* What `armlet bench` makes of figures: statistics, the guest's lines, tables, JSON, verdicts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guest_lines.h"
#include "bench/print.h"

Suite *unit_suite(void);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define EXACT           1e-9

static struct bench_report *report;
static struct guest_lines lines;
static struct guest_line line;
static struct error error;

static void setup(void)
{
    error = (struct error){0};
    report = bench_report_create(&error);
    ck_assert_ptr_nonnull(report);
    report->vmm = "armlet test";
    report->runs = 100;
    lines = (struct guest_lines){.report = report};
}

static void teardown(void)
{
    bench_report_destroy(report);
}

static void set(struct bench_report *to, enum bench_id id, uint64_t first, size_t count)
{
    uint64_t samples[1000];

    ck_assert_uint_le(count, COUNT_OF(samples));
    for (size_t i = 0; i < count; i++)
        samples[i] = first + (i * 7) % count; /* out of order, each once if 7 doesn't divide */
    ck_assert(bench_set_samples(to, id, samples, count, 1, &error));
}

/* Takes the lines; the last one's kind is in `line`. */
static void take(const char *text)
{
    ck_assert_msg(guest_lines_take(&lines, text, &line, &error), "%s", error.message);
}

/* What a function writes. */
static char *written(void (*write)(FILE *out, const struct bench_report *report))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    write(out, report);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void assert_contains(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
}

/* ---- statistics ---- */

START_TEST(quantiles_are_values_that_were_seen)
{
    const struct bench_result *result = &report->results[BENCH_HVC];

    set(report, BENCH_HVC, 1, 100);
    ck_assert_double_eq(bench_quantile(result, 0), 1);
    ck_assert_double_eq(bench_quantile(result, 0.5), 50);
    ck_assert_double_eq(bench_quantile(result, 0.99), 99);
    ck_assert_double_eq(bench_quantile(result, 0.999), 100);
    ck_assert_double_eq(bench_quantile(result, 1), 100);
    ck_assert_double_eq_tol(bench_mean(result), 50.5, EXACT);
    ck_assert_uint_eq(result->samples, 100);
}
END_TEST

START_TEST(equal_samples_are_one_point)
{
    const uint64_t samples[] = {30, 10, 30, 30};
    const struct bench_result *result = &report->results[BENCH_EOI];

    ck_assert(bench_set_samples(report, BENCH_EOI, samples, COUNT_OF(samples), 10, &error));
    ck_assert_uint_eq(result->point_count, 2);
    ck_assert_double_eq(result->points[0].value, 1);
    ck_assert_uint_eq(result->points[1].count, 3);
    ck_assert_uint_eq(result->operations, 10);
}
END_TEST

START_TEST(one_sample_is_every_quantile)
{
    const struct bench_result *result = &report->results[BENCH_EXEC];

    set(report, BENCH_EXEC, 42, 1);
    ck_assert_double_eq(bench_quantile(result, 0), 42);
    ck_assert_double_eq(bench_quantile(result, 0.999), 42);
    struct bench_interval interval = bench_median_interval(result);
    ck_assert_double_eq(interval.low, 42);
    ck_assert_double_eq(interval.high, 42);
}
END_TEST

START_TEST(no_samples_are_an_error)
{
    ck_assert(!bench_set_points(report, BENCH_HVC, NULL, 0, 1, &error));
    ck_assert_int_eq(error.code, ERROR_INTERNAL);
    ck_assert(!bench_is_measured(&report->results[BENCH_HVC]));
}
END_TEST

START_TEST(more_samples_tell_the_median_better)
{
    set(report, BENCH_HVC, 1, 16);
    set(report, BENCH_EOI, 1, 400);
    struct bench_interval few = bench_median_interval(&report->results[BENCH_HVC]);
    struct bench_interval many = bench_median_interval(&report->results[BENCH_EOI]);
    ck_assert_double_eq(few.low, 2);
    ck_assert_double_eq(few.high, 15);
    ck_assert_double_eq(many.low, 174);
    ck_assert_double_eq(many.high, 227);
}
END_TEST

START_TEST(ratios_are_to_the_floor_of_the_same_kind)
{
    set(report, BENCH_FLOOR_READ, 100, 1);
    set(report, BENCH_MMIO_READ_4, 110, 1);
    set(report, BENCH_MMIO_WRITE_4, 110, 1);
    set(report, BENCH_EXEC_MEMORY, 110, 1);
    ck_assert_double_eq_tol(bench_ratio(report, BENCH_MMIO_READ_4), 1.1, EXACT);
    ck_assert_double_eq(bench_ratio(report, BENCH_MMIO_WRITE_4), 0); /* floor-write is missing */
    ck_assert_double_eq(bench_ratio(report, BENCH_HVC), 0);
    ck_assert_double_eq(bench_ratio(report, BENCH_EXEC_MEMORY), 0);
}
END_TEST

START_TEST(names_are_found_and_none_is_there_twice)
{
    for (size_t id = 0; id < BENCH_COUNT; id++) {
        const char *name = bench_catalogue[id].name;
        ck_assert_int_eq(bench_find(name, strlen(name)), (enum bench_id)id);
        ck_assert_uint_gt(strlen(bench_catalogue[id].what), 0);
    }
    ck_assert_int_eq(bench_find("hv", 2), BENCH_COUNT);
    ck_assert_int_eq(bench_find("", 0), BENCH_COUNT);
}
END_TEST

/* ---- the guest's lines ---- */

START_TEST(a_run_of_the_guest)
{
    take("anything before");
    take("bench: begin 1 62500000");
    take("bench: clock 2500 40000 5000 80000 5001 80000");
    ck_assert(report->counted);
    take("bench: run hvc");
    ck_assert_int_eq(line.kind, GUEST_LINE_RUN);
    ck_assert_int_eq(line.id, BENCH_HVC);
    take("bench: result hvc 100 8306*7 9000*1");
    ck_assert_double_eq_tol(bench_quantile(&report->results[BENCH_HVC], 0.5), 1328.96, EXACT);
    ck_assert_uint_eq(report->results[BENCH_HVC].samples, 8);
    take("bench: skip lpi the device tree has no ITS");
    ck_assert_str_eq(report->results[BENCH_LPI].skipped, "the device tree has no ITS");
    take("bench: input 16");
    ck_assert_int_eq(line.kind, GUEST_LINE_INPUT);
    ck_assert_uint_eq(line.characters, 16);
    take("................");
    ck_assert(!lines.ended);
    take("bench: end");
    ck_assert(lines.ended);
}
END_TEST

START_TEST(a_clock_that_takes_time_does_not_count)
{
    take("bench: begin 1 1000000000");
    take("bench: clock 13333 40000 53333 80000 200000 80000");
    ck_assert(!report->counted);
    take("bench: clock 40000 40000 80000 80000 80000 80000");
    ck_assert(report->counted);
    take("bench: clock");
    ck_assert(!report->counted);
}
END_TEST

START_TEST(lines_that_make_no_sense)
{
    static const char *const wrong[] = {
        "bench: begin",
        "bench: begin 2 62500000",
        "bench: begin 1 0",
        "bench: clock 1",
        "bench: clock 1 x",
        "bench: result",
        "bench: result nothing 1 2*1",
        "bench: result hvc 0 2*1",
        "bench: result hvc 99999999999 2*1",
        "bench: result hvc 1",
        "bench: result hvc 1 2",
        "bench: result hvc 1 *2",
        "bench: result hvc 1 2*0",
        "bench: result hvc 1 2*99999999999999999999999",
        "bench: skip hvc",
        "bench: skip nothing because",
        "bench: input",
        "bench: input 5000",
        "bench: run nothing",
        "bench: ended",
        "bench: ",
    };

    take("bench: begin 1 62500000");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        error = (struct error){0};
        ck_assert_msg(!guest_lines_take(&lines, wrong[i], &line, &error), "%s", wrong[i]);
        ck_assert_int_eq(error.code, ERROR_GUEST);
        assert_contains(error.message, wrong[i]);
    }
    ck_assert(!lines.ended);
}
END_TEST

START_TEST(nothing_counts_before_the_beginning)
{
    ck_assert(!guest_lines_take(&lines, "bench: result hvc 1 2*1", &line, &error));
    ck_assert(!bench_is_measured(&report->results[BENCH_HVC]));
}
END_TEST

/* ---- tables ---- */

START_TEST(a_table_has_what_was_measured_and_why_the_rest_was_not)
{
    set(report, BENCH_FLOOR_READ, 1000, 1);
    set(report, BENCH_MMIO_READ_4, 1100, 1);
    set(report, BENCH_EXEC_MEMORY, 4096, 1);
    bench_skip(report, BENCH_LPI, "no ITS");
    report->facts[report->fact_count++] = (struct bench_fact){"kernel", "Linux 9"};
    char *text = written(bench_print_table);
    assert_contains(text, "kernel            Linux 9\n");
    assert_contains(text, "mmio-read-4             1100       1100       1100       1100       "
                          "1100     1.100  ns\n");
    assert_contains(text, "4096            bytes\n");
    assert_contains(text, "Not measured:\nlpi               no ITS\n");
    ck_assert_ptr_null(strstr(text, "hvc"));
    ck_assert_ptr_null(strstr(text, "counts"));
    free(text);
    report->counted = true;
    text = written(bench_print_table);
    assert_contains(text, "1.100  instructions\n");
    free(text);
}
END_TEST

static void write_list(FILE *out, const struct bench_report *unused)
{
    (void)unused;
    bench_print_list(out);
}

START_TEST(a_list_has_every_benchmark)
{
    char *text = written(write_list);

    for (size_t id = 0; id < BENCH_COUNT; id++)
        assert_contains(text, bench_catalogue[id].what);
    free(text);
}
END_TEST

static void write_picture(FILE *out, const struct bench_report *of)
{
    ck_assert(bench_write_picture(out, of, &error));
}

START_TEST(a_picture_has_a_row_for_each)
{
    report->counted = true;
    report->facts[report->fact_count++] = (struct bench_fact){"kernel", "Linux 9"};
    set(report, BENCH_HVC, 100, 10);
    set(report, BENCH_EXEC_MEMORY, 100, 1);
    char *text = written(write_picture);
    assert_contains(text, "<svg");
    assert_contains(text, "hvc");
    assert_contains(text, "armlet test, unknown, Linux 9. Counted");
    ck_assert_ptr_null(strstr(text, "sysreg"));
    ck_assert_ptr_null(strstr(text, "exec-memory"));
    free(text);
}
END_TEST

/* ---- JSON ---- */

START_TEST(json_comes_back_as_it_was)
{
    report->counted = true;
    report->vmm = "a \"VMM\" \\ with\tall";
    report->facts[report->fact_count++] = (struct bench_fact){"kernel", "Linux 9"};
    set(report, BENCH_FLOOR_READ, 1000, 10);
    set(report, BENCH_MMIO_READ_4, 1100, 100);
    bench_skip(report, BENCH_LPI, "no ITS");
    char *text = written(bench_print_json);
    struct bench_report *other = bench_read_json("it", text, &error);
    ck_assert_msg(other != NULL, "%s", error.message);
    ck_assert_str_eq(other->vmm, "a \"VMM\" \\ with?all");
    ck_assert(other->counted);
    ck_assert_uint_eq(other->runs, report->runs);
    ck_assert_uint_eq(other->fact_count, 1);
    ck_assert_str_eq(other->facts[0].name, "kernel");
    ck_assert_str_eq(other->facts[0].value, "Linux 9");
    ck_assert_str_eq(other->results[BENCH_LPI].skipped, "no ITS");
    ck_assert(!other->results[BENCH_HVC].chosen);
    for (size_t id = 0; id < BENCH_COUNT; id++) {
        const struct bench_result *a = &report->results[id];
        const struct bench_result *b = &other->results[id];
        ck_assert_uint_eq(a->point_count, b->point_count);
        ck_assert_uint_eq(a->samples, b->samples);
        for (size_t i = 0; i < a->point_count; i++)
            ck_assert_double_eq_tol(a->points[i].value, b->points[i].value, 1e-5);
    }
    bench_report_destroy(other);
    free(text);
}
END_TEST

START_TEST(json_of_others_is_passed_over)
{
    static const char text[] =
        " {\"later\": {\"a\": [1, {}, [], \"\\u00e9\", true, null]}, \"armlet_bench\": 1,\n"
        "\"benchmarks\": [{\"name\": \"of-tomorrow\", \"distribution\": [[1, 1]]},"
        "{\"distribution\": [[2.5e1, 3]], \"more\": -1, \"name\": \"hvc\"}], \"counted\": false}\n";
    struct bench_report *other = bench_read_json("it", text, &error);

    ck_assert_msg(other != NULL, "%s", error.message);
    ck_assert_double_eq(bench_quantile(&other->results[BENCH_HVC], 0.5), 25);
    ck_assert_str_eq(other->vmm, "unknown");
    bench_report_destroy(other);
}
END_TEST

START_TEST(what_is_no_report_is_refused)
{
    static const struct {
        const char *text;
        const char *message;
    } wrong[] = {
        {"", "line 1: an object is missing"},
        {"[]", "an object is missing"},
        {"{}", "no report"},
        {"{\"armlet_bench\": 2}", "no report"},
        {"{\"armlet_bench\": 1} x", "something follows"},
        {"{\"armlet_bench\": \"1\"}", "a number is missing"},
        {"{\"armlet_bench\": 0}", "out of range"},
        {"{\"armlet_bench\" 1}", "a ':' is missing"},
        {"{\"armlet_bench\": 1", "a '}' is missing"},
        {"{1: 1}", "a string is missing"},
        {"{\"x", "a string has no end"},
        {"{\"x\\", "a string has no end"},
        {"{\"vmm\": 1}", "a string is missing"},
        {"{\"runs\": -1}", "out of range"},
        {"{\"runs\": 1e99}", "out of range"},
        {"{\"host\": {\"a\": 1}}", "a string is missing"},
        {"{\"a\":\n1,\n\"b\": }", "line 3"},
        {"{\"counted\": }", "a value is missing"},
        {"{\"benchmarks\": {}}", "an array is missing"},
        {"{\"benchmarks\": [{\"distribution\": [1]}]}", "made of [value, count]"},
        {"{\"benchmarks\": [{\"distribution\": [[1, 0]]}]}", "made of [value, count]"},
        {"{\"benchmarks\": [{}", "a ']' is missing"},
        {"{\"x\": [[[[[[[[[[[[[[[[[[[[[[", "nested too deeply"},
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        error = (struct error){0};
        ck_assert_msg(!bench_read_json("it", wrong[i].text, &error), "%s", wrong[i].text);
        ck_assert_int_eq(error.code, ERROR_FILE);
        assert_contains(error.message, "'it'");
        assert_contains(error.message, wrong[i].message);
    }
}
END_TEST

/* ---- two reports ---- */

static struct bench_report *other;

static void set_up_two(void)
{
    setup();
    other = bench_report_create(&error);
    other->vmm = "armlet after";
}

static void tear_down_two(void)
{
    bench_report_destroy(other);
    teardown();
}

START_TEST(a_verdict_knows_noise)
{
    /* The same 2% between medians: within the noise, and not. */
    set(report, BENCH_HVC, 1000, 200);
    set(other, BENCH_HVC, 1022, 200);
    ck_assert_int_eq(bench_judge(report, other, BENCH_HVC), BENCH_SAME);
    set(report, BENCH_EOI, 1000, 2);
    set(other, BENCH_EOI, 1022, 2);
    ck_assert_int_eq(bench_judge(report, other, BENCH_EOI), BENCH_WORSE);
    ck_assert_int_eq(bench_judge(other, report, BENCH_EOI), BENCH_BETTER);
    /* Certain, and too little to matter. */
    set(report, BENCH_LPI, 10000, 1);
    set(other, BENCH_LPI, 10050, 1);
    ck_assert_int_eq(bench_judge(report, other, BENCH_LPI), BENCH_SAME);
    ck_assert_int_eq(bench_judge(other, report, BENCH_LPI), BENCH_SAME);
}
END_TEST

static size_t worse;

static void write_comparison(FILE *out, const struct bench_report *before)
{
    worse = bench_print_comparison(out, before, other);
}

START_TEST(counts_are_no_noise)
{
    const uint64_t before[] = {1000, 1000, 1300};
    const uint64_t after[] = {1040, 1040, 1000};
    const uint64_t grain[] = {1030, 1030, 1000};

    report->counted = true;
    ck_assert(bench_set_samples(report, BENCH_HVC, before, 3, 1, &error));
    ck_assert(bench_set_samples(other, BENCH_HVC, after, 3, 1, &error));
    ck_assert_int_eq(bench_judge(report, other, BENCH_HVC), BENCH_SAME);
    other->counted = true;
    ck_assert_int_eq(bench_judge(report, other, BENCH_HVC), BENCH_WORSE);
    ck_assert_int_eq(bench_judge(other, report, BENCH_HVC), BENCH_BETTER);
    /* Two ticks of the counter; of ten operations they would be more. */
    ck_assert(bench_set_samples(other, BENCH_HVC, grain, 3, 1, &error));
    ck_assert_int_eq(bench_judge(report, other, BENCH_HVC), BENCH_SAME);
    report->results[BENCH_HVC].operations = other->results[BENCH_HVC].operations = 10;
    ck_assert_int_eq(bench_judge(report, other, BENCH_HVC), BENCH_WORSE);
}
END_TEST

START_TEST(a_comparison_says_what_became_of_each)
{
    set(report, BENCH_HVC, 100, 1);
    set(other, BENCH_HVC, 110, 1);
    set(report, BENCH_EOI, 100, 1);
    set(other, BENCH_EOI, 50, 1);
    set(report, BENCH_LPI, 100, 1);
    set(other, BENCH_SYSREG, 100, 1);
    report->facts[report->fact_count++] = (struct bench_fact){"kernel", "Linux 9"};
    other->facts[other->fact_count++] = (struct bench_fact){"kernel", "Linux 10"};
    report->facts[report->fact_count++] = (struct bench_fact){BENCH_FACT_LOAD, "1"};
    other->counted = true;
    char *text = written(write_comparison);
    ck_assert_uint_eq(worse, 1);
    assert_contains(text, "The hosts differ: kernel: Linux 9, then Linux 10\n");
    assert_contains(text, "one counts instructions");
    ck_assert_ptr_null(strstr(text, "load"));
    assert_contains(text, "hvc                    100.0      110.0    +10.0%  WORSE\n");
    assert_contains(text, "eoi                    100.0       50.0    -50.0%  better\n");
    assert_contains(text, "lpi                    100.0          -            not measured any");
    assert_contains(text, "sysreg                     -      100.0            new\n");
    ck_assert_ptr_null(strstr(text, "sgi"));
    free(text);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *one = tcase_create("one report");
    TCase *two = tcase_create("two reports");

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_test(one, quantiles_are_values_that_were_seen);
    tcase_add_test(one, equal_samples_are_one_point);
    tcase_add_test(one, one_sample_is_every_quantile);
    tcase_add_test(one, no_samples_are_an_error);
    tcase_add_test(one, more_samples_tell_the_median_better);
    tcase_add_test(one, ratios_are_to_the_floor_of_the_same_kind);
    tcase_add_test(one, names_are_found_and_none_is_there_twice);
    tcase_add_test(one, a_run_of_the_guest);
    tcase_add_test(one, a_clock_that_takes_time_does_not_count);
    tcase_add_test(one, lines_that_make_no_sense);
    tcase_add_test(one, nothing_counts_before_the_beginning);
    tcase_add_test(one, a_table_has_what_was_measured_and_why_the_rest_was_not);
    tcase_add_test(one, a_list_has_every_benchmark);
    tcase_add_test(one, a_picture_has_a_row_for_each);
    tcase_add_test(one, json_comes_back_as_it_was);
    tcase_add_test(one, json_of_others_is_passed_over);
    tcase_add_test(one, what_is_no_report_is_refused);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, set_up_two, tear_down_two);
    tcase_add_test(two, a_verdict_knows_noise);
    tcase_add_test(two, counts_are_no_noise);
    tcase_add_test(two, a_comparison_says_what_became_of_each);
    suite_add_tcase(suite, two);
    return suite;
}
