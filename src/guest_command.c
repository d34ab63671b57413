// SPDX-License-Identifier: Apache-2.0
#include "guest_command.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpio.h"
#include "exit_status.h"
#include "guest_init.h"
#include "kernel_modules.h"
#include "options_internal.h"

#define ROOT_TAG   "armlet-root"
#define WORK_TAG   "armlet-work"
#define STATUS_TAG "armlet-status"
/* A panic ends the machine, as --no-reboot is in effect. */
#define PARAMETERS "console=ttyAMA0 quiet loglevel=3 panic=-1 rdinit=/init"

enum {
    PATH_BYTES = GUEST_COMMAND_PATH_BYTES,
    STATUS_BYTES = 512,
    CONSOLE_MAJOR = 5,
    CONSOLE_MINOR = 1,
    REMOVE_FILES = 16, /* that nftw(3) has open */
};

/* ---- the kernel ---- */

/* Without --kernel it is the host's own. */
static bool choose_kernel(struct options *options, struct error *error)
{
    struct utsname name;
    char *path = NULL;

    if (options->kernel_path)
        return true;
    (void)uname(&name);
    if (asprintf(&path, "/boot/vmlinuz-%s", name.release) < 0)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep a path");
    if (!options_own(options, path, error))
        return false;
    options->kernel_path = path;
    return access(path, R_OK) == 0 ||
           error_set(error, ERROR_FILE, errno,
                     "--run: cannot use the host's kernel '%s': give one with --kernel", path);
}

/* Where the kernel's modules are; "" if it seems to have none. */
static bool choose_modules(const struct options *options, char path[static PATH_BYTES],
                           struct error *error)
{
    const char *const places[] = {options->rootfs_path, "/"};
    char release[KERNEL_RELEASE_BYTES];

    if (options->modules_path) {
        (void)snprintf(path, PATH_BYTES, "%s", options->modules_path);
        return true;
    }
    if (!kernel_release_find(options->kernel_path, release, error))
        return error_add_context(error, "--run: cannot use kernel '%s'", options->kernel_path);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        (void)snprintf(path, PATH_BYTES, "%s/lib/modules/%s", places[i], release);
        if (access(path, R_OK) == 0)
            return true;
    }
    path[0] = '\0';
    return true;
}

static bool find_modules(const struct options *options, struct kernel_modules *modules,
                         struct error *error)
{
    static const char *const needed[] = {"virtio_mmio", "9pnet_virtio", "9p"};
    char path[PATH_BYTES] = "";

    if (!choose_modules(options, path, error))
        return false;
    for (size_t i = 0; path[0] && i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!kernel_modules_add(modules, path, needed[i], error))
            return error_add_context(error, "--run: cannot use kernel '%s'", options->kernel_path);
    return true;
}

/* ---- shares ---- */

static bool add_share(struct options *options, const char *path, const char *tag, bool read_only,
                      struct error *error)
{
    const struct property properties[] = {
        {"path", path}, {"tag", tag}, {"ro", read_only ? "on" : "off"}};
    struct property *items = calloc(1, sizeof(properties));
    char *own_path = strdup(path);

    if (!items || !own_path) {
        free(items);
        free(own_path);
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    }
    memcpy(items, properties, sizeof(properties));
    items[0].value = own_path;
    if (!options_own(options, own_path, error)) {
        free(items);
        return false;
    }
    if (!options_own(options, (char *)items, error))
        return false;
    struct option_request_list *devices = &options->devices;
    struct option_request *more =
        realloc(devices->items, (devices->count + 1) * sizeof(*devices->items));
    if (!more)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    devices->items = more;
    devices->items[devices->count++] = (struct option_request){
        .name = "virtio-9p",
        .properties = {items, sizeof(properties) / sizeof(properties[0])},
        .option = "run",
    };
    return true;
}

static bool make_status_directory(struct guest_command *command, struct error *error)
{
    const char *place = getenv("TMPDIR");

    (void)snprintf(command->directory, sizeof(command->directory), "%s/armlet-run-XXXXXX",
                   place && *place ? place : "/tmp");
    if (mkdtemp(command->directory))
        return true;
    (void)error_set(error, ERROR_HOST, errno, "--run: cannot make a directory '%s'",
                    command->directory);
    command->directory[0] = '\0';
    return false;
}

/* ---- the initramfs ---- */

/* One string of what guests/linux/init.c reads. */
static void put_string(FILE *file, char kind, const char *text)
{
    (void)fprintf(file, "%c%s", kind, text);
    (void)fputc('\0', file);
}

static void write_config(FILE *file, const struct options *options,
                         const struct kernel_modules *modules, const char *directory)
{
    const char *terminal = getenv("TERM");
    char *variable = NULL;

    for (size_t i = 0; i < modules->count; i++) {
        (void)fprintf(file, "m/modules/%s.ko", modules->items[i].name);
        (void)fputc('\0', file);
    }
    put_string(file, 's', STATUS_TAG);
    put_string(file, 'r', ROOT_TAG);
    put_string(file, 'w', WORK_TAG);
    put_string(file, 'd', directory);
    put_string(file, 'v', "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put_string(file, 'v', "HOME=/root");
    if (asprintf(&variable, "TERM=%s", terminal ? terminal : "vt220") >= 0)
        put_string(file, 'v', variable);
    free(variable);
    if (!isatty(STDOUT_FILENO))
        put_string(file, 'p', "");
    for (size_t i = 0; i < options->command_count; i++)
        put_string(file, 'a', options->command_line[i]);
}

static void fill(struct cpio *cpio, const struct kernel_modules *modules, const char *config,
                 size_t config_bytes)
{
    static const char *const directories[] = {"dev", "proc", "sys", "modules", "newroot", "status"};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        cpio_add(cpio, directories[i], S_IFDIR | 0755, NULL, 0);
    cpio_add_device(cpio, "dev/console", S_IFCHR | 0600, CONSOLE_MAJOR, CONSOLE_MINOR);
    cpio_add(cpio, "init", S_IFREG | 0755, guest_init, guest_init_bytes);
    cpio_add(cpio, "config", S_IFREG | 0644, config, config_bytes);
    for (size_t i = 0; i < modules->count; i++) {
        (void)snprintf(path, sizeof(path), "modules/%s.ko", modules->items[i].name);
        cpio_add(cpio, path, S_IFREG | 0644, modules->items[i].data, modules->items[i].size_bytes);
    }
}

static bool make_initrd(struct guest_command *command, struct options *options,
                        const char *directory, struct error *error)
{
    struct kernel_modules modules = {0};
    char *config = NULL;
    size_t config_bytes = 0;
    char *path = NULL;
    bool good = find_modules(options, &modules, error);
    FILE *file = good ? open_memstream(&config, &config_bytes) : NULL;

    command->initrd_fd = good ? memfd_create("armlet-initrd", MFD_CLOEXEC) : -1;
    if (good && (!file || command->initrd_fd < 0))
        good = error_set(error, ERROR_HOST, errno, "cannot make the initramfs");
    if (good)
        write_config(file, options, &modules, directory);
    if (file)
        (void)fclose(file);
    if (good) {
        struct cpio cpio = {.fd = command->initrd_fd};

        fill(&cpio, &modules, config, config_bytes);
        good = cpio_finish(&cpio, error);
    }
    free(config);
    kernel_modules_finish(&modules);
    if (!good)
        return false;
    if (asprintf(&path, "/proc/self/fd/%d", command->initrd_fd) < 0)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep a path");
    options->initrd_path = path;
    return options_own(options, path, error);
}

/* ---- all of it ---- */

static bool set_parameters(struct options *options, struct error *error)
{
    char *joined = NULL;

    if (asprintf(&joined, PARAMETERS "%s%s", options->append[0] ? " " : "", options->append) < 0)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the kernel's parameters");
    free(options->append_memory);
    options->append_memory = joined;
    options->append = joined;
    return true;
}

bool guest_command_prepare(struct guest_command *command, struct options *options,
                           struct error *error)
{
    char directory[PATH_BYTES];

    *command = (struct guest_command){.initrd_fd = -1};
    if (!realpath(options->workdir_path ? options->workdir_path : ".", directory))
        return error_set(error, ERROR_FILE, errno, "--workdir %s",
                         options->workdir_path ? options->workdir_path : ".");
    if (!options->rootfs_path)
        options->rootfs_path = "/";
    options->no_reboot = true;
    return choose_kernel(options, error) && make_status_directory(command, error) &&
           make_initrd(command, options, directory, error) && set_parameters(options, error) &&
           add_share(options, options->rootfs_path, ROOT_TAG, true, error) &&
           add_share(options, directory, WORK_TAG, false, error) &&
           add_share(options, command->directory, STATUS_TAG, false, error);
}

/* What the guest wrote may be anything. */
static bool read_status(const char *directory, char text[static STATUS_BYTES])
{
    int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(place, "status", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, STATUS_BYTES - 1);

    if (fd >= 0)
        (void)close(fd);
    if (place >= 0)
        (void)close(place);
    if (got <= 0)
        return false;
    text[got] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
            *at = '?';
    return true;
}

bool guest_command_status(const struct guest_command *command, int *status, struct error *error)
{
    char text[STATUS_BYTES];
    char *end = NULL;

    if (!read_status(command->directory, text))
        return error_set(error, ERROR_GUEST, 0,
                         "--run: the guest ended without a word about the command");
    if (strncmp(text, "exit ", 5) == 0) {
        long number = strtol(text + 5, &end, 10);

        *status = (int)number;
        if (end != text + 5 && *end == '\0' && number >= 0 && number <= UINT8_MAX)
            return true;
    }
    if (strncmp(text, "signal ", 7) == 0) {
        long number = strtol(text + 7, &end, 10);

        *status = EXIT_STATUS_SIGNAL_BASE + (int)number;
        if (end != text + 7 && *end == '\0' && number > 0 && number < EXIT_STATUS_SIGNAL_BASE)
            return true;
    }
    return error_set(error, ERROR_GUEST, 0, "--run: in the guest: %s",
                     strncmp(text, "failed ", 7) == 0 ? text + 7 : text);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void guest_command_finish(struct guest_command *command)
{
    if (command->directory[0])
        (void)nftw(command->directory, remove_entry, REMOVE_FILES, FTW_DEPTH | FTW_PHYS);
    command->directory[0] = '\0';
    if (command->initrd_fd >= 0)
        (void)close(command->initrd_fd);
    command->initrd_fd = -1;
}
