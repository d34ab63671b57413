// SPDX-License-Identifier: Apache-2.0
/*
 * Shared directories by virtiofsd, with Linux's client. It is put where it is looked for, so these
 * run in an emulated host only.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define SHARE_PATH "/tmp/virtiofs"
#define SERVER     "/bin/virtiofsd"

/* Of all processes, armlet's virtiofsd; the shell itself has the brackets. */
#define FOR_EACH_SERVER                                                                            \
    "for p in /proc/[0-9]*; do grep -q source=[/]tmp/virtiofs $p/cmdline 2>/dev/null && "

enum {
    STATUS_USAGE = 2,
    STATUS_HOST = 3,
    LINE_BYTES = 256,
    SUM_LENGTH = 32,
    KILLED = 1000 + SIGKILL, /* as the harness says it */
    /* The guest fills 90 MiB, keeps some of it for itself, and reports blocks of 2 MiB or more. */
    FILLED_KIB = 90 << 10,
    LEAST_KIB = 70 << 10,
    PATIENCE_S = 60,
};

static long full_kib; /* that guest memory took up while the guest's was full */

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

static int is_emulated_host(void)
{
    return access("/modules", R_OK) == 0 && access(lab_path("virtiofsd"), R_OK) == 0;
}

static int make_share(void)
{
    return shell(
        "rm -rf " SHARE_PATH " && mkdir " SHARE_PATH " && cd " SHARE_PATH " && "
        "echo hello >greeting && dd if=/dev/urandom of=big bs=64k count=512 2>/dev/null && "
        "printf '#!/bin/sh\\nexec %s/lib/ld-linux-aarch64.so.1 --library-path %s/lib "
        "%s/virtiofsd \"$@\"\\n' $LAB_DIR/virtiofsd $LAB_DIR/virtiofsd "
        "$LAB_DIR/virtiofsd >" SERVER " && chmod 755 " SERVER);
}

static int make_share_alone(void)
{
    return make_share() && unlink(SERVER) == 0;
}

static int make_share_with_a_liar(void)
{
    return make_share() &&
           shell("printf '#!/bin/sh\\necho one; echo it is broken >&2; exit 1\\n' >" SERVER);
}

static int server_is_gone(void)
{
    return shell("for i in $(seq 300); do found=; " FOR_EACH_SERVER "found=1; done; "
                 "[ \"$found\" ] || exit 0; sleep 0.1; done; exit 1");
}

/* What the guest left is there, and what it removed is not. */
static int share_has_what_was_written(void)
{
    struct stat status;

    return shell("[ \"$(cat " SHARE_PATH "/written)\" = 'by the guest' ]") &&
           stat(SHARE_PATH, &status) == 0 && status.st_nlink == 2 && server_is_gone();
}

/* Whether the guest has told the sum of this file, `word` saying in which line. */
static bool has_told_sum(const struct running *running, const char *word, const char *name)
{
    char command[LINE_BYTES];
    char line[LINE_BYTES];
    char sum[SUM_LENGTH + 1];

    (void)snprintf(command, sizeof(command), "md5sum <" SHARE_PATH "/%s", name);
    FILE *output = popen(command, "r"); /* NOLINT(cert-env33-c) */
    bool good = output && fscanf(output, "%32s", sum) == 1;

    (void)(output && pclose(output));
    (void)snprintf(line, sizeof(line), "CHECK %s %s", word, sum);
    return good && strstr(running_output(running), line);
}

static int sums_are_the_same(struct running *running)
{
    return has_told_sum(running, "big", "big") && has_told_sum(running, "back", "back") &&
           access(SHARE_PATH "/part", F_OK) != 0;
}

static int is_being_written(struct running *running)
{
    (void)running;
    return shell("for i in $(seq 600); do [ -s " SHARE_PATH
                 "/endless ] && exit 0; sleep 0.1; done; "
                 "exit 1");
}

static int kill_server(struct running *running)
{
    (void)running;
    return shell(FOR_EACH_SERVER "kill -KILL ${p#/proc/} && killed=1; done; [ \"$killed\" ]");
}

/* ---- with a balloon ---- */

/* What guest memory takes up, which is a file of armlet's without a name; -1: it has none. */
static long memory_kib(const struct running *running)
{
    char command[LINE_BYTES];
    long blocks = -1;

    (void)snprintf(command, sizeof(command),
                   "for f in /proc/%d/fd/*; do case $(readlink $f) in /memfd:guest*) "
                   "stat -L -c %%b $f;; esac; done",
                   running_pid(running));
    FILE *output = popen(command, "r"); /* NOLINT(cert-env33-c) */
    bool good = output && fscanf(output, "%ld", &blocks) == 1;

    (void)(output && pclose(output));
    return good ? blocks / 2 : -1;
}

static int is_full(struct running *running)
{
    full_kib = memory_kib(running);
    return full_kib > FILLED_KIB;
}

/* The guest's reports come within seconds. */
static int memory_falls(struct running *running)
{
    time_t deadline = time(NULL) + PATIENCE_S;

    while (memory_kib(running) > full_kib - LEAST_KIB && time(NULL) < deadline)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    long now_kib = memory_kib(running);
    printf("# memory: %ld KiB while full, %ld KiB then\n", full_kib, now_kib);
    return now_kib >= 0 && now_kib <= full_kib - LEAST_KIB;
}

#define LINUX(series, check)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "512M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.via=virtiofs armlet.test=" check, "--share",        \
        SHARE_PATH ",via=virtiofs"

#define FILE_STEPS                                                                                 \
    {                                                                                              \
        EXPECT("CHECK found hello"), EXPECT("CHECK appended one two"),                             \
            EXPECT("CHECK linked 2 moved 2"), EXPECT("CHECK mode 640"),                            \
            EXPECT("CHECK setuid 4755"), EXPECT("CHECK time 1000000000"),                          \
            EXPECT("CHECK truncated 5"), EXPECT("CHECK noise same"),                               \
            EXPECT("CHECK unlinked kept"), EXPECT("CHECK many 300"), EXPECT("CHECK fifo through"), \
            EXPECT("CHECK directory rmdir: 'a': Directory not empty")                              \
    }

const struct guest_case virtiofs_cases[] = {
    {.name = "share by virtiofsd, linux 6.1, 2 vCPUs",
     .arguments = {LINUX("6.1", "share"), "-c", "2"},
     .steps = FILE_STEPS,
     .needs = is_emulated_host,
     .prepare = make_share,
     .after = share_has_what_was_written},
    {.name = "share by virtiofsd, linux 6.12, which is killed",
     .arguments = {LINUX("6.12", "sharefiles")},
     .steps = {EXPECT("CHECK ready"), CALL(sums_are_the_same), CALL(is_being_written),
               CALL(kill_server), EXPECT("share 'share': virtiofsd is gone"),
               EXPECT("Transport endpoint is not connected"),
               EXPECT("CHECK gone cat: can't open '/mnt/new': Transport endpoint is not")},
     .needs = is_emulated_host,
     .prepare = make_share,
     .after = server_is_gone},
    {.name = "share by virtiofsd, armlet killed",
     .arguments = {LINUX("6.12", "sharefiles")},
     .steps = {EXPECT("CHECK ready"), CALL(is_being_written), SIGNAL(SIGKILL)},
     .status = KILLED,
     .needs = is_emulated_host,
     .prepare = make_share,
     .after = server_is_gone},
    {.name = "share by virtiofsd, and a balloon",
     .arguments = {LINUX("6.1", "balloon"), "--balloon", "--stats"},
     .steps = {EXPECT("CHECK filled"), CALL(is_full), SEND("\n"), EXPECT("CHECK emptied"),
               CALL(memory_falls), SEND("\n"), EXPECT("CHECK again"), SEND("\n"),
               EXPECT("CHECK emptied"), SEND("\n"), EXPECT("reported_bytes")},
     .forbidden = "failed_drops",
     .needs = is_emulated_host,
     .prepare = make_share},
    {.name = "share by virtiofsd, which isn't there",
     .arguments = {"run", "--share", SHARE_PATH ",via=virtiofs"},
     .steps = {EXPECT("virtiofsd is not installed: install the package 'virtiofsd'")},
     .status = STATUS_HOST,
     .needs = is_emulated_host,
     .prepare = make_share_alone},
    {.name = "share by virtiofsd, which fails",
     .arguments = {"run", "--share", SHARE_PATH ",via=virtiofs"},
     .steps = {EXPECT("cannot share '" SHARE_PATH "': virtiofsd failed: it is broken")},
     .status = STATUS_HOST,
     .needs = is_emulated_host,
     .prepare = make_share_with_a_liar},
    {.name = "share by virtiofsd, for reading",
     .arguments = {"run", "--share", SHARE_PATH ",ro,via=virtiofs"},
     .steps = {EXPECT("ro goes with via=9p")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
