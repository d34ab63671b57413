// SPDX-License-Identifier: Apache-2.0
#include "primecell.h"

#include <inttypes.h>

/* PCellID3:2:1:0, the same in every PrimeCell. */
static const uint32_t PCELL_ID = 0xb105f00d;

enum { ID_BYTES = 4 };

void primecell_init(struct primecell *cell, const char *name, const struct device_ops *ops,
                    const struct device_resources *resources)
{
    cell->device.ops = ops;
    cell->device.name = name;
    cell->device.size_bytes = PRIMECELL_SIZE_BYTES;
    cell->device.has_constant_files = true;
    cell->irq = resources->irq;
    cell->log = resources->log;
    cell->irq_level = false;
    (void)pthread_mutex_init(&cell->lock, NULL); /* cannot fail with default attributes */
}

void primecell_finish(struct primecell *cell)
{
    (void)pthread_mutex_destroy(&cell->lock);
}

uint32_t primecell_read_id(uint32_t periph_id, uint64_t offset)
{
    unsigned index = (unsigned)(offset - PRIMECELL_PERIPH_ID0) / ID_BYTES;
    uint32_t id = index < ID_BYTES ? periph_id : PCELL_ID;

    return (id >> (index % ID_BYTES * 8)) & 0xff;
}

void primecell_bad_access(struct primecell *cell, enum access_kind kind, uint64_t offset,
                          enum access_width width)
{
    if (log_limit_pass(&cell->device.bad_accesses) && cell->log != NULL) {
        log_line(cell->log, LOG_WARNING, "%s: %u-bit %s at offset 0x%" PRIx64 " is no register",
                 cell->device.name, 8U * (unsigned)width, kind == ACCESS_READ ? "read" : "write",
                 offset);
    }
}

void primecell_begin_node(const struct primecell *cell, struct fdt_writer *writer,
                          const struct device_place *place, const char *name,
                          const char *compatible, size_t compatible_bytes)
{
    fdt_begin_node_at(writer, name, place->base.value);
    fdt_prop_bytes(writer, "compatible", compatible, compatible_bytes);
    fdt_prop_reg(writer, place->base, cell->device.size_bytes);
    fdt_prop_spi(writer, place->spi, FDT_IRQ_LEVEL_HIGH);
}
