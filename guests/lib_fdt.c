// SPDX-License-Identifier: Apache-2.0
/*
 * The machine, out of a flattened device tree (Devicetree Specification 0.4, chapters 2, 3 and 5).
 * The tree comes from the VMM, which has more power over us than a wrong tree would give it: it is
 * believed. Addresses on buses are taken to be those of the CPU ("ranges" is not followed).
 */
#include "lib.h"

enum fdt_token { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

struct fdt_header {
    uint32_t magic, totalsize, off_dt_struct, off_dt_strings;
};
#define FDT_MAGIC 0xd00dfeedU

enum {
    CELL_BYTES = sizeof(uint32_t),
    INTERRUPT_CELLS = 3, /* of both GIC bindings: type, number, flags */
    INTERRUPT_SPI = 0,
    INTID_FIRST_PPI = 16,
    INTID_FIRST_SPI = 32,
    TIMER_PHYSICAL = 1, /* "arm,armv8-timer": secure, physical, virtual, hypervisor */
    TIMER_VIRTUAL = 2,
    FRAME_VIRTUAL = 1, /* a frame of "arm,armv7-timer-mem": physical, virtual */
    GIC_REG_DISTRIBUTOR = 0,
    GIC_REG_CPU = 1, /* redistributors or CPU interface */
    GIC_REG_SECOND_REDISTRIBUTORS = 2,
};

struct property {
    const uint8_t *data; /* NULL: not there */
    uint32_t size_bytes;
};

struct node {
    const char *name;
    struct property compatible, reg, interrupts, device_type, status, method, bootargs;
    struct property initrd_start, initrd_end, kaslr_seed, rng_seed, regions, frame_number;
    uint32_t parent_address_cells, parent_size_cells; /* for our reg */
    uint32_t address_cells, size_cells;               /* for our children's */
};

struct reader {
    const uint8_t *at;
    const char *strings;
};

struct guest_machine machine = {.bootargs = ""};

static uint32_t cell(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t number(const uint8_t *at, uint32_t cells)
{
    uint64_t value = 0;

    for (; cells > 0; cells--, at += CELL_BYTES)
        value = value << 32 | cell(at);
    return value;
}

static bool equal(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

/* Whether `text` is among a property's strings. */
static bool has_string(const struct property *property, const char *text)
{
    const char *at = (const char *)property->data;
    const char *end = at + property->size_bytes;

    if (!at)
        return false;
    while (at < end) {
        if (equal(at, text))
            return true;
        while (at < end && *at)
            at++;
        at++;
    }
    return false;
}

/* ---- what a node says ---- */

static bool reg_read(const struct node *node, uint32_t index, uint64_t *address, uint64_t *bytes)
{
    uint32_t entry = (node->parent_address_cells + node->parent_size_cells) * CELL_BYTES;
    const uint8_t *at = node->reg.data + (uint64_t)index * entry;

    if (!node->reg.data || (index + 1) * entry > node->reg.size_bytes)
        return false;
    *address = number(at, node->parent_address_cells);
    *bytes =
        number(at + (uint64_t)node->parent_address_cells * CELL_BYTES, node->parent_size_cells);
    return true;
}

static uint32_t intid_read(const struct node *node, uint32_t index)
{
    const uint8_t *at = node->interrupts.data + (size_t)index * INTERRUPT_CELLS * CELL_BYTES;

    if ((index + 1) * INTERRUPT_CELLS * CELL_BYTES > node->interrupts.size_bytes)
        return 0;
    return cell(at + CELL_BYTES) + (cell(at) == INTERRUPT_SPI ? INTID_FIRST_SPI : INTID_FIRST_PPI);
}

static void take_device(const struct node *node, uint64_t *address, uint32_t *intid)
{
    uint64_t bytes;

    if (*address == 0 && reg_read(node, 0, address, &bytes))
        *intid = intid_read(node, 0);
}

static void take_gic(const struct node *node, uint32_t version)
{
    uint64_t bytes;

    machine.gic_version = version;
    (void)reg_read(node, GIC_REG_DISTRIBUTOR, &machine.gicd, &bytes);
    if (version == 2) {
        (void)reg_read(node, GIC_REG_CPU, &machine.gicc, &bytes);
        return;
    }
    (void)reg_read(node, GIC_REG_CPU, &machine.gicr, &machine.gicr_bytes);
    if (node->regions.data && cell(node->regions.data) > 1)
        (void)reg_read(node, GIC_REG_SECOND_REDISTRIBUTORS, &machine.gicr_second,
                       &machine.gicr_second_bytes);
}

/* The first bank, and those that follow it without a gap. */
static void take_memory(const struct node *node)
{
    uint64_t base;
    uint64_t bytes;

    for (uint32_t i = 0; reg_read(node, i, &base, &bytes); i++) {
        if (machine.memory_bytes == 0)
            machine.memory_base = base;
        if (base == machine.memory_base + machine.memory_bytes)
            machine.memory_bytes += bytes;
    }
}

static void take_chosen(const struct node *node)
{
    if (node->bootargs.data)
        machine.bootargs = (const char *)node->bootargs.data;
    if (node->initrd_start.data && node->initrd_end.data) {
        machine.initrd_start =
            number(node->initrd_start.data, node->initrd_start.size_bytes / CELL_BYTES);
        machine.initrd_end =
            number(node->initrd_end.data, node->initrd_end.size_bytes / CELL_BYTES);
    }
    machine.kaslr_seed = node->kaslr_seed.data != NULL;
    machine.rng_seed_bytes = node->rng_seed.size_bytes;
}

static void take_cpu(const struct node *node)
{
    uint64_t mpidr;
    uint64_t none;

    if (machine.cpu_count < GUEST_MAX_CPUS && reg_read(node, 0, &mpidr, &none))
        machine.cpu_mpidr[machine.cpu_count++] = mpidr;
}

/* Of the memory-mapped timer. */
static void take_timer_frame(const struct node *node)
{
    take_device(node, &machine.timer_frame, &machine.frame_physical_intid);
    machine.frame_virtual_intid = intid_read(node, FRAME_VIRTUAL);
}

static void take_compatible(const struct node *node)
{
    const struct property *compatible = &node->compatible;
    uint64_t bytes;
    uint32_t intid;

    if (has_string(compatible, "arm,pl011")) {
        take_device(node, &machine.uart, &machine.uart_intid);
    } else if (has_string(compatible, "arm,pl031")) {
        take_device(node, &machine.rtc, &machine.rtc_intid);
    } else if (has_string(compatible, "arm,pl061")) {
        take_device(node, &machine.gpio, &machine.gpio_intid);
    } else if (has_string(compatible, "armlet,hypercalls")) {
        machine.hypercalls = true;
    } else if (has_string(compatible, "armlet,testdev")) {
        take_device(node, &machine.testdev, &machine.testdev_intid);
    } else if (has_string(compatible, "armlet,sample")) {
        take_device(node, &machine.sample, &machine.sample_intid);
    } else if (has_string(compatible, "ns16550a")) {
        take_device(node, &machine.uart_8250, &intid);
    } else if (has_string(compatible, "virtio,mmio")) {
        take_device(node, &machine.virtio_mmio, &intid);
    } else if (has_string(compatible, "arm,sp804")) {
        take_device(node, &machine.dual_timer, &machine.dual_timer_intid);
    } else if (has_string(compatible, "arm,sp805")) {
        take_device(node, &machine.watchdog, &machine.watchdog_intid);
    } else if (has_string(compatible, "arm,armv7-timer-mem")) {
        (void)reg_read(node, 0, &machine.timer_control, &bytes);
    } else if (has_string(compatible, "arm,gic-v2m-frame")) {
        (void)reg_read(node, 0, &machine.msi_frame, &bytes);
    } else if (has_string(compatible, "arm,gic-v3")) {
        take_gic(node, 3);
    } else if (has_string(compatible, "arm,cortex-a15-gic") ||
               has_string(compatible, "arm,gic-400")) {
        take_gic(node, 2);
    } else if (has_string(compatible, "arm,gic-v3-its")) {
        (void)reg_read(node, 0, &machine.its, &bytes);
    } else if (has_string(compatible, "arm,armv8-timer")) {
        machine.physical_timer_intid = intid_read(node, TIMER_PHYSICAL);
        machine.virtual_timer_intid = intid_read(node, TIMER_VIRTUAL);
    } else if (has_string(compatible, "arm,psci-1.0") || has_string(compatible, "arm,psci-0.2")) {
        machine.psci_hvc = has_string(&node->method, "hvc");
    }
}

static void take_node(const struct node *node)
{
    if (has_string(&node->device_type, "cpu"))
        take_cpu(node); /* "disabled" means: off until started */
    else if (node->status.data && !has_string(&node->status, "okay"))
        return;
    else if (has_string(&node->device_type, "memory"))
        take_memory(node);
    else if (equal(node->name, "chosen"))
        take_chosen(node);
    else if (node->frame_number.data)
        take_timer_frame(node);
    else
        take_compatible(node);
}

/* ---- the walk ---- */

static void node_keep_property(struct node *node, const char *name, struct property property)
{
    const struct {
        const char *name;
        struct property *property;
    } kept[] = {
        {"compatible", &node->compatible},
        {"reg", &node->reg},
        {"interrupts", &node->interrupts},
        {"device_type", &node->device_type},
        {"status", &node->status},
        {"method", &node->method},
        {"bootargs", &node->bootargs},
        {"linux,initrd-start", &node->initrd_start},
        {"linux,initrd-end", &node->initrd_end},
        {"kaslr-seed", &node->kaslr_seed},
        {"rng-seed", &node->rng_seed},
        {"#redistributor-regions", &node->regions},
        {"frame-number", &node->frame_number},
    };

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (equal(name, kept[i].name))
            *kept[i].property = property;
    if (equal(name, "#address-cells"))
        node->address_cells = cell(property.data);
    if (equal(name, "#size-cells"))
        node->size_cells = cell(property.data);
}

static uint32_t read_token(struct reader *reader)
{
    uint32_t token;

    do {
        token = cell(reader->at);
        reader->at += CELL_BYTES;
    } while (token == FDT_NOP);
    return token;
}

static void skip_padded(struct reader *reader, size_t size_bytes)
{
    reader->at += (size_bytes + CELL_BYTES - 1) & ~(size_t)(CELL_BYTES - 1);
}

static void read_property(struct reader *reader, struct node *node)
{
    struct property property = {.size_bytes = cell(reader->at)};
    const char *name = reader->strings + cell(reader->at + CELL_BYTES);

    reader->at += 2 * (size_t)CELL_BYTES;
    property.data = reader->at;
    skip_padded(reader, property.size_bytes);
    node_keep_property(node, name, property);
}

/* From behind FDT_BEGIN_NODE to behind its FDT_END_NODE. All properties precede all children. */
static void read_node(struct reader *reader, const struct node *parent)
{
    struct node node = {.name = (const char *)reader->at,
                        .parent_address_cells = parent->address_cells,
                        .parent_size_cells = parent->size_cells,
                        .address_cells = 2,
                        .size_cells = 1};
    size_t name_bytes = 1;
    uint32_t token;

    while (node.name[name_bytes - 1])
        name_bytes++;
    skip_padded(reader, name_bytes);
    while ((token = read_token(reader)) == FDT_PROP)
        read_property(reader, &node);
    take_node(&node);
    for (; token == FDT_BEGIN_NODE; token = read_token(reader))
        read_node(reader, &node);
}

static uint32_t tree_bytes(void)
{
    if (!machine.fdt)
        return 0;
    return cell((const uint8_t *)machine.fdt + offsetof(struct fdt_header, totalsize));
}

void machine_find(const void *fdt)
{
    const uint8_t *tree = fdt;
    const struct node above = {.address_cells = 2, .size_cells = 1};
    struct reader reader;

    machine.fdt = fdt;
    machine.kernel_end = (uint64_t)image_end;
    if (!fdt || cell(tree) != FDT_MAGIC)
        return;
    reader.at = tree + cell(tree + offsetof(struct fdt_header, off_dt_struct));
    reader.strings = (const char *)tree + cell(tree + offsetof(struct fdt_header, off_dt_strings));
    if (read_token(&reader) == FDT_BEGIN_NODE)
        read_node(&reader, &above);
}

/* ---- questions about it ---- */

/* Whether [address, address + size) lies outside [start, end). */
static bool apart(uint64_t address, uint64_t size_bytes, uint64_t start, uint64_t end)
{
    return address + size_bytes <= start || address >= end;
}

bool memory_is_free(uint64_t address, uint64_t size_bytes)
{
    uint64_t end = machine.memory_base + machine.memory_bytes;
    uint64_t tree = (uint64_t)machine.fdt;

    return address >= machine.memory_base && address < end && size_bytes <= end - address &&
           apart(address, size_bytes, (uint64_t)image_start, machine.kernel_end) &&
           apart(address, size_bytes, tree, tree + tree_bytes()) &&
           apart(address, size_bytes, machine.initrd_start, machine.initrd_end);
}

uint64_t memory_take(uint64_t size_bytes, uint64_t alignment)
{
    static uint64_t taken_end;
    uint64_t end = machine.memory_base + machine.memory_bytes;
    uint64_t at = taken_end > machine.kernel_end ? taken_end : machine.kernel_end;

    at = (at + alignment - 1) & ~(alignment - 1);
    while (at < end && !memory_is_free(at, size_bytes))
        at += alignment;
    CHECK(at < end);
    if (at >= end)
        return 0;
    taken_end = at + size_bytes;
    for (uint64_t i = 0; i < size_bytes; i++)
        write8(at + i, 0);
    return at;
}

/* What follows `name` in bootargs, if a word is `name`, or is it up to a '='; else NULL. */
static const char *bootargs_find(const char *name)
{
    for (const char *word = machine.bootargs; *word;) {
        const char *at = word;
        const char *expected = name;

        while (*expected && *at == *expected) {
            at++;
            expected++;
        }
        if (*expected == '\0' && (*at == '\0' || *at == ' ' || *at == '='))
            return at;
        while (*word && *word != ' ')
            word++;
        while (*word == ' ')
            word++;
    }
    return NULL;
}

bool bootargs_has(const char *word)
{
    const char *end = bootargs_find(word);

    return end && *end != '=';
}

uint64_t bootargs_number(const char *name, uint64_t otherwise)
{
    const char *at = bootargs_find(name);
    uint64_t value = 0;

    if (!at || *at != '=')
        return otherwise;
    for (at++; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}
