// SPDX-License-Identifier: Apache-2.0
#include "fdt_fixture.h"

#include <libfdt.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "armlet/fdt_writer.h"

void write_scratch(struct scratch *scratch, const void *data, size_t size_bytes)
{
    (void)snprintf(scratch->path, sizeof(scratch->path), "/tmp/test_fdt_file.XXXXXX");
    int fd = mkstemp(scratch->path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size_bytes), (ssize_t)size_bytes);
    ck_assert_int_eq(close(fd), 0);
}

void expect_error(const struct error *error, const char *part)
{
    ck_assert_int_eq(error->code, ERROR_FILE);
    ck_assert_msg(strstr(error->message, part) != NULL, "'%s' is not in '%s'", part,
                  error->message);
}

/* A tree with a UART labelled "uart" and memory, by the writer. */
void *make_tree(bool symbols, size_t *size_bytes)
{
    struct error error = {0};
    struct fdt_writer *writer = fdt_writer_create(TREE_BYTES, &error);

    ck_assert_ptr_nonnull(writer);
    if (symbols)
        fdt_writer_enable_symbols(writer);
    fdt_node_begin_at(writer, "memory", 0x40000000);
    fdt_prop_string(writer, "device_type", "memory");
    fdt_prop_reg(writer, GPA(0x40000000), 0x10000000);
    fdt_node_end(writer);
    fdt_node_begin_at(writer, "uart", 0x9000000);
    fdt_writer_label(writer, "uart");
    fdt_prop_string(writer, "status", "okay");
    fdt_node_end(writer);
    void *fdt = fdt_writer_finish(writer, size_bytes, &error);

    ck_assert_ptr_nonnull(fdt);
    return fdt;
}

void *empty_tree(void)
{
    void *fdt = malloc(TREE_BYTES);

    ck_assert_ptr_nonnull(fdt);
    ck_assert_int_eq(fdt_create_empty_tree(fdt, TREE_BYTES), 0);
    return fdt;
}

size_t packed(void *fdt)
{
    ck_assert_int_eq(fdt_pack(fdt), 0);
    return fdt_totalsize(fdt);
}

void set_string(void *fdt, int node, const char *name, const char *value)
{
    ck_assert_int_eq(fdt_setprop(fdt, node, name, value, (int)strlen(value) + 1), 0);
}

int add_node(void *fdt, int parent, const char *name)
{
    int node = fdt_add_subnode(fdt, parent, name);

    ck_assert_int_ge(node, 0);
    return node;
}
