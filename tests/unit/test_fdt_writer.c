// SPDX-License-Identifier: Apache-2.0
/* The writer's trees, read back with libfdt. */
#include <libfdt.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/fdt_writer.h"

enum { CAPACITY = 8192 };

static void *finish(struct fdt_writer *writer)
{
    struct error error = {0};
    size_t size_bytes = 0;
    void *fdt = fdt_writer_finish(writer, &size_bytes, &error);

    ck_assert_msg(fdt != NULL, "%s", error.message);
    ck_assert_int_eq(fdt_check_full(fdt, size_bytes), 0);
    ck_assert_uint_eq(fdt_totalsize(fdt), size_bytes);
    return fdt;
}

static struct fdt_writer *create(size_t capacity)
{
    struct error error = {0};
    struct fdt_writer *writer = fdt_writer_create(capacity, &error);

    ck_assert_ptr_nonnull(writer);
    return writer;
}

static void expect_failure(struct fdt_writer *writer, const char *part)
{
    struct error error = {0};
    size_t size_bytes = 0;

    ck_assert_ptr_null(fdt_writer_finish(writer, &size_bytes, &error));
    ck_assert_int_eq(error.code, ERROR_INTERNAL);
    ck_assert_msg(strstr(error.message, part) != NULL, "'%s' is not in '%s'", part, error.message);
}

static uint32_t cell(const void *fdt, int node, const char *name, size_t index)
{
    int length;
    const fdt32_t *cells = fdt_getprop(fdt, node, name, &length);

    ck_assert_msg(cells != NULL, "no property %s", name);
    ck_assert_uint_gt((size_t)length / sizeof(*cells), index);
    return fdt32_to_cpu(cells[index]);
}

START_TEST(root_has_what_the_contract_says)
{
    void *fdt = finish(create(CAPACITY));

    ck_assert_uint_eq(cell(fdt, 0, "#address-cells", 0), 2);
    ck_assert_uint_eq(cell(fdt, 0, "#size-cells", 0), 2);
    ck_assert_uint_eq(cell(fdt, 0, "interrupt-parent", 0), FDT_PHANDLE_GIC);
    ck_assert_int_eq(fdt_num_mem_rsv(fdt), 0);
    ck_assert_int_lt(fdt_path_offset(fdt, "/__symbols__"), 0);
    free(fdt);
}
END_TEST

START_TEST(every_kind_of_property_reads_back)
{
    struct fdt_writer *writer = create(CAPACITY);
    const uint32_t cells[] = {1, 0xfedcba98};
    int length;

    fdt_node_begin(writer, "node");
    fdt_prop_empty(writer, "empty");
    fdt_prop_u32(writer, "u32", 0x12345678);
    fdt_prop_u64(writer, "u64", 0x123456789abcdef0);
    fdt_prop_cells(writer, "cells", cells, 2);
    fdt_prop_string(writer, "string", "text");
    FDT_PROP_STRINGS(writer, "list", "one\0two");
    fdt_prop_bytes(writer, "bytes", "abc", 3);
    fdt_prop_bytes(writer, "no-bytes", NULL, 0);
    fdt_prop_reg(writer, GPA(0x140000000), 0x280000000);
    fdt_prop_spi(writer, 7, FDT_IRQ_EDGE_RISING);
    fdt_node_end(writer);
    void *fdt = finish(writer);
    int node = fdt_path_offset(fdt, "/node");

    ck_assert_int_ge(node, 0);
    ck_assert_ptr_nonnull(fdt_getprop(fdt, node, "empty", &length));
    ck_assert_int_eq(length, 0);
    ck_assert_ptr_nonnull(fdt_getprop(fdt, node, "no-bytes", &length));
    ck_assert_int_eq(length, 0);
    ck_assert_uint_eq(cell(fdt, node, "u32", 0), 0x12345678);
    ck_assert_uint_eq(cell(fdt, node, "u64", 0), 0x12345678);
    ck_assert_uint_eq(cell(fdt, node, "u64", 1), 0x9abcdef0);
    ck_assert_uint_eq(cell(fdt, node, "cells", 1), 0xfedcba98);
    ck_assert_str_eq(fdt_getprop(fdt, node, "string", NULL), "text");
    ck_assert_int_eq(fdt_stringlist_search(fdt, node, "list", "two"), 1);
    ck_assert_int_eq(fdt_stringlist_count(fdt, node, "list"), 2);
    ck_assert_mem_eq(fdt_getprop(fdt, node, "bytes", &length), "abc", 3);
    ck_assert_int_eq(length, 3);
    ck_assert_uint_eq(cell(fdt, node, "reg", 0), 1);
    ck_assert_uint_eq(cell(fdt, node, "reg", 1), 0x40000000);
    ck_assert_uint_eq(cell(fdt, node, "reg", 2), 2);
    ck_assert_uint_eq(cell(fdt, node, "reg", 3), 0x80000000);
    ck_assert_uint_eq(cell(fdt, node, "interrupts", 0), FDT_IRQ_SPI);
    ck_assert_uint_eq(cell(fdt, node, "interrupts", 1), 7);
    ck_assert_uint_eq(cell(fdt, node, "interrupts", 2), FDT_IRQ_EDGE_RISING);
    free(fdt);
}
END_TEST

START_TEST(unit_addresses_are_plain_hexadecimal)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_node_begin_at(writer, "a", 0);
    fdt_node_end(writer);
    fdt_node_begin_at(writer, "b", 0x9000000);
    fdt_node_begin_at(writer, "c", UINT64_MAX);
    fdt_node_end(writer);
    fdt_node_end(writer);
    fdt_node_begin_at(writer, "d", 0x100000000);
    fdt_node_end(writer);
    void *fdt = finish(writer);

    ck_assert_int_ge(fdt_path_offset(fdt, "/a@0"), 0);
    ck_assert_int_ge(fdt_path_offset(fdt, "/b@9000000/c@ffffffffffffffff"), 0);
    ck_assert_int_ge(fdt_path_offset(fdt, "/d@100000000"), 0);
    free(fdt);
}
END_TEST

/* 300 nodes with two names each, and 200 different names: more than are remembered. */
START_TEST(names_are_stored_once_and_many_names_work)
{
    enum { NODES = 300, NAMES = 200 };
    struct fdt_writer *writer = create(64 << 10);
    char name[16];

    for (unsigned i = 0; i < NODES; i++) {
        fdt_node_begin_at(writer, "node", i);
        fdt_prop_u32(writer, "a-long-shared-name", i);
        fdt_prop_u32(writer, "another", i);
        fdt_node_end(writer);
    }
    fdt_node_begin(writer, "names");
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "name%u", i);
        fdt_prop_u32(writer, name, i);
    }
    fdt_node_end(writer);
    void *fdt = finish(writer);

    ck_assert_uint_lt(fdt_size_dt_strings(fdt), 2000);
    for (unsigned i = 0; i < NODES; i++) {
        (void)snprintf(name, sizeof(name), "/node@%x", i);
        int node = fdt_path_offset(fdt, name);

        ck_assert_uint_eq(cell(fdt, node, "a-long-shared-name", 0), i);
        ck_assert_uint_eq(cell(fdt, node, "another", 0), i);
    }
    int names = fdt_path_offset(fdt, "/names");

    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "name%u", i);
        ck_assert_uint_eq(cell(fdt, names, name, 0), i);
    }
    free(fdt);
}
END_TEST

START_TEST(labels_make_symbols_and_phandles)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_writer_enable_symbols(writer);
    fdt_writer_label(writer, "root");
    fdt_node_begin_at(writer, "intc", 0x8000000);
    fdt_writer_label(writer, "gic");
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_GIC);
    fdt_node_begin(writer, "its");
    fdt_writer_label(writer, "its");
    fdt_prop_empty(writer, "msi-controller");
    fdt_node_end(writer);
    fdt_node_end(writer);
    fdt_node_begin(writer, "bus");
    fdt_writer_label(writer, "bus");
    fdt_node_begin(writer, "unlabelled");
    fdt_node_end(writer);
    fdt_node_end(writer);
    void *fdt = finish(writer);
    int symbols = fdt_path_offset(fdt, "/__symbols__");

    ck_assert_str_eq(fdt_getprop(fdt, symbols, "root", NULL), "/");
    ck_assert_str_eq(fdt_getprop(fdt, symbols, "gic", NULL), "/intc@8000000");
    ck_assert_str_eq(fdt_getprop(fdt, symbols, "its", NULL), "/intc@8000000/its");
    ck_assert_str_eq(fdt_getprop(fdt, symbols, "bus", NULL), "/bus");
    ck_assert_uint_eq(fdt_get_phandle(fdt, fdt_path_offset(fdt, "/intc@8000000")), FDT_PHANDLE_GIC);
    ck_assert_uint_eq(fdt_get_phandle(fdt, 0), FDT_PHANDLE_AUTOMATIC);
    ck_assert_uint_eq(fdt_get_phandle(fdt, fdt_path_offset(fdt, "/intc@8000000/its")),
                      FDT_PHANDLE_AUTOMATIC + 1);
    ck_assert_uint_eq(fdt_get_phandle(fdt, fdt_path_offset(fdt, "/bus")),
                      FDT_PHANDLE_AUTOMATIC + 2);
    ck_assert_uint_eq(fdt_get_phandle(fdt, fdt_path_offset(fdt, "/bus/unlabelled")), 0);
    free(fdt);
}
END_TEST

START_TEST(many_labels_outgrow_the_capacity)
{
    enum { NODES = 200 };
    struct fdt_writer *writer = create(CAPACITY);
    char label[16];

    fdt_writer_enable_symbols(writer);
    for (unsigned i = 0; i < NODES; i++) {
        (void)snprintf(label, sizeof(label), "a_node_%u", i);
        fdt_node_begin_at(writer, "n", i);
        fdt_writer_label(writer, label);
        fdt_node_end(writer);
    }
    void *fdt = finish(writer);
    int symbols = fdt_path_offset(fdt, "/__symbols__");

    ck_assert_uint_gt(fdt_totalsize(fdt), CAPACITY);
    ck_assert_str_eq(fdt_getprop(fdt, symbols, "a_node_0", NULL), "/n@0");
    ck_assert_str_eq(fdt_getprop(fdt, symbols, "a_node_199", NULL), "/n@c7");
    free(fdt);
}
END_TEST

START_TEST(labels_cost_nothing_without_symbols)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_node_begin(writer, "node");
    fdt_writer_label(writer, "label");
    fdt_writer_label(writer, "label");
    fdt_node_end(writer);
    void *fdt = finish(writer);

    ck_assert_int_lt(fdt_path_offset(fdt, "/__symbols__"), 0);
    ck_assert_uint_eq(fdt_get_phandle(fdt, fdt_path_offset(fdt, "/node")), 0);
    free(fdt);
}
END_TEST

START_TEST(first_error_sticks_and_says_where)
{
    struct fdt_writer *writer = create(512);
    const uint8_t large[512] = {0};

    fdt_node_begin(writer, "first");
    fdt_prop_bytes(writer, "large", large, sizeof(large));
    fdt_prop_u32(writer, "later", 1);
    fdt_node_end(writer);
    fdt_node_end(writer);
    fdt_node_end(writer);
    expect_failure(writer, "/first/large: FDT_ERR_NOSPACE");
}
END_TEST

START_TEST(too_small_for_anything)
{
    expect_failure(create(0), "NOSPACE");
    expect_failure(create(64), "NOSPACE");
    expect_failure(create(128), "NOSPACE");
}
END_TEST

START_TEST(a_tree_fits_exactly_or_fails)
{
    size_t capacity = 0;
    struct error error = {0};
    void *fdt = NULL;

    while (!fdt) {
        struct fdt_writer *writer = create(capacity += 8);
        size_t size_bytes = 0;

        fdt_node_begin_at(writer, "node", 1);
        fdt_prop_string(writer, "name", "value");
        fdt_node_end(writer);
        fdt = fdt_writer_finish(writer, &size_bytes, &error);
        ck_assert_uint_lt(capacity, CAPACITY);
    }
    ck_assert_uint_le(fdt_totalsize(fdt), capacity);
    free(fdt);
}
END_TEST

START_TEST(a_value_larger_than_any_tree_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_prop_bytes(writer, "huge", "", (size_t)UINT32_MAX + 2);
    expect_failure(writer, "/huge: FDT_ERR_NOSPACE");
}
END_TEST

START_TEST(property_after_subnode_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_node_begin(writer, "node");
    fdt_node_end(writer);
    fdt_prop_u32(writer, "late", 1);
    expect_failure(writer, "/late: FDT_ERR_BADLAYOUT");
}
END_TEST

START_TEST(label_after_subnode_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_writer_enable_symbols(writer);
    fdt_node_begin(writer, "node");
    fdt_node_end(writer);
    fdt_writer_label(writer, "late");
    expect_failure(writer, "/late: FDT_ERR_BADLAYOUT");
}
END_TEST

START_TEST(second_use_of_a_label_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_writer_enable_symbols(writer);
    fdt_node_begin(writer, "node");
    fdt_writer_label(writer, "one");
    fdt_writer_label(writer, "two");
    fdt_writer_label(writer, "one");
    fdt_node_end(writer);
    expect_failure(writer, "/node/one: FDT_ERR_EXISTS");
}
END_TEST

START_TEST(node_that_is_not_ended_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_node_begin(writer, "open");
    expect_failure(writer, "/open/");
}
END_TEST

START_TEST(end_of_the_root_fails)
{
    struct fdt_writer *writer = create(CAPACITY);

    fdt_node_end(writer);
    expect_failure(writer, "FDT_ERR_BADSTATE");
}
END_TEST

START_TEST(overlong_names_fail)
{
    char name[300];
    struct fdt_writer *writer = create(CAPACITY);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fdt_node_begin(writer, name);
    expect_failure(writer, "FDT_ERR_NOSPACE");

    writer = create(CAPACITY);
    fdt_node_begin_at(writer, name, 0);
    expect_failure(writer, "FDT_ERR_BADVALUE");
}
END_TEST

START_TEST(node_that_does_not_fit_fails)
{
    struct fdt_writer *writer = create(256);
    char name[128];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fdt_node_begin(writer, name);
    expect_failure(writer, "FDT_ERR_NOSPACE");
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("fdt_writer");
    TCase *good = tcase_create("trees");
    TCase *bad = tcase_create("errors");

    tcase_add_test(good, root_has_what_the_contract_says);
    tcase_add_test(good, every_kind_of_property_reads_back);
    tcase_add_test(good, unit_addresses_are_plain_hexadecimal);
    tcase_add_test(good, names_are_stored_once_and_many_names_work);
    tcase_add_test(good, labels_make_symbols_and_phandles);
    tcase_add_test(good, many_labels_outgrow_the_capacity);
    tcase_add_test(good, labels_cost_nothing_without_symbols);
    tcase_add_test(bad, first_error_sticks_and_says_where);
    tcase_add_test(bad, too_small_for_anything);
    tcase_add_test(bad, a_tree_fits_exactly_or_fails);
    tcase_add_test(bad, a_value_larger_than_any_tree_fails);
    tcase_add_test(bad, property_after_subnode_fails);
    tcase_add_test(bad, label_after_subnode_fails);
    tcase_add_test(bad, second_use_of_a_label_fails);
    tcase_add_test(bad, node_that_is_not_ended_fails);
    tcase_add_test(bad, end_of_the_root_fails);
    tcase_add_test(bad, overlong_names_fail);
    tcase_add_test(bad, node_that_does_not_fit_fails);
    suite_add_tcase(suite, good);
    suite_add_tcase(suite, bad);
    return suite;
}
