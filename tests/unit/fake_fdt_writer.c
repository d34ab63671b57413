// SPDX-License-Identifier: Apache-2.0
#include "fake_fdt_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void append(struct fdt_writer *writer,
                                                         const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(writer->text + writer->length, sizeof(writer->text) - writer->length, format,
                       arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof(writer->text) - writer->length);
    writer->length += (size_t)length;
}

void fdt_node_begin(struct fdt_writer *writer, const char *name)
{
    writer->depth++;
    append(writer, "%s { ", name);
}

void fdt_node_begin_at(struct fdt_writer *writer, const char *name, uint64_t unit_address)
{
    writer->depth++;
    append(writer, "%s@%" PRIx64 " { ", name, unit_address);
}

void fdt_node_end(struct fdt_writer *writer)
{
    writer->depth--;
    append(writer, "} ");
}

void fdt_prop_empty(struct fdt_writer *writer, const char *name)
{
    append(writer, "%s; ", name);
}

void fdt_prop_u32(struct fdt_writer *writer, const char *name, uint32_t value)
{
    append(writer, "%s=<%" PRIx32 ">; ", name, value);
}

void fdt_prop_cells(struct fdt_writer *writer, const char *name, const uint32_t *cells,
                    size_t cell_count)
{
    append(writer, "%s=<", name);
    for (size_t i = 0; i < cell_count; i++) {
        append(writer, "%s%" PRIx32, i == 0 ? "" : " ", cells[i]);
    }
    append(writer, ">; ");
}

void fdt_prop_string(struct fdt_writer *writer, const char *name, const char *value)
{
    append(writer, "%s='%s'; ", name, value);
}

/* NULs between strings are shown as '|'. */
void fdt_prop_bytes(struct fdt_writer *writer, const char *name, const void *data,
                    size_t size_bytes)
{
    const char *bytes = data;

    append(writer, "%s='", name);
    for (size_t i = 0; i + 1 < size_bytes; i++) {
        append(writer, "%c", bytes[i] == '\0' ? '|' : bytes[i]);
    }
    append(writer, "'; ");
}

void fdt_prop_reg(struct fdt_writer *writer, gpa_t base, uint64_t size_bytes)
{
    append(writer, "reg=<%" PRIx64 " %" PRIx64 ">; ", base.value, size_bytes);
}

void fdt_prop_spi(struct fdt_writer *writer, uint32_t spi, enum fdt_irq_flags flags)
{
    append(writer, "spi=<%" PRIu32 " %d>; ", spi, (int)flags);
}
