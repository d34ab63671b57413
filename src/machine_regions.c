// SPDX-License-Identifier: Apache-2.0
#include "machine_regions.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data_cache.h"

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

    assert(!self->wants_page && offset % DEVICE_REGION_PAGE_BYTES == 0);
    self->wants_page = true;
    self->page_offset = offset;
    self->starts_with_page = on;
}

static void *page(struct device_regions *regions)
{
    struct machine_regions *self = of(regions);

    if (!self->page_memory) {
        void *memory = mmap(NULL, DEVICE_REGION_PAGE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
            return NULL;
        /* A child that shared it would have the guest see a copy. */
        (void)madvise(memory, DEVICE_REGION_PAGE_BYTES, MADV_DONTFORK);
        self->page_memory = memory;
        self->page.host = memory;
    }
    return self->page_memory;
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

/* One eventfd that KVM signals and listens to: the write never leaves the kernel. */
static bool apply_loopback(struct machine_regions *self, struct error *error)
{
    const struct vm *vm = self->environment->vm;

    if (!self->wants_loopback || !self->kernel_gic || !vm_can(vm, VM_CAN_IOEVENTFD) ||
        !vm_can(vm, VM_CAN_IRQFD))
        return true;
    if (self->loopback.event_fd == NO_FILE)
        self->loopback.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->loopback.event_fd < 0)
        return error_set(error, ERROR_HOST, errno, "eventfd failed");
    if (!vm_add_irqfd(vm, self->irq->intid, self->loopback.event_fd, VM_NO_RESAMPLE, error) ||
        !apply_doorbell(self, &self->loopback, error))
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
           write(self->loopback.event_fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
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
    return of((struct device_regions *)regions)->granted;
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

    if (on == self->page.present)
        return true;
    if (!self->attached || !vm_can(environment->vm, VM_CAN_READONLY_PAGE) || !page(regions))
        return false;
    if (!vm_page_set_present(environment->vm, &self->page, on, &error)) {
        log_line(environment->log, LOG_WARNING, "%s", error.message);
        return false;
    }
    self->granted |= DEVICE_REGION_PAGE;
    return true;
}

static void page_changed(struct device_regions *regions, size_t offset, size_t size_bytes)
{
    const struct machine_regions *self = of(regions);

    if (self->page.present)
        data_cache_clean((const char *)self->page_memory + offset, size_bytes);
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
};

void machine_regions_init(struct machine_regions *regions,
                          const struct machine_regions_environment *environment,
                          const struct irq_line *irq)
{
    *regions = (struct machine_regions){
        .regions = {.ops = &regions_ops},
        .environment = environment,
        .irq = irq,
        .loopback = {.event_fd = NO_FILE},
    };
}

void machine_regions_finish(struct machine_regions *regions)
{
    if (regions->page_memory)
        (void)munmap(regions->page_memory, DEVICE_REGION_PAGE_BYTES);
    if (regions->wants_loopback && regions->loopback.event_fd != NO_FILE)
        (void)close(regions->loopback.event_fd);
}

bool machine_regions_apply(struct machine_regions *regions, gpa_t base, bool kernel_gic,
                           struct error *error)
{
    regions->base = base;
    regions->kernel_gic = kernel_gic;
    regions->attached = !events_wanted(regions->environment->events, EVENT_MMIO);
    if (!regions->attached)
        return true;
    if (regions->wants_page)
        vm_page_init(regions->environment->vm, &regions->page, gpa_add(base, regions->page_offset),
                     regions->page_memory);
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
    regions->page.present = false;
}
