// SPDX-License-Identifier: Apache-2.0
/* The device table against a plain linear search, and what it refuses. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "bus.h"

Suite *unit_suite(void);

struct probe {
    struct device device;
    uint64_t offset;
    uint64_t value;
    enum access_width width;
    unsigned reads, writes;
};

static uint64_t probe_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct probe *probe = container_of(device, struct probe, device);

    probe->offset = offset;
    probe->width = width;
    probe->reads++;
    return UINT64_MAX;
}

static void probe_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct probe *probe = container_of(device, struct probe, device);

    probe->offset = offset;
    probe->width = width;
    probe->value = value;
    probe->writes++;
}

static const struct device_ops probe_ops = {.read = probe_read, .write = probe_write};

static struct probe probe_make(uint64_t size_bytes)
{
    return (struct probe){.device = {&probe_ops, "probe", size_bytes}};
}

START_TEST(a_banked_device_answers_its_own_cpu)
{
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct bus_cursor cursors[2] = {0};
    struct probe plain = probe_make(0x1000);
    struct probe banks[2] = {probe_make(0x1000), probe_make(0x1000)};
    struct device *const devices[] = {&banks[0].device, &banks[1].device};
    uint64_t value = 5;

    bus_init(&bus, &arena);
    ck_assert(bus_add(&bus, &plain.device, GPA(0x9000000), &error));
    ck_assert(bus_add_banked(&bus, devices, 2, GPA(0x8000000), &error));
    ck_assert(bus_freeze(&bus, &error));
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        const struct bus *view = bus_view(&bus, cpu);

        ck_assert_uint_eq(view->count, bus.count);
        value = 5 + cpu;
        ck_assert(
            bus_access(view, &cursors[cpu], GPA(0x8000004), ACCESS_WRITE, ACCESS_32_BIT, &value));
        ck_assert(
            bus_access(view, &cursors[cpu], GPA(0x9000008), ACCESS_WRITE, ACCESS_32_BIT, &value));
        ck_assert_uint_eq(banks[cpu].value, 5 + cpu);
        ck_assert_uint_eq(banks[cpu].writes, 1);
        ck_assert_uint_eq(plain.writes, cpu + 1);
    }
    arena_finish(&arena);
}
END_TEST

START_TEST(without_banks_all_cpus_see_one_table)
{
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct probe plain = probe_make(0x1000);

    bus_init(&bus, &arena);
    ck_assert(bus_add(&bus, &plain.device, GPA(0x9000000), &error));
    ck_assert(bus_freeze(&bus, &error));
    ck_assert_ptr_eq(bus_view(&bus, 0), &bus);
    ck_assert_ptr_eq(bus_view(&bus, 511), &bus);
    arena_finish(&arena);
}
END_TEST

START_TEST(an_access_reaches_its_device_by_offset)
{
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct bus_cursor cursor = {0};
    struct probe low = probe_make(0x1000);
    struct probe high = probe_make(0x100);
    uint64_t value = 0x1122334455667788;

    bus_init(&bus, &arena);
    ck_assert(bus_add(&bus, &high.device, GPA(0x9000000), &error));
    ck_assert(bus_add(&bus, &low.device, GPA(0x8000000), &error));
    ck_assert(bus_freeze(&bus, &error));

    ck_assert(bus_access(&bus, &cursor, GPA(0x9000010), ACCESS_WRITE, ACCESS_16_BIT, &value));
    ck_assert_uint_eq(high.offset, 0x10);
    ck_assert_uint_eq(high.value, 0x7788);
    ck_assert_int_eq(high.width, ACCESS_16_BIT);
    ck_assert(bus_access(&bus, &cursor, GPA(0x8000ffc), ACCESS_READ, ACCESS_32_BIT, &value));
    ck_assert_uint_eq(value & access_mask(ACCESS_32_BIT), UINT32_MAX);
    ck_assert_uint_eq(low.offset, 0xffc);
    ck_assert(!bus_access(&bus, &cursor, GPA(0x8000ffc), ACCESS_READ, ACCESS_64_BIT, &value));
    arena_finish(&arena);
}
END_TEST

START_TEST(an_access_to_nowhere_reads_zero)
{
    static const uint64_t nowhere[] = {0, 0x7ffffff, 0x8001000, 0x8000ffd, 0x8ffffff, UINT64_MAX};
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct bus_cursor cursor = {0};
    struct probe probe = probe_make(0x1000);

    bus_init(&bus, &arena);
    uint64_t value = 1;
    ck_assert(!bus_access(&bus, &cursor, GPA(0), ACCESS_READ, ACCESS_8_BIT, &value));
    ck_assert_uint_eq(value, 0);

    ck_assert(bus_add(&bus, &probe.device, GPA(0x8000000), &error));
    ck_assert(bus_freeze(&bus, &error));
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        value = 1;
        ck_assert(!bus_access(&bus, &cursor, GPA(nowhere[i]), ACCESS_READ, ACCESS_32_BIT, &value));
        ck_assert_uint_eq(value, 0);
        ck_assert(!bus_access(&bus, &cursor, GPA(nowhere[i]), ACCESS_WRITE, ACCESS_32_BIT, &value));
    }
    ck_assert_uint_eq(probe.reads + probe.writes, 0);
    arena_finish(&arena);
}
END_TEST

START_TEST(overlaps_are_refused)
{
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct probe a = probe_make(0x1000);
    struct probe b = probe_make(0x1000);

    bus_init(&bus, &arena);
    ck_assert(bus_add(&bus, &a.device, GPA(0x1000), &error));
    ck_assert(bus_add(&bus, &b.device, GPA(0x1fff), &error));
    ck_assert(!bus_freeze(&bus, &error));
    ck_assert_str_eq(error.message, "devices 'probe' at 0x1000 and 'probe' at 0x1fff overlap");
    arena_finish(&arena);
}
END_TEST

START_TEST(impossible_ranges_are_refused)
{
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    struct probe empty = probe_make(0);
    struct probe large = probe_make(0x1001);

    bus_init(&bus, &arena);
    ck_assert(!bus_add(&bus, &empty.device, GPA(0x1000), &error));
    ck_assert(!bus_add(&bus, &large.device, GPA(UINT64_MAX - 0xfff), &error));
    ck_assert_int_eq(error.code, ERROR_INTERNAL);
    arena_finish(&arena);
}
END_TEST

static const struct bus_entry *linear_search(const struct bus *bus, uint64_t address)
{
    for (size_t i = 0; i < bus->count; i++)
        if (address >= bus->entries[i].base.value &&
            address - bus->entries[i].base.value < bus->entries[i].size_bytes)
            return &bus->entries[i];
    return NULL;
}

START_TEST(bisection_agrees_with_a_linear_search)
{
    enum { DEVICES = 129, LOOKUPS = 200000, STRIDE = 0x100, SMALLEST = ACCESS_64_BIT };
    struct arena arena = {0};
    struct error error = {0};
    struct bus bus;
    static struct probe probes[DEVICES];

    srandom(1);
    bus_init(&bus, &arena);
    for (size_t i = 0; i < DEVICES; i++) {
        size_t slot = (i * 50) % DEVICES; /* 50 and 129 have no common factor: not sorted */
        probes[i] = probe_make(SMALLEST + (uint64_t)random() % (STRIDE - SMALLEST + 1));
        ck_assert(bus_add(&bus, &probes[i].device, GPA(0x1000 + slot * STRIDE), &error));
    }
    ck_assert(bus_freeze(&bus, &error));
    for (int i = 0; i < LOOKUPS; i++) {
        uint64_t address = (uint64_t)random() % (0x1000 + (DEVICES + 2) * STRIDE);
        ck_assert_ptr_eq(bus_find(&bus, GPA(address)), linear_search(&bus, address));
    }
    arena_finish(&arena);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("bus");
    TCase *tests = tcase_create("bus");

    tcase_add_test(tests, an_access_reaches_its_device_by_offset);
    tcase_add_test(tests, a_banked_device_answers_its_own_cpu);
    tcase_add_test(tests, without_banks_all_cpus_see_one_table);
    tcase_add_test(tests, an_access_to_nowhere_reads_zero);
    tcase_add_test(tests, overlaps_are_refused);
    tcase_add_test(tests, impossible_ranges_are_refused);
    tcase_add_test(tests, bisection_agrees_with_a_linear_search);
    suite_add_tcase(suite, tests);
    return suite;
}
