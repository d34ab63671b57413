// SPDX-License-Identifier: Apache-2.0
/* Trees and files to test the loading and changing of trees with. */
#ifndef TESTS_FDT_FIXTURE_H
#define TESTS_FDT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"

enum { TREE_BYTES = 4096 };

/* A file below /tmp that the test unlinks. */
struct scratch {
    char path[64];
};

void write_scratch(struct scratch *scratch, const void *data, size_t size_bytes);
/* ERROR_FILE with a message that has this part. */
void expect_error(const struct error *error, const char *part);

/* A tree with a UART labelled "uart" and memory, by the writer. */
void *make_tree(bool symbols, size_t *size_bytes);
/* TREE_BYTES of room for libfdt to work in; packed() gives up the rest and says what is left. */
void *empty_tree(void);
size_t packed(void *fdt);
void set_string(void *fdt, int node, const char *name, const char *value);
int add_node(void *fdt, int parent, const char *name);

#endif
