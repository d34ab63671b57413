// SPDX-License-Identifier: Apache-2.0
/* One VM: its address space, its memory, and interrupt lines that outlive it. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "fake_kvm.h"
#include "kvm_failures.h"
#include "vm.h"

Suite *unit_suite(void);

#define GIB(n) ((uint64_t)(n) << 30)

enum { UART_INTID = 33 };

static struct fake_kvm fake;
static struct kvm kvm;
static struct error error;
static _Alignas(4096) uint8_t pages[8192];

static void setup(void)
{
    fake_kvm_init(&fake);
    fake_kvm_install(&fake);
    error = (struct error){0};
    ck_assert(kvm_open(&kvm, &error));
}

static void teardown(void)
{
    kvm_close(&kvm);
    fake_kvm_finish(&fake);
}

static const struct vm_config small = {.highest = {GIB(2) - 1}};

static const struct guest_memory ram = {
    .base = {GIB(1)}, .size_bytes = sizeof(pages), .host = pages};

static bool create_with_memory(void *context, struct error *failure)
{
    const struct vm_config config = {.highest = {GIB(2) - 1}, .mte = true};
    struct vm vm;

    (void)context;
    if (!vm_create(&vm, &kvm, &config, failure)) {
        ck_assert(!vm_is_open(&vm));
        vm_destroy(&vm);
        return false;
    }
    bool good = vm_add_memory(&vm, &ram, failure);
    vm_destroy(&vm);
    return good;
}

START_TEST(each_call_fails)
{
    static const struct kvm_failure failures[] = {
        {KVM_CREATE_VM, 0, 0, "KVM_CREATE_VM"},
        {KVM_ENABLE_CAP, 0, 0, "KVM_CAP_ARM_NISV_TO_USER"},
        {KVM_ENABLE_CAP, 0, 1, "KVM_CAP_ARM_MTE"},
        {KVM_SET_USER_MEMORY_REGION, 0, 0,
         "cannot give the guest memory at 0x40000000: KVM_SET_USER_MEMORY_REGION"},
    };

    check_each_call_fails(&fake, create_with_memory, NULL, 4);
    check_messages(&fake, create_with_memory, NULL, failures,
                   sizeof(failures) / sizeof(failures[0]));
}
END_TEST

START_TEST(an_interrupted_creation_is_repeated)
{
    struct vm vm;

    fake_kvm_fail_request(&fake, KVM_CREATE_VM, 0, EINTR);
    ck_assert(vm_create(&vm, &kvm, &small, &error));
    ck_assert(fake.failed);
    ck_assert(vm_is_open(&vm));
    vm_destroy(&vm);
    ck_assert(!vm_is_open(&vm));
    vm_destroy(&vm);
}
END_TEST

/* What the host's limit and the highest address come to. */
static const struct {
    int limit; /* 0: an older kernel */
    uint64_t highest;
    unsigned long type;
    bool refused;
} sizes[] = {
    {40, GIB(2), 36, false},          {0, GIB(2), 0, false},
    {48, GIB(64) - 1, 36, false},     {48, GIB(64), 37, false},
    {40, GIB(1024) - 1, 0, false},    {40, GIB(1024), 0, true},
    {0, GIB(1024), 0, true},          {48, GIB(1024), 41, false},
    {48, GIB(262144) - 1, 48, false}, {48, GIB(262144), 0, true},
    {52, UINT64_MAX, 0, true},        {36, GIB(2), 36, false},
    {36, GIB(64), 0, true},           {36, 0, 36, false},
};

START_TEST(the_address_space_is_large_enough)
{
    struct vm_config config = {.highest = {sizes[_i].highest}};
    struct vm vm;

    fake_kvm_set_capability(&fake, KVM_CAP_ARM_VM_IPA_SIZE, sizes[_i].limit);
    ck_assert_int_eq(vm_create(&vm, &kvm, &config, &error), !sizes[_i].refused);
    if (sizes[_i].refused) {
        ck_assert_uint_eq(fake.vm_count, 0);
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_ptr_nonnull(strstr(error.message, "use less memory or fewer vCPUs"));
    } else {
        ck_assert_uint_eq(fake.vm.type, sizes[_i].type);
    }
    vm_destroy(&vm);
}
END_TEST

START_TEST(capabilities_are_enabled_where_they_are)
{
    struct vm_config config = small;
    struct vm vm;

    ck_assert(vm_create(&vm, &kvm, &config, &error));
    ck_assert(fake.vm.no_syndrome_exits);
    ck_assert(!fake.vm.mte);
    vm_destroy(&vm);

    fake_kvm_set_capability(&fake, KVM_CAP_ARM_NISV_TO_USER, 0);
    config.mte = true;
    ck_assert(vm_create(&vm, &kvm, &config, &error));
    ck_assert(!fake.vm.no_syndrome_exits);
    ck_assert(fake.vm.mte);
    vm_destroy(&vm);
}
END_TEST

START_TEST(each_memory_has_a_slot_of_its_own)
{
    const struct guest_memory high = {.base = {GIB(4)}, .size_bytes = 4096, .host = pages + 4096};
    struct vm vm;

    for (int boot = 0; boot < 2; boot++) {
        ck_assert(vm_create(&vm, &kvm, &small, &error));
        ck_assert(vm_add_memory(&vm, &ram, &error));
        ck_assert(vm_add_memory(&vm, &high, &error));
        ck_assert_uint_eq(fake.vm.slot_count, 2);
        ck_assert_uint_eq(fake.vm.slots[0].guest_phys_addr, GIB(1));
        ck_assert_uint_eq(fake.vm.slots[0].memory_size, sizeof(pages));
        ck_assert_uint_eq(fake.vm.slots[0].userspace_addr, (uintptr_t)pages);
        ck_assert_uint_eq(fake.vm.slots[0].flags, 0);
        ck_assert_uint_eq(fake.vm.slots[1].guest_phys_addr, GIB(4));

        ck_assert(!vm_add_memory(&vm, &high, &error));
        ck_assert_int_eq(error.os_errno, EEXIST);
        ck_assert_uint_eq(vm.slot_count, 2);
        vm_destroy(&vm);
    }
}
END_TEST

START_TEST(a_line_reaches_whatever_vm_there_is)
{
    const uint32_t spi = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | UART_INTID;
    struct vm vm = {.fd = -1};
    struct irq_line line;

    vm_connect_irq(&vm, &line, UART_INTID);
    irq_line_set(&line, true);
    ck_assert_uint_eq(fake.irq_count, 0);

    for (size_t boot = 0; boot < 2; boot++) {
        ck_assert(vm_create(&vm, &kvm, &small, &error));
        fake.vm.gic_initialised = true;
        irq_line_set(&line, true);
        irq_line_set(&line, false);
        vm_destroy(&vm);
        irq_line_set(&line, true);

        ck_assert_uint_eq(fake.irq_count, 2 * (boot + 1));
        ck_assert_uint_eq(fake.irqs[2 * boot].irq, spi);
        ck_assert(fake.irqs[2 * boot].level);
        ck_assert_uint_eq(fake.irqs[2 * boot + 1].irq, spi);
        ck_assert(!fake.irqs[2 * boot + 1].level);
    }
}
END_TEST

START_TEST(a_line_without_a_gic_is_silent)
{
    struct vm vm;
    struct irq_line line;

    ck_assert(vm_create(&vm, &kvm, &small, &error));
    vm_connect_irq(&vm, &line, UART_INTID);
    irq_line_set(&line, true);
    ck_assert_uint_eq(fake.irq_count, 0);
    vm_destroy(&vm);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vm");
    TCase *tests = tcase_create("vm");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_call_fails);
    tcase_add_test(tests, an_interrupted_creation_is_repeated);
    tcase_add_loop_test(tests, the_address_space_is_large_enough, 0,
                        sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_test(tests, capabilities_are_enabled_where_they_are);
    tcase_add_test(tests, each_memory_has_a_slot_of_its_own);
    tcase_add_test(tests, a_line_reaches_whatever_vm_there_is);
    tcase_add_test(tests, a_line_without_a_gic_is_silent);
    suite_add_tcase(suite, tests);
    return suite;
}
