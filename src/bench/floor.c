// SPDX-License-Identifier: Apache-2.0
#include "floor.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "armlet/events.h"
#include "armlet/guest_memory.h"
#include "bus.h"
#include "floor_guest.h"
#include "kvm.h"
#include "kvm_sys.h"
#include "memory_backing.h"
#include "memory_map.h"
#include "vcpu.h"
#include "vcpu_features.h"
#include "vgic.h"
#include "vm.h"

#define NS_PER_SECOND 1000000000ULL
#define MEMORY_BYTES  ((uint64_t)2 << 20)

enum { WARM_UP = 3, IMMEDIATE_BATCH = 100 };

struct floor {
    struct options options; /* the defaults */
    struct kvm kvm;
    struct memory_mapping memory;
    struct vcpu_features features;
    struct vm vm;
    struct vgic vgic;
    struct vcpu vcpu;
    struct bus bus;          /* without devices */
    struct event_hub events; /* without subscribers */
    struct vcpu_environment environment;
    uint64_t ticks_per_second;
    uint64_t *samples;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* ---- the machine ---- */

static void machine_finish(struct floor *floor)
{
    vcpu_destroy(&floor->vcpu);
    vgic_destroy(&floor->vgic);
    vm_destroy(&floor->vm);
}

static bool machine_start(struct floor *floor, struct error *error)
{
    const struct guest_memory *memory = &floor->memory.memory;
    const struct vm_config vm = {.highest = gpa_add(memory->base, memory->size_bytes - 1)};
    const struct vgic_config vgic = {.choice = GIC_AUTO, .vcpu_count = 1};
    struct kvm_vcpu_init target;

    if (vm_create(&floor->vm, &floor->kvm, &vm, error) &&
        vm_add_memory(&floor->vm, memory, error) &&
        vgic_create(&floor->vgic, &floor->vm, &vgic, error) &&
        vcpu_describe_target(&floor->vm, &floor->features, &target, error) &&
        vcpu_create(&floor->vcpu, &floor->vm, 0, &floor->environment, &target, error) &&
        vgic_finish_setup(&floor->vgic, error) &&
        vcpu_finish_setup(&floor->vcpu, &floor->features, GPA(0), error) &&
        vcpu_set_entry(&floor->vcpu, false, memory->base, GPA(0), error))
        return true;
    machine_finish(floor);
    return false;
}

static bool load_guest(struct floor *floor, struct error *error)
{
    const size_t count = floor_guest_bytes;
    struct span span;

    if (!guest_memory_span(&floor->memory.memory, floor->memory.memory.base, count, &span))
        return error_set(error, ERROR_INTERNAL, 0, "the floor's guest has no memory");
    memcpy(span.data, floor_guest, count);
    __builtin___clear_cache((char *)span.data, (char *)span.data + count);
    return true;
}

static bool prepare(struct floor *floor, uint32_t runs, struct error *error)
{
    *floor = (struct floor){
        .options = {.vcpu_count = 1, .memory_bytes = MEMORY_BYTES, .steal_time = FEATURE_OFF},
        .kvm.fd = -1,
        .vm.fd = -1,
        .memory.fd = -1,
        .vgic = {.fd = -1, .its_fd = -1},
        .vcpu.fd = -1,
    };
    floor->samples = calloc(runs + WARM_UP, sizeof(*floor->samples));
    if (!floor->samples)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep what is measured");
    if (!kvm_open(&floor->kvm, error) ||
        !vcpu_features_choose(&floor->kvm, &floor->options, &floor->features, error) ||
        !memory_mapping_create(&floor->memory, &floor->options, memory_map_region(REGION_RAM)->base,
                               error))
        return false;
    bus_init(&floor->bus, NULL);
    events_freeze(&floor->events);
    floor->environment = (struct vcpu_environment){
        .bus = &floor->bus,
        .events = &floor->events,
        .run_bytes = kvm_run_bytes(&floor->kvm, error),
    };
    return bus_freeze(&floor->bus, error) && floor->environment.run_bytes > 0 &&
           load_guest(floor, error);
}

static void finish(struct floor *floor)
{
    memory_mapping_destroy(&floor->memory);
    kvm_close(&floor->kvm);
    free(floor->samples);
}

/* ---- what is measured ---- */

/* Until the guest tells a number at `offset`, an offset from FLOOR_MMIO. */
static bool next_number(struct floor *floor, uint64_t offset, uint64_t *number, struct error *error)
{
    struct kvm_run *run = floor->vcpu.run;

    do {
        int result = kvm_sys_ioctl(floor->vcpu.fd, KVM_RUN, 0);

        while (result < 0 && errno == EINTR)
            result = kvm_sys_ioctl(floor->vcpu.fd, KVM_RUN, 0);
        if (result < 0)
            return error_set(error, ERROR_HOST, errno, "KVM_RUN failed");
        if (run->exit_reason != KVM_EXIT_MMIO)
            return error_set(error, ERROR_HOST, 0, "the floor's guest left with exit %u",
                             run->exit_reason);
    } while (run->mmio.phys_addr != FLOOR_MMIO + offset);
    memcpy(number, run->mmio.data, sizeof(*number));
    return true;
}

static bool measure_accesses(struct floor *floor, struct bench_report *report, enum bench_id id,
                             uint64_t result, uint32_t runs, struct error *error)
{
    if (!report->results[id].chosen)
        return true;
    for (uint32_t i = 0; i < runs + WARM_UP; i++) {
        uint64_t ticks = 0;

        if (!next_number(floor, result, &ticks, error))
            return false;
        floor->samples[i] = ticks * NS_PER_SECOND / floor->ticks_per_second;
    }
    return bench_set_samples(report, id, floor->samples + WARM_UP, runs, FLOOR_BATCH, error);
}

static bool measure_immediate(struct floor *floor, struct bench_report *report, uint32_t runs,
                              struct error *error)
{
    if (!report->results[BENCH_IMMEDIATE_EXIT].chosen)
        return true;
    floor->vcpu.run->immediate_exit = 1;
    for (uint32_t i = 0; i < runs + WARM_UP; i++) {
        uint64_t start = now_ns();

        for (uint32_t j = 0; j < IMMEDIATE_BATCH; j++)
            if (kvm_sys_ioctl(floor->vcpu.fd, KVM_RUN, 0) == 0 || errno != EINTR)
                return error_set(error, ERROR_HOST, errno, "immediate_exit let the guest run");
        floor->samples[i] = now_ns() - start;
    }
    floor->vcpu.run->immediate_exit = 0;
    return bench_set_samples(report, BENCH_IMMEDIATE_EXIT, floor->samples + WARM_UP, runs,
                             IMMEDIATE_BATCH, error);
}

static bool measure_machine(struct floor *floor, struct bench_report *report, uint32_t runs,
                            struct error *error)
{
    if (!report->results[BENCH_MACHINE].chosen)
        return true;
    for (uint32_t i = 0; i < runs + WARM_UP; i++) {
        uint64_t start = now_ns();

        if (!machine_start(floor, error))
            return false;
        machine_finish(floor);
        floor->samples[i] = now_ns() - start;
    }
    return bench_set_samples(report, BENCH_MACHINE, floor->samples + WARM_UP, runs, 1, error);
}

static bool measure_running(struct floor *floor, struct bench_report *report, uint32_t runs,
                            struct error *error)
{
    if (!machine_start(floor, error))
        return false;
    bool good =
        next_number(floor, FLOOR_FREQUENCY, &floor->ticks_per_second, error) &&
        floor->ticks_per_second > 0 &&
        measure_accesses(floor, report, BENCH_FLOOR_READ, FLOOR_READ_RESULT, runs, error) &&
        measure_accesses(floor, report, BENCH_FLOOR_WRITE, FLOOR_WRITE_RESULT, runs, error) &&
        measure_immediate(floor, report, runs, error);
    machine_finish(floor);
    return good;
}

bool floor_measure(struct bench_report *report, uint32_t runs, struct error *error)
{
    struct floor floor;
    bool good = prepare(&floor, runs, error) && measure_running(&floor, report, runs, error) &&
                measure_machine(&floor, report, runs, error);

    finish(&floor);
    return good || error_add_context(error, "cannot measure the floor");
}

bool floor_has_its(void)
{
    const struct vm_config config = {.highest = memory_map_region(REGION_RAM)->base};
    struct kvm_create_device device = {.type = KVM_DEV_TYPE_ARM_VGIC_ITS,
                                       .flags = KVM_CREATE_DEVICE_TEST};
    struct error error;
    struct kvm kvm = {.fd = -1};
    struct vm vm = {.fd = -1};
    bool has = kvm_open(&kvm, &error) && vm_create(&vm, &kvm, &config, &error) &&
               vgic_is_supported(&vm, GIC_VERSION_3) &&
               kvm_ioctl(vm.fd, KVM_CREATE_DEVICE, &device, "KVM_CREATE_DEVICE", &error);

    vm_destroy(&vm);
    kvm_close(&kvm);
    return has;
}
