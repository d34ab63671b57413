// SPDX-License-Identifier: Apache-2.0
/* /dev/kvm itself: opening it, what it answers, and what becomes of wishes for CPU features. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake_kvm.h"
#include "kvm.h"
#include "kvm_failures.h"
#include "vcpu_features.h"

Suite *unit_suite(void);

static struct fake_kvm fake;

static void setup(void)
{
    fake_kvm_init(&fake);
    fake_kvm_install(&fake);
}

static void teardown(void)
{
    fake_kvm_finish(&fake);
}

static bool open_and_close(void *context, struct error *error)
{
    struct kvm kvm;

    (void)context;
    if (!kvm_open(&kvm, error))
        return false;
    bool good = kvm_run_bytes(&kvm, error) == FAKE_KVM_RUN_BYTES;
    kvm_close(&kvm);
    kvm_close(&kvm);
    ck_assert_int_eq(kvm.fd, -1);
    return good;
}

START_TEST(each_call_fails)
{
    static const struct kvm_failure failures[] = {
        {FAKE_KVM_OPEN, 0, 0, "cannot open /dev/kvm"},
        {KVM_GET_API_VERSION, 0, 0, "KVM_GET_API_VERSION failed: "},
        {KVM_GET_VCPU_MMAP_SIZE, 0, 0, "KVM_GET_VCPU_MMAP_SIZE failed: "},
    };

    check_each_call_fails(&fake, open_and_close, NULL, 3);
    check_messages(&fake, open_and_close, NULL, failures, sizeof(failures) / sizeof(failures[0]));
}
END_TEST

START_TEST(a_missing_device_comes_with_advice)
{
    static const struct {
        int os_errno;
        const char *advice;
    } cases[] = {
        {ENOENT, "is this an arm64 host"},
        {EACCES, "the group that owns it"},
        {EPERM, "the group that owns it"},
    };
    struct error error = {0};
    struct kvm kvm;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_kvm_fail_request(&fake, FAKE_KVM_OPEN, 0, cases[i].os_errno);
        ck_assert(!kvm_open(&kvm, &error));
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_int_eq(error.os_errno, cases[i].os_errno);
        ck_assert_ptr_nonnull(strstr(error.message, cases[i].advice));
        ck_assert_ptr_nonnull(strstr(error.message, strerror(cases[i].os_errno)));
        ck_assert_int_lt(kvm.fd, 0);
        kvm_close(&kvm);
    }
    fake_kvm_install(NULL);
    ck_assert(!kvm_open(&kvm, &error));
    ck_assert_int_eq(error.os_errno, ENOENT);
}
END_TEST

START_TEST(another_api_version_is_refused)
{
    struct error error = {0};
    struct kvm kvm;

    fake.api_version = KVM_API_VERSION + 1;
    ck_assert(!kvm_open(&kvm, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, 0);
    ck_assert_str_eq(error.message, "/dev/kvm speaks KVM API 13 instead of 12");
    ck_assert_int_eq(kvm.fd, -1);
}
END_TEST

START_TEST(another_device_is_refused)
{
    static const int unknown_ioctl[] = {ENOTTY, EINVAL};
    struct error error = {0};
    char message[128];
    struct kvm kvm;

    for (size_t i = 0; i < sizeof(unknown_ioctl) / sizeof(unknown_ioctl[0]); i++) {
        fake_kvm_fail_request(&fake, KVM_GET_API_VERSION, 0, unknown_ioctl[i]);
        ck_assert(!kvm_open(&kvm, &error));
        (void)snprintf(message, sizeof(message), "/dev/kvm is not KVM: %s",
                       strerror(unknown_ioctl[i]));
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_int_eq(error.os_errno, unknown_ioctl[i]);
        ck_assert_str_eq(error.message, message);
        ck_assert_int_eq(kvm.fd, -1);
        ck_assert_uint_eq(fake.open_count, 0);
    }
}
END_TEST

START_TEST(a_run_area_that_is_too_small_is_refused)
{
    struct error error = {0};
    struct kvm kvm;

    fake.run_bytes = sizeof(struct kvm_run) - 1;
    ck_assert(kvm_open(&kvm, &error));
    ck_assert_uint_eq(kvm_run_bytes(&kvm, &error), 0);
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, 0);
    fake.run_bytes = sizeof(struct kvm_run);
    ck_assert_uint_eq(kvm_run_bytes(&kvm, &error), sizeof(struct kvm_run));
    kvm_close(&kvm);
}
END_TEST

START_TEST(a_capability_that_cant_be_asked_for_is_absent)
{
    const long unknown = 100000;
    struct error error = {0};
    struct kvm kvm;

    ck_assert(kvm_open(&kvm, &error));
    ck_assert_int_eq(kvm_check_extension(kvm.fd, KVM_CAP_ARM_VM_IPA_SIZE), 40);
    ck_assert_int_eq(kvm_check_extension(kvm.fd, unknown), 0);
    fake_kvm_set_capability(&fake, unknown, -1);
    ck_assert_int_eq(kvm_check_extension(kvm.fd, unknown), 0);
    kvm_close(&kvm);
    fake_kvm_install(NULL);
    ck_assert_int_eq(kvm_check_extension(kvm.fd, KVM_CAP_ARM_VM_IPA_SIZE), 0);
}
END_TEST

/* ---- what the host has, and what is asked for ---- */

START_TEST(features_are_chosen_by_what_the_host_has)
{
    struct options options = {0};
    struct vcpu_features features;
    struct error error = {0};
    struct kvm kvm;

    ck_assert(kvm_open(&kvm, &error));
    ck_assert(vcpu_features_choose(&kvm, &options, &features, &error));
    ck_assert(!features.pmu && features.sve && features.pauth && !features.steal_time);
    ck_assert(!features.mte && !features.aarch32_el1);

    options.mte = options.aarch32_el1 = FEATURE_ON;
    options.pmu = options.sve = options.pauth = options.steal_time = FEATURE_OFF;
    ck_assert(vcpu_features_choose(&kvm, &options, &features, &error));
    ck_assert(features.mte && features.aarch32_el1);
    ck_assert(!features.pmu && !features.sve && !features.pauth && !features.steal_time);
    kvm_close(&kvm);
}
END_TEST

START_TEST(a_feature_that_is_asked_for_must_be_there)
{
    const struct feature_info *feature = &feature_table[_i];
    const enum feature_choice on = FEATURE_ON;
    struct options options = {0};
    struct vcpu_features features;
    struct error error = {0};
    struct kvm kvm;
    char start[64];
    bool enabled;

    ck_assert(kvm_open(&kvm, &error));
    (void)snprintf(start, sizeof(start), "--cpu %s=on: the host has no such", feature->name);
    memcpy((char *)&options + feature->choice_offset, &on, sizeof(on));
    ck_assert(vcpu_features_choose(&kvm, &options, &features, &error));
    memcpy(&enabled, (char *)&features + feature->enabled_offset, sizeof(enabled));
    ck_assert(enabled);

    fake_kvm_set_capability(&fake, feature->also ? feature->also : feature->capability, 0);
    ck_assert(!feature_is_supported(&kvm, feature));
    ck_assert(!vcpu_features_choose(&kvm, &options, &features, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, start));
    ck_assert_ptr_nonnull(strstr(error.message, feature->purpose));

    options = (struct options){0};
    ck_assert(vcpu_features_choose(&kvm, &options, &features, &error));
    memcpy(&enabled, (char *)&features + feature->enabled_offset, sizeof(enabled));
    ck_assert(!enabled);
    kvm_close(&kvm);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("kvm");
    TCase *tests = tcase_create("kvm");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_call_fails);
    tcase_add_test(tests, a_missing_device_comes_with_advice);
    tcase_add_test(tests, another_api_version_is_refused);
    tcase_add_test(tests, another_device_is_refused);
    tcase_add_test(tests, a_run_area_that_is_too_small_is_refused);
    tcase_add_test(tests, a_capability_that_cant_be_asked_for_is_absent);
    tcase_add_test(tests, features_are_chosen_by_what_the_host_has);
    tcase_add_loop_test(tests, a_feature_that_is_asked_for_must_be_there, 0,
                        (int)feature_table_count);
    suite_add_tcase(suite, tests);
    return suite;
}
