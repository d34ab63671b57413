// SPDX-License-Identifier: Apache-2.0
/*
 * What KVM says of itself. With kvm, vm, vcpu and vgic this is one of the few files that include
 * <linux/kvm.h>: it asks for what they use, and for what they could.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor_internal.h"
#include "kvm.h"
#include "kvm_sys.h"
#include "memory_map.h"
#include "options.h"
#include "vcpu_features.h"
#include "vgic.h"
#include "vm.h"

#define GROUP_KVM          "kvm"
#define GROUP_CAPABILITIES "kvm capabilities"
#define GROUP_FEATURES     "cpu features"
#define GROUP_GIC          "gic"

/* Of the kernel's stable interface, but younger than the headers of the oldest distributions. */
enum {
    CAP_DIRTY_LOG_RING_WITH_BITMAP = 225,
    CAP_COUNTER_OFFSET = 227,
    CAP_ARM_SUPPORTED_BLOCK_SIZES = 229,
    CAP_ARM_SUPPORTED_REG_MASK_RANGES = 230,
    CAP_ARM_WRITABLE_IMP_ID_REGS = 239,
    CAP_ARM_EL2 = 240,
    VM_SMCCC_CTRL = 0,        /* KVM_ARM_VM_SMCCC_CTRL, a group of attributes of a VM */
    VM_SMCCC_CTRL_FILTER = 0, /* KVM_ARM_VM_SMCCC_FILTER */
};

enum { GROUP_NAME_BYTES = 64 }; /* and in find_group() */

#define MAKE_DEVICE "sudo mknod " KVM_DEVICE_PATH " c 10 232"

enum capability_form {
    FORM_FLAG,
    FORM_COUNT,
    FORM_BITS,   /* of an address */
    FORM_BLOCKS, /* a mask of sizes */
};

struct capability {
    const char *name; /* without KVM_CAP_ */
    const char *purpose;
    const char *without; /* what its absence means or what to do then */
    long number;
    enum capability_form form;
    bool required;
};

/* Linux versions are those that brought a capability to arm64. */
static const struct capability capabilities[] = {
    {"ONE_REG", "registers of a vCPU by number", "this KVM is not one of arm64", KVM_CAP_ONE_REG,
     FORM_FLAG, true},
    {"DEVICE_CTRL", "devices in the kernel, such as the GIC", "guests get no interrupts",
     KVM_CAP_DEVICE_CTRL, FORM_FLAG, true},
    {"ARM_PSCI_0_2", "guests turn CPUs on and the power off by PSCI", "needs Linux 3.16",
     KVM_CAP_ARM_PSCI_0_2, FORM_FLAG, true},
    {"IMMEDIATE_EXIT", "a vCPU is stopped without a race", "needs Linux 4.11",
     KVM_CAP_IMMEDIATE_EXIT, FORM_FLAG, true},
    {"MAX_VCPUS", "vCPUs of a guest at most", "-c is limited to what the GIC serves",
     KVM_CAP_MAX_VCPUS, FORM_COUNT, false},
    {"NR_VCPUS", "vCPUs of a guest advised at most, the host's CPUs", "no advice is given",
     KVM_CAP_NR_VCPUS, FORM_COUNT, false},
    {"NR_MEMSLOTS", "pieces of memory of a guest", "the kernel doesn't tell", KVM_CAP_NR_MEMSLOTS,
     FORM_COUNT, false},
    {"ARM_VM_IPA_SIZE", "size of a guest's physical addresses",
     "guests have 40 bits, and end below 1 TiB; needs Linux 4.20", KVM_CAP_ARM_VM_IPA_SIZE,
     FORM_BITS, false},
    {"ARM_NISV_TO_USER", "accesses without syndrome (pairs, write-back) are decoded",
     "such an access to a device ends the run; needs Linux 5.5", KVM_CAP_ARM_NISV_TO_USER,
     FORM_FLAG, false},
    {"ARM_INJECT_EXT_DABT", "what can't be decoded becomes the guest's external abort",
     "what can't be decoded ends the run; needs Linux 5.5", KVM_CAP_ARM_INJECT_EXT_DABT, FORM_FLAG,
     false},
    {"ARM_INJECT_SERROR_ESR", "system errors with a syndrome of choice",
     "the CPU lacks the RAS extension, or Linux is older than 4.19", KVM_CAP_ARM_INJECT_SERROR_ESR,
     FORM_FLAG, false},
    {"ARM_SYSTEM_SUSPEND", "guests suspend to RAM by PSCI",
     "a guest's suspend is refused; needs Linux 5.19", KVM_CAP_ARM_SYSTEM_SUSPEND, FORM_FLAG,
     false},
    {"IRQFD", "interrupts out of an eventfd, without a system call of the VMM",
     "raising an interrupt takes a system call", KVM_CAP_IRQFD, FORM_FLAG, false},
    {"IRQFD_RESAMPLE", "level interrupts out of an eventfd; --irq-delivery irqfd",
     "--irq-delivery irqfd is refused", KVM_CAP_IRQFD_RESAMPLE, FORM_FLAG, false},
    {"ARM_USER_IRQ", "timers interrupt through a GIC of armlet's own; --irqchip user",
     "--irqchip user is refused; needs Linux 4.12", KVM_CAP_ARM_USER_IRQ, FORM_FLAG, false},
    {"IOEVENTFD", "a guest's write becomes an eventfd, without a user exit",
     "doorbells of devices cost a user exit", KVM_CAP_IOEVENTFD, FORM_FLAG, false},
    {"COALESCED_MMIO", "a guest's writes are collected in a ring, without user exits",
     "each write costs a user exit", KVM_CAP_COALESCED_MMIO, FORM_FLAG, false},
    {"READONLY_MEM", "registers and flash that a guest reads without an exit",
     "each read costs a user exit", KVM_CAP_READONLY_MEM, FORM_FLAG, false},
    {"SIGNAL_MSI", "message-signalled interrupts",
     "the GIC has no ITS or MSI frame: devices use wires", KVM_CAP_SIGNAL_MSI, FORM_FLAG, false},
    {"HALT_POLL", "polling before a vCPU sleeps can be set for a guest",
     "it can be set for the whole host only (halt_poll_ns); needs Linux 5.8", KVM_CAP_HALT_POLL,
     FORM_FLAG, false},
    {"COUNTER_OFFSET", "one counter offset for the whole guest",
     "each vCPU's virtual counter is set by itself; needs Linux 6.4", CAP_COUNTER_OFFSET, FORM_FLAG,
     false},
    {"DIRTY_LOG_RING_ACQ_REL", "written pages as a ring for each vCPU",
     "written pages are found in a bitmap; needs Linux 6.2", KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
     FORM_FLAG, false},
    {"DIRTY_LOG_RING_WITH_BITMAP", "that ring together with the ITS",
     "with an ITS the ring can't be used; needs Linux 6.2", CAP_DIRTY_LOG_RING_WITH_BITMAP,
     FORM_FLAG, false},
    {"ARM_SUPPORTED_BLOCK_SIZES", "page sizes that stage 2 can map",
     "the kernel doesn't tell; needs Linux 6.5", CAP_ARM_SUPPORTED_BLOCK_SIZES, FORM_BLOCKS, false},
    {"ARM_SUPPORTED_REG_MASK_RANGES", "which CPU features can be hidden from a guest",
     "guests see the CPU's features as they are; needs Linux 6.7",
     CAP_ARM_SUPPORTED_REG_MASK_RANGES, FORM_FLAG, false},
    {"ARM_WRITABLE_IMP_ID_REGS", "the CPU's model can be another for a guest",
     "guests see the CPU's model as it is; needs Linux 6.15", CAP_ARM_WRITABLE_IMP_ID_REGS,
     FORM_FLAG, false},
    {"SET_GUEST_DEBUG", "a debugger can step a guest", "no debugger can step a guest",
     KVM_CAP_SET_GUEST_DEBUG, FORM_FLAG, false},
    {"GUEST_DEBUG_HW_BPS", "hardware breakpoints for that debugger",
     "the debugger has to change the guest's code", KVM_CAP_GUEST_DEBUG_HW_BPS, FORM_COUNT, false},
    {"GUEST_DEBUG_HW_WPS", "hardware watchpoints for that debugger", "the debugger has none",
     KVM_CAP_GUEST_DEBUG_HW_WPS, FORM_COUNT, false},
    {"ARM_EL2", "nested virtualisation: guests have EL2, and a KVM of their own",
     "guests can't run guests; needs Armv8.4 with FEAT_NV2, Linux 6.16 and kvm-arm.mode=nested",
     CAP_ARM_EL2, FORM_FLAG, false},
};

/* A mask has bit n for blocks of 2^n bytes. */
static void block_sizes_text(char *text, size_t text_bytes, uint64_t mask)
{
    text[0] = '\0';
    for (unsigned bit = 0; bit < 64; bit++) {
        size_t used = strlen(text);
        char size[SIZE_TEXT_BYTES];

        if (mask >> bit & 1U)
            (void)snprintf(text + used, text_bytes - used, "%s%s", used ? ", " : "",
                           size_text(size, (uint64_t)1 << bit));
    }
}

static void answer_text(char *text, size_t text_bytes, enum capability_form form, int answer)
{
    if (answer == 0 || form == FORM_FLAG)
        (void)snprintf(text, text_bytes, "%s", answer ? "yes" : "no");
    else if (form == FORM_BLOCKS)
        block_sizes_text(text, text_bytes, (uint64_t)answer);
    else
        (void)snprintf(text, text_bytes, form == FORM_BITS ? "%d bits" : "%d", answer);
}

static void add_capability(struct report *report, const struct capability *capability, int answer)
{
    char value[CHECK_VALUE_BYTES];

    answer_text(value, sizeof(value), capability->form, answer);
    struct check *check = report_add(report, GROUP_CAPABILITIES, capability->name,
                                     answer ? CHECK_OK : CHECK_MISSING, "%s", value);
    check->purpose = capability->purpose;
    if (answer)
        return;
    check_hint(check, "%s", capability->without);
    if (capability->required)
        report_fail(report, check, "its KVM lacks %s (%s)", capability->name, capability->without);
}

/* A VM knows more than the system does, so it is asked. */
static void check_capabilities(const struct vm *vm, struct report *report)
{
    static const struct capability smccc_filter = {
        .name = "SMCCC_FILTER",
        .purpose = "a guest's firmware calls can be forwarded to the VMM",
        .without = "the kernel answers all that it knows; needs Linux 6.4",
    };
    const struct kvm_device_attr attribute = {
        .group = VM_SMCCC_CTRL,
        .attr = VM_SMCCC_CTRL_FILTER,
    };

    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        add_capability(report, &capabilities[i],
                       kvm_check_extension(vm->fd, capabilities[i].number));
    /* No capability, but an attribute of a VM. */
    bool has_filter = kvm_sys_ioctl(vm->fd, KVM_HAS_DEVICE_ATTR, (uintptr_t)&attribute) == 0;
    add_capability(report, &smccc_filter, has_filter);
}

static const char *without_feature(long capability)
{
    switch (capability) {
    case KVM_CAP_ARM_PMU_V3:
        return "the host's kernel has no performance counters to share: a cloud may keep them to "
               "its metal instances; else CONFIG_ARM_PMUV3 (CONFIG_HW_PERF_EVENTS)";
    case KVM_CAP_ARM_SVE:
        return "the CPU lacks SVE, or the kernel does (CONFIG_ARM64_SVE)";
    case KVM_CAP_ARM_PTRAUTH_ADDRESS:
        return "the CPU lacks it (Armv8.3), or the kernel does (CONFIG_ARM64_PTR_AUTH)";
    case KVM_CAP_ARM_MTE:
        return "the CPU lacks it (Armv8.5), or the kernel does (CONFIG_ARM64_MTE, Linux 5.14)";
    case KVM_CAP_ARM_EL1_32BIT:
        return "the CPU runs 64-bit kernels only";
    case KVM_CAP_STEAL_TIME:
        return "guests can't see the time they were kept waiting; needs Linux 5.10 with "
               "CONFIG_SCHED_INFO";
    default:
        return "neither CPU nor kernel can be told to";
    }
}

static void check_features(const struct kvm *kvm, struct report *report)
{
    for (size_t i = 0; i < feature_table_count; i++) {
        const struct feature_info *feature = &feature_table[i];
        bool supported = feature_is_supported(kvm, feature);
        struct check *check =
            report_add(report, GROUP_FEATURES, feature->name, supported ? CHECK_OK : CHECK_MISSING,
                       "%s", supported ? "yes" : "no");

        check->purpose = feature->purpose;
        if (!supported)
            check_hint(check, "%s", without_feature(feature->capability));
    }
}

static struct check *add_gic(struct report *report, const char *name, bool supported,
                             const char *purpose)
{
    struct check *check = report_add(report, GROUP_GIC, name, supported ? CHECK_OK : CHECK_MISSING,
                                     "%s", supported ? "yes" : "no");
    check->purpose = purpose;
    return check;
}

/* Only a VM that has an ITS knows that messages name their device. */
static bool create_its(const struct vm *vm)
{
    struct kvm_create_device create = {.type = KVM_DEV_TYPE_ARM_VGIC_ITS};

    if (kvm_sys_ioctl(vm->fd, KVM_CREATE_DEVICE, (uintptr_t)&create) < 0)
        return false;
    kvm_sys_close((int)create.fd);
    return true;
}

static void check_gic(const struct vm *vm, struct report *report)
{
    bool v3 = vgic_is_supported(vm, GIC_VERSION_3);
    bool v2 = vgic_is_supported(vm, GIC_VERSION_2);
    struct check *check = add_gic(report, "GICv3", v3, "512 vCPUs; --gic 3");

    if (!v3 && v2)
        check_hint(check, "the host has a GICv2: guests have at most %d vCPUs", GICV2_MAX_VCPUS);
    bool user = kvm_check_extension(vm->fd, KVM_CAP_ARM_USER_IRQ);
    if (!v3 && !v2 && user)
        check_hint(check, "guests run with armlet's own GICv2: --irqchip user");
    if (!v3 && !v2 && !user)
        report_fail(report, check, "its KVM has neither GICv3 nor GICv2");
    check = add_gic(report, "GICv2", v2, "8 vCPUs, for guests that know no other; --gic 2");
    if (!v2)
        check_hint(check, v3     ? "the host's GICv3 can't play a GICv2: --irqchip user does"
                          : user ? "guests run with armlet's own: --irqchip user"
                                 : "guests can't have interrupts: the host's own interrupt "
                                   "controller is no GIC that KVM can share");
    bool its = create_its(vm);
    check = add_gic(report, "ITS", its, "message-signalled interrupts; --its on");
    if (!its)
        check_hint(check, v3 ? "guests have no MSIs; needs a kernel with CONFIG_ARM_GIC_V3_ITS"
                             : "guests have no MSIs; an ITS comes with GICv3 alone");
}

/* Why /dev/kvm isn't there: the likeliest cause that shows. */
static void explain_absence(const struct doctor_host *host, struct check *check)
{
    char text[DOCTOR_TEXT_BYTES];

    if (host_read(host, "/sys/devices/virtual/misc/kvm/dev", text))
        check_hint(check, "the kernel has KVM, but there is no " KVM_DEVICE_PATH " here: give it "
                          "to the container (--device " KVM_DEVICE_PATH "), or " MAKE_DEVICE);
    else if (host_read(host, "/proc/cmdline", text) && strstr(text, "kvm-arm.mode=none"))
        check_hint(check, "take kvm-arm.mode=none from the kernel's command line and reboot");
    else if (host_is_virtual(host, text))
        check_hint(check,
                   "this machine is itself virtual (%.100s) and its hypervisor doesn't let "
                   "it run guests: take a metal instance, or one with nested "
                   "virtualisation",
                   text);
    else
        check_hint(check, "KVM needs a kernel with CONFIG_KVM (try sudo modprobe kvm) that the "
                          "firmware starts in EL2: see what the kernel's log says of kvm");
}

/* The name of a group, as /etc/group has it: "kvm:x:36:alice,bob". */
static bool find_group(const struct doctor_host *host, gid_t gid, char name[GROUP_NAME_BYTES])
{
    FILE *file = host_open(host, "/etc/group");
    char line[DOCTOR_TEXT_BYTES];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        unsigned id = 0;

        /* The password in between may be empty, which %[ wouldn't match. */
        found = (sscanf(line, "%63[^:]:%*[^:]:%u", name, &id) == 2 ||
                 sscanf(line, "%63[^:]::%u", name, &id) == 2) &&
                id == gid;
    }
    if (file)
        (void)fclose(file);
    return found;
}

static void explain_permission(const struct doctor_host *host, int os_errno, struct check *check)
{
    const mode_t group_may = S_IRGRP | S_IWGRP;
    char path[sizeof(KVM_DEVICE_PATH) + DOCTOR_TEXT_BYTES];
    char group[GROUP_NAME_BYTES] = "kvm";
    struct stat status = {0};

    (void)snprintf(path, sizeof(path), "%.*s" KVM_DEVICE_PATH, DOCTOR_TEXT_BYTES - 1, host->root);
    bool known = stat(path, &status) == 0;
    if (os_errno == EPERM)
        check_hint(check,
                   "a container's rules may forbid it: start it with --device " KVM_DEVICE_PATH);
    else if (known && (status.st_gid == 0 || (status.st_mode & group_may) != group_may))
        check_hint(check, "no group but root may use it: sudo chgrp kvm " KVM_DEVICE_PATH
                          " && sudo chmod 660 " KVM_DEVICE_PATH
                          ", then sudo usermod -aG kvm $USER and log in again");
    else if (known && !find_group(host, status.st_gid, group))
        check_hint(check,
                   "it belongs to group %u, which has no name here: run as root, or give the "
                   "container that group (--group-add %u)",
                   status.st_gid, status.st_gid);
    else
        check_hint(check, "sudo usermod -aG %s $USER, then log in again; or run as root", group);
}

static const char *name_fault(const struct error *error)
{
    switch (error->os_errno) {
    case 0:
        return error->message;
    case ENOTTY:
    case EINVAL:
        return "not KVM";
    default:
        return strerror(error->os_errno);
    }
}

static void explain_open(const struct doctor_host *host, const struct error *error,
                         struct report *report)
{
    struct check *check =
        report_add(report, GROUP_KVM, KVM_DEVICE_PATH, CHECK_FATAL, "%s", name_fault(error));

    switch (error->os_errno) {
    case ENOENT:
        explain_absence(host, check);
        report_fail(report, check, "it has no " KVM_DEVICE_PATH);
        break;
    case EACCES:
    case EPERM:
        explain_permission(host, error->os_errno, check);
        report_fail(report, check, "you may not use " KVM_DEVICE_PATH);
        break;
    case ENODEV:
    case ENXIO:
        explain_absence(host, check);
        report_fail(report, check, "nothing is behind " KVM_DEVICE_PATH);
        break;
    case ENOTTY:
    case EINVAL:
        check_hint(check,
                   "another device or file has that name: sudo rm " KVM_DEVICE_PATH
                   " && " MAKE_DEVICE ", or start the container with --device " KVM_DEVICE_PATH);
        report_fail(report, check, "its " KVM_DEVICE_PATH " is not KVM");
        break;
    default:
        report_fail(report, check, "%s", error->message);
    }
}

static void check_vm(const struct kvm *kvm, struct report *report)
{
    /* The least machine: its RAM starts here, and all devices are below. */
    const struct vm_config config = {.highest = memory_map_region(REGION_RAM)->base};
    struct error error = {0};
    struct vm vm;

    if (!vm_create(&vm, kvm, &config, &error)) {
        struct check *check =
            report_add(report, GROUP_KVM, "virtual machine", CHECK_FATAL, "%.150s", error.message);
        report_fail(report, check, "it can't make a virtual machine: %.300s", error.message);
        return;
    }
    (void)report_add(report, GROUP_KVM, "virtual machine", CHECK_OK, "can be made");
    check_gic(&vm, report);
    check_features(kvm, report);
    check_capabilities(&vm, report);
    vm_destroy(&vm);
}

void doctor_check_kvm(const struct doctor_host *host, struct report *report)
{
    struct error error = {0};
    struct kvm kvm;

    /* Another architecture's KVM means other things by the same numbers. */
    if (!host_is_arm64(host))
        return;
    if (!kvm_open(&kvm, &error)) {
        explain_open(host, &error, report);
        return;
    }
    (void)report_add(report, GROUP_KVM, KVM_DEVICE_PATH, CHECK_OK, "usable");
    (void)report_add(report, GROUP_KVM, "API version", CHECK_OK, "%d", KVM_API_VERSION);
    check_vm(&kvm, report);
    kvm_close(&kvm);
}
