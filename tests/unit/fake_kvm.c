// SPDX-License-Identifier: Apache-2.0
#include "fake_kvm.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "kvm_calls.h"
#include "kvm_sys.h"

enum {
    FD_BASE = 1 << 20, /* above what the limit of open files lets the kernel give */
    OBJECTS = 512,
    WAIT_SECONDS = 20, /* a vCPU that nobody kicks in this time has been forgotten */
    ABLE_IPA_BITS = 40,
};

/* What kvm_sys_map() gives is `bytes`. */
struct run_area {
    struct fake_kvm *fake;
    struct fake_vcpu *vcpu;
    _Alignas(64) unsigned char bytes[];
};

/* Guards the table of files, and all that is recorded in any host. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object objects[OBJECTS];
static unsigned next_object;
static _Thread_local struct fake_kvm *installed;

void fake_kvm_complain(struct fake_kvm *fake, const char *format, ...)
{
    va_list arguments;

    if (fake->complaint[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(fake->complaint, sizeof(fake->complaint), format, arguments);
    va_end(arguments);
}

/* ---- a test's side ---- */

void fake_kvm_set_capability(struct fake_kvm *fake, long number, int value)
{
    size_t i = 0;

    while (i < fake->capability_count && fake->capabilities[i].number != number)
        i++;
    ck_assert_uint_lt(i, FAKE_KVM_CAPABILITIES);
    fake->capabilities[i].number = number;
    fake->capabilities[i].value = value;
    if (i == fake->capability_count)
        fake->capability_count++;
}

int fake_kvm_capability(const struct fake_kvm *fake, long number)
{
    for (size_t i = 0; i < fake->capability_count; i++)
        if (fake->capabilities[i].number == number)
            return fake->capabilities[i].value;
    return 0;
}

void fake_kvm_init(struct fake_kvm *fake)
{
    static const long present[] = {
        KVM_CAP_ONE_REG,
        KVM_CAP_DEVICE_CTRL,
        KVM_CAP_ARM_PSCI_0_2,
        KVM_CAP_IMMEDIATE_EXIT,
        KVM_CAP_ARM_NISV_TO_USER,
        KVM_CAP_ARM_INJECT_EXT_DABT,
        KVM_CAP_ARM_PMU_V3,
        KVM_CAP_ARM_SVE,
        KVM_CAP_ARM_PTRAUTH_ADDRESS,
        KVM_CAP_ARM_PTRAUTH_GENERIC,
        KVM_CAP_ARM_MTE,
        KVM_CAP_ARM_EL1_32BIT,
        KVM_CAP_STEAL_TIME,
        KVM_CAP_IRQFD,
        KVM_CAP_IRQFD_RESAMPLE,
        KVM_CAP_ARM_USER_IRQ,
        KVM_CAP_IOEVENTFD,
        KVM_CAP_READONLY_MEM,
    };

    *fake = (struct fake_kvm){
        .api_version = KVM_API_VERSION,
        .run_bytes = FAKE_KVM_RUN_BYTES,
        .device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V2 | 1U << KVM_DEV_TYPE_ARM_VGIC_V3 |
                        1U << KVM_DEV_TYPE_ARM_VGIC_ITS,
        .fail_group = UINT32_MAX,
        .irq_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    };
    ck_assert_int_ge(fake->irq_event, 0);
    for (size_t i = 0; i < sizeof(present) / sizeof(present[0]); i++)
        fake_kvm_set_capability(fake, present[i], 1);
    fake_kvm_set_capability(fake, KVM_CAP_ARM_VM_IPA_SIZE, ABLE_IPA_BITS);
    fake_kvm_set_capability(fake, KVM_CAP_COALESCED_MMIO, FAKE_KVM_RING_PAGE);
}

void fake_kvm_install(struct fake_kvm *fake)
{
    installed = fake;
}

void fake_kvm_finish(struct fake_kvm *fake)
{
    ck_assert_str_eq(fake->complaint, "");
    ck_assert_uint_eq(fake->open_count, 0);
    (void)close(fake->irq_event);
    if (installed == fake)
        installed = NULL;
}

static void fail_call(struct fake_kvm *fake, unsigned long request, uint32_t group, unsigned nth,
                      int os_errno)
{
    fake->fail_request = request;
    fake->fail_group = group;
    fake->fail_at = nth;
    fake->fail_errno = os_errno;
    fake->fail_seen = 0;
    fake->failed = false;
}

void fake_kvm_fail_nth(struct fake_kvm *fake, unsigned nth, int os_errno)
{
    fail_call(fake, 0, UINT32_MAX, nth, os_errno);
}

void fake_kvm_fail_request(struct fake_kvm *fake, unsigned long request, unsigned nth, int os_errno)
{
    fail_call(fake, request, UINT32_MAX, nth, os_errno);
}

void fake_kvm_fail_attribute(struct fake_kvm *fake, uint32_t group, unsigned nth, int os_errno)
{
    fail_call(fake, KVM_SET_DEVICE_ATTR, group, nth, os_errno);
}

void fake_kvm_fail_nothing(struct fake_kvm *fake)
{
    fail_call(fake, 0, UINT32_MAX, 0, 0);
}

const struct fake_attribute *fake_kvm_attribute(const struct fake_kvm *fake,
                                                enum fake_target target, uint32_t group,
                                                uint64_t attribute)
{
    for (size_t i = fake->attribute_count; i-- > 0;)
        if (fake->attributes[i].target == target && fake->attributes[i].group == group &&
            fake->attributes[i].attribute == attribute)
            return &fake->attributes[i];
    return NULL;
}

struct fake_register *fake_kvm_find_register(struct fake_vcpu *vcpu, uint64_t id, bool make)
{
    for (size_t i = 0; i < vcpu->register_count; i++)
        if (vcpu->registers[i].id == id)
            return &vcpu->registers[i];
    if (!make || vcpu->register_count == FAKE_KVM_REGISTERS)
        return NULL;
    struct fake_register *reg = &vcpu->registers[vcpu->register_count++];
    *reg = (struct fake_register){.id = id};
    return reg;
}

uint64_t fake_kvm_register(struct fake_kvm *fake, uint32_t vcpu, uint64_t id)
{
    const struct fake_register *reg = fake_kvm_find_register(&fake->vm.vcpus[vcpu], id, false);

    return reg ? reg->value[0] : 0;
}

void fake_kvm_set_register(struct fake_kvm *fake, uint32_t vcpu, uint64_t id, uint64_t value)
{
    struct fake_register *reg = fake_kvm_find_register(&fake->vm.vcpus[vcpu], id, true);

    ck_assert_ptr_nonnull(reg);
    reg->value[0] = value;
}

/* ---- files ---- */

int fake_kvm_open_object(struct fake_kvm *fake, enum object_kind kind, uint32_t index)
{
    for (unsigned i = 0; i < OBJECTS; i++) {
        unsigned slot = next_object++ % OBJECTS;

        if (objects[slot].kind != OBJECT_NONE)
            continue;
        objects[slot] = (struct object){kind, fake, index};
        fake->open_count++;
        return FD_BASE + (int)slot;
    }
    return -EMFILE;
}

static struct object *find_object(int fd)
{
    if (fd < FD_BASE || fd >= FD_BASE + OBJECTS || objects[fd - FD_BASE].kind == OBJECT_NONE)
        return NULL;
    return &objects[fd - FD_BASE];
}

/* ---- calls ---- */

/* Whether this is the call that the test wants to fail; the lock is held. */
static bool must_fail(struct fake_kvm *fake, unsigned long request, uint32_t group)
{
    if (request == KVM_CHECK_EXTENSION || request == KVM_RUN || request == KVM_IRQ_LINE)
        return false;
    fake->call_count++;
    if (!fake->fail_errno || fake->failed ||
        (fake->fail_request && fake->fail_request != request) ||
        (fake->fail_group != UINT32_MAX && fake->fail_group != group))
        return false;
    fake->failed = fake->fail_seen++ == fake->fail_at;
    return fake->failed;
}

static int result_of(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

int kvm_sys_open(const char *path)
{
    struct fake_kvm *fake = installed;
    int result = -ENOENT;

    if (!fake || strcmp(path, "/dev/kvm") != 0)
        return result_of(result);
    (void)pthread_mutex_lock(&lock);
    result = must_fail(fake, FAKE_KVM_OPEN, 0) ? -fake->fail_errno
                                               : fake_kvm_open_object(fake, OBJECT_SYSTEM, 0);
    (void)pthread_mutex_unlock(&lock);
    return result_of(result);
}

void kvm_sys_close(int fd)
{
    (void)pthread_mutex_lock(&lock);
    struct object *object = find_object(fd);
    if (object) {
        object->fake->open_count--;
        if (object->kind == OBJECT_VCPU && object->fake->vm.vcpus[object->index].run)
            fake_kvm_complain(object->fake, "vCPU %u is closed before it is unmapped",
                              object->index);
        *object = (struct object){.kind = OBJECT_NONE};
    } else if (installed) {
        fake_kvm_complain(installed, "file %d is closed, but not open", fd);
    }
    (void)pthread_mutex_unlock(&lock);
}

ssize_t kvm_sys_read(int fd, void *bytes, size_t count, uint64_t offset)
{
    ssize_t result = -EBADF;

    (void)pthread_mutex_lock(&lock);
    const struct object *object = find_object(fd);
    if (object && object->kind == OBJECT_STATS)
        result = fake_kvm_read_stats(&object->fake->vm.vcpus[object->index], bytes, count, offset);
    (void)pthread_mutex_unlock(&lock);
    return result_of((int)result);
}

static struct run_area *make_run_area(const struct object *object, size_t size_bytes)
{
    struct fake_kvm *fake = object->fake;
    struct run_area *area = NULL;

    if (object->kind != OBJECT_VCPU || size_bytes > fake->run_bytes ||
        posix_memalign((void **)&area, _Alignof(struct run_area), sizeof(*area) + size_bytes) != 0)
        return NULL;
    memset(area, 0, sizeof(*area) + size_bytes);
    area->fake = fake;
    area->vcpu = &fake->vm.vcpus[object->index];
    area->vcpu->run = (struct kvm_run *)area->bytes;
    fake->open_count++;
    return area;
}

void *kvm_sys_map(int fd, size_t size_bytes)
{
    struct run_area *area = NULL;

    (void)pthread_mutex_lock(&lock);
    const struct object *object = find_object(fd);
    int failure = EBADF;
    if (object && must_fail(object->fake, FAKE_KVM_MAP, 0)) {
        failure = object->fake->fail_errno;
    } else if (object) {
        area = make_run_area(object, size_bytes);
        failure = EINVAL;
    }
    (void)pthread_mutex_unlock(&lock);
    if (!area)
        errno = failure;
    return area ? area->bytes : NULL;
}

void kvm_sys_unmap(void *address, size_t size_bytes)
{
    struct run_area *area =
        (struct run_area *)(void *)((char *)address - offsetof(struct run_area, bytes));

    (void)pthread_mutex_lock(&lock);
    if (size_bytes != area->fake->run_bytes)
        fake_kvm_complain(area->fake, "%zu bytes are unmapped", size_bytes);
    area->fake->open_count--;
    area->vcpu->run = NULL;
    (void)pthread_mutex_unlock(&lock);
    free(area);
}

/* ---- KVM_RUN ---- */

static uint64_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* `irq` as KVM_IRQ_LINE has it. */
static bool is_line_at(struct fake_kvm *fake, uint64_t irq, bool level)
{
    bool now = false;

    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < fake->irq_count; i++)
        if (fake->irqs[i].irq == irq)
            now = fake->irqs[i].level;
    (void)pthread_mutex_unlock(&lock);
    return now == level;
}

/*
 * Sleeps as a vCPU in WFI does, until the step's interrupt. A signal that is already pending, or
 * comes, ends it in EINTR: the mask is changed and changed back in one go with sleeping.
 */
static int wait_in_guest(struct fake_kvm *fake, const struct kvm_run *run,
                         const struct fake_step *step)
{
    struct pollfd event = {.fd = fake->irq_event, .events = POLLIN};
    bool for_irq = step && step->kind == FAKE_STEP_WAIT_IRQ;
    uint64_t end_s = now_s() + WAIT_SECONDS;
    struct timespec left = {.tv_sec = WAIT_SECONDS};
    sigset_t all, usual;
    uint64_t count;
    int result = 1;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &usual);
    while (result > 0) {
        if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
            result = -EINTR;
        } else if (for_irq && is_line_at(fake, step->address, step->value != 0)) {
            result = 0;
        } else {
            left.tv_sec = (time_t)(end_s > now_s() ? end_s - now_s() : 0);
            result = ppoll(&event, for_irq ? 1 : 0, &left, &usual);
            if (result > 0)
                (void)!read(fake->irq_event, &count, sizeof(count));
            else
                result = result < 0 ? -errno : -ETIME;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &usual, NULL);
    if (result == -ETIME) {
        (void)pthread_mutex_lock(&lock);
        fake_kvm_complain(fake, "a vCPU waited for %d s", WAIT_SECONDS);
        (void)pthread_mutex_unlock(&lock);
    }
    return result;
}

static void exit_for_mmio(struct kvm_run *run, const struct fake_step *step)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = step->address;
    run->mmio.len = step->size_bytes;
    run->mmio.is_write = step->kind == FAKE_STEP_WRITE;
    if (run->mmio.is_write)
        memcpy(run->mmio.data, &step->value, sizeof(step->value));
    else
        memset(run->mmio.data, 0xa5, sizeof(run->mmio.data)); /* what was there before */
}

/* Fills in the run area; the kernel leaves in it what the last exit was. */
static int take_step(struct kvm_run *run, const struct fake_step *step)
{
    switch (step->kind) {
    case FAKE_STEP_READ:
    case FAKE_STEP_WRITE:
        exit_for_mmio(run, step);
        return 0;
    case FAKE_STEP_EVENT:
        run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
        run->system_event.type = (uint32_t)step->value;
        return 0;
    case FAKE_STEP_HYPERCALL:
        run->exit_reason = KVM_EXIT_HYPERCALL;
        run->hypercall.nr = step->value;
        return 0;
    case FAKE_STEP_NO_SYNDROME:
        run->exit_reason = KVM_EXIT_ARM_NISV;
        run->arm_nisv.fault_ipa = step->address;
        run->arm_nisv.esr_iss = step->value;
        return 0;
    case FAKE_STEP_FAIL_ENTRY:
        run->exit_reason = KVM_EXIT_FAIL_ENTRY;
        run->fail_entry.hardware_entry_failure_reason = step->value;
        return 0;
    case FAKE_STEP_INTERNAL_ERROR:
        run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
        run->internal.suberror = (uint32_t)step->value;
        return 0;
    case FAKE_STEP_EXIT:
        run->exit_reason = (uint32_t)step->value;
        return 0;
    case FAKE_STEP_LEVELS:
        run->exit_reason = KVM_EXIT_INTR;
        run->s.regs.device_irq_level = step->value;
        return -EINTR;
    case FAKE_STEP_ERROR:
        return -(int)step->value;
    case FAKE_STEP_WAIT:
    case FAKE_STEP_WAIT_IRQ:
    case FAKE_STEP_HOOK:
        break;
    }
    return -EIO;
}

/* The guest gets what it read: the first thing that KVM_RUN does, whatever it does then. */
static void finish_read(struct fake_kvm *fake, struct fake_vcpu *vcpu)
{
    const struct fake_step *step = vcpu->reading;
    uint64_t value = 0;

    vcpu->reading = NULL;
    if (!step)
        return;
    memcpy(&value, vcpu->run->mmio.data, step->size_bytes);
    if (value != step->value)
        fake_kvm_complain(fake, "0x%llx reads as 0x%llx", (unsigned long long)step->address,
                          (unsigned long long)value);
}

/*
 * The step that comes now, NULL after the last; -errno if the vCPU can't run. A guest that is in
 * the middle of something is not kicked: its next exit has happened already.
 */
static int next_step(const struct object *object, bool kickable, const struct fake_step **step)
{
    struct fake_kvm *fake = object->fake;
    struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];
    unsigned boot = fake->vm_count - 1;

    *step = NULL;
    if (!vcpu->run || !vcpu->initialised || fake->vm.gic_initialised == fake->no_gic) {
        fake_kvm_complain(fake, "vCPU %u runs before it is set up", object->index);
        return -ENOEXEC;
    }
    finish_read(fake, vcpu);
    if (kickable && __atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_SEQ_CST))
        return -EINTR;
    if (boot < FAKE_KVM_BOOTS && vcpu->step < fake->scripts[boot][object->index].count)
        *step = &fake->scripts[boot][object->index].steps[vcpu->step++];
    if (*step && (*step)->kind == FAKE_STEP_READ)
        vcpu->reading = *step;
    return 0;
}

static int run(const struct object *object)
{
    struct fake_kvm *fake = object->fake;
    struct kvm_run *area = fake->vm.vcpus[object->index].run;
    const struct fake_step *step;
    bool kickable = true;

    fake->vm.vcpus[object->index].run_count++;
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        int result = next_step(object, kickable, &step);
        bool absorbed = step && fake_kvm_absorbs(fake, step);
        if (absorbed)
            fake->vm.vcpus[object->index].reading = NULL;
        (void)pthread_mutex_unlock(&lock);
        if (result < 0)
            return result;
        if (absorbed)
            continue;
        if (!step || step->kind == FAKE_STEP_WAIT || step->kind == FAKE_STEP_WAIT_IRQ)
            result = wait_in_guest(fake, area, step);
        else if (step->kind == FAKE_STEP_HOOK)
            step->hook(fake->hook_context);
        else
            return take_step(area, step);
        if (result < 0)
            return result;
        kickable = step && step->kind != FAKE_STEP_HOOK;
    }
}

/* An ioctl but KVM_RUN, with the lock held. */
static int call(const struct object *object, unsigned long request, uintptr_t argument)
{
    struct fake_kvm *fake = object->fake;
    fake_kvm_handler *handler = fake_kvm_find_handler(object->kind, request);
    uint32_t group = request == KVM_SET_DEVICE_ATTR
                         ? ((const struct kvm_device_attr *)argument)->group
                         : UINT32_MAX;

    if (must_fail(fake, request, group))
        return -fake->fail_errno;
    if (handler)
        return handler(fake, object, argument);
    fake_kvm_complain(fake, "a file of kind %d gets request 0x%lx", (int)object->kind, request);
    return -ENOTTY;
}

int kvm_sys_run(int fd)
{
    int before = errno;
    int result = kvm_sys_ioctl(fd, KVM_RUN, 0) < 0 ? -errno : 0;

    errno = before;
    return result;
}

int kvm_sys_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    (void)pthread_mutex_lock(&lock);
    const struct object *found = find_object(fd);
    struct object object = found ? *found : (struct object){.kind = OBJECT_NONE};
    int result = -EBADF;
    if (found && !(request == KVM_RUN && found->kind == OBJECT_VCPU))
        result = call(&object, request, argument);
    else if (!found && installed)
        fake_kvm_complain(installed, "request 0x%lx to file %d, which is not open", request, fd);
    (void)pthread_mutex_unlock(&lock);
    if (found && request == KVM_RUN && object.kind == OBJECT_VCPU)
        result = run(&object);
    return result_of(result);
}
