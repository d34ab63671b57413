// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a device tree (Devicetree Specification v0.4) without seeing libfdt.
 *
 * A writer starts inside the root node. Errors stick: after the first one every call does
 * nothing, and fdt_writer_finish() reports it, so that describing code reads as the tree does.
 * The root has #address-cells = #size-cells = 2 and interrupt-parent = FDT_PHANDLE_GIC.
 * A node's properties come before its subnodes (Devicetree Specification, 5.4.2). Names and values
 * are copied. One thread.
 */
#ifndef ARMLET_FDT_WRITER_H
#define ARMLET_FDT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"

struct fdt_writer;

/* The rate of the clock that FDT_PHANDLE_CLOCK names. */
enum { FDT_CLOCK_HZ = 24000000 };

/* Phandles that nodes of different authors agree on. */
enum fdt_phandle {
    FDT_PHANDLE_GIC = 1,
    FDT_PHANDLE_CLOCK = 2, /* the fixed "apb_pclk" of the PrimeCells */
    FDT_PHANDLE_ITS = 3,
    FDT_PHANDLE_GPIO = 4,
    FDT_PHANDLE_GICV2M = 5,
    FDT_PHANDLE_CPU0 = 0x100,       /* + index of the vCPU */
    FDT_PHANDLE_AUTOMATIC = 0x1000, /* + one for each labelled node without a phandle */
};

/* Interrupt specifier cells (bindings/interrupt-controller/arm,gic-v3). */
enum fdt_irq_type { FDT_IRQ_SPI = 0, FDT_IRQ_PPI = 1 };
enum fdt_irq_flags { FDT_IRQ_EDGE_RISING = 1, FDT_IRQ_LEVEL_HIGH = 4, FDT_IRQ_LEVEL_LOW = 8 };

/*
 * capacity_bytes bounds the tree without /__symbols__; no call in between allocates. The result of
 * fdt_writer_finish() is malloc'd and the caller frees it; the writer is gone then, also on
 * failure: ERROR_INTERNAL with the node and the property at which the first call failed.
 */
struct fdt_writer *fdt_writer_create(size_t capacity_bytes, struct error *error) WARN_UNUSED;
void *fdt_writer_finish(struct fdt_writer *writer, size_t *size_bytes,
                        struct error *error) WARN_UNUSED;

/* libfdt has functions named fdt_begin_node and fdt_end_node. */
#ifndef LIBFDT_H
#define fdt_begin_node(writer, name)                  fdt_node_begin(writer, name)
#define fdt_begin_node_at(writer, name, unit_address) fdt_node_begin_at(writer, name, unit_address)
#define fdt_end_node(writer)                          fdt_node_end(writer)
#endif
void fdt_node_begin(struct fdt_writer *writer, const char *name);
/* A node named "name@address", the address in hexadecimal. */
void fdt_node_begin_at(struct fdt_writer *writer, const char *name, uint64_t unit_address);
void fdt_node_end(struct fdt_writer *writer);

/*
 * Labels, by which device-tree overlays name nodes ("&label"). fdt_writer_enable_symbols() comes
 * right after create and asks for them; without it fdt_writer_label() does nothing. A label is for
 * the node that is open, before its first subnode, and is unique in the tree. A labelled node that
 * has no "phandle" by then gets one from FDT_PHANDLE_AUTOMATIC up. With symbols the calls in
 * between may allocate.
 */
void fdt_writer_enable_symbols(struct fdt_writer *writer);
void fdt_writer_label(struct fdt_writer *writer, const char *label);

void fdt_prop_empty(struct fdt_writer *writer, const char *name);
void fdt_prop_u32(struct fdt_writer *writer, const char *name, uint32_t value);
void fdt_prop_u64(struct fdt_writer *writer, const char *name, uint64_t value);
void fdt_prop_cells(struct fdt_writer *writer, const char *name, const uint32_t *cells,
                    size_t cell_count);
void fdt_prop_string(struct fdt_writer *writer, const char *name, const char *value);
/* A string list given as one literal with NULs between: FDT_PROP_STRINGS(w, "n", "a\0b"). */
void fdt_prop_bytes(struct fdt_writer *writer, const char *name, const void *data,
                    size_t size_bytes);
#define FDT_PROP_STRINGS(writer, name, literal)                                                    \
    fdt_prop_bytes(writer, name, literal, sizeof(literal))

/* "reg" with one (base, size) pair; "interrupts" with one SPI. */
void fdt_prop_reg(struct fdt_writer *writer, gpa_t base, uint64_t size_bytes);
void fdt_prop_spi(struct fdt_writer *writer, uint32_t spi, enum fdt_irq_flags flags);

#endif
