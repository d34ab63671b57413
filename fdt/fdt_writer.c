// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/fdt_writer.h"

enum {
    PATH_BYTES = 256,
    PROPERTY_NAME_BYTES = 32, /* Devicetree Specification, 2.2.4.1: 31 characters at most */
    NODE_NAME_BYTES = 64,     /* room for 31 characters, '@' and 16 digits */
    NAME_SLOTS = 128,         /* a power of two, about twice the names that a tree uses */
    LABELS_FIRST_BYTES = 4096,
    CELL_BITS = 32,
    DIGIT_BITS = 4,
    ADDRESS_DIGITS = 16,
};

/* "label\0path\0" of every label, in the order they were set. */
struct label_list {
    char *text;
    size_t used_bytes;
    size_t capacity_bytes;
    size_t count;
};

/* Stands behind the tree's bytes in the one block that is allocated. */
struct fdt_writer {
    void *tree;
    size_t capacity_bytes;
    int status; /* of the first libfdt call that failed, or 0 */
    unsigned depth;
    bool symbols;
    bool subnodes; /* the open node has some, so that its properties are complete */
    bool labelled; /* the open node has a label ... */
    bool phandle;  /* ... and a phandle */
    uint32_t next_phandle;
    struct label_list labels;
    char failed_name[PROPERTY_NAME_BYTES]; /* what the first failing call was to add */
    size_t path_length;
    char path[PATH_BYTES];     /* of the open node; "" is the root */
    int32_t names[NAME_SLOTS]; /* offsets of property names, negative; 0 is a free slot */
};

static void fail(struct fdt_writer *writer, int status, const char *name)
{
    if (writer->status)
        return;
    writer->status = status;
    (void)snprintf(writer->failed_name, sizeof(writer->failed_name), "%s", name);
}

static uint32_t hash_name(const char *name)
{
    const uint32_t offset_basis = 2166136261;
    const uint32_t prime = 16777619; /* FNV-1a */
    uint32_t hash = offset_basis;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * prime;
    return hash ^ (hash >> 16);
}

/*
 * libfdt looks a property's name up by comparing it at every byte of the strings block, which is
 * most of the cost of a tree. So it is told not to; here a name that a former property has already
 * added is taken off the end of the block again, and the former used. (While a tree is written,
 * names have negative offsets from the block's end; fdt_finish() turns them round.)
 */
static void share_name(struct fdt_writer *writer, void *value, uint32_t strings_before)
{
    struct fdt_property *property =
        (struct fdt_property *)((char *)value - offsetof(struct fdt_property, data));
    const char *strings_end = (const char *)writer->tree + writer->capacity_bytes;
    int32_t offset = (int32_t)fdt32_to_cpu(property->nameoff);
    uint32_t first = hash_name(strings_end + offset);

    for (uint32_t i = 0; i < NAME_SLOTS; i++) {
        int32_t *slot = &writer->names[(first + i) % NAME_SLOTS];

        if (*slot == 0) {
            *slot = offset;
            return;
        }
        if (strcmp(strings_end + *slot, strings_end + offset) == 0) {
            property->nameoff = cpu_to_fdt32((uint32_t)*slot);
            fdt_set_size_dt_strings(writer->tree, strings_before);
            return;
        }
    }
}

/* The place for a property's value, to be filled in; NULL if the writer has failed. */
static void *add_property(struct fdt_writer *writer, const char *name, size_t size_bytes)
{
    void *value = NULL;

    if (writer->status)
        return NULL;
    if (writer->subnodes) {
        fail(writer, -FDT_ERR_BADLAYOUT, name);
        return NULL;
    }
    if (size_bytes > writer->capacity_bytes) {
        fail(writer, -FDT_ERR_NOSPACE, name);
        return NULL;
    }
    uint32_t strings_before = fdt_size_dt_strings(writer->tree);
    int status = fdt_property_placeholder(writer->tree, name, (int)size_bytes, &value);

    if (status) {
        fail(writer, status, name);
        return NULL;
    }
    share_name(writer, value, strings_before);
    if (writer->symbols && strcmp(name, "phandle") == 0)
        writer->phandle = true;
    return value;
}

void fdt_prop_bytes(struct fdt_writer *writer, const char *name, const void *data,
                    size_t size_bytes)
{
    void *value = add_property(writer, name, size_bytes);

    if (value && size_bytes > 0)
        memcpy(value, data, size_bytes);
}

void fdt_prop_empty(struct fdt_writer *writer, const char *name)
{
    (void)add_property(writer, name, 0);
}

void fdt_prop_cells(struct fdt_writer *writer, const char *name, const uint32_t *cells,
                    size_t cell_count)
{
    fdt32_t *value = add_property(writer, name, cell_count * sizeof(*value));

    for (size_t i = 0; value && i < cell_count; i++)
        value[i] = cpu_to_fdt32(cells[i]);
}

void fdt_prop_u32(struct fdt_writer *writer, const char *name, uint32_t value)
{
    fdt_prop_cells(writer, name, &value, 1);
}

void fdt_prop_u64(struct fdt_writer *writer, const char *name, uint64_t value)
{
    const uint32_t cells[] = {(uint32_t)(value >> CELL_BITS), (uint32_t)value};

    fdt_prop_cells(writer, name, cells, sizeof(cells) / sizeof(cells[0]));
}

void fdt_prop_string(struct fdt_writer *writer, const char *name, const char *value)
{
    fdt_prop_bytes(writer, name, value, strlen(value) + 1);
}

void fdt_prop_reg(struct fdt_writer *writer, gpa_t base, uint64_t size_bytes)
{
    const uint32_t cells[] = {(uint32_t)(base.value >> CELL_BITS), (uint32_t)base.value,
                              (uint32_t)(size_bytes >> CELL_BITS), (uint32_t)size_bytes};

    fdt_prop_cells(writer, "reg", cells, sizeof(cells) / sizeof(cells[0]));
}

void fdt_prop_spi(struct fdt_writer *writer, uint32_t spi, enum fdt_irq_flags flags)
{
    const uint32_t cells[] = {FDT_IRQ_SPI, spi, (uint32_t)flags};

    fdt_prop_cells(writer, "interrupts", cells, sizeof(cells) / sizeof(cells[0]));
}

/* The open node gets a subnode or ends: the last moment for a property. */
static void complete_properties(struct fdt_writer *writer)
{
    if (writer->labelled && !writer->phandle)
        fdt_prop_u32(writer, "phandle", writer->next_phandle++);
    writer->labelled = false;
}

void fdt_node_begin(struct fdt_writer *writer, const char *name)
{
    size_t length = strlen(name);

    complete_properties(writer);
    if (writer->status)
        return;
    if (length + 1 >= sizeof(writer->path) - writer->path_length) {
        fail(writer, -FDT_ERR_NOSPACE, name);
        return;
    }
    int status = fdt_begin_node(writer->tree, name);

    if (status) {
        fail(writer, status, name);
        return;
    }
    writer->path[writer->path_length] = '/';
    memcpy(writer->path + writer->path_length + 1, name, length + 1);
    writer->path_length += length + 1;
    writer->depth++;
    writer->subnodes = false;
    writer->phandle = false;
}

void fdt_node_begin_at(struct fdt_writer *writer, const char *name, uint64_t unit_address)
{
    char full_name[NODE_NAME_BYTES];
    size_t length = strlen(name);
    unsigned digits = 1;

    if (length + 1 + ADDRESS_DIGITS + 1 > sizeof(full_name)) {
        fail(writer, -FDT_ERR_BADVALUE, name);
        return;
    }
    while (digits < ADDRESS_DIGITS && unit_address >> (digits * DIGIT_BITS) != 0)
        digits++;
    memcpy(full_name, name, length);
    full_name[length++] = '@';
    while (digits-- > 0)
        full_name[length++] = "0123456789abcdef"[(unit_address >> (digits * DIGIT_BITS)) & 0xf];
    full_name[length] = '\0';
    fdt_node_begin(writer, full_name);
}

void fdt_node_end(struct fdt_writer *writer)
{
    complete_properties(writer);
    if (writer->status)
        return;
    if (writer->depth == 0) {
        fail(writer, -FDT_ERR_BADSTATE, "end of the root");
        return;
    }
    int status = fdt_end_node(writer->tree);

    if (status) {
        fail(writer, status, "end");
        return;
    }
    writer->path_length = (size_t)(strrchr(writer->path, '/') - writer->path);
    writer->path[writer->path_length] = '\0';
    writer->depth--;
    writer->subnodes = true;
}

void fdt_writer_enable_symbols(struct fdt_writer *writer)
{
    writer->symbols = true;
}

static bool has_label(const struct label_list *labels, const char *label)
{
    for (const char *at = labels->text; at < labels->text + labels->used_bytes;) {
        if (strcmp(at, label) == 0)
            return true;
        at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
    return false;
}

static bool reserve_label(struct label_list *labels, size_t size_bytes)
{
    size_t capacity = labels->capacity_bytes ? labels->capacity_bytes : LABELS_FIRST_BYTES;

    while (capacity - labels->used_bytes < size_bytes)
        capacity *= 2;
    if (capacity == labels->capacity_bytes)
        return true;
    char *text = realloc(labels->text, capacity);

    if (!text)
        return false;
    labels->text = text;
    labels->capacity_bytes = capacity;
    return true;
}

void fdt_writer_label(struct fdt_writer *writer, const char *label)
{
    struct label_list *labels = &writer->labels;
    const char *path = writer->depth ? writer->path : "/";
    size_t label_bytes = strlen(label) + 1;
    size_t path_bytes = strlen(path) + 1;

    if (!writer->symbols || writer->status)
        return;
    if (writer->subnodes) {
        fail(writer, -FDT_ERR_BADLAYOUT, label);
        return;
    }
    if (labels->count > 0 && has_label(labels, label)) {
        fail(writer, -FDT_ERR_EXISTS, label);
        return;
    }
    if (!reserve_label(labels, label_bytes + path_bytes)) {
        fail(writer, -FDT_ERR_NOSPACE, label);
        return;
    }
    memcpy(labels->text + labels->used_bytes, label, label_bytes);
    memcpy(labels->text + labels->used_bytes + label_bytes, path, path_bytes);
    labels->used_bytes += label_bytes + path_bytes;
    labels->count++;
    writer->labelled = true;
}

static void begin_root(struct fdt_writer *writer)
{
    int status = fdt_create_with_flags(writer->tree, (int)writer->capacity_bytes,
                                       FDT_CREATE_FLAG_NO_NAME_DEDUP);

    if (!status)
        status = fdt_finish_reservemap(writer->tree);
    if (!status)
        status = fdt_begin_node(writer->tree, "");
    if (status)
        fail(writer, status, "root");
    fdt_prop_u32(writer, "#address-cells", 2);
    fdt_prop_u32(writer, "#size-cells", 2);
    fdt_prop_u32(writer, "interrupt-parent", FDT_PHANDLE_GIC);
}

struct fdt_writer *fdt_writer_create(size_t capacity_bytes, struct error *error)
{
    const size_t alignment = _Alignof(struct fdt_writer);

    assert(capacity_bytes <= INT32_MAX);
    capacity_bytes = (capacity_bytes + alignment - 1) / alignment * alignment;
    /* Zeroes, for libfdt leaves the padding of names and values as it is. */
    char *block = calloc(1, capacity_bytes + sizeof(struct fdt_writer));

    if (!block) {
        error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the device tree");
        return NULL;
    }
    struct fdt_writer *writer = (void *)(block + capacity_bytes);

    writer->tree = block;
    writer->capacity_bytes = capacity_bytes;
    writer->next_phandle = FDT_PHANDLE_AUTOMATIC;
    begin_root(writer);
    return writer;
}

/* Moves the tree, alone, to a block with room for /__symbols__. */
static void make_room_for_symbols(struct fdt_writer *writer)
{
    const size_t node_bytes = 64; /* the node's own tags and name */
    const size_t per_label = sizeof(struct fdt_property) + 2 * FDT_TAGSIZE; /* with padding */
    size_t capacity = writer->capacity_bytes + node_bytes + writer->labels.used_bytes +
                      writer->labels.count * per_label;
    void *tree = capacity <= INT32_MAX ? calloc(1, capacity) : NULL;
    int status = tree ? fdt_resize(writer->tree, tree, (int)capacity) : -FDT_ERR_NOSPACE;

    if (status) {
        free(tree);
        fail(writer, status, "__symbols__");
        return;
    }
    free(writer->tree);
    writer->tree = tree;
    writer->capacity_bytes = capacity;
}

static void add_symbols(struct fdt_writer *writer)
{
    const struct label_list *labels = &writer->labels;

    fdt_node_begin(writer, "__symbols__");
    for (const char *at = labels->text; at < labels->text + labels->used_bytes;) {
        const char *path = at + strlen(at) + 1;

        fdt_prop_string(writer, at, path);
        at = path + strlen(path) + 1;
    }
    fdt_node_end(writer);
}

static void end_root(struct fdt_writer *writer)
{
    complete_properties(writer);
    if (writer->depth != 0)
        fail(writer, -FDT_ERR_BADSTATE, "a node that was not ended");
    if (writer->labels.count > 0 && !writer->status)
        make_room_for_symbols(writer);
    if (writer->labels.count > 0 && !writer->status)
        add_symbols(writer);
    if (!writer->status)
        fail(writer, fdt_end_node(writer->tree), "root");
    if (!writer->status)
        fail(writer, fdt_finish(writer->tree), "end");
}

void *fdt_writer_finish(struct fdt_writer *writer, size_t *size_bytes, struct error *error)
{
    /* The writer is inside the block that the tree may have to move out of. */
    struct fdt_writer last = *writer;

    end_root(&last);
    free(last.labels.text);
    if (last.status) {
        error_set(error, ERROR_INTERNAL, 0, "cannot write the device tree of %zu bytes: %s/%s: %s",
                  last.capacity_bytes, last.path, last.failed_name, fdt_strerror(last.status));
        free(last.tree);
        return NULL;
    }
    *size_bytes = fdt_totalsize(last.tree);
    return last.tree;
}
