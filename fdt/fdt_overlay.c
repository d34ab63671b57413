// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/fdt_file.h"
#include "fdt_internal.h"

enum {
    FIRST_SLACK_BYTES = 4096, /* paths in /__symbols__ grow when they are merged */
    MAX_DEPTH = 64,           /* of an overlay's nodes: libfdt recurses */
};

#define SYMBOLS "/__symbols__"

/* Returns false. */
static bool explain(int status, struct error *error)
{
    const char *meaning = "it cannot be merged";

    switch (-status) {
    case 0:
        return error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the device tree");
    case FDT_ERR_NOSPACE:
        return fdt_too_large(error);
    case FDT_ERR_BADOVERLAY:
        meaning = "its __fixups__, __local_fixups__ or fragments are malformed";
        break;
    case FDT_ERR_BADPHANDLE:
        meaning = "it refers to a phandle that the device tree does not have";
        break;
    case FDT_ERR_NOPHANDLES:
        meaning = "no phandles are left";
        break;
    case FDT_ERR_NOTFOUND:
        meaning = "it refers to a node that the device tree does not have";
        break;
    default:
        break;
    }
    return error_set(error, ERROR_FILE, 0, "%s (%s)", meaning, fdt_strerror(status));
}

static bool has_fragment(const void *overlay)
{
    int fragment;

    fdt_for_each_subnode(fragment, overlay, 0)
    {
        if (fdt_subnode_offset(overlay, fragment, "__overlay__") >= 0)
            return true;
    }
    return false;
}

/* libfdt says FDT_ERR_NOTFOUND for every name that the tree lacks: say which. */
static bool check_labels(const void *fdt, const void *overlay, struct error *error)
{
    int symbols = fdt_path_offset(fdt, SYMBOLS);
    int fixups = fdt_path_offset(overlay, "/__fixups__");
    int property;

    if (fixups < 0)
        return true;
    fdt_for_each_property_offset(property, overlay, fixups)
    {
        const char *label = NULL;

        if (!fdt_getprop_by_offset(overlay, property, &label, NULL) || !label)
            continue; /* libfdt judges it */
        if (symbols < 0)
            return error_set(error, ERROR_FILE, 0,
                             "it refers to the label '%s', but the device tree has no labels "
                             "(no " SYMBOLS "): compile the tree with dtc -@, or use target-path "
                             "in the overlay",
                             label);
        if (!fdt_getprop(fdt, symbols, label, NULL))
            return error_set(error, ERROR_FILE, 0,
                             "it refers to the label '%s', which the device tree does not have",
                             label);
    }
    return true;
}

/* Whether the offsets in a property of /__local_fixups__ are inside the property they are for. */
static bool check_offsets(const void *overlay, int property, int node)
{
    const char *name = NULL;
    int list_bytes = 0;
    int value_bytes = 0;
    const fdt32_t *offsets = fdt_getprop_by_offset(overlay, property, &name, &list_bytes);

    if (!offsets || !name || !fdt_getprop(overlay, node, name, &value_bytes))
        return false;
    for (int i = 0; i < list_bytes / (int)sizeof(*offsets); i++) {
        if ((uint64_t)fdt32_ld(&offsets[i]) + sizeof(fdt32_t) > (uint64_t)value_bytes)
            return false;
    }
    return true;
}

/* libfdt follows these offsets unseen. `node` is the node that `fixups` mirrors. */
static bool check_local_fixups(const void *overlay, int fixups, int node, int depth)
{
    int property;
    int child;

    if (depth == MAX_DEPTH)
        return false;
    fdt_for_each_property_offset(property, overlay, fixups)
    {
        if (!check_offsets(overlay, property, node))
            return false;
    }
    fdt_for_each_subnode(child, overlay, fixups)
    {
        int length = 0;
        const char *name = fdt_get_name(overlay, child, &length);
        int mirrored = fdt_subnode_offset_namelen(overlay, node, name, length);

        if (mirrored < 0 || !check_local_fixups(overlay, child, mirrored, depth + 1))
            return false;
    }
    return true;
}

static bool check_structure(const void *overlay, struct error *error)
{
    int fixups = fdt_path_offset(overlay, "/__local_fixups__");

    if (!has_fragment(overlay))
        return error_set(error, ERROR_FILE, 0,
                         "it is a device tree, not an overlay: it has no fragment (an overlay's "
                         "source begins with /dts-v1/; /plugin/;)");
    if (fixups >= 0 && !check_local_fixups(overlay, fixups, 0, 0))
        return explain(-FDT_ERR_BADOVERLAY, error);
    return true;
}

static bool check_target_paths(const void *fdt, const void *overlay, struct error *error)
{
    int fragment;

    fdt_for_each_subnode(fragment, overlay, 0)
    {
        int length;
        const char *path = fdt_getprop(overlay, fragment, "target-path", &length);

        if (!path || length <= 0 || memchr(path, '\0', (size_t)length) == NULL)
            continue; /* libfdt judges it */
        if (fdt_path_offset(fdt, path) == -FDT_ERR_NOTFOUND)
            return error_set(error, ERROR_FILE, 0,
                             "its %s is for the node '%s', which the device tree does not have",
                             fdt_get_name(overlay, fragment, NULL), path);
    }
    return true;
}

/*
 * One attempt with a given room; NULL on failure, with the status of libfdt, or 0 for want of
 * memory. libfdt ruins both trees when it fails, so each attempt has copies.
 */
static void *merge(const void *fdt, const void *overlay, size_t overlay_bytes, size_t capacity,
                   int *status)
{
    void *base = calloc(1, capacity);
    void *copy = malloc(overlay_bytes);
    bool good = false;

    *status = 0;
    if (base && copy) {
        memcpy(copy, overlay, overlay_bytes);
        *status = fdt_open_into(fdt, base, (int)capacity);
        if (!*status)
            *status = fdt_overlay_apply(base, copy);
        good = !*status;
    }
    free(copy);
    if (good)
        return base;
    free(base);
    return NULL;
}

static void *apply(const void *fdt, size_t *size_bytes, const void *overlay, size_t overlay_bytes,
                   struct error *error)
{
    size_t capacity = *size_bytes + 2 * overlay_bytes + FIRST_SLACK_BYTES;
    int status;
    void *merged = merge(fdt, overlay, overlay_bytes, capacity, &status);

    while (!merged && status == -FDT_ERR_NOSPACE && capacity < FDT_FILE_MAX_BYTES) {
        capacity *= 2;
        merged = merge(fdt, overlay, overlay_bytes, capacity, &status);
    }
    if (!merged) {
        explain(status, error);
        return NULL;
    }
    (void)fdt_pack(merged);
    *size_bytes = fdt_totalsize(merged);
    return merged;
}

void *fdt_apply_overlay_bytes(void *fdt, size_t *size_bytes, const void *overlay,
                              size_t overlay_bytes, struct error *error)
{
    void *merged = NULL;

    if (!fdt_check_bytes(overlay, overlay_bytes, &overlay_bytes, error)) {
        free(fdt);
        return NULL;
    }
    if (check_structure(overlay, error) && check_labels(fdt, overlay, error) &&
        check_target_paths(fdt, overlay, error))
        merged = apply(fdt, size_bytes, overlay, overlay_bytes, error);
    free(fdt);
    return merged;
}

void *fdt_apply_overlay(void *fdt, size_t *size_bytes, const char *overlay_path,
                        struct error *error)
{
    size_t overlay_bytes;
    void *overlay = fdt_read_file(overlay_path, &overlay_bytes, error);
    void *merged = NULL;

    if (overlay)
        merged = fdt_apply_overlay_bytes(fdt, size_bytes, overlay, overlay_bytes, error);
    else
        free(fdt);
    free(overlay);
    if (!merged)
        error_add_context(error, "cannot apply device tree overlay '%s'", overlay_path);
    return merged;
}
