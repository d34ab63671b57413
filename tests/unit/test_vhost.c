// SPDX-License-Identifier: Apache-2.0
/* Devices that the host's kernel serves: what it is told, and each call that fails. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost.h"
#include "devices/virtio.h"
#include "devices/virtio_net.h"
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
    CALLS_TO_RUN_NET = 18, /* 3 to create */
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

START_TEST(a_line_with_events_is_the_kernels)
{
    const int event_fd = 77; /* nobody writes to it */

    make_vsock();
    bus.irq.event_fd = event_fd;
    bus.regions.incapable = false;
    run_vsock();
    ck_assert_int_eq(fake_vhost.rings[VIRTIO_VSOCK_RX].call, event_fd);
    ck_assert_int_eq(fake_vhost.rings[VIRTIO_VSOCK_TX].call, event_fd);
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_INTERRUPT_STATUS),
                      VIRTIO_INTERRUPT_USED_BUFFER);

    bus.irq.event_fd = IRQ_NO_EVENT;
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    run_vsock();
    ck_assert_int_ne(fake_vhost.rings[VIRTIO_VSOCK_RX].call, event_fd);
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

/* ---- vhost-net ---- */

static struct event_loop loop;

static struct device *create_net(const struct property *items, size_t count)
{
    bus.resources.properties = (struct property_list){items, count};
    bus.resources.loop = &loop;
    return find_device_class("virtio-net")->create(&bus.resources, &error);
}

/* With a TAP of so many pairs of queues. */
static void make_net(const char *pairs, const char *vhost)
{
    const struct property items[] = {{"tap", "vnet0"}, {"queues", pairs}, {"vhost", vhost}};

    bus.device = create_net(items, 3);
    ck_assert_msg(bus.device, "%s", error.message);
}

static void run_net(uint64_t features, uint32_t queues)
{
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | features));
    for (uint32_t i = 0; i < queues; i++)
        if (i != bus.queue)
            virtio_bus_put_queue(&bus, i, &tx);
    virtio_bus_set_queue(&bus);
}

START_TEST(frames_are_the_kernels)
{
    fake_vhost.features |= VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
    make_net("1", "on");
    ck_assert_uint_eq(fake_vhost.opened, 1);
    ck_assert_uint_eq(bus.device->counter_count, 0);
    ck_assert(!(virtio_bus_offered(&bus) & VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)));
    for (unsigned lap = 1; lap <= 2; lap++) {
        run_net(VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
                    VIRTIO_FEATURE(VIRTIO_NET_F_MAC),
                2);
        ck_assert_uint_eq(fake_vhost.set_features, VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                                                       VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
        ck_assert_uint_ne(fake_vhost.offloads, 0);
        ck_assert_int_ge(fake_vhost.rings[0].tap, 0);
        ck_assert_int_eq(fake_vhost.rings[0].tap, fake_vhost.rings[1].tap);
        ck_assert_int_ne(fake_vhost.rings[0].kick, fake_vhost.rings[1].kick);
        fake_vhost_signal(fake_vhost.rings[0].call);
        ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
        device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, 1);
        device_write32(bus.device, VIRTIO_MMIO_QUEUE_READY, 0);
        ck_assert_int_eq(fake_vhost.rings[1].tap, -1);
        ck_assert_int_ge(fake_vhost.rings[0].tap, 0);
        device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
        ck_assert_int_eq(fake_vhost.rings[0].tap, -1);
        ck_assert_uint_eq(fake_vhost.stops, 2 * lap);
        ck_assert_uint_eq(fake_vhost.taken, 2 * lap);
    }
}
END_TEST

/* What the driver's command for `pairs` pairs comes to. */
static uint8_t command(uint16_t pairs)
{
    static const struct driver_buffer buffers[] = {{DRIVER_BUFFERS, 4, false},
                                                   {DRIVER_BUFFERS + 4, 1, true}};
    uint8_t *at = virtio_driver_at(&bus.driver, DRIVER_BUFFERS);

    at[0] = VIRTIO_NET_CTRL_MQ;
    at[1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
    at[2] = (uint8_t)pairs;
    at[3] = 0;
    at[4] = UINT8_MAX;
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 1);
    return at[4];
}

START_TEST(the_control_queue_is_the_workers)
{
    make_net("2", "on");
    ck_assert_uint_eq(fake_vhost.opened, 2);
    ck_assert_uint_eq(fake_vhost.attached, 1);
    bus.queue = 4;
    run_net(VIRTIO_FEATURE(VIRTIO_NET_F_MQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ), 5);
    ck_assert_uint_eq(fake_vhost.starts, 4);
    ck_assert_uint_eq(command(2), VIRTIO_NET_OK);
    ck_assert_uint_eq(fake_vhost.attached, 2);
    ck_assert_uint_eq(command(3), VIRTIO_NET_ERR);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(fake_vhost.stops, 4);
    ck_assert_uint_eq(fake_vhost.attached, 1);
}
END_TEST

/* It is behind the first pair then; at the next start, with both, its place is the kernel's. */
START_TEST(a_control_queue_without_several_pairs)
{
    make_net("2", "on");
    bus.queue = 2;
    run_net(VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ), 3);
    ck_assert_uint_eq(fake_vhost.starts, 2);
    ck_assert_uint_eq(command(1), VIRTIO_NET_ERR);
    bus.queue = 4;
    run_net(VIRTIO_FEATURE(VIRTIO_NET_F_MQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ), 5);
    ck_assert_uint_eq(fake_vhost.stops, 2);
    ck_assert_uint_eq(fake_vhost.starts, 2 + 4);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
    ck_assert(fake_vhost_was_signalled(bus.regions.doorbells[2].event_fd));
}
END_TEST

START_TEST(each_call_of_a_net_fails)
{
    static const struct property items[] = {{"tap", "vnet0"}, {"vhost", "on"}};

    fake_vhost.fail = (unsigned)_i + 1;
    fake_vhost.fail_errno = EIO;
    bus.device = create_net(items, 2);
    if (!bus.device) {
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_ptr_nonnull(strstr(error.message, "/dev/vhost-net failed: Input/output error"));
        return;
    }
    run_net(0, 2);
    ck_assert(status() & VIRTIO_STATUS_NEEDS_RESET);
    ck_assert_int_eq(fake_vhost.rings[0].tap, -1);
    ck_assert_int_eq(fake_vhost.rings[1].tap, -1);
    run_net(0, 2);
    ck_assert(!(status() & VIRTIO_STATUS_NEEDS_RESET));
}
END_TEST

START_TEST(a_net_cannot_be_taken_back)
{
    make_net("1", "on");
    run_net(0, 2);
    fake_vhost.fail = (unsigned)_i + 1;
    fake_vhost.fail_errno = EIO;
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(fake_vhost.fail, 0);
    run_net(0, 2);
    ck_assert(!(status() & VIRTIO_STATUS_NEEDS_RESET));
}
END_TEST

static void drop_device(void)
{
    bus.device->ops->destroy(bus.device);
    bus.device = NULL;
    fake_regions_init(&bus.regions);
}

/* Armlet moves the frames itself then, and counts them. */
START_TEST(auto_does_without)
{
    static const struct property limited[] = {{"tap", "vnet0"}, {"operations", "1000"}};

    make_net("1", "off");
    ck_assert_uint_eq(virtio_bus_counter(&bus, "frames_sent"), 0);
    drop_device();
    bus.device = create_net(limited, 2);
    ck_assert_msg(bus.device, "%s", error.message);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "frames_sent"), 0);
    ck_assert_uint_eq(fake_vhost.opened, 0);
    drop_device();
    fake_vhost.open_errno = ENOENT;
    make_net("1", "auto");
    ck_assert_uint_eq(virtio_bus_counter(&bus, "frames_sent"), 0);
}
END_TEST

START_TEST(what_vhost_net_cannot)
{
    static const struct {
        struct property properties[3];
        enum error_code code;
        const char *text;
    } wrong[] = {
        {{{"tap", "a"}, {"vhost", "maybe"}}, ERROR_USAGE, "vhost=maybe: must be on, off or auto"},
        {{{"tap", "a"}, {"vhost", "on"}, {"bandwidth", "1M"}}, ERROR_USAGE, "goes without"},
        {{{"fd", "?"}, {"vhost", "on"}}, ERROR_USAGE, "goes with a TAP"},
        {{{"tap", "a"}, {"vhost", "on"}}, ERROR_HOST, "load the module 'vhost_net'"},
    };
    struct property items[3];
    char fd[16];
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    (void)snprintf(fd, sizeof(fd), "%d", ends[0]);
    fake_vhost.open_errno = ENOENT;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memcpy(items, wrong[i].properties, sizeof(items));
        if (strcmp(items[0].key, "fd") == 0)
            items[0].value = fd;
        fake_regions_init(&bus.regions);
        ck_assert_ptr_null(create_net(items, items[2].key ? 3 : 2));
        ck_assert_int_eq(error.code, wrong[i].code);
        ck_assert_msg(strstr(error.message, wrong[i].text), "%s", error.message);
    }
    (void)close(ends[1]);
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
    tcase_add_test(tests, a_line_with_events_is_the_kernels);
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
    tests = tcase_create("net");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, frames_are_the_kernels);
    tcase_add_test(tests, the_control_queue_is_the_workers);
    tcase_add_test(tests, a_control_queue_without_several_pairs);
    tcase_add_loop_test(tests, each_call_of_a_net_fails, 0, CALLS_TO_RUN_NET);
    tcase_add_loop_test(tests, a_net_cannot_be_taken_back, 0, 6);
    tcase_add_test(tests, auto_does_without);
    tcase_add_test(tests, what_vhost_net_cannot);
    suite_add_tcase(suite, tests);
    return suite;
}
