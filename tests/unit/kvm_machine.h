// SPDX-License-Identifier: Apache-2.0
/* A machine from options to outcome, its host, and what came of it: for test_machine. */
#ifndef TESTS_KVM_MACHINE_H
#define TESTS_KVM_MACHINE_H

#include <check.h>
#include <pthread.h>

#include "fake_kvm.h"
#include "machine.h"
#include "parse_options.h"

#define TRIAL_RAM       UINT64_C(0x40000000)
#define TRIAL_RAM_BYTES ((uint64_t)16 << 20)

enum { TRIAL_TEXT_BYTES = 8192 };

struct trial {
    struct fake_kvm fake; /* hook_context is the trial */
    struct options options;
    struct log log;
    struct machine_result result;
    struct error error;
    pthread_t thread; /* the machine's */
    char text[TRIAL_TEXT_BYTES];
};

/* The one trial of most tests, made by the fixture, which checks that no file is left open. */
extern struct trial trial;
void trial_setup(void);
void trial_teardown(void);

void trial_init(struct trial *self);
void trial_finish(struct trial *self);

/* Creates, runs and destroys the machine of the trial's options. */
bool trial_run(struct trial *self, struct error *error);
/* The same for `trial`, which has to end so. */
void trial_check_run(enum machine_outcome outcome, int signal_number);
/* A kvm_attempt: begins with the first script each time, and checks that no file is left open. */
bool trial_attempt(void *context, struct error *error);

/* Files that the process has open. */
unsigned trial_count_files(void);
/* What is in a file from its start; the trial's log, for one. */
const char *trial_read(struct trial *self, int fd);
/* A guest physical address of the running machine's RAM. */
void *trial_memory(const struct trial *self, uint64_t address);

#define LOGGED(message) (strstr(trial_read(&trial, trial.log.fd), (message)) != NULL)

/* The steps of a vCPU in the nth VM of a host. */
#define STEPS(self, boot, vcpu, array) ((self)->fake.scripts[boot][vcpu] = FAKE_SCRIPT(array))

/* A small machine without a console, and more. */
#define OPTIONS(...)                                                                               \
    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", "none", __VA_ARGS__)

/* kvm_machine_boot.c: what is in memory when a guest begins. */
void add_boot_tests(TCase *tests);

#endif
