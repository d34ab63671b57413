// SPDX-License-Identifier: Apache-2.0
/* The network device: frames both ways over each kind of socket, and what drivers get wrong. */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/builtin.h"
#include "devices/virtio.h"
#include "devices/virtio_net.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    FRAME_BYTES = 100,
    LONG_FRAME_BYTES = 9000,
    BUFFER_BYTES = 2048,
    ENTRIES = 16,
    RECEIVE = 0,
    SEND = 1,
    OURS = 0,
    THEIRS = 1,
};

static struct virtio_bus bus;
static struct event_loop loop;
static struct error error;
static int ends[2];
static char fd_text[16];
static const char *mtu; /* what start() gives, if any */
static uint8_t frame[LONG_FRAME_BYTES];
static char directory[64], script[96], path[128];

static const struct virtqueue_layout split = {.entries = ENTRIES, .event_index = true};
static const struct virtqueue_layout packed = {.entries = ENTRIES, .packed = true};

static struct device *create(const struct property *items, size_t count)
{
    bus.resources.properties = (struct property_list){items, count};
    bus.resources.loop = &loop;
    return virtio_net_class.create(&bus.resources, &error);
}

/* A device whose link is a socket, with a driver for one queue. */
static void start(int type, uint32_t queue, const struct virtqueue_layout *layout,
                  uint64_t features)
{
    ck_assert_int_eq(socketpair(AF_UNIX, type, 0, ends), 0);
    (void)snprintf(fd_text, sizeof(fd_text), "%d", ends[OURS]);
    const struct property items[] = {{"fd", fd_text}, {"mac", "02:00:00:00:00:07"}, {"mtu", mtu}};

    virtio_bus_init(&bus, layout);
    bus.queue = queue;
    bus.device = create(items, sizeof(items) / sizeof(items[0]) - !mtu);
    ck_assert_msg(bus.device, "%s", error.message);
    virtio_bus_start(&bus, features);
    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(i * 7);
}

static void setup(void)
{
    ends[OURS] = ends[THEIRS] = -1;
    mtu = NULL;
    loop = (struct event_loop){0};
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
    bus = (struct virtio_bus){0};
    if (ends[THEIRS] >= 0)
        (void)close(ends[THEIRS]);
}

static void add_receive_buffers(unsigned count, uint32_t size_bytes)
{
    for (unsigned i = 0; i < count; i++) {
        const struct driver_buffer buffer = {DRIVER_BUFFERS + i * BUFFER_BYTES, size_bytes, true};

        (void)virtio_driver_add(&bus.driver, &buffer, 1, false);
    }
    virtio_bus_notify(&bus);
}

static void from_host(int type, size_t bytes)
{
    uint32_t length = htonl((uint32_t)bytes);

    if (type == SOCK_STREAM)
        ck_assert_int_eq(write(ends[THEIRS], &length, sizeof(length)), sizeof(length));
    ck_assert_int_eq(write(ends[THEIRS], frame, bytes), (ssize_t)bytes);
}

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static void check_config(void)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 7};

    for (size_t i = 0; i < sizeof(mac); i++)
        ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG + i, ACCESS_8_BIT),
                          mac[i]);
}

static uint64_t link_status(void)
{
    return bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG + sizeof(uint8_t[6]),
                                 ACCESS_16_BIT);
}

START_TEST(frames_come_in)
{
    start(types[_i], RECEIVE, &split, 0);
    check_config();
    ck_assert_uint_eq(link_status(), VIRTIO_NET_S_LINK_UP);
    for (unsigned lap = 0; lap < 3 * ENTRIES; lap++) {
        const uint8_t *at = virtio_driver_at(&bus.driver, DRIVER_BUFFERS);

        add_receive_buffers(1, BUFFER_BYTES);
        from_host(types[_i], FRAME_BYTES);
        ck_assert_uint_eq(virtio_bus_reap(&bus), VIRTIO_NET_HEADER_BYTES + FRAME_BYTES);
        ck_assert_mem_eq(at + VIRTIO_NET_HEADER_BYTES, frame, FRAME_BYTES);
        ck_assert_uint_eq(at[offsetof(struct virtio_net_header, buffer_count)], 1);
    }
    ck_assert_uint_eq(virtio_bus_counter(&bus, "frames_received"), 3 * ENTRIES);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
}
END_TEST

/* It takes up several buffers, which the driver sees all at once. */
START_TEST(a_long_frame_is_spread)
{
    const unsigned count = 1 + LONG_FRAME_BYTES / BUFFER_BYTES;
    const uint8_t *at;

    start(SOCK_STREAM, RECEIVE, _i ? &packed : &split, VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
    at = virtio_driver_at(&bus.driver, DRIVER_BUFFERS);
    add_receive_buffers(ENTRIES, BUFFER_BYTES);
    from_host(SOCK_STREAM, LONG_FRAME_BYTES);
    uint32_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += virtio_bus_reap(&bus);
    ck_assert_uint_eq(bytes, VIRTIO_NET_HEADER_BYTES + LONG_FRAME_BYTES);
    ck_assert_uint_eq(at[offsetof(struct virtio_net_header, buffer_count)], count);
    ck_assert_mem_eq(at + VIRTIO_NET_HEADER_BYTES, frame, LONG_FRAME_BYTES);
}
END_TEST

/* A driver that has had enough chains gives them again: until then frames are not lost. */
START_TEST(a_long_frame_waits_for_chains)
{
    const unsigned count = 1 + LONG_FRAME_BYTES / BUFFER_BYTES;

    mtu = "9000";
    start(SOCK_STREAM, RECEIVE, &split, VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
    for (unsigned lap = 0; lap < 20; lap++) {
        uint32_t bytes = 0;

        if (lap > 0) {
            from_host(SOCK_STREAM, LONG_FRAME_BYTES);
            add_receive_buffers(count - 2, BUFFER_BYTES);
        }
        add_receive_buffers(lap ? 2 : count, BUFFER_BYTES);
        if (lap == 0)
            from_host(SOCK_STREAM, LONG_FRAME_BYTES);
        for (unsigned i = 0; i < count; i++)
            bytes += virtio_bus_reap(&bus);
        ck_assert_uint_eq(bytes, VIRTIO_NET_HEADER_BYTES + LONG_FRAME_BYTES);
    }
    ck_assert_uint_eq(virtio_bus_counter(&bus, "receive_drops"), 0);
}
END_TEST

/* What doesn't fit is dropped whole, and the buffers wait for the next frame. */
START_TEST(a_frame_without_room_is_dropped)
{
    start(types[_i], RECEIVE, &split, 0);
    add_receive_buffers(2, BUFFER_BYTES);
    from_host(types[_i], LONG_FRAME_BYTES);
    from_host(types[_i], FRAME_BYTES);
    ck_assert_uint_eq(virtio_bus_reap(&bus), VIRTIO_NET_HEADER_BYTES + FRAME_BYTES);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "receive_drops"), 1);
}
END_TEST

START_TEST(chains_for_reading_or_too_short_take_no_frame)
{
    const struct driver_buffer readable = {DRIVER_BUFFERS, BUFFER_BYTES, false};

    start(SOCK_DGRAM, RECEIVE, &split, VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
    (void)virtio_driver_add(&bus.driver, &readable, 1, false);
    add_receive_buffers(3, 1);
    add_receive_buffers(3, BUFFER_BYTES);
    from_host(SOCK_DGRAM, FRAME_BYTES);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(virtio_bus_reap(&bus), 1);
    ck_assert_uint_eq(virtio_bus_reap(&bus), VIRTIO_NET_HEADER_BYTES + FRAME_BYTES - 3);
}
END_TEST

/* Buffers that were taken ahead are the driver's again after a reset, and taken anew. */
START_TEST(a_reset_forgets_what_was_lent)
{
    start(SOCK_DGRAM, RECEIVE, &split, 0);
    add_receive_buffers(4, BUFFER_BYTES);
    from_host(SOCK_DGRAM, FRAME_BYTES);
    (void)virtio_bus_reap(&bus);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    virtio_driver_finish(&bus.driver);
    virtio_driver_init(&bus.driver, &split);
    virtio_bus_start(&bus, 0);
    add_receive_buffers(1, BUFFER_BYTES);
    from_host(SOCK_DGRAM, FRAME_BYTES);
    ck_assert_uint_eq(virtio_bus_reap(&bus), VIRTIO_NET_HEADER_BYTES + FRAME_BYTES);
}
END_TEST

static void add_sent(uint32_t size_bytes)
{
    const struct driver_buffer buffers[] = {{DRIVER_BUFFERS, 5, false},
                                            {DRIVER_BUFFERS + 5, size_bytes - 5, false}};

    memcpy(virtio_driver_at(&bus.driver, DRIVER_BUFFERS + VIRTIO_NET_HEADER_BYTES), frame,
           size_bytes > VIRTIO_NET_HEADER_BYTES ? size_bytes - VIRTIO_NET_HEADER_BYTES : 0);
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
}

static void expect_at_host(int type, size_t bytes)
{
    uint8_t got[LONG_FRAME_BYTES];
    uint32_t length = 0;

    if (type == SOCK_STREAM) {
        ck_assert_int_eq(recv(ends[THEIRS], &length, sizeof(length), MSG_WAITALL), sizeof(length));
        ck_assert_uint_eq(ntohl(length), bytes);
    }
    ck_assert_int_eq(recv(ends[THEIRS], got, bytes, MSG_WAITALL), (ssize_t)bytes);
    ck_assert_mem_eq(got, frame, bytes);
}

START_TEST(frames_go_out)
{
    start(types[_i], SEND, &split, 0);
    for (unsigned lap = 0; lap < 2 * ENTRIES; lap++) {
        add_sent(VIRTIO_NET_HEADER_BYTES + FRAME_BYTES);
        virtio_bus_notify(&bus);
        ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
        expect_at_host(types[_i], FRAME_BYTES);
    }
    ck_assert_uint_eq(virtio_bus_counter(&bus, "frames_sent"), 2 * ENTRIES);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "sent_bytes"), 2 * ENTRIES * FRAME_BYTES);
}
END_TEST

START_TEST(what_is_no_frame_is_dropped)
{
    start(types[_i], SEND, &split, 0);
    add_sent(VIRTIO_NET_HEADER_BYTES);
    add_sent(VIRTIO_NET_HEADER_BYTES - 1);
    const struct driver_buffer whole = {0, DRIVER_MEMORY_BYTES, false};
    (void)virtio_driver_add(&bus.driver, &whole, 1, false);
    virtio_bus_notify(&bus);
    for (unsigned i = 0; i < 3; i++)
        (void)virtio_bus_reap(&bus);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "send_drops"), 3);
}
END_TEST

/* What the socket doesn't take at once comes later, in order and whole. */
START_TEST(a_full_stream_goes_on)
{
    enum { FRAMES = 600 };
    unsigned taken = 0;

    start(SOCK_STREAM, SEND, &split, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        add_sent(VIRTIO_NET_HEADER_BYTES + LONG_FRAME_BYTES / 2);
        virtio_bus_notify(&bus);
        uint16_t id;
        uint32_t written;
        while (!virtio_driver_reap(&bus.driver, &id, &written))
            if (virtio_bus_counter(&bus, "frames_sent") == i && taken < i) {
                expect_at_host(SOCK_STREAM, LONG_FRAME_BYTES / 2);
                taken++;
            }
    }
    for (; taken < FRAMES; taken++)
        expect_at_host(SOCK_STREAM, LONG_FRAME_BYTES / 2);
}
END_TEST

/* The cable is pulled when the other end goes, or says what makes no sense. */
START_TEST(a_lost_link_is_told)
{
    static const uint32_t impossible = UINT32_MAX;

    start(_i == 2 ? SOCK_SEQPACKET : SOCK_STREAM, RECEIVE, &split,
          VIRTIO_FEATURE(VIRTIO_NET_F_STATUS));
    add_receive_buffers(1, BUFFER_BYTES);
    uint32_t before = device_read32(bus.device, VIRTIO_MMIO_CONFIG_GENERATION);
    if (_i == 1)
        ck_assert_int_eq(write(ends[THEIRS], &impossible, sizeof(impossible)), sizeof(impossible));
    else
        (void)close(ends[THEIRS]), ends[THEIRS] = -1;
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(link_status(), 0);
    ck_assert_uint_ne(device_read32(bus.device, VIRTIO_MMIO_CONFIG_GENERATION), before);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "link_losses"), 1);
}
END_TEST

/* A program of that name, where it is looked for. */
static void fake_passt(const char *text)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/armlet-net.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(script, sizeof(script), "%s/passt", directory);
    FILE *file = fopen(script, "w");
    ck_assert_ptr_nonnull(file);
    (void)fprintf(file, "#!/bin/sh\n%s\n", text);
    (void)fclose(file);
    ck_assert_int_eq(chmod(script, S_IRWXU), 0);
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", directory);
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

static void remove_passt(void)
{
    (void)unlink(script);
    (void)rmdir(directory);
}

START_TEST(a_passt_that_ends_is_started_again)
{
    static const struct property items[] = {{"user", "on"}, {"forward", "tcp:8080:80"}};

    fake_passt("sleep 1000 <&3 >/dev/null 2>&1 & echo $! >\"${0%/*}/pid\"; exit 0");
    virtio_bus_init(&bus, &split);
    bus.device = create(items, 2);
    ck_assert_msg(bus.device, "%s", error.message);
    virtio_bus_start(&bus, VIRTIO_FEATURE(VIRTIO_NET_F_STATUS));
    add_receive_buffers(1, BUFFER_BYTES);
    ck_assert_int_eq(system("kill $(cat ${PATH%%:*}/pid)"), 0);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(link_status(), 0);
    while (!__atomic_load_n(&loop.armed, __ATOMIC_ACQUIRE))
        (void)sched_yield();
    fake_event_loop_fire(&loop);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(link_status(), VIRTIO_NET_S_LINK_UP);
    ck_assert_int_eq(system("d=${PATH%%:*}; kill $(cat $d/pid) && rm $d/pid"), 0);
    remove_passt();
}
END_TEST

START_TEST(what_passt_complains_of_is_quoted)
{
    static const struct property items[] = {{"user", "on"}};

    fake_passt("echo starting >&2; echo 'port 80 is taken' >&2; exit 1");
    virtio_bus_init(&bus, &split);
    ck_assert_ptr_null(create(items, 1));
    ck_assert_str_eq(error.message, "passt failed: port 80 is taken");
    remove_passt();
    ck_assert_ptr_null(create(items, 1));
    ck_assert_ptr_nonnull(strstr(error.message, "install the package 'passt'"));
}
END_TEST

static const struct {
    struct property items[2];
    const char *message;
} mistakes[] = {
    {{{"mac", "02:00:00:00:00:07"}}, "it takes one of user, tap=NAME and fd=N"},
    {{{"user", "on"}, {"tap", "tap0"}}, "it takes one of"},
    {{{"tap", "a-name-that-is-too-long"}}, "has 1 to 15 characters"},
    {{{"fd", "1000"}}, "fd=1000: no such file is open"},
    {{{"fd", "1"}}, "fd=1: must be"},
    {{{"user", "on"}, {"mac", "03:00:00:00:00:07"}}, "the first of them even"},
    {{{"user", "on"}, {"mac", "02:00:00:00:07"}}, "must be 6 bytes"},
    {{{"user", "on"}, {"mtu", "20"}}, "mtu=20"},
    {{{"user", "on"}, {"queues", "2"}}, "several queues need tap=NAME"},
    {{{"user", "on"}, {"queues", "8"}}, "queues=8"},
    {{{"user", "on"}, {"forward", "tcp:80"}}, "must be tcp:PORT:GUEST-PORT"},
    {{{"user", "on"}, {"forward", "sctp:80:80"}}, "must be tcp:PORT:GUEST-PORT"},
    {{{"user", "on"}, {"forward", "tcp:0:80"}}, "must be tcp:PORT:GUEST-PORT"},
    {{{"user", "on"}, {"forward", "udp:1.2.3.4:80:65536"}}, "must be tcp:PORT:GUEST-PORT"},
    {{{"tap", "t"}, {"forward", "tcp:80:80"}}, "goes with user alone"},
    {{{"tap", "t"}, {"host", "10.0.0.1"}}, "goes with user alone"},
    {{{"user", "on"}, {"bandwidth-burst", "1M"}}, "bandwidth"},
};
enum { MISTAKES = sizeof(mistakes) / sizeof(mistakes[0]) };

START_TEST(mistakes_are_told)
{
    virtio_bus_init(&bus, &split);
    ck_assert_ptr_null(create(mistakes[_i].items, mistakes[_i].items[1].key ? 2 : 1));
    ck_assert_msg(strstr(error.message, mistakes[_i].message), "%s", error.message);
}
END_TEST

START_TEST(a_file_that_is_no_link_is_refused)
{
    int file = open("/dev/null", O_RDWR);
    const struct property items[] = {{"fd", fd_text}};

    (void)snprintf(fd_text, sizeof(fd_text), "%d", file);
    virtio_bus_init(&bus, &split);
    ck_assert_ptr_null(create(items, 1));
    ck_assert_ptr_nonnull(strstr(error.message, "is neither"));
    (void)close(file);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_net");
    TCase *frames = tcase_create("frames");
    TCase *links = tcase_create("links");

    tcase_add_checked_fixture(frames, setup, teardown);
    tcase_add_loop_test(frames, frames_come_in, 0, TYPES);
    tcase_add_loop_test(frames, a_long_frame_is_spread, 0, 2);
    tcase_add_test(frames, a_long_frame_waits_for_chains);
    tcase_add_loop_test(frames, a_frame_without_room_is_dropped, 0, TYPES);
    tcase_add_test(frames, chains_for_reading_or_too_short_take_no_frame);
    tcase_add_test(frames, a_reset_forgets_what_was_lent);
    tcase_add_loop_test(frames, frames_go_out, 0, TYPES);
    tcase_add_loop_test(frames, what_is_no_frame_is_dropped, 0, TYPES);
    tcase_add_test(frames, a_full_stream_goes_on);
    suite_add_tcase(suite, frames);
    tcase_add_checked_fixture(links, setup, teardown);
    tcase_add_loop_test(links, a_lost_link_is_told, 0, 3);
    tcase_add_test(links, a_passt_that_ends_is_started_again);
    tcase_add_test(links, what_passt_complains_of_is_quoted);
    tcase_add_loop_test(links, mistakes_are_told, 0, MISTAKES);
    tcase_add_test(links, a_file_that_is_no_link_is_refused);
    suite_add_tcase(suite, links);
    return suite;
}
