// SPDX-License-Identifier: Apache-2.0
/*
 * A device tree and an overlay out of one input: two bytes with the tree's length, the tree, the
 * overlay. What is not refused is merged, changed and checked.
 */
#include <libfdt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/fdt_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Apart from the input, so that reads beyond the end are seen. */
static void *copy_tree(const uint8_t *data, size_t size_bytes, size_t *tree_bytes)
{
    struct error error;
    uint8_t *copy = malloc(size_bytes ? size_bytes : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size_bytes);
    if (fdt_check_bytes(copy, size_bytes, tree_bytes, &error))
        return copy;
    free(copy);
    return NULL;
}

static void change(void **fdt, size_t *size_bytes)
{
    const struct fdt_chosen chosen = {
        .bootargs = "console=ttyAMA0",
        .initrd_start = GPA(0x48000000),
        .initrd_bytes = 0x100000,
        .kaslr_seed = 1,
        .rng_seed = {1},
    };
    struct error error;

    if (fdt_set_chosen(fdt, size_bytes, &chosen, &error) && fdt_check_full(*fdt, *size_bytes) != 0)
        abort();
    if (fdt_set_memory(fdt, size_bytes, GPA(0x40000000), 0x10000000, &error) &&
        fdt_check_full(*fdt, *size_bytes) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    size_t fdt_bytes;

    if (size < 2)
        return 0;
    size_t tree_input = (size_t)data[0] << 8 | data[1];

    data += 2;
    size -= 2;
    if (tree_input > size)
        tree_input = size;
    void *fdt = copy_tree(data, tree_input, &fdt_bytes);

    if (!fdt)
        return 0;
    change(&fdt, &fdt_bytes);
    uint8_t *overlay = malloc(size - tree_input + 1);

    if (!overlay)
        abort();
    memcpy(overlay, data + tree_input, size - tree_input);
    fdt = fdt_apply_overlay_bytes(fdt, &fdt_bytes, overlay, size - tree_input, &error);
    if (fdt)
        change(&fdt, &fdt_bytes);
    free(overlay);
    free(fdt);
    return 0;
}
