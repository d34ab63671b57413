// SPDX-License-Identifier: Apache-2.0
/* The console by virtio, and ports: bytes both ways, who has what open, and messages about it. */
#include <check.h>
#include <poll.h>
#include <string.h>

#include "devices/virtio.h"
#include "devices/virtio_console.h"
#include "fake_console.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 16,
    SHARES = 6,
    SHARE_BYTES = 0x6000, /* of the driver's memory, for each queue */
    BUFFERS = 0x4000,     /* in a share */
    BUFFER_BYTES = 0x100,
    COLUMNS = VIRTIO_MMIO_CONFIG,
    ROWS = VIRTIO_MMIO_CONFIG + 2,
    MOST_PORTS = VIRTIO_MMIO_CONFIG + 4,
    EMERGENCY_WRITE = VIRTIO_MMIO_CONFIG + 8,
    PORT = 1,
    PORT_RX = 4,
    PORT_TX = 5,
};

static struct virtio_bus bus;
static struct virtio_driver queues[SHARES];
static uint32_t offered[SHARES];
static struct console consoles[2];
static const struct console_port ports[] = {{"agent", &consoles[0]}, {"other", &consoles[1]}};

static void setup(void)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES};

    memset(consoles, 0, sizeof(consoles));
    memset(offered, 0, sizeof(offered));
    virtio_bus_init(&bus, &layout);
    for (uint32_t i = 0; i < SHARES; i++) {
        queues[i] = bus.driver;
        queues[i].memory.host += (size_t)i * SHARE_BYTES;
        queues[i].layout.descriptors = gpa_add(queues[i].layout.descriptors, i * SHARE_BYTES);
        queues[i].layout.driver_area = gpa_add(queues[i].layout.driver_area, i * SHARE_BYTES);
        queues[i].layout.device_area = gpa_add(queues[i].layout.device_area, i * SHARE_BYTES);
    }
    bus.resources.console = &consoles[0];
    bus.resources.ports = ports;
    bus.resources.port_count = 2;
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
}

static void create(const char *name)
{
    struct error error = {0};

    bus.device = find_device_class(name)->create(&bus.resources, &error);
    ck_assert_msg(bus.device, "%s", error.message);
}

/* All queues but the first are put by hand. */
static void start(uint64_t features, uint32_t queue_count)
{
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0); /* its thread leaves the queues alone */
    for (uint32_t i = 0; i < queue_count; i++) {
        memset(virtio_driver_at(&queues[i], 0), 0, SHARE_BYTES);
        queues[i].next_descriptor = queues[i].next_used = 0;
        offered[i] = 0;
    }
    ck_assert(virtio_bus_negotiate(&bus, features | VIRTIO_FEATURE(VIRTIO_F_VERSION_1)));
    for (uint32_t i = 1; i < queue_count; i++)
        virtio_bus_put_queue(&bus, i, &queues[i].layout);
    bus.queue = 0;
    virtio_bus_set_queue(&bus);
}

static uint32_t next_buffer(uint32_t queue)
{
    return BUFFERS + offered[queue]++ % ENTRIES * BUFFER_BYTES;
}

static void add(uint32_t queue, uint32_t at, uint32_t size_bytes, bool writable)
{
    const struct driver_buffer buffer = {queue * SHARE_BYTES + at, size_bytes, writable};

    (void)virtio_driver_add(&queues[queue], &buffer, 1, false);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void wait_used(uint32_t queue, uint32_t *written_bytes)
{
    uint16_t id;

    for (int i = 0; !virtio_driver_reap(&queues[queue], &id, written_bytes); i++) {
        ck_assert_msg(i < 60000, "nothing came back");
        (void)poll(NULL, 0, 1);
    }
}

static void send_bytes(uint32_t queue, const void *bytes, uint32_t size_bytes)
{
    uint32_t at = next_buffer(queue);

    memcpy(virtio_driver_at(&queues[queue], at), bytes, size_bytes);
    add(queue, at, size_bytes, false);
}

static void say(const char *text)
{
    uint32_t written_bytes;

    send_bytes(VIRTIO_CONSOLE_TX, text, (uint32_t)strlen(text));
    wait_used(VIRTIO_CONSOLE_TX, &written_bytes);
}

/* Offers a buffer, and checks what comes in it. */
static void expect(uint32_t queue, const void *bytes, uint32_t size_bytes)
{
    uint32_t at = next_buffer(queue);
    uint32_t written_bytes;

    add(queue, at, BUFFER_BYTES, true);
    wait_used(queue, &written_bytes);
    ck_assert_uint_eq(written_bytes, size_bytes);
    ck_assert_mem_eq(virtio_driver_at(&queues[queue], at), bytes, size_bytes);
}

static void tell(uint32_t port, uint16_t event, uint16_t value)
{
    const struct virtio_console_control control = {port, event, value};
    uint32_t written_bytes;

    send_bytes(VIRTIO_CONSOLE_CONTROL_TX, &control, sizeof(control));
    wait_used(VIRTIO_CONSOLE_CONTROL_TX, &written_bytes);
}

static void expect_control(uint32_t port, uint16_t event, uint16_t value)
{
    const struct virtio_console_control control = {port, event, value};

    expect(VIRTIO_CONSOLE_CONTROL_RX, &control, sizeof(control));
}

static void expect_name(uint32_t port, const char *name)
{
    uint8_t bytes[64];
    const struct virtio_console_control control = {port, VIRTIO_CONSOLE_PORT_NAME, 1};

    memcpy(bytes, &control, sizeof(control));
    memcpy(bytes + sizeof(control), name, strlen(name));
    expect(VIRTIO_CONSOLE_CONTROL_RX, bytes, (uint32_t)(sizeof(control) + strlen(name)));
}

static void come(struct console *console, bool present)
{
    console->client.peer_changed(console->client.context, present);
}

/* ---- the console ---- */

static void start_console(void)
{
    create("virtio-console");
    start(VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE) | VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE),
          VIRTIO_CONSOLE_CONSOLE_QUEUES);
}

START_TEST(what_the_guest_says_is_heard)
{
    start_console();
    say("hello ");
    say("world");
    ck_assert_str_eq(consoles[0].output, "hello world");
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bytes_from_guest"), 11);
}
END_TEST

START_TEST(a_console_without_room_is_waited_for)
{
    uint32_t written_bytes;
    uint16_t id;

    start_console();
    consoles[0].full = true;
    send_bytes(VIRTIO_CONSOLE_TX, "kept", 4);
    send_bytes(VIRTIO_CONSOLE_TX, " too", 4);
    while (virtio_bus_counter(&bus, "stalls") == 0)
        (void)poll(NULL, 0, 1);
    ck_assert(!virtio_driver_reap(&queues[VIRTIO_CONSOLE_TX], &id, &written_bytes));
    fake_console_drain(&consoles[0]);
    wait_used(VIRTIO_CONSOLE_TX, &written_bytes);
    wait_used(VIRTIO_CONSOLE_TX, &written_bytes);
    ck_assert_str_eq(consoles[0].output, "kept too");
}
END_TEST

START_TEST(what_is_typed_waits_for_a_driver)
{
    const struct console_client *client = &consoles[0].client;

    create("virtio-console");
    ck_assert(!client->listens(client->context));
    ck_assert_uint_eq(fake_console_type(&consoles[0], "early"), 0);
    start(0, VIRTIO_CONSOLE_CONSOLE_QUEUES);
    while (!client->listens(client->context))
        (void)poll(NULL, 0, 1);
    ck_assert_uint_ge(consoles[0].resumes, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "early"), 5);
    expect(VIRTIO_CONSOLE_RX, "early", 5);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert(!client->listens(client->context));
}
END_TEST

START_TEST(input_is_taken_as_far_as_there_is_room)
{
    static char much[40000];
    size_t taken = 0, came = 0;

    create("virtio-console");
    start(0, VIRTIO_CONSOLE_CONSOLE_QUEUES);
    for (size_t i = 0; i < sizeof(much) - 1; i++)
        much[i] = (char)('a' + i % 23);
    while ((taken = fake_console_type(&consoles[0], much)) == 0)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_eq(taken, 32768);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "x"), 0);
    unsigned resumes = consoles[0].resumes;
    for (; came < taken; came += BUFFER_BYTES)
        expect(VIRTIO_CONSOLE_RX, much + came, BUFFER_BYTES);
    ck_assert_uint_eq(consoles[0].resumes, resumes + 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "more"), 4);
    expect(VIRTIO_CONSOLE_RX, "more", 4);
}
END_TEST

START_TEST(the_size_of_the_terminal)
{
    start_console();
    ck_assert_uint_eq(device_read32(bus.device, COLUMNS), 0);
    consoles[0].client.resized(consoles[0].client.context, 132, 50);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, COLUMNS, ACCESS_16_BIT), 132);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, ROWS, ACCESS_16_BIT), 50);
    consoles[0].client.resized(consoles[0].client.context, 132, 50);
    ck_assert_uint_eq(device_read32(bus.device, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

START_TEST(an_emergency_needs_no_queue)
{
    create("virtio-console");
    device_write32(bus.device, EMERGENCY_WRITE, 'p');
    device_write32(bus.device, EMERGENCY_WRITE, 0x12345600 | 'q');
    device_write32(bus.device, COLUMNS, 'r');
    ck_assert_str_eq(consoles[0].output, "pq");
    ck_assert_uint_eq(device_read32(bus.device, COLUMNS), 0);
}
END_TEST

/* ---- ports ---- */

static void start_ports(void)
{
    create("virtio-ports");
    ck_assert_uint_eq(device_read32(bus.device, MOST_PORTS), 3);
    start(VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT), SHARES);
}

static void open_port(void)
{
    start_ports();
    tell(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    expect_control(PORT, VIRTIO_CONSOLE_DEVICE_ADD, 1);
    expect_control(2, VIRTIO_CONSOLE_DEVICE_ADD, 1);
    tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
    expect_name(PORT, "agent");
    tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

START_TEST(ports_are_told_of)
{
    open_port();
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(2, VIRTIO_CONSOLE_PORT_READY, 1);
    expect_name(2, "other");
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bad_messages"), 0);
}
END_TEST

START_TEST(bytes_both_ways)
{
    uint32_t written_bytes;

    open_port();
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "ping"), 4);
    expect(PORT_RX, "ping", 4);
    send_bytes(PORT_TX, "pong", 4);
    wait_used(PORT_TX, &written_bytes);
    ck_assert_str_eq(consoles[0].output, "pong");
    ck_assert_str_eq(consoles[1].output, "");
}
END_TEST

START_TEST(a_port_that_is_closed_takes_nothing)
{
    open_port();
    tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 0);
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "wait"), 0);
    unsigned resumes = consoles[0].resumes;
    tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(consoles[0].resumes, resumes + 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "wait"), 4);
    expect(PORT_RX, "wait", 4);
}
END_TEST

/* The guest hears that somebody left behind their last byte, and before the next one's first. */
START_TEST(one_peer_after_the_other)
{
    open_port();
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "last"), 4);
    come(&consoles[0], false);
    come(&consoles[0], true);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "first"), 0);
    expect(PORT_RX, "last", 4);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 0);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "first"), 5);
    expect(PORT_RX, "first", 5);
}
END_TEST

START_TEST(who_came_and_left_unseen)
{
    open_port();
    come(&consoles[0], true);
    come(&consoles[0], false);
    tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
    expect_name(PORT, "agent");
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "new"), 3);
}
END_TEST

START_TEST(a_reset_forgets_the_driver)
{
    open_port();
    come(&consoles[0], true);
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "old"), 3);
    start(VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT), SHARES);
    ck_assert_uint_eq(fake_console_type(&consoles[0], "new"), 0);
    tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
    expect_name(PORT, "agent");
    expect_control(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
    expect(PORT_RX, "old", 3);
}
END_TEST

START_TEST(messages_that_make_no_sense)
{
    uint32_t written_bytes;

    open_port();
    tell(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(3, VIRTIO_CONSOLE_PORT_READY, 1);
    tell(UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(PORT, VIRTIO_CONSOLE_RESIZE, 1);
    send_bytes(VIRTIO_CONSOLE_CONTROL_TX, "short", 5);
    wait_used(VIRTIO_CONSOLE_CONTROL_TX, &written_bytes);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bad_messages"), 5);
    /* A buffer too small for what is told. */
    tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
    add(VIRTIO_CONSOLE_CONTROL_RX, BUFFERS, 9, true);
    wait_used(VIRTIO_CONSOLE_CONTROL_RX, &written_bytes);
    ck_assert_uint_eq(written_bytes, 0);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bad_messages"), 6);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_console");
    TCase *console = tcase_create("console");
    TCase *serial = tcase_create("ports");

    tcase_add_checked_fixture(console, setup, teardown);
    tcase_add_test(console, what_the_guest_says_is_heard);
    tcase_add_test(console, a_console_without_room_is_waited_for);
    tcase_add_test(console, what_is_typed_waits_for_a_driver);
    tcase_add_test(console, input_is_taken_as_far_as_there_is_room);
    tcase_add_test(console, the_size_of_the_terminal);
    tcase_add_test(console, an_emergency_needs_no_queue);
    suite_add_tcase(suite, console);
    tcase_add_checked_fixture(serial, setup, teardown);
    tcase_add_test(serial, ports_are_told_of);
    tcase_add_test(serial, bytes_both_ways);
    tcase_add_test(serial, a_port_that_is_closed_takes_nothing);
    tcase_add_test(serial, one_peer_after_the_other);
    tcase_add_test(serial, who_came_and_left_unseen);
    tcase_add_test(serial, a_reset_forgets_the_driver);
    tcase_add_test(serial, messages_that_make_no_sense);
    suite_add_tcase(suite, serial);
    return suite;
}
