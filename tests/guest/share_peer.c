// SPDX-License-Identifier: Apache-2.0
/*
 * What programs do to files, a program for Linux:
 *
 *     share_peer DIR      does it in a new directory DIR, and prints what came of each call
 *
 * Run on a share in a guest, and on a directory of the host's, it has to print the same. So nothing
 * is printed that may differ: numbers of inodes and devices, owners, times that weren't set. Not
 * done is what a share refuses by design (device nodes, set-user-ID bits) and what 9P has no
 * message for (fallocate, flags of renameat2, where a file's holes are).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES = 500,
    LONGEST_NAME = 255,
    TEXT_BYTES = 64,
    TARGET_BYTES = 8192,
    SPARSE_END = 1 << 30,
};

/* ---- telling ---- */

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
}

/* A call names itself. */
#define SAY(call) say(#call, (call))

static void show_text(int fd)
{
    char text[TEXT_BYTES];
    ssize_t count = pread(fd, text, sizeof(text), 0);

    if (count < 0) {
        printf(" unreadable: %s", strerror(errno));
        return;
    }
    printf(" '");
    for (ssize_t i = 0; i < count; i++)
        printf(text[i] >= ' ' && text[i] <= '~' ? "%c" : "\\%d", text[i]);
    printf("'");
}

static void show_status(const struct stat *status)
{
    printf(" %06o links %lu", status->st_mode, (unsigned long)status->st_nlink);
    if (!S_ISDIR(status->st_mode)) /* a directory's is the file system's business */
        printf(" size %lld blocks %lld", (long long)status->st_size, (long long)status->st_blocks);
}

/* What is there, by its name. */
static void show(const char *path)
{
    struct stat status;
    char target[TEXT_BYTES] = "";

    printf("%s:", path);
    if (lstat(path, &status) != 0) {
        printf(" %s\n", strerror(errno));
        return;
    }
    show_status(&status);
    if (S_ISLNK(status.st_mode) && readlink(path, target, sizeof(target) - 1) >= 0)
        printf(" -> %s", target);
    if (S_ISREG(status.st_mode)) {
        int fd = open(path, O_RDONLY);

        show_text(fd);
        (void)close(fd);
    }
    printf("\n");
}

static void show_open(const char *what, int fd)
{
    struct stat status;

    printf("%s:", what);
    if (fstat(fd, &status) != 0)
        printf(" %s", strerror(errno));
    else
        show_status(&status);
    show_text(fd);
    printf("\n");
}

static long opens(const char *path, int flags)
{
    int fd = open(path, flags, 0644);

    return fd < 0 ? fd : close(fd);
}

static long put(const char *path, int flags, const char *text)
{
    int fd = open(path, O_WRONLY | flags, 0644);

    if (fd < 0)
        return fd;
    ssize_t done = write(fd, text, strlen(text));
    int code = errno;

    (void)close(fd);
    errno = code;
    return done;
}

/* ---- files ---- */

static void contents(void)
{
    SAY(put("file", 0, "lost"));
    SAY(put("file", O_CREAT | O_EXCL, "hello, world"));
    SAY(put("file", O_CREAT | O_EXCL, "lost"));
    SAY(put("file", O_CREAT, "HE"));
    SAY(put("file", O_APPEND, "!"));
    show("file");
    SAY(truncate("file", 5));
    show("file");
    SAY(truncate("file", 20));
    show("file");
    SAY(truncate("file", 10000));
    SAY(truncate("file", -1));
    show("file");
    SAY(put("file", O_TRUNC, "short"));
    SAY(opens("file", O_RDWR | O_DIRECTORY));
    SAY(opens("file", O_RDONLY | O_TRUNC));
    show("file");
    SAY(opens("file/", O_RDONLY));
    SAY(access("file", R_OK | W_OK));
    SAY(unlink("file"));
    SAY(unlink("file"));
}

static void descriptors(void)
{
    char text[TEXT_BYTES];
    int one = open("file", O_CREAT | O_RDWR | O_APPEND, 0600);
    int two = open("file", O_WRONLY | O_APPEND);
    int reader = open("file", O_RDONLY);

    SAY(write(one, "one", 3));
    SAY(write(two, "two", 3));
    SAY(write(one, "three", 5));
    SAY(pwrite(one, "four", 4, 0)); /* Linux appends these, too */
    show_open("appended", reader);
    SAY(write(reader, "x", 1));
    SAY(read(two, text, 1));
    SAY(ftruncate(reader, 0));
    SAY(ftruncate(two, 4));
    SAY(lseek(reader, 0, SEEK_END));
    SAY(read(reader, text, sizeof(text)));
    SAY(lseek(reader, -1, SEEK_CUR));
    SAY(lseek(reader, -5, SEEK_CUR));
    SAY(read(reader, text, sizeof(text)));
    SAY(pread(reader, text, sizeof(text), 1000));
    SAY(pwrite(two, "x", 1, -1));
    SAY(fsync(one));
    SAY(fdatasync(two));
    (void)close(one);
    (void)close(two);
    (void)close(reader);
    SAY(unlink("file"));
}

/* Written by who made it, and by nobody else. */
static void frozen(void)
{
    int fd = open("frozen", O_CREAT | O_EXCL | O_RDWR, 0444);

    SAY(write(fd, "frozen", 6));
    SAY(ftruncate(fd, 3));
    show_open("frozen", fd);
    (void)close(fd);
    show("frozen");
    SAY(unlink("frozen"));
}

/* Its name is gone, or another's. */
static void nameless(void)
{
    int fd = open("open", O_CREAT | O_RDWR, 0600);
    int replaced = open("replaced", O_CREAT | O_RDWR, 0600);

    SAY(write(fd, "before", 6));
    SAY(unlink("open"));
    SAY(put("open", O_CREAT | O_EXCL, "another"));
    SAY(write(fd, " after", 6));
    show_open("unlinked", fd);
    SAY(fchmod(fd, 0640));
    SAY(ftruncate(fd, 3));
    show_open("unlinked", fd);
    SAY(write(replaced, "old", 3));
    SAY(rename("open", "replaced"));
    show_open("replaced", replaced);
    show("replaced");
    (void)close(fd);
    (void)close(replaced);
    SAY(unlink("replaced"));
}

static void sparse(void)
{
    char text[TEXT_BYTES] = "x";
    int fd = open("sparse", O_CREAT | O_RDWR, 0644);

    SAY(pwrite(fd, "end", 3, SPARSE_END));
    SAY(pread(fd, text, sizeof(text), SPARSE_END / 2));
    say("what is in the hole", text[0]);
    SAY(pread(fd, text, sizeof(text), SPARSE_END));
    show("sparse");
    SAY(ftruncate(fd, (off_t)SPARSE_END * 64));
    show("sparse");
    SAY(ftruncate(fd, 0));
    show("sparse");
    (void)close(fd);
    SAY(unlink("sparse"));
}

static void modes(void)
{
    static const mode_t all[] = {0, 0400, 0644, 0751, 0777, 01666};

    SAY(put("file", O_CREAT, "x"));
    SAY(mkdir("dir", 0777));
    SAY(symlink("file", "link"));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        SAY(chmod("file", all[i]));
        SAY(chmod("dir", all[i]));
        show("file");
        show("dir");
    }
    SAY(chmod("link", 0604));
    show("file");
    show("link");
    (void)umask(077);
    SAY(put("private", O_CREAT, ""));
    SAY(mkdir("secret", 01777));
    SAY(mkfifo("fifo", 0666));
    (void)umask(022);
    show("private");
    show("secret");
    show("fifo");
    SAY(mknod("node", S_IFREG | 0640, 0));
    SAY(mknod("node", S_IFREG | 0640, 0));
    show("node");
    SAY(chmod("nothing", 0644));
}

static void show_times(const char *path)
{
    struct stat status;
    int code = lstat(path, &status);

    say("times of", code);
    if (code == 0)
        printf("%s: %lld.%09ld %lld.%09ld\n", path, (long long)status.st_atim.tv_sec,
               status.st_atim.tv_nsec, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* Linux's client sets whole seconds, and none before 1970, whatever the server could do. */
static void times(void)
{
    const struct timespec both[] = {{1000000000, 0}, {2000000000, 0}};
    const struct timespec last[] = {{0, UTIME_OMIT}, {5000000000, 0}};
    const struct timespec early[] = {{0, 0}, {1, 0}};
    const struct timespec bad[] = {{0, 1000000000}, {0, 0}};
    const struct timespec now[] = {{1, 1}, {0, UTIME_NOW}};
    struct stat status;

    SAY(put("file", O_CREAT, "x"));
    SAY(symlink("file", "link"));
    SAY(mkdir("dir", 0755));
    SAY(utimensat(AT_FDCWD, "file", both, 0));
    show_times("file");
    SAY(utimensat(AT_FDCWD, "link", last, 0));
    show_times("file");
    SAY(utimensat(AT_FDCWD, "link", both, AT_SYMLINK_NOFOLLOW));
    SAY(lstat("link", &status));
    say("modified", status.st_mtim.tv_sec); /* looking for its target counts as an access */
    SAY(utimensat(AT_FDCWD, "dir", early, 0));
    show_times("dir");
    SAY(utimensat(AT_FDCWD, "file", bad, 0));
    SAY(utimensat(AT_FDCWD, "nothing", both, 0));
    SAY(utimensat(AT_FDCWD, "file", now, 0));
    SAY(stat("file", &status));
    say("is now", llabs(status.st_mtim.tv_sec - time(NULL)) < 1000);
    SAY(utimensat(AT_FDCWD, "file", both, 0));
    SAY(put("file", 0, "y"));
    SAY(stat("file", &status));
    say("writing changes it", status.st_mtim.tv_sec != both[1].tv_sec);
}

/* ---- names ---- */

static void links(void)
{
    char target[TARGET_BYTES];

    SAY(put("file", O_CREAT, "text"));
    SAY(mkdir("dir", 0755));
    SAY(link("file", "hard"));
    SAY(put("hard", O_APPEND, " more"));
    show("file");
    SAY(link("file", "hard"));
    SAY(link("nothing", "other"));
    SAY(link("dir", "other"));
    SAY(link("file", "dir"));
    SAY(link("file", "dir/inside"));
    SAY(unlink("file"));
    show("hard");
    SAY(symlink("hard", "soft"));
    SAY(symlink("other", "soft"));
    SAY(symlink("", "empty"));
    SAY(symlink("/nowhere/at/all", "absolute"));
    show("soft");
    show("absolute");
    SAY(link("soft", "soft too"));
    show("soft too");
    SAY(readlink("soft", target, 2));
    SAY(readlink("hard", target, sizeof(target)));
    SAY(readlink("nothing", target, sizeof(target)));
    SAY(put("soft", O_TRUNC, "through"));
    show("hard");
    SAY(opens("soft", O_RDONLY | O_NOFOLLOW));
    SAY(symlink("made", "dangling"));
    SAY(opens("dangling", O_RDONLY));
    SAY(put("dangling", O_CREAT | O_EXCL, "lost"));
    SAY(put("dangling", O_CREAT, "there"));
    show("made");
    SAY(symlink("there", "here"));
    SAY(symlink("here", "there"));
    SAY(opens("here", O_RDONLY));
    SAY(truncate("here", 0));
    SAY(symlink("dir", "to dir"));
    show("to dir/inside");
    SAY(rmdir("to dir"));
    SAY(unlink("to dir"));
}

static void renames(void)
{
    SAY(put("one", O_CREAT, "one"));
    SAY(put("two", O_CREAT, "two"));
    SAY(mkdir("dir", 0755));
    SAY(mkdir("dir/child", 0755));
    SAY(mkdir("empty", 0700));
    SAY(symlink("one", "soft"));
    SAY(rename("one", "two"));
    show("one");
    show("two");
    SAY(rename("nothing", "two"));
    SAY(rename("two", "dir"));
    SAY(rename("dir", "two"));
    SAY(rename("empty", "dir"));
    SAY(rename("dir", "dir/child"));
    SAY(rename("dir", "dir/child/new"));
    SAY(rename("dir/child", "dir"));
    SAY(rename("dir", "empty"));
    show("dir");
    show("empty/child");
    SAY(rename("empty", "empty"));
    SAY(link("two", "same"));
    SAY(rename("two", "same"));
    show("two");
    SAY(rename("two", "empty/child/moved"));
    SAY(rename("two", "nothing/moved"));
    SAY(rename("same", "empty/child/moved/not"));
    SAY(rename("soft", "softer"));
    show("softer");
    SAY(rename("empty/.", "other"));
    SAY(rename("empty/child", "child"));
    show("empty");
    SAY(rename("empty/child", "child"));
    SAY(chdir("child"));
    SAY(rename("../child", "../renamed"));
    SAY(put("within", O_CREAT, "still here"));
    SAY(chdir(".."));
    show("renamed/within");
}

static void directories(void)
{
    SAY(mkdir("dir", 0711));
    show("dir");
    SAY(mkdir("dir", 0711));
    SAY(mkdir("dir/a", 0755));
    SAY(mkdir("dir/b/c", 0755));
    SAY(put("dir/file", O_CREAT, "x"));
    show("dir");
    SAY(mkdir("dir/file/x", 0755));
    SAY(mkdir("dir/file", 0755));
    SAY(rmdir("dir"));
    SAY(rmdir("dir/file"));
    SAY(rmdir("dir/a/."));
    SAY(rmdir("dir/a/.."));
    SAY(rmdir("nothing"));
    SAY(unlink("dir/a"));
    SAY(unlink("dir/file/x"));
    SAY(opens("dir", O_WRONLY));
    SAY(opens("dir", O_RDONLY | O_CREAT));
    SAY(truncate("dir", 0));
    SAY(chdir("dir/file"));
    SAY(chdir("dir/a"));
    SAY(rmdir("../a"));
    SAY(opens("new", O_WRONLY | O_CREAT));
    SAY(mkdir("new", 0755));
    SAY(chdir("../.."));
    show("dir");
    SAY(unlink("dir/file"));
    SAY(rmdir("dir"));
}

static int compare_names(const struct dirent **one, const struct dirent **two)
{
    return strcmp((*one)->d_name, (*two)->d_name);
}

/* In order, with their types. */
static void list(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, compare_names);

    say("entries", count);
    for (int i = 0; i < count; i++) {
        printf("  %d %s\n", entries[i]->d_type, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* Removes what it finds while it goes on reading, as rm -r does. */
static long empty_while_reading(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    long count = 0;

    if (!directory)
        return -1;
    while ((entry = readdir(directory)))
        count += unlinkat(dirfd(directory), entry->d_name, 0) == 0;
    (void)closedir(directory);
    return count;
}

static void many_names(void)
{
    char name[TEXT_BYTES];

    SAY(mkdir("many", 0755));
    SAY(chdir("many"));
    for (int i = 0; i < NAMES; i++) {
        long result;

        (void)snprintf(name, sizeof(name), "%0*d", 1 + i % 40, i);
        if (i % 100 == 1)
            result = mkfifo(name, 0600);
        else if (i % 100 == 2)
            result = symlink("x", name);
        else
            result = mknod(name, S_IFREG | 0600, 0);
        if (result != 0)
            say(name, result);
    }
    SAY(chdir(".."));
    list("many");
    SAY(empty_while_reading("many"));
    list("many");
    SAY(rmdir("many"));
}

static void long_names(void)
{
    char name[LONGEST_NAME + 2];
    static char target[TARGET_BYTES];
    struct statvfs status;

    memset(name, 'n', sizeof(name));
    name[LONGEST_NAME] = '\0';
    SAY(put(name, O_CREAT, "long"));
    show(name);
    SAY(unlink(name));
    SAY(mkdir(name, 0755));
    SAY(rmdir(name));
    name[LONGEST_NAME] = 'n';
    name[LONGEST_NAME + 1] = '\0';
    SAY(put(name, O_CREAT, "longer"));
    SAY(mkdir(name, 0755));
    SAY(symlink("x", name));
    SAY(opens(name, O_RDONLY));
    memset(target, 't', sizeof(target) - 1);
    SAY(symlink(target, "too long"));
    target[4095] = '\0';
    SAY(symlink(target, "long"));
    SAY(readlink("long", target, sizeof(target)));
    SAY(unlink("long"));
    SAY(put("\xc3\xa4 \\ \x01\n*", O_CREAT, "odd"));
    SAY(unlink("\xc3\xa4 \\ \x01\n*"));
    SAY(opens("", O_RDONLY));
    SAY(statvfs(".", &status));
    say("longest name", (long)status.f_namemax);
}

/* ---- all of them ---- */

static bool in_new_directory(const char *path, void (*operations)(void))
{
    printf("---- %s\n", path);
    if (mkdir(path, 0755) != 0 || chdir(path) != 0)
        return false;
    operations();
    list(".");
    return chdir("..") == 0;
}

int main(int count, char **arguments)
{
    (void)umask(022);
    if (count != 2 || mkdir(arguments[1], 0755) != 0 || chdir(arguments[1]) != 0) {
        perror("share_peer DIR");
        return EXIT_FAILURE;
    }
    bool done =
        in_new_directory("contents", contents) && in_new_directory("descriptors", descriptors) &&
        in_new_directory("frozen", frozen) && in_new_directory("nameless", nameless) &&
        in_new_directory("sparse", sparse) && in_new_directory("modes", modes) &&
        in_new_directory("times", times) && in_new_directory("links", links) &&
        in_new_directory("renames", renames) && in_new_directory("directories", directories) &&
        in_new_directory("many names", many_names) && in_new_directory("long names", long_names);

    say("all of them", done);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
