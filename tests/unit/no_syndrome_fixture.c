// SPDX-License-Identifier: Apache-2.0
#include "no_syndrome_fixture.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_sys.h"
#include "translate.h"
#include "vcpu_registers.h"

enum { SLOTS = 64, ACCESSES_MAX = 64, RAM_WORDS = RAM_BYTES / 4, VCPU = 3, VCPU_FD = 17 };

struct fixture fixture;

/* ---- a KVM that has registers and takes events ---- */

struct register_slot {
    uint64_t id;
    uint8_t bytes[SLOT_BYTES];
};

struct fake_access {
    uint64_t address;
    uint64_t value;
    enum access_kind kind;
    enum access_width width;
};

static struct register_slot slots[SLOTS];
static unsigned slot_count;
static struct kvm_vcpu_events events;

static struct fake_access accesses[ACCESSES_MAX];

uint8_t *slot(uint64_t id)
{
    for (unsigned i = 0; i < slot_count; i++)
        if (slots[i].id == id)
            return slots[i].bytes;
    ck_assert_uint_lt(slot_count, SLOTS);
    slots[slot_count].id = id;
    return slots[slot_count++].bytes;
}

static size_t register_bytes(uint64_t id)
{
    return (size_t)1 << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static int one_register(unsigned long request, const struct kvm_one_reg *reg)
{
    bool is_core_vector = (reg->id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM_CORE &&
                          (reg->id & KVM_REG_SIZE_MASK) == KVM_REG_SIZE_U128;
    bool is_scalable = (reg->id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM64_SVE;
    void *value = (void *)(uintptr_t)reg->addr; // NOLINT: KVM's own way to pass it

    if (fixture.has_sve ? is_core_vector : is_scalable) {
        errno = fixture.has_sve ? EINVAL : ENOENT;
        return -1;
    }
    if (request == KVM_GET_ONE_REG)
        memcpy(value, slot(reg->id), register_bytes(reg->id));
    else
        memcpy(slot(reg->id), value, register_bytes(reg->id));
    return 0;
}

int kvm_sys_ioctl(int fd, unsigned long request, uintptr_t argument)
{
    ck_assert_int_eq(fd, VCPU_FD);
    if (++fixture.calls == fixture.failing_call) {
        errno = EIO;
        return -1;
    }
    switch (request) {
    case KVM_GET_ONE_REG:
    case KVM_SET_ONE_REG:
        return one_register(request, (const void *)argument);
    case KVM_SET_VCPU_EVENTS:
        memcpy(&events, (const void *)argument, sizeof(events));
        fixture.events_set++;
        return 0;
    default:
        ck_abort_msg("ioctl 0x%lx", request);
    }
    return -1;
}

int kvm_sys_open(const char *path)
{
    ck_abort_msg("%s", path);
    return -1;
}

void kvm_sys_close(int fd)
{
    ck_abort_msg("%d", fd);
}

/* ---- a bus on which each byte reads as something of its own ---- */

uint64_t pattern(uint64_t address, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (0x80 | (((address + i) ^ (address + i) >> 12) & 0x7f)) << 8 * i;
    return value;
}

bool vcpu_access(struct vcpu *vcpu, gpa_t address, enum access_kind kind, enum access_width width,
                 uint64_t *value)
{
    ck_assert_uint_eq(vcpu->index, VCPU);
    ck_assert_uint_lt(fixture.access_count, ACCESSES_MAX);
    ck_assert_uint_eq(address.value % width, 0);
    if (kind == ACCESS_READ)
        *value = fixture.nothing_there ? 0 : pattern(address.value, width);
    accesses[fixture.access_count++] = (struct fake_access){address.value, *value, kind, width};
    return !fixture.nothing_there;
}

/* ---- the guest ---- */

static uint32_t ram[RAM_WORDS] __attribute__((aligned(4096)));
static struct guest_memory memory = {{RAM}, RAM_BYTES, (uint8_t *)ram};
static struct log_limit limit;
static struct vcpu vcpu;

void set(uint64_t id, uint64_t value)
{
    memcpy(slot(id), &value, sizeof(value));
}

uint64_t get(uint64_t id)
{
    uint64_t value;

    memcpy(&value, slot(id), sizeof(value));
    return value;
}

void set_vector(unsigned number, uint64_t low, uint64_t high)
{
    const uint64_t halves[2] = {low, high};

    ck_assert(vcpu_set_vector(VCPU_FD, number, halves, &fixture.error));
}

void check_vector(unsigned number, uint64_t low, uint64_t high)
{
    uint64_t halves[2];

    ck_assert(vcpu_get_vector(VCPU_FD, number, halves, &fixture.error));
    ck_assert_uint_eq(halves[0], low);
    ck_assert_uint_eq(halves[1], high);
}

void fixture_set_up(void)
{
    memset(slots, 0, sizeof(slots));
    memset(ram, 0, sizeof(ram));
    slot_count = 0;
    fixture = (struct fixture){0};
    limit = (struct log_limit){0};
    fixture.log = (struct log){.fd = memfd_create("log", 0), .threshold = LOG_DEBUG};
    ck_assert_int_ge(fixture.log.fd, 0);
    fixture.environment = (struct vcpu_environment){
        .memory = &memory,
        .log = &fixture.log,
        .refused_limit = &limit,
        .can_inject_abort = true,
    };
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.fd = VCPU_FD;
    vcpu.index = VCPU;
    vcpu.environment = &fixture.environment;
    set(VCPU_REG_PC, RAM);
    set(VCPU_REG_PSTATE, EL1H);
}

void fixture_tear_down(void)
{
    (void)close(fixture.log.fd);
}

bool handle(uint32_t word, uint64_t fault_ipa, uint64_t iss)
{
    ram[(get(VCPU_REG_PC) - RAM) % RAM_BYTES / 4] = word;
    return no_syndrome_handle(&vcpu, GPA(fault_ipa), iss, &fixture.error);
}

void read_log(char *text, size_t size_bytes)
{
    ssize_t length = pread(fixture.log.fd, text, size_bytes - 1, 0);

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
}

void check_log(const char *expected)
{
    char text[4096];

    read_log(text, sizeof(text));
    ck_assert_msg(strstr(text, expected) != NULL, "'%s' is not in: %s", expected, text);
}

void carry_out(uint32_t word, uint64_t fault_ipa, uint64_t iss)
{
    uint64_t pc = get(VCPU_REG_PC);

    fixture.access_count = 0;
    ck_assert_msg(handle(word, fault_ipa, iss), "%s", fixture.error.message);
    if (fixture.events_set)
        check_log("nothing: this line fails the test and shows the log");
    ck_assert_uint_eq(get(VCPU_REG_PC), pc + 4);
}

void check_access(unsigned number, uint64_t address, unsigned width)
{
    ck_assert_uint_lt(number, fixture.access_count);
    ck_assert_uint_eq(accesses[number].address, address);
    ck_assert_uint_eq(accesses[number].width, width);
    ck_assert_int_eq(accesses[number].kind, ACCESS_READ);
}

void check_write(unsigned number, uint64_t address, unsigned width, uint64_t value)
{
    ck_assert_uint_lt(number, fixture.access_count);
    ck_assert_uint_eq(accesses[number].address, address);
    ck_assert_uint_eq(accesses[number].width, width);
    ck_assert_int_eq(accesses[number].kind, ACCESS_WRITE);
    ck_assert_uint_eq(accesses[number].value, value);
}

void check_refused(uint32_t word, uint64_t fault_ipa, uint64_t iss, const char *reason)
{
    uint64_t pc = get(VCPU_REG_PC);
    unsigned before = fixture.events_set;

    fixture.access_count = 0;
    ck_assert_msg(handle(word, fault_ipa, iss), "%s", fixture.error.message);
    ck_assert_uint_eq(fixture.events_set, before + 1);
    ck_assert_uint_eq(events.exception.ext_dabt_pending, 1);
    ck_assert_uint_eq(events.exception.serror_pending, 0);
    ck_assert_uint_eq(fixture.access_count, 0);
    ck_assert_uint_eq(get(VCPU_REG_PC), pc);
    check_log(reason);
}

void map_pages(void)
{
    enum { TCR_39_BITS = 64 - 39, LEVEL_1 = 4096, LEVEL_2 = 2 * 4096, LEVEL_3 = 3 * 4096 };
    enum { BLOCK = 1, TABLE = 3, PAGE = 3 };
    static const uint64_t entries[][2] = {
        {LEVEL_1, (RAM + LEVEL_2) | TABLE}, {LEVEL_1 + 8, RAM | BLOCK},
        {LEVEL_2, (RAM + LEVEL_3) | TABLE}, {LEVEL_3, RTC | PAGE},
        {LEVEL_3 + 8, GPIO | PAGE},
    };

    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        memcpy(&ram[entries[i][0] / 4], &entries[i][1], sizeof(uint64_t));
    set(VCPU_REG_TTBR0_EL1, RAM + LEVEL_1);
    set(VCPU_REG_TCR_EL1, TCR_39_BITS);
    set(VCPU_REG_SCTLR_EL1, SCTLR_EL1_M);
}
