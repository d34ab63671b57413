// SPDX-License-Identifier: Apache-2.0
/*
 * A small device to learn from, and to write a first driver for: an alarm. The driver writes a
 * delay, and when it has passed the device raises its interrupt until it is acknowledged.
 *
 *   offset  name    access  what
 *   0x00    ID      r       the property `id`
 *   0x04    DELAY   rw      microseconds; a write arms the alarm, of 0 disarms it
 *   0x08    STATUS  r       bit 0: armed, bit 1: fired, the interrupt is high
 *   0x0c    ACK     w       any value lowers the interrupt
 *   0x10    COUNT   r       how often the alarm has fired
 *
 * Registers take 32-bit accesses; anything else reads as zero, is ignored and logged.
 *
 *     armlet run --plugin sample --device sample,id=0x1234
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "armlet/event_loop.h"
#include "armlet/fdt_writer.h"
#include "armlet/plugin.h"

enum {
    SIZE_BYTES = 0x1000,
    ID = 0x00,
    DELAY = 0x04,
    STATUS = 0x08,
    ACK = 0x0c,
    COUNT = 0x10,
    STATUS_ARMED = 1 << 0,
    STATUS_FIRED = 1 << 1,
};

#define NS_PER_US UINT64_C(1000)

struct sample {
    struct device device;
    struct irq_line *irq;
    struct log *log;
    struct event_timer timer;
    uint64_t id;
    pthread_mutex_t lock; /* guards what follows */
    struct sample_registers {
        uint32_t delay;
        uint32_t status;
        uint32_t count;
    } regs;
};

static const struct property_row rows[] = {
    {"id", PROPERTY_NUMBER, offsetof(struct sample, id), 0, UINT32_MAX, "what ID reads as"},
    {0},
};

/* The I/O thread. A disarmed or re-armed timer may come once more: only `armed` counts. */
static void on_timer(struct event_timer *timer)
{
    struct sample *sample = timer->context;

    pthread_mutex_lock(&sample->lock);
    if (sample->regs.status & STATUS_ARMED) {
        sample->regs.status = STATUS_FIRED;
        sample->regs.count++;
        irq_line_set(sample->irq, true);
    }
    pthread_mutex_unlock(&sample->lock);
}

static void bad_access(struct sample *sample, const char *what, uint64_t offset)
{
    if (log_limit_pass(&sample->device.bad_accesses))
        log_line(sample->log, LOG_WARNING, "sample: %s at offset 0x%" PRIx64 " is no register",
                 what, offset);
}

static uint64_t sample_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct sample *sample = container_of(device, struct sample, device);
    uint64_t value = 0;
    bool known = width == ACCESS_32_BIT;

    pthread_mutex_lock(&sample->lock);
    if (known && offset == ID)
        value = sample->id;
    else if (known && offset == DELAY)
        value = sample->regs.delay;
    else if (known && offset == STATUS)
        value = sample->regs.status;
    else if (known && offset == COUNT)
        value = sample->regs.count;
    else
        known = false;
    pthread_mutex_unlock(&sample->lock);
    if (!known)
        bad_access(sample, "a read", offset);
    return value;
}

/* The caller holds the lock. */
static void arm(struct sample *sample, uint32_t delay_us)
{
    sample->regs.delay = delay_us;
    if (delay_us) {
        sample->regs.status |= STATUS_ARMED;
        event_timer_arm(&sample->timer, delay_us * NS_PER_US);
    } else {
        sample->regs.status &= ~(uint32_t)STATUS_ARMED;
        event_timer_disarm(&sample->timer);
    }
}

static void sample_write(struct device *device, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    struct sample *sample = container_of(device, struct sample, device);
    bool known = width == ACCESS_32_BIT;

    pthread_mutex_lock(&sample->lock);
    if (known && offset == DELAY) {
        arm(sample, (uint32_t)value);
    } else if (known && offset == ACK) {
        sample->regs.status &= ~(uint32_t)STATUS_FIRED;
        irq_line_set(sample->irq, false);
    } else {
        known = false;
    }
    pthread_mutex_unlock(&sample->lock);
    if (!known)
        bad_access(sample, "a write", offset);
}

static void sample_reset(struct device *device)
{
    struct sample *sample = container_of(device, struct sample, device);

    pthread_mutex_lock(&sample->lock);
    event_timer_disarm(&sample->timer);
    sample->regs = (struct sample_registers){0};
    irq_line_set(sample->irq, false);
    pthread_mutex_unlock(&sample->lock);
}

static void sample_describe(struct device *device, struct fdt_writer *writer,
                            const struct device_place *place)
{
    fdt_begin_node_at(writer, "sample", place->base.value);
    fdt_prop_string(writer, "compatible", "armlet,sample");
    fdt_prop_reg(writer, place->base, device->size_bytes);
    fdt_prop_spi(writer, place->spi, FDT_IRQ_LEVEL_HIGH);
    fdt_end_node(writer);
}

static void sample_destroy(struct device *device)
{
    struct sample *sample = container_of(device, struct sample, device);

    event_timer_finish(&sample->timer);
    (void)pthread_mutex_destroy(&sample->lock);
    free(sample);
}

static const struct device_ops sample_ops = {
    .read = sample_read,
    .write = sample_write,
    .reset = sample_reset,
    .describe = sample_describe,
    .destroy = sample_destroy,
};

static struct device *sample_create(const struct device_resources *resources, struct error *error)
{
    struct sample *sample = calloc(1, sizeof(*sample));

    if (!sample) {
        (void)error_set(error, ERROR_HOST, 0, "no memory for a sample device");
        return NULL;
    }
    sample->device =
        (struct device){.ops = &sample_ops, .name = "sample", .size_bytes = SIZE_BYTES};
    sample->irq = resources->irq;
    sample->log = resources->log;
    (void)pthread_mutex_init(&sample->lock, NULL);
    if (property_list_read(&resources->properties, rows, sample, error) &&
        event_timer_init(&sample->timer, resources->loop, on_timer, sample, error))
        return &sample->device;
    sample_destroy(&sample->device);
    return NULL;
}

static const struct device_class sample_class = {
    .name = "sample",
    .purpose = "an alarm, to write a first driver for",
    .properties = rows,
    .create = sample_create,
};

static bool initialise(struct plugin_host *host, const struct property_list *properties,
                       void **context, struct error *error)
{
    (void)properties;
    (void)context;
    return plugin_add_device_class(host, &sample_class, error);
}

const struct armlet_plugin armlet_plugin = {
    .abi = ARMLET_PLUGIN_ABI,
    .size_bytes = sizeof(struct armlet_plugin),
    .name = "sample",
    .version = "1",
    .initialise = initialise,
};
