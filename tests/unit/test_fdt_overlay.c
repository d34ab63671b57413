// SPDX-License-Identifier: Apache-2.0
/* Overlays on trees, made with libfdt. */
#include <libfdt.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "armlet/fdt_file.h"
#include "armlet/fdt_writer.h"
#include "fdt_fixture.h"

Suite *unit_suite(void);

/* An overlay that sets status = "disabled" in the node that the fragment is for. */
static void *make_overlay(const char *label, const char *path)
{
    void *fdt = empty_tree();
    int fragment = add_node(fdt, 0, "fragment@0");

    if (path)
        set_string(fdt, fragment, "target-path", path);
    if (label)
        ck_assert_int_eq(fdt_setprop_u32(fdt, fragment, "target", UINT32_MAX), 0);
    int overlay = add_node(fdt, fragment, "__overlay__");

    set_string(fdt, overlay, "status", "disabled");
    if (label) {
        int fixups = add_node(fdt, 0, "__fixups__");

        set_string(fdt, fixups, label, "/fragment@0:target:0");
    }
    (void)packed(fdt);
    return fdt;
}

START_TEST(overlay_by_path_and_by_label)
{
    for (int by_label = 0; by_label < 2; by_label++) {
        struct error error = {0};
        struct scratch scratch;
        size_t size_bytes;
        void *fdt = make_tree(by_label, &size_bytes);
        void *overlay = by_label ? make_overlay("uart", NULL) : make_overlay(NULL, "/uart@9000000");

        write_scratch(&scratch, overlay, fdt_totalsize(overlay));
        fdt = fdt_apply_overlay(fdt, &size_bytes, scratch.path, &error);
        ck_assert_msg(fdt != NULL, "%s", error.message);
        ck_assert_int_eq(fdt_check_full(fdt, size_bytes), 0);
        ck_assert_uint_eq(fdt_totalsize(fdt), size_bytes);
        ck_assert_str_eq(fdt_getprop(fdt, fdt_path_offset(fdt, "/uart@9000000"), "status", NULL),
                         "disabled");
        free(fdt);
        free(overlay);
        (void)unlink(scratch.path);
    }
}
END_TEST

/* Takes the overlay. */
static void expect_overlay_error(bool symbols, void *overlay, const char *part)
{
    struct error error = {0};
    size_t size_bytes;
    void *fdt = make_tree(symbols, &size_bytes);

    ck_assert_ptr_null(
        fdt_apply_overlay_bytes(fdt, &size_bytes, overlay, fdt_totalsize(overlay), &error));
    expect_error(&error, part);
    free(overlay);
}

START_TEST(overlay_errors_name_the_cause)
{
    void *overlay = make_overlay(NULL, NULL);
    int fragment = fdt_path_offset(overlay, "/fragment@0");

    expect_overlay_error(false, make_overlay("uart", NULL), "no labels (no /__symbols__)");
    expect_overlay_error(true, make_overlay("nobody", NULL), "label 'nobody'");
    expect_overlay_error(false, make_overlay(NULL, "/none"), "fragment@0 is for the node '/none'");
    expect_overlay_error(false, empty_tree(), "not an overlay");
    ck_assert_int_eq(fdt_open_into(overlay, overlay, TREE_BYTES), 0);
    ck_assert_int_eq(fdt_setprop_u32(overlay, fragment, "target", 0x77), 0);
    expect_overlay_error(false, overlay, "a node that the device tree does not have");
}
END_TEST

static void *add_to_overlay(const char *node, const char *name, const void *value, int length)
{
    void *overlay = make_overlay(NULL, "/uart@9000000");

    ck_assert_int_eq(fdt_open_into(overlay, overlay, TREE_BYTES), 0);
    ck_assert_int_eq(fdt_setprop(overlay, add_node(overlay, 0, node), name, value, length), 0);
    return overlay;
}

START_TEST(malformed_overlays_are_errors)
{
    size_t size_bytes;
    struct error error = {0};
    void *tree;
    void *overlay = add_to_overlay("__fixups__", "uart", "nonsense", 9);

    expect_overlay_error(true, overlay, "malformed");
    overlay = add_to_overlay("__local_fixups__", "absent", "\0\0\0\0", 4);
    expect_overlay_error(false, overlay, "malformed");
    overlay = add_to_overlay("node", "phandle", "\xff\xff\xff\xfd", 4);
    expect_overlay_error(true, overlay, "phandle");

    tree = make_tree(false, &size_bytes);
    ck_assert_ptr_null(fdt_apply_overlay_bytes(tree, &size_bytes, "junk", 4, &error));
    expect_error(&error, "bad magic");
    tree = make_tree(false, &size_bytes);
    ck_assert_ptr_null(fdt_apply_overlay(tree, &size_bytes, "/nonexistent.dtbo", &error));
    expect_error(&error, "overlay '/nonexistent.dtbo'");
}
END_TEST

/* Merged symbols carry the whole path of the target: more than the overlay's own size. */
START_TEST(merging_asks_for_more_room_when_it_needs_it)
{
    enum { LABELS = 100, OVERLAY_BYTES = 64 << 10 };
    struct error error = {0};
    size_t size_bytes;
    char long_name[200 + sizeof("/x")] = "/";
    char text[64];
    struct fdt_writer *writer = fdt_writer_create(TREE_BYTES, &error);

    memset(long_name + 1, 'n', sizeof(long_name) - sizeof("//x"));
    fdt_writer_enable_symbols(writer);
    fdt_node_begin(writer, long_name + 1);
    fdt_writer_label(writer, "target");
    fdt_node_end(writer);
    void *fdt = fdt_writer_finish(writer, &size_bytes, &error);
    void *overlay = malloc(OVERLAY_BYTES);
    void *small = make_overlay("target", NULL);

    ck_assert_ptr_nonnull(fdt);
    ck_assert_int_eq(fdt_open_into(small, overlay, OVERLAY_BYTES), 0);
    free(small);
    int symbols = add_node(overlay, 0, "__symbols__");

    for (unsigned i = 0; i < LABELS; i++) {
        (void)snprintf(text, sizeof(text), "l%u", i);
        set_string(overlay, symbols, text, "/fragment@0/__overlay__/x");
        symbols = fdt_path_offset(overlay, "/__symbols__");
    }
    fdt = fdt_apply_overlay_bytes(fdt, &size_bytes, overlay, packed(overlay), &error);
    ck_assert_msg(fdt != NULL, "%s", error.message);
    strcat(long_name, "/x");
    ck_assert_str_eq(fdt_getprop(fdt, fdt_path_offset(fdt, "/__symbols__"), "l99", NULL),
                     long_name);
    free(overlay);
    free(fdt);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("fdt_overlay");
    TCase *overlays = tcase_create("overlays");

    tcase_add_test(overlays, overlay_by_path_and_by_label);
    tcase_add_test(overlays, overlay_errors_name_the_cause);
    tcase_add_test(overlays, malformed_overlays_are_errors);
    tcase_add_test(overlays, merging_asks_for_more_room_when_it_needs_it);
    suite_add_tcase(suite, overlays);
    return suite;
}
