// SPDX-License-Identifier: Apache-2.0
/* Virtio's registers, negotiation and worker, with a model that does what the test says; and the
 * entropy device. */
#include <check.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio.h"
#include "fake_fdt_writer.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum { ENTRIES = 8, MODEL_FEATURE = 3, WRITTEN = 7 };

static const struct virtqueue_layout split = {.entries = ENTRIES};
static const struct virtqueue_layout packed = {
    .entries = ENTRIES, .packed = true, .indirect = true, .event_index = true};
static const struct driver_buffer buffers[] = {{DRIVER_BUFFERS, 16, false},
                                               {DRIVER_BUFFERS + 16, 64, true}};

static struct virtio_bus bus;
static const uint8_t config[] = {1, 2, 3, 4, 5, 6};

/* ---- the model ---- */

static bool blocking;       /* handle() waits for `go` */
static sem_t begun, go;     /* posted when handle() begins; by the test */
static atomic_uint handled; /* requests done */

static uint32_t handle(struct virtio *virtio, uint32_t queue, const struct virtqueue_chain *chain)
{
    (void)virtio;
    ck_assert_uint_eq(queue, 0);
    ck_assert_uint_eq(chain->readable_bytes, 16);
    if (blocking) {
        (void)sem_post(&begun);
        (void)sem_wait(&go);
    }
    atomic_fetch_add(&handled, 1);
    return WRITTEN;
}

static void destroy_model(struct virtio *virtio)
{
    free(virtio);
}

static const struct virtio_model model = {
    .name = "trial",
    .id = VIRTIO_ID_BLOCK,
    .queue_count = 2,
    .handle = handle,
    .destroy = destroy_model,
};

static void create(const struct virtqueue_layout *layout)
{
    struct virtio *virtio = calloc(1, sizeof(*virtio));
    struct error error = {0};

    ck_assert_ptr_nonnull(virtio);
    virtio_bus_init(&bus, layout);
    blocking = false;
    atomic_store(&handled, 0);
    ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    ck_assert(virtio_init(virtio, &model, &bus.resources, &error));
    virtio->offered |= VIRTIO_FEATURE(MODEL_FEATURE);
    virtio->config = config;
    virtio->config_bytes = sizeof(config);
    ck_assert(virtio_start(virtio, &error));
    bus.device = &virtio->device;
    bus.device->ops->reset(bus.device);
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
}

static uint32_t reg(uint64_t offset)
{
    return device_read32(bus.device, offset);
}

static uint64_t bad_accesses(void)
{
    return atomic_load(&bus.device->bad_accesses.count);
}

/* ---- registers ---- */

START_TEST(it_says_what_it_is)
{
    create(&split);
    ck_assert_uint_eq(bus.device->size_bytes, VIRTIO_MMIO_BYTES);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_MAGIC_VALUE), VIRTIO_MMIO_MAGIC);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_VERSION), 2);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_VENDOR_ID), VIRTIO_VENDOR);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_CONFIG_GENERATION), 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_RESET), 0);
    device_write32(bus.device, VIRTIO_MMIO_SHM_SEL, 0);
    for (uint64_t at = VIRTIO_MMIO_SHM_LEN_LOW; at <= VIRTIO_MMIO_SHM_BASE_HIGH; at += 4)
        ck_assert_uint_eq(reg(at), UINT32_MAX);
    ck_assert_uint_eq(bus.regions.doorbell_count, 1);
    ck_assert_uint_eq(bus.regions.doorbells[0].offset, VIRTIO_MMIO_QUEUE_NOTIFY);
    ck_assert_uint_eq(virtio_bus_offered(&bus),
                      VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) |
                          VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) |
                          VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) | VIRTIO_FEATURE(MODEL_FEATURE));
    device_write32(bus.device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_DEVICE_FEATURES), 0);
    ck_assert_uint_eq(bad_accesses(), 0);
}
END_TEST

START_TEST(its_configuration_is_read_at_any_width)
{
    create(&split);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG, ACCESS_8_BIT), 1);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG + 2, ACCESS_16_BIT),
                      0x0403);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_CONFIG + 4), 0x0605);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG, ACCESS_64_BIT),
                      0x060504030201);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_BYTES - 4), 0);
    ck_assert_uint_eq(bad_accesses(), 0);
    device_write32(bus.device, VIRTIO_MMIO_CONFIG, 0);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, VIRTIO_MMIO_CONFIG + 1, ACCESS_16_BIT), 0);
    ck_assert_uint_eq(bad_accesses(), 2);
}
END_TEST

START_TEST(accesses_out_of_place_are_counted)
{
    create(&split);
    ck_assert_uint_eq(reg(0x018), 0);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, 0, ACCESS_8_BIT), 0);
    ck_assert_uint_eq(bus.device->ops->read(bus.device, 0, ACCESS_64_BIT), 0);
    device_write32(bus.device, VIRTIO_MMIO_VERSION, 1);
    bus.device->ops->write(bus.device, VIRTIO_MMIO_STATUS, ACCESS_8_BIT, 1);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NOTIFY, model.queue_count);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, model.queue_count);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NUM, 4);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_READY, 1);
    ck_assert_uint_eq(bad_accesses(), 8);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_STATUS), 0);
}
END_TEST

START_TEST(random_accesses_are_survived)
{
    uint64_t state = 1;

    create(&split);
    for (int i = 0; i < 200000; i++)
        random_access(bus.device, i % 2 ? 0 : 0x70, &state);
    bus.device->ops->reset(bus.device);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_STATUS), 0);
    virtio_bus_start(&bus, 0);
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), WRITTEN);
}
END_TEST

START_TEST(the_tree_names_it)
{
    const struct device_place place = {GPA(0x0a000200), 17};
    struct fdt_writer writer = {0};

    create(&split);
    bus.device->ops->describe(bus.device, &writer, &place);
    ck_assert_ptr_nonnull(strstr(writer.text, "virtio_mmio@a000200"));
    ck_assert_ptr_nonnull(strstr(writer.text, "virtio,mmio"));
    ck_assert_ptr_nonnull(strstr(writer.text, "dma-coherent"));
}
END_TEST

/* ---- negotiation ---- */

START_TEST(features_that_were_not_offered_are_refused)
{
    const uint64_t modern = VIRTIO_FEATURE(VIRTIO_F_VERSION_1);

    create(&split);
    ck_assert(virtio_bus_negotiate(&bus, modern));
    ck_assert(virtio_bus_negotiate(&bus, modern | VIRTIO_FEATURE(MODEL_FEATURE)));
    ck_assert(!virtio_bus_negotiate(&bus, 0));
    ck_assert(!virtio_bus_negotiate(&bus, VIRTIO_FEATURE(MODEL_FEATURE)));
    for (unsigned bit = 0; bit < 64; bit++)
        ck_assert_int_eq(virtio_bus_negotiate(&bus, modern | VIRTIO_FEATURE(bit)),
                         (virtio_bus_offered(&bus) & VIRTIO_FEATURE(bit)) != 0);
    device_write32(bus.device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
    uint64_t before = bad_accesses();
    device_write32(bus.device, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    ck_assert_uint_eq(bad_accesses(), before + 1);
}
END_TEST

START_TEST(status_only_grows_until_the_reset)
{
    create(&split);
    device_write32(bus.device, VIRTIO_MMIO_STATUS,
                   VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET |
                       0x100);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_STATUS), VIRTIO_STATUS_ACKNOWLEDGE);
    ck_assert_uint_eq(bad_accesses(), 1);
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1)));
    device_write32(bus.device, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    ck_assert(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK);

    /* What was agreed on stays. */
    uint64_t before = bad_accesses();
    device_write32(bus.device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    device_write32(bus.device, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
    ck_assert_uint_eq(bad_accesses(), before + 1);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_STATUS), 0);
}
END_TEST

/* ---- requests ---- */

static void pass_requests(void)
{
    for (unsigned i = 1; i <= 3 * ENTRIES; i++) {
        (void)virtio_driver_add(&bus.driver, buffers, 2, bus.driver.layout.indirect);
        virtio_bus_notify(&bus);
        ck_assert_uint_eq(virtio_bus_reap(&bus), WRITTEN);
        ck_assert_uint_eq(atomic_load(&handled), i);
        if (!bus.driver.layout.event_index)
            ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_USED_BUFFER);
    }
}

START_TEST(requests_are_served)
{
    create(_i ? &packed : &split);
    virtio_bus_start(&bus, VIRTIO_FEATURE(MODEL_FEATURE));
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_READY), 1);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), VIRTQUEUE_MOST_ENTRIES);
    pass_requests();
    ck_assert_uint_eq(bad_accesses(), 0);
}
END_TEST

START_TEST(nothing_is_served_before_driver_ok_and_after_failed)
{
    create(&split);
    ck_assert(virtio_bus_negotiate(&bus, VIRTIO_FEATURE(VIRTIO_F_VERSION_1)));
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(atomic_load(&handled), 0);
    virtio_bus_set_queue(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), WRITTEN); /* what was there at DRIVER_OK */
    device_write32(bus.device, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FAILED);
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    bus.device->ops->reset(bus.device); /* the worker has seen the doorbell, or never will */
    ck_assert_uint_eq(atomic_load(&handled), 1);
}
END_TEST

START_TEST(a_ready_queue_stays_where_it_is)
{
    create(&split);
    virtio_bus_start(&bus, 0);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_NUM, 4);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, 1);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_READY, 1); /* too late */
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    ck_assert_uint_eq(bad_accesses(), 3);
    pass_requests();
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_SEL, 0);
    device_write32(bus.device, VIRTIO_MMIO_QUEUE_READY, 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    unsigned before = atomic_load(&handled);
    (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    bus.device->ops->reset(bus.device);
    ck_assert_uint_eq(atomic_load(&handled), before);
}
END_TEST

START_TEST(a_broken_queue_asks_for_a_reset)
{
    static const struct driver_buffer outside = {DRIVER_MEMORY_BYTES, 16, false};

    create(_i ? &packed : &split);
    virtio_bus_start(&bus, 0);
    (void)virtio_driver_add(&bus.driver, &outside, 1, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(atomic_load(&handled), 0);

    virtio_driver_finish(&bus.driver);
    virtio_driver_init(&bus.driver, _i ? &packed : &split);
    bus.device->ops->reset(bus.device);
    virtio_bus_start(&bus, 0);
    pass_requests();
}
END_TEST

START_TEST(a_queue_in_no_place_asks_for_a_reset)
{
    create(&split);
    bus.driver.layout.descriptors = GPA(1);
    virtio_bus_start(&bus, 0);
    ck_assert_uint_eq(virtio_bus_take_interrupt(&bus), VIRTIO_INTERRUPT_CONFIG);
    ck_assert(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET);
    virtio_bus_notify(&bus);
}
END_TEST

/* ---- reset and end in flight ---- */

static void *write_zero_status(void *context)
{
    (void)context;
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    return (void *)(uintptr_t)atomic_load(&handled);
}

START_TEST(a_reset_waits_for_the_request_under_way)
{
    pthread_t vcpu;
    void *handled_at_reset;

    create(&split);
    blocking = true;
    virtio_bus_start(&bus, 0);
    for (int i = 0; i < 3; i++)
        (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_int_eq(sem_wait(&begun), 0);
    /* Other registers don't wait. */
    ck_assert(reg(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_DRIVER_OK);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    ck_assert_int_eq(pthread_create(&vcpu, NULL, write_zero_status, NULL), 0);
    while (atomic_load(&container_of(bus.device, struct virtio, device)->waiting) == 0)
        (void)sched_yield();
    ck_assert_int_eq(sem_post(&go), 0);
    ck_assert_int_eq(pthread_join(vcpu, &handled_at_reset), 0);
    ck_assert_uint_eq((uintptr_t)handled_at_reset, 1); /* that one, and not the others */
    ck_assert_uint_eq(reg(VIRTIO_MMIO_STATUS), 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    ck_assert(!bus.irq.level);
}
END_TEST

START_TEST(the_end_waits_for_the_request_under_way)
{
    create(&split);
    blocking = true;
    virtio_bus_start(&bus, 0);
    for (int i = 0; i < 3; i++)
        (void)virtio_driver_add(&bus.driver, buffers, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_int_eq(sem_wait(&begun), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sem_post(&go), 0);
    bus.device->ops->destroy(bus.device);
    bus.device = NULL;
    ck_assert_uint_ge(atomic_load(&handled), 1);
}
END_TEST

/* ---- the entropy device ---- */

START_TEST(entropy_comes)
{
    static const struct driver_buffer room[] = {{DRIVER_BUFFERS, 64, true},
                                                {DRIVER_BUFFERS + 0x1000, 1000, true}};
    static const struct driver_buffer much = {DRIVER_BUFFERS, 0x20000, true};
    static const struct driver_buffer none = {DRIVER_BUFFERS, 64, false};
    struct error error = {0};
    unsigned zeros = 0;

    virtio_bus_init(&bus, _i ? &packed : &split);
    bus.device = find_device_class("virtio-rng")->create(&bus.resources, &error);
    ck_assert_ptr_nonnull(bus.device);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_ENTROPY);
    virtio_bus_start(&bus, 0);
    (void)virtio_driver_add(&bus.driver, room, 2, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 1064);
    const uint8_t *bytes = virtio_driver_at(&bus.driver, room[1].offset);
    for (uint32_t i = 0; i < room[1].size_bytes; i++)
        zeros += bytes[i] == 0;
    ck_assert_uint_lt(zeros, 100);
    ck_assert_uint_eq(bytes[room[1].size_bytes], 0);
    (void)virtio_driver_add(&bus.driver, &much, 1, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0x10000);
    (void)virtio_driver_add(&bus.driver, &none, 1, false);
    virtio_bus_notify(&bus);
    ck_assert_uint_eq(virtio_bus_reap(&bus), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_mmio");
    TCase *registers = tcase_create("registers");
    TCase *requests = tcase_create("requests");

    tcase_add_checked_fixture(registers, NULL, teardown);
    tcase_add_test(registers, it_says_what_it_is);
    tcase_add_test(registers, its_configuration_is_read_at_any_width);
    tcase_add_test(registers, accesses_out_of_place_are_counted);
    tcase_add_test(registers, random_accesses_are_survived);
    tcase_add_test(registers, the_tree_names_it);
    tcase_add_test(registers, features_that_were_not_offered_are_refused);
    tcase_add_test(registers, status_only_grows_until_the_reset);
    tcase_set_timeout(registers, 300);
    suite_add_tcase(suite, registers);
    tcase_add_checked_fixture(requests, NULL, teardown);
    tcase_add_loop_test(requests, requests_are_served, 0, 2);
    tcase_add_test(requests, nothing_is_served_before_driver_ok_and_after_failed);
    tcase_add_test(requests, a_ready_queue_stays_where_it_is);
    tcase_add_loop_test(requests, a_broken_queue_asks_for_a_reset, 0, 2);
    tcase_add_test(requests, a_queue_in_no_place_asks_for_a_reset);
    tcase_add_test(requests, a_reset_waits_for_the_request_under_way);
    tcase_add_test(requests, the_end_waits_for_the_request_under_way);
    tcase_add_loop_test(requests, entropy_comes, 0, 2);
    tcase_set_timeout(requests, 300);
    suite_add_tcase(suite, requests);
    return suite;
}
