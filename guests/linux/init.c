// SPDX-License-Identifier: Apache-2.0
/*
 * The first process of a guest that `armlet --run` boots: a Linux program that needs no library.
 * /config says what to do, in strings that each end with a zero and begin with a letter:
 *
 *   m FILE   a kernel module to load, in order        r TAG    the share that is the root
 *   s TAG    the share that the status goes to        w TAG    the share to work in
 *   d PATH   where that is in the root                v N=V    a variable of the environment
 *   a TEXT   the command and its arguments
 *   p        the console's output goes to a pipe or a file: it is passed on as it is
 *
 * The status is one line in the file `status`: "exit N", "signal N" or "failed TEXT".
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/reboot.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONFIG_BYTES = 1 << 18,
    MOST_ARGUMENTS = 4096,
    PATH_BYTES = 4096,
    LINE_BYTES = 512,
    SIGCHLD_NUMBER = 17,
    TCGETS_REQUEST = 0x5401,
    TCSETS_REQUEST = 0x5402,
    TIOCSCTTY_REQUEST = 0x540e,
    OUTPUT_PROCESSING = 1, /* OPOST */
    ECHO_INPUT = 8,
    NO_ENTRY = 2,       /* ENOENT */
    THERE_ALREADY = 17, /* EEXIST */
    NOT_FOUND_STATUS = 127,
    NOT_RUN_STATUS = 126,
};

void init_main(void);

static char config[CONFIG_BYTES];
static const char *arguments[MOST_ARGUMENTS + 1];
static const char *environment[MOST_ARGUMENTS + 1];
static int status_directory = -1;

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#define CALL(number, a, b, c, d, e)                                                                \
    call6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* ---- text ---- */

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

/* Appends; what doesn't fit is left out. */
static void append(char *line, size_t room, const char *text)
{
    size_t at = length_of(line);

    while (*text && at + 1 < room)
        line[at++] = *text++;
    line[at] = '\0';
}

static void append_number(char *line, size_t room, long number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    append(line, room, digits + at);
}

/* ---- the end ---- */

static _Noreturn void power_off(void)
{
    long fd = CALL(__NR_openat, AT_FDCWD, "/proc/sys/kernel/printk", O_WRONLY, 0, 0);

    /* The kernel's last word would be taken for the command's. */
    CALL(__NR_write, fd, "0", 1, 0, 0);
    CALL(__NR_sync, 0, 0, 0, 0, 0);
    for (;;)
        CALL(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0,
             0);
}

static _Noreturn void finish(const char *kind, const char *text, long number)
{
    char line[LINE_BYTES] = "";

    append(line, sizeof(line), kind);
    append(line, sizeof(line), text);
    append_number(line, sizeof(line), number);
    append(line, sizeof(line), "\n");
    long fd = CALL(__NR_openat, status_directory, "status", O_WRONLY | O_CREAT | O_TRUNC, 0600, 0);
    if (fd >= 0) {
        CALL(__NR_write, fd, line, length_of(line), 0, 0);
        CALL(__NR_fsync, fd, 0, 0, 0, 0);
        CALL(__NR_close, fd, 0, 0, 0, 0);
    } else {
        CALL(__NR_write, 2, line, length_of(line), 0, 0);
    }
    power_off();
}

static void check(long result, const char *what, const char *with)
{
    char text[LINE_BYTES] = "";

    if (result >= 0)
        return;
    append(text, sizeof(text), what);
    append(text, sizeof(text), " '");
    append(text, sizeof(text), with);
    append(text, sizeof(text), "': error ");
    finish("failed ", text, -result);
}

/* ---- the root ---- */

static const char *find(char kind)
{
    for (const char *at = config; *at; at += length_of(at) + 1)
        if (*at == kind)
            return at + 1;
    return "";
}

static size_t collect(char kind, const char **list)
{
    size_t count = 0;

    for (const char *at = config; *at; at += length_of(at) + 1)
        if (*at == kind && count < MOST_ARGUMENTS)
            list[count++] = at + 1;
    return count;
}

static void read_config(void)
{
    long fd = CALL(__NR_openat, AT_FDCWD, "/config", O_RDONLY, 0, 0);
    long got = 0;
    size_t length = 0;

    check(fd, "cannot open", "/config");
    while (length < sizeof(config) - 2 &&
           (got = CALL(__NR_read, fd, config + length, sizeof(config) - 2 - length, 0, 0)) > 0)
        length += (size_t)got;
    CALL(__NR_close, fd, 0, 0, 0, 0);
}

static void load_modules(void)
{
    for (const char *at = config; *at; at += length_of(at) + 1) {
        if (*at != 'm')
            continue;
        long fd = CALL(__NR_openat, AT_FDCWD, at + 1, O_RDONLY, 0, 0);
        long result = fd < 0 ? fd : CALL(__NR_finit_module, fd, "", 0, 0, 0);

        check(result == -THERE_ALREADY ? 0 : result, "cannot load module", at + 1);
        CALL(__NR_close, fd, 0, 0, 0, 0);
    }
}

/* As mkdir -p does; that it can't is told by whoever mounts there. */
static void make_directories(const char *path)
{
    char part[PATH_BYTES];
    size_t at = 0;

    for (; path[at] && at + 1 < sizeof(part); at++) {
        part[at] = '\0';
        if (path[at] == '/' && at > 0)
            CALL(__NR_mkdirat, AT_FDCWD, part, 0755, 0, 0);
        part[at] = path[at];
    }
    part[at] = '\0';
    CALL(__NR_mkdirat, AT_FDCWD, part, 0755, 0, 0);
}

static void mount_share(const char *tag, const char *where, unsigned long flags, const char *cache)
{
    char options[LINE_BYTES] = "trans=virtio,version=9p2000.L,msize=262144,cache=";

    append(options, sizeof(options), cache);
    make_directories(where);
    check(CALL(__NR_mount, tag, where, "9p", flags, options), "cannot mount the share", tag);
}

/* Where the root has no such directory there is none. */
static void mount_system(const char *type, const char *where, const char *options)
{
    make_directories(where);
    (void)CALL(__NR_mount, type, where, type, 0, options);
}

static void make_root(void)
{
    static char work[PATH_BYTES] = "/newroot";

    mount_share(find('s'), "/status", 0, "none");
    status_directory =
        (int)CALL(__NR_openat, AT_FDCWD, "/status", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
    mount_share(find('r'), "/newroot", MS_RDONLY, "mmap");
    mount_system("proc", "/newroot/proc", "");
    mount_system("sysfs", "/newroot/sys", "");
    mount_system("devtmpfs", "/newroot/dev", "");
    mount_system("devpts", "/newroot/dev/pts", "");
    mount_system("tmpfs", "/newroot/dev/shm", "mode=1777");
    mount_system("tmpfs", "/newroot/run", "mode=755");
    mount_system("tmpfs", "/newroot/tmp", "mode=1777");
    append(work, sizeof(work), find('d'));
    mount_share(find('w'), work, 0, "mmap");
    check(CALL(__NR_chdir, "/newroot", 0, 0, 0, 0), "cannot enter", "/newroot");
    check(CALL(__NR_mount, ".", "/", 0, MS_MOVE, 0), "cannot move", "/newroot");
    check(CALL(__NR_chroot, ".", 0, 0, 0, 0), "cannot change to", "/newroot");
    check(CALL(__NR_chdir, find('d'), 0, 0, 0, 0), "cannot enter", find('d'));
}

/* ---- the command ---- */

/* asm-generic/termbits.h, struct termios */
struct terminal {
    uint32_t input, output, control, local;
    uint8_t line, characters[19];
};

static void make_plain(void)
{
    struct terminal terminal;

    if (CALL(__NR_ioctl, 1, TCGETS_REQUEST, &terminal, 0, 0) != 0)
        return;
    terminal.output &= ~(uint32_t)OUTPUT_PROCESSING;
    terminal.local &= ~(uint32_t)ECHO_INPUT;
    (void)CALL(__NR_ioctl, 1, TCSETS_REQUEST, &terminal, 0, 0);
}

static bool has(char kind)
{
    for (const char *at = config; *at; at += length_of(at) + 1)
        if (*at == kind)
            return true;
    return false;
}

static long execute(const char *path)
{
    return CALL(__NR_execve, path, arguments, environment, 0, 0);
}

/* Where a shell would look; a name with a slash is a path. */
static long search(const char *name)
{
    static const char *const places[] = {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/",
                                         "/usr/bin/",        "/sbin/",          "/bin/"};
    long result = -NO_ENTRY;

    for (const char *at = name; *at; at++)
        if (*at == '/')
            return execute(name);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char path[PATH_BYTES] = "";

        append(path, sizeof(path), places[i]);
        append(path, sizeof(path), name);
        long next = execute(path);
        if (next != -NO_ENTRY)
            result = next;
    }
    return result;
}

static _Noreturn void run_command(void)
{
    char line[LINE_BYTES] = "armlet: cannot run '";

    CALL(__NR_setsid, 0, 0, 0, 0, 0);
    CALL(__NR_ioctl, 0, TIOCSCTTY_REQUEST, 1, 0, 0);
    long result = search(arguments[0]);
    append(line, sizeof(line), arguments[0]);
    append(line, sizeof(line), "' in the guest: error ");
    append_number(line, sizeof(line), -result);
    append(line, sizeof(line), "\n");
    CALL(__NR_write, 2, line, length_of(line), 0, 0);
    for (;;)
        CALL(__NR_exit_group, result == -NO_ENTRY ? NOT_FOUND_STATUS : NOT_RUN_STATUS, 0, 0, 0, 0);
}

void init_main(void)
{
    uint32_t status = 0;

    read_config();
    load_modules();
    make_root();
    if (collect('a', arguments) == 0)
        finish("failed ", "there is no command: ", 0);
    collect('v', environment);
    if (has('p'))
        make_plain();
    long child = CALL(__NR_clone, SIGCHLD_NUMBER, 0, 0, 0, 0);
    check(child, "cannot fork for", arguments[0]);
    if (child == 0)
        run_command();
    while (CALL(__NR_wait4, -1, &status, 0, 0, 0) != child)
        ;
    if (status & 0x7f)
        finish("signal ", "", status & 0x7f);
    finish("exit ", "", status >> 8 & 0xff);
}

__asm__(".globl _start\n_start: mov x29, xzr\n b init_main\n");

/* What the compiler makes of loops. */
void *memset(void *to, int value, size_t size);
void *memset(void *to, int value, size_t size)
{
    volatile uint8_t *bytes = to;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size)
{
    volatile uint8_t *bytes = to;
    const uint8_t *source = from;

    for (size_t i = 0; i < size; i++)
        bytes[i] = source[i];
    return to;
}
