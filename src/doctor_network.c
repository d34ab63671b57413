// SPDX-License-Identifier: Apache-2.0
/* What --net and --vsock need of the host. */
#include "doctor_internal.h"

#define GROUP "host"

static bool is_there(const struct doctor_host *host, const char *path)
{
    FILE *file = host_open(host, path);

    if (file)
        (void)fclose(file);
    return file;
}

static void check_passt(const struct doctor_host *host, struct report *report)
{
    static const char *const paths[] = {"/usr/bin/passt", "/bin/passt", "/usr/local/bin/passt"};
    const char *found = NULL;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !found; i++)
        if (is_there(host, paths[i]))
            found = paths[i];
    struct check *check = report_add(report, GROUP, "passt", found ? CHECK_OK : CHECK_MISSING, "%s",
                                     found ? found : "not installed");

    check->purpose = "networks by --net user";
    if (!found)
        check_hint(check, "install the package 'passt'; --net tap=NAME goes without");
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
}
