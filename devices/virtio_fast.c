// SPDX-License-Identifier: Apache-2.0
#include "virtio_fast.h"

#include <string.h>

#include "armlet/device_regions.h"
#include "armlet/irq.h"
#include "virtio_mmio.h"
#include "virtio_worker.h"

/* Switching costs what some interrupts do, and a few might look right by chance. */
enum { TRIAL_ACKNOWLEDGEMENTS = 16 };

/* ---- the page ---- */

/* Those that can read as something else than zero. */
static const uint16_t registers[] = {
    VIRTIO_MMIO_MAGIC_VALUE,   VIRTIO_MMIO_VERSION,          VIRTIO_MMIO_DEVICE_ID,
    VIRTIO_MMIO_VENDOR_ID,     VIRTIO_MMIO_DEVICE_FEATURES,  VIRTIO_MMIO_QUEUE_NUM_MAX,
    VIRTIO_MMIO_QUEUE_READY,   VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_STATUS,
    VIRTIO_MMIO_SHM_LEN_LOW,   VIRTIO_MMIO_SHM_LEN_HIGH,     VIRTIO_MMIO_SHM_BASE_LOW,
    VIRTIO_MMIO_SHM_BASE_HIGH,
};
enum { CONFIG_BYTES = VIRTIO_MMIO_BYTES - VIRTIO_MMIO_CONFIG };

/* Whether the word changed; the guest may be reading it. */
static bool put(uint32_t *page, uint64_t offset, uint32_t value)
{
    uint32_t *word = &page[offset / sizeof(*page)];

    if (*word == value)
        return false;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    return true;
}

static bool put_register(struct virtio *virtio, uint64_t offset)
{
    uint32_t value = 0;

    (void)virtio_read_register(virtio, offset, &value);
    return put(virtio->fast.page, offset, value);
}

static bool put_config(struct virtio *virtio)
{
    size_t left = virtio->config_bytes < CONFIG_BYTES ? virtio->config_bytes : CONFIG_BYTES;
    bool changed = false;

    for (size_t at = 0; at < left; at += sizeof(uint32_t)) {
        uint32_t word = 0;

        memcpy(&word, virtio->config + at, left - at < sizeof(word) ? left - at : sizeof(word));
        changed |= put(virtio->fast.page, VIRTIO_MMIO_CONFIG + at, word);
    }
    return changed;
}

/*
 * The generation comes after what it is of: who read some of the old configuration reads another
 * generation then, or the interrupt that follows is still to come.
 */
void virtio_fast_show(struct virtio *virtio)
{
    if (!virtio->fast.page)
        return;
    bool changed = put_config(virtio);

    changed |= put_register(virtio, VIRTIO_MMIO_CONFIG_GENERATION);
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        changed |= put_register(virtio, registers[i]);
    if (changed)
        device_regions_page_changed(virtio->regions, 0, VIRTIO_MMIO_BYTES);
}

/* ---- the line ---- */

static void drive(struct virtio *virtio, bool level)
{
    if (level == virtio->fast.level)
        return;
    virtio->fast.level = level;
    irq_line_set(virtio->irq, level);
}

/* USED_BUFFER is set for good, so that its notifications need nothing but the pulse. */
static void begin_pulses(struct virtio *virtio)
{
    (void)device_regions_connect_irq(virtio->regions);
    drive(virtio, false);
    virtio->fast.signalling = VIRTIO_PULSES;
    virtio->regs.interrupt_status |= VIRTIO_INTERRUPT_USED_BUFFER;
}

static void end_trial(struct virtio *virtio)
{
    struct device_regions *regions = virtio->regions;

    if (virtio->fast.page && device_regions_set_sink(regions, true)) {
        begin_pulses(virtio);
        virtio_fast_show(virtio);
        if (device_regions_set_page(regions, true))
            return;
        (void)device_regions_set_sink(regions, false);
    }
    virtio->fast.signalling = VIRTIO_LEVEL;
    virtio->regs.interrupt_status &= ~(uint32_t)VIRTIO_INTERRUPT_USED_BUFFER;
    drive(virtio, virtio->regs.interrupt_status != 0);
}

/* The driver's next look at what isn't there shows how it works; before it runs, none does. */
static void note_zero(struct virtio *virtio)
{
    if (virtio->fast.signalling != VIRTIO_ON_TRIAL ||
        !(virtio->regs.status & VIRTIO_STATUS_DRIVER_OK))
        return;
    virtio->fast.signalling = VIRTIO_LEVEL;
    drive(virtio, virtio->regs.interrupt_status != 0);
}

void virtio_fast_raise(struct virtio *virtio, uint32_t causes)
{
    uint32_t before = virtio->regs.interrupt_status;

    virtio->regs.interrupt_status |= causes;
    if (virtio->regs.interrupt_status != before)
        virtio_fast_show(virtio);
    if (virtio->fast.signalling == VIRTIO_PULSES) {
        irq_line_pulse(virtio->irq);
    } else if (before == 0) {
        drive(virtio, false);
        drive(virtio, true);
    }
}

void virtio_fast_acknowledge(struct virtio *virtio, uint32_t causes)
{
    struct virtio_fast *fast = &virtio->fast;
    bool any = virtio->regs.interrupt_status & causes;

    virtio->regs.interrupt_status &= ~causes;
    if (fast->signalling == VIRTIO_PULSES)
        virtio->regs.interrupt_status |= VIRTIO_INTERRUPT_USED_BUFFER;
    else if (!any)
        note_zero(virtio);
    else if (fast->signalling == VIRTIO_LEVEL)
        drive(virtio, virtio->regs.interrupt_status != 0);
    else if (++fast->acknowledgements >= TRIAL_ACKNOWLEDGEMENTS ||
             device_regions_granted(virtio->regions) & DEVICE_REGION_PAGE)
        end_trial(virtio);
}

void virtio_fast_note_status_read(struct virtio *virtio)
{
    if (virtio->regs.interrupt_status == 0)
        note_zero(virtio);
}

int virtio_fast_direct(struct virtio *virtio)
{
    struct device_regions *regions = virtio->regions;
    int event_fd = IRQ_NO_EVENT;

    if (device_regions_connect_irq(regions))
        event_fd = irq_line_event_fd(virtio->irq);
    if (event_fd == IRQ_NO_EVENT)
        return event_fd;
    begin_pulses(virtio);
    virtio_fast_show(virtio);
    if (virtio->fast.page && device_regions_set_sink(regions, true))
        (void)device_regions_set_page(regions, true);
    return event_fd;
}

/* ---- from create on ---- */

void virtio_fast_init(struct virtio *virtio)
{
    struct device_regions *regions = virtio->regions;

    virtio->fast = (struct virtio_fast){0};
    device_regions_add_part(regions, VIRTIO_MMIO_BYTES);
    device_regions_add_sink(regions, VIRTIO_MMIO_INTERRUPT_ACK, ACCESS_32_BIT,
                            VIRTIO_INTERRUPT_USED_BUFFER);
    virtio->fast.page = device_regions_page(regions);
}

void virtio_fast_reset(struct virtio *virtio)
{
    struct virtio_fast *fast = &virtio->fast;

    drive(virtio, false);
    fast->acknowledgements = 0;
    fast->signalling = VIRTIO_ON_TRIAL;
    (void)device_regions_set_page(virtio->regions, false);
    if (!device_regions_set_sink(virtio->regions, false))
        begin_pulses(virtio);
    virtio_fast_show(virtio);
}
