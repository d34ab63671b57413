// SPDX-License-Identifier: Apache-2.0
/*
 * GICv2m (Server Base System Architecture, DEN0029, appendix E): a frame to which a device writes
 * the number of an SPI, and that SPI is pulsed. It makes message-signalled interrupts out of wires,
 * for interrupt controllers without an ITS.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "builtin.h"
#include "primecell.h"

enum {
    MSI_TYPER = 0x008,
    MSI_SETSPI_NS = 0x040,
    MSI_IIDR = 0xfcc,
    MSI_ID_FIRST = 0xfd0, /* identification registers, to the end of the frame; zero here */
    MSI_ID_LAST = 0xffc,
};

#define MSI_TYPER_BASE_SHIFT 16
#define MSI_SETSPI_MASK      0x3ffU

#define IIDR_IMPLEMENTER_ARM  0x43bU
#define IIDR_PRODUCT_ID       0x41U
#define IIDR_PRODUCT_ID_SHIFT 20

enum { LINE_COUNT = 64 };

/* The frame keeps no state. */
struct gicv2m {
    struct primecell cell;  /* its lock orders pulses; its own irq is lines[0] */
    struct irq_line *lines; /* LINE_COUNT, of consecutive INTIDs */
};

static bool read_register(const struct gicv2m *gicv2m, uint64_t offset, uint32_t *value)
{
    switch (offset) {
    case MSI_TYPER:
        *value = gicv2m->lines[0].intid << MSI_TYPER_BASE_SHIFT | LINE_COUNT;
        return true;
    case MSI_IIDR:
        *value = IIDR_PRODUCT_ID << IIDR_PRODUCT_ID_SHIFT | IIDR_IMPLEMENTER_ARM;
        return true;
    default: /* MSI_SETSPI_NS is write only */
        *value = 0;
        return offset == MSI_SETSPI_NS || (offset >= MSI_ID_FIRST && offset <= MSI_ID_LAST);
    }
}

static uint64_t gicv2m_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct gicv2m *gicv2m = container_of(device, struct gicv2m, cell.device);
    uint32_t value = 0;

    if (!primecell_access_is_aligned(offset, width) || !read_register(gicv2m, offset, &value)) {
        primecell_bad_access(&gicv2m->cell, ACCESS_READ, offset, width);
    }
    return value;
}

/* Other SPIs are not this frame's to set. */
static void set_spi(struct gicv2m *gicv2m, uint32_t intid)
{
    uint32_t index = intid - gicv2m->lines[0].intid;

    if (index >= LINE_COUNT) {
        return;
    }
    pthread_mutex_lock(&gicv2m->cell.lock);
    irq_line_pulse(&gicv2m->lines[index]);
    pthread_mutex_unlock(&gicv2m->cell.lock);
}

static void gicv2m_write(struct device *device, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    struct gicv2m *gicv2m = container_of(device, struct gicv2m, cell.device);
    uint32_t ignored = 0;

    if (!primecell_access_is_aligned(offset, width) || !read_register(gicv2m, offset, &ignored)) {
        primecell_bad_access(&gicv2m->cell, ACCESS_WRITE, offset, width);
    } else if (offset == MSI_SETSPI_NS && width >= ACCESS_16_BIT) {
        set_spi(gicv2m, (uint32_t)value & MSI_SETSPI_MASK);
    }
}

static void gicv2m_reset(struct device *device)
{
    (void)device;
}

/* Documentation/devicetree/bindings/interrupt-controller/arm,gic.yaml: below the GIC's node. */
static void gicv2m_describe(struct device *device, struct fdt_writer *writer,
                            const struct device_place *place)
{
    fdt_begin_node_at(writer, "v2m", place->base.value);
    fdt_prop_string(writer, "compatible", "arm,gic-v2m-frame");
    fdt_prop_empty(writer, "msi-controller");
    fdt_prop_reg(writer, place->base, device->size_bytes);
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_GICV2M);
    fdt_end_node(writer);
}

static void gicv2m_destroy(struct device *device)
{
    struct gicv2m *gicv2m = container_of(device, struct gicv2m, cell.device);

    primecell_finish(&gicv2m->cell);
    free(gicv2m);
}

static const struct device_ops gicv2m_ops = {
    .read = gicv2m_read,
    .write = gicv2m_write,
    .reset = gicv2m_reset,
    .describe = gicv2m_describe,
    .destroy = gicv2m_destroy,
};

static struct device *gicv2m_create(const struct device_resources *resources, struct error *error)
{
    struct gicv2m *gicv2m;

    assert(resources->irq != NULL);
    gicv2m = calloc(1, sizeof(*gicv2m));
    if (gicv2m == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the MSI frame");
        return NULL;
    }
    primecell_init(&gicv2m->cell, gicv2m_class.name, &gicv2m_ops, resources);
    gicv2m->lines = resources->irq;
    return &gicv2m->cell.device;
}

const struct device_class gicv2m_class = {
    .name = "gicv2m",
    .purpose = "frame for message-signalled interrupts, see --msi",
    .extra_irqs = LINE_COUNT - 1,
    .create = gicv2m_create,
};
