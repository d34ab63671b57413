// SPDX-License-Identifier: Apache-2.0
/* Shared directories, with Linux's client; what the host has afterwards counts. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define SHARE_PATH "/tmp/share"

enum { STATUS_USAGE = 2, STATUS_FILE = 4 };

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

#define LINUX(check)                                                                               \
    "-k", "@kernel-9p/vmlinuz", "-i", "@guest.cpio", "-m", "512M", "-a",                           \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check

#define RUN(...)                                                                                   \
    "-k", "@kernel-9p/vmlinuz", "--modules", "@kernel-9p/modules", "-m", "512M", "--workdir",      \
        SHARE_PATH, "--run", "--", __VA_ARGS__

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
