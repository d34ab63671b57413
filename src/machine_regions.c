// SPDX-License-Identifier: Apache-2.0
#include "machine_regions.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { NO_FILE = -1 };

static struct machine_regions *of(struct device_regions *regions)
{
    return (struct machine_regions *)((char *)regions - offsetof(struct machine_regions, regions));
}

/* ---- what a device asks for ---- */

static void take_doorbell(struct device_regions *regions, struct machine_doorbell doorbell)
{
    struct machine_regions *self = of(regions);

    assert(self->doorbell_count < DEVICE_REGION_DOORBELLS);
    self->doorbells[self->doorbell_count++] = doorbell;
}

static void add_doorbell(struct device_regions *regions, uint64_t offset, enum access_width width,
                         int event_fd)
{
    take_doorbell(regions, (struct machine_doorbell){offset, width, event_fd, false, 0});
}

static void add_doorbell_of(struct device_regions *regions, uint64_t offset,
                            enum access_width width, uint64_t value, int event_fd)
{
    take_doorbell(regions, (struct machine_doorbell){offset, width, event_fd, true, value});
}

static void add_loopback(struct device_regions *regions, uint64_t offset, enum access_width width)
{
    struct machine_regions *self = of(regions);

    assert(!self->wants_loopback);
    self->wants_loopback = true;
    self->loopback = (struct machine_doorbell){offset, width, NO_FILE, false, 0};
}

static void add_coalesced(struct device_regions *regions, uint64_t offset, uint32_t size_bytes,
                          bool on)
{
    struct machine_regions *self = of(regions);

    assert(!self->wants_coalesced);
    self->wants_coalesced = true;
    self->coalesced_offset = offset;
    self->coalesced_bytes = size_bytes;
    self->starts_coalesced = on;
}

static void add_page(struct device_regions *regions, uint64_t offset, bool on)
{
    struct machine_regions *self = of(regions);

    assert(!self->page && offset % DEVICE_REGION_PAGE_BYTES == 0);
    self->page = &self->own_page;
    machine_page_init(self->page, self->base); /* where that is, apply() says */
    self->page_offset = offset;
    self->starts_with_page = on;
}

static void add_part(struct device_regions *regions, size_t size_bytes)
{
    struct machine_regions *self = of(regions);

    assert(!self->page && self->base.value != 0);
    self->page = machine_pages_at(self->environment->pages, self->base);
    self->page_offset = self->base.value - self->page->base.value;
    assert(self->page_offset + size_bytes <= DEVICE_REGION_PAGE_BYTES);
}

static void add_sink(struct device_regions *regions, uint64_t offset, enum access_width width,
                     uint64_t value)
{
    struct machine_regions *self = of(regions);

    assert(!self->wants_sink);
    self->wants_sink = true;
    self->sink = (struct vm_doorbell){
        .address = GPA(offset), /* until apply() says of what */
        .width = width,
        .match = true,
        .value = value,
        .event_fd = NO_FILE,
    };
}

static bool is_shared(const struct machine_regions *self)
{
    return self->page != &self->own_page;
}

static void *page(struct device_regions *regions)
{
    const struct machine_regions *self = of(regions);
    char *memory = machine_page_memory(self->page);

    return memory && is_shared(self) ? memory + self->page_offset : memory;
}

static bool make_event(int *event_fd, struct error *error)
{
    if (*event_fd == NO_FILE)
        *event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *event_fd >= 0 || error_set(error, ERROR_HOST, errno, "eventfd failed");
}

/* ---- doorbells ---- */

static bool apply_doorbell(const struct machine_regions *self,
                           const struct machine_doorbell *doorbell, struct error *error)
{
    const struct vm_doorbell request = {
        .address = gpa_add(self->base, doorbell->offset),
        .width = doorbell->width,
        .match = doorbell->match,
        .value = doorbell->value,
        .event_fd = doorbell->event_fd,
    };

    return vm_add_ioeventfd(self->environment->vm, &request, error);
}

static bool apply_doorbells(struct machine_regions *self, struct error *error)
{
    if (self->doorbell_count == 0 || !vm_can(self->environment->vm, VM_CAN_IOEVENTFD))
        return true;
    for (size_t i = 0; i < self->doorbell_count; i++)
        if (!apply_doorbell(self, &self->doorbells[i], error))
            return false;
    self->granted |= DEVICE_REGION_DOORBELL;
    return true;
}

/* KVM listens to irq_event from here on, if it can. */
static bool listen_to_irq(struct machine_regions *self, struct error *error)
{
    const struct vm *vm = self->environment->vm;
    uint64_t left_over;

    if (self->irq_is_listened_to || !self->kernel_gic || !vm_can(vm, VM_CAN_IRQFD))
        return true;
    if (!make_event(&self->irq_event, error))
        return false;
    /* What came while no VM listened isn't this guest's. */
    (void)!read(self->irq_event, &left_over, sizeof(left_over));
    if (!vm_add_irqfd(vm, self->irq->wire.intid, self->irq_event, VM_NO_RESAMPLE, error))
        return false;
    self->irq_is_listened_to = true;
    return true;
}

/* One eventfd that KVM signals and listens to: the write never leaves the kernel. */
static bool apply_loopback(struct machine_regions *self, struct error *error)
{
    if (!self->wants_loopback || !vm_can(self->environment->vm, VM_CAN_IOEVENTFD))
        return true;
    if (!listen_to_irq(self, error))
        return false;
    if (!self->irq_is_listened_to)
        return true;
    self->loopback.event_fd = self->irq_event;
    if (!apply_doorbell(self, &self->loopback, error))
        return false;
    self->granted |= DEVICE_REGION_LOOPBACK;
    return true;
}

static void defer(struct device_regions *regions)
{
    of(regions)->defers_doorbells = true;
}

static bool connect_doorbells(struct machine_regions *self, struct error *error)
{
    self->connected = true;
    return apply_doorbells(self, error) && apply_loopback(self, error);
}

static bool raise_by_event(struct device_regions *regions)
{
    const struct machine_regions *self = of(regions);
    const uint64_t one = 1;

    return (self->granted & DEVICE_REGION_LOOPBACK) &&
           write(self->irq_event, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

static bool connect_irq(struct device_regions *regions)
{
    struct machine_regions *self = of(regions);
    struct error error = {0};

    if (!self->attached)
        return false;
    if (!listen_to_irq(self, &error))
        log_line(self->environment->log, LOG_WARNING, "%s", error.message);
    if (!self->irq_is_listened_to)
        return false;
    irq_watch_set_event(self->irq, self->irq_event);
    self->granted |= DEVICE_REGION_IRQ;
    return true;
}

/* What fails goes on to exit, and isn't tried again. */
static void connect(struct device_regions *regions)
{
    struct machine_regions *self = of(regions);
    struct error error = {0};

    if (self->attached && !self->connected && !connect_doorbells(self, &error))
        log_line(self->environment->log, LOG_WARNING, "%s", error.message);
}

/* ---- the switches ---- */

static unsigned granted(const struct device_regions *regions)
{
    const struct machine_regions *self = of((struct device_regions *)regions);

    return self->granted |
           (self->page && atomic_load(&self->page->present) ? DEVICE_REGION_PAGE : 0U);
}

/*
 * Whether the host can is asked when it comes to it: most machines never need to know. A device
 * whose switch fails stays with what it has, and is told; the line is for the operator.
 */
static bool set_coalesced(struct device_regions *regions, bool on)
{
    struct machine_regions *self = of(regions);
    const struct machine_regions_environment *environment = self->environment;
    struct error error = {0};

    if (on == self->is_coalesced)
        return true;
    if (!self->attached || !vm_can(environment->vm, VM_CAN_COALESCE) ||
        !coalesced_begin(environment->coalesced))
        return false;
    if (!vm_set_coalesced(environment->vm, gpa_add(self->base, self->coalesced_offset),
                          self->coalesced_bytes, on, &error)) {
        log_line(environment->log, LOG_WARNING, "%s", error.message);
        return false;
    }
    self->is_coalesced = on;
    self->granted |= DEVICE_REGION_COALESCED;
    return true;
}

static bool set_page(struct device_regions *regions, bool on)
{
    struct machine_regions *self = of(regions);
    const struct machine_regions_environment *environment = self->environment;
    struct error error = {0};

    if (on == self->wants_page_now)
        return true;
    if (!self->attached || !vm_can(environment->vm, VM_CAN_READONLY_PAGE) || !page(regions))
        return false;
    if (!machine_page_want(self->page, environment->vm, on, &error)) {
        log_line(environment->log, LOG_WARNING, "%s", error.message);
        return false;
    }
    self->wants_page_now = on;
    return true;
}

static bool switch_sink(struct machine_regions *self, bool on, struct error *error)
{
    const struct vm *vm = self->environment->vm;

    if (!make_event(&self->sink.event_fd, error))
        return false;
    struct vm_doorbell sink = self->sink;
    sink.address = gpa_add(self->base, sink.address.value);
    return on ? vm_add_ioeventfd(vm, &sink, error) : vm_remove_ioeventfd(vm, &sink, error);
}

static bool set_sink(struct device_regions *regions, bool on)
{
    struct machine_regions *self = of(regions);
    struct error error = {0};

    if (on == self->sink_is_on)
        return true;
    if (!self->attached || !vm_can(self->environment->vm, VM_CAN_IOEVENTFD))
        return false;
    if (!switch_sink(self, on, &error)) {
        log_line(self->environment->log, LOG_WARNING, "%s", error.message);
        return false;
    }
    self->sink_is_on = on;
    self->granted |= DEVICE_REGION_SINK;
    return true;
}

static void page_changed(struct device_regions *regions, size_t offset, size_t size_bytes)
{
    const struct machine_regions *self = of(regions);

    machine_page_changed(self->page, offset + (is_shared(self) ? self->page_offset : 0),
                         size_bytes);
}

static void drain(struct device_regions *regions)
{
    coalesced_drain(of(regions)->environment->coalesced);
}

/* ---- from power-on to power-off ---- */

static const struct device_regions_ops regions_ops = {
    .add_doorbell = add_doorbell,
    .add_loopback = add_loopback,
    .add_coalesced = add_coalesced,
    .add_page = add_page,
    .defer = defer,
    .connect = connect,
    .raise = raise_by_event,
    .page = page,
    .granted = granted,
    .set_coalesced = set_coalesced,
    .set_page = set_page,
    .page_changed = page_changed,
    .drain = drain,
    .add_doorbell_of = add_doorbell_of,
    .add_sink = add_sink,
    .add_part = add_part,
    .set_sink = set_sink,
    .connect_irq = connect_irq,
};

void machine_regions_init(struct machine_regions *regions,
                          const struct machine_regions_environment *environment,
                          struct irq_watch *irq, gpa_t base)
{
    *regions = (struct machine_regions){
        .regions = {.ops = &regions_ops},
        .environment = environment,
        .irq = irq,
        .base = base,
        .irq_event = NO_FILE,
        .sink = {.event_fd = NO_FILE},
    };
}

void machine_regions_finish(struct machine_regions *regions)
{
    if (!regions->environment)
        return;
    if (regions->page == &regions->own_page)
        machine_page_finish(&regions->own_page);
    if (regions->irq_event != NO_FILE)
        (void)close(regions->irq_event);
    if (regions->sink.event_fd != NO_FILE)
        (void)close(regions->sink.event_fd);
    *regions = (struct machine_regions){0};
}

bool machine_regions_apply(struct machine_regions *regions, gpa_t base, bool kernel_gic,
                           struct error *error)
{
    regions->base = base;
    regions->kernel_gic = kernel_gic;
    regions->attached = !events_wanted(regions->environment->events, EVENT_MMIO);
    if (!regions->attached)
        return true;
    if (regions->page == &regions->own_page)
        regions->own_page.base = gpa_add(base, regions->page_offset);
    if (regions->page)
        machine_page_attach(regions->page, regions->environment->vm);
    if (regions->starts_coalesced)
        (void)set_coalesced(&regions->regions, true);
    if (regions->starts_with_page)
        (void)set_page(&regions->regions, true);
    return regions->defers_doorbells || connect_doorbells(regions, error);
}

void machine_regions_forget(struct machine_regions *regions)
{
    regions->attached = false;
    regions->connected = false;
    regions->granted = 0;
    regions->is_coalesced = false;
    regions->irq_is_listened_to = false;
    regions->sink_is_on = false;
    regions->wants_page_now = false;
    if (regions->page)
        machine_page_forget(regions->page);
    if (regions->irq)
        irq_watch_set_event(regions->irq, IRQ_NO_EVENT);
}
