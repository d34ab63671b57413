// SPDX-License-Identifier: Apache-2.0
/* Every call to KVM that an operation makes, failed in turn. */
#ifndef TESTS_KVM_FAILURES_H
#define TESTS_KVM_FAILURES_H

#include "armlet/error.h"
#include "fake_kvm.h"

/* Does the operation, takes down all of it whatever came of it, and says whether it succeeded. */
typedef bool kvm_attempt(void *context, struct error *error);

/* One call that fails, and what the message has to say. */
struct kvm_failure {
    unsigned long request;
    uint32_t group; /* of KVM_SET_DEVICE_ATTR */
    unsigned nth;
    const char *message;
};

/*
 * On an installed host: the attempt succeeds; then once more for each call it made, with that call
 * failing: ERROR_HOST with the errno and a message, and nothing left open. At least `least` calls.
 */
void check_each_call_fails(struct fake_kvm *fake, kvm_attempt *attempt, void *context,
                           unsigned least);

/* The same for named calls, with the words that the message has to contain. */
void check_messages(struct fake_kvm *fake, kvm_attempt *attempt, void *context,
                    const struct kvm_failure *failures, size_t count);

#endif
