// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU for accesses without a syndrome: a KVM that has registers and takes events, a bus on which
 * each byte reads as something of its own, and a guest whose next instruction the test chooses.
 * Between fixture_set_up() and fixture_tear_down(), on one thread; what fails, fails the test.
 */
#ifndef TESTS_UNIT_NO_SYNDROME_FIXTURE_H
#define TESTS_UNIT_NO_SYNDROME_FIXTURE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "armlet/access.h"
#include "no_syndrome.h"

#define RAM        UINT64_C(0x40000000)
#define RTC        UINT64_C(0x09010000)
#define GPIO       UINT64_C(0x09030000)
#define ISS_READ   UINT64_C(0x07)
#define ISS_WRITE  UINT64_C(0x47)
#define PAGE_BYTES UINT64_C(4096)
#define EL1H       UINT64_C(0x5)
#define EL1T       UINT64_C(0x4)
#define EL0T       UINT64_C(0x0)
#define BTYPE      (UINT64_C(3) << 10)
#define SS         (UINT64_C(1) << 21)

enum { RAM_BYTES = 5 * 4096, SLOT_BYTES = 256 };

struct fixture {
    unsigned calls;        /* ioctls so far */
    unsigned failing_call; /* the number of the one that fails with EIO, or 0 */
    unsigned events_set;   /* how often KVM_SET_VCPU_EVENTS came */
    unsigned access_count;
    bool has_sve;
    bool nothing_there; /* on the bus */
    struct vcpu_environment environment;
    struct log log;
    struct error error; /* of the last handle() */
};

extern struct fixture fixture;

void fixture_set_up(void); /* the PC at the start of RAM, at EL1 with SP_EL1, MMU off */
void fixture_tear_down(void);

/* Maps pages at 0 and 4096 that are the RTC and the GPIO, then nothing; RAM where it is. */
void map_pages(void);

/* The bytes of a register, by its KVM number. */
uint8_t *slot(uint64_t id);
void set(uint64_t id, uint64_t value);
uint64_t get(uint64_t id);
void set_vector(unsigned number, uint64_t low, uint64_t high);
void check_vector(unsigned number, uint64_t low, uint64_t high);

/* What the bus reads as; bit 7 of each byte is set. */
uint64_t pattern(uint64_t address, unsigned bytes);

/* Puts the instruction at the PC and has its access handled. */
bool handle(uint32_t word, uint64_t fault_ipa, uint64_t iss);
/* ... which completes it. */
void carry_out(uint32_t word, uint64_t fault_ipa, uint64_t iss);
/* ... which is refused: the guest gets its abort, the log the reason; nothing else has changed. */
void check_refused(uint32_t word, uint64_t fault_ipa, uint64_t iss, const char *reason);

/* The accesses of the last instruction. */
void check_access(unsigned number, uint64_t address, unsigned width);
void check_write(unsigned number, uint64_t address, unsigned width, uint64_t value);

/* All of the log into `text`, a string. */
void read_log(char *text, size_t size_bytes);
void check_log(const char *expected);

#endif
