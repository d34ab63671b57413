// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_cpu_models.h"
#include "doctor_internal.h"
#include "memory_map.h"

#define GROUP "host"

enum {
    LEAST_KERNEL_MAJOR = 5, /* the oldest kernel that armlet is made for */
    LEAST_KERNEL_MINOR = 10,
    MODELS_MAX = 4, /* different CPU models told apart */
};

FILE *host_open(const struct doctor_host *host, const char *path)
{
    char whole[PATH_MAX];
    int length = snprintf(whole, sizeof(whole), "%s%s", host->root, path);

    return length < (int)sizeof(whole) ? fopen(whole, "re") : NULL;
}

bool host_read(const struct doctor_host *host, const char *path, char text[DOCTOR_TEXT_BYTES])
{
    FILE *file = host_open(host, path);
    size_t length = 0;

    text[0] = '\0';
    if (!file)
        return false;
    length = fread(text, 1, DOCTOR_TEXT_BYTES - 1, file);
    bool good = !ferror(file);
    (void)fclose(file);
    while (length > 0 && (isspace((unsigned char)text[length - 1]) || text[length - 1] == '\0'))
        length--;
    text[length] = '\0';
    return good;
}

bool host_read_number(const struct doctor_host *host, const char *path, uint64_t *number)
{
    char text[DOCTOR_TEXT_BYTES];

    return host_read(host, path, text) && sscanf(text, "%" SCNu64, number) == 1;
}

bool host_is_arm64(const struct doctor_host *host)
{
    return strcmp(host->name.machine, "aarch64") == 0;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool host_is_virtual(const struct doctor_host *host, char make[DOCTOR_TEXT_BYTES])
{
    /* Some vendors build both virtual and real machines, which their products tell apart. */
    static const struct {
        const char *vendor, *product;
    } makes[] = {
        {"Amazon EC2", ""},
        {"QEMU", ""},
        {"Google", "Google Compute Engine"},
        {"Microsoft Corporation", "Virtual Machine"},
        {"Alibaba Cloud", ""},
        {"Parallels", ""},
        {"VMware", ""},
        {"Apple Inc.", "Apple Virtualization"},
    };
    char product[DOCTOR_TEXT_BYTES];

    if (host_read(host, "/proc/device-tree/compatible", make) &&
        strcmp(make, "linux,dummy-virt") == 0)
        return true;
    if (!host_read(host, "/sys/class/dmi/id/sys_vendor", make))
        return false;
    (void)host_read(host, "/sys/class/dmi/id/product_name", product);
    /* EC2's machines without a hypervisor have the same vendor. */
    if (strstr(product, ".metal"))
        return false;
    for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++)
        if (starts_with(make, makes[i].vendor) && starts_with(product, makes[i].product)) {
            size_t used = strlen(make);
            (void)snprintf(make + used, DOCTOR_TEXT_BYTES - used, "%s%s", *product ? " " : "",
                           product);
            return true;
        }
    return false;
}

static void check_architecture(const struct doctor_host *host, struct report *report)
{
    struct check *check =
        report_add(report, GROUP, "architecture", CHECK_OK, "%s", host->name.machine);

    if (host_is_arm64(host))
        return;
    report_fail(report, check, "it is %s, not arm64", host->name.machine);
    check_hint(check, "armlet needs a 64-bit Arm machine (aarch64) with KVM; elsewhere, x86-64 "
                      "included, `make run` in armlet's source tree emulates one");
}

static void check_kernel(const struct doctor_host *host, struct report *report)
{
    int major = 0;
    int minor = 0;
    struct check *check = report_add(report, GROUP, "kernel", CHECK_OK, "%s %s", host->name.sysname,
                                     host->name.release);

    if (sscanf(host->name.release, "%d.%d", &major, &minor) == 2 &&
        (major > LEAST_KERNEL_MAJOR ||
         (major == LEAST_KERNEL_MAJOR && minor >= LEAST_KERNEL_MINOR)))
        return;
    check->status = CHECK_WARNING;
    check_hint(check, "armlet is made for Linux %d.%d and later: upgrade", LEAST_KERNEL_MAJOR,
               LEAST_KERNEL_MINOR);
}

/* What a core says of itself in MIDR_EL1, as /proc/cpuinfo spells the fields. */
struct cpu_model {
    unsigned implementer, variant, part, revision;
    unsigned count;
};

struct cpu_models {
    struct cpu_model models[MODELS_MAX];
    size_t count;
};

static void count_model(struct cpu_models *models, const struct cpu_model *model)
{
    for (size_t i = 0; i < models->count; i++)
        if (models->models[i].implementer == model->implementer &&
            models->models[i].part == model->part) {
            models->models[i].count++;
            return;
        }
    if (models->count == MODELS_MAX)
        return;
    models->models[models->count] = *model;
    models->models[models->count++].count = 1;
}

static void read_models(const struct doctor_host *host, struct cpu_models *models)
{
    FILE *file = host_open(host, "/proc/cpuinfo");
    char line[DOCTOR_TEXT_BYTES];
    struct cpu_model model = {0};

    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        (void)sscanf(line, "CPU implementer : %x", &model.implementer);
        (void)sscanf(line, "CPU variant : %x", &model.variant);
        (void)sscanf(line, "CPU part : %x", &model.part);
        /* The last of the four. */
        if (sscanf(line, "CPU revision : %u", &model.revision) == 1)
            count_model(models, &model);
    }
    (void)fclose(file);
}

static void check_cpu_model(const struct doctor_host *host, struct report *report)
{
    struct cpu_models models = {0};
    char text[CHECK_VALUE_BYTES] = "";

    read_models(host, &models);
    for (size_t i = 0; i < models.count; i++) {
        const struct cpu_model *model = &models.models[i];
        const char *name = cpu_model_name(model->implementer, model->part);
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof(text) - used, "%s%u x %s", i ? ", " : "", model->count,
                       name ? name : "");
        used = strlen(text);
        if (!name)
            (void)snprintf(text + used, sizeof(text) - used, "implementer 0x%02x part 0x%03x",
                           model->implementer, model->part);
        used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, " r%up%u", model->variant,
                       model->revision);
    }
    struct check *check =
        report_add(report, GROUP, "CPU model", CHECK_INFO, "%s", models.count ? text : "unknown");
    if (models.count > 1) {
        check->status = CHECK_WARNING;
        check_hint(check, "the cores differ, and a guest sees what is under it: keep its vCPUs on "
                          "cores of one model with --pin");
    }
}

static void check_cpus(const struct doctor_host *host, struct report *report)
{
    char text[DOCTOR_TEXT_BYTES];

    if (!host_read(host, "/sys/devices/system/cpu/online", text))
        (void)snprintf(text, sizeof(text), "unknown");
    (void)report_add(report, GROUP, "CPUs online", CHECK_INFO, "%.100s", text);
}

static void check_machine(const struct doctor_host *host, struct report *report)
{
    char make[DOCTOR_TEXT_BYTES];

    if (host_is_virtual(host, make)) {
        struct check *check =
            report_add(report, GROUP, "machine", CHECK_INFO, "virtual (%.100s)", make);
        check_hint(check, "guests here are nested: they work, but each of their exits costs many "
                          "times what it does on a machine of its own");
        return;
    }
    (void)report_add(report, GROUP, "machine", CHECK_INFO, "not known to be virtual");
}

/* The INTID of the timer that the kernel took for itself, 0 if there is none to be seen. */
static unsigned host_timer_intid(const struct doctor_host *host)
{
    FILE *file = host_open(host, "/proc/interrupts");
    char line[DOCTOR_TEXT_BYTES];
    unsigned intid = 0;

    while (file && intid == 0 && fgets(line, sizeof(line), file)) {
        const char *trigger = strstr(line, " Level ");
        const char *name = strstr(line, "arch_timer");

        if (!trigger || !name || name < trigger)
            continue;
        while (trigger > line && isdigit((unsigned char)trigger[-1]))
            trigger--;
        intid = (unsigned)strtoul(trigger, NULL, 10);
    }
    if (file)
        (void)fclose(file);
    return intid;
}

/*
 * KVM has no interface that tells its mode. But a kernel in EL2 takes one of EL2's timers for
 * itself, a kernel in EL1 that began in EL2 the physical timer, and one that never was in EL2 the
 * virtual timer. The INTIDs are those of the Base System Architecture (DEN0094).
 */
static void check_kvm_mode(const struct doctor_host *host, struct report *report)
{
    enum {
        HYP_TIMER_INTID = GIC_PPI_BASE + PPI_HYP_TIMER,
        VIRTUAL_TIMER_INTID = GIC_PPI_BASE + PPI_VIRTUAL_TIMER,
        HYP_VIRTUAL_TIMER_INTID = 28,
        PHYSICAL_TIMER_INTID = GIC_PPI_BASE + PPI_PHYSICAL_TIMER,
    };
    char command_line[DOCTOR_TEXT_BYTES];
    struct check *check = report_add(report, GROUP, "KVM mode", CHECK_INFO, "unknown");
    const char *mode = NULL;

    (void)host_read(host, "/proc/cmdline", command_line);
    switch (host_timer_intid(host)) {
    case HYP_TIMER_INTID:
    case HYP_VIRTUAL_TIMER_INTID:
        mode = strstr(command_line, "kvm-arm.mode=nested") ? "VHE, nested" : "VHE";
        break;
    case PHYSICAL_TIMER_INTID:
        mode = strstr(command_line, "kvm-arm.mode=protected") ? "protected" : "nVHE";
        check_hint(check, "the kernel runs in EL1, so that each exit switches more state than "
                          "with VHE (Armv8.1, and neither kvm-arm.mode=nvhe nor =protected)");
        break;
    case VIRTUAL_TIMER_INTID:
        mode = "none";
        check->status = CHECK_WARNING;
        check_hint(check,
                   "the kernel was not started in EL2, so it has no KVM: the firmware, or the "
                   "hypervisor that this machine runs under, has to leave EL2 to it");
        break;
    default:
        return;
    }
    (void)snprintf(check->value, sizeof(check->value), "%s", mode);
}

static void check_uring(const struct doctor_host *host, struct report *report)
{
    struct check *check =
        report_add(report, GROUP, "io_uring", host->uring_errno ? CHECK_MISSING : CHECK_OK, "%s",
                   host->uring_errno ? strerror(host->uring_errno) : "yes");

    check->purpose = "what disks do for a guest";
    if (host->uring_errno == EPERM || host->uring_errno == EACCES)
        check_hint(check, "it is forbidden here, by a container's seccomp filter or the sysctl "
                          "kernel.io_uring_disabled; disks are served by threads, more slowly");
    else if (host->uring_errno)
        check_hint(check, "the kernel has none that can be used (CONFIG_IO_URING); disks are "
                          "served by threads, more slowly");
}

void doctor_check_host(const struct doctor_host *host, struct report *report)
{
    char page[SIZE_TEXT_BYTES];

    check_architecture(host, report);
    check_kernel(host, report);
    check_machine(host, report);
    check_cpu_model(host, report);
    check_cpus(host, report);
    (void)report_add(report, GROUP, "page size", CHECK_INFO, "%s",
                     size_text(page, host->page_bytes));
    check_uring(host, report);
    if (host_is_arm64(host))
        check_kvm_mode(host, report);
}
