// SPDX-License-Identifier: Apache-2.0
/* Devices that the host's kernel serves: what it is told, and each call that fails. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "devices/vhost.h"
#include "devices/virtio.h"
#include "devices/virtio_vsock.h"
#include "fake_vhost.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 16,
    TX = 0x20000, /* the second queue's share of the driver's memory */
    SEQPACKET = 1,
    CALLS_TO_CREATE = 4,
    CALLS_TO_START = 14,
};

static const uint64_t KERNEL_FEATURES =
    VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
    VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(SEQPACKET) | VIRTIO_FEATURE(26);

static struct virtio_bus bus;
static struct virtqueue_layout tx;
static struct error error;

static struct device *create_vsock(void)
{
    static const struct property property = {"cid", "42"};

    bus.resources.properties = (struct property_list){&property, 1};
    return find_device_class("virtio-vsock")->create(&bus.resources, &error);
}

static void setup(void)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES, .event_index = true};

    fake_vhost_init();
    fake_vhost.features = KERNEL_FEATURES;
    error = (struct error){0};
    virtio_bus_init(&bus, &layout);
    tx = bus.driver.layout;
    tx.descriptors = gpa_add(tx.descriptors, TX);
    tx.driver_area = gpa_add(tx.driver_area, TX);
    tx.device_area = gpa_add(tx.device_area, TX);
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    bus = (struct virtio_bus){0};
}

static void make_vsock(void)
{
    bus.device = create_vsock();
    ck_assert_msg(bus.device, "%s", error.message);
}

static void run_vsock(void)
{
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                                             VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)));
    virtio_bus_put_queue(&bus, VIRTIO_VSOCK_TX, &tx);
    virtio_bus_set_queue(&bus);
}

static uint32_t status(void)
{
    return (uint32_t)device_read32(bus.device, VIRTIO_MMIO_STATUS);
}

START_TEST(rings_go_to_the_kernel_and_come_back)
{
    make_vsock();
    ck_assert_uint_eq(fake_vhost.cid, 42);
    ck_assert_uint_eq(fake_vhost.owned, 1);
    ck_assert_uint_eq(fake_vhost.memory_bytes, DRIVER_MEMORY_BYTES);
    ck_assert_uint_eq(virtio_bus_offered(&bus), KERNEL_FEATURES & ~VIRTIO_FEATURE(26));
    for (unsigned lap = 1; lap <= 2; lap++) {
        run_vsock();
        ck_assert(fake_vhost.running);
        ck_assert_uint_eq(fake_vhost.set_features,
                          VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
        for (int i = VIRTIO_VSOCK_RX; i <= VIRTIO_VSOCK_TX; i++) {
            ck_assert_uint_eq(fake_vhost.rings[i].entries, ENTRIES);
            ck_assert_ptr_eq(fake_vhost.rings[i].descriptors,
                             virtio_driver_at(&bus.driver, i == VIRTIO_VSOCK_TX ? TX : 0));
            ck_assert_int_ge(fake_vhost.rings[i].kick, 0);
        }
        device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
        ck_assert(!fake_vhost.running);
        ck_assert_uint_eq(fake_vhost.stops, lap);
        ck_assert_uint_eq(fake_vhost.taken, 2 * lap);
        ck_assert_int_eq(fake_vhost.rings[0].kick, -1);
    }
}
END_TEST

/* Each queue has its own, in the kernel and for accesses that exit; the worker has the third. */
START_TEST(doorbells_are_told_apart)
{
    make_vsock();
    run_vsock();
    ck_assert_uint_eq(bus.regions.doorbell_count, VIRTIO_VSOCK_QUEUES);
    for (uint32_t i = 0; i < VIRTIO_VSOCK_QUEUES; i++) {
        ck_assert(bus.regions.doorbells[i].match);
        ck_assert_uint_eq(bus.regions.doorbells[i].value, i);
        ck_assert_uint_eq(bus.regions.doorbells[i].offset, VIRTIO_MMIO_QUEUE_NOTIFY);
    }
    for (uint32_t i = VIRTIO_VSOCK_RX; i <= VIRTIO_VSOCK_TX; i++) {
        ck_assert_int_eq(bus.regions.doorbells[i].event_fd, fake_vhost.rings[i].kick);
        device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, i);
        for (uint32_t k = VIRTIO_VSOCK_RX; k <= VIRTIO_VSOCK_TX; k++)
            ck_assert_int_eq(fake_vhost_was_signalled(fake_vhost.rings[k].kick), i == k);
    }
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_VSOCK_EVENT);
}
END_TEST

START_TEST(what_the_kernel_has_interrupts)
{
    make_vsock();
    run_vsock();
    for (unsigned i = 0; i < 3; i++) {
        fake_vhost_signal(fake_vhost.rings[VIRTIO_VSOCK_RX].call);
        ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
    }
    fake_vhost_signal(fake_vhost.rings[VIRTIO_VSOCK_TX].error);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert(status() & VIRTIO_STATUS_NEEDS_RESET);
    ck_assert(!fake_vhost.running);
    run_vsock();
    ck_assert(fake_vhost.running);
}
END_TEST

/* The kernel takes both queues, or nothing. */
START_TEST(a_queue_alone_is_not_served)
{
    make_vsock();
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1)));
    virtio_bus_set_queue(&bus);
    ck_assert_uint_eq(fake_vhost.starts, 0);
    run_vsock();
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_VSOCK_TX);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_READY, 0);
    ck_assert(!fake_vhost.running);
    ck_assert_uint_eq(fake_vhost.taken, 2);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(fake_vhost.stops, 1);
}
END_TEST

START_TEST(a_ring_beyond_memory_goes_nowhere)
{
    make_vsock();
    tx.device_area = GPA(DRIVER_BASE + DRIVER_MEMORY_BYTES - 4);
    run_vsock();
    ck_assert_uint_eq(fake_vhost.starts, 0);
    ck_assert_uint_eq(fake_vhost.calls, CALLS_TO_CREATE);
    ck_assert(status() & VIRTIO_STATUS_NEEDS_RESET);
}
END_TEST

START_TEST(each_call_of_create_fails)
{
    fake_vhost.fail = (unsigned)_i + 1;
    fake_vhost.fail_errno = EIO;
    ck_assert_ptr_null(create_vsock());
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_ptr_nonnull(strstr(error.message, "/dev/vhost-vsock failed: Input/output error"));
}
END_TEST

START_TEST(each_call_of_a_start_fails)
{
    make_vsock();
    fake_vhost.fail = (unsigned)_i + 1;
    fake_vhost.fail_errno = EFAULT;
    run_vsock();
    ck_assert(status() & VIRTIO_STATUS_NEEDS_RESET);
    ck_assert(!fake_vhost.running);
    run_vsock();
    ck_assert(fake_vhost.running);
    ck_assert(!(status() & VIRTIO_STATUS_NEEDS_RESET));
}
END_TEST

/* The device goes on: it is the host's trouble, which the log tells. */
START_TEST(each_call_of_a_stop_fails)
{
    make_vsock();
    run_vsock();
    fake_vhost.fail = (unsigned)_i + 1;
    fake_vhost.fail_errno = EFAULT;
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(status(), 0);
    ck_assert_uint_eq(fake_vhost.fail, 0);
    run_vsock();
    ck_assert(fake_vhost.running);
}
END_TEST

static const struct {
    int code;
    const char *text;
} refusals[] = {
    {ENOENT, "without uds=PATH: cannot open /dev/vhost-vsock (load the module 'vhost_vsock')"},
    {ENODEV, "load the module 'vhost_vsock'"},
    {EACCES, "its group, often 'kvm', has to have this user"},
    {EMFILE, "cannot open /dev/vhost-vsock: Too many open files"},
};

START_TEST(a_device_that_cannot_be_opened)
{
    fake_vhost.open_errno = refusals[_i].code;
    ck_assert_ptr_null(create_vsock());
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_msg(strstr(error.message, refusals[_i].text), "%s", error.message);
}
END_TEST

START_TEST(a_number_that_is_taken)
{
    fake_vhost.fail = 3;
    fake_vhost.fail_errno = EADDRINUSE;
    ck_assert_ptr_null(create_vsock());
    ck_assert_ptr_nonnull(strstr(error.message, "cid=42 is another guest's on this host"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vhost");
    TCase *tests = tcase_create("vsock");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rings_go_to_the_kernel_and_come_back);
    tcase_add_test(tests, doorbells_are_told_apart);
    tcase_add_test(tests, what_the_kernel_has_interrupts);
    tcase_add_test(tests, a_queue_alone_is_not_served);
    tcase_add_test(tests, a_ring_beyond_memory_goes_nowhere);
    tcase_add_loop_test(tests, each_call_of_create_fails, 0, CALLS_TO_CREATE);
    tcase_add_loop_test(tests, each_call_of_a_start_fails, 0, CALLS_TO_START);
    tcase_add_loop_test(tests, each_call_of_a_stop_fails, 0, 5);
    tcase_add_loop_test(tests, a_device_that_cannot_be_opened, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(tests, a_number_that_is_taken);
    suite_add_tcase(suite, tests);
    return suite;
}
