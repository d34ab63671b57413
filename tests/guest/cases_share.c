// SPDX-License-Identifier: Apache-2.0
/* Shared directories, with Linux's client; what the host has afterwards counts. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define SHARE_PATH "/tmp/share"
#define FILES_PATH "/tmp/share-files"

enum {
    STATUS_USAGE = 2,
    STATUS_FILE = 4,
    LINE_BYTES = 512,
    LEAST_LINES = 700, /* of what share_peer says */
};

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT(cert-env33-c): the command is the test's own */
}

static int make_share(void)
{
    (void)mkdir(SHARE_PATH, 0755);
    (void)unlink(SHARE_PATH "/written");
    FILE *file = fopen(SHARE_PATH "/greeting", "w");

    return file && fputs("hello\n", file) >= 0 && fclose(file) == 0;
}

/* What the guest left is there, and what it removed is not. */
static int share_has_what_was_written(void)
{
    struct stat status;
    char text[32] = "";
    FILE *file = fopen(SHARE_PATH "/written", "r");

    if (!file)
        return 0;
    (void)!fgets(text, sizeof(text), file);
    (void)fclose(file);
    return strcmp(text, "by the guest\n") == 0 && stat(SHARE_PATH, &status) == 0 &&
           status.st_nlink == 2;
}

/* The same calls on the host's own directory; what they print is kept in a file beside it. */
static int do_files_here(void)
{
    return shell("rm -rf " FILES_PATH " && mkdir " FILES_PATH " && cd " FILES_PATH " && "
                 "$LAB_DIR/bin/share_peer host >expected");
}

/* At the end of the file: an empty one. */
static void next_line(FILE *file, char line[static LINE_BYTES])
{
    if (!fgets(line, LINE_BYTES, file))
        line[0] = '\0';
}

/* Line by line, and each that differs is told; then what the host finds that was left. */
static int files_are_as_here(void)
{
    FILE *here = fopen(FILES_PATH "/expected", "r");
    FILE *there = fopen(FILES_PATH "/said", "r");
    char expected[LINE_BYTES];
    char found[LINE_BYTES];
    unsigned different = 0;
    unsigned lines = 0;

    while (here && there) {
        next_line(here, expected);
        next_line(there, found);
        if (expected[0] == '\0' && found[0] == '\0')
            break;
        lines++;
        if (strcmp(expected, found) != 0) {
            different++;
            printf("line %u, host:  %s            guest: %s", lines, expected, found);
        }
    }
    if (here)
        (void)fclose(here);
    if (there)
        (void)fclose(there);
    return lines >= LEAST_LINES && different == 0 &&
           shell("cd " FILES_PATH " && for tree in host guest; do (cd $tree && "
                 "find . -exec stat -c '%n %f %h' {} + | sort) >$tree.left; done; "
                 "diff host.left guest.left");
}

#define LINUX(check)                                                                               \
    "-k", "@kernel-9p/vmlinuz", "-i", "@guest.cpio", "-m", "512M", "-a",                           \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check

#define RUN_IN(directory, ...)                                                                     \
    "-k", "@kernel-9p/vmlinuz", "--modules", "@kernel-9p/modules", "-m", "512M", "--workdir",      \
        directory, "--run", "--", __VA_ARGS__

#define RUN(...) RUN_IN(SHARE_PATH, __VA_ARGS__)

const struct guest_case share_cases[] = {
    {.name = "run a command",
     .arguments = {RUN("busybox", "sh", "-c",
                       "pwd; cat greeting; echo by the guest >written; exit 37")},
     .steps = {EXPECT("/tmp/share\nhello\n")},
     .forbidden = "reboot:",
     .status = 37,
     .prepare = make_share,
     .after = share_has_what_was_written},
    {.name = "run a command that isn't there",
     .arguments = {RUN("no-such-program")},
     .steps = {EXPECT("cannot run 'no-such-program' in the guest: error 2")},
     .status = 127,
     .prepare = make_share},
    {.name = "run a command that a signal ends",
     .arguments = {RUN("busybox", "sh", "-c", "kill -9 $$")},
     .status = 128 + 9,
     .prepare = make_share},
    {.name = "run a command, with a kernel without 9P",
     .arguments = {"-k", "@kernel-9p/vmlinuz", "--modules", "/tmp", "--run", "--", "x"},
     .steps = {EXPECT("the kernel has no module 'virtio_mmio' in '/tmp'")},
     .status = 125},
    {.name = "share, what programs do to files",
     .arguments = {"--stats", RUN_IN(FILES_PATH, "busybox", "sh", "-c", "\"$0\" guest >said",
                                     "@bin/share_peer")},
     .steps = {EXPECT("written_bytes")},
     .prepare = do_files_here,
     .after = files_are_as_here},
    {.name = "share, linux 6.1",
     .arguments = {LINUX("share"), "--share", SHARE_PATH},
     .steps = {EXPECT("CHECK found hello"), EXPECT("CHECK appended one two"),
               EXPECT("CHECK linked 2 moved 2"), EXPECT("CHECK mode 640"),
               EXPECT("CHECK setuid 755"), EXPECT("CHECK time 1000000000"),
               EXPECT("CHECK truncated 5"), EXPECT("CHECK noise same"),
               EXPECT("CHECK unlinked kept"), EXPECT("CHECK many 300"),
               EXPECT("CHECK fifo through"),
               EXPECT("CHECK device mknod: disk: Operation not permitted"),
               EXPECT("CHECK directory rmdir: 'a': Directory not empty")},
     .prepare = make_share,
     .after = share_has_what_was_written},
    {.name = "share of the host's root, for reading",
     .arguments = {LINUX("shareroot"), "-c", "2", "--share", "/:root,ro"},
     .steps = {EXPECT("CHECK kernel 2"), EXPECT("Read-only file system")}},
    {.name = "share, no directory",
     .arguments = {"run", "--share", "/nothing/there"},
     .steps = {EXPECT("cannot share '/nothing/there': cannot open it as a directory: No such")},
     .status = STATUS_FILE},
    {.name = "share, two with one tag",
     .arguments = {"run", "--share", "/tmp", "--share", "/etc,ro"},
     .steps = {EXPECT("there is a share with the tag 'share' already: write it as DIR:TAG")},
     .status = STATUS_USAGE},
    {.name = NULL},
};
