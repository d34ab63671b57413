// SPDX-License-Identifier: Apache-2.0
/* What is in a machine's memory when its guest begins: initrd, device tree, parameters. */
#include <check.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm_machine.h"
#include "vcpu_registers.h"

#define INITRD_TEXT "not much of a RAM disk"

enum { PATH_BYTES = 32 };

/* A file of its own for a test; the caller removes it. */
static void make_file(char path[PATH_BYTES], const char *text, off_t size_bytes)
{
    (void)snprintf(path, PATH_BYTES, "/tmp/armlet-boot-XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(ftruncate(fd, size_bytes), 0);
    (void)close(fd);
}

static const void *guest_tree(struct trial *self)
{
    return trial_memory(self, fake_kvm_register(&self->fake, 0, VCPU_REG_X(0)));
}

static const char *chosen(struct trial *self, const char *name, int bytes)
{
    const void *tree = guest_tree(self);
    int found = 0;

    ck_assert_int_eq(fdt_check_header(tree), 0);
    const char *value = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), name, &found);
    ck_assert_msg(value, "/chosen has no %s", name);
    ck_assert_int_ge(found, bytes);
    return value;
}

static void check_initrd(void *context)
{
    struct trial *self = context;
    uint64_t start = fdt64_ld((const fdt64_t *)chosen(self, "linux,initrd-start", 8));
    uint64_t end = fdt64_ld((const fdt64_t *)chosen(self, "linux,initrd-end", 8));

    ck_assert_uint_eq(end - start, sizeof(INITRD_TEXT) - 1);
    ck_assert_mem_eq(trial_memory(self, start), INITRD_TEXT, sizeof(INITRD_TEXT) - 1);
    ck_assert_str_eq(chosen(self, "bootargs", 1), "quiet panic=-1");
}

START_TEST(initrd_and_parameters_reach_the_guest)
{
    static const struct fake_step steps[] = {
        FAKE_HOOK(check_initrd),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    char path[PATH_BYTES];

    make_file(path, INITRD_TEXT, sizeof(INITRD_TEXT) - 1);
    OPTIONS("-i", path, "-a", "quiet panic=-1");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    (void)unlink(path);
}
END_TEST

START_TEST(what_doesnt_fit_into_memory_is_told)
{
    char path[PATH_BYTES];

    make_file(path, "", (off_t)TRIAL_RAM_BYTES - 4096);
    OPTIONS("-i", path);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "the guest has 16 MiB: give it more"));
    (void)unlink(path);
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_ptr_nonnull(strstr(trial.error.message, "cannot use initrd"));
}
END_TEST

static void check_compatible(void *context)
{
    const void *tree = guest_tree(context);

    ck_assert_int_eq(fdt_check_header(tree), 0);
    ck_assert_int_ge(fdt_node_offset_by_compatible(tree, -1, "arm,pl011"), 0);
    ck_assert_int_ge(fdt_node_offset_by_compatible(tree, -1, "arm,gic-v3"), 0);
}

START_TEST(a_tree_that_was_written_can_be_used_again)
{
    static const struct fake_step steps[] = {
        FAKE_HOOK(check_compatible),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    char path[PATH_BYTES];

    make_file(path, "", 0);
    OPTIONS("--dump-dtb", path);
    STEPS(&trial, 0, 0, steps);
    STEPS(&trial, 1, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    options_finish(&trial.options);

    OPTIONS("--dtb", path);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    ck_assert_uint_eq(trial.fake.vm_count, 2);
    (void)unlink(path);
}
END_TEST

START_TEST(a_32_bit_guest_starts_by_its_own_protocol)
{
    static const struct fake_step steps[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};
    const char branch_to_self[] = "\xfe\xff\xff\xea"; /* A32 */
    char path[PATH_BYTES];

    make_file(path, branch_to_self, 4096);
    OPTIONS("--cpu", "aarch32=on", "-k", path);
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    (void)unlink(path);
    ck_assert_uint_eq(fake_kvm_register(&trial.fake, 0, VCPU_REG_X(1)), UINT32_MAX);
    ck_assert_uint_gt(fake_kvm_register(&trial.fake, 0, VCPU_REG_X(2)), TRIAL_RAM);
}
END_TEST

/* --hypercalls: what is said, whether the host can, and whether the tree offers them. */
static const struct {
    const char *option;
    bool filter, offered, refused;
} hypercall_cases[] = {
    {"--hypercalls=off", true, false, false},   {"--hypercalls=auto", true, true, false},
    {"--hypercalls=on", true, true, false},     {"--hypercalls=off", false, false, false},
    {"--hypercalls=auto", false, false, false}, {"--hypercalls=on", false, false, true},
};

START_TEST(hypercalls_are_offered_where_asked_for)
{
    static const struct fake_step steps[] = {FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN)};

    OPTIONS(hypercall_cases[_i].option);
    STEPS(&trial, 0, 0, steps);
    trial.fake.smccc_filter = hypercall_cases[_i].filter;
    ck_assert_int_eq(trial_run(&trial, &trial.error), !hypercall_cases[_i].refused);
    ck_assert_int_eq(fake_kvm_attribute(&trial.fake, FAKE_ON_VM, 0, 0) != NULL,
                     hypercall_cases[_i].offered);
    if (hypercall_cases[_i].refused)
        ck_assert_ptr_nonnull(strstr(trial.error.message, "Linux 6.4"));
}
END_TEST

void add_boot_tests(TCase *tests)
{
    tcase_add_loop_test(tests, hypercalls_are_offered_where_asked_for, 0,
                        sizeof(hypercall_cases) / sizeof(hypercall_cases[0]));
    tcase_add_test(tests, initrd_and_parameters_reach_the_guest);
    tcase_add_test(tests, what_doesnt_fit_into_memory_is_told);
    tcase_add_test(tests, a_tree_that_was_written_can_be_used_again);
    tcase_add_test(tests, a_32_bit_guest_starts_by_its_own_protocol);
}
