// SPDX-License-Identifier: Apache-2.0
/* The test device: each register, as the guest sees it without and beside what the kernel does. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "armlet/log.h"
#include "armlet/testdev.h"
#include "fake_event_loop.h"
#include "fake_fdt_writer.h"
#include "fake_irq.h"
#include "fake_regions.h"
#include "primecell_checks.h"

Suite *unit_suite(void);

enum { SPI = 112 };

static struct event_loop loop;
static struct fake_irq irq;
static struct fake_regions regions;
static struct log quiet = {.fd = -1};
static struct device *device;
static uint64_t exit_status;
static unsigned exits;

static void note_exit(struct guest_exit *guest_exit, uint64_t status)
{
    (void)guest_exit;
    exit_status = status;
    exits++;
}

static struct guest_exit guest_exit = {note_exit};

static const struct device_resources resources = {
    .irq = &irq.line,
    .loop = &loop,
    .log = &quiet,
    .regions = &regions.regions,
    .guest_exit = &guest_exit,
};

static void setup(void)
{
    struct error error = {0};

    memset(&loop, 0, sizeof(loop));
    fake_irq_init(&irq);
    fake_regions_init(&regions);
    exits = 0;
    device = find_device_class("testdev")->create(&resources, &error);
    ck_assert_ptr_nonnull(device);
    device->ops->reset(device);
}

static void teardown(void)
{
    device->ops->destroy(device);
    ck_assert_uint_eq(loop.source_count, 0);
}

START_TEST(it_says_what_it_is)
{
    ck_assert_uint_eq(device->size_bytes, TESTDEV_BYTES);
    ck_assert_uint_eq(device_read32(device, TESTDEV_ID), TESTDEV_ID_VALUE);
    ck_assert_uint_eq(device_read32(device, TESTDEV_VERSION), 1);
    ck_assert_uint_eq(device_read32(device, TESTDEV_ABILITIES),
                      TESTDEV_CAN_COALESCE | TESTDEV_CAN_PAGE);
}
END_TEST

START_TEST(it_asks_the_host_for_what_it_can_when_the_guest_asks)
{
    ck_assert(regions.deferred);
    device->ops->write(device, TESTDEV_COALESCED, ACCESS_32_BIT, 1);
    (void)device_read32(device, TESTDEV_PAGE);
    ck_assert_uint_eq(device_regions_granted(&regions.regions), 0);
    ck_assert_uint_eq(regions.connects, 0);
    for (unsigned i = 1; i <= 2; i++) {
        (void)device_read32(device, TESTDEV_ABILITIES);
        ck_assert_uint_eq(regions.connects, i);
        ck_assert_uint_eq(regions.switches, 2);
    }
    ck_assert(regions.coalesced && regions.page_on);
}
END_TEST

/* The bits that guests read are those of the contract. */
_Static_assert((unsigned)TESTDEV_CAN_DOORBELL == (unsigned)DEVICE_REGION_DOORBELL, "");
_Static_assert((unsigned)TESTDEV_CAN_COALESCE == (unsigned)DEVICE_REGION_COALESCED, "");
_Static_assert((unsigned)TESTDEV_CAN_LOOPBACK == (unsigned)DEVICE_REGION_LOOPBACK, "");
_Static_assert((unsigned)TESTDEV_CAN_PAGE == (unsigned)DEVICE_REGION_PAGE, "");

START_TEST(scratch_keeps_each_width)
{
    static const enum access_width widths[] = {ACCESS_8_BIT, ACCESS_16_BIT, ACCESS_32_BIT,
                                               ACCESS_64_BIT};
    const uint64_t pattern = 0x8877665544332211;

    for (size_t i = 0; i < 4; i++) {
        uint64_t mask = access_mask(widths[i]);

        for (uint64_t at = TESTDEV_SCRATCH; at < TESTDEV_SCRATCH + 0x1000; at += 0x7f8) {
            device->ops->write(device, at, ACCESS_64_BIT, UINT64_MAX);
            device->ops->write(device, at, widths[i], pattern & mask);
            ck_assert_uint_eq(device->ops->read(device, at, widths[i]) & mask, pattern & mask);
            ck_assert_uint_eq(device->ops->read(device, at, ACCESS_64_BIT),
                              (pattern & mask) | ~mask);
        }
    }
    device->ops->reset(device);
    ck_assert_uint_eq(device_read32(device, TESTDEV_SCRATCH), 0);
}
END_TEST

/* Through an exit it reads as it does without. */
START_TEST(the_page_reads_the_same_both_ways)
{
    (void)device_read32(device, TESTDEV_ABILITIES);
    for (uint64_t at = 0; at < TESTDEV_PAGE_BYTES; at++)
        for (unsigned width = 1; width <= 8; width *= 2) {
            uint64_t memory = 0;

            if (at % width)
                continue;
            memcpy(&memory, regions.page + at, width);
            ck_assert_uint_eq(
                device->ops->read(device, TESTDEV_PAGE + at, width) & access_mask(width), memory);
        }
    ck_assert_uint_eq(device_read32(device, TESTDEV_PAGE + 0x124), TESTDEV_PAGE_WORD(0x124));
    device_write32(device, TESTDEV_PAGE, 1);
    ck_assert_uint_eq(device_read32(device, TESTDEV_PAGE), TESTDEV_PAGE_WORD(0));
}
END_TEST

static int find_doorbell(uint64_t offset)
{
    for (size_t i = 0; i < regions.doorbell_count; i++)
        if (regions.doorbells[i].offset == offset && regions.doorbells[i].width == ACCESS_32_BIT)
            return regions.doorbells[i].event_fd;
    ck_abort_msg("no doorbell at 0x%x", (unsigned)offset);
}

/* A write that exits does what KVM does by itself. */
static void ring(uint64_t offset)
{
    const uint64_t one = 1;

    device_write32(device, offset, 0);
    ck_assert_int_eq(write(find_doorbell(offset), &one, sizeof(one)), sizeof(one));
}

START_TEST(doorbells_are_counted_by_their_thread)
{
    ring(TESTDEV_DOORBELL);
    ck_assert_uint_eq(device_read32(device, TESTDEV_DOORBELL_COUNT), 0);
    fake_event_loop_poll(&loop);
    ck_assert_uint_eq(device_read32(device, TESTDEV_DOORBELL_COUNT), 2);
    ck_assert_uint_eq(irq.rises, 0);
}
END_TEST

START_TEST(a_mute_doorbell_wakes_nobody)
{
    ring(TESTDEV_MUTE);
    fake_event_loop_poll(&loop);
    ck_assert_uint_eq(device_read32(device, TESTDEV_MUTE_COUNT), 2);
    ring(TESTDEV_MUTE);
    ck_assert_uint_eq(device_read32(device, TESTDEV_MUTE_COUNT), 4);
    ck_assert_uint_eq(device_read32(device, TESTDEV_DOORBELL_COUNT), 0);
}
END_TEST

START_TEST(an_echo_comes_from_the_thread)
{
    ring(TESTDEV_ECHO);
    ck_assert_uint_eq(irq.rises, 0);
    fake_event_loop_poll(&loop);
    ck_assert_uint_eq(irq.rises, 1); /* two in one go are one */
    ck_assert(!irq.level);
    regions.raises_by_event = true;
    ring(TESTDEV_ECHO);
    fake_event_loop_poll(&loop);
    ck_assert_uint_eq(irq.rises, 1);
    ck_assert_uint_eq(regions.raises, 1);
}
END_TEST

START_TEST(a_loopback_is_an_edge)
{
    ck_assert_uint_eq(regions.loopback_offset, TESTDEV_LOOPBACK);
    device_write32(device, TESTDEV_LOOPBACK, 0);
    ck_assert_uint_eq(irq.rises, 1);
    ck_assert(!irq.level);
    device_write32(device, TESTDEV_RAISE, 0);
    ck_assert_uint_eq(irq.rises, 2);
    ck_assert(!irq.level);
}
END_TEST

START_TEST(coalesced_writes_are_counted_and_the_last_is_kept)
{
    ck_assert_uint_eq(regions.coalesced_offset, TESTDEV_COALESCED);
    ck_assert_uint_eq(regions.coalesced_bytes, 8);
    device->ops->write(device, TESTDEV_COALESCED, ACCESS_64_BIT, 0x1122334455667788);
    ck_assert_uint_eq(device_read32(device, TESTDEV_COALESCED_LAST), 0x55667788);
    device->ops->write(device, TESTDEV_COALESCED + 7, ACCESS_8_BIT, 0x12);
    ck_assert_uint_eq(device_read32(device, TESTDEV_COALESCED_LAST), 0x12);
    ck_assert_uint_eq(device_read32(device, TESTDEV_COALESCED_COUNT), 2);
    device->ops->reset(device);
    ck_assert_uint_eq(device_read32(device, TESTDEV_COALESCED_COUNT), 0);
}
END_TEST

START_TEST(a_guest_ends_with_its_status)
{
    device_write32(device, TESTDEV_EXIT, 42);
    ck_assert_uint_eq(exits, 1);
    ck_assert_uint_eq(exit_status, 42);
    device->ops->write(device, TESTDEV_EXIT, ACCESS_64_BIT, 1); /* no register of 64 bits */
    ck_assert_uint_eq(exits, 1);
}
END_TEST

START_TEST(other_accesses_read_as_zero_and_do_nothing)
{
    static const uint64_t offsets[] = {0x00c, TESTDEV_EXIT, TESTDEV_DOORBELL, 0x3000, 0x3ffc};

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        ck_assert_uint_eq(device_read32(device, offsets[i]), 0);
    ck_assert_uint_eq(device->ops->read(device, TESTDEV_ID, ACCESS_16_BIT), 0);
    ck_assert_uint_eq(device->ops->read(device, TESTDEV_ID + 1, ACCESS_32_BIT), 0);
    ck_assert_uint_eq(device->ops->read(device, TESTDEV_SCRATCH + 1, ACCESS_32_BIT), 0);
    device->ops->write(device, TESTDEV_SCRATCH + 4094, ACCESS_64_BIT, UINT64_MAX);
    device_write32(device, TESTDEV_ID, 1);
    ck_assert_uint_eq(device_read32(device, TESTDEV_ID), TESTDEV_ID_VALUE);
    ck_assert_uint_eq(device_read32(device, TESTDEV_SCRATCH + 4092), 0);
}
END_TEST

START_TEST(any_access_is_survived)
{
    uint64_t state = 1;

    for (int i = 0; i < 100000; i++) {
        uint64_t offset = random_next(&state) % TESTDEV_BYTES;
        enum access_width width = 1U << random_next(&state) % 4;

        if (offset > TESTDEV_BYTES - width)
            offset = TESTDEV_BYTES - width;
        if (random_next(&state) % 2)
            (void)device->ops->read(device, offset, width);
        else
            device->ops->write(device, offset, width, random_next(&state) & access_mask(width));
        fake_event_loop_poll(&loop);
    }
}
END_TEST

START_TEST(the_tree_names_it)
{
    const struct device_place place = {.base = GPA(0xc000000), .spi = SPI};
    struct fdt_writer writer = {0};

    device->ops->describe(device, &writer, &place);
    ck_assert_ptr_nonnull(strstr(writer.text, "testdev@c000000 {"));
    ck_assert_ptr_nonnull(strstr(writer.text, "armlet,testdev"));
}
END_TEST

START_TEST(a_loop_that_takes_nothing_is_an_error)
{
    struct error error = {0};

    loop.fail_init = true;
    ck_assert_ptr_null(find_device_class("testdev")->create(&resources, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    loop.fail_init = false;
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("testdev");
    TCase *tests = tcase_create("testdev");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, it_says_what_it_is);
    tcase_add_test(tests, it_asks_the_host_for_what_it_can_when_the_guest_asks);
    tcase_add_test(tests, scratch_keeps_each_width);
    tcase_add_test(tests, the_page_reads_the_same_both_ways);
    tcase_add_test(tests, doorbells_are_counted_by_their_thread);
    tcase_add_test(tests, a_mute_doorbell_wakes_nobody);
    tcase_add_test(tests, an_echo_comes_from_the_thread);
    tcase_add_test(tests, a_loopback_is_an_edge);
    tcase_add_test(tests, coalesced_writes_are_counted_and_the_last_is_kept);
    tcase_add_test(tests, a_guest_ends_with_its_status);
    tcase_add_test(tests, other_accesses_read_as_zero_and_do_nothing);
    tcase_add_test(tests, any_access_is_survived);
    tcase_add_test(tests, the_tree_names_it);
    tcase_add_test(tests, a_loop_that_takes_nothing_is_an_error);
    suite_add_tcase(suite, tests);
    return suite;
}
