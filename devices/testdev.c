// SPDX-License-Identifier: Apache-2.0
/*
 * armlet's test device: what a guest may safely read and write to try or to measure each kind of
 * access, and a register to end with a status of its own. armlet-testdev(7) is the manual.
 *
 * Registers are counters and words that are each accessed as one, without a lock.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "armlet/device_regions.h"
#include "armlet/event_loop.h"
#include "armlet/fdt_writer.h"
#include "armlet/log.h"
#include "armlet/testdev.h"
#include "builtin.h"

enum { NO_FILE = -1, COALESCED_BYTES = 8 };

/* What the guest sees. */
struct testdev_registers {
    _Alignas(uint64_t) uint8_t scratch[TESTDEV_PAGE_BYTES];
    _Atomic uint32_t doorbells;
    _Atomic uint32_t mutes;
    _Atomic uint32_t coalesced;
    _Atomic uint32_t coalesced_last;
};

struct testdev {
    struct device device;
    struct testdev_registers regs;
    struct irq_line *irq;
    struct event_loop *loop;
    struct event_source doorbell;
    struct event_source echo;
    int mute_fd;
    pthread_mutex_t lock; /* guards switching `regions` */
    struct device_regions *regions;
    struct guest_exit *guest_exit;
    struct log *log;
};

/* ---- events ---- */

static uint32_t take_count(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? (uint32_t)count : 0;
}

static void ring(int fd)
{
    const uint64_t one = 1;

    (void)!write(fd, &one, sizeof(one)); /* full: 2^64 - 2 are waiting */
}

static void raise_interrupt(struct testdev *testdev)
{
    irq_line_set(testdev->irq, true);
    irq_line_set(testdev->irq, false);
}

static void on_doorbell(struct event_source *source, uint32_t events)
{
    struct testdev *testdev = source->context;

    (void)events;
    atomic_fetch_add(&testdev->regs.doorbells, take_count(source->fd));
}

static void on_echo(struct event_source *source, uint32_t events)
{
    struct testdev *testdev = source->context;

    (void)events;
    if (take_count(source->fd) > 0 && !device_regions_raise(testdev->regions))
        raise_interrupt(testdev);
}

/* ---- accesses ---- */

static void note_bad_access(struct testdev *testdev, enum access_kind kind, uint64_t offset,
                            enum access_width width)
{
    if (log_limit_pass(&testdev->device.bad_accesses))
        log_line(testdev->log, LOG_WARNING, "testdev: %u-bit %s at offset 0x%" PRIx64,
                 8U * (unsigned)width, kind == ACCESS_READ ? "read" : "write", offset);
}

/*
 * Each width is one access, also to vCPUs that meet in a word. A read takes all of the 8 bytes that
 * its own are in: those above them don't count.
 */
static uint64_t read_scratch(const struct testdev *testdev, uint64_t offset)
{
    size_t within = offset % sizeof(uint64_t);
    const void *word = &testdev->regs.scratch[offset - within];

    return __atomic_load_n((const uint64_t *)word, __ATOMIC_RELAXED) >> 8 * within;
}

static void write_scratch(struct testdev *testdev, uint64_t offset, enum access_width width,
                          uint64_t value)
{
    void *at = &testdev->regs.scratch[offset];

    if (width == ACCESS_32_BIT)
        __atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELAXED);
    else if (width == ACCESS_64_BIT)
        __atomic_store_n((uint64_t *)at, value, __ATOMIC_RELAXED);
    else if (width == ACCESS_16_BIT)
        __atomic_store_n((uint16_t *)at, (uint16_t)value, __ATOMIC_RELAXED);
    else
        __atomic_store_n((uint8_t *)at, (uint8_t)value, __ATOMIC_RELAXED);
}

/* Any aligned part of the page, little-endian. */
static uint64_t read_page(uint64_t offset)
{
    uint64_t word = offset & ~(uint64_t)3;
    uint64_t value = TESTDEV_PAGE_WORD(word) | (uint64_t)TESTDEV_PAGE_WORD(word + 4) << 32;

    return value >> 8 * (offset - word);
}

static void fill_page(uint32_t *page)
{
    for (uint32_t offset = 0; page && offset < TESTDEV_PAGE_BYTES; offset += sizeof(*page))
        page[offset / sizeof(*page)] = TESTDEV_PAGE_WORD(offset);
}

/*
 * What KVM handles by itself costs every exit a little, in which it looks there first. So it is
 * asked for when a guest asks, which is when it reads this register.
 */
static uint32_t find_abilities(struct testdev *testdev)
{
    struct device_regions *regions = testdev->regions;

    (void)pthread_mutex_lock(&testdev->lock);
    if (!(device_regions_granted(regions) & DEVICE_REGION_PAGE)) {
        fill_page(device_regions_page(regions));
        (void)device_regions_set_page(regions, true);
    }
    (void)device_regions_set_coalesced(regions, true);
    device_regions_connect(regions);
    uint32_t granted = device_regions_granted(regions);
    (void)pthread_mutex_unlock(&testdev->lock);
    return granted;
}

static uint32_t read_register(struct testdev *testdev, uint64_t offset, bool *known)
{
    switch (offset) {
    case TESTDEV_ID:
        return TESTDEV_ID_VALUE;
    case TESTDEV_VERSION:
        return TESTDEV_VERSION_VALUE;
    case TESTDEV_ABILITIES:
        return find_abilities(testdev);
    case TESTDEV_DOORBELL_COUNT:
        return atomic_load(&testdev->regs.doorbells);
    case TESTDEV_MUTE_COUNT:
        atomic_fetch_add(&testdev->regs.mutes, take_count(testdev->mute_fd));
        return atomic_load(&testdev->regs.mutes);
    case TESTDEV_COALESCED_COUNT:
        return atomic_load(&testdev->regs.coalesced);
    case TESTDEV_COALESCED_LAST:
        return atomic_load(&testdev->regs.coalesced_last);
    default:
        *known = false;
        return 0;
    }
}

static bool write_register(struct testdev *testdev, uint64_t offset, uint64_t value)
{
    switch (offset) {
    case TESTDEV_EXIT:
        testdev->guest_exit->exit(testdev->guest_exit, value);
        return true;
    case TESTDEV_DOORBELL:
        ring(testdev->doorbell.fd);
        return true;
    case TESTDEV_MUTE:
        ring(testdev->mute_fd);
        return true;
    case TESTDEV_LOOPBACK:
    case TESTDEV_RAISE:
        raise_interrupt(testdev);
        return true;
    case TESTDEV_ECHO:
        ring(testdev->echo.fd);
        return true;
    default:
        return false;
    }
}

static bool is_aligned(uint64_t offset, enum access_width width)
{
    return ((unsigned)offset & ((unsigned)width - 1)) == 0;
}

static __attribute__((noinline)) uint64_t read_beside_scratch(struct testdev *testdev,
                                                              uint64_t offset,
                                                              enum access_width width)
{
    bool known = is_aligned(offset, width);
    uint32_t value;

    if (known && offset - TESTDEV_PAGE < TESTDEV_PAGE_BYTES)
        return read_page(offset - TESTDEV_PAGE);
    known = known && width == ACCESS_32_BIT;
    value = known ? read_register(testdev, offset, &known) : 0;
    if (!known)
        note_bad_access(testdev, ACCESS_READ, offset, width);
    return value;
}

/* The scratch page is what exits are measured with, so it comes first and does little. */
static uint64_t testdev_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct testdev *testdev = container_of(device, struct testdev, device);

    if (offset - TESTDEV_SCRATCH < TESTDEV_PAGE_BYTES && is_aligned(offset, width))
        return read_scratch(testdev, offset - TESTDEV_SCRATCH);
    return read_beside_scratch(testdev, offset, width);
}

static __attribute__((noinline)) void write_beside_scratch(struct testdev *testdev, uint64_t offset,
                                                           enum access_width width, uint64_t value)
{
    bool aligned = is_aligned(offset, width);

    if (aligned && offset - TESTDEV_COALESCED < COALESCED_BYTES) {
        atomic_store(&testdev->regs.coalesced_last, (uint32_t)value);
        atomic_fetch_add(&testdev->regs.coalesced, 1);
        return;
    }
    if (!aligned || width != ACCESS_32_BIT || !write_register(testdev, offset, value))
        note_bad_access(testdev, ACCESS_WRITE, offset, width);
}

static void testdev_write(struct device *device, uint64_t offset, enum access_width width,
                          uint64_t value)
{
    struct testdev *testdev = container_of(device, struct testdev, device);

    if (offset - TESTDEV_SCRATCH < TESTDEV_PAGE_BYTES && is_aligned(offset, width))
        write_scratch(testdev, offset - TESTDEV_SCRATCH, width, value);
    else
        write_beside_scratch(testdev, offset, width, value);
}

/* ---- from create to destroy ---- */

static void testdev_reset(struct device *device)
{
    struct testdev *testdev = container_of(device, struct testdev, device);

    (void)take_count(testdev->doorbell.fd);
    (void)take_count(testdev->echo.fd);
    (void)take_count(testdev->mute_fd);
    memset(&testdev->regs, 0, sizeof(testdev->regs));
}

static void testdev_describe(struct device *device, struct fdt_writer *writer,
                             const struct device_place *place)
{
    fdt_begin_node_at(writer, "testdev", place->base.value);
    fdt_prop_string(writer, "compatible", "armlet,testdev");
    fdt_prop_reg(writer, place->base, device->size_bytes);
    fdt_prop_spi(writer, place->spi, FDT_IRQ_EDGE_RISING);
    fdt_end_node(writer);
}

static void close_source(struct testdev *testdev, struct event_source *source)
{
    if (source->fd == NO_FILE)
        return;
    event_loop_remove(testdev->loop, source);
    (void)close(source->fd);
}

static void testdev_destroy(struct device *device)
{
    struct testdev *testdev = container_of(device, struct testdev, device);

    close_source(testdev, &testdev->doorbell);
    close_source(testdev, &testdev->echo);
    if (testdev->mute_fd != NO_FILE)
        (void)close(testdev->mute_fd);
    (void)pthread_mutex_destroy(&testdev->lock);
    free(testdev);
}

static const struct device_ops testdev_ops = {
    .read = testdev_read,
    .write = testdev_write,
    .reset = testdev_reset,
    .describe = testdev_describe,
    .destroy = testdev_destroy,
};

static bool open_event(int *fd, struct error *error)
{
    *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *fd >= 0 || error_set(error, ERROR_HOST, errno, "eventfd failed");
}

static bool open_source(struct testdev *testdev, struct event_source *source,
                        event_callback *callback, struct error *error)
{
    source->callback = callback;
    source->context = testdev;
    return open_event(&source->fd, error) && event_loop_add(testdev->loop, source, EPOLLIN, error);
}

static void ask_for_regions(struct testdev *testdev)
{
    struct device_regions *regions = testdev->regions;

    device_regions_add_doorbell(regions, TESTDEV_DOORBELL, ACCESS_32_BIT, testdev->doorbell.fd);
    device_regions_add_doorbell(regions, TESTDEV_MUTE, ACCESS_32_BIT, testdev->mute_fd);
    device_regions_add_doorbell(regions, TESTDEV_ECHO, ACCESS_32_BIT, testdev->echo.fd);
    device_regions_add_loopback(regions, TESTDEV_LOOPBACK, ACCESS_32_BIT);
    device_regions_add_coalesced(regions, TESTDEV_COALESCED, COALESCED_BYTES, false);
    device_regions_add_page(regions, TESTDEV_PAGE, false);
    device_regions_defer(regions);
}

static struct device *testdev_create(const struct device_resources *resources, struct error *error)
{
    struct testdev *testdev = calloc(1, sizeof(*testdev));

    assert(resources->irq && resources->loop && resources->guest_exit && resources->log);
    if (!testdev) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate the test device");
        return NULL;
    }
    testdev->device = (struct device){.ops = &testdev_ops,
                                      .name = testdev_class.name,
                                      .size_bytes = TESTDEV_BYTES,
                                      .has_constant_files = true};
    (void)pthread_mutex_init(&testdev->lock, NULL); /* cannot fail with default attributes */
    testdev->irq = resources->irq;
    testdev->loop = resources->loop;
    testdev->regions = resources->regions;
    testdev->guest_exit = resources->guest_exit;
    testdev->log = resources->log;
    testdev->doorbell.fd = testdev->echo.fd = testdev->mute_fd = NO_FILE;
    if (!open_source(testdev, &testdev->doorbell, on_doorbell, error) ||
        !open_source(testdev, &testdev->echo, on_echo, error) ||
        !open_event(&testdev->mute_fd, error)) {
        testdev_destroy(&testdev->device);
        return NULL;
    }
    ask_for_regions(testdev);
    return &testdev->device;
}

const struct device_class testdev_class = {
    .name = "testdev",
    .purpose = "safe registers to try and to measure accesses, and an exit status",
    .create = testdev_create,
};
