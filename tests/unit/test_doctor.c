// SPDX-License-Identifier: Apache-2.0
/* What the doctor finds on made-up hosts. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor_fixture.h"
#include "kvm.h"

Suite *unit_suite(void);

/* ---- the host's files ---- */

START_TEST(another_architecture_cannot)
{
    (void)strcpy(fixture.host.name.machine, "x86_64");
    assert_found("architecture", CHECK_FATAL, "x86_64", "make run");
    ck_assert(!report_can_run(&fixture.report));
    ck_assert_str_eq(fixture.report.reason, "it is x86_64, not arm64");
    /* Its KVM is not asked. */
    ck_assert_uint_eq(fixture.kvm.call_count, 0);
}
END_TEST

START_TEST(old_kernels_are_told)
{
    static const struct {
        const char *release;
        enum check_status status;
    } kernels[] = {
        {"6.1.0-18-cloud-arm64", CHECK_OK}, {"5.10.0", CHECK_OK},       {"5.9.16", CHECK_WARNING},
        {"4.19.0", CHECK_WARNING},          {"strange", CHECK_WARNING},
    };

    for (size_t i = 0; i < COUNT(kernels); i++) {
        (void)strcpy(fixture.host.name.release, kernels[i].release);
        ck_assert_int_eq(examine("kernel")->status, kernels[i].status);
        ck_assert(report_can_run(&fixture.report));
    }
}
END_TEST

START_TEST(cpus_are_named_and_counted)
{
    assert_found("CPU model", CHECK_INFO, "unknown", "");
    put("/proc/cpuinfo", CPU("0", "0x41", "0xd0c") CPU("1", "0x41", "0xd0c"));
    assert_found("CPU model", CHECK_INFO, "2 x Arm Neoverse-N1 r3p1", "");
    put("/proc/cpuinfo", CPU("0", "0x41", "0xd03") CPU("1", "0x99", "0x123"));
    assert_found("CPU model", CHECK_WARNING,
                 "1 x Arm Cortex-A53 r3p1, 1 x implementer 0x99 part 0x123 r3p1", "--pin");
    assert_found("CPUs online", CHECK_INFO, "unknown", "");
    put("/sys/devices/system/cpu/online", "0-1\n");
    assert_found("CPUs online", CHECK_INFO, "0-1", "");
}
END_TEST

START_TEST(more_models_than_fit_are_cut)
{
    put("/proc/cpuinfo",
        CPU("0", "0xf0", "0x001") CPU("1", "0xf0", "0x002") CPU("2", "0xf0", "0x003")
            CPU("3", "0xf0", "0x004") CPU("4", "0xf0", "0x005"));
    const struct check *check = examine("CPU model");
    assert_contains(check->value, "part 0x004");
    ck_assert_ptr_null(strstr(check->value, "part 0x005"));
}
END_TEST

START_TEST(virtual_hosts_are_told)
{
    static const struct {
        const char *vendor, *product, *value;
    } machines[] = {
        {"Amazon EC2\n", "c8g.large\n", "virtual (Amazon EC2 c8g.large)"},
        {"Amazon EC2\n", "c7g.metal\n", "not known to be virtual"},
        {"QEMU\n", "QEMU Virtual Machine\n", "virtual (QEMU QEMU Virtual Machine)"},
        {"Google\n", "Some laptop\n", "not known to be virtual"},
        {"Microsoft Corporation\n", "Virtual Machine\n",
         "virtual (Microsoft Corporation Virtual Machine)"},
        {"Ampere\n", "Mt. Jade\n", "not known to be virtual"},
    };

    assert_found("machine", CHECK_INFO, "not known to be virtual", "");
    for (size_t i = 0; i < COUNT(machines); i++) {
        put("/sys/class/dmi/id/sys_vendor", machines[i].vendor);
        put("/sys/class/dmi/id/product_name", machines[i].product);
        ck_assert_str_eq(examine("machine")->value, machines[i].value);
    }
    put("/proc/device-tree/compatible", "linux,dummy-virt");
    assert_found("machine", CHECK_INFO, "virtual (linux,dummy-virt)", "nested");
}
END_TEST

START_TEST(mode_of_kvm_shows_in_the_timer)
{
    static const struct {
        const char *interrupts, *command_line, *value;
        enum check_status status;
    } modes[] = {
        {"", "", "unknown", CHECK_INFO},
        {TIMER("26"), "quiet", "VHE", CHECK_INFO},
        {TIMER("28"), "quiet", "VHE", CHECK_INFO},
        {TIMER("26"), "kvm-arm.mode=nested", "VHE, nested", CHECK_INFO},
        {TIMER("30"), "quiet", "nVHE", CHECK_INFO},
        {TIMER("30"), "quiet kvm-arm.mode=protected", "protected", CHECK_INFO},
        {TIMER("27"), "", "none", CHECK_WARNING},
        {TIMER("99"), "", "unknown", CHECK_INFO},
    };

    for (size_t i = 0; i < COUNT(modes); i++) {
        put("/proc/interrupts", modes[i].interrupts);
        put("/proc/cmdline", modes[i].command_line);
        const struct check *check = examine("KVM mode");
        ck_assert_str_eq(check->value, modes[i].value);
        ck_assert_int_eq(check->status, modes[i].status);
    }
}
END_TEST

START_TEST(networks_are_told)
{
    assert_found("passt", CHECK_MISSING, "not installed", "install the package 'passt'");
    assert_found("/dev/net/tun", CHECK_MISSING, "cannot be opened", "modprobe tun");
    put("/usr/bin/passt", "");
    put("/dev/net/tun", "");
    assert_found("passt", CHECK_OK, "/usr/bin/passt", "");
    assert_found("/dev/net/tun", CHECK_OK, "yes", "");
}
END_TEST

START_TEST(virtiofsd_is_told)
{
    assert_found("virtiofsd", CHECK_MISSING, "not installed", "goes without, by 9P");
    put("/usr/lib/qemu/virtiofsd", "");
    assert_found("virtiofsd", CHECK_OK, "/usr/lib/qemu/virtiofsd", "");
}
END_TEST

START_TEST(vhost_is_told)
{
    assert_found("/dev/vhost-vsock", CHECK_MISSING, "cannot be opened", "uds=PATH goes without");
    assert_found("/dev/vhost-net", CHECK_MISSING, "cannot be opened", "modprobe vhost_net");
    put("/dev/vhost-net", "");
    assert_found("/dev/vhost-net", CHECK_OK, "yes", "");
    put("/dev/vhost-vsock", "");
    assert_found("/dev/vhost-vsock", CHECK_OK, "yes", "");
}
END_TEST

START_TEST(uring_is_told)
{
    assert_found("io_uring", CHECK_OK, "yes", "");
    fixture.host.uring_errno = EPERM;
    assert_found("io_uring", CHECK_MISSING, "Operation not permitted", "kernel.io_uring_disabled");
    fixture.host.uring_errno = ENOSYS;
    assert_found("io_uring", CHECK_MISSING, "Function not implemented", "CONFIG_IO_URING");
}
END_TEST

/* ---- memory and limits ---- */

#define POOLS "/sys/kernel/mm/hugepages/hugepages-"
#define THP   "/sys/kernel/mm/transparent_hugepage/enabled"

START_TEST(memory_is_told)
{
    assert_found("RAM", CHECK_INFO, "unknown", "");
    put("/proc/meminfo", "MemTotal:  4026532 kB\nMemFree: 1 kB\nMemAvailable: 524288 kB\n");
    assert_found("RAM", CHECK_INFO, "3.8 GiB", "");
    assert_found("RAM available", CHECK_INFO, "512 MiB", "");
    assert_found("page size", CHECK_INFO, "4 KiB", "");
}
END_TEST

START_TEST(sizes_are_readable)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 bytes"},
        {1023, "1023 bytes"},
        {1024, "1 KiB"},
        {3 << 19, "1.5 MiB"},
        {(uint64_t)1 << 40, "1 TiB"},
        {(uint64_t)1 << 61, "2048 PiB"},
        {UINT64_MAX, "16383.9 PiB"},
    };
    char text[SIZE_TEXT_BYTES];

    for (size_t i = 0; i < COUNT(sizes); i++)
        ck_assert_str_eq(size_text(text, sizes[i].bytes), sizes[i].text);
}
END_TEST

START_TEST(transparent_huge_pages_are_told)
{
    static const char name[] = "transparent huge pages";

    assert_found(name, CHECK_MISSING, "no", "CONFIG_TRANSPARENT_HUGEPAGE");
    put(THP, "always [madvise] never\n");
    assert_found(name, CHECK_OK, "madvise", "");
    put(THP, "always madvise [never]\n");
    assert_found(name, CHECK_WARNING, "never", "echo madvise");
}
END_TEST

START_TEST(pools_of_huge_pages_are_told)
{
    assert_found("huge pages", CHECK_MISSING, "no", "CONFIG_HUGETLBFS");
    put("/proc/meminfo", "Hugepagesize:       2048 kB\n");
    put(POOLS "1048576kB/nr_hugepages", "0\n");
    put(POOLS "2048kB/nr_hugepages", "0\n");
    put("/sys/kernel/mm/hugepages/something", "");
    assert_found("huge pages, 2 MiB", CHECK_INFO, "0 free of 0", "hugepages-2048kB/nr_hugepages");
    assert_found("huge pages, 1 GiB", CHECK_INFO, "0 free of 0", "");
    /* The smaller one comes first, in whatever order the directory has them. */
    ck_assert(find("huge pages, 2 MiB") < find("huge pages, 1 GiB"));
    put(POOLS "1048576kB/nr_hugepages", "4\n");
    put(POOLS "1048576kB/free_hugepages", "3\n");
    assert_found("huge pages, 1 GiB", CHECK_INFO, "3 free of 4", "");
    assert_found("huge pages, 2 MiB", CHECK_INFO, "0 free of 0", "");
}
END_TEST

START_TEST(limits_are_told)
{
    assert_found("locked memory", CHECK_OK, "unlimited", "");
    assert_found("open files", CHECK_OK, "1024", "");
    fixture.host.memory_lock.rlim_cur = 8 << 20;
    fixture.host.open_files.rlim_cur = 256;
    assert_found("locked memory", CHECK_INFO, "8 MiB", "ulimit -l");
    assert_found("open files", CHECK_WARNING, "256", "ulimit -n 576");
    fixture.host.open_files.rlim_cur = RLIM_INFINITY;
    assert_found("open files", CHECK_OK, "unlimited", "");
}
END_TEST

/* ---- /dev/kvm ---- */

static void assert_cannot(const char *hint, const char *reason)
{
    const struct check *check = examine(KVM_DEVICE_PATH);

    ck_assert_int_eq(check->status, CHECK_FATAL);
    assert_contains(check->hint, hint);
    assert_contains(fixture.report.reason, reason);
    ck_assert(!report_can_run(&fixture.report));
}

START_TEST(absence_of_kvm_is_explained)
{
    fake_kvm_install(NULL);
    assert_cannot("modprobe kvm", "it has no /dev/kvm");
    put("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    put("/sys/class/dmi/id/product_name", "c7g.large\n");
    assert_cannot("Amazon EC2 c7g.large", "it has no /dev/kvm");
    put("/proc/cmdline", "quiet kvm-arm.mode=none\n");
    assert_cannot("take kvm-arm.mode=none", "it has no /dev/kvm");
    put("/sys/devices/virtual/misc/kvm/dev", "10:232\n");
    assert_cannot("--device /dev/kvm", "it has no /dev/kvm");
}
END_TEST

static void fail_open(int os_errno)
{
    fake_kvm_fail_request(&fixture.kvm, FAKE_KVM_OPEN, 0, os_errno);
}

START_TEST(a_device_without_a_driver_is_explained)
{
    fail_open(ENODEV);
    assert_cannot("CONFIG_KVM", "nothing is behind /dev/kvm");
}
END_TEST

START_TEST(another_device_is_explained)
{
    static const int unknown_ioctl[] = {ENOTTY, EINVAL};

    for (size_t i = 0; i < COUNT(unknown_ioctl); i++) {
        fake_kvm_fail_request(&fixture.kvm, KVM_GET_API_VERSION, 0, unknown_ioctl[i]);
        assert_cannot("sudo rm /dev/kvm && sudo mknod /dev/kvm c 10 232",
                      "its /dev/kvm is not KVM");
        ck_assert_str_eq(find(KVM_DEVICE_PATH)->value, "not KVM");
    }
}
END_TEST

/* Gives /dev/kvm to a group other than root's; only root can choose which. */
static gid_t own_device(mode_t mode)
{
    const gid_t made_up = 4242;
    gid_t group = getegid() ? getegid() : made_up;
    char path[FIXTURE_PATH_BYTES];

    put(KVM_DEVICE_PATH, "");
    path_of(path, KVM_DEVICE_PATH);
    ck_assert_int_eq(chown(path, (uid_t)-1, group), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return group;
}

START_TEST(lack_of_permission_is_explained)
{
    char groups[128];

    fail_open(EACCES);
    assert_cannot("usermod -aG kvm $USER", "you may not use /dev/kvm");

    gid_t group = own_device(0660);
    fail_open(EACCES);
    assert_cannot("has no name here", "you may not use /dev/kvm");

    (void)snprintf(groups, sizeof(groups), "root:x:0:\nvirtual::%u:someone\nkvm:x:1:\n", group);
    put("/etc/group", groups);
    fail_open(EACCES);
    assert_cannot("usermod -aG virtual $USER", "you may not use /dev/kvm");

    (void)own_device(0600);
    fail_open(EACCES);
    assert_cannot("chmod 660", "you may not use /dev/kvm");

    fail_open(EPERM);
    assert_cannot("container", "you may not use /dev/kvm");
}
END_TEST

START_TEST(other_failures_are_passed_on)
{
    fail_open(EMFILE);
    assert_cannot("", strerror(EMFILE));
    fixture.kvm.api_version = KVM_API_VERSION + 1;
    assert_cannot("", "KVM API 13 instead of 12");
}
END_TEST

/* ---- what KVM says ---- */

START_TEST(an_able_host_can)
{
    static const char *const good[] = {
        "architecture",
        "kernel",
        KVM_DEVICE_PATH,
        "virtual machine",
        "GICv3",
        "GICv2",
        "ITS",
        "pmu",
        "sve",
        "pauth",
        "mte",
        "aarch32",
        "steal-time",
        "ONE_REG",
        "DEVICE_CTRL",
        "ARM_PSCI_0_2",
        "IMMEDIATE_EXIT",
        "SMCCC_FILTER",
    };

    fixture.kvm.smccc_filter = true;
    for (size_t i = 0; i < COUNT(good); i++)
        ck_assert_msg(examine(good[i])->status == CHECK_OK, "%s", good[i]);
    ck_assert(report_can_run(&fixture.report));
    ck_assert_str_eq(fixture.report.reason, "");
}
END_TEST

START_TEST(capabilities_have_their_form)
{
    const int pages = 1 << 12 | 1 << 21 | 1 << 30;

    fake_kvm_set_capability(&fixture.kvm, KVM_CAP_ARM_VM_IPA_SIZE, 48);
    fake_kvm_set_capability(&fixture.kvm, KVM_CAP_MAX_VCPUS, 512);
    fake_kvm_set_capability(&fixture.kvm, 229, pages);
    assert_found("ARM_VM_IPA_SIZE", CHECK_OK, "48 bits", "");
    assert_found("MAX_VCPUS", CHECK_OK, "512", "");
    assert_found("ARM_SUPPORTED_BLOCK_SIZES", CHECK_OK, "4 KiB, 2 MiB, 1 GiB", "");
    assert_found("IRQFD", CHECK_OK, "yes", "");
    assert_found("IRQFD_RESAMPLE", CHECK_OK, "yes", "");
    assert_found("ARM_EL2", CHECK_MISSING, "no", "kvm-arm.mode=nested");
    assert_found("SMCCC_FILTER", CHECK_MISSING, "no", "6.4");
}
END_TEST

START_TEST(what_is_required_is_fatal)
{
    static const struct {
        long number;
        const char *name;
    } required[] = {
        {KVM_CAP_ONE_REG, "ONE_REG"},
        {KVM_CAP_DEVICE_CTRL, "DEVICE_CTRL"},
        {KVM_CAP_ARM_PSCI_0_2, "ARM_PSCI_0_2"},
        {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
    };

    for (size_t i = 0; i < COUNT(required); i++) {
        fake_kvm_set_capability(&fixture.kvm, required[i].number, 0);
        ck_assert_int_eq(examine(required[i].name)->status, CHECK_FATAL);
        assert_contains(fixture.report.reason, required[i].name);
        fake_kvm_set_capability(&fixture.kvm, required[i].number, 1);
    }
}
END_TEST

START_TEST(missing_features_have_hints)
{
    static const struct {
        long number;
        const char *name, *hint;
    } features[] = {
        {KVM_CAP_ARM_PMU_V3, "pmu", "CONFIG_ARM_PMUV3"},
        {KVM_CAP_ARM_SVE, "sve", "CONFIG_ARM64_SVE"},
        {KVM_CAP_ARM_PTRAUTH_GENERIC, "pauth", "CONFIG_ARM64_PTR_AUTH"},
        {KVM_CAP_ARM_MTE, "mte", "CONFIG_ARM64_MTE"},
        {KVM_CAP_ARM_EL1_32BIT, "aarch32", "64-bit kernels only"},
        {KVM_CAP_STEAL_TIME, "steal-time", "CONFIG_SCHED_INFO"},
    };

    for (size_t i = 0; i < COUNT(features); i++) {
        fake_kvm_set_capability(&fixture.kvm, features[i].number, 0);
        assert_found(features[i].name, CHECK_MISSING, "no", features[i].hint);
    }
    ck_assert(report_can_run(&fixture.report));
}
END_TEST

START_TEST(interrupt_controllers_are_told)
{
    fixture.kvm.device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V3;
    assert_found("GICv2", CHECK_MISSING, "no", "GICv3 can't play a GICv2");
    assert_found("ITS", CHECK_MISSING, "no", "CONFIG_ARM_GIC_V3_ITS");
    ck_assert(report_can_run(&fixture.report));

    fixture.kvm.device_types = 1U << KVM_DEV_TYPE_ARM_VGIC_V2;
    assert_found("GICv3", CHECK_MISSING, "no", "at most 8 vCPUs");
    assert_found("ITS", CHECK_MISSING, "no", "comes with GICv3 alone");
    ck_assert(report_can_run(&fixture.report));

    fixture.kvm.device_types = 0;
    assert_found("GICv3", CHECK_MISSING, "no", "--irqchip user");
    assert_found("GICv2", CHECK_MISSING, "no", "--irqchip user");
    ck_assert(report_can_run(&fixture.report));

    fake_kvm_set_capability(&fixture.kvm, KVM_CAP_ARM_USER_IRQ, 0);
    assert_found("GICv3", CHECK_FATAL, "no", "");
    assert_contains(fixture.report.reason, "neither GICv3 nor GICv2");
}
END_TEST

/* Each call fails in turn: a finding, never a crash, and nothing is left open. */
START_TEST(every_failure_is_a_finding)
{
    doctor_examine(&fixture.host, &fixture.report);
    unsigned calls = fixture.kvm.call_count;

    ck_assert_uint_gt(calls, 3);
    for (unsigned i = 0; i < calls; i++) {
        fake_kvm_fail_nth(&fixture.kvm, i, EIO);
        doctor_examine(&fixture.host, &fixture.report);
        ck_assert(fixture.kvm.failed);
        ck_assert_uint_eq(fixture.kvm.open_count, 0);
        ck_assert_uint_gt(fixture.report.count, 0);
    }
    fake_kvm_fail_request(&fixture.kvm, KVM_CREATE_VM, 0, ENOMEM);
    ck_assert_int_eq(examine("virtual machine")->status, CHECK_FATAL);
    assert_contains(fixture.report.reason, strerror(ENOMEM));
}
END_TEST

static void add_host_tests(TCase *tests)
{
    tcase_add_test(tests, another_architecture_cannot);
    tcase_add_test(tests, old_kernels_are_told);
    tcase_add_test(tests, cpus_are_named_and_counted);
    tcase_add_test(tests, more_models_than_fit_are_cut);
    tcase_add_test(tests, virtual_hosts_are_told);
    tcase_add_test(tests, mode_of_kvm_shows_in_the_timer);
    tcase_add_test(tests, uring_is_told);
    tcase_add_test(tests, networks_are_told);
    tcase_add_test(tests, vhost_is_told);
    tcase_add_test(tests, virtiofsd_is_told);
    tcase_add_test(tests, memory_is_told);
    tcase_add_test(tests, sizes_are_readable);
    tcase_add_test(tests, transparent_huge_pages_are_told);
    tcase_add_test(tests, pools_of_huge_pages_are_told);
    tcase_add_test(tests, limits_are_told);
    tcase_add_test(tests, absence_of_kvm_is_explained);
    tcase_add_test(tests, a_device_without_a_driver_is_explained);
    tcase_add_test(tests, another_device_is_explained);
    tcase_add_test(tests, lack_of_permission_is_explained);
    tcase_add_test(tests, other_failures_are_passed_on);
}

static void add_kvm_tests(TCase *tests)
{
    tcase_add_test(tests, an_able_host_can);
    tcase_add_test(tests, capabilities_have_their_form);
    tcase_add_test(tests, what_is_required_is_fatal);
    tcase_add_test(tests, missing_features_have_hints);
    tcase_add_test(tests, interrupt_controllers_are_told);
    tcase_add_test(tests, every_failure_is_a_finding);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("doctor");
    TCase *tests = tcase_create("doctor");

    tcase_add_checked_fixture(tests, doctor_fixture_set_up, doctor_fixture_tear_down);
    add_host_tests(tests);
    add_kvm_tests(tests);
    doctor_add_output_tests(tests);
    suite_add_tcase(suite, tests);
    return suite;
}
