// SPDX-License-Identifier: Apache-2.0
/* The calls that armlet answers, made by vCPUs of a fake KVM. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "armlet/hypercall.h"
#include "fake_console.h"
#include "hypercall.h"
#include "kvm_guest.h"
#include "vcpu_registers.h"

Suite *unit_suite(void);

static struct guest guest;
static struct console console;
static uint64_t exit_status;
static unsigned exits;

static void note_exit(struct guest_exit *guest_exit, uint64_t status)
{
    (void)guest_exit;
    exit_status = status;
    exits++;
}

static struct guest_exit guest_exit = {note_exit};
static struct hypercalls hypercalls = {&console, &guest.memory, &guest_exit};

static void setup(void)
{
    memset(&guest, 0, sizeof(guest));
    memset(&console, 0, sizeof(console));
    exits = 0;
    guest_init(&guest);
    guest.environment.hypercalls = &hypercalls;
}

static void teardown(void)
{
    guest_finish(&guest);
}

/* One call of a guest that powers off then; what it finds in X0. */
static uint64_t call(uint32_t function, uint64_t x1, uint64_t x2)
{
    const struct fake_step steps[] = {FAKE_HYPERCALL(function),
                                      FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    struct error error = {0};

    guest.fake.vm_count = 0;
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    ck_assert_msg(guest_create(&guest, &error), "%s", error.message);
    fake_kvm_set_register(&guest.fake, 0, VCPU_REG_X(0), function);
    fake_kvm_set_register(&guest.fake, 0, VCPU_REG_X(1), x1);
    fake_kvm_set_register(&guest.fake, 0, VCPU_REG_X(2), x2);
    guest_run_created(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_SHUTDOWN);
    uint64_t result = fake_kvm_register(&guest.fake, 0, VCPU_REG_X(0));
    guest_destroy(&guest);
    return result;
}

static uint64_t call_64(uint32_t number, uint64_t x1, uint64_t x2)
{
    return call(HYPERCALL_BASE_64 + number, x1, x2);
}

START_TEST(the_version_is_told)
{
    ck_assert_uint_eq(call_64(HYPERCALL_VERSION, 0, 0), 1);
    ck_assert_uint_eq(call(HYPERCALL_BASE_32, 0, 0), 1);
}
END_TEST

START_TEST(unknown_calls_are_not_supported)
{
    ck_assert_uint_eq(call_64(HYPERCALL_EXIT + 1, 0, 0), UINT64_MAX);
    ck_assert_uint_eq(call_64(HYPERCALL_COUNT - 1, 0, 0), UINT64_MAX);
    ck_assert_uint_eq(call_64(HYPERCALL_COUNT, 0, 0), UINT64_MAX);
    ck_assert_uint_eq(call(0x84000000, 0, 0), UINT64_MAX);
    ck_assert_uint_eq(call(HYPERCALL_BASE_32 + HYPERCALL_COUNT - 1, 0, 0), UINT32_MAX);
    ck_assert_uint_eq(console.output_count, 0);
}
END_TEST

START_TEST(characters_go_to_the_console)
{
    ck_assert_uint_eq(call_64(HYPERCALL_PUT, 0xffffff00 | 'a', 0), 1);
    ck_assert_uint_eq(call(HYPERCALL_BASE_32 + HYPERCALL_PUT, 'b', 0), 1);
    ck_assert_str_eq(console.output, "ab");
    console.full = true;
    ck_assert_uint_eq(call_64(HYPERCALL_PUT, 'c', 0), 0);
    ck_assert_uint_eq(console.output_count, 2);
}
END_TEST

START_TEST(buffers_go_to_the_console)
{
    memcpy(guest.memory.host + 0x100, "hello", 5);
    ck_assert_uint_eq(call_64(HYPERCALL_WRITE, GUEST_RAM_BASE + 0x100, 5), 5);
    ck_assert_str_eq(console.output, "hello");
    ck_assert_uint_eq(call_64(HYPERCALL_WRITE, GUEST_RAM_BASE + 0x100, 0), 0);
    ck_assert_uint_eq(call_64(HYPERCALL_WRITE, GUEST_RAM_BASE, UINT64_MAX), 4096);
    ck_assert_uint_eq(call_64(HYPERCALL_WRITE, GUEST_RAM_BASE + GUEST_RAM_BYTES - 1, 1), 1);
}
END_TEST

START_TEST(buffers_outside_of_memory_are_refused)
{
    static const uint64_t bad[][2] = {
        {0, 1},
        {GUEST_RAM_BASE - 1, 2},
        {GUEST_RAM_BASE + GUEST_RAM_BYTES, 1},
        {GUEST_RAM_BASE + GUEST_RAM_BYTES - 1, 2},
        {GUEST_DEVICE_BASE, 4},
        {UINT64_MAX, 4096},
        {UINT64_MAX - 4095, UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq((int64_t)call_64(HYPERCALL_WRITE, bad[i][0], bad[i][1]), -3);
    ck_assert_uint_eq(console.output_count, 0);
}
END_TEST

/* In a narrow call the upper halves are anybody's. */
START_TEST(narrow_calls_have_32_bits)
{
    const uint64_t high = UINT64_C(0x12345678) << 32;

    ck_assert_uint_eq(call(HYPERCALL_BASE_32 + HYPERCALL_WRITE, high | GUEST_RAM_BASE, high | 3),
                      3);
    ck_assert_uint_eq(call(HYPERCALL_BASE_32 + HYPERCALL_WRITE, high, 1), (uint32_t)-3);
    ck_assert_uint_eq(call(HYPERCALL_BASE_32 + HYPERCALL_EXIT, high | 7, 0), 0);
    ck_assert_uint_eq(exit_status, 7);
}
END_TEST

START_TEST(a_guest_ends_with_its_status)
{
    ck_assert_uint_eq(call_64(HYPERCALL_EXIT, 42, 0), 0);
    ck_assert_uint_eq(exits, 1);
    ck_assert_uint_eq(exit_status, 42);
}
END_TEST

START_TEST(registers_that_cannot_be_had_end_the_run)
{
    static const struct {
        unsigned long request;
        unsigned nth;
    } failures[] = {{KVM_GET_ONE_REG, 0}, {KVM_GET_ONE_REG, 1}, {KVM_SET_ONE_REG, 0}};
    const struct fake_step steps[] = {FAKE_HYPERCALL(HYPERCALL_BASE_64)};
    struct error error = {0};

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        guest.fake.vm_count = 0;
        guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
        ck_assert(guest_create(&guest, &error));
        fake_kvm_fail_request(&guest.fake, failures[i].request, failures[i].nth, EL2HLT);
        guest_run_created(&guest);
        ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_FAILED);
        ck_assert_int_eq(guest.vcpus[0].error.os_errno, EL2HLT);
        guest_destroy(&guest);
        fake_kvm_fail_nothing(&guest.fake);
    }
}
END_TEST

START_TEST(a_call_that_nobody_asked_for_ends_the_run)
{
    const struct fake_step steps[] = {FAKE_HYPERCALL(HYPERCALL_BASE_64)};

    guest.environment.hypercalls = NULL;
    guest.fake.scripts[0][0] = FAKE_SCRIPT(steps);
    guest_run(&guest);
    ck_assert_int_eq(guest.vcpus[0].outcome, VCPU_OUTCOME_FAILED);
    ck_assert_int_eq(guest.vcpus[0].error.code, ERROR_GUEST);
}
END_TEST

START_TEST(the_ranges_are_asked_for)
{
    struct error error = {0};

    ck_assert(guest_create(&guest, &error));
    ck_assert(!hypercalls_can(&guest.vm));
    ck_assert(!hypercalls_enable(&guest.vm, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "cannot have hypercalls"));
    guest.fake.smccc_filter = true;
    ck_assert(hypercalls_can(&guest.vm));
    size_t before = guest.fake.attribute_count;
    ck_assert(hypercalls_enable(&guest.vm, &error));
    ck_assert_uint_eq(guest.fake.attribute_count, before + 2);
    const struct fake_attribute *ranges = &guest.fake.attributes[before];
    ck_assert_int_eq(ranges[0].target, FAKE_ON_VM);
    ck_assert_uint_eq((uint32_t)ranges[0].value, HYPERCALL_BASE_32);
    ck_assert_uint_eq((uint32_t)ranges[1].value, HYPERCALL_BASE_64);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("hypercall");
    TCase *tests = tcase_create("hypercall");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_version_is_told);
    tcase_add_test(tests, unknown_calls_are_not_supported);
    tcase_add_test(tests, characters_go_to_the_console);
    tcase_add_test(tests, buffers_go_to_the_console);
    tcase_add_test(tests, buffers_outside_of_memory_are_refused);
    tcase_add_test(tests, narrow_calls_have_32_bits);
    tcase_add_test(tests, a_guest_ends_with_its_status);
    tcase_add_test(tests, registers_that_cannot_be_had_end_the_run);
    tcase_add_test(tests, a_call_that_nobody_asked_for_ends_the_run);
    tcase_add_test(tests, the_ranges_are_asked_for);
    suite_add_tcase(suite, tests);
    return suite;
}
