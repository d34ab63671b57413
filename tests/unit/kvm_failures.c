// SPDX-License-Identifier: Apache-2.0
#include "kvm_failures.h"

#include <check.h>
#include <errno.h>
#include <string.h>

/* An errno that none of the operations takes for something else, and no other call sets. */
enum { UNUSUAL_ERRNO = EL2HLT };

static void check_fails(struct fake_kvm *fake, kvm_attempt *attempt, void *context,
                        const char *message)
{
    unsigned open_before = fake->open_count;
    struct error error = {0};

    ck_assert_msg(!attempt(context, &error), "no failure, though '%s' failed", message);
    ck_assert_msg(fake->failed, "no call was to say '%s'", message);
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, UNUSUAL_ERRNO);
    ck_assert_ptr_nonnull(strstr(error.message, strerror(UNUSUAL_ERRNO)));
    ck_assert_msg(strstr(error.message, message), "'%s' has no '%s'", error.message, message);
    ck_assert_uint_eq(fake->open_count, open_before);
    fake_kvm_fail_nothing(fake);
}

void check_each_call_fails(struct fake_kvm *fake, kvm_attempt *attempt, void *context,
                           unsigned least)
{
    struct error error = {0};
    unsigned before = fake->call_count;

    ck_assert_msg(attempt(context, &error), "%s", error.message);
    unsigned count = fake->call_count - before;
    ck_assert_uint_ge(count, least);
    for (unsigned n = 0; n < count; n++) {
        fake_kvm_fail_nth(fake, n, UNUSUAL_ERRNO);
        check_fails(fake, attempt, context, "");
    }
}

void check_messages(struct fake_kvm *fake, kvm_attempt *attempt, void *context,
                    const struct kvm_failure *failures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (failures[i].request == KVM_SET_DEVICE_ATTR)
            fake_kvm_fail_attribute(fake, failures[i].group, failures[i].nth, UNUSUAL_ERRNO);
        else
            fake_kvm_fail_request(fake, failures[i].request, failures[i].nth, UNUSUAL_ERRNO);
        check_fails(fake, attempt, context, failures[i].message);
    }
}
