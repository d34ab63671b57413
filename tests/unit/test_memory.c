// SPDX-License-Identifier: Apache-2.0
/* Where guest RAM comes from: each backing, and what is refused before it can hurt. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory_backing.h"

Suite *unit_suite(void);

#define MIB  ((uint64_t)1 << 20)
#define BASE GPA(0x40000000)

struct scratch {
    char path[64];
};

static struct scratch scratch_make(void)
{
    struct scratch scratch = {"/tmp/armlet-memory-XXXXXX"};
    int fd = mkstemp(scratch.path);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    return scratch;
}

static struct options options_for(enum memory_backing backing, uint64_t bytes)
{
    return (struct options){.backing = backing, .memory_bytes = bytes};
}

static void check_usable(const struct memory_mapping *mapping)
{
    struct span span;

    ck_assert(guest_memory_span(&mapping->memory, BASE, mapping->memory.size_bytes, &span));
    ck_assert_uint_eq(span.data[0], 0);
    span.data[0] = 1;
    span.data[span.size_bytes - 1] = 2;
}

START_TEST(anonymous_memory_is_aligned_for_huge_pages)
{
    static const enum memory_backing backings[] = {BACKING_DEFAULT, BACKING_TRANSPARENT};

    for (size_t i = 0; i < sizeof(backings) / sizeof(backings[0]); i++) {
        struct options options = options_for(backings[i], 16 * MIB);
        struct memory_mapping mapping;
        struct error error = {0};

        if (!memory_mapping_create(&mapping, &options, BASE, &error)) {
            /* A kernel without transparent huge pages says so. */
            ck_assert_int_eq(backings[i], BACKING_TRANSPARENT);
            ck_assert_ptr_nonnull(strstr(error.message, "transparent huge pages"));
            continue;
        }
        ck_assert_uint_eq((uintptr_t)mapping.memory.host % (2 * MIB), 0);
        check_usable(&mapping);
        memory_mapping_destroy(&mapping);
        ck_assert_ptr_null(mapping.mapping);
        memory_mapping_destroy(&mapping);
    }
}
END_TEST

/* What another process maps is the same memory. */
START_TEST(shared_memory_has_a_file)
{
    struct options options = options_for(BACKING_DEFAULT, 16 * MIB);
    struct memory_mapping mapping;
    struct error error = {0};

    options.shared_memory = true;
    ck_assert_msg(memory_mapping_create(&mapping, &options, BASE, &error), "%s", error.message);
    check_usable(&mapping);
    ck_assert_int_ge(mapping.fd, 0);
    uint8_t *other = mmap(NULL, 16 * MIB, PROT_READ, MAP_SHARED, mapping.fd, 0);
    ck_assert_ptr_ne(other, MAP_FAILED);
    mapping.memory.host[5 * MIB] = 42;
    ck_assert_uint_eq(other[5 * MIB], 42);
    (void)munmap(other, 16 * MIB);
    memory_mapping_destroy(&mapping);
    options.memory_bytes = (uint64_t)1 << 50;
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
}
END_TEST

START_TEST(too_much_memory_is_refused)
{
    struct options options = options_for(BACKING_DEFAULT, (uint64_t)1 << 50);
    struct memory_mapping mapping;
    struct error error = {0};

    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, ENOMEM);
    ck_assert_ptr_nonnull(strstr(error.message, "1073741824 MiB"));
}
END_TEST

START_TEST(prefault_works)
{
    struct options options = options_for(BACKING_DEFAULT, 16 * MIB);
    struct memory_mapping mapping;
    struct error error = {0};

    options.prefault = true;
    ck_assert_msg(memory_mapping_create(&mapping, &options, BASE, &error), "%s", error.message);
    check_usable(&mapping);
    memory_mapping_destroy(&mapping);
}
END_TEST

START_TEST(locking_beyond_the_limit_is_refused)
{
    struct options options = options_for(BACKING_DEFAULT, 16 * MIB);
    const struct rlimit limit = {4096, 4096};
    struct memory_mapping mapping;
    struct error error = {0};

    options.locked = true;
    if (memory_mapping_create(&mapping, &options, BASE, &error))
        memory_mapping_destroy(&mapping);
    /* An ordinary user with nearly no limit left; the check runs in a process of its own. */
    ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "ulimit -l"));
    /* The leak checker traces this process, which a change of user forbids. */
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

START_TEST(huge_pages_that_are_not_there_are_refused)
{
    struct options options = options_for(BACKING_HUGETLB, (uint64_t)1 << 40);
    struct memory_mapping mapping;
    struct error error = {0};

    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "vm.nr_hugepages"));

    options.huge_page_bytes = (uint64_t)3 << 20; /* no CPU has such pages */
    options.memory_bytes = 3 * options.huge_page_bytes;
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "no huge pages of 3072 KiB"));

    options = options_for(BACKING_HUGETLB, 3 * MIB);
    options.huge_page_bytes = 2 * MIB;
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
}
END_TEST

START_TEST(a_file_is_shared_and_kept)
{
    struct scratch scratch = scratch_make();
    struct options options = options_for(BACKING_SHARED_FILE, 4 * MIB);
    struct memory_mapping mapping;
    struct memory_mapping second;
    struct error error = {0};
    struct stat status;
    unsigned char byte = 0;

    options.memory_path = scratch.path;
    ck_assert_msg(memory_mapping_create(&mapping, &options, BASE, &error), "%s", error.message);
    check_usable(&mapping);

    ck_assert(!memory_mapping_create(&second, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "in use by another machine"));
    memory_mapping_destroy(&mapping);

    ck_assert_int_eq(stat(scratch.path, &status), 0);
    ck_assert_uint_eq((uint64_t)status.st_size, 4 * MIB);
    int fd = open(scratch.path, O_RDONLY);
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    ck_assert_uint_eq(byte, 1);
    (void)close(fd);
    (void)unlink(scratch.path);
}
END_TEST

START_TEST(a_larger_file_is_not_shortened)
{
    struct scratch scratch = scratch_make();
    struct options options = options_for(BACKING_SHARED_FILE, 4 * MIB);
    struct memory_mapping mapping;
    struct error error = {0};
    struct stat status;

    options.memory_path = scratch.path;
    ck_assert_int_eq(truncate(scratch.path, (off_t)(8 * MIB)), 0);
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_int_eq(stat(scratch.path, &status), 0);
    ck_assert_uint_eq((uint64_t)status.st_size, 8 * MIB);
    (void)unlink(scratch.path);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    static const char *const paths[] = {"/dev/null", "/tmp", "/nowhere/ram"};
    struct options options = options_for(BACKING_SHARED_FILE, 4 * MIB);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct memory_mapping mapping;
        struct error error = {0};

        options.memory_path = paths[i];
        ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
        ck_assert_int_eq(error.code, ERROR_FILE);
        ck_assert_ptr_nonnull(strstr(error.message, paths[i]));
    }
}
END_TEST

START_TEST(a_full_file_system_is_an_error_now)
{
    struct scratch scratch = scratch_make();
    struct options options = options_for(BACKING_SHARED_FILE, 8 * MIB);
    const struct rlimit limit = {MIB, MIB};
    struct memory_mapping mapping;
    struct error error = {0};

    options.memory_path = scratch.path;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot set 8 MiB aside"));

    /* A file that was there is as long as before, one that wasn't is gone. */
    struct stat status;
    ck_assert_int_eq(stat(scratch.path, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    ck_assert_int_eq(unlink(scratch.path), 0);
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_ne(stat(scratch.path, &status), 0);
}
END_TEST

START_TEST(prefaulting_more_than_there_is_is_refused)
{
    struct options options = options_for(BACKING_DEFAULT, (uint64_t)8 << 40);
    struct memory_mapping mapping;
    struct error error = {0};

    options.prefault = true;
    ck_assert(!memory_mapping_create(&mapping, &options, BASE, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "MiB available"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");

    tcase_add_test(tests, anonymous_memory_is_aligned_for_huge_pages);
    tcase_add_test(tests, shared_memory_has_a_file);
    tcase_add_test(tests, too_much_memory_is_refused);
    tcase_add_test(tests, prefault_works);
    tcase_add_test(tests, locking_beyond_the_limit_is_refused);
    tcase_add_test(tests, huge_pages_that_are_not_there_are_refused);
    tcase_add_test(tests, a_file_is_shared_and_kept);
    tcase_add_test(tests, a_larger_file_is_not_shortened);
    tcase_add_test(tests, what_is_no_file_is_refused);
    tcase_add_test(tests, prefaulting_more_than_there_is_is_refused);
    tcase_add_test(tests, a_full_file_system_is_an_error_now);
    suite_add_tcase(suite, tests);
    return suite;
}
