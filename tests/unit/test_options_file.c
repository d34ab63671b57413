// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"
#include "options_internal.h"
#include "parse_options.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define GIB             (UINT64_C(1) << 30)

enum { PATH_BYTES = 256 };

struct files {
    char directory[PATH_BYTES];
};

static void files_create(struct files *files)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(files->directory, sizeof(files->directory), "%s/armlet-options-XXXXXX",
                   base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(files->directory));
}

/* `path` becomes the path of the file `name`. */
static void files_path(const struct files *files, const char *name, char path[PATH_BYTES * 2])
{
    (void)snprintf(path, (size_t)PATH_BYTES * 2, "%s/%s", files->directory, name);
}

static void files_write(const struct files *files, const char *name, const char *bytes,
                        size_t count)
{
    char path[PATH_BYTES * 2];

    files_path(files, name, path);
    FILE *stream = fopen(path, "we");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, count, stream), count);
    ck_assert_int_eq(fclose(stream), 0);
}

static void files_write_text(const struct files *files, const char *name, const char *text)
{
    files_write(files, name, text, strlen(text));
}

static void files_remove(const struct files *files, const char *name)
{
    char path[PATH_BYTES * 2];

    files_path(files, name, path);
    (void)remove(path);
}

static void files_destroy(const struct files *files)
{
    static const char *const names[] = {"vm", "inner", "sub/inner", "sub"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        files_remove(files, names[i]);
    ck_assert_int_eq(rmdir(files->directory), 0);
}

START_TEST(a_file_holds_options)
{
    static const char text[] = "# a launch\n"
                               "\n"
                               "kernel Image   # the kernel\n"
                               "--initrd=/boot/initrd.img\r\n"
                               "  append = console=ttyAMA0 root=\"a#b\" \n"
                               "append\t\"say \\\"hi\\\" \\\\ # not\\ta comment\"  # but this\n"
                               "append \"\"\n"
                               "memory 1.5G\n"
                               "--prefault\n"
                               "quiet # hush\n"
                               "dtbo one.dtbo\n"
                               "dtbo \"two words.dtbo\"\n"
                               "console file:log\n"
                               "memory-backing file:/dev/shm/ram\n"
                               "cpus=2";
    struct files files;
    struct options options;
    char path[PATH_BYTES * 2];
    char expected[PATH_BYTES * 2];
    char at[PATH_BYTES * 2 + 1];

    files_create(&files);
    files_write_text(&files, "vm", text);
    files_path(&files, "vm", path);
    ASSERT_PARSES(&options, "run", "-c", "7", "--config", path, "-m", "1G");

    files_path(&files, "Image", expected);
    ck_assert_str_eq(options.kernel_path, expected);
    ck_assert_str_eq(options.initrd_path, "/boot/initrd.img");
    ck_assert_str_eq(options.append, "console=ttyAMA0 root=\"a#b\" say \"hi\" \\ # not\ta comment");
    ck_assert_uint_eq(options.memory_bytes, GIB);
    ck_assert_uint_eq(options.vcpu_count, 2);
    ck_assert(options.prefault && options.quiet);
    ck_assert_uint_eq(options.overlay_count, 2);
    files_path(&files, "one.dtbo", expected);
    ck_assert_str_eq(options.overlay_paths[0], expected);
    files_path(&files, "two words.dtbo", expected);
    ck_assert_str_eq(options.overlay_paths[1], expected);
    files_path(&files, "log", expected);
    ck_assert_str_eq(options.console.path, expected);
    ck_assert_str_eq(options.memory_path, "/dev/shm/ram");
    options_finish(&options);

    (void)snprintf(at, sizeof(at), "@%s", path);
    ASSERT_PARSES(&options, at, "--cpus=3");
    ck_assert_int_eq(options.command, COMMAND_RUN);
    ck_assert_uint_eq(options.vcpu_count, 3);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "Other", at);
    ck_assert_str_eq(options.kernel_path, "Other");
    options_finish(&options);
    files_destroy(&files);
}
END_TEST

START_TEST(a_file_in_the_current_directory)
{
    struct files files;
    struct options options;

    files_create(&files);
    files_write_text(&files, "vm", "kernel Image\n");
    ck_assert_int_eq(chdir(files.directory), 0);
    ASSERT_PARSES(&options, "run", "@vm");
    ck_assert_str_eq(options.kernel_path, "Image");
    options_finish(&options);
    files_destroy(&files);
}
END_TEST

START_TEST(a_byte_order_mark_is_no_option)
{
    static const char *const texts[] = {"\xef\xbb\xbf", "\xef\xbb\xbf\n", "\xef\xbb\xbf# a"};
    struct files files;
    struct options options;
    struct error error;
    char path[PATH_BYTES * 2];

    files_create(&files);
    files_path(&files, "vm", path);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        files_write_text(&files, "vm", texts[i]);
        ASSERT_PARSES(&options, "run", "--config", path);
        options_finish(&options);
    }
    files_write_text(&files, "vm", "\xef\xbb\xbfmemory 1G\r\ncpus 2\r\n");
    ASSERT_PARSES(&options, "run", "--config", path);
    ck_assert_uint_eq(options.memory_bytes, GIB);
    ck_assert_uint_eq(options.vcpu_count, 2);
    options_finish(&options);

    /* Nowhere else, and no part of one. */
    files_write_text(&files, "vm", "cpus 2\n\xef\xbb\xbfmemory 1G\n");
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_ptr_nonnull(strstr(error.message, "vm:2: unknown option"));
    files_write_text(&files, "vm", "\xef\xbb");
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_ptr_nonnull(strstr(error.message, "vm:1: unknown option"));
    files_destroy(&files);
}
END_TEST

START_TEST(files_nest)
{
    struct files files;
    struct options options;
    struct error error;
    char path[PATH_BYTES * 2];
    char expected[PATH_BYTES * 3];

    files_create(&files);
    files_path(&files, "sub", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    files_write_text(&files, "vm", "cpus 2\n@ sub/inner # first\nconfig inner\ninitrd i\n");
    files_write_text(&files, "sub/inner", "kernel Image\ncpus 3\n");
    files_write_text(&files, "inner", "memory 1G\n");
    files_path(&files, "vm", path);
    ASSERT_PARSES(&options, "run", "--config", path);
    files_path(&files, "sub/Image", expected);
    ck_assert_str_eq(options.kernel_path, expected);
    files_path(&files, "i", expected);
    ck_assert_str_eq(options.initrd_path, expected);
    ck_assert_uint_eq(options.vcpu_count, 3);
    ck_assert_uint_eq(options.memory_bytes, GIB);
    options_finish(&options);

    files_write_text(&files, "sub/inner", "kernel Image\ncpus 0\n");
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    (void)snprintf(expected, sizeof(expected), "%s/sub/inner:2: --cpus 0: must be 1 to 512",
                   files.directory);
    ck_assert_str_eq(error.message, expected);

    files_write_text(&files, "vm", "@vm");
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "nest deeper than 8: does one read itself?"));
    files_destroy(&files);
}
END_TEST

struct file_refusal {
    const char *text;
    const char *message; /* behind the file's path */
};

static const struct file_refusal file_refusals[] = {
    {"\n\nmemroy 1G\n", ":3: unknown option 'memroy': did you mean 'memory'?"},
    {"--memroy 1G\n", ":1: unknown option '--memroy': did you mean '--memory'?"},
    {"-k Image\n", ":1: options files have long names: write 'kernel' for '-k'"},
    {"-z\n", ":1: unknown option '-z': see 'armlet run --help'"},
    {"= 3\n", ":1: unknown option '': see 'armlet run --help'"},
    {"cpus\n", ":1: --cpus needs a value: a number from 1 to 512"},
    {"append # nothing\n", ":1: --append needs a value: kernel parameters"},
    {"kernel = # nothing\n", ":1: --kernel needs a value: the kernel's file"},
    {"kernel \"\"\n", ":1: --kernel needs a value: the kernel's file"},
    {"cpus 1\ncpus 0", ":2: --cpus 0: must be 1 to 512"},
    {"console file:\n", ":1: --console 'file:': the path after the colon is missing"},
    {"memory-backing = file: # where?\n",
     ":1: --memory-backing 'file:': the path after the colon is missing"},
    {"prefault yes\n", ":1: --prefault takes no value"},
    {"prefault=\n", ":1: --prefault takes no value"},
    {"append \"a\n", ":1: the closing quote is missing"},
    {"append \"a\\", ":1: unknown escape: quoted values have \\\", \\\\, \\n and \\t"},
    {"append \"\\x41\"", ":1: unknown escape: quoted values have \\\", \\\\, \\n and \\t"},
    {"append \"a\" b", ":1: text after the closing quote: write \\\" for a quote inside"},
    {"help\n", ":1: --help: belongs on the command line"},
    {"version\n", ":1: --version: belongs on the command line"},
    {"@\n", ":1: --config needs a value: an options file"},
    {"walk\n", ":1: unknown option 'walk': see 'armlet run --help'"},
};

START_TEST(a_refusal_names_file_and_line)
{
    const struct file_refusal *refusal = &file_refusals[_i];
    struct files files;
    struct options options;
    struct error error;
    char path[PATH_BYTES * 2];
    char expected[PATH_BYTES * 4];

    files_create(&files);
    files_write_text(&files, "vm", refusal->text);
    files_path(&files, "vm", path);
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    (void)snprintf(expected, sizeof(expected), "%s%s", path, refusal->message);
    ck_assert_str_eq(error.message, expected);
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_null(options.owned);
    files_destroy(&files);
}
END_TEST

START_TEST(a_file_that_cannot_be_read)
{
    struct files files;
    struct options options;
    struct error error;
    char path[PATH_BYTES * 2];
    size_t count = OPTIONS_FILE_BYTES_MAX + 1;
    char *large = malloc(count);

    files_create(&files);
    files_path(&files, "vm", path);
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_int_eq(error.os_errno, ENOENT);
    ck_assert_ptr_eq(strstr(error.message, "cannot read options file '"), error.message);
    ck_assert_ptr_nonnull(strstr(error.message, "vm': No such file or directory"));

    ck_assert(!PARSE(&options, &error, "run", "--config", files.directory));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_int_eq(error.os_errno, EISDIR);

    files_write(&files, "vm", "cpus 1\0", 7);
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "it is not text"));

    ck_assert_ptr_nonnull(large);
    memset(large, '\n', count);
    files_write(&files, "vm", large, count);
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "larger than 1 MiB"));
    files_write(&files, "vm", large, count - 1);
    ASSERT_PARSES(&options, "run", "--config", path);
    options_finish(&options);

    files_write_text(&files, "vm", "\nconfig missing\n");
    ck_assert(!PARSE(&options, &error, "run", "--config", path));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "vm:2: cannot read options file '"));
    free(large);
    files_destroy(&files);
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options_file");
    TCase *files = tcase_create("options_file");

    tcase_add_test(files, a_file_holds_options);
    tcase_add_test(files, a_file_in_the_current_directory);
    tcase_add_test(files, a_byte_order_mark_is_no_option);
    tcase_add_test(files, files_nest);
    tcase_add_loop_test(files, a_refusal_names_file_and_line, 0, COUNT_OF(file_refusals));
    tcase_add_test(files, a_file_that_cannot_be_read);
    suite_add_tcase(suite, files);
    return suite;
}
