// SPDX-License-Identifier: Apache-2.0
/* Loading, changing and writing trees: made with libfdt or the writer, read back with libfdt. */
#include <libfdt.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "armlet/fdt_file.h"
#include "armlet/fdt_writer.h"
#include "fdt_fixture.h"

START_TEST(load_reads_a_tree_and_ignores_what_follows)
{
    struct error error = {0};
    struct scratch scratch;
    size_t size_bytes;
    size_t loaded_bytes = 0;
    void *fdt = make_tree(false, &size_bytes);
    uint8_t padded[TREE_BYTES] = {0};

    memcpy(padded, fdt, size_bytes);
    write_scratch(&scratch, padded, sizeof(padded));
    void *loaded = fdt_file_load(scratch.path, &loaded_bytes, &error);

    ck_assert_msg(loaded != NULL, "%s", error.message);
    ck_assert_uint_eq(loaded_bytes, size_bytes);
    ck_assert_mem_eq(loaded, fdt, size_bytes);
    free(loaded);
    free(fdt);
    (void)unlink(scratch.path);
}
END_TEST

START_TEST(load_reads_a_pipe)
{
    struct error error = {0};
    size_t size_bytes;
    size_t loaded_bytes = 0;
    void *fdt = make_tree(false, &size_bytes);
    int ends[2];
    char path[32];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], fdt, size_bytes), (ssize_t)size_bytes);
    ck_assert_int_eq(close(ends[1]), 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    void *loaded = fdt_file_load(path, &loaded_bytes, &error);

    ck_assert_msg(loaded != NULL, "%s", error.message);
    ck_assert_mem_eq(loaded, fdt, size_bytes);
    free(loaded);
    free(fdt);
    (void)close(ends[0]);
}
END_TEST

static void expect_load_error(const void *data, size_t size_bytes, const char *part)
{
    struct error error = {0};
    struct scratch scratch;
    size_t loaded_bytes;

    write_scratch(&scratch, data, size_bytes);
    ck_assert_ptr_null(fdt_file_load(scratch.path, &loaded_bytes, &error));
    expect_error(&error, part);
    expect_error(&error, scratch.path);
    (void)unlink(scratch.path);
}

START_TEST(load_says_what_a_foreign_file_is)
{
    static const char source[] = "// SPDX-License-Identifier: MIT\n/dts-v1/;\n/ { };\n";
    size_t size_bytes;
    uint8_t *fdt = make_tree(false, &size_bytes);

    expect_load_error("", 0, "empty");
    expect_load_error(source, sizeof(source) - 1, "source");
    expect_load_error("MZ", 2, "bad magic");
    expect_load_error("not a tree at all", 17, "bad magic");
    expect_load_error(fdt, 20, "truncated: 20 bytes");
    expect_load_error(fdt, size_bytes - 1, "truncated");
    fdt_set_totalsize(fdt, (uint32_t)FDT_FILE_MAX_BYTES + 1);
    uint8_t *large = calloc(1, (size_t)FDT_FILE_MAX_BYTES + 2);

    ck_assert_ptr_nonnull(large);
    memcpy(large, fdt, size_bytes);
    expect_load_error(large, (size_t)FDT_FILE_MAX_BYTES + 2, "more than");
    fdt_set_totalsize(fdt, (uint32_t)size_bytes);
    fdt_set_version(fdt, 3);
    expect_load_error(fdt, size_bytes, "version 3");
    fdt_set_version(fdt, 17);
    memset(fdt + fdt_off_dt_struct(fdt), 0xff, sizeof(uint32_t));
    expect_load_error(fdt, size_bytes, "damaged");
    free(large);
    free(fdt);
}
END_TEST

START_TEST(load_refuses_overlays)
{
    static const char *const fragments[] = {"fragment@0", "fragment@17", "fragment-uart"};
    struct error error = {0};
    struct scratch scratch;
    size_t loaded_bytes;
    void *fdt = NULL;

    for (size_t i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++) {
        fdt = empty_tree();
        (void)add_node(fdt, add_node(fdt, 0, fragments[i]), "__overlay__");
        expect_load_error(fdt, packed(fdt), "is an overlay: use --dtbo");
        free(fdt);
    }
    /* One whose only content is references. */
    fdt = empty_tree();
    set_string(fdt, add_node(fdt, 0, "__fixups__"), "uart", "/soc:interrupt-parent:0");
    expect_load_error(fdt, fdt_totalsize(fdt), "is an overlay: use --dtbo");

    /* A whole tree may have left one behind. */
    (void)add_node(fdt, 0, "cpus");
    (void)add_node(fdt, 0, "fragment@0");
    write_scratch(&scratch, fdt, packed(fdt));
    void *loaded = fdt_file_load(scratch.path, &loaded_bytes, &error);

    ck_assert_msg(loaded != NULL, "%s", error.message);
    free(loaded);
    free(fdt);
    (void)unlink(scratch.path);
}
END_TEST

START_TEST(check_refuses_a_large_total)
{
    struct error error = {0};
    size_t size_bytes;
    uint8_t *large = calloc(1, (size_t)FDT_FILE_MAX_BYTES + 2);
    void *fdt = make_tree(false, &size_bytes);

    memcpy(large, fdt, size_bytes);
    fdt_set_totalsize(large, (uint32_t)FDT_FILE_MAX_BYTES + 1);
    ck_assert(!fdt_check_bytes(large, (size_t)FDT_FILE_MAX_BYTES + 2, &size_bytes, &error));
    expect_error(&error, "more than");
    free(large);
    free(fdt);
}
END_TEST

START_TEST(load_reports_files_that_cannot_be_read)
{
    struct error error = {0};
    size_t size_bytes;

    ck_assert_ptr_null(fdt_file_load("/nonexistent/tree.dtb", &size_bytes, &error));
    expect_error(&error, "No such file");
    ck_assert_ptr_null(fdt_file_load("/", &size_bytes, &error));
    expect_error(&error, "Is a directory");
}
END_TEST

static uint64_t get_u64(const void *fdt, const char *path, const char *name)
{
    int length = 0;
    const fdt64_t *value = fdt_getprop(fdt, fdt_path_offset(fdt, path), name, &length);

    ck_assert_msg(value != NULL, "no %s in %s", name, path);
    ck_assert_int_eq(length, (int)sizeof(*value));
    return fdt64_ld(value);
}

START_TEST(chosen_is_added_and_changed)
{
    struct error error = {0};
    size_t size_bytes;
    int length;
    void *fdt = make_tree(false, &size_bytes);
    struct fdt_chosen chosen = {
        .bootargs = "console=ttyAMA0",
        .stdout_path = "/uart@9000000",
        .initrd_start = GPA(0x140000000),
        .initrd_bytes = 0x1234,
        .kaslr_seed = 0x0123456789abcdef,
        .rng_seed = {1, 2, 3},
    };

    ck_assert_msg(fdt_set_chosen(&fdt, &size_bytes, &chosen, &error), "%s", error.message);
    ck_assert_int_eq(fdt_check_full(fdt, size_bytes), 0);
    ck_assert_uint_eq(fdt_totalsize(fdt), size_bytes);
    int node = fdt_path_offset(fdt, "/chosen");

    ck_assert_str_eq(fdt_getprop(fdt, node, "bootargs", NULL), "console=ttyAMA0");
    ck_assert_str_eq(fdt_getprop(fdt, node, "stdout-path", NULL), "/uart@9000000");
    ck_assert_uint_eq(get_u64(fdt, "/chosen", "linux,initrd-start"), 0x140000000);
    ck_assert_uint_eq(get_u64(fdt, "/chosen", "linux,initrd-end"), 0x140001234);
    ck_assert_uint_eq(get_u64(fdt, "/chosen", "kaslr-seed"), 0x0123456789abcdef);
    ck_assert_mem_eq(fdt_getprop(fdt, node, "rng-seed", &length), chosen.rng_seed,
                     sizeof(chosen.rng_seed));
    ck_assert_int_eq(length, FDT_RNG_SEED_BYTES);

    chosen = (struct fdt_chosen){.bootargs = "a much longer command line than the first one"};
    ck_assert(fdt_set_chosen(&fdt, &size_bytes, &chosen, &error));
    node = fdt_path_offset(fdt, "/chosen");
    ck_assert_str_eq(fdt_getprop(fdt, node, "bootargs", NULL), chosen.bootargs);
    ck_assert_str_eq(fdt_getprop(fdt, node, "stdout-path", NULL), "/uart@9000000");
    ck_assert_ptr_null(fdt_getprop(fdt, node, "linux,initrd-start", NULL));
    ck_assert_ptr_null(fdt_getprop(fdt, node, "linux,initrd-end", NULL));
    ck_assert_ptr_nonnull(fdt_getprop(fdt, node, "rng-seed", NULL));
    free(fdt);
}
END_TEST

START_TEST(chosen_in_an_empty_tree)
{
    struct error error = {0};
    const struct fdt_chosen nothing = {0};
    void *fdt = empty_tree();
    size_t size_bytes = packed(fdt);

    ck_assert(fdt_set_chosen(&fdt, &size_bytes, &nothing, &error));
    int node = fdt_path_offset(fdt, "/chosen");

    ck_assert_int_ge(node, 0);
    ck_assert_int_eq(fdt_first_property_offset(fdt, node), -FDT_ERR_NOTFOUND);
    free(fdt);
}
END_TEST

START_TEST(damaged_trees_are_errors_not_crashes)
{
    struct error error = {0};
    const struct fdt_chosen chosen = {.bootargs = "x", .kaslr_seed = 1};
    size_t size_bytes;
    uint8_t *fdt = make_tree(false, &size_bytes);

    memset(fdt, 0, sizeof(uint32_t));
    ck_assert(!fdt_set_chosen((void **)&fdt, &size_bytes, &chosen, &error));
    expect_error(&error, "cannot change the device tree");
    free(fdt);

    fdt = make_tree(false, &size_bytes);
    memset(fdt + fdt_off_dt_struct(fdt) + 8, 0xff, sizeof(uint32_t));
    ck_assert(!fdt_set_chosen((void **)&fdt, &size_bytes, &chosen, &error));
    expect_error(&error, "chosen");
    free(fdt);
}
END_TEST

START_TEST(memory_node_is_changed_renamed_and_alone)
{
    struct error error = {0};
    size_t size_bytes;
    void *fdt = make_tree(false, &size_bytes);
    void *larger = calloc(1, TREE_BYTES);

    ck_assert_int_eq(fdt_open_into(fdt, larger, TREE_BYTES), 0);
    free(fdt);
    fdt = larger;
    int node = add_node(fdt, 0, "secram@e000000");

    set_string(fdt, node, "device_type", "memory");
    set_string(fdt, node, "status", "disabled");
    (void)add_node(fdt, 0, "memory@880000000");
    (void)add_node(fdt, 0, "memory-controller@1000");
    size_bytes = packed(fdt);
    ck_assert(fdt_set_memory(&fdt, &size_bytes, GPA(0x80000000), 0x180000000, &error));
    ck_assert_int_eq(fdt_check_full(fdt, size_bytes), 0);
    node = fdt_path_offset(fdt, "/memory@80000000");
    ck_assert_int_ge(node, 0);
    const fdt64_t *reg = fdt_getprop(fdt, node, "reg", NULL);

    ck_assert_uint_eq(fdt64_ld(&reg[0]), 0x80000000);
    ck_assert_uint_eq(fdt64_ld(&reg[1]), 0x180000000);
    ck_assert_str_eq(fdt_getprop(fdt, node, "device_type", NULL), "memory");
    ck_assert_int_lt(fdt_path_offset(fdt, "/memory@40000000"), 0);
    ck_assert_int_lt(fdt_path_offset(fdt, "/memory@880000000"), 0);
    ck_assert_int_ge(fdt_path_offset(fdt, "/secram@e000000"), 0);
    ck_assert_int_ge(fdt_path_offset(fdt, "/memory-controller@1000"), 0);
    free(fdt);
}
END_TEST

static void *tree_with_cells(uint32_t address_cells, uint32_t size_cells, size_t *size_bytes)
{
    void *fdt = empty_tree();

    ck_assert_int_eq(fdt_setprop_u32(fdt, 0, "#address-cells", address_cells), 0);
    ck_assert_int_eq(fdt_setprop_u32(fdt, 0, "#size-cells", size_cells), 0);
    *size_bytes = packed(fdt);
    return fdt;
}

START_TEST(memory_honours_the_cells)
{
    struct error error = {0};
    size_t size_bytes;
    int length;

    for (uint32_t cells = 1; cells <= 2; cells++) {
        void *fdt = tree_with_cells(cells, 3 - cells, &size_bytes);

        ck_assert(fdt_set_memory(&fdt, &size_bytes, GPA(0x40000000), 0x8000000, &error));
        int node = fdt_path_offset(fdt, "/memory@40000000");
        const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

        ck_assert_int_eq(length, 3 * (int)sizeof(*reg));
        ck_assert_uint_eq(fdt32_to_cpu(reg[cells - 1]), 0x40000000);
        ck_assert_uint_eq(fdt32_to_cpu(reg[2]), 0x8000000);
        free(fdt);
    }
}
END_TEST

START_TEST(memory_that_the_cells_cannot_hold_is_an_error)
{
    struct error error = {0};
    size_t size_bytes;
    void *fdt = tree_with_cells(1, 1, &size_bytes);

    ck_assert(!fdt_set_memory(&fdt, &size_bytes, GPA(0x40000000), 0x100000000, &error));
    expect_error(&error, "need 2");
    ck_assert(!fdt_set_memory(&fdt, &size_bytes, GPA(0x100000000), 0x1000, &error));
    expect_error(&error, "need 2");
    free(fdt);
    fdt = tree_with_cells(3, 2, &size_bytes);
    ck_assert(!fdt_set_memory(&fdt, &size_bytes, GPA(0x40000000), 0x1000, &error));
    expect_error(&error, "#address-cells 3");
    free(fdt);
    fdt = tree_with_cells(2, 0, &size_bytes);
    ck_assert(!fdt_set_memory(&fdt, &size_bytes, GPA(0x40000000), 0x1000, &error));
    expect_error(&error, "#size-cells 0");
    memset(fdt, 0, sizeof(uint32_t));
    ck_assert(!fdt_set_memory(&fdt, &size_bytes, GPA(0x40000000), 0x1000, &error));
    free(fdt);
}
END_TEST

START_TEST(write_makes_and_truncates_files)
{
    struct error error = {0};
    struct scratch scratch;
    size_t size_bytes;
    size_t loaded_bytes;
    void *fdt = make_tree(false, &size_bytes);
    struct stat status;
    uint8_t large[TREE_BYTES] = {0};

    write_scratch(&scratch, large, sizeof(large));
    ck_assert(fdt_write_file(scratch.path, fdt, size_bytes, &error));
    ck_assert_int_eq(stat(scratch.path, &status), 0);
    ck_assert_int_eq(status.st_size, (off_t)size_bytes);
    void *loaded = fdt_file_load(scratch.path, &loaded_bytes, &error);

    ck_assert_ptr_nonnull(loaded);
    ck_assert_mem_eq(loaded, fdt, size_bytes);
    free(loaded);
    free(fdt);
    (void)unlink(scratch.path);
}
END_TEST

static mode_t mode_of(const char *path)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_mode & (mode_t)~S_IFMT;
}

/* The seeds in /chosen are for the guest alone. */
START_TEST(only_the_owner_reads_what_is_made)
{
    struct error error = {0};
    struct scratch scratch;
    mode_t mask = umask(0);

    write_scratch(&scratch, "", 0);
    ck_assert_int_eq(unlink(scratch.path), 0);
    ck_assert(fdt_write_file(scratch.path, "tree", 4, &error));
    ck_assert_uint_eq(mode_of(scratch.path), 0600);

    ck_assert_int_eq(chmod(scratch.path, 0640), 0);
    ck_assert(fdt_write_file(scratch.path, "tree", 4, &error));
    ck_assert_uint_eq(mode_of(scratch.path), 0640);
    (void)umask(mask);
    (void)unlink(scratch.path);
}
END_TEST

START_TEST(write_to_standard_output)
{
    struct error error = {0};
    size_t size_bytes;
    void *fdt = make_tree(false, &size_bytes);
    uint8_t read_back[TREE_BYTES];
    int ends[2];
    int saved = dup(STDOUT_FILENO);

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDOUT_FILENO), 0);
    bool good = fdt_write_file("-", fdt, size_bytes, &error);

    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    ck_assert(good);
    ck_assert_int_eq(read(ends[0], read_back, sizeof(read_back)), (ssize_t)size_bytes);
    ck_assert_mem_eq(read_back, fdt, size_bytes);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(saved);
    free(fdt);
}
END_TEST

START_TEST(write_reports_failures)
{
    struct error error = {0};

    ck_assert(!fdt_write_file("/nonexistent/out.dtb", "tree", 4, &error));
    expect_error(&error, "device tree '/nonexistent/out.dtb': cannot create");
    ck_assert(!fdt_write_file("/dev/full", "tree", 4, &error));
    expect_error(&error, "No space left");
}
END_TEST

static TCase *load_cases(void)
{
    TCase *load = tcase_create("load and write");

    tcase_add_test(load, load_reads_a_tree_and_ignores_what_follows);
    tcase_add_test(load, load_reads_a_pipe);
    tcase_add_test(load, load_says_what_a_foreign_file_is);
    tcase_add_test(load, load_refuses_overlays);
    tcase_add_test(load, check_refuses_a_large_total);
    tcase_add_test(load, load_reports_files_that_cannot_be_read);
    tcase_add_test(load, write_makes_and_truncates_files);
    tcase_add_test(load, only_the_owner_reads_what_is_made);
    tcase_add_test(load, write_to_standard_output);
    tcase_add_test(load, write_reports_failures);
    return load;
}

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("fdt_file");
    TCase *edit = tcase_create("chosen, memory");

    tcase_add_test(edit, chosen_is_added_and_changed);
    tcase_add_test(edit, chosen_in_an_empty_tree);
    tcase_add_test(edit, damaged_trees_are_errors_not_crashes);
    tcase_add_test(edit, memory_node_is_changed_renamed_and_alone);
    tcase_add_test(edit, memory_honours_the_cells);
    tcase_add_test(edit, memory_that_the_cells_cannot_hold_is_an_error);
    suite_add_tcase(suite, load_cases());
    suite_add_tcase(suite, edit);
    return suite;
}
