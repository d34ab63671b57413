// SPDX-License-Identifier: Apache-2.0
/*
 * kvm_sys.h without a kernel: an arm64 KVM played by memory, on any machine.
 *
 * A struct fake_kvm is one host. fake_kvm_init() fills it with an able host, the test changes what
 * it likes and calls fake_kvm_install(): what this thread opens from then on is that host. File
 * descriptors are numbers that no system call knows and that aren't used again soon. A host has
 * one VM at a time; what is recorded of it (attributes, vCPUs) stays after it is closed.
 *
 * The fake answers as the kernel does where armlet could get the order of calls wrong, and writes
 * down in `complaint` what a kernel would never be asked. fake_kvm_finish() checks that nothing was
 * complained about and that nothing is left open.
 *
 * What the test sets is set before other threads run. KVM_RUN, KVM_IRQ_LINE: any thread.
 */
#ifndef TESTS_FAKE_KVM_H
#define TESTS_FAKE_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FAKE_KVM_CAPABILITIES = 48,
    FAKE_KVM_BOOTS = 4,
    FAKE_KVM_VCPUS = 16,
    FAKE_KVM_SLOTS = 8,
    FAKE_KVM_DOORBELLS = 32,
    FAKE_KVM_IRQFDS = 4,
    FAKE_KVM_ZONES = 4,
    FAKE_KVM_REGISTERS = 32,
    FAKE_KVM_ATTRIBUTES = 64,
    FAKE_KVM_IRQS = 8192,
    FAKE_KVM_COMPLAINT_BYTES = 256,
    FAKE_KVM_RUN_BYTES = 8192, /* of a vCPU's mapping, as it is with pages of 4 KiB */
};

/* ---- what a vCPU does, one step a KVM_RUN ---- */

struct fake_kvm;

enum fake_step_kind {
    FAKE_STEP_WAIT, /* until kicked, as a guest in WFI; what comes after the last step, too */
    FAKE_STEP_WAIT_IRQ,
    FAKE_STEP_READ,
    FAKE_STEP_WRITE,
    FAKE_STEP_EVENT,
    FAKE_STEP_HYPERCALL,
    FAKE_STEP_NO_SYNDROME,
    FAKE_STEP_FAIL_ENTRY,
    FAKE_STEP_INTERNAL_ERROR,
    FAKE_STEP_EXIT,
    FAKE_STEP_ERROR,
    FAKE_STEP_LEVELS,
    FAKE_STEP_HOOK,
};

struct fake_step {
    enum fake_step_kind kind;
    uint64_t address;
    uint32_t size_bytes;
    uint64_t value;
    void (*hook)(void *context);
};

#define FAKE_WAIT()                                                                                \
    {                                                                                              \
        .kind = FAKE_STEP_WAIT                                                                     \
    }
/* Goes on when the line is high, or low; one vCPU of a host at a time. */
#define FAKE_WAIT_IRQ(intid, level)                                                                \
    {                                                                                              \
        .kind = FAKE_STEP_WAIT_IRQ,                                                                \
        .address = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (intid), .value = (level)      \
    }
/* The same for the IRQ input of a vCPU, of a host without a GIC. */
#define FAKE_WAIT_INPUT(vcpu, level)                                                               \
    {                                                                                              \
        .kind = FAKE_STEP_WAIT_IRQ,                                                                \
        .address = (vcpu) << KVM_ARM_IRQ_VCPU_SHIFT | KVM_ARM_IRQ_CPU_IRQ, .value = (level)        \
    }
/* KVM_RUN is left since a timer's level, or the PMU's, isn't what it was: a mask of KVM_ARM_DEV_.
 */
#define FAKE_LEVELS(mask)                                                                          \
    {                                                                                              \
        .kind = FAKE_STEP_LEVELS, .value = (mask)                                                  \
    }
/* The value that has to be in the run area when the guest goes on, or in a read-only slot. */
#define FAKE_READ(where, bytes, expected)                                                          \
    {                                                                                              \
        .kind = FAKE_STEP_READ, .address = (where), .size_bytes = (bytes), .value = (expected)     \
    }
/* No exit where a doorbell or the ring of coalesced writes takes it, as in the kernel. */
#define FAKE_WRITE(where, bytes, what)                                                             \
    {                                                                                              \
        .kind = FAKE_STEP_WRITE, .address = (where), .size_bytes = (bytes), .value = (what)        \
    }
#define FAKE_EVENT(type)                                                                           \
    {                                                                                              \
        .kind = FAKE_STEP_EVENT, .value = (type)                                                   \
    }
#define FAKE_HYPERCALL(function)                                                                   \
    {                                                                                              \
        .kind = FAKE_STEP_HYPERCALL, .value = (function)                                           \
    }
#define FAKE_NO_SYNDROME(where, iss)                                                               \
    {                                                                                              \
        .kind = FAKE_STEP_NO_SYNDROME, .address = (where), .value = (iss)                          \
    }
#define FAKE_FAIL_ENTRY(reason)                                                                    \
    {                                                                                              \
        .kind = FAKE_STEP_FAIL_ENTRY, .value = (reason)                                            \
    }
#define FAKE_INTERNAL_ERROR(suberror)                                                              \
    {                                                                                              \
        .kind = FAKE_STEP_INTERNAL_ERROR, .value = (suberror)                                      \
    }
#define FAKE_EXIT(reason)                                                                          \
    {                                                                                              \
        .kind = FAKE_STEP_EXIT, .value = (reason)                                                  \
    }
/* KVM_RUN returns -1 with this errno. */
#define FAKE_ERROR(os_errno)                                                                       \
    {                                                                                              \
        .kind = FAKE_STEP_ERROR, .value = (os_errno)                                               \
    }
/* Calls a function on the vCPU's thread, with the host's hook_context, and takes the next step. */
#define FAKE_HOOK(function)                                                                        \
    {                                                                                              \
        .kind = FAKE_STEP_HOOK, .hook = (function)                                                 \
    }

struct fake_script {
    const struct fake_step *steps;
    size_t count;
};

/* All steps of an array. */
#define FAKE_SCRIPT(array) ((struct fake_script){(array), sizeof(array) / sizeof((array)[0])})

/* ---- what is recorded ---- */

enum fake_target { FAKE_ON_VM, FAKE_ON_VCPU, FAKE_ON_GIC, FAKE_ON_ITS };

struct fake_attribute {
    enum fake_target target;
    uint32_t index; /* of the vCPU */
    uint32_t group;
    uint64_t attribute;
    uint64_t value; /* what addr pointed to, 0 without */
};

struct fake_irq_change {
    uint32_t irq; /* as KVM_IRQ_LINE has it: type, vCPU and number */
    bool level;
};

struct fake_register {
    uint64_t id;
    uint64_t value[2];
};

struct fake_vcpu {
    bool created;
    bool initialised;
    bool finalised; /* SVE */
    struct kvm_vcpu_init init;
    struct kvm_vcpu_events events; /* the last KVM_SET_VCPU_EVENTS */
    unsigned events_count;
    struct fake_register registers[FAKE_KVM_REGISTERS];
    size_t register_count;
    struct kvm_run *run; /* while mapped */
    size_t step;         /* of the script */
    unsigned run_count;  /* how often KVM_RUN was called */
    const struct fake_step *reading;
};

struct fake_vm {
    unsigned long type; /* as given to KVM_CREATE_VM */
    bool no_syndrome_exits, mte;
    struct kvm_userspace_memory_region slots[FAKE_KVM_SLOTS]; /* by number; no size: none */
    size_t slot_count;                                        /* of those there are */
    struct kvm_ioeventfd doorbells[FAKE_KVM_DOORBELLS];
    size_t doorbell_count;
    struct kvm_irqfd irqfds[FAKE_KVM_IRQFDS];
    size_t irqfd_count;
    struct kvm_coalesced_mmio_zone zones[FAKE_KVM_ZONES];
    size_t zone_count;
    uint32_t gic_type; /* KVM_DEV_TYPE_..., 0: none */
    bool gic_initialised, its_initialised, has_its;
    struct fake_vcpu vcpus[FAKE_KVM_VCPUS];
};

struct fake_kvm {
    /* set by the test */
    int api_version;
    size_t run_bytes;
    uint32_t device_types; /* mask of 1 << KVM_DEV_TYPE_... */
    bool no_gic;           /* vCPUs run without a vGIC, and KVM_IRQ_LINE reaches their inputs */
    bool smccc_filter;     /* KVM_HAS_DEVICE_ATTR on the VM */
    struct {
        long number;
        int value;
    } capabilities[FAKE_KVM_CAPABILITIES];
    size_t capability_count;
    struct fake_script scripts[FAKE_KVM_BOOTS][FAKE_KVM_VCPUS]; /* [VM][vCPU] */
    void *hook_context;

    /* the call to fail: the nth, from 0, that fits */
    unsigned long fail_request; /* 0: any */
    uint32_t fail_group;        /* of KVM_SET_DEVICE_ATTR; UINT32_MAX: any */
    unsigned fail_at;
    int fail_errno; /* 0: none fails */
    unsigned fail_seen;
    bool failed; /* it happened */

    /* recorded */
    unsigned call_count; /* see fake_kvm_fail_nth() */
    unsigned open_count; /* files and mappings that are open now */
    unsigned vm_count;   /* VMs ever made */
    struct fake_vm vm;
    struct fake_attribute attributes[FAKE_KVM_ATTRIBUTES]; /* of the VM there is, or was */
    size_t attribute_count;
    struct fake_irq_change irqs[FAKE_KVM_IRQS];
    size_t irq_count;
    int irq_event;                            /* eventfd: the lines changed */
    char complaint[FAKE_KVM_COMPLAINT_BYTES]; /* the first one */
};

/*
 * What KVM's statistics of a vCPU say: exits as often as it ran, and these. There is none of WFE,
 * and a histogram that nobody asked for.
 */
enum { FAKE_STAT_WFI = 7, FAKE_STAT_HVC = 5, FAKE_STAT_HALT_WAIT_NS = 1000 };

/* A host with every capability and device that armlet asks for, and 40-bit addresses. */
void fake_kvm_init(struct fake_kvm *fake);
/* Makes it the host of what this thread opens; NULL: there is no /dev/kvm. */
void fake_kvm_install(struct fake_kvm *fake);
/* Checks that nothing is open or was complained about, and forgets the host. */
void fake_kvm_finish(struct fake_kvm *fake);

/* Capability `number` (KVM_CAP_...) is answered by `value`, on all files. */
void fake_kvm_set_capability(struct fake_kvm *fake, long number, int value);

/*
 * Makes one call fail, once: the nth from 0. Of all calls that may fail: open, ioctl, map, but not
 * KVM_CHECK_EXTENSION, KVM_RUN and KVM_IRQ_LINE, whose failures mean something else. `call_count`
 * counts those.
 */
void fake_kvm_fail_nth(struct fake_kvm *fake, unsigned nth, int os_errno);
/* Of the ioctls with this request. FAKE_KVM_OPEN and FAKE_KVM_MAP stand for the other two calls. */
void fake_kvm_fail_request(struct fake_kvm *fake, unsigned long request, unsigned nth,
                           int os_errno);
/* Of the KVM_SET_DEVICE_ATTR with this group. */
void fake_kvm_fail_attribute(struct fake_kvm *fake, uint32_t group, unsigned nth, int os_errno);
void fake_kvm_fail_nothing(struct fake_kvm *fake);

#define FAKE_KVM_OPEN 1UL
#define FAKE_KVM_MAP  2UL

/* The last such attribute that was set, or NULL. */
const struct fake_attribute *fake_kvm_attribute(const struct fake_kvm *fake,
                                                enum fake_target target, uint32_t group,
                                                uint64_t attribute);
/* The register of a vCPU, low half; 0 if it was never set. And sets it. */
uint64_t fake_kvm_register(struct fake_kvm *fake, uint32_t vcpu, uint64_t id);
void fake_kvm_set_register(struct fake_kvm *fake, uint32_t vcpu, uint64_t id, uint64_t value);

#endif
