// SPDX-License-Identifier: Apache-2.0
/* What --net, --vsock and --share need of the host. */
#include "doctor_internal.h"

#define GROUP "host"

static bool is_there(const struct doctor_host *host, const char *path)
{
    FILE *file = host_open(host, path);

    if (file)
        (void)fclose(file);
    return file;
}

/* A program that is at one of these paths. */
static struct check *check_program(const struct doctor_host *host, struct report *report,
                                   const char *name, const char *const *paths)
{
    const char *found = NULL;

    for (; *paths && !found; paths++)
        if (is_there(host, *paths))
            found = *paths;
    return report_add(report, GROUP, name, found ? CHECK_OK : CHECK_MISSING, "%s",
                      found ? found : "not installed");
}

static void check_passt(const struct doctor_host *host, struct report *report)
{
    static const char *const paths[] = {"/usr/bin/passt", "/bin/passt", "/usr/local/bin/passt",
                                        NULL};
    struct check *check = check_program(host, report, "passt", paths);

    check->purpose = "networks by --net user";
    if (check->status != CHECK_OK)
        check_hint(check, "install the package 'passt'; --net tap=NAME goes without");
}

static void check_virtiofsd(const struct doctor_host *host, struct report *report)
{
    static const char *const paths[] = {"/usr/libexec/virtiofsd",
                                        "/usr/lib/qemu/virtiofsd",
                                        "/usr/lib/virtiofsd",
                                        "/usr/bin/virtiofsd",
                                        "/usr/local/bin/virtiofsd",
                                        "/bin/virtiofsd",
                                        NULL};
    struct check *check = check_program(host, report, "virtiofsd", paths);

    check->purpose = "directories by --share DIR,via=virtiofs";
    if (check->status != CHECK_OK)
        check_hint(check, "install the package 'virtiofsd' (of Debian 12: 'qemu-system-common'); "
                          "--share DIR goes without, by 9P");
}

static void check_tun(const struct doctor_host *host, struct report *report)
{
    bool found = is_there(host, "/dev/net/tun");
    struct check *check =
        report_add(report, GROUP, "/dev/net/tun", found ? CHECK_OK : CHECK_MISSING, "%s",
                   found ? "yes" : "cannot be opened");

    check->purpose = "networks by --net tap=NAME";
    if (!found)
        check_hint(check, "load the module 'tun' (modprobe tun); in a container the device has to "
                          "be handed in; --net user goes without");
}

/* Devices whose queues the kernel serves. */
static void check_vhost(const struct doctor_host *host, struct report *report)
{
    static const struct {
        const char *path, *purpose, *hint;
    } devices[] = {
        {"/dev/vhost-net", "networks by --net tap=NAME, moved by the kernel",
         "load the module 'vhost_net' (modprobe vhost_net), and let this user read and write the "
         "device (its group is often 'kvm'); armlet moves frames itself without"},
        {"/dev/vhost-vsock", "sockets by --vsock CID",
         "load the module 'vhost_vsock' (modprobe vhost_vsock), and let this user read and write "
         "the device (its group is often 'kvm'); --vsock CID,uds=PATH goes without"},
    };

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        bool found = is_there(host, devices[i].path);
        struct check *check =
            report_add(report, GROUP, devices[i].path, found ? CHECK_OK : CHECK_MISSING, "%s",
                       found ? "yes" : "cannot be opened");

        check->purpose = devices[i].purpose;
        if (!found)
            check_hint(check, "%s", devices[i].hint);
    }
}

void doctor_check_network(const struct doctor_host *host, struct report *report)
{
    check_passt(host, report);
    check_tun(host, report);
    check_vhost(host, report);
    check_virtiofsd(host, report);
}
