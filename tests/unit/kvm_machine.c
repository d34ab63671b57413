// SPDX-License-Identifier: Apache-2.0
#include "kvm_machine.h"

#include <dirent.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The built-in guest is an arm64 program; here it need only start like one: `b .` */
__asm__(".pushsection .rodata\n"
        ".globl builtin_guest, builtin_guest_end\n"
        "builtin_guest:\n"
        ".rept 1024\n"
        ".long 0x14000000\n"
        ".endr\n"
        "builtin_guest_end:\n"
        ".popsection\n");

struct trial trial;
static unsigned open_before;

unsigned trial_count_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

void trial_init(struct trial *self)
{
    *self = (struct trial){.thread = pthread_self()};
    fake_kvm_init(&self->fake);
    self->fake.hook_context = self;
    self->log.fd = memfd_create("log", MFD_CLOEXEC);
    self->log.threshold = LOG_DEBUG;
    ck_assert_int_ge(self->log.fd, 0);
}

void trial_finish(struct trial *self)
{
    options_finish(&self->options);
    (void)close(self->log.fd);
    fake_kvm_finish(&self->fake);
}

void trial_setup(void)
{
    open_before = trial_count_files();
    trial_init(&trial);
    fake_kvm_install(&trial.fake);
}

void trial_teardown(void)
{
    trial_finish(&trial);
    ck_assert_uint_eq(trial_count_files(), open_before);
}

bool trial_run(struct trial *self, struct error *error)
{
    struct machine *machine = machine_create(&self->options, &self->log, error);

    if (!machine)
        return false;
    bool good = machine_run(machine, &self->result, error);
    machine_destroy(machine);
    return good;
}

void trial_check_run(enum machine_outcome outcome, int signal_number)
{
    ck_assert_msg(trial_run(&trial, &trial.error), "%s", trial.error.message);
    ck_assert_int_eq(trial.result.outcome, outcome);
    ck_assert_int_eq(trial.result.signal, signal_number);
}

bool trial_attempt(void *context, struct error *error)
{
    struct trial *self = context;
    unsigned before = trial_count_files();

    self->fake.vm_count = 0;
    bool good = trial_run(self, error);
    ck_assert_uint_eq(trial_count_files(), before);
    return good;
}

const char *trial_read(struct trial *self, int fd)
{
    ssize_t length = pread(fd, self->text, sizeof(self->text) - 1, 0);

    ck_assert_int_ge(length, 0);
    self->text[length] = '\0';
    return self->text;
}

void *trial_memory(const struct trial *self, uint64_t address)
{
    const struct kvm_userspace_memory_region *ram = &self->fake.vm.slots[0];

    ck_assert_uint_eq(ram->guest_phys_addr, TRIAL_RAM);
    ck_assert_uint_eq(ram->memory_size, TRIAL_RAM_BYTES);
    ck_assert_uint_ge(address, TRIAL_RAM);
    ck_assert_uint_lt(address, TRIAL_RAM + TRIAL_RAM_BYTES);
    return (uint8_t *)(uintptr_t)ram->userspace_addr + (address - TRIAL_RAM);
}
