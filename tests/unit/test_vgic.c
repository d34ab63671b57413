// SPDX-License-Identifier: Apache-2.0
/* The interrupt controller: which one, where, in which order, and each call that can fail. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake_kvm.h"
#include "kvm_failures.h"
#include "memory_map.h"
#include "vgic.h"

Suite *unit_suite(void);

#define GIB(n) ((uint64_t)(n) << 30)

enum {
    MANY_VCPUS = 200, /* more than the first redistributor region takes */
    IRQ_COUNT = GIC_SPI_BASE + GIC_SPI_COUNT,
};

static struct fake_kvm fake;
static struct kvm kvm;
static struct error error;

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

static struct vgic_config config_for(enum gic_choice choice, bool its, uint32_t vcpu_count)
{
    return (struct vgic_config){
        .choice = choice,
        .its = its,
        .vcpu_count = vcpu_count,
        .spi_count = GIC_SPI_COUNT,
        .high_redistributors = memory_map_region(REGION_GICR_HIGH)->base,
    };
}

static const struct vm_config least_vm = {.highest = {GIB(300)}};

static void create_vm(struct vm *vm)
{
    ck_assert(vm_create(vm, &kvm, &least_vm, &error));
}

/* From the GIC to the first moment that a vCPU could run, and back; the VM is there before. */
static bool create_and_finish(const struct vm *vm, const struct vgic_config *config,
                              struct vgic *vgic, struct error *failure)
{
    if (!vgic_create(vgic, vm, config, failure)) {
        ck_assert_int_eq(vgic->fd, -1);
        ck_assert_int_eq(vgic->its_fd, -1);
        vgic_destroy(vgic);
        return false;
    }
    fake.vm.vcpus[0].created = true;
    bool good = vgic_finish_setup(vgic, failure);
    vgic_destroy(vgic);
    vgic_destroy(vgic);
    return good;
}

static bool attempt(void *context, struct error *failure)
{
    struct vgic vgic;
    struct vm vm;

    if (!vm_create(&vm, &kvm, &least_vm, failure))
        return false;
    bool good = create_and_finish(&vm, context, &vgic, failure);
    vm_destroy(&vm);
    return good;
}

static void check_value(enum fake_target target, uint32_t group, uint64_t attribute,
                        uint64_t expected)
{
    const struct fake_attribute *found = fake_kvm_attribute(&fake, target, group, attribute);

    ck_assert_msg(found, "attribute %u/%llu was not set", group, (unsigned long long)attribute);
    ck_assert_uint_eq(found->value, expected);
}

static uint64_t base_of(enum region_id id)
{
    return memory_map_region(id)->base.value;
}

START_TEST(version_3_with_an_its)
{
    struct vgic_config config = config_for(GIC_AUTO, true, 4);
    struct vgic vgic;
    struct vm vm;

    create_vm(&vm);
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_int_eq(vgic.version, GIC_VERSION_3);
    ck_assert_uint_eq(fake.vm.gic_type, KVM_DEV_TYPE_ARM_VGIC_V3);
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
                base_of(REGION_GICD));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
                base_of(REGION_GICR));
    check_value(FAKE_ON_ITS, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE,
                base_of(REGION_ITS));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, IRQ_COUNT);
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
    check_value(FAKE_ON_ITS, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
    ck_assert(fake.vm.gic_initialised && fake.vm.its_initialised);
    vm_destroy(&vm);
}
END_TEST

/* What the devices need, in whole registers of 32. */
static const struct {
    uint32_t spi_count;
    uint32_t intid_count;
} needs[] = {{0, 64}, {1, 64}, {32, 64}, {33, 96}, {112, 144 + 16}, {GIC_SPI_COUNT, IRQ_COUNT}};

START_TEST(as_many_interrupts_as_are_needed)
{
    struct vgic_config config = config_for(GIC_V3, false, 1);
    struct vgic vgic;
    struct vm vm;

    config.spi_count = needs[_i].spi_count;
    create_vm(&vm);
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, needs[_i].intid_count);
    vm_destroy(&vm);
}
END_TEST

START_TEST(version_2)
{
    struct vgic_config config = config_for(GIC_V2, false, GICV2_MAX_VCPUS);
    struct vgic vgic;
    struct vm vm;

    create_vm(&vm);
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_int_eq(vgic.version, GIC_VERSION_2);
    ck_assert_uint_eq(fake.vm.gic_type, KVM_DEV_TYPE_ARM_VGIC_V2);
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST,
                base_of(REGION_GICD));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU,
                base_of(REGION_GICC));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, IRQ_COUNT);
    ck_assert(!fake.vm.has_its);
    vm_destroy(&vm);
}
END_TEST

START_TEST(many_vcpus_have_a_second_redistributor_region)
{
    const unsigned count_shift = 52;
    const uint64_t low = memory_map_low_redistributors();
    struct vgic_config config = config_for(GIC_V3, false, MANY_VCPUS);
    struct vgic vgic;
    struct vm vm;

    ck_assert_uint_eq(vgic_high_redistributor_count(1), 0);
    ck_assert_uint_eq(vgic_high_redistributor_count((uint32_t)low), 0);
    ck_assert_uint_eq(vgic_high_redistributor_count((uint32_t)low + 1), 1);

    create_vm(&vm);
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_ptr_null(fake_kvm_attribute(&fake, FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR,
                                          KVM_VGIC_V3_ADDR_TYPE_REDIST));
    ck_assert_uint_eq(fake.attributes[1].attribute, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION);
    ck_assert_uint_eq(fake.attributes[1].value, low << count_shift | base_of(REGION_GICR));
    check_value(FAKE_ON_GIC, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
                (MANY_VCPUS - low) << count_shift | base_of(REGION_GICR_HIGH) | 1);
    vm_destroy(&vm);
}
END_TEST

START_TEST(each_call_fails)
{
    const struct vgic_config configs[] = {
        config_for(GIC_V2, false, 4),
        config_for(GIC_V3, false, 4),
        config_for(GIC_V3, true, 4),
        config_for(GIC_V3, true, MANY_VCPUS),
    };
    static const unsigned least[] = {7, 7, 10, 11};
    struct vgic_config config = configs[_i];

    check_each_call_fails(&fake, attempt, &config, least[_i]);
}
END_TEST

START_TEST(messages_name_what_failed)
{
    const struct kvm_failure v2_failures[] = {
        {KVM_CREATE_DEVICE, 0, 0, "cannot create a vGICv2: "},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 0, "placing the GIC's distributor"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 1, "placing the GIC's CPU interface"},
    };
    const struct kvm_failure v3_failures[] = {
        {KVM_CREATE_DEVICE, 0, 0, "cannot create a vGICv3: "},
        {KVM_CREATE_DEVICE, 0, 1, "cannot create a GICv3 ITS: "},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 0, "placing the GIC's distributor"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 1, "placing the GIC's redistributors"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 2, "placing the GIC's redistributors"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_ADDR, 3, "placing the ITS"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, "number of interrupts"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL, 0, "initialising the GIC"},
        {KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL, 1, "initialising the ITS"},
    };
    struct vgic_config config = config_for(GIC_V2, false, 4);

    check_messages(&fake, attempt, &config, v2_failures,
                   sizeof(v2_failures) / sizeof(v2_failures[0]));
    config = config_for(GIC_V3, true, MANY_VCPUS);
    check_messages(&fake, attempt, &config, v3_failures,
                   sizeof(v3_failures) / sizeof(v3_failures[0]));
}
END_TEST

START_TEST(auto_takes_what_the_host_has)
{
    struct vgic_config config = config_for(GIC_AUTO, false, 1);
    struct vgic vgic;
    struct vm vm;

    fake.device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V2;
    create_vm(&vm);
    ck_assert(!vgic_is_supported(&vm, GIC_VERSION_3));
    ck_assert(vgic_is_supported(&vm, GIC_VERSION_2));
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_int_eq(vgic.version, GIC_VERSION_2);
    vm_destroy(&vm);

    fake.device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V3;
    create_vm(&vm);
    ck_assert(vgic_is_supported(&vm, GIC_VERSION_3));
    ck_assert(!vgic_is_supported(&vm, GIC_VERSION_2));
    ck_assert_uint_eq(fake.vm.gic_type, 0);
    ck_assert(create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_int_eq(vgic.version, GIC_VERSION_3);
    vm_destroy(&vm);
}
END_TEST

/* What can't be had, and what is said then. */
static const struct {
    uint32_t device_types;
    enum gic_choice choice;
    bool its;
    uint32_t vcpu_count;
    enum error_code code;
    const char *message;
} refusals[] = {
    {0, GIC_AUTO, false, 1, ERROR_HOST,
     "the host's KVM has neither vGICv3 nor vGICv2: "
     "try --irqchip user"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_V3, false, 1, ERROR_HOST,
     "the host's KVM has no vGICv3: try --gic 2 or --gic auto"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V3, GIC_V2, false, 1, ERROR_HOST,
     "the host's KVM has no vGICv2: try --gic 3 or --gic auto"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V3, GIC_V3, true, 1, ERROR_HOST,
     "the host's KVM has no GICv3 ITS"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_V2, false, 9, ERROR_USAGE,
     "a GICv2 serves at most 8 vCPUs, not 9"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_AUTO, true, 1, ERROR_USAGE,
     "--its needs a GICv3, this machine has a GICv2"},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V3, (enum gic_choice)3, false, 1, ERROR_INTERNAL,
     "unknown choice of GIC"},
};

START_TEST(what_cant_be_had_is_refused)
{
    struct vgic_config config =
        config_for(refusals[_i].choice, refusals[_i].its, refusals[_i].vcpu_count);
    struct vgic vgic;
    struct vm vm;

    fake.device_types = refusals[_i].device_types;
    create_vm(&vm);
    ck_assert(!create_and_finish(&vm, &config, &vgic, &error));
    ck_assert_int_eq(error.code, refusals[_i].code);
    ck_assert_int_eq(error.os_errno, 0);
    ck_assert_str_eq(error.message, refusals[_i].message);
    vm_destroy(&vm);
}
END_TEST

/* A failure that is no absence is passed on, and makes `auto` try nothing else. */
static const struct {
    uint32_t device_types;
    enum gic_choice choice;
    unsigned nth; /* which KVM_CREATE_DEVICE fails */
    const char *start;
} failures[] = {
    {1U << KVM_DEV_TYPE_ARM_VGIC_V3 | 1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_AUTO, 0,
     "cannot create a vGICv3: "},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_AUTO, 1, "cannot create a vGICv2: "},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V3, GIC_V3, 0, "cannot create a vGICv3: "},
    {1U << KVM_DEV_TYPE_ARM_VGIC_V2, GIC_V2, 0, "cannot create a vGICv2: "},
};

START_TEST(a_failure_is_no_absence)
{
    struct vgic_config config = config_for(failures[_i].choice, false, 1);
    char message[ERROR_MESSAGE_BYTES];
    struct vgic vgic;
    struct vm vm;

    fake.device_types = failures[_i].device_types;
    create_vm(&vm);
    fake_kvm_fail_request(&fake, KVM_CREATE_DEVICE, failures[_i].nth, EMFILE);
    ck_assert(!create_and_finish(&vm, &config, &vgic, &error));
    (void)snprintf(message, sizeof(message), "%s%s", failures[_i].start, strerror(EMFILE));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, EMFILE);
    ck_assert_str_eq(error.message, message);
    vm_destroy(&vm);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vgic");
    TCase *tests = tcase_create("vgic");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, version_3_with_an_its);
    tcase_add_loop_test(tests, as_many_interrupts_as_are_needed, 0,
                        sizeof(needs) / sizeof(needs[0]));
    tcase_add_test(tests, version_2);
    tcase_add_test(tests, many_vcpus_have_a_second_redistributor_region);
    tcase_add_loop_test(tests, each_call_fails, 0, 4);
    tcase_add_test(tests, messages_name_what_failed);
    tcase_add_test(tests, auto_takes_what_the_host_has);
    tcase_add_loop_test(tests, what_cant_be_had_is_refused, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_loop_test(tests, a_failure_is_no_absence, 0, sizeof(failures) / sizeof(failures[0]));
    suite_add_tcase(suite, tests);
    return suite;
}
