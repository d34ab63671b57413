// SPDX-License-Identifier: Apache-2.0
/*
 * Looking at a vCPU: which events it publishes, and when it entered and left the guest.
 *
 * Whether anybody looks is settled when a vCPU is created. If nobody does, its thread runs a loop
 * that knows nothing of this, but for one branch at each access of a device.
 * The vCPU's own thread, unless said otherwise.
 */
#ifndef ARMLET_SRC_VCPU_WATCH_H
#define ARMLET_SRC_VCPU_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/events.h"
#include "armlet/exit_kind.h"
#include "armlet/gpa.h"
#include "armlet/lifecycle.h"

struct vcpu;

/* In vcpu->wanted_events beside EVENT_MASK()s: there are plugins to ask about exits. */
#define VCPU_ASKS (UINT32_C(1) << 31)
/* With one of these an access is more than carried out. */
#define VCPU_WATCHES_ACCESSES (VCPU_ASKS | EVENT_MASK(EVENT_MMIO))

/* One return of KVM_RUN. */
struct vcpu_exit {
    enum exit_kind kind;
    uint32_t kvm_reason;
    uint64_t entered, returned; /* ticks, or 0 when nobody asked for times */
};

/* What is wanted of this vCPU; before its thread starts. */
void vcpu_watch_init(struct vcpu *vcpu);
/* Whether the loop has to tell of every exit. */
bool vcpu_watch_exits(const struct vcpu *vcpu);

/* Why KVM_RUN returned `result`, with errno `os_errno` if that is negative. */
enum exit_kind vcpu_exit_kind(const struct vcpu *vcpu, int result, int os_errno);

/* Around each KVM_RUN and what comes of it, in this order. */
void vcpu_watch_enter(const struct vcpu *vcpu, struct vcpu_exit *exit);
void vcpu_watch_return(const struct vcpu *vcpu, struct vcpu_exit *exit, int result, int os_errno);
void vcpu_watch_done(struct vcpu *vcpu, const struct vcpu_exit *exit);

/*
 * What plugins say of an exit, unless it is an access. Sets vcpu->refused, with vcpu->error, if one
 * of them ends the run; the caller looks at that.
 */
void vcpu_watch_ask(struct vcpu *vcpu, const struct vcpu_exit *exit);

/* An access of the guest to the bus. */
struct vcpu_access {
    gpa_t address;
    enum access_kind kind;
    enum access_width width;
    uint64_t *value;
};

/* Whether a plugin took care of an access, or refuses to go on; else it is to be carried out. */
bool vcpu_watch_ask_access(struct vcpu *vcpu, const struct vcpu_access *access);
/* An access that was carried out; `found`: a device was there. */
void vcpu_watch_access(const struct vcpu *vcpu, bool found, const struct vcpu_access *access);
/* A call that reached armlet: counted and published. */
void vcpu_watch_hypercall(struct vcpu *vcpu, uint32_t function);
/* The vCPU has moved. The I/O thread. */
void vcpu_watch_state(const struct vcpu *vcpu, enum vcpu_state from);

#endif
