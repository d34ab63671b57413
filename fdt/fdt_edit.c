// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/fdt_file.h"

enum {
    CHOSEN_EXTRA_BYTES = 512, /* all of /chosen's tags, names and values but the strings */
    MEMORY_EXTRA_BYTES = 256,
    CELL_BITS = 32,
    MAX_REG_CELLS = 4,
};

#define MEMORY_NAME "memory"

/* A tree being changed: the first failure sticks, as in the writer. */
struct edit {
    void *fdt;
    int node;
    int status;
    const char *what; /* the property or node that failed */
};

static bool begin_edit(void **fdt, size_t *size_bytes, size_t extra_bytes, struct error *error)
{
    size_t capacity = *size_bytes + extra_bytes;
    void *larger = capacity <= INT32_MAX ? realloc(*fdt, capacity) : NULL;

    if (!larger)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the device tree");
    memset((char *)larger + *size_bytes, 0, extra_bytes);
    *fdt = larger;

    int status = fdt_open_into(larger, larger, (int)capacity);

    if (status)
        return error_set(error, ERROR_FILE, 0, "cannot change the device tree: %s",
                         fdt_strerror(status));
    *size_bytes = capacity;
    return true;
}

static bool end_edit(const struct edit *edit, size_t *size_bytes, struct error *error)
{
    (void)fdt_pack(edit->fdt);
    *size_bytes = fdt_totalsize(edit->fdt);
    if (edit->status)
        return error_set(error, ERROR_FILE, 0, "cannot change '%s' in the device tree: %s",
                         edit->what, fdt_strerror(edit->status));
    return true;
}

static void note(struct edit *edit, int status, const char *what)
{
    if (status < 0 && !edit->status) {
        edit->status = status;
        edit->what = what;
    }
}

static void set_bytes(struct edit *edit, const char *name, const void *data, size_t size_bytes)
{
    if (!edit->status)
        note(edit, fdt_setprop(edit->fdt, edit->node, name, data, (int)size_bytes), name);
}

static void set_u64(struct edit *edit, const char *name, uint64_t value)
{
    fdt64_t big_endian = cpu_to_fdt64(value);

    set_bytes(edit, name, &big_endian, sizeof(big_endian));
}

static void set_string(struct edit *edit, const char *name, const char *value)
{
    if (value && *value)
        set_bytes(edit, name, value, strlen(value) + 1);
}

static void remove_property(struct edit *edit, const char *name)
{
    if (edit->status)
        return;
    int status = fdt_delprop(edit->fdt, edit->node, name);

    if (status != -FDT_ERR_NOTFOUND)
        note(edit, status, name);
}

/* Makes the node below the root the one to be edited. */
static void find_or_add(struct edit *edit, const char *name)
{
    edit->node = fdt_subnode_offset(edit->fdt, 0, name);
    if (edit->node == -FDT_ERR_NOTFOUND)
        edit->node = fdt_add_subnode(edit->fdt, 0, name);
    note(edit, edit->node, name);
}

static bool any_nonzero(const uint8_t *data, size_t size_bytes)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size_bytes; i++)
        any |= data[i];
    return any != 0;
}

bool fdt_set_chosen(void **fdt, size_t *size_bytes, const struct fdt_chosen *chosen,
                    struct error *error)
{
    size_t extra = CHOSEN_EXTRA_BYTES + sizeof(chosen->rng_seed) +
                   (chosen->bootargs ? strlen(chosen->bootargs) : 0) +
                   (chosen->stdout_path ? strlen(chosen->stdout_path) : 0);

    if (!begin_edit(fdt, size_bytes, extra, error))
        return false;
    struct edit edit = {.fdt = *fdt};

    find_or_add(&edit, "chosen");
    set_string(&edit, "bootargs", chosen->bootargs);
    set_string(&edit, "stdout-path", chosen->stdout_path);
    if (chosen->initrd_bytes) {
        set_u64(&edit, "linux,initrd-start", chosen->initrd_start.value);
        set_u64(&edit, "linux,initrd-end", chosen->initrd_start.value + chosen->initrd_bytes);
    } else {
        remove_property(&edit, "linux,initrd-start");
        remove_property(&edit, "linux,initrd-end");
    }
    if (chosen->kaslr_seed)
        set_u64(&edit, "kaslr-seed", chosen->kaslr_seed);
    if (any_nonzero(chosen->rng_seed, sizeof(chosen->rng_seed)))
        set_bytes(&edit, "rng-seed", chosen->rng_seed, sizeof(chosen->rng_seed));
    return end_edit(&edit, size_bytes, error);
}

static bool string_is(const void *fdt, int node, const char *name, const char *value)
{
    int length;
    const char *data = fdt_getprop(fdt, node, name, &length);

    return data && (size_t)length == strlen(value) + 1 && memcmp(data, value, (size_t)length) == 0;
}

/*
 * Whether the node describes RAM that the kernel uses. A disabled one does not: boards describe
 * secure memory so.
 */
static bool is_memory(const void *fdt, int node)
{
    const char *name = fdt_get_name(fdt, node, NULL);
    size_t length = sizeof(MEMORY_NAME) - 1;
    bool named = name && strncmp(name, MEMORY_NAME, length) == 0 &&
                 (name[length] == '\0' || name[length] == '@');

    return (named || string_is(fdt, node, "device_type", MEMORY_NAME)) &&
           !string_is(fdt, node, "status", "disabled");
}

/* The first memory node below the root from `node` on, or a negative status. */
static int next_memory(const void *fdt, int node)
{
    while (node >= 0 && !is_memory(fdt, node))
        node = fdt_next_subnode(fdt, node);
    return node;
}

static void remove_other_memory(struct edit *edit)
{
    for (;;) {
        int node = next_memory(edit->fdt, fdt_next_subnode(edit->fdt, edit->node));

        if (node < 0)
            break;
        int status = fdt_del_node(edit->fdt, node);

        note(edit, status, MEMORY_NAME);
        if (status < 0)
            break;
    }
}

static bool put_cells(uint32_t cells[2], int count, uint64_t value)
{
    cells[0] = cpu_to_fdt32((uint32_t)(value >> CELL_BITS));
    cells[count - 1] = cpu_to_fdt32((uint32_t)value);
    return count == 2 || value <= UINT32_MAX;
}

/* "reg" in the cells that the root gives it. */
static bool make_reg(const void *fdt, gpa_t base, uint64_t memory_bytes,
                     uint32_t cells[MAX_REG_CELLS], size_t *size_bytes, struct error *error)
{
    int address_cells = fdt_address_cells(fdt, 0);
    int size_cells = fdt_size_cells(fdt, 0);

    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2)
        return error_set(error, ERROR_FILE, 0,
                         "the device tree's root has #address-cells %d and #size-cells %d: "
                         "only 1 and 2 make sense",
                         address_cells, size_cells);
    bool fits = put_cells(cells, address_cells, base.value);

    fits = put_cells(cells + address_cells, size_cells, memory_bytes) && fits;
    if (!fits)
        return error_set(error, ERROR_FILE, 0,
                         "the device tree's root has #address-cells %d and #size-cells %d: "
                         "%" PRIu64 " bytes of RAM at 0x%" PRIx64 " need 2",
                         address_cells, size_cells, memory_bytes, base.value);
    *size_bytes = (size_t)(address_cells + size_cells) * sizeof(cells[0]);
    return true;
}

bool fdt_set_memory(void **fdt, size_t *size_bytes, gpa_t base, uint64_t memory_bytes,
                    struct error *error)
{
    uint32_t reg[MAX_REG_CELLS];
    size_t reg_bytes = 0;
    char name[sizeof(MEMORY_NAME "@") + 2 * sizeof(base.value)];

    if (!make_reg(*fdt, base, memory_bytes, reg, &reg_bytes, error) ||
        !begin_edit(fdt, size_bytes, MEMORY_EXTRA_BYTES, error))
        return false;
    struct edit edit = {.fdt = *fdt};

    (void)snprintf(name, sizeof(name), MEMORY_NAME "@%" PRIx64, base.value);
    edit.node = next_memory(edit.fdt, fdt_first_subnode(edit.fdt, 0));
    if (edit.node >= 0) {
        remove_other_memory(&edit);
        note(&edit, fdt_set_name(edit.fdt, edit.node, name), MEMORY_NAME);
    } else {
        edit.node = fdt_add_subnode(edit.fdt, 0, name);
        note(&edit, edit.node, MEMORY_NAME);
    }
    set_string(&edit, "device_type", MEMORY_NAME);
    set_bytes(&edit, "reg", reg, reg_bytes);
    return end_edit(&edit, size_bytes, error);
}
