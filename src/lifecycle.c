// SPDX-License-Identifier: Apache-2.0
#include "armlet/lifecycle.h"

#define TO(state) (1U << (state))

static const unsigned machine_allowed[MACHINE_STATE_COUNT] = {
    [MACHINE_CREATED] = TO(MACHINE_READY) | TO(MACHINE_STOPPED) | TO(MACHINE_FAILED),
    [MACHINE_READY] = TO(MACHINE_RUNNING) | TO(MACHINE_STOPPED) | TO(MACHINE_FAILED),
    [MACHINE_RUNNING] = TO(MACHINE_STOPPING) | TO(MACHINE_FAILED),
    [MACHINE_STOPPING] = TO(MACHINE_READY) | TO(MACHINE_STOPPED) | TO(MACHINE_FAILED),
    [MACHINE_STOPPED] = 0,
    [MACHINE_FAILED] = 0,
};

static const unsigned vcpu_allowed[VCPU_STATE_COUNT] = {
    [VCPU_OFF] = TO(VCPU_RUNNING) | TO(VCPU_FAILED),
    [VCPU_RUNNING] = TO(VCPU_STOPPED) | TO(VCPU_FAILED),
    [VCPU_STOPPED] = TO(VCPU_OFF) | TO(VCPU_FAILED),
    [VCPU_FAILED] = TO(VCPU_OFF),
};

const char *machine_state_name(enum machine_state state)
{
    static const char *const names[MACHINE_STATE_COUNT] = {
        [MACHINE_CREATED] = "created", [MACHINE_READY] = "ready",
        [MACHINE_RUNNING] = "running", [MACHINE_STOPPING] = "stopping",
        [MACHINE_STOPPED] = "stopped", [MACHINE_FAILED] = "failed",
    };
    return state < MACHINE_STATE_COUNT ? names[state] : "unknown";
}

const char *vcpu_state_name(enum vcpu_state state)
{
    static const char *const names[VCPU_STATE_COUNT] = {
        [VCPU_OFF] = "off",
        [VCPU_RUNNING] = "running",
        [VCPU_STOPPED] = "stopped",
        [VCPU_FAILED] = "failed",
    };
    return state < VCPU_STATE_COUNT ? names[state] : "unknown";
}

bool machine_state_move(enum machine_state *state, enum machine_state next, struct error *error)
{
    if (*state >= MACHINE_STATE_COUNT || !(machine_allowed[*state] & TO(next)))
        return error_set(error, ERROR_INTERNAL, 0, "a machine can't go from '%s' to '%s'",
                         machine_state_name(*state), machine_state_name(next));
    *state = next;
    return true;
}

bool vcpu_state_move(enum vcpu_state *state, enum vcpu_state next, struct error *error)
{
    if (*state >= VCPU_STATE_COUNT || !(vcpu_allowed[*state] & TO(next)))
        return error_set(error, ERROR_INTERNAL, 0, "a vCPU can't go from '%s' to '%s'",
                         vcpu_state_name(*state), vcpu_state_name(next));
    *state = next;
    return true;
}
