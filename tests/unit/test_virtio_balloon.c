// SPDX-License-Identifier: Apache-2.0
/* The balloon: which pages the host drops, the guest's statistics, and who changes the target. */
#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio.h"
#include "devices/virtio_balloon.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum {
    ENTRIES = 8,
    PAGE = VIRTIO_BALLOON_PAGE_BYTES,
    LIST = DRIVER_BUFFERS,
    PAGES = 0x20000, /* that the guest gives away */
    TARGET = VIRTIO_MMIO_CONFIG,
    ACTUAL = VIRTIO_MMIO_CONFIG + 4,
    STAT_BLOCK_BYTES = 512,
    REPORTS = 3, /* the queue of reports, beside one for statistics */
};

static struct virtio_bus bus;
static struct event_loop loop;
static struct host_socket host_socket;
static char path[] = "/tmp/armlet-balloon-XXXXXX";

static struct device *create_with(const struct property *properties, size_t count,
                                  struct error *error)
{
    fake_regions_init(&bus.regions);
    bus.resources.loop = &loop;
    bus.resources.properties = (struct property_list){properties, count};
    return find_device_class("virtio-balloon")->create(&bus.resources, error);
}

static void create(const char *key, const char *value)
{
    const struct property property = {key, value};
    struct error error = {0};

    bus.device = create_with(&property, key ? 1 : 0, &error);
    ck_assert_msg(bus.device, "%s", error.message);
}

static void setup(void)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES};

    loop = (struct event_loop){0};
    virtio_bus_init(&bus, &layout);
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
}

/* The one driver there is has whichever queue a test is about. */
static void start(uint64_t features, uint32_t queue)
{
    bus.queue = queue;
    virtio_bus_start(&bus, features);
}

static void offer(uint64_t offset, uint32_t size_bytes, bool writable, uint32_t queue)
{
    const struct driver_buffer buffer = {offset, size_bytes, writable};

    (void)virtio_driver_add(&bus.driver, &buffer, 1, false);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static uint32_t page_at(uint64_t offset)
{
    return (uint32_t)((DRIVER_BASE + offset) / PAGE);
}

/* ---- pages ---- */

START_TEST(what_is_inflated_is_dropped)
{
    /* Upwards, downwards, alone, and beyond the end of RAM. */
    const uint32_t pages[] = {page_at(PAGES),
                              page_at(PAGES + PAGE),
                              page_at(PAGES + 5 * PAGE),
                              page_at(PAGES + 4 * PAGE),
                              page_at(PAGES + 7 * PAGE),
                              page_at(DRIVER_MEMORY_BYTES),
                              UINT32_MAX};
    uint8_t *bytes = virtio_driver_at(&bus.driver, PAGES);

    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_INFLATE);
    memset(bytes, 1, 8UL * PAGE);
    memcpy(virtio_driver_at(&bus.driver, LIST), pages, sizeof(pages));
    offer(LIST, sizeof(pages), false, VIRTIO_BALLOON_INFLATE);
    (void)virtio_bus_reap(&bus);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(bytes[i * PAGE], i == 2 || i == 3 || i == 6);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "inflated_pages"), 7);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "dropped_bytes"), 5UL * PAGE);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "bad_pages"), 2);
}
END_TEST

/* Memory of a file, which other processes map too: no page of it is left in the file. */
START_TEST(what_is_shared_is_cut_out_of_its_file)
{
    const uint32_t pages[] = {page_at(PAGES), page_at(PAGES + PAGE)};
    uint8_t *bytes = virtio_driver_at(&bus.driver, PAGES);
    int file = memfd_create("test", MFD_CLOEXEC);
    struct stat before, after;

    ck_assert_int_eq(ftruncate(file, 4L * PAGE), 0);
    ck_assert_ptr_eq(
        mmap(bytes, 4UL * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0), bytes);
    memset(bytes, 1, 4UL * PAGE);
    bus.resources.shared_memory = &file;
    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_INFLATE);
    memcpy(virtio_driver_at(&bus.driver, LIST), pages, sizeof(pages));
    ck_assert_int_eq(fstat(file, &before), 0);
    offer(LIST, sizeof(pages), false, VIRTIO_BALLOON_INFLATE);
    (void)virtio_bus_reap(&bus);
    ck_assert_int_eq(fstat(file, &after), 0);
    ck_assert_int_eq(before.st_blocks - after.st_blocks, 2 * PAGE / STAT_BLOCK_BYTES);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(bytes[i * PAGE], i >= 2);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "dropped_bytes"), 2UL * PAGE);
    /* The allocator gets back what it gave. */
    ck_assert_ptr_eq(mmap(bytes, 4UL * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                     bytes);
    bus.resources.shared_memory = NULL;
    (void)close(file);
}
END_TEST

START_TEST(more_pages_than_are_copied_at_once)
{
    uint32_t *pages = virtio_driver_at(&bus.driver, LIST);

    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_INFLATE);
    for (uint32_t i = 0; i < 1000; i++)
        pages[i] = page_at(PAGES + i % 8 * PAGE);
    offer(LIST, 1000 * sizeof(*pages) + 3, false, VIRTIO_BALLOON_INFLATE);
    (void)virtio_bus_reap(&bus);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "inflated_pages"), 1000);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "dropped_bytes"), 1000UL * PAGE);
}
END_TEST

/* Somebody comes to wait for the device while the first page is dropped. */
int __wrap_madvise(void *address, size_t size_bytes, int advice);
int __real_madvise(void *address, size_t size_bytes, int advice);
static _Atomic unsigned *comes_to_wait;

int __wrap_madvise(void *address, size_t size_bytes, int advice)
{
    if (comes_to_wait && advice == MADV_DONTNEED)
        atomic_store(comes_to_wait, 1);
    return __real_madvise(address, size_bytes, advice);
}

START_TEST(a_long_list_is_left_for_who_waits)
{
    enum { MANY = 4096, AT_ONCE = 256 };
    uint32_t *pages = virtio_driver_at(&bus.driver, LIST);

    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_INFLATE);
    for (uint32_t i = 0; i < MANY; i++)
        pages[i] = page_at(PAGES + i % 2 * 4 * PAGE);
    comes_to_wait = &container_of(bus.device, struct virtio, device)->waiting;
    offer(LIST, MANY * sizeof(*pages), false, VIRTIO_BALLOON_INFLATE);
    (void)virtio_bus_reap(&bus);
    atomic_store(comes_to_wait, 0);
    comes_to_wait = NULL;
    ck_assert_uint_eq(virtio_bus_counter(&bus, "inflated_pages"), AT_ONCE);
}
END_TEST

START_TEST(what_is_deflated_is_counted)
{
    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_DEFLATE);
    offer(LIST, 40, false, VIRTIO_BALLOON_DEFLATE);
    (void)virtio_bus_reap(&bus);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "deflated_pages"), 10);
}
END_TEST

/* Only whole pages, and only if the driver has taken the feature. */
START_TEST(what_is_reported_is_dropped)
{
    uint64_t features = VIRTIO_FEATURE(VIRTIO_BALLOON_F_STATS_VQ) |
                        (_i == 0 ? VIRTIO_FEATURE(VIRTIO_BALLOON_F_PAGE_REPORTING) : 0);
    uint8_t *bytes = virtio_driver_at(&bus.driver, PAGES);

    create(NULL, NULL);
    start(features, REPORTS);
    memset(bytes, 1, 4UL * PAGE);
    offer(PAGES + 1, 3 * PAGE, true, REPORTS);
    (void)virtio_bus_reap(&bus);
    offer(PAGES + 3 * PAGE + 1, PAGE - 1, true, REPORTS);
    (void)virtio_bus_reap(&bus);
    ck_assert_uint_eq(bytes[0], 1);
    ck_assert_uint_eq(bytes[PAGE], _i == 0 ? 0 : 1);
    ck_assert_uint_eq(bytes[2 * PAGE], _i == 0 ? 0 : 1);
    ck_assert_uint_eq(bytes[3 * PAGE], 1);
    ck_assert_uint_eq(virtio_bus_counter(&bus, "dropped_bytes"), _i == 0 ? 2UL * PAGE : 0);
}
END_TEST

/* ---- statistics ---- */

START_TEST(statistics_are_asked_for)
{
    struct virtio_balloon_stat *stats = virtio_driver_at(&bus.driver, LIST);

    create("stats", "1s");
    ck_assert_uint_eq(loop.delay_ns, UINT64_C(1000000000));
    start(VIRTIO_FEATURE(VIRTIO_BALLOON_F_STATS_VQ), VIRTIO_BALLOON_STATS);
    for (uint64_t i = 1; i <= 3; i++) {
        uint16_t id;
        uint32_t written_bytes;

        stats[0] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMFREE, i * PAGE};
        stats[1] = (struct virtio_balloon_stat){99, 1};
        stats[2] = (struct virtio_balloon_stat){VIRTIO_BALLOON_S_MEMTOT, 7};
        offer(LIST, 3 * sizeof(*stats), false, VIRTIO_BALLOON_STATS);
        while (virtio_bus_counter(&bus, "guest_free_bytes") != i * PAGE)
            (void)poll(NULL, 0, 1);
        ck_assert(!virtio_driver_reap(&bus.driver, &id, &written_bytes));
        fake_event_loop_fire(&loop);
        ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
    }
    ck_assert_uint_eq(virtio_bus_counter(&bus, "guest_total_bytes"), 7);
}
END_TEST

/* ---- the target ---- */

START_TEST(a_target_from_the_start)
{
    create("size", "128K");
    ck_assert_uint_eq(device_read32(bus.device, TARGET), 32);
    start(VIRTIO_FEATURE(VIRTIO_BALLOON_F_DEFLATE_ON_OOM), VIRTIO_BALLOON_INFLATE);
    device_write32(bus.device, ACTUAL, 17);
    ck_assert_uint_eq(device_read32(bus.device, ACTUAL), 17);
    device_write32(bus.device, TARGET, 3);
    ck_assert_uint_eq(device_read32(bus.device, TARGET), 32);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(device_read32(bus.device, ACTUAL), 0);
}
END_TEST

/* Sends a line to the control socket, and checks the answer. */
static void ask(const char *line, const char *expected)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[512] = "";

    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 4; i++)
        fake_event_loop_poll(&loop);
    ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_WAITALL);
    ck_assert(got >= 0 || *expected == '\0'); /* what it didn't read resets the connection */
    ck_assert_msg(strstr(text, expected), "%s: %s", line, text);
    (void)close(fd);
}

START_TEST(the_target_is_changed)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(path, sizeof(path), "/tmp/armlet-balloon-%d", (int)getpid());
    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    host_socket = (struct host_socket){fd, path};
    bus.resources.host_socket = &host_socket;
    create(NULL, NULL);
    start(0, VIRTIO_BALLOON_INFLATE);
    uint32_t generation = device_read32(bus.device, VIRTIO_MMIO_CONFIG_GENERATION);
    ask("64K\n", "{\"target_bytes\": 65536, \"actual_bytes\": 0}\n");
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_ne(device_read32(bus.device, VIRTIO_MMIO_CONFIG_GENERATION), generation);
    ck_assert_uint_eq(device_read32(bus.device, TARGET), 16);
    device_write32(bus.device, ACTUAL, 4);
    ask("\r\n", "\"actual_bytes\": 16384}\n");
    ask("lots\n", "\"error\"");
    ask("1G\n", "in all");
    ask("no end", "");
    ask("far too long to be a size, and without an end, so that nobody waits for one", "");
    ask("\n", "\"target_bytes\": 65536");
    (void)close(fd);
    (void)unlink(path);
}
END_TEST

START_TEST(wrong_properties_are_refused)
{
    static const struct {
        struct property property;
        const char *text;
    } wrong[] = {
        {{"size", "256K"}, "in all"},
        {{"size", "many"}, "size"},
        {{"stats", "1ms"}, "stats"},
        {{"reportin", "on"}, "did you mean 'reporting'"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error error = {0};

        ck_assert_ptr_null(create_with(&wrong[i].property, 1, &error));
        ck_assert_int_eq(error.code, ERROR_USAGE);
        ck_assert_msg(strstr(error.message, wrong[i].text), "%s", error.message);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_balloon");
    TCase *tests = tcase_create("balloon");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_inflated_is_dropped);
    tcase_add_test(tests, what_is_shared_is_cut_out_of_its_file);
    tcase_add_test(tests, more_pages_than_are_copied_at_once);
    tcase_add_test(tests, a_long_list_is_left_for_who_waits);
    tcase_add_test(tests, what_is_deflated_is_counted);
    tcase_add_loop_test(tests, what_is_reported_is_dropped, 0, 2);
    tcase_add_test(tests, statistics_are_asked_for);
    tcase_add_test(tests, a_target_from_the_start);
    tcase_add_test(tests, the_target_is_changed);
    tcase_add_test(tests, wrong_properties_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
