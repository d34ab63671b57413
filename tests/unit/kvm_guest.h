// SPDX-License-Identifier: Apache-2.0
/* A machine without a machine: vCPUs of a fake KVM on a bus with one device, and their log. */
#ifndef TESTS_KVM_GUEST_H
#define TESTS_KVM_GUEST_H

#include <linux/kvm.h>
#include <stdatomic.h>

#include "arena.h"
#include "bus.h"
#include "fake_kvm.h"
#include "vcpu.h"
#include "vgic.h"
#include "vm.h"

enum {
    GUEST_VCPUS = 2,
    GUEST_RAM_BYTES = 0x10000,
    GUEST_LOG_BYTES = 16384,
};

#define GUEST_DEVICE_BASE UINT64_C(0x9000000)
#define GUEST_RAM_BASE    UINT64_C(0x40000000)
#define GUEST_NOWHERE     UINT64_C(0xa000000)

/* A device of eight registers of 8 bytes that keep what is written; the counts are of accesses. */
struct guest_device {
    struct device device;
    _Atomic uint64_t registers[8];
    _Atomic unsigned reads, writes;
    void (*on_write)(void *context); /* called by each write, or NULL */
    void *context;
};

struct guest {
    struct fake_kvm fake;
    struct kvm kvm;
    struct vcpu_features features;
    struct vm vm;
    struct vgic vgic;
    struct kvm_vcpu_init target;
    struct vcpu vcpus[GUEST_VCPUS];
    uint64_t affinities[GUEST_VCPUS];
    struct vcpu_environment environment;
    struct event_hub events; /* of a test that looks; frozen by guest_create() */
    struct access_counters counters[GUEST_VCPUS][CACHE_LINE_BYTES / sizeof(struct access_counters)];

    struct arena arena;
    struct bus bus;
    struct coalesced coalesced;
    struct guest_device device;
    struct guest_memory memory;
    struct log log;
    struct log_limit unassigned_limit;
    struct log_limit refused_limit;
    char log_text[GUEST_LOG_BYTES]; /* see guest_read_log() */

    struct event_loop *loop;
    struct event_notify left;
    struct event_timer bound;
    uint32_t awaited; /* the vCPU that guest_await() waits for */
};

/* Host, bus, memory, log and loop; no VM. The guest is zeroed. */
void guest_init(struct guest *guest);
/* Checks that nothing is left open. */
void guest_finish(struct guest *guest);

/* VM, GIC and vCPUs ready to be started; takes all down when it fails. */
bool guest_create(struct guest *guest, struct error *error) WARN_UNUSED;
void guest_destroy(struct guest *guest);

/* Runs the loop until a vCPU has left its run loop. Fails the test if that takes too long. */
void guest_await(struct guest *guest, uint32_t vcpu);
/* Starts vCPU 0 and joins it when it has left; creates the guest before. */
void guest_run(struct guest *guest);
/* The same for a guest that is created. */
void guest_run_created(struct guest *guest);

/* All that was logged. */
const char *guest_read_log(struct guest *guest);
/* How often a text is in the log. */
unsigned guest_count_log(struct guest *guest, const char *text);

#endif
