// SPDX-License-Identifier: Apache-2.0
#include "kvm_guest.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory_map.h"

#define BOUND_NS (30 * UINT64_C(1000000000))

static uint64_t read_device(struct device *device, uint64_t offset, enum access_width width)
{
    struct guest_device *self = container_of(device, struct guest_device, device);

    (void)width;
    atomic_fetch_add(&self->reads, 1);
    return atomic_load(&self->registers[offset / 8 % 8]);
}

static void write_device(struct device *device, uint64_t offset, enum access_width width,
                         uint64_t value)
{
    struct guest_device *self = container_of(device, struct guest_device, device);

    (void)width;
    atomic_fetch_add(&self->writes, 1);
    atomic_store(&self->registers[offset / 8 % 8], value);
    if (self->on_write)
        self->on_write(self->context);
}

static const struct device_ops device_ops = {.read = read_device, .write = write_device};

static void on_left(struct event_notify *notify)
{
    struct guest *guest = notify->context;

    if (vcpu_has_left(&guest->vcpus[guest->awaited]))
        event_loop_stop(guest->loop);
}

static void on_bound(struct event_timer *timer)
{
    const struct guest *guest = timer->context;

    ck_abort_msg("vCPU %u doesn't leave its run loop", guest->awaited);
}

static void init_bus(struct guest *guest)
{
    struct error error = {0};

    guest->device.device =
        (struct device){.ops = &device_ops, .name = "registers", .size_bytes = 0x1000};
    bus_init(&guest->bus, &guest->arena);
    ck_assert(bus_add(&guest->bus, &guest->device.device, GPA(GUEST_DEVICE_BASE), &error));
    ck_assert(bus_freeze(&guest->bus, &error));
}

static void init_loop(struct guest *guest)
{
    struct error error = {0};

    guest->loop = event_loop_create(&error);
    ck_assert_ptr_nonnull(guest->loop);
    ck_assert(event_notify_init(&guest->left, guest->loop, on_left, guest, &error));
    ck_assert(event_timer_init(&guest->bound, guest->loop, on_bound, guest, &error));
}

void guest_init(struct guest *guest)
{
    struct error error = {0};

    fake_kvm_init(&guest->fake);
    fake_kvm_install(&guest->fake);
    ck_assert(vcpu_prepare_signals(&error));
    ck_assert(kvm_open(&guest->kvm, &error));
    init_bus(guest);
    coalesced_init(&guest->coalesced, &guest->bus);
    init_loop(guest);
    guest->memory = (struct guest_memory){
        .base = GPA(GUEST_RAM_BASE),
        .size_bytes = GUEST_RAM_BYTES,
        .host = aligned_alloc(4096, GUEST_RAM_BYTES),
    };
    ck_assert_ptr_nonnull(guest->memory.host);
    memset(guest->memory.host, 0, GUEST_RAM_BYTES);
    guest->log.fd = memfd_create("log", MFD_CLOEXEC);
    guest->log.threshold = LOG_DEBUG;
    ck_assert_int_ge(guest->log.fd, 0);
    guest->environment = (struct vcpu_environment){
        .bus = &guest->bus,
        .coalesced = &guest->coalesced,
        .memory = &guest->memory,
        .events = &guest->events,
        .log = &guest->log,
        .unassigned_limit = &guest->unassigned_limit,
        .refused_limit = &guest->refused_limit,
        .left = &guest->left,
        .run_bytes = FAKE_KVM_RUN_BYTES,
        .can_inject_abort = true,
    };
    guest->vm.fd = guest->vgic.fd = guest->vgic.its_fd = -1;
    for (uint32_t i = 0; i < GUEST_VCPUS; i++) {
        guest->vcpus[i].fd = -1;
        guest->vcpus[i].pin_cpu = PIN_NONE;
        guest->vcpus[i].counters.devices = guest->counters[i];
    }
}

void guest_finish(struct guest *guest)
{
    guest_destroy(guest);
    event_timer_finish(&guest->bound);
    event_notify_finish(&guest->left);
    event_loop_destroy(guest->loop);
    coalesced_finish(&guest->coalesced);
    arena_finish(&guest->arena);
    free(guest->memory.host);
    (void)close(guest->log.fd);
    kvm_close(&guest->kvm);
    fake_kvm_finish(&guest->fake);
}

static bool create_vcpus(struct guest *guest, struct error *error)
{
    if (!vcpu_describe_target(&guest->vm, &guest->features, &guest->target, error))
        return false;
    for (uint32_t i = 0; i < GUEST_VCPUS; i++)
        if (!vcpu_create(&guest->vcpus[i], &guest->vm, i, &guest->environment, &guest->target,
                         error))
            return false;
    coalesced_attach(&guest->coalesced, &guest->vm, guest->vcpus[0].run, FAKE_KVM_RUN_BYTES);
    return true;
}

static bool finish_vcpus(struct guest *guest, struct error *error)
{
    for (uint32_t i = 0; i < GUEST_VCPUS; i++)
        if (!vcpu_finish_setup(&guest->vcpus[i], &guest->features,
                               gpa_add(guest->memory.base, 64 * (uint64_t)i), error) ||
            !vcpu_read_affinity(&guest->vcpus[i], &guest->affinities[i], error))
            return false;
    return vcpu_set_entry(&guest->vcpus[0], guest->features.aarch32_el1, guest->memory.base,
                          GPA(GUEST_RAM_BASE + GUEST_RAM_BYTES / 2), error);
}

bool guest_create(struct guest *guest, struct error *error)
{
    const struct vm_config vm = {.highest = GPA(GUEST_RAM_BASE + GUEST_RAM_BYTES - 1)};
    const struct vgic_config vgic = {.choice = GIC_V3, .vcpu_count = GUEST_VCPUS};

    if (!guest->events.frozen)
        events_freeze(&guest->events);
    if (vm_create(&guest->vm, &guest->kvm, &vm, error) &&
        vm_add_memory(&guest->vm, &guest->memory, error) &&
        vgic_create(&guest->vgic, &guest->vm, &vgic, error) && create_vcpus(guest, error) &&
        vgic_finish_setup(&guest->vgic, error) && finish_vcpus(guest, error))
        return true;
    guest_destroy(guest);
    return false;
}

void guest_destroy(struct guest *guest)
{
    coalesced_detach(&guest->coalesced);
    for (uint32_t i = 0; i < GUEST_VCPUS; i++) {
        vcpu_destroy(&guest->vcpus[i]);
        guest->vcpus[i].state = VCPU_OFF;
    }
    vgic_destroy(&guest->vgic);
    vm_destroy(&guest->vm);
}

void guest_await(struct guest *guest, uint32_t vcpu)
{
    struct error error = {0};

    guest->awaited = vcpu;
    event_timer_arm(&guest->bound, BOUND_NS);
    /* It may have left before, and said so to somebody who waited for another. */
    event_notify_send(&guest->left);
    ck_assert(event_loop_run(guest->loop, &error));
    event_timer_disarm(&guest->bound);
}

void guest_run_created(struct guest *guest)
{
    struct error error = {0};

    ck_assert_msg(vcpu_start(&guest->vcpus[0], &error), "%s", error.message);
    guest_await(guest, 0);
    ck_assert_msg(vcpu_join(&guest->vcpus[0], &error), "%s", error.message);
}

void guest_run(struct guest *guest)
{
    struct error error = {0};

    ck_assert_msg(guest_create(guest, &error), "%s", error.message);
    guest_run_created(guest);
}

const char *guest_read_log(struct guest *guest)
{
    ssize_t length = pread(guest->log.fd, guest->log_text, sizeof(guest->log_text) - 1, 0);

    ck_assert_int_ge(length, 0);
    guest->log_text[length] = '\0';
    return guest->log_text;
}

unsigned guest_count_log(struct guest *guest, const char *text)
{
    unsigned count = 0;

    for (const char *at = guest_read_log(guest); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}
