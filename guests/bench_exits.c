// SPDX-License-Identifier: Apache-2.0
/* Accesses that leave the guest, and first touches of memory. */
#include "armlet/hypercall.h"
#include "armlet/testdev.h"
#include "bench.h"
#include "gic_registers.h"
#include "lib.h"

enum {
    GICD_IIDR = 0x008,
    SMCCC_UNKNOWN = 0x8000ffff, /* DEN0028: of the architecture's calls, one that isn't there */
};

/* ---- words of a device that may be read and written without consequence ---- */

enum { VIRTIO_MMIO_DEVICE_ID = 0x008, VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014 };
enum { UART_8250_SCRATCH = 7 };

static struct {
    uint64_t read, write;
    uint32_t widths; /* a sum of those they have */
} safe;

static void find_safe_words(void)
{
    if (machine.testdev) {
        safe.read = machine.testdev + TESTDEV_SCRATCH;
        safe.write = safe.read;
        safe.widths = sizeof(uint8_t) | sizeof(uint16_t) | sizeof(uint32_t) | sizeof(uint64_t);
    } else if (machine.virtio_mmio) { /* Virtio 1.2, 4.2.2 */
        safe.read = machine.virtio_mmio + VIRTIO_MMIO_DEVICE_ID;
        safe.write = machine.virtio_mmio + VIRTIO_MMIO_DEVICE_FEATURES_SEL;
        safe.widths = sizeof(uint32_t);
    } else if (machine.uart_8250) {
        safe.read = machine.uart_8250 + UART_8250_SCRATCH;
        safe.write = safe.read;
        safe.widths = sizeof(uint8_t);
    } else if (machine.gpio) { /* GPIODATA with a mask of no lines (PrimeCell GPIO, 3.3.1) */
        safe.read = machine.gpio;
        safe.write = machine.gpio;
        safe.widths = sizeof(uint8_t) | sizeof(uint16_t) | sizeof(uint32_t);
    }
}

static const char *need_width(uint32_t width)
{
    find_safe_words();
    if (safe.widths == 0)
        return "the device tree has no device that is safe to access";
    return safe.widths & width ? NULL : "the device that is safe to access has no such width";
}

static const char *need_1(void)
{
    return need_width(1);
}

static const char *need_2(void)
{
    return need_width(2);
}

static const char *need_4(void)
{
    return need_width(4);
}

static const char *need_8(void)
{
    return need_width(8);
}

/* ---- what the host can do without asking the VMM: the test device has a word for each ---- */

static const char *need_ability(uint32_t ability)
{
    if (machine.testdev == 0)
        return "the device tree has no test device (armlet-testdev(7))";
    return read32(machine.testdev + TESTDEV_ABILITIES) & ability ? NULL
                                                                 : "this host's KVM can't do it";
}

static const char *need_doorbell(void)
{
    return need_ability(TESTDEV_CAN_DOORBELL);
}

static const char *need_coalescing(void)
{
    return need_ability(TESTDEV_CAN_COALESCE);
}

static const char *need_page(void)
{
    return need_ability(TESTDEV_CAN_PAGE);
}

static const char *need_hypercalls(void)
{
    return machine.hypercalls ? NULL : "the VMM answers no hypercalls, or the host hands none on";
}

static const char *need_gic(void)
{
    return machine.gicd ? NULL : "the device tree has no GIC";
}

#define BATCH(name, operation)                                                                     \
    static uint64_t name(void)                                                                     \
    {                                                                                              \
        return BENCH_BATCH_OF(BENCH_BATCH, operation);                                             \
    }

BATCH(hvc, (void)psci_call(SMCCC_UNKNOWN, 0, 0, 0))
BATCH(ring_mute, write32(machine.testdev + TESTDEV_MUTE, 0))
BATCH(ring, write32(machine.testdev + TESTDEV_DOORBELL, 0))
BATCH(coalesced, write32(machine.testdev + TESTDEV_COALESCED, 0))
BATCH(hvc_user, (void)psci_call(HYPERCALL_BASE_64 + HYPERCALL_VERSION, 0, 0, 0))
BATCH(sysreg, (void)READ_SYSREG(id_aa64pfr0_el1))
BATCH(gicd_read, (void)read32(machine.gicd + GICD_IIDR))
BATCH(read_1, (void)read8(safe.read))
BATCH(read_2, (void)read16(safe.read))
BATCH(read_4, (void)read32(safe.read))
BATCH(read_8, (void)read64(safe.read))
BATCH(write_1, write8(safe.write, 0))
BATCH(write_2, write16(safe.write, 0))
BATCH(write_4, write32(safe.write, 0))
BATCH(write_8, write64(safe.write, 0))

static uint64_t read_page(void)
{
    return BENCH_BATCH_OF(BENCH_LONG_BATCH, (void)read32(machine.testdev + TESTDEV_PAGE));
}

static uint64_t empty_loop(void)
{
    return BENCH_BATCH_OF(BENCH_LONG_BATCH, __asm__ volatile(""));
}

/* Of the platform bus of QEMU's `virt` board, and nothing under kvmtool either. */
#define UNASSIGNED_ADDRESS 0x0d000000ULL

BATCH(unassigned_read, (void)read32(UNASSIGNED_ADDRESS))

/* ---- first touches ---- */

enum { PAGE_4K = 4096, PAGE_2M = 2 << 20, FAULTS_MOST_2M = 50, WARM_UP = 8 };

static uint64_t next_page;

/* The last of memory, which nobody has touched, if there is enough of it. */
static const char *find_pages(uint64_t page_bytes, uint64_t most)
{
    uint64_t runs = bench_runs() < most ? bench_runs() : most;
    uint64_t bytes = (runs + WARM_UP) * page_bytes;
    uint64_t at = (machine.kernel_end + PAGE_2M - 1) & ~(uint64_t)(PAGE_2M - 1);

    while (at < machine.memory_base + machine.memory_bytes && !memory_is_free(at, bytes))
        at += PAGE_2M;
    next_page = at;
    return memory_is_free(at, bytes) ? NULL : "the guest has too little memory";
}

static const char *find_4k(void)
{
    return find_pages(PAGE_4K, BENCH_MAX_SAMPLES);
}

static const char *find_2m(void)
{
    return find_pages(PAGE_2M, FAULTS_MOST_2M);
}

static uint64_t touch(uint64_t page_bytes)
{
    uint64_t start = ticks_now();

    write64(next_page, 1);
    next_page += page_bytes;
    return ticks_now() - start;
}

static uint64_t touch_4k(void)
{
    return touch(PAGE_4K);
}

static uint64_t touch_2m(void)
{
    return touch(PAGE_2M);
}

const struct benchmark bench_exits[] = {
    {.id = BENCH_EMPTY_LOOP, .operations = BENCH_LONG_BATCH, .sample = empty_loop},
    {.id = BENCH_HVC, .operations = BENCH_BATCH, .sample = hvc},
    {.id = BENCH_HVC_USER,
     .operations = BENCH_BATCH,
     .prepare = need_hypercalls,
     .sample = hvc_user},
    {.id = BENCH_SYSREG, .operations = BENCH_BATCH, .sample = sysreg},
    {.id = BENCH_GICD_READ, .operations = BENCH_BATCH, .prepare = need_gic, .sample = gicd_read},
    {.id = BENCH_MMIO_READ_1, .operations = BENCH_BATCH, .prepare = need_1, .sample = read_1},
    {.id = BENCH_MMIO_READ_2, .operations = BENCH_BATCH, .prepare = need_2, .sample = read_2},
    {.id = BENCH_MMIO_READ_4, .operations = BENCH_BATCH, .prepare = need_4, .sample = read_4},
    {.id = BENCH_MMIO_READ_8, .operations = BENCH_BATCH, .prepare = need_8, .sample = read_8},
    {.id = BENCH_MMIO_WRITE_1, .operations = BENCH_BATCH, .prepare = need_1, .sample = write_1},
    {.id = BENCH_MMIO_WRITE_2, .operations = BENCH_BATCH, .prepare = need_2, .sample = write_2},
    {.id = BENCH_MMIO_WRITE_4, .operations = BENCH_BATCH, .prepare = need_4, .sample = write_4},
    {.id = BENCH_MMIO_WRITE_8, .operations = BENCH_BATCH, .prepare = need_8, .sample = write_8},
    {.id = BENCH_UNASSIGNED_READ, .operations = BENCH_BATCH, .sample = unassigned_read},
    {.id = BENCH_IOEVENTFD,
     .operations = BENCH_BATCH,
     .prepare = need_doorbell,
     .sample = ring_mute},
    {.id = BENCH_IOEVENTFD_WAITER,
     .operations = BENCH_BATCH,
     .prepare = need_doorbell,
     .sample = ring},
    {.id = BENCH_COALESCED,
     .operations = BENCH_BATCH,
     .prepare = need_coalescing,
     .sample = coalesced},
    {.id = BENCH_READONLY_READ,
     .operations = BENCH_LONG_BATCH,
     .prepare = need_page,
     .sample = read_page},
    {.id = BENCH_FAULT_4K_ABSENT, .operations = 1, .prepare = find_4k, .sample = touch_4k},
    {.id = BENCH_FAULT_4K_PRESENT, .operations = 1, .prepare = find_4k, .sample = touch_4k},
    {.id = BENCH_FAULT_2M_ABSENT,
     .operations = 1,
     .most = FAULTS_MOST_2M,
     .prepare = find_2m,
     .sample = touch_2m},
    {.id = BENCH_FAULT_2M_PRESENT,
     .operations = 1,
     .most = FAULTS_MOST_2M,
     .prepare = find_2m,
     .sample = touch_2m},
    {.sample = NULL},
};
