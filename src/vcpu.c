// SPDX-License-Identifier: Apache-2.0
#include "vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kvm.h>
#include <linux/psci.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "kvm_sys.h"
#include "memory_map.h"
#include "no_syndrome.h"
#include "register_dump.h"
#include "thread_usage.h"
#include "vcpu_private_lines.h"
#include "vcpu_registers.h"
#include "vcpu_watch.h"

enum { VCPU_STACK_BYTES = 256 * 1024 };

int vcpu_kick_signal(void)
{
    return SIGRTMIN;
}

static void ignore_kick(int signal)
{
    (void)signal;
}

bool vcpu_prepare_signals(struct error *error)
{
    struct sigaction action = {.sa_handler = ignore_kick};
    sigset_t kick;

    (void)sigemptyset(&kick);
    (void)sigaddset(&kick, vcpu_kick_signal());
    if (sigaction(vcpu_kick_signal(), &action, NULL) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot prepare the vCPUs' signal");
    (void)pthread_sigmask(SIG_BLOCK, &kick, NULL); /* fails for a wrong first argument only */
    return true;
}

/* ---- the run loop ---- */

static void leave(struct vcpu *vcpu, enum vcpu_outcome outcome)
{
    vcpu->outcome = outcome;
}

/* The guest did what nobody can carry on from: the registers are what is left to look at. */
static void leave_with_dump(struct vcpu *vcpu)
{
    register_dump(vcpu->fd, vcpu->index, vcpu->environment->memory, vcpu->environment->log);
    leave(vcpu, VCPU_OUTCOME_FAILED);
}

static void note_unassigned(struct vcpu *vcpu, gpa_t address, enum access_kind kind,
                            enum access_width width)
{
    counter_add(kind == ACCESS_READ ? &vcpu->counters.unassigned.reads
                                    : &vcpu->counters.unassigned.writes,
                1);
    if (log_limit_pass(vcpu->environment->unassigned_limit))
        log_line(vcpu->environment->log, LOG_WARNING,
                 "vCPU %u: %d-byte %s 0x%" PRIx64 ", where nothing is: %s", vcpu->index, width,
                 kind == ACCESS_READ ? "read from" : "write to", address.value,
                 kind == ACCESS_READ ? "reads as zero" : "ignored");
}

/* The entry that covers an access, if it isn't the cursor's. NULL: there is none. */
static __attribute__((noinline)) const struct bus_entry *move_cursor(struct vcpu *vcpu,
                                                                     gpa_t address,
                                                                     enum access_width width)
{
    const struct bus_entry *entry = bus_find(vcpu->bus, address);

    if (!entry || !bus_entry_covers(entry, address, width))
        return NULL;
    vcpu->cursor.last = entry;
    vcpu->cursor_counters = &vcpu->counters.devices[bus_entry_index(vcpu->bus, entry)];
    return entry;
}

/* What every exit for a device goes through is one function: a call more would be 2% of our part.
 */
#define HOT static inline __attribute__((always_inline))

HOT bool carry_out(struct vcpu *vcpu, gpa_t address, enum access_kind kind, enum access_width width,
                   uint64_t *value)
{
    const struct bus_entry *entry = vcpu->cursor.last;

    if (__builtin_expect(!entry || !bus_entry_covers(entry, address, width), 0)) {
        entry = move_cursor(vcpu, address, width);
        if (!entry) {
            if (kind == ACCESS_READ)
                *value = 0;
            note_unassigned(vcpu, address, kind, width);
            return false;
        }
    }
    bus_entry_access(entry, address, kind, width, value);
    struct access_counters *counters = vcpu->cursor_counters;
    counter_add(kind == ACCESS_READ ? &counters->reads : &counters->writes, 1);
    return true;
}

bool vcpu_access(struct vcpu *vcpu, gpa_t address, enum access_kind kind, enum access_width width,
                 uint64_t *value)
{
    bool watched = vcpu->wanted_events & VCPU_WATCHES_ACCESSES;
    struct vcpu_access access = {address, kind, width, value};
    bool found = (watched && vcpu_watch_ask_access(vcpu, &access)) ||
                 carry_out(vcpu, address, kind, width, value);

    *value &= access_mask(width);
    if (watched)
        vcpu_watch_access(vcpu, found, &access);
    return found;
}

typedef bool access_function(struct vcpu *vcpu, gpa_t address, enum access_kind kind,
                             enum access_width width, uint64_t *value);

HOT void hand_on(struct vcpu *vcpu, struct kvm_run *run, access_function *access)
{
    enum access_kind kind = run->mmio.is_write ? ACCESS_WRITE : ACCESS_READ;
    uint64_t value;

    _Static_assert(sizeof(run->mmio.data) == sizeof(value), "an access has at most 8 bytes");
    memcpy(&value, run->mmio.data, sizeof(value));
    (void)access(vcpu, GPA(run->mmio.phys_addr), kind, (enum access_width)run->mmio.len, &value);
    if (kind == ACCESS_READ)
        memcpy(run->mmio.data, &value, sizeof(value));
}

/* Not inline, so that elsewhere the value stays in a register. */
static __attribute__((noinline)) void hand_on_watched(struct vcpu *vcpu)
{
    hand_on(vcpu, vcpu->run, vcpu_access);
}

/* The call that KVM made a system event of; 0 if it isn't known. */
static uint32_t psci_function(const struct kvm_run *run)
{
    switch (run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        return PSCI_0_2_FN_SYSTEM_OFF;
    case KVM_SYSTEM_EVENT_RESET:
        return run->system_event.flags & KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2
                   ? PSCI_1_1_FN64_SYSTEM_RESET2
                   : PSCI_0_2_FN_SYSTEM_RESET;
    default:
        return 0;
    }
}

/* Returns whether the vCPU goes on. */
static bool handle_system_event(struct vcpu *vcpu)
{
    uint32_t type = vcpu->run->system_event.type;

    vcpu_watch_hypercall(vcpu, psci_function(vcpu->run));
    switch (type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        leave(vcpu, VCPU_OUTCOME_SHUTDOWN);
        return false;
    case KVM_SYSTEM_EVENT_RESET:
        leave(vcpu, VCPU_OUTCOME_RESET);
        return false;
    case KVM_SYSTEM_EVENT_CRASH:
        (void)error_set(&vcpu->error, ERROR_GUEST, 0, "vCPU %u: the guest reports a crash",
                        vcpu->index);
        leave_with_dump(vcpu);
        return false;
    default:
        (void)error_set(&vcpu->error, ERROR_GUEST, 0,
                        "vCPU %u: system event %u, which armlet doesn't know", vcpu->index, type);
        leave_with_dump(vcpu);
        return false;
    }
}

/* One that KVM was asked to hand on. */
static bool handle_hypercall(struct vcpu *vcpu)
{
    uint32_t function = (uint32_t)vcpu->run->hypercall.nr;

    vcpu_watch_hypercall(vcpu, function);
    if (vcpu->environment->hypercalls &&
        hypercall_answer(vcpu->environment->hypercalls, vcpu->fd, function, &vcpu->error))
        return true;
    if (!vcpu->environment->hypercalls)
        (void)error_set(&vcpu->error, ERROR_GUEST, 0,
                        "vCPU %u: unhandled exit %u, a call of function 0x%" PRIx32, vcpu->index,
                        vcpu->run->exit_reason, function);
    leave_with_dump(vcpu);
    return false;
}

static bool handle_exit_reason(struct vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_INTR:
        return true;
    case KVM_EXIT_SYSTEM_EVENT:
        return handle_system_event(vcpu);
    case KVM_EXIT_HYPERCALL:
        return handle_hypercall(vcpu);
    case KVM_EXIT_ARM_NISV:
        if (no_syndrome_handle(vcpu, GPA(run->arm_nisv.fault_ipa), run->arm_nisv.esr_iss,
                               &vcpu->error))
            return true;
        leave_with_dump(vcpu);
        return false;
    case KVM_EXIT_FAIL_ENTRY:
        (void)error_set(&vcpu->error, ERROR_HOST, 0,
                        "vCPU %u: the host can't enter the guest, hardware reason 0x%" PRIx64,
                        vcpu->index, (uint64_t)run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        (void)error_set(&vcpu->error, ERROR_GUEST, 0, "vCPU %u: KVM internal error %u", vcpu->index,
                        run->internal.suberror);
        break;
    default:
        (void)error_set(&vcpu->error, ERROR_GUEST, 0, "vCPU %u: unhandled exit %u", vcpu->index,
                        run->exit_reason);
        break;
    }
    leave_with_dump(vcpu);
    return false;
}

/* KVM_RUN returned an error: a kick, or the end. Returns whether the vCPU goes on. */
static bool handle_run_error(struct vcpu *vcpu, int os_errno)
{
    switch (os_errno) {
    case EINTR:
        /* First lower the flag, then look at what it was raised for: see vcpu_stop(). */
        __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (!atomic_load(&vcpu->stop))
            return true;
        leave(vcpu, VCPU_OUTCOME_STOPPED);
        return false;
    case EAGAIN:
        return true;
    case EFAULT:
    case ENOMEM:
    case EHWPOISON:
        (void)error_set(&vcpu->error, ERROR_HOST, os_errno,
                        "vCPU %u: the host could not provide guest memory", vcpu->index);
        break;
    case EINVAL:
        if (vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
            (void)error_set(&vcpu->error, ERROR_GUEST, 0,
                            "vCPU %u: the guest is in a state that the CPU can't run (AArch32?)",
                            vcpu->index);
        else
            (void)error_set(&vcpu->error, ERROR_HOST, os_errno, "vCPU %u: KVM_RUN failed",
                            vcpu->index);
        break;
    case ENOSYS:
        (void)error_set(&vcpu->error, ERROR_GUEST, os_errno,
                        "vCPU %u: an access that this host's KVM can't describe", vcpu->index);
        break;
    default:
        (void)error_set(&vcpu->error, ERROR_HOST, os_errno, "vCPU %u: KVM_RUN failed", vcpu->index);
        break;
    }
    leave_with_dump(vcpu);
    return false;
}

static bool handle_rare_exit(struct vcpu *vcpu, int result)
{
    counter_add(&vcpu->counters.exits[vcpu_exit_kind(vcpu, result, -result)], 1);
    return result < 0 ? handle_run_error(vcpu, -result) : handle_exit_reason(vcpu);
}

/*
 * Does what KVM_RUN returned for, 0 or -errno; returns whether the vCPU goes on. A plain vCPU is
 * one whose accesses nobody watches and that has no private lines.
 */
HOT bool handle_exit(struct vcpu *vcpu, int result, const bool plain)
{
    struct kvm_run *run = vcpu->run;

    /* Levels first: a device must not see an interrupt whose reason the guest has taken away. */
    if (!plain && vcpu->has_private_lines)
        vcpu_drive_private_lines(vcpu);
    /* What the guest did before this exit comes before it. */
    if (__builtin_expect(coalesced_pending(vcpu->coalesced), 0))
        coalesced_drain(vcpu->coalesced);
    if (__builtin_expect(result < 0 || run->exit_reason != KVM_EXIT_MMIO, 0))
        return handle_rare_exit(vcpu, result);
    counter_add(&vcpu->counters.exits[EXIT_KIND_MMIO], 1);
    if (plain || !EVENTS_COMPILED_IN || !(vcpu->wanted_events & VCPU_WATCHES_ACCESSES))
        hand_on(vcpu, run, carry_out);
    else
        hand_on_watched(vcpu);
    return true;
}

static void run_plain_loop(struct vcpu *vcpu)
{
    while (handle_exit(vcpu, kvm_sys_run(vcpu->fd), true))
        ;
}

static void run_loop(struct vcpu *vcpu)
{
    while (handle_exit(vcpu, kvm_sys_run(vcpu->fd), false))
        ;
}

/* When somebody wants to know of each exit. */
static void run_watched_loop(struct vcpu *vcpu)
{
    bool goes_on;

    do {
        struct vcpu_exit exit;

        vcpu_watch_enter(vcpu, &exit);
        int result = kvm_sys_run(vcpu->fd);
        vcpu_watch_return(vcpu, &exit, result, -result);
        vcpu_watch_ask(vcpu, &exit);
        if (vcpu->refused)
            counter_add(&vcpu->counters.exits[exit.kind], 1); /* and nobody handles it */
        goes_on = !vcpu->refused && handle_exit(vcpu, result, false);
        if (vcpu->refused) {
            leave_with_dump(vcpu);
            goes_on = false;
        }
        vcpu_watch_done(vcpu, &exit);
    } while (goes_on);
}

/*
 * The kernel counts its users of a file at each KVM_RUN while threads share a table of files. A
 * thread with a table of its own is spared that, 34 instructions of a host's 6000, and two cores
 * never meet in that count. Where it may not have one (seccomp), it goes without.
 */
static void take_own_files(const struct vcpu *vcpu)
{
    if (vcpu->environment->own_files)
        (void)unshare(CLONE_FILES);
}

/* So that nothing of a VM is open any more once its vCPUs were joined. */
static void close_own_files(const struct vcpu *vcpu)
{
    if (vcpu->environment->own_files && unshare(CLONE_FILES) == 0)
        (void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static void *vcpu_thread(void *argument)
{
    struct vcpu *vcpu = argument;
    sigset_t kick;

    (void)sigemptyset(&kick);
    (void)sigaddset(&kick, vcpu_kick_signal());
    (void)pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    take_own_files(vcpu);
    events_set_publisher((uint16_t)vcpu->index);
    atomic_store(&vcpu->thread_id, gettid());
    if (vcpu_watch_exits(vcpu))
        run_watched_loop(vcpu);
    else if (vcpu->has_private_lines || vcpu->wanted_events & VCPU_WATCHES_ACCESSES)
        run_loop(vcpu);
    else
        run_plain_loop(vcpu);
    atomic_store(&vcpu->thread_id, 0);
    thread_usage_add_own(&vcpu->usage);
    atomic_store(&vcpu->left, true);
    event_notify_send(vcpu->environment->left);
    close_own_files(vcpu);
    return NULL;
}

/* ---- its thread, from outside ---- */

static bool set_affinity(const struct vcpu *vcpu, pthread_attr_t *attributes, struct error *error)
{
    if (vcpu->pin_cpu == PIN_NONE)
        return true;
    size_t cpu = (size_t)vcpu->pin_cpu;
    size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
    cpu_set_t *cpus = CPU_ALLOC(cpu + 1);
    if (!cpus)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot pin vCPU %u", vcpu->index);
    CPU_ZERO_S(bytes, cpus);
    CPU_SET_S(cpu, bytes, cpus);
    int failure = pthread_attr_setaffinity_np(attributes, bytes, cpus);
    CPU_FREE(cpus);
    if (failure)
        return error_set(error, ERROR_HOST, failure, "cannot pin vCPU %u to host CPU %d",
                         vcpu->index, vcpu->pin_cpu);
    return true;
}

static bool create_thread(struct vcpu *vcpu, struct error *error)
{
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);

    if (failure)
        return error_set(error, ERROR_HOST, failure, "cannot describe a thread");
    (void)pthread_attr_setstacksize(&attributes, VCPU_STACK_BYTES);
    bool good = set_affinity(vcpu, &attributes, error);
    if (good) {
        failure = pthread_create(&vcpu->thread, &attributes, vcpu_thread, vcpu);
        if (failure && vcpu->pin_cpu != PIN_NONE)
            good = error_set(error, ERROR_HOST, failure,
                             "cannot start vCPU %u on host CPU %d: is there such a CPU, and is it "
                             "online and allowed?",
                             vcpu->index, vcpu->pin_cpu);
        else if (failure)
            good = error_set(error, ERROR_HOST, failure, "cannot start a thread for vCPU %u",
                             vcpu->index);
    }
    (void)pthread_attr_destroy(&attributes);
    return good;
}

static bool move(struct vcpu *vcpu, enum vcpu_state next, struct error *error)
{
    enum vcpu_state from = vcpu->state;

    if (!vcpu_state_move(&vcpu->state, next, error))
        return false;
    vcpu_watch_state(vcpu, from);
    return true;
}

bool vcpu_start(struct vcpu *vcpu, struct error *error)
{
    atomic_store(&vcpu->stop, false);
    atomic_store(&vcpu->left, false);
    vcpu->error = (struct error){0};
    vcpu->refused = false;
    if (!move(vcpu, VCPU_RUNNING, error))
        return false;
    if (create_thread(vcpu, error))
        return true;
    vcpu->state = VCPU_FAILED;
    vcpu_watch_state(vcpu, VCPU_RUNNING);
    return false;
}

/*
 * Without a race: the flag `immediate_exit` makes KVM_RUN return whether the signal comes before
 * it, during it, or after it; the thread lowers the flag before it reads `stop`.
 */
void vcpu_stop(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_RUNNING)
        return;
    atomic_store(&vcpu->stop, true);
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    (void)pthread_kill(vcpu->thread, vcpu_kick_signal());
}

bool vcpu_has_left(const struct vcpu *vcpu)
{
    return atomic_load(&vcpu->left);
}

bool vcpu_join(struct vcpu *vcpu, struct error *error)
{
    if (vcpu->state != VCPU_RUNNING)
        return true;
    (void)pthread_join(vcpu->thread, NULL);
    return move(vcpu, vcpu->outcome == VCPU_OUTCOME_FAILED ? VCPU_FAILED : VCPU_STOPPED, error);
}
