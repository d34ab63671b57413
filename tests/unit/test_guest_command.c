// SPDX-License-Identifier: Apache-2.0
/* What --run makes of its options, of a kernel's modules, and of what the guest tells. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "guest_command.h"
#include "guest_init.h"
#include "kernel_modules.h"

Suite *unit_suite(void);

const uint8_t guest_init[] = {'i', 'n', 'i', 't'};
const uint32_t guest_init_bytes = sizeof(guest_init);

static char top[64];
static struct options options;
static struct guest_command command;
static struct kernel_modules modules;
static struct error error;

static const char *in(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t size_bytes)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
    (void)close(fd);
}

#define PUT(name, text) put(name, text, sizeof(text) - 1)

static void put_packed(const char *name, const char *bytes, size_t size_bytes)
{
    gzFile file = gzopen(in(name), "wb");

    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size_bytes), (int)size_bytes);
    (void)gzclose(file);
}

static void setup(void)
{
    static const char fs[] = "ELF\0license=GPL\0depends=9pnet,netfs\0fs";

    options = (struct options){0};
    command = (struct guest_command){.initrd_fd = -1};
    modules = (struct kernel_modules){0};
    (void)snprintf(top, sizeof(top), "/tmp/armlet-run-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(mkdir(in("k"), 0700), 0);
    PUT("modules.order", "k/9p.ko\nk/9pnet.ko\nk/9pnet_virtio.ko\nk/virtio_mmio.ko\nk/gone.ko\n");
    PUT("modules.builtin", "k/netfs.ko\n");
    put_packed("k/9p.ko.gz", fs, sizeof(fs));
    PUT("k/9pnet.ko", "ELF\0depends=\0net");
    PUT("k/9pnet_virtio.ko", "ELF\0depends=9pnet\0transport");
    PUT("k/virtio_mmio.ko", "ELF\0mmio");
    PUT("kernel", "Linux version %s\0 ... Linux version 6.1.0-9-arm64 (somebody)");
}

static void teardown(void)
{
    char line[128];

    guest_command_finish(&command);
    kernel_modules_finish(&modules);
    options_finish(&options);
    (void)snprintf(line, sizeof(line), "rm -rf %s", top);
    ck_assert_int_eq(system(line), 0);
}

/* ---- modules ---- */

START_TEST(modules_come_behind_what_they_need)
{
    ck_assert(kernel_modules_add(&modules, top, "9pnet-virtio", &error));
    ck_assert(kernel_modules_add(&modules, top, "9p", &error));
    ck_assert(kernel_modules_add(&modules, top, "netfs", &error));
    ck_assert_uint_eq(modules.count, 3);
    ck_assert_str_eq(modules.items[0].name, "9pnet");
    ck_assert_str_eq(modules.items[2].name, "9p");
    ck_assert_str_eq((const char *)modules.items[2].data, "ELF");
}
END_TEST

START_TEST(a_module_there_is_not_is_told)
{
    ck_assert(!kernel_modules_add(&modules, top, "virtiofs", &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "the kernel has no module 'virtiofs'"));
    ck_assert(!kernel_modules_add(&modules, top, "gone", &error));
    ck_assert_ptr_nonnull(strstr(error.message, "k/gone.ko': cannot open"));
}
END_TEST

START_TEST(a_kernel_says_its_release)
{
    static char large[200000];
    char release[KERNEL_RELEASE_BYTES];

    ck_assert(kernel_release_find(in("kernel"), release, &error));
    ck_assert_str_eq(release, "6.1.0-9-arm64");
    /* Packed, and across two of the pieces it is read in. */
    memset(large, 'x', sizeof(large));
    memcpy(large + 65530, "Linux version 6.12.1 x", 22);
    put_packed("packed", large, sizeof(large));
    ck_assert(kernel_release_find(in("packed"), release, &error));
    ck_assert_str_eq(release, "6.12.1");
    PUT("other", "no kernel at all");
    ck_assert(!kernel_release_find(in("other"), release, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "doesn't say which Linux"));
    ck_assert(!kernel_release_find(in("nothing"), release, &error));
}
END_TEST

/* ---- options ---- */

static bool parse(char *const arguments[], int count)
{
    return options_parse(count, arguments, &options, &error);
}

START_TEST(a_launch_is_made_of_the_options)
{
    static char initrd[65536];
    char *const arguments[] = {"armlet",    "--run", "-k",       (char *)in("kernel"),
                               "--modules", top,     "--rootfs", "/usr",
                               "--workdir", top,     "-a",       "extra",
                               "--",        "make",  "-k"};

    ck_assert_msg(parse(arguments, 15), "%s", error.message);
    ck_assert_msg(guest_command_prepare(&command, &options, &error), "%s", error.message);
    ck_assert(options.no_reboot);
    ck_assert_ptr_nonnull(strstr(options.append, "rdinit=/init extra"));
    ck_assert_uint_eq(options.devices.count, 3);
    ck_assert_str_eq(options.devices.items[0].properties.items[0].value, "/usr");
    ck_assert_str_eq(options.devices.items[0].properties.items[2].value, "on");
    ck_assert_str_eq(options.devices.items[1].properties.items[0].value, top);
    ssize_t size_bytes = pread(command.initrd_fd, initrd, sizeof(initrd), 0);
    ck_assert_int_gt(size_bytes, 0);
    ck_assert_int_eq(size_bytes % 4, 0);
    ck_assert_int_eq(memcmp(initrd, "070701", 6), 0);
    static const char *const parts[] = {"modules/9p.ko", "amake", "a-k", "TRAILER!!!", "ELF"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        ck_assert_msg(memmem(initrd, (size_t)size_bytes, parts[i], strlen(parts[i])), "%s",
                      parts[i]);
    ck_assert_int_eq(access(command.directory, W_OK), 0);
}
END_TEST

static void refuse(char *const arguments[], int count, const char *message)
{
    ck_assert(!parse(arguments, count));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, message));
}

START_TEST(what_is_wrong_is_told)
{
    refuse((char *const[]){"armlet", "--run"}, 2, "--run needs a command");
    refuse((char *const[]){"armlet", "--run", "--"}, 3, "--run needs a command");
    refuse((char *const[]){"armlet", "--run", "-i", "x", "--", "y"}, 6, "an initrd of its own");
    refuse((char *const[]){"armlet", "--rootfs", "/x"}, 3, "--rootfs is for --run");
    refuse((char *const[]){"armlet", "--workdir", "/x"}, 3, "--workdir is for --run");
    refuse((char *const[]){"armlet", "--modules", "/x"}, 3, "--modules is for --run");

    char *const nowhere[] = {"armlet", "--run", "--workdir", "/nothing/there", "--", "x"};
    ck_assert(parse(nowhere, 6));
    ck_assert(!guest_command_prepare(&command, &options, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "--workdir /nothing/there"));
}
END_TEST

/* ---- statuses ---- */

static int status_of(const char *text)
{
    int status = -1;

    (void)snprintf(command.directory, sizeof(command.directory), "%s/k", top);
    put("k/status", text, strlen(text));
    return guest_command_status(&command, &status, &error) ? status : -1;
}

START_TEST(a_status_is_what_the_guest_says)
{
    ck_assert_int_eq(status_of("exit 0\n"), 0);
    ck_assert_int_eq(status_of("exit 255\n"), 255);
    ck_assert_int_eq(status_of("signal 9\n"), 137);
    static const char *const wrong[] = {"exit 256", "exit -1",  "exit",       "exit x",
                                        "exit 1x",  "signal 0", "signal 128", "\x1b[2J"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_int_eq(status_of(wrong[i]), -1);
    ck_assert_int_eq(error.code, ERROR_GUEST);
    ck_assert_str_eq(error.message, "--run: in the guest: ?[2J");
    ck_assert_int_eq(status_of("failed no root\n"), -1);
    ck_assert_str_eq(error.message, "--run: in the guest: no root");
    ck_assert_int_eq(status_of(""), -1);
    ck_assert_str_eq(error.message, "--run: the guest ended without a word about the command");
    /* A link to a file of the host's is none of the guest's words. */
    ck_assert_int_eq(unlink(in("k/status")), 0);
    PUT("secret", "exit 3");
    ck_assert_int_eq(symlink(in("secret"), in("k/status")), 0);
    int status = -1;
    ck_assert(!guest_command_status(&command, &status, &error));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("guest_command");
    TCase *tests = tcase_create("run");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, modules_come_behind_what_they_need);
    tcase_add_test(tests, a_module_there_is_not_is_told);
    tcase_add_test(tests, a_kernel_says_its_release);
    tcase_add_test(tests, a_launch_is_made_of_the_options);
    tcase_add_test(tests, what_is_wrong_is_told);
    tcase_add_test(tests, a_status_is_what_the_guest_says);
    suite_add_tcase(suite, tests);
    return suite;
}
