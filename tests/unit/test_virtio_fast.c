// SPDX-License-Identifier: Apache-2.0
/* How a virtio device signals: what each kind of driver shows, and what it gets then. */
#include <check.h>
#include <stdlib.h>

#include "devices/virtio.h"
#include "virtio_bus.h"

Suite *unit_suite(void);

enum { TRIAL = 16, CONFIG_BYTES = 6, PAGE_WORDS = VIRTIO_MMIO_BYTES / 4 };

static const struct virtqueue_layout split = {.entries = 8};
static struct virtio_bus bus;
static struct virtio *virtio;
static uint8_t config[CONFIG_BYTES];

static uint32_t handle(struct virtio *device, uint32_t queue, const struct virtqueue_chain *chain)
{
    (void)device;
    (void)queue;
    (void)chain;
    return 0;
}

static bool write_config(struct virtio *device, uint64_t offset, uint8_t byte)
{
    (void)device;
    if (offset < CONFIG_BYTES)
        config[offset] = byte;
    return offset < CONFIG_BYTES;
}

static void reset_model(struct virtio *device)
{
    (void)device;
    config[0] ^= 0xff;
}

static void destroy_model(struct virtio *device)
{
    free(device);
}

static const struct virtio_model model = {
    .name = "trial",
    .id = VIRTIO_ID_ENTROPY,
    .queue_count = 1,
    .handle = handle,
    .write_config = write_config,
    .reset = reset_model,
    .destroy = destroy_model,
};

static void setup(void)
{
    struct error error = {0};

    for (uint8_t i = 0; i < CONFIG_BYTES; i++)
        config[i] = i + 1;
    virtio = calloc(1, sizeof(*virtio));
    ck_assert_ptr_nonnull(virtio);
    virtio_bus_init(&bus, &split);
    bus.regions.incapable = false;
    ck_assert(virtio_init(virtio, &model, &bus.resources, &error));
    virtio->config = config;
    virtio->config_bytes = sizeof(config);
    ck_assert(virtio_start(virtio, &error));
    bus.device = &virtio->device;
    bus.device->ops->reset(bus.device);
    virtio_bus_start(&bus, 0);
}

static void teardown(void)
{
    virtio_bus_finish(&bus);
}

static uint32_t word(uint64_t offset)
{
    return ((const uint32_t *)(const void *)bus.regions.page)[offset / 4];
}

static uint32_t reg(uint64_t offset)
{
    return device_read32(bus.device, offset);
}

static void acknowledge(uint32_t causes)
{
    device_write32(bus.device, VIRTIO_MMIO_INTERRUPT_ACK, causes);
}

/* As Linux's handler does. */
static void take_interrupt(void)
{
    virtio_notify(virtio);
    acknowledge(reg(VIRTIO_MMIO_INTERRUPT_STATUS));
}

static void take_interrupts(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        take_interrupt();
}

/* The page says what the registers do. */
static void check_page(void)
{
    for (uint64_t at = 0; at < VIRTIO_MMIO_BYTES; at += 4)
        if (at != VIRTIO_MMIO_INTERRUPT_STATUS) /* reading it has an effect on the trial */
            ck_assert_msg(word(at) == reg(at), "0x%x", (unsigned)at);
    ck_assert_uint_eq(word(VIRTIO_MMIO_INTERRUPT_STATUS), virtio->regs.interrupt_status);
}

START_TEST(a_driver_that_takes_edges_gets_pulses)
{
    ck_assert_uint_eq(bus.regions.part_bytes, VIRTIO_MMIO_BYTES);
    ck_assert_uint_eq(bus.regions.sink_offset, VIRTIO_MMIO_INTERRUPT_ACK);
    ck_assert_uint_eq(bus.regions.sink_value, VIRTIO_INTERRUPT_USED_BUFFER);
    ck_assert_int_eq(bus.regions.sink_width, ACCESS_32_BIT);
    take_interrupts(TRIAL - 1);
    ck_assert(bus.irq.level); /* it stays, until the next */
    ck_assert(!bus.regions.page_on && !bus.regions.sink && !bus.regions.irq_connected);
    take_interrupt();
    ck_assert(!bus.irq.level);
    ck_assert(bus.regions.page_on && bus.regions.sink && bus.regions.irq_connected);
    ck_assert_uint_eq(bus.irq.rises, TRIAL);
    ck_assert_uint_eq(word(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED_BUFFER);
    for (unsigned i = 1; i <= 3; i++) {
        virtio_notify(virtio); /* what it acknowledges goes to the sink */
        ck_assert_uint_eq(bus.irq.rises, TRIAL + i);
        ck_assert(!bus.irq.level);
    }
    check_page();
}
END_TEST

START_TEST(a_change_of_configuration_is_seen_beside_pulses)
{
    take_interrupts(TRIAL);
    config[2] = 77;
    virtio_config_changed(virtio);
    ck_assert_uint_eq(bus.irq.rises, TRIAL + 1);
    ck_assert_uint_eq(word(VIRTIO_MMIO_INTERRUPT_STATUS),
                      VIRTIO_INTERRUPT_USED_BUFFER | VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(word(VIRTIO_MMIO_CONFIG_GENERATION), 1);
    ck_assert_uint_eq(word(VIRTIO_MMIO_CONFIG) >> 16 & 0xff, 77);
    acknowledge(VIRTIO_INTERRUPT_USED_BUFFER | VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(word(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED_BUFFER);
    check_page();
}
END_TEST

/* What a level-sensitive input does with a line that stays high; and a driver that polls. */
START_TEST(who_sees_a_zero_has_a_level)
{
    take_interrupt();
    ck_assert(bus.irq.level);
    if (_i == 0)
        ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    else
        acknowledge(0);
    ck_assert(!bus.irq.level);
    for (unsigned i = 0; i < 2 * TRIAL; i++) {
        virtio_notify(virtio);
        ck_assert(bus.irq.level);
        virtio_notify(virtio);
        ck_assert(bus.irq.level);
        acknowledge(reg(VIRTIO_MMIO_INTERRUPT_STATUS));
        ck_assert(!bus.irq.level);
    }
    ck_assert_uint_eq(bus.irq.rises, 1 + 2 * TRIAL);
    ck_assert(!bus.regions.page_on && !bus.regions.sink);
}
END_TEST

START_TEST(a_zero_before_the_driver_runs_says_nothing)
{
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    virtio_bus_start(&bus, 0);
    take_interrupts(TRIAL);
    ck_assert(bus.regions.page_on);
}
END_TEST

START_TEST(a_zero_with_something_pending_keeps_the_line)
{
    virtio_notify(virtio);
    acknowledge(VIRTIO_INTERRUPT_CONFIG); /* isn't there */
    ck_assert(bus.irq.level);
    acknowledge(VIRTIO_INTERRUPT_USED_BUFFER);
    ck_assert(!bus.irq.level);
}
END_TEST

START_TEST(a_reset_begins_anew)
{
    take_interrupts(TRIAL);
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    ck_assert(!bus.regions.page_on && !bus.regions.sink);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    check_page();
    virtio_bus_start(&bus, 0);
    take_interrupts(TRIAL - 1);
    ck_assert(!bus.regions.page_on);
    take_interrupt();
    ck_assert(bus.regions.page_on);
}
END_TEST

START_TEST(a_host_that_cannot_has_a_level)
{
    bus.regions.incapable = true;
    take_interrupts(TRIAL);
    ck_assert(!bus.irq.level);
    bus.regions.incapable = false;
    take_interrupts(2 * TRIAL); /* it isn't asked again */
    ck_assert(!bus.regions.page_on && !bus.regions.sink && !bus.irq.level);
    ck_assert_uint_eq(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

/* Another device in the page has found out. */
START_TEST(a_page_that_is_on_ends_the_trial)
{
    ck_assert(device_regions_set_page(&bus.regions.regions, true));
    take_interrupt();
    ck_assert(bus.regions.sink);
    ck_assert(!bus.irq.level);
    virtio_notify(virtio);
    ck_assert_uint_eq(bus.irq.rises, 2);
}
END_TEST

START_TEST(queues_of_the_kernel_have_an_event)
{
    ck_assert_int_eq(virtio_event_fd(virtio), IRQ_NO_EVENT); /* the line has none */
    ck_assert(!bus.regions.sink);
    bus.irq.event_fd = 17;
    ck_assert_int_eq(virtio_event_fd(virtio), 17);
    ck_assert(bus.regions.page_on && bus.regions.sink);
    ck_assert_uint_eq(word(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_USED_BUFFER);
    bus.regions.incapable = true;
    device_write32(bus.device, VIRTIO_MMIO_STATUS, 0);
    bus.regions.irq_connected = false;
    ck_assert_int_eq(virtio_event_fd(virtio), IRQ_NO_EVENT);
}
END_TEST

/* Whatever is written, the page has what a read would give; also with a sink that can't go. */
START_TEST(the_page_follows_random_writes)
{
    uint64_t state = 1;

    bus.regions.stuck = _i;
    for (unsigned i = 0; i < 20000; i++) {
        random_access(bus.device, i % 2 ? VIRTIO_MMIO_STATUS : 0, &state);
        if (i % 16 == 0)
            virtio_notify(virtio);
        if (i % 64 == 0)
            check_page();
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtio_fast");
    TCase *tests = tcase_create("virtio_fast");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_driver_that_takes_edges_gets_pulses);
    tcase_add_test(tests, a_change_of_configuration_is_seen_beside_pulses);
    tcase_add_loop_test(tests, who_sees_a_zero_has_a_level, 0, 2);
    tcase_add_test(tests, a_zero_before_the_driver_runs_says_nothing);
    tcase_add_test(tests, a_zero_with_something_pending_keeps_the_line);
    tcase_add_test(tests, a_reset_begins_anew);
    tcase_add_test(tests, a_host_that_cannot_has_a_level);
    tcase_add_test(tests, a_page_that_is_on_ends_the_trial);
    tcase_add_test(tests, queues_of_the_kernel_have_an_event);
    tcase_add_loop_test(tests, the_page_follows_random_writes, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
