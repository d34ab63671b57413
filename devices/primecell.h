// SPDX-License-Identifier: Apache-2.0
/*
 * What Arm's PrimeCell peripherals have in common: 4 KiB of 32-bit registers, eight identification
 * registers at the end, one interrupt output, and a device tree node of the same form.
 *
 * Registers take accesses of 8, 16 and 32 bits at their own offset. A narrower read returns the low
 * bits; a narrower write writes the whole register with the upper bits zero, as the bus would.
 * 64-bit accesses, offsets between registers and reserved offsets read as zero, ignore writes, and
 * are logged at a limited rate.
 */
#ifndef DEVICES_PRIMECELL_H
#define DEVICES_PRIMECELL_H

#include <pthread.h>

#include "armlet/device.h"
#include "armlet/fdt_writer.h"
#include "armlet/log.h"

enum {
    PRIMECELL_SIZE_BYTES = 0x1000,
    PRIMECELL_PERIPH_ID0 = 0xfe0, /* PeriphID0..3, PCellID0..3, one byte in each word */
    PRIMECELL_PCELL_ID3 = 0xffc,
};

/* The first member of a PrimeCell's state. */
struct primecell {
    struct device device;
    struct irq_line *irq;
    struct log *log;
    pthread_mutex_t lock; /* guards irq_level and what the embedding struct says */
    bool irq_level;       /* what was last driven */
};

/* `name` is static. The interrupt output is low. */
void primecell_init(struct primecell *cell, const char *name, const struct device_ops *ops,
                    const struct device_resources *resources);
void primecell_finish(struct primecell *cell);

/* Whether a register can be at this offset and be accessed at this width. */
static inline bool primecell_access_is_aligned(uint64_t offset, enum access_width width)
{
    return offset % sizeof(uint32_t) == 0 && width <= ACCESS_32_BIT;
}

static inline bool primecell_offset_is_id(uint64_t offset)
{
    return offset >= PRIMECELL_PERIPH_ID0 && offset <= PRIMECELL_PCELL_ID3;
}

/* An identification register; `periph_id` is PeriphID3:2:1:0 as one word. */
uint32_t primecell_read_id(uint32_t periph_id, uint64_t offset);

/* Counts an access that no register answers, and logs some of them. Any thread. */
void primecell_bad_access(struct primecell *cell, enum access_kind kind, uint64_t offset,
                          enum access_width width);

/* Drives the interrupt output if its level changes. The caller holds the lock. */
static inline void primecell_set_irq(struct primecell *cell, bool level)
{
    if (level != cell->irq_level) {
        cell->irq_level = level;
        irq_line_set(cell->irq, level);
    }
}

/*
 * Begins the node name@base with compatible, reg and interrupts. `compatible` is the string list's
 * value with its size (sizeof of a literal with NULs between).
 */
void primecell_begin_node(const struct primecell *cell, struct fdt_writer *writer,
                          const struct device_place *place, const char *name,
                          const char *compatible, size_t compatible_bytes);

#endif
