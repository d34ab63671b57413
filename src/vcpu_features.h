// SPDX-License-Identifier: Apache-2.0
/*
 * Which optional CPU features the guest's vCPUs get: the operator's wish against what the host has.
 * I/O thread.
 */
#ifndef ARMLET_SRC_VCPU_FEATURES_H
#define ARMLET_SRC_VCPU_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "armlet/error.h"
#include "kvm.h"
#include "options.h"

struct vcpu_features {
    bool pmu;         /* PMUv3 */
    bool sve;         /* scalable vectors, all lengths the host gives */
    bool pauth;       /* pointer authentication, address and generic keys */
    bool mte;         /* memory tags; a capability of the VM */
    bool aarch32_el1; /* the guest starts in AArch32 at EL1 */
    bool steal_time;  /* stolen time by SMCCC (DEN0057) */
};

/* One optional feature as the host's KVM reports it: for the choice and for `armlet doctor`. */
struct feature_info {
    const char *name;      /* as --cpu spells it */
    const char *purpose;   /* for a person */
    long capability;       /* KVM_CAP_... */
    long also;             /* a second capability needed with it, or 0 */
    bool by_default;       /* whether `auto` gives it where the host has it */
    size_t choice_offset;  /* of its enum feature_choice in struct options */
    size_t enabled_offset; /* of its bool in struct vcpu_features */
};

extern const struct feature_info feature_table[];
extern const size_t feature_table_count;

bool feature_is_supported(const struct kvm *kvm, const struct feature_info *feature);

/* ERROR_HOST "the host has no such feature" for one that was asked for and isn't there. */
bool vcpu_features_choose(const struct kvm *kvm, const struct options *options,
                          struct vcpu_features *features, struct error *error) WARN_UNUSED;

#endif
