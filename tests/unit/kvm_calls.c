// SPDX-License-Identifier: Apache-2.0
#include "kvm_calls.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    PVTIME_ALIGNMENT = 64,
    FIRST_PPI = 16,
    FIRST_SPI = 32,
    MINIMUM_IPA_BITS = 32,
};

/* ---- system, VM ---- */

static int get_api_version(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    (void)object;
    (void)argument;
    return fake->api_version;
}

static int get_run_bytes(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    (void)object;
    (void)argument;
    return (int)fake->run_bytes;
}

static int check_extension(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    (void)object;
    return fake_kvm_capability(fake, (long)argument);
}

static int create_vm(struct fake_kvm *fake, const struct object *object, uintptr_t type)
{
    int limit = fake_kvm_capability(fake, KVM_CAP_ARM_VM_IPA_SIZE);

    (void)object;
    if (type && (type < MINIMUM_IPA_BITS || type > (uintptr_t)limit))
        return -EINVAL;
    fake->vm = (struct fake_vm){.type = type};
    fake->attribute_count = 0;
    fake->vm_count++;
    return fake_kvm_open_object(fake, OBJECT_VM, 0);
}

static int enable_capability(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_enable_cap *enable = (const void *)argument;

    (void)object;
    if (!fake_kvm_capability(fake, enable->cap))
        return -EINVAL;
    if (enable->cap == KVM_CAP_ARM_NISV_TO_USER)
        fake->vm.no_syndrome_exits = true;
    else if (enable->cap == KVM_CAP_ARM_MTE && !fake->vm.vcpus[0].created)
        fake->vm.mte = true;
    else
        return -EINVAL;
    return 0;
}

static int create_device(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    struct kvm_create_device *create = (void *)argument;
    struct fake_vm *vm = &fake->vm;
    bool is_its = create->type == KVM_DEV_TYPE_ARM_VGIC_ITS;

    (void)object;
    if (create->type >= 32 || !(fake->device_types & 1U << create->type))
        return -ENODEV;
    if (create->flags & KVM_CREATE_DEVICE_TEST)
        return 0;
    if (is_its ? vm->has_its : vm->gic_type != 0)
        return -EEXIST;
    int fd = fake_kvm_open_object(fake, is_its ? OBJECT_ITS : OBJECT_GIC, 0);
    if (fd < 0)
        return fd;
    create->fd = (uint32_t)fd;
    if (is_its)
        vm->has_its = true;
    else
        vm->gic_type = create->type;
    return 0;
}

static int preferred_target(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    struct kvm_vcpu_init *init = (void *)argument;

    (void)fake;
    (void)object;
    *init = (struct kvm_vcpu_init){.target = KVM_ARM_TARGET_GENERIC_V8};
    return 0;
}

static int create_vcpu(struct fake_kvm *fake, const struct object *object, uintptr_t index)
{
    (void)object;
    if (index >= FAKE_KVM_VCPUS)
        return -EINVAL;
    if (fake->vm.vcpus[index].created)
        return -EEXIST;
    if (fake->vm.gic_initialised)
        return -EBUSY;
    fake->vm.vcpus[index] = (struct fake_vcpu){.created = true};
    return fake_kvm_open_object(fake, OBJECT_VCPU, (uint32_t)index);
}

static int irq_line(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    const struct kvm_irq_level *request = (const void *)argument;
    const uint64_t one = 1;

    bool to_input = request->irq >> KVM_ARM_IRQ_TYPE_SHIFT == KVM_ARM_IRQ_TYPE_CPU;

    (void)object;
    if (to_input == fake->vm.gic_initialised)
        return -ENXIO;
    if (fake->irq_count < FAKE_KVM_IRQS)
        fake->irqs[fake->irq_count++] = (struct fake_irq_change){request->irq, request->level != 0};
    else
        fake_kvm_complain(fake, "more changes of lines than can be recorded");
    (void)!write(fake->irq_event, &one, sizeof(one));
    return 0;
}

/* ---- devices ---- */

static int judge_gic_attribute(struct fake_kvm *fake, const struct object *object,
                               const struct kvm_device_attr *request, uint64_t value)
{
    const uint64_t in_frame = 0xffff;
    struct fake_vm *vm = &fake->vm;
    bool is_its = object->kind == OBJECT_ITS;

    switch (request->group) {
    case KVM_DEV_ARM_VGIC_GRP_ADDR:
        if (!is_its && vm->gic_type == KVM_DEV_TYPE_ARM_VGIC_V3 &&
            request->attr == KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION)
            return value >> 52 == 0 || value & 0xf000 ? -EINVAL : 0;
        return value & in_frame ? -EINVAL : 0;
    case KVM_DEV_ARM_VGIC_GRP_NR_IRQS:
        return is_its ? -ENXIO : vm->gic_initialised ? -EBUSY : value % 32 ? -EINVAL : 0;
    case KVM_DEV_ARM_VGIC_GRP_CTRL:
        if (!vm->vcpus[0].created || (is_its && !vm->gic_initialised))
            return -ENODEV;
        *(is_its ? &vm->its_initialised : &vm->gic_initialised) = true;
        return 0;
    default:
        return -ENXIO;
    }
}

static int judge_vcpu_attribute(struct fake_kvm *fake, const struct object *object,
                                const struct kvm_device_attr *request, uint64_t value)
{
    const struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];
    bool has_pmu = vcpu->init.features[0] & 1U << KVM_ARM_VCPU_PMU_V3;

    switch (request->group) {
    case KVM_ARM_VCPU_PMU_V3_CTRL:
        if (!has_pmu || fake->vm.gic_initialised == fake->no_gic)
            return -ENODEV;
        if (request->attr == KVM_ARM_VCPU_PMU_V3_IRQ && fake->no_gic)
            return -EINVAL;
        return request->attr == KVM_ARM_VCPU_PMU_V3_IRQ && (value < FIRST_PPI || value >= FIRST_SPI)
                   ? -EINVAL
                   : 0;
    case KVM_ARM_VCPU_PVTIME_CTRL:
        if (value % PVTIME_ALIGNMENT || !fake_kvm_is_memory(&fake->vm, value, PVTIME_ALIGNMENT))
            return -EINVAL;
        return 0;
    default:
        return -ENXIO;
    }
}

/* The SMCCC filter, group 0, attribute 0; its value begins with base and count, 32 bits each. */
static int judge_vm_attribute(const struct fake_kvm *fake, const struct kvm_device_attr *request)
{
    return fake->smccc_filter && request->group == 0 && request->attr == 0 ? 0 : -ENXIO;
}

static uint64_t attribute_value(const struct kvm_device_attr *request)
{
    bool is_word =
        request->group == KVM_DEV_ARM_VGIC_GRP_NR_IRQS ||
        (request->group == KVM_ARM_VCPU_PMU_V3_CTRL && request->attr == KVM_ARM_VCPU_PMU_V3_IRQ);
    uint64_t value = 0;

    if (request->addr)
        memcpy(&value, (const void *)(uintptr_t)request->addr,
               is_word ? sizeof(uint32_t) : sizeof(uint64_t));
    return value;
}

static int set_attribute(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    static const enum fake_target targets[] = {[OBJECT_VM] = FAKE_ON_VM,
                                               [OBJECT_VCPU] = FAKE_ON_VCPU,
                                               [OBJECT_GIC] = FAKE_ON_GIC,
                                               [OBJECT_ITS] = FAKE_ON_ITS};
    const struct kvm_device_attr *request = (const void *)argument;
    uint64_t value = attribute_value(request);
    int result;

    if (object->kind == OBJECT_VM)
        result = judge_vm_attribute(fake, request);
    else if (object->kind == OBJECT_VCPU)
        result = judge_vcpu_attribute(fake, object, request, value);
    else
        result = judge_gic_attribute(fake, object, request, value);
    if (result < 0)
        return result;
    if (fake->attribute_count == FAKE_KVM_ATTRIBUTES) {
        fake_kvm_complain(fake, "more attributes than can be recorded");
        return -ENOSPC;
    }
    fake->attributes[fake->attribute_count++] = (struct fake_attribute){
        targets[object->kind], object->index, request->group, request->attr, value};
    return 0;
}

static int has_attribute(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    (void)argument;
    return object->kind == OBJECT_VM && fake->smccc_filter ? 0 : -ENXIO;
}

/* ---- vCPUs ---- */

static int initialise_vcpu(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    static const struct {
        unsigned feature;
        long capability;
    } needed[] = {
        {KVM_ARM_VCPU_EL1_32BIT, KVM_CAP_ARM_EL1_32BIT},
        {KVM_ARM_VCPU_PSCI_0_2, KVM_CAP_ARM_PSCI_0_2},
        {KVM_ARM_VCPU_PMU_V3, KVM_CAP_ARM_PMU_V3},
        {KVM_ARM_VCPU_SVE, KVM_CAP_ARM_SVE},
        {KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_CAP_ARM_PTRAUTH_ADDRESS},
        {KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_CAP_ARM_PTRAUTH_GENERIC},
    };
    const struct kvm_vcpu_init *init = (const void *)argument;
    struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (init->features[0] & 1U << needed[i].feature &&
            !fake_kvm_capability(fake, needed[i].capability))
            return -EINVAL;
    if (init->target != KVM_ARM_TARGET_GENERIC_V8)
        return -EINVAL;
    vcpu->init = *init;
    vcpu->initialised = true;
    return 0;
}

static int finalise_vcpu(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];

    if (!vcpu->initialised || *(const int *)argument != KVM_ARM_VCPU_SVE)
        return -EINVAL;
    vcpu->finalised = true;
    return 0;
}

/* As the kernel has it: after KVM_ARM_VCPU_INIT, and with SVE after KVM_ARM_VCPU_FINALIZE. */
static int judge_vcpu(const struct fake_vcpu *vcpu)
{
    if (!vcpu->initialised)
        return -ENOEXEC;
    return vcpu->init.features[0] & 1U << KVM_ARM_VCPU_SVE && !vcpu->finalised ? -EPERM : 0;
}

static int transfer_register(struct fake_kvm *fake, const struct object *object, uintptr_t argument,
                             bool set)
{
    const uint64_t mpidr = ARM64_SYS_REG(3, 0, 0, 0, 5);
    const uint64_t pfr0 = ARM64_SYS_REG(3, 0, 0, 4, 0);
    const uint64_t with_gicv3 = 0x01000011;
    const uint64_t mpidr_res1 = 1U << 31;
    const struct kvm_one_reg *request = (const void *)argument;
    struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];
    uint64_t size_bytes = 1U << ((request->id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
    struct fake_register none = {.id = request->id};
    void *value = (void *)(uintptr_t)request->addr;

    if (judge_vcpu(vcpu) < 0)
        return judge_vcpu(vcpu);
    if (size_bytes > sizeof(none.value))
        return -EINVAL;
    struct fake_register *reg = fake_kvm_find_register(vcpu, request->id, set);
    if (!reg && set) {
        fake_kvm_complain(fake, "more registers than can be kept");
        return -ENOSPC;
    }
    if (!reg)
        reg = &none;
    if (request->id == pfr0 && reg == &none)
        reg->value[0] = with_gicv3;
    if (request->id == mpidr)
        reg->value[0] = mpidr_res1 | object->index;
    if (set)
        memcpy(reg->value, value, size_bytes);
    else
        memcpy(value, reg->value, size_bytes);
    return 0;
}

static int get_register(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    return transfer_register(fake, object, argument, false);
}

static int set_register(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    return transfer_register(fake, object, argument, true);
}

static int set_events(struct fake_kvm *fake, const struct object *object, uintptr_t argument)
{
    struct fake_vcpu *vcpu = &fake->vm.vcpus[object->index];

    vcpu->events = *(const struct kvm_vcpu_events *)argument;
    vcpu->events_count++;
    return 0;
}

/* ---- which file takes which ---- */

struct call {
    unsigned long request;
    unsigned kinds; /* mask of 1 << OBJECT_... */
    fake_kvm_handler *handler;
};

#define ON(kind) (1U << OBJECT_##kind)

static const struct call calls[] = {
    {KVM_GET_API_VERSION, ON(SYSTEM), get_api_version},
    {KVM_GET_VCPU_MMAP_SIZE, ON(SYSTEM), get_run_bytes},
    {KVM_CHECK_EXTENSION, ON(SYSTEM) | ON(VM), check_extension},
    {KVM_CREATE_VM, ON(SYSTEM), create_vm},
    {KVM_ENABLE_CAP, ON(VM), enable_capability},
    {KVM_SET_USER_MEMORY_REGION, ON(VM), fake_kvm_set_memory},
    {KVM_IOEVENTFD, ON(VM), fake_kvm_ioeventfd},
    {KVM_IRQFD, ON(VM), fake_kvm_irqfd},
    {KVM_REGISTER_COALESCED_MMIO, ON(VM), fake_kvm_coalesce},
    {KVM_UNREGISTER_COALESCED_MMIO, ON(VM), fake_kvm_uncoalesce},
    {KVM_CREATE_DEVICE, ON(VM), create_device},
    {KVM_ARM_PREFERRED_TARGET, ON(VM), preferred_target},
    {KVM_CREATE_VCPU, ON(VM), create_vcpu},
    {KVM_IRQ_LINE, ON(VM), irq_line},
    {KVM_SET_DEVICE_ATTR, ON(VM) | ON(VCPU) | ON(GIC) | ON(ITS), set_attribute},
    {KVM_HAS_DEVICE_ATTR, ON(VM) | ON(VCPU) | ON(GIC) | ON(ITS), has_attribute},
    {KVM_ARM_VCPU_INIT, ON(VCPU), initialise_vcpu},
    {KVM_ARM_VCPU_FINALIZE, ON(VCPU), finalise_vcpu},
    {KVM_GET_ONE_REG, ON(VCPU), get_register},
    {KVM_SET_ONE_REG, ON(VCPU), set_register},
    {KVM_SET_VCPU_EVENTS, ON(VCPU), set_events},
    {KVM_GET_STATS_FD, ON(VCPU), fake_kvm_open_stats},
};

fake_kvm_handler *fake_kvm_find_handler(enum object_kind kind, unsigned long request)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (calls[i].request == request && calls[i].kinds & 1U << kind)
            return calls[i].handler;
    return NULL;
}
