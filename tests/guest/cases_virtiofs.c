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
};

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
