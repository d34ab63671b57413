// SPDX-License-Identifier: Apache-2.0
#include "vcpu_features.h"

#include <linux/kvm.h>
#include <string.h>

#define FEATURE(field, option, text, cap, cap2, automatic)                                         \
    {                                                                                              \
        .name = (option), .purpose = (text), .capability = (cap), .also = (cap2),                  \
        .by_default = (automatic), .choice_offset = offsetof(struct options, field),               \
        .enabled_offset = offsetof(struct vcpu_features, field),                                   \
    }

const struct feature_info feature_table[] = {
    /* KVM looks after the counters at every exit, which makes each a quarter dearer. */
    FEATURE(pmu, "pmu", "performance counters (PMUv3)", KVM_CAP_ARM_PMU_V3, 0, false),
    FEATURE(sve, "sve", "scalable vectors (SVE)", KVM_CAP_ARM_SVE, 0, true),
    FEATURE(pauth, "pauth", "pointer authentication", KVM_CAP_ARM_PTRAUTH_ADDRESS,
            KVM_CAP_ARM_PTRAUTH_GENERIC, true),
    /* Tags cost memory and time, and the VMM can't share tagged files. */
    FEATURE(mte, "mte", "memory tagging (MTE)", KVM_CAP_ARM_MTE, 0, false),
    FEATURE(aarch32_el1, "aarch32", "32-bit EL1", KVM_CAP_ARM_EL1_32BIT, 0, false),
    /* KVM writes the record at each entry. */
    FEATURE(steal_time, "steal-time", "stolen time for the guest", KVM_CAP_STEAL_TIME, 0, false),
};

const size_t feature_table_count = sizeof(feature_table) / sizeof(feature_table[0]);

bool feature_is_supported(const struct kvm *kvm, const struct feature_info *feature)
{
    return kvm_check_extension(kvm->fd, feature->capability) &&
           (!feature->also || kvm_check_extension(kvm->fd, feature->also));
}

static enum feature_choice choice_of(const struct options *options,
                                     const struct feature_info *feature)
{
    enum feature_choice choice;

    memcpy(&choice, (const char *)options + feature->choice_offset, sizeof(choice));
    return choice;
}

bool vcpu_features_choose(const struct kvm *kvm, const struct options *options,
                          struct vcpu_features *features, struct error *error)
{
    for (size_t i = 0; i < feature_table_count; i++) {
        const struct feature_info *feature = &feature_table[i];
        enum feature_choice choice = choice_of(options, feature);
        bool wanted = choice == FEATURE_ON || (choice == FEATURE_AUTO && feature->by_default);
        bool enabled = wanted && feature_is_supported(kvm, feature);

        if (choice == FEATURE_ON && !enabled)
            return error_set(error, ERROR_HOST, 0,
                             "--cpu %s=on: the host has no such feature (%s); "
                             "`armlet doctor` lists what it has",
                             feature->name, feature->purpose);
        memcpy((char *)features + feature->enabled_offset, &enabled, sizeof(enabled));
    }
    return true;
}
