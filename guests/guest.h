// SPDX-License-Identifier: Apache-2.0
/*
 * What a bare-metal guest stands on: start.S and lib.c.
 *
 * A guest is an arm64 Image that runs wherever it is loaded (Linux, Documentation/arch/arm64/
 * booting.rst) and that finds its machine in the device tree, so that any VMM can run it. It
 * defines guest_main(), called on the boot CPU at EL1 with the MMU on (an identity map: Device
 * below RAM, Normal memory from there), interrupts masked, and all other CPUs off. When it returns,
 * "PASS name" or "FAIL name: N checks" has been printed and the machine is powered off.
 */
#ifndef ARMLET_GUESTS_GUEST_H
#define ARMLET_GUESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the guest's own ---- */

extern const char guest_name[]; /* for PASS and FAIL */
void guest_main(void);

/* ---- the machine, from the device tree; an address of 0: there is none ---- */

enum { GUEST_MAX_CPUS = 512, GUEST_STACK_BYTES = 4096 };

struct guest_machine {
    const void *fdt;
    const char *bootargs; /* "" if none */
    uint64_t memory_base, memory_bytes;
    uint64_t kernel_end;               /* first byte after this image, its bss and stacks */
    uint64_t initrd_start, initrd_end; /* 0: none */
    uint64_t uart, rtc, gpio, gicd, gicr, gicc, its;
    uint64_t testdev; /* armlet/testdev.h */
    uint64_t dual_timer, watchdog, msi_frame;
    uint64_t timer_control, timer_frame; /* CNTCTLBase and CNTBase0 */
    uint32_t dual_timer_intid, watchdog_intid, frame_physical_intid, frame_virtual_intid;
    uint32_t testdev_intid;
    bool hypercalls;                         /* armlet/hypercall.h */
    uint64_t uart_8250;                      /* printed on if there is no PL011 */
    uint64_t virtio_mmio;                    /* the first in the tree */
    uint64_t gicr_bytes;                     /* of the first redistributor region */
    uint64_t gicr_second, gicr_second_bytes; /* 0: there is one region */
    uint64_t sample;                         /* of the plugin of that name */
    uint32_t sample_intid;
    uint32_t uart_intid, rtc_intid, gpio_intid, virtual_timer_intid, physical_timer_intid;
    uint32_t gic_version; /* 2 or 3 */
    bool psci_hvc;        /* conduit: HVC, else SMC */
    bool kaslr_seed;      /* whether /chosen has one */
    uint32_t rng_seed_bytes;
    uint32_t cpu_count;
    uint64_t cpu_mpidr[GUEST_MAX_CPUS];
};

extern struct guest_machine machine;

/* Whether `word` is among the blank-separated words of bootargs. */
bool bootargs_has(const char *word);
/* The number after "name=" in bootargs, or `otherwise`. */
uint64_t bootargs_number(const char *name, uint64_t otherwise);

/* Whether these are bytes of memory that neither the image, the device tree nor the initrd use. */
bool memory_is_free(uint64_t address, uint64_t size_bytes);
/* Zeroed memory of the guest's for good, aligned to a power of two; 0 and a failed check: none. */
uint64_t memory_take(uint64_t size_bytes, uint64_t alignment);

/* ---- MMIO ---- */

static inline uint8_t read8(uint64_t address)
{
    uint8_t value;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint16_t read16(uint64_t address)
{
    uint16_t value;
    __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint32_t read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t read64(uint64_t address)
{
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void write16(uint64_t address, uint16_t value)
{
    __asm__ volatile("strh %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void write64(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
}

#define READ_SYSREG(name)                                                                          \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #name : "=r"(value_) : : "memory");                            \
        value_;                                                                                    \
    })
#define WRITE_SYSREG(name, value)                                                                  \
    __asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

/* ---- speaking ---- */

void print_char(char c);
/* Understands %s %c %u %x %d %% and, with l, 64-bit numbers (%lu %lx %ld); no widths but %016lx. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts a check; a failed one prints "FAIL file:line: expression (value)". */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(left, right)                                                                      \
    check_equal((uint64_t)(left), (uint64_t)(right), __FILE__, __LINE__, #left " == " #right)
void check(bool good, const char *file, int line, const char *text);
void check_equal(uint64_t left, uint64_t right, const char *file, int line, const char *text);
uint32_t failed_checks(void);

/* ---- time (CNTVCT_EL0) ---- */

uint64_t ticks_now(void);
uint64_t ticks_per_second(void);
/* Calls condition(context) until it holds or so long has passed; returns whether it holds. */
bool wait_until(bool (*condition)(void *context), void *context, uint32_t milliseconds);
void spin_microseconds(uint32_t microseconds);

/* ---- PSCI (DEN0022) ---- */

enum psci_function {
    PSCI_FN_VERSION = 0x84000000,
    PSCI_FN_CPU_OFF = 0x84000002,
    PSCI_FN_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_FN_SYSTEM_OFF = 0x84000008,
    PSCI_FN_SYSTEM_RESET = 0x84000009,
    PSCI_FN_FEATURES = 0x8400000a,
};
#define PSCI_FN64_CPU_SUSPEND   0xc4000001U
#define PSCI_FN64_CPU_ON        0xc4000003U
#define PSCI_FN64_AFFINITY_INFO 0xc4000004U
#define PSCI_FN64_SYSTEM_RESET2 0xc4000012U

/* A call by the machine's conduit; returns X0. */
int64_t psci_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3);
_Noreturn void power_off(void);
_Noreturn void system_reset(void);
/* Starts machine.cpu_mpidr[index] in entry(index), with MMU, vectors and a stack of its own. */
int64_t cpu_start(uint32_t index, void (*entry)(uint32_t index));
/* Waits until AFFINITY_INFO says that it is off; after its entry() has returned it soon is. */
bool cpu_wait_off(uint32_t index, uint32_t milliseconds);

/* The affinity fields of this CPU's MPIDR_EL1, as in machine.cpu_mpidr. */
uint64_t mpidr_affinity(void);
/* This CPU's index, and that of the one with this affinity (0 if there is none). */
uint32_t cpu_index(void);
uint32_t cpu_index_of(uint64_t mpidr);

/* ---- exceptions ---- */

struct exception_frame {
    uint64_t x[31];
    uint64_t elr, spsr, esr, far;
};

/*
 * A synchronous exception or SError that no one expected prints its registers and "FAIL", and
 * powers off. With a handler set, it is called, and may change the frame (elr: where to go on).
 */
typedef void exception_handler(struct exception_frame *frame);
void set_synchronous_handler(exception_handler *handler); /* NULL: unexpected again */
void set_serror_handler(exception_handler *handler);

/* ---- the interrupt controller, GICv2 or GICv3 as the machine has ---- */

enum { INTID_SPURIOUS = 1023, GIC_PRIORITY_DEFAULT = 0xa0 };

/* Called by the vector with the acknowledged INTID; end of interrupt follows. */
typedef void interrupt_handler(uint32_t intid);
void gic_init(interrupt_handler *handler); /* distributor and this CPU; priorities open */
void gic_init_cpu(void);                   /* redistributor and CPU interface of another CPU */
void gic_enable(uint32_t intid);           /* SPIs go to the CPU of gic_init(), until routed */
void gic_disable(uint32_t intid);
void gic_set_edge(uint32_t intid, bool edge);
void gic_set_priority(uint32_t intid, uint8_t priority);
void gic_set_pending(uint32_t intid, bool pending);
bool gic_is_pending(uint32_t intid);
bool gic_is_active(uint32_t intid);
void gic_route(uint32_t intid, uint32_t cpu_index); /* an SPI to another CPU */
void gic_send_sgi(uint32_t sgi, uint32_t cpu_index);
uint32_t gic_intid_count(void); /* INTIDs below it exist: SGIs, PPIs, SPIs */

/* For guests that take interrupts by themselves, with interrupts masked at the CPU. */
uint32_t gic_acknowledge(void);            /* what the acknowledge register gives */
uint32_t gic_intid(uint32_t acknowledged); /* the INTID in that */
void gic_end(uint32_t acknowledged);
void gic_set_priority_mask(uint8_t mask); /* priorities below (as numbers) get through */
uint8_t gic_running_priority(void);
uint32_t gic_highest_pending(void);          /* as the acknowledge register has it */
void gic_set_eoi_split(bool split);          /* gic_end() drops the priority only */
void gic_deactivate(uint32_t acknowledged);  /* and then this deactivates */
void gic_set_preemption_bits(uint32_t bits); /* of a priority that count for preemption, to 5 */
uint64_t gic_redistributor(void); /* GICv3: this CPU's RD_base, known after gic_init_cpu() */

static inline void interrupts_unmask(void)
{
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void interrupts_mask(void)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

#endif
