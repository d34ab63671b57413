// SPDX-License-Identifier: Apache-2.0
/* Sockets between guest and host: each packet that there is, and those that shouldn't be. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio.h"
#include "devices/virtio_vsock.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 16,
    TX = 0x20000, /* the second queue's share of the driver's memory */
    RX_BYTES = 0x1000,
    SPACE = 1 << 20,
    CID = 42,
    PATIENCE_MS = 30000,
    HEADER = VIRTIO_VSOCK_HEADER_BYTES,
    GUEST_PORT = 1024,
    HOST_PORT = 77,
    SILENT = 70, /* more than are heard at once */
};

static struct virtio_bus bus;
static struct virtio_driver tx;
static char directory[] = "/tmp/armlet-vsock-XXXXXX";
static char path[64], service_path[80];
static struct host_socket host_socket;
static int service = -1;
static uint32_t rx_offered;

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, strlen(name));
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 2 * SILENT), 0);
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&file, 1, PATIENCE_MS), 1);
}

static void offer_rx(void)
{
    const struct driver_buffer buffer = {DRIVER_BUFFERS + rx_offered++ % ENTRIES * RX_BYTES,
                                         RX_BYTES, true};

    (void)virtio_driver_add(&bus.driver, &buffer, 1, false);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_VSOCK_RX);
}

static void start(void)
{
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1)));
    virtio_bus_put_queue(&bus, VIRTIO_VSOCK_TX, &tx.layout);
    virtio_bus_set_queue(&bus);
    rx_offered = 0;
    for (int i = 0; i < ENTRIES / 2; i++)
        offer_rx();
}

static void setup(void)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES};
    const struct property property = {"cid", "42"};
    struct error error = {0};

    (void)strcpy(directory, "/tmp/armlet-vsock-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/s", directory);
    (void)snprintf(service_path, sizeof(service_path), "%s_%d", path, HOST_PORT);
    host_socket = (struct host_socket){listen_at(path), path};
    service = listen_at(service_path);
    virtio_bus_init(&bus, &layout);
    tx = bus.driver;
    tx.memory.host += TX;
    tx.layout.descriptors = gpa_add(tx.layout.descriptors, TX);
    tx.layout.driver_area = gpa_add(tx.layout.driver_area, TX);
    tx.layout.device_area = gpa_add(tx.layout.device_area, TX);
    bus.resources.host_socket = &host_socket;
    bus.resources.properties = (struct property_list){&property, 1};
    bus.device = find_device_class("virtio-vsock")->create(&bus.resources, &error);
    ck_assert_msg(bus.device, "%s", error.message);
    start();
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    (void)close(host_socket.fd);
    (void)close(service);
    (void)unlink(path);
    (void)unlink(service_path);
    (void)rmdir(directory);
}

/* ---- packets ---- */

static struct virtio_vsock_header packet(enum virtio_vsock_op op, uint32_t host_port)
{
    return (struct virtio_vsock_header){
        .source_cid = CID,
        .target_cid = VIRTIO_VSOCK_CID_HOST,
        .source_port = GUEST_PORT,
        .target_port = host_port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = (uint16_t)op,
        .space_bytes = SPACE,
    };
}

/* Sends a packet with so many bytes of data behind it, and waits until the device has taken it. */
static void send_with(const struct virtio_vsock_header *header, const void *data, uint32_t bytes)
{
    const struct driver_buffer buffers[] = {{TX + DRIVER_BUFFERS, HEADER, false},
                                            {TX + DRIVER_BUFFERS + HEADER, bytes, false}};
    uint16_t id;
    uint32_t written;

    memcpy(virtio_driver_at(&tx, DRIVER_BUFFERS), header, HEADER);
    if (bytes > 0)
        memcpy(virtio_driver_at(&tx, DRIVER_BUFFERS + HEADER), data, bytes);
    (void)virtio_driver_add(&tx, buffers, bytes > 0 ? 2 : 1, false);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_VSOCK_TX);
    while (!virtio_driver_reap(&tx, &id, &written))
        (void)poll(NULL, 0, 1);
    ck_assert_uint_eq(written, 0);
}

static void send_op(enum virtio_vsock_op op, uint32_t host_port, uint32_t flags)
{
    struct virtio_vsock_header header = packet(op, host_port);

    header.flags = flags;
    send_with(&header, NULL, 0);
}

static void send_data(uint32_t host_port, const void *data, uint32_t bytes)
{
    struct virtio_vsock_header header = packet(VIRTIO_VSOCK_OP_RW, host_port);

    header.data_bytes = bytes;
    send_with(&header, data, bytes);
}

/* The next packet for the guest; its data follows the header. */
static const struct virtio_vsock_header *receive(enum virtio_vsock_op op, uint32_t data_bytes)
{
    static uint8_t bytes[RX_BYTES];
    uint32_t slot = bus.driver.next_used % ENTRIES;
    uint32_t written = virtio_bus_reap(&bus);
    const struct virtio_vsock_header *header = (const void *)bytes;

    ck_assert_uint_eq(written, HEADER + data_bytes);
    memcpy(bytes, virtio_driver_at(&bus.driver, DRIVER_BUFFERS + slot * RX_BYTES), written);
    offer_rx();
    ck_assert_uint_eq(header->op, op);
    ck_assert_uint_eq(header->data_bytes, data_bytes);
    ck_assert_uint_eq(header->target_cid, CID);
    return header;
}

static int connect_from_guest(void)
{
    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST_PORT, 0);
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_RESPONSE, 0)->source_port, HOST_PORT);
    wait_readable(service);
    int fd = accept(service, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int connect_client(const char *greeting)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(write(fd, greeting, strlen(greeting)), (ssize_t)strlen(greeting));
    return fd;
}

static void check_end(int fd)
{
    char byte;

    wait_readable(fd);
    ck_assert_int_le(read(fd, &byte, 1), 0);
    (void)close(fd);
}

/* ---- from the guest ---- */

START_TEST(the_guest_connects_and_both_talk)
{
    char bytes[16] = "";
    int fd = connect_from_guest();

    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_CONFIG), CID);
    send_data(HOST_PORT, "hello", 5);
    wait_readable(fd);
    ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 5);
    ck_assert_str_eq(bytes, "hello");
    ck_assert_int_eq(write(fd, "world", 5), 5);
    const struct virtio_vsock_header *header = receive(VIRTIO_VSOCK_OP_RW, 5);
    ck_assert_int_eq(memcmp(header + 1, "world", 5), 0);
    ck_assert_uint_eq(header->forwarded, 5);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bytes_to_host"), 5);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bytes_to_guest"), 5);
    send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, HOST_PORT, 0);
    (void)receive(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);

    /* The host ends its half, then the guest all. */
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_SHUTDOWN, 0)->flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
    send_data(HOST_PORT, "more", 4);
    send_op(VIRTIO_VSOCK_OP_SHUTDOWN, HOST_PORT, VIRTIO_VSOCK_SHUTDOWN);
    (void)receive(VIRTIO_VSOCK_OP_RST, 0);
    ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 4);
    check_end(fd);
}
END_TEST

START_TEST(nobody_is_there)
{
    struct virtio_vsock_header header = packet(VIRTIO_VSOCK_OP_REQUEST, HOST_PORT);

    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST_PORT + 1, 0);
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_RST, 0)->source_port, HOST_PORT + 1);
    header.target_cid = 9;
    send_with(&header, NULL, 0);
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_RST, 0)->source_cid, 9);
    header = packet(VIRTIO_VSOCK_OP_REQUEST, HOST_PORT);
    header.type = 2;
    send_with(&header, NULL, 0);
    (void)receive(VIRTIO_VSOCK_OP_RST, 0);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "connections_refused"), 3);
    /* Without a connection everything but an RST is answered by one. */
    for (enum virtio_vsock_op op = VIRTIO_VSOCK_OP_RESPONSE; op <= 8; op++)
        send_op(op, HOST_PORT, 0);
    for (int i = 0; i < 6; i++)
        (void)receive(VIRTIO_VSOCK_OP_RST, 0);
    header.source_cid = CID + 1;
    send_with(&header, NULL, 0);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bad_packets"), 1);
}
END_TEST

START_TEST(what_makes_no_sense_ends_a_connection)
{
    static const enum virtio_vsock_op ops[] = {VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
                                               VIRTIO_VSOCK_OP_INVALID, 8, VIRTIO_VSOCK_OP_RW};
    struct virtio_vsock_header header = packet(ops[_i], HOST_PORT);
    int fd = connect_from_guest();

    header.data_bytes = 100; /* more than there is */
    send_with(&header, NULL, 0);
    (void)receive(VIRTIO_VSOCK_OP_RST, 0);
    check_end(fd);
}
END_TEST

/* A reader that is slow: as much as was promised is kept, and what is beyond ends it. */
START_TEST(credit_is_kept_to)
{
    static uint8_t bytes[0x4000];
    uint64_t sent = 0, got = 0;
    int fd = connect_from_guest();

    while (virtio_bus_counter(&bus, "packets_kept") < 4) {
        memset(bytes, (int)(sent / sizeof(bytes)), sizeof(bytes));
        send_data(HOST_PORT, bytes, sizeof(bytes));
        sent += sizeof(bytes);
    }
    /* The guest closes: the host still gets it all. */
    if (_i == 0) {
        send_op(VIRTIO_VSOCK_OP_SHUTDOWN, HOST_PORT, VIRTIO_VSOCK_SHUTDOWN);
        send_op(VIRTIO_VSOCK_OP_RST, HOST_PORT, 0);
        while (got < sent) {
            uint8_t part[0x1000];

            wait_readable(fd);
            ssize_t count = read(fd, part, sizeof(part));
            ck_assert_int_gt(count, 0);
            for (ssize_t i = 0; i < count; i++)
                ck_assert_uint_eq(part[i], (uint8_t)((got + (uint64_t)i) / sizeof(bytes)));
            got += (uint64_t)count;
        }
        check_end(fd);
        return;
    }
    for (int i = 0; i < 64 && virtio_bus_counter(&bus, "resets_sent") == 0; i++)
        send_data(HOST_PORT, bytes, sizeof(bytes));
    ck_assert_uint_ge(virtio_bus_counter(&bus, "resets_sent"), 1);
    (void)close(fd);
}
END_TEST

START_TEST(a_guest_without_room_is_asked)
{
    struct virtio_vsock_header header = packet(VIRTIO_VSOCK_OP_REQUEST, HOST_PORT);

    header.space_bytes = 4;
    send_with(&header, NULL, 0);
    (void)receive(VIRTIO_VSOCK_OP_RESPONSE, 0);
    int fd = accept(service, NULL, NULL);
    ck_assert_int_eq(write(fd, "abcdef", 6), 6);
    (void)receive(VIRTIO_VSOCK_OP_RW, 4);
    (void)receive(VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
    header = packet(VIRTIO_VSOCK_OP_CREDIT_UPDATE, HOST_PORT);
    header.space_bytes = 4;
    header.forwarded = 4;
    send_with(&header, NULL, 0);
    ck_assert_int_eq(memcmp(receive(VIRTIO_VSOCK_OP_RW, 2) + 1, "ef", 2), 0);
    (void)close(fd);
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_SHUTDOWN, 0)->flags & VIRTIO_VSOCK_SHUTDOWN_SEND,
                      VIRTIO_VSOCK_SHUTDOWN_SEND);
    send_op(VIRTIO_VSOCK_OP_RST, HOST_PORT, 0);
}
END_TEST

/* ---- from the host ---- */

START_TEST(a_client_connects)
{
    char line[32] = "";
    int fd = connect_client("CONNECT 1024\nearly");
    uint32_t port = receive(VIRTIO_VSOCK_OP_REQUEST, 0)->source_port;

    send_op(VIRTIO_VSOCK_OP_RESPONSE, port, 0);
    ck_assert_int_eq(memcmp(receive(VIRTIO_VSOCK_OP_RW, 5) + 1, "early", 5), 0);
    wait_readable(fd);
    ck_assert_int_gt(read(fd, line, sizeof(line)), 0);
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "OK %u\n", port);
    ck_assert_str_eq(line, expected);
    (void)close(fd);
    (void)receive(VIRTIO_VSOCK_OP_SHUTDOWN, 0);
    /* What the guest sends to nobody is no reason to lose what it hasn't read. */
    send_data(port, "late", 4);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "connections_from_host"), 1);
    send_op(VIRTIO_VSOCK_OP_RST, port, 0);
}
END_TEST

START_TEST(a_client_is_refused)
{
    static const char *const greetings[] = {
        "HELLO\n",       "CONNECT\n",
        "CONNECT x\n",   "CONNECT 4294967295\n",
        "CONNECT 1 2\n", "CONNECT 00000000000000000000000000000000000001\n"};

    for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++)
        check_end(connect_client(greetings[i]));
    int fd = connect_client("connect 1024\r\n");
    uint32_t port = receive(VIRTIO_VSOCK_OP_REQUEST, 0)->source_port;
    send_op(VIRTIO_VSOCK_OP_RST, port, 0);
    check_end(fd);
    (void)close(connect_client("CONN"));
}
END_TEST

/* Who says nothing, or not all of a line, is sent away in time for who waits behind them. */
START_TEST(clients_that_say_nothing)
{
    int silent[SILENT];

    for (size_t i = 0; i < SILENT; i++)
        silent[i] = connect_client(i % 2 ? "CONN" : "");
    int fd = connect_client("CONNECT 1024\n");
    ck_assert_uint_eq(receive(VIRTIO_VSOCK_OP_REQUEST, 0)->target_port, GUEST_PORT);
    for (size_t i = 0; i < SILENT; i++)
        check_end(silent[i]);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "connections_refused"), SILENT);
    (void)close(fd);
}
END_TEST

START_TEST(a_reset_ends_all)
{
    int fd = connect_from_guest();

    if (_i == 0)
        device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    else /* a broken queue */
        virtio_driver_add(&tx, &(struct driver_buffer){1 << 30, 1, false}, 1, false);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_VSOCK_TX);
    check_end(fd);
}
END_TEST

START_TEST(wrong_properties_are_refused)
{
    static const struct {
        struct property property;
        bool has_socket;
        const char *text;
    } wrong[] = {
        {{"cid", "2"}, true, "cid"},
        {{"cid", "0xffffffff"}, true, "cid"},
        {{"uds", "x"}, true, "cid=NUMBER is missing"},
        {{"cib", "3"}, true, "did you mean 'cid'"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error error = {0};

        fake_regions_init(&bus.regions);
        bus.resources.properties = (struct property_list){&wrong[i].property, 1};
        bus.resources.host_socket = wrong[i].has_socket ? &host_socket : NULL;
        ck_assert_ptr_null(find_device_class("virtio-vsock")->create(&bus.resources, &error));
        ck_assert_int_eq(error.code, ERROR_USAGE);
        ck_assert_msg(strstr(error.message, wrong[i].text), "%s", error.message);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_vsock");
    TCase *tests = tcase_create("sockets");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_guest_connects_and_both_talk);
    tcase_add_test(tests, nobody_is_there);
    tcase_add_loop_test(tests, what_makes_no_sense_ends_a_connection, 0, 5);
    tcase_add_loop_test(tests, credit_is_kept_to, 0, 2);
    tcase_add_test(tests, a_guest_without_room_is_asked);
    tcase_add_test(tests, a_client_connects);
    tcase_add_test(tests, a_client_is_refused);
    tcase_add_test(tests, clients_that_say_nothing);
    tcase_add_loop_test(tests, a_reset_ends_all, 0, 2);
    tcase_add_test(tests, wrong_properties_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
