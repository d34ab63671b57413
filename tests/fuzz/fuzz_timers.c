// SPDX-License-Identifier: Apache-2.0
/*
 * The timers of the bus: a byte chooses the device, then 16 bytes a step are an access and the time
 * that passes after it. An alarm sooner after the last than the floor allows aborts, and so does a
 * line that is driven to the level that it has.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "armlet/log.h"
#include "devices/builtin.h"
#include "devices/timer_alarm.h"
#include "tests/unit/fake_event_loop.h"
#include "tests/unit/fake_irq.h"
#include "tests/unit/fake_timer_clocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 2, MOST_ALARMS = 100, GRANULE = 8 };

#define START_NS UINT64_C(1000000000)

struct step {
    uint8_t kind; /* bit 2: a write; bits 1:0: log2 of the width */
    uint8_t low;  /* of the offset */
    uint16_t offset;
    uint32_t pass_ns; /* scaled up by kind >> 3 */
    uint64_t value;
};

struct world {
    struct event_loop loop;
    struct fake_irq irqs[LINES];
    struct fake_irq reset_request;
    struct irq_line lines[LINES];
    struct log log;
    uint64_t now_ns;
    uint64_t last_alarm_ns;
};

static void set_time(struct world *world, uint64_t now_ns)
{
    world->now_ns = now_ns;
    fake_timer_clocks_set(now_ns);
}

static void fire(struct world *world)
{
    if (world->last_alarm_ns != 0 && world->now_ns - world->last_alarm_ns < TIMER_ALARM_FLOOR_NS)
        abort();
    world->last_alarm_ns = world->now_ns;
    fake_event_loop_fire(&world->loop);
}

/* Some alarms go off when they are due, and then time jumps: the I/O thread was kept waiting. */
static void pass(struct world *world, uint64_t ns)
{
    uint64_t end_ns = world->now_ns + ns;

    for (unsigned i = 0; i < MOST_ALARMS && world->loop.armed && world->loop.due_ns <= end_ns;
         i++) {
        set_time(world, world->loop.due_ns);
        fire(world);
    }
    set_time(world, end_ns);
}

static void take_step(struct world *world, struct device *device, const struct step *step)
{
    enum access_width width = (enum access_width)(1U << (step->kind & 3));
    uint64_t offset = (uint64_t)step->offset * GRANULE % device->size_bytes;

    offset += step->low % GRANULE;
    if (device->size_bytes - offset < width)
        return;
    if ((step->kind & 4) != 0)
        device->ops->write(device, offset, width, step->value & access_mask(width));
    else
        (void)device->ops->read(device, offset, width);
    pass(world, (uint64_t)step->pass_ns << (step->kind >> 3 & 0xf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct device_class *const classes[] = {&sp804_class, &sp805_class,
                                                         &timer_mmio_class};
    struct world world = {.log.fd = -1, .loop.clock = monotonic_clock_now_ns};
    struct device_resources resources = {.irq = world.lines,
                                         .reset_request = &world.reset_request.line,
                                         .loop = &world.loop,
                                         .log = &world.log};
    struct error error = {0};
    struct step step;

    if (size == 0)
        return 0;
    set_time(&world, START_NS);
    fake_irq_init(&world.reset_request);
    for (unsigned i = 0; i < LINES; i++) {
        fake_irq_init(&world.irqs[i]);
        world.lines[i] = world.irqs[i].line;
    }
    struct device *device =
        classes[data[0] % (sizeof(classes) / sizeof(classes[0]))]->create(&resources, &error);
    if (!device)
        abort();
    for (size_t at = 1; size - at >= sizeof(step); at += sizeof(step)) {
        memcpy(&step, &data[at], sizeof(step));
        take_step(&world, device, &step);
    }
    for (unsigned i = 0; i < LINES; i++)
        if (world.irqs[i].redundant != 0)
            abort();
    device->ops->destroy(device);
    return 0;
}
