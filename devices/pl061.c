// SPDX-License-Identifier: Apache-2.0
/*
 * PrimeCell General Purpose Input/Output PL061 (ARM DDI 0190B): eight lines with interrupts.
 *
 * Outputs lead nowhere. Interrupts look at inputs only. GPIOAFSEL is kept and has no effect.
 */
#include "pl061.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builtin.h"
#include "primecell.h"

enum {
    GPIODATA = 0x000, /* to GPIODATA_LAST; address bits [9:2] select lines */
    GPIODATA_LAST = 0x3fc,
    GPIODIR = 0x400,
    GPIOIS = 0x404,
    GPIOIBE = 0x408,
    GPIOIEV = 0x40c,
    GPIOIE = 0x410,
    GPIORIS = 0x414,
    GPIOMIS = 0x418,
    GPIOIC = 0x41c,
    GPIOAFSEL = 0x420,
    GPIOITCR = 0x600,
    GPIOITIP1 = 0x604,
    GPIOITIP2 = 0x608,
    GPIOITOP1 = 0x60c,
    GPIOITOP2 = 0x610,
    GPIOITOP3 = 0x614,
};

#define PL061_PERIPH_ID 0x00041061U

#define GPIODATA_MASK_SHIFT 2

enum { KEY_POWER = 116 }; /* Linux input event code */

/* A bit for each line. */
struct pl061_registers {
    uint8_t data; /* what outputs drive */
    uint8_t dir;  /* 1: output */
    uint8_t is;
    uint8_t ibe;
    uint8_t iev;
    uint8_t ie;
    uint8_t edges; /* seen since cleared */
    uint8_t afsel;
};

struct pl061 {
    struct primecell cell; /* its lock guards regs and inputs */
    struct pl061_registers regs;
    uint8_t inputs; /* as driven from outside */
};

static uint8_t lines(const struct pl061 *pl061)
{
    const struct pl061_registers *regs = &pl061->regs;

    return (uint8_t)((regs->data & regs->dir) | (pl061->inputs & ~regs->dir));
}

static uint8_t raw_status(const struct pl061 *pl061)
{
    const struct pl061_registers *regs = &pl061->regs;
    uint8_t at_level = (uint8_t)(~(pl061->inputs ^ regs->iev) & ~regs->dir);

    return (uint8_t)((at_level & regs->is) | (regs->edges & ~regs->is));
}

static void update_irq(struct pl061 *pl061)
{
    primecell_set_irq(&pl061->cell, (raw_status(pl061) & pl061->regs.ie) != 0);
}

void pl061_set_input(struct device *device, unsigned line, bool level)
{
    struct pl061 *pl061 = container_of(device, struct pl061, cell.device);
    struct pl061_registers *regs = &pl061->regs;
    uint8_t inputs;
    uint8_t changed;

    assert(line < PL061_LINE_COUNT);
    pthread_mutex_lock(&pl061->cell.lock);
    inputs = (uint8_t)((pl061->inputs & ~(1U << line)) | (level ? 1U << line : 0));
    changed = (uint8_t)((pl061->inputs ^ inputs) & ~regs->dir & ~regs->is);
    regs->edges |= (uint8_t)(changed & (regs->ibe | ~(inputs ^ regs->iev)));
    pl061->inputs = inputs;
    update_irq(pl061);
    pthread_mutex_unlock(&pl061->cell.lock);
}

/* False if no register is there. The caller holds the lock. */
static bool read_register(const struct pl061 *pl061, uint64_t offset, uint32_t *value)
{
    const struct pl061_registers *regs = &pl061->regs;

    switch (offset) {
    case GPIODATA ... GPIODATA_LAST:
        *value = lines(pl061) & (uint8_t)(offset >> GPIODATA_MASK_SHIFT);
        return true;
    case GPIODIR:
        *value = regs->dir;
        return true;
    case GPIOIS:
        *value = regs->is;
        return true;
    case GPIOIBE:
        *value = regs->ibe;
        return true;
    case GPIOIEV:
        *value = regs->iev;
        return true;
    case GPIOIE:
        *value = regs->ie;
        return true;
    case GPIORIS:
        *value = raw_status(pl061);
        return true;
    case GPIOMIS:
        *value = raw_status(pl061) & regs->ie;
        return true;
    case GPIOAFSEL:
        *value = regs->afsel;
        return true;
    case GPIOIC:
    case GPIOITCR ... GPIOITOP3:
        *value = 0;
        return true;
    default:
        *value = primecell_offset_is_id(offset) ? primecell_read_id(PL061_PERIPH_ID, offset) : 0;
        return primecell_offset_is_id(offset);
    }
}

static uint64_t pl061_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct pl061 *pl061 = container_of(device, struct pl061, cell.device);
    uint32_t value = 0;
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl061->cell.lock);
        known = read_register(pl061, offset, &value);
        pthread_mutex_unlock(&pl061->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&pl061->cell, ACCESS_READ, offset, width);
    }
    return value;
}

/* Lines that are not outputs keep what they last drove. */
static void write_data(struct pl061_registers *regs, uint8_t mask, uint8_t value)
{
    mask &= regs->dir;
    regs->data = (uint8_t)((regs->data & ~mask) | (value & mask));
}

/* False if no register is there. The caller holds the lock. */
static bool write_register(struct pl061_registers *regs, uint64_t offset, uint8_t value)
{
    switch (offset) {
    case GPIODATA ... GPIODATA_LAST:
        write_data(regs, (uint8_t)(offset >> GPIODATA_MASK_SHIFT), value);
        return true;
    case GPIODIR:
        regs->dir = value;
        return true;
    case GPIOIS:
        regs->is = value;
        regs->edges &= (uint8_t)~value;
        return true;
    case GPIOIBE:
        regs->ibe = value;
        return true;
    case GPIOIEV:
        regs->iev = value;
        return true;
    case GPIOIE:
        regs->ie = value;
        return true;
    case GPIOIC:
        regs->edges &= (uint8_t)~value;
        return true;
    case GPIOAFSEL:
        regs->afsel = value;
        return true;
    case GPIORIS:
    case GPIOMIS:
    case GPIOITCR ... GPIOITOP3:
        return true;
    default:
        return primecell_offset_is_id(offset);
    }
}

static void pl061_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct pl061 *pl061 = container_of(device, struct pl061, cell.device);
    bool known = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl061->cell.lock);
        known = write_register(&pl061->regs, offset, (uint8_t)value);
        update_irq(pl061);
        pthread_mutex_unlock(&pl061->cell.lock);
    }
    if (!known) {
        primecell_bad_access(&pl061->cell, ACCESS_WRITE, offset, width);
    }
}

static void pl061_reset(struct device *device)
{
    struct pl061 *pl061 = container_of(device, struct pl061, cell.device);

    pthread_mutex_lock(&pl061->cell.lock);
    memset(&pl061->regs, 0, sizeof(pl061->regs));
    update_irq(pl061);
    pthread_mutex_unlock(&pl061->cell.lock);
}

/* Documentation/devicetree/bindings/input/gpio-keys.yaml */
static void describe_power_key(struct fdt_writer *writer)
{
    static const uint32_t gpios[] = {FDT_PHANDLE_GPIO, PL061_POWER_KEY_LINE, 0};

    fdt_begin_node(writer, "gpio-keys");
    fdt_prop_string(writer, "compatible", "gpio-keys");
    fdt_begin_node(writer, "poweroff");
    fdt_prop_string(writer, "label", "GPIO Key Poweroff");
    fdt_prop_u32(writer, "linux,code", KEY_POWER);
    fdt_prop_cells(writer, "gpios", gpios, sizeof(gpios) / sizeof(gpios[0]));
    fdt_end_node(writer);
    fdt_end_node(writer);
}

/* Documentation/devicetree/bindings/gpio/pl061-gpio.yaml */
static void pl061_describe(struct device *device, struct fdt_writer *writer,
                           const struct device_place *place)
{
    static const char compatible[] = "arm,pl061\0arm,primecell";
    const struct pl061 *pl061 = container_of(device, struct pl061, cell.device);

    primecell_begin_node(&pl061->cell, writer, place, "pl061", compatible, sizeof(compatible));
    fdt_prop_u32(writer, "clocks", FDT_PHANDLE_CLOCK);
    fdt_prop_string(writer, "clock-names", "apb_pclk");
    fdt_prop_empty(writer, "gpio-controller");
    fdt_prop_u32(writer, "#gpio-cells", 2);
    fdt_prop_u32(writer, "phandle", FDT_PHANDLE_GPIO);
    fdt_end_node(writer);
    describe_power_key(writer);
}

static void pl061_destroy(struct device *device)
{
    struct pl061 *pl061 = container_of(device, struct pl061, cell.device);

    primecell_finish(&pl061->cell);
    free(pl061);
}

static const struct device_ops pl061_ops = {
    .read = pl061_read,
    .write = pl061_write,
    .reset = pl061_reset,
    .describe = pl061_describe,
    .destroy = pl061_destroy,
};

static struct device *pl061_create(const struct device_resources *resources, struct error *error)
{
    struct pl061 *pl061;

    assert(resources->irq != NULL);
    pl061 = calloc(1, sizeof(*pl061));
    if (pl061 == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the GPIO controller");
        return NULL;
    }
    primecell_init(&pl061->cell, pl061_class.name, &pl061_ops, resources);
    pl061_reset(&pl061->cell.device);
    return &pl061->cell.device;
}

const struct device_class pl061_class = {
    .name = "pl061",
    .purpose = "GPIO with the power key",
    .create = pl061_create,
};
