// SPDX-License-Identifier: Apache-2.0
/*
 * The lifecycle of a machine and of a vCPU, each a table of allowed transitions.
 *
 *   machine:  created -> ready -> running -> stopping -> stopped
 *                          ^                    |
 *                          +------- reset ------+         any but stopped -> failed
 *   vCPU:     off -> running -> stopped -> off            any -> failed
 *
 * A vCPU that PSCI holds off or that waits in WFI is running here: the kernel keeps that state.
 * An illegal transition changes nothing and is an ERROR_INTERNAL that names both states.
 * The I/O thread moves machines and vCPUs; a vCPU's thread moves itself out of `running`, and is
 * joined before anybody else looks.
 */
#ifndef ARMLET_LIFECYCLE_H
#define ARMLET_LIFECYCLE_H

#include "armlet/error.h"

enum machine_state {
    MACHINE_CREATED,  /* wired: memory, devices, table frozen; no VM yet */
    MACHINE_READY,    /* VM and vCPUs exist, the kernel is in memory */
    MACHINE_RUNNING,  /* vCPU threads run */
    MACHINE_STOPPING, /* vCPU threads are being kicked and joined */
    MACHINE_STOPPED,  /* it won't run again */
    MACHINE_FAILED,   /* a host call failed on the way; only teardown is left */
    MACHINE_STATE_COUNT,
};

enum vcpu_state {
    VCPU_OFF,     /* no thread */
    VCPU_RUNNING, /* its thread is in the run loop */
    VCPU_STOPPED, /* its thread has left the run loop */
    VCPU_FAILED,  /* its thread left because the host could not go on */
    VCPU_STATE_COUNT,
};

const char *machine_state_name(enum machine_state state);
const char *vcpu_state_name(enum vcpu_state state);

bool machine_state_move(enum machine_state *state, enum machine_state next,
                        struct error *error) WARN_UNUSED;
bool vcpu_state_move(enum vcpu_state *state, enum vcpu_state next, struct error *error) WARN_UNUSED;

#endif
