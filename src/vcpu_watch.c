// SPDX-License-Identifier: Apache-2.0
#include "vcpu_watch.h"

#include <errno.h>
#include <linux/kvm.h>

#include "armlet/events.h"
#include "armlet/ticks.h"
#include "vcpu.h"

void vcpu_watch_init(struct vcpu *vcpu)
{
    const struct exit_filters *filters = vcpu->environment->filters;

    _Static_assert(EVENT_KIND_COUNT < 31, "VCPU_ASKS is no event's");
    vcpu->wanted_events = vcpu->environment->events->wanted;
    if (filters && filters->kinds)
        vcpu->wanted_events |= VCPU_ASKS;
}

bool vcpu_watch_exits(const struct vcpu *vcpu)
{
    return vcpu->latency || vcpu->wanted_events & (EVENT_MASK(EVENT_EXIT) | VCPU_ASKS);
}

static enum exit_kind kind_of_failure(const struct vcpu *vcpu, int os_errno)
{
    switch (os_errno) {
    case EINTR: /* nobody sends a signal but vcpu_stop() */
        return vcpu->has_private_lines && !atomic_load(&vcpu->stop) ? EXIT_KIND_LEVEL
                                                                    : EXIT_KIND_SIGNAL;
    case EAGAIN:
        return EXIT_KIND_AGAIN;
    case EINVAL:
        return vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY ? EXIT_KIND_FAIL_ENTRY
                                                             : EXIT_KIND_RUN_FAILED;
    default:
        return EXIT_KIND_RUN_FAILED;
    }
}

enum exit_kind vcpu_exit_kind(const struct vcpu *vcpu, int result, int os_errno)
{
    if (result < 0)
        return kind_of_failure(vcpu, os_errno);
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_MMIO:
        return EXIT_KIND_MMIO;
    case KVM_EXIT_ARM_NISV:
        return EXIT_KIND_NO_SYNDROME;
    case KVM_EXIT_HYPERCALL:
        return EXIT_KIND_HYPERCALL;
    case KVM_EXIT_SYSTEM_EVENT:
        return EXIT_KIND_SYSTEM_EVENT;
    case KVM_EXIT_INTR:
        return EXIT_KIND_SIGNAL;
    case KVM_EXIT_DEBUG:
        return EXIT_KIND_DEBUG;
    case KVM_EXIT_FAIL_ENTRY:
        return EXIT_KIND_FAIL_ENTRY;
    case KVM_EXIT_INTERNAL_ERROR:
        return EXIT_KIND_INTERNAL_ERROR;
    default:
        return EXIT_KIND_OTHER;
    }
}

static uint64_t now(const struct vcpu *vcpu)
{
    return vcpu->latency || vcpu->environment->events->timed ? ticks_now() : 0;
}

void vcpu_watch_enter(const struct vcpu *vcpu, struct vcpu_exit *exit)
{
    exit->entered = now(vcpu);
}

void vcpu_watch_return(const struct vcpu *vcpu, struct vcpu_exit *exit, int result, int os_errno)
{
    exit->returned = now(vcpu);
    exit->kind = vcpu_exit_kind(vcpu, result, os_errno);
    exit->kvm_reason = vcpu->run->exit_reason;
}

/* Mostly where the access went that has just been carried out. */
static const struct bus_entry *entry_at(const struct vcpu *vcpu, gpa_t address)
{
    const struct bus_entry *last = vcpu->cursor.last;

    return last && bus_entry_covers(last, address, ACCESS_8_BIT) ? last
                                                                 : bus_find(vcpu->bus, address);
}

static void record_latency(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
    size_t source = vcpu->bus->count;

    if (exit->kind == EXIT_KIND_MMIO) {
        const struct bus_entry *entry = entry_at(vcpu, GPA(vcpu->run->mmio.phys_addr));

        if (entry)
            source = bus_entry_index(vcpu->bus, entry);
    }
    latency_record(vcpu->latency, exit->kind, source, exit->returned - exit->entered,
                   ticks_now() - exit->returned);
}

void vcpu_watch_done(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
    if (vcpu->latency)
        record_latency(vcpu, exit);
    if (vcpu->wanted_events & EVENT_MASK(EVENT_EXIT)) {
        struct event event = {
            .kind = EVENT_EXIT,
            .exit = {.reason = exit->kind,
                     .kvm_reason = exit->kvm_reason,
                     .entered = exit->entered,
                     .returned = exit->returned},
        };
        events_publish(vcpu->environment->events, &event);
    }
}

static enum plugin_answer ask(struct vcpu *vcpu, struct plugin_exit *exit)
{
    enum plugin_answer answer = exit_filter_ask(vcpu->environment->filters, exit, &vcpu->error);

    vcpu->refused |= answer == PLUGIN_ERROR;
    return answer;
}

void vcpu_watch_ask(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
    struct plugin_exit question = {.kind = exit->kind, .vcpu = vcpu->index};

    if (exit->kind != EXIT_KIND_MMIO && vcpu->wanted_events & VCPU_ASKS)
        (void)ask(vcpu, &question);
}

bool vcpu_watch_ask_access(struct vcpu *vcpu, const struct vcpu_access *access)
{
    const struct bus_entry *entry;
    struct plugin_exit question = {
        .kind = EXIT_KIND_MMIO,
        .vcpu = vcpu->index,
        .address = access->address,
        .access = access->kind,
        .width = access->width,
        .value = access->kind == ACCESS_WRITE ? *access->value & access_mask(access->width) : 0,
    };

    if (!(vcpu->wanted_events & VCPU_ASKS))
        return false;
    entry = entry_at(vcpu, access->address);
    if (entry) {
        question.device = entry->device;
        question.offset = access->address.value - entry->base.value;
    }
    if (ask(vcpu, &question) == PLUGIN_CONTINUE)
        return false;
    if (access->kind == ACCESS_READ)
        *access->value = question.value & access_mask(access->width);
    return true;
}

void vcpu_watch_access(const struct vcpu *vcpu, bool found, const struct vcpu_access *access)
{
    if (!(vcpu->wanted_events & EVENT_MASK(EVENT_MMIO)))
        return;
    /* What a plugin handled may be where no device is. */
    const struct bus_entry *entry = found ? entry_at(vcpu, access->address) : NULL;
    struct event event = {
        .kind = EVENT_MMIO,
        .mmio = {.device = entry ? entry->device : NULL,
                 .address = access->address,
                 .value = *access->value & access_mask(access->width),
                 .access = access->kind,
                 .width = access->width},
    };

    events_publish(vcpu->environment->events, &event);
}

void vcpu_watch_hypercall(struct vcpu *vcpu, uint32_t function)
{
    counter_add(&vcpu->counters.hypercalls, 1);
    if (vcpu->wanted_events & EVENT_MASK(EVENT_HYPERCALL)) {
        struct event event = {.kind = EVENT_HYPERCALL, .hypercall = {.function = function}};

        events_publish(vcpu->environment->events, &event);
    }
}

void vcpu_watch_state(const struct vcpu *vcpu, enum vcpu_state from)
{
    const struct event_hub *events = vcpu->environment->events;

    if (events_wanted(events, EVENT_VCPU_STATE)) {
        struct event event = {
            .kind = EVENT_VCPU_STATE,
            .vcpu_state = {.vcpu = vcpu->index, .from = from, .to = vcpu->state},
        };
        events_publish(events, &event);
    }
}
