// SPDX-License-Identifier: Apache-2.0
/* Virtqueues of both forms: honest drivers lap after lap, and each thing a hostile one can do. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "virtio_driver.h"

Suite *unit_suite(void);

enum { ENTRIES = 8, LAPS = 5 };

static struct virtio_driver driver;
static struct virtqueue queue;
static struct virtqueue_chain chain;

/* The four combinations that loop tests run with. */
static const struct virtqueue_layout forms[] = {
    {.entries = ENTRIES},
    {.entries = ENTRIES, .indirect = true, .event_index = true},
    {.entries = ENTRIES, .packed = true},
    {.entries = ENTRIES, .packed = true, .indirect = true, .event_index = true},
};
enum { FORM_COUNT = sizeof(forms) / sizeof(forms[0]) };

static void start(const struct virtqueue_layout *layout)
{
    virtio_driver_init(&driver, layout);
    virtqueue_init(&queue, &driver.memory, &driver.layout);
    ck_assert_ptr_null(queue.broken);
}

static void teardown(void)
{
    virtio_driver_finish(&driver);
    driver = (struct virtio_driver){0};
}

static void check_broken(const char *why)
{
    ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
    ck_assert_ptr_nonnull(strstr(queue.broken, why));
    ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
    ck_assert(!virtqueue_should_signal(&queue));
}

#define BUFFER(index, size, write)                                                                 \
    {                                                                                              \
        DRIVER_BUFFERS + (index)*0x1000, size, write                                               \
    }

START_TEST(chains_go_round_and_round)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, 16, false), BUFFER(1, 512, true),
                                                   BUFFER(2, 1, true)};

    start(&forms[_i]);
    for (uint32_t round = 0; round < LAPS * ENTRIES; round++) {
        bool indirect = driver.layout.indirect && round % 2;
        uint16_t id;
        uint32_t written;

        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
        uint16_t expected = virtio_driver_add(&driver, buffers, 3, indirect);
        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
        ck_assert_uint_eq(chain.id, expected);
        ck_assert_uint_eq(chain.readable_count, 1);
        ck_assert_uint_eq(chain.writable_count, 2);
        ck_assert_uint_eq(chain.readable_bytes, 16);
        ck_assert_uint_eq(chain.writable_bytes, 513);
        ck_assert_ptr_eq(chain.segments[2].iov_base, virtio_driver_at(&driver, buffers[2].offset));
        ck_assert(!virtio_driver_reap(&driver, &id, &written));
        virtqueue_return(&queue, &chain, round);
        ck_assert(virtio_driver_reap(&driver, &id, &written));
        ck_assert_uint_eq(id, expected);
        ck_assert_uint_eq(written, round);
        ck_assert(!virtio_driver_reap(&driver, &id, &written));
    }
}
END_TEST

START_TEST(all_entries_are_taken_at_once)
{
    static const struct driver_buffer buffer = BUFFER(0, 64, true);
    struct virtqueue_chain *taken = calloc(ENTRIES, sizeof(*taken));
    uint16_t id;
    uint32_t written;

    ck_assert_ptr_nonnull(taken);
    start(&forms[_i]);
    for (unsigned lap = 0; lap < LAPS; lap++) {
        for (unsigned i = 0; i < ENTRIES; i++)
            (void)virtio_driver_add(&driver, &buffer, 1, false);
        for (unsigned i = 0; i < ENTRIES; i++)
            ck_assert_int_eq(virtqueue_take(&queue, &taken[i]), VIRTQUEUE_TAKEN);
        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
        for (unsigned i = ENTRIES; i-- > 0;)
            virtqueue_return(&queue, &taken[i], i);
        for (unsigned i = ENTRIES; i-- > 0;) {
            ck_assert(virtio_driver_reap(&driver, &id, &written));
            ck_assert_uint_eq(id, taken[i].id);
            ck_assert_uint_eq(written, i);
        }
    }
    free(taken);
}
END_TEST

/* ---- who is told ---- */

static void put16(uint64_t offset, uint16_t value)
{
    memcpy(virtio_driver_at(&driver, offset), &value, sizeof(value));
}

static uint16_t get16(uint64_t offset)
{
    uint16_t value;

    memcpy(&value, virtio_driver_at(&driver, offset), sizeof(value));
    return value;
}

/* One request there and back; whether the driver is to be told. */
static bool pass_one(void)
{
    static const struct driver_buffer buffer = BUFFER(0, 64, true);
    uint16_t id;
    uint32_t written;

    (void)virtio_driver_add(&driver, &buffer, 1, false);
    ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
    virtqueue_return(&queue, &chain, 1);
    ck_assert(virtio_driver_reap(&driver, &id, &written));
    return virtqueue_should_signal(&queue);
}

/* The last one that was taken goes back, and comes again; all come back at once. */
START_TEST(chains_are_given_up_and_returned_together)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, 16, true), BUFFER(1, 16, true)};
    struct virtqueue_used used[3];
    uint32_t written = 0;
    uint16_t id;

    start(&forms[_i]);
    for (unsigned lap = 0; lap < LAPS; lap++) {
        for (size_t i = 0; i < 3; i++)
            (void)virtio_driver_add(&driver, buffers, 2, driver.layout.indirect);
        for (uint32_t i = 0; i < 3; i++) {
            ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
            uint16_t first = chain.id;
            virtqueue_untake(&queue, chain.entries);
            ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
            ck_assert_uint_eq(chain.id, first);
            used[i] = (struct virtqueue_used){chain.id, chain.entries, i};
        }
        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_EMPTY);
        virtqueue_return_batch(&queue, used, 0);
        ck_assert(!virtio_driver_reap(&driver, &id, &written));
        virtqueue_return_batch(&queue, used, 3);
        for (uint32_t i = 0; i < 3; i++) {
            ck_assert(virtio_driver_reap(&driver, &id, &written));
            ck_assert_uint_eq(id, used[i].id);
            ck_assert_uint_eq(written, i);
        }
        ck_assert_uint_eq(queue.outstanding, 0);
    }
}
END_TEST

START_TEST(a_driver_by_flags_is_told_unless_it_says_no)
{
    static const struct virtqueue_layout layouts[] = {{.entries = ENTRIES},
                                                      {.entries = ENTRIES, .packed = true}};
    const struct virtqueue_layout *layout = &layouts[_i];
    uint64_t flags = DRIVER_AREA + (uint64_t)(layout->packed ? EVENT_FLAGS : AVAILABLE_FLAGS);
    uint64_t device_flags =
        DRIVER_DEVICE_AREA + (uint64_t)(layout->packed ? EVENT_FLAGS : USED_FLAGS);

    start(layout);
    ck_assert(!virtqueue_should_signal(&queue));
    ck_assert(pass_one());
    ck_assert(!virtqueue_should_signal(&queue));
    put16(flags, 1); /* VIRTQ_AVAIL_F_NO_INTERRUPT, RING_EVENT_FLAGS_DISABLE */
    ck_assert(!pass_one());
    put16(flags, 0);
    ck_assert(pass_one());
    if (layout->packed) {
        put16(flags, EVENT_DESCRIPTOR); /* without the event index it can't mean that */
        ck_assert(pass_one());
    }
    virtqueue_set_notify(&queue, false);
    ck_assert_uint_eq(get16(device_flags), 1);
    virtqueue_set_notify(&queue, true);
    ck_assert_uint_eq(get16(device_flags), 0);
}
END_TEST

START_TEST(a_driver_by_event_index_is_told_at_its_event)
{
    static const struct virtqueue_layout layout = {.entries = ENTRIES, .event_index = true};
    uint64_t used_event = DRIVER_AREA + USED_EVENT(ENTRIES);
    uint64_t available_event = DRIVER_DEVICE_AREA + AVAILABLE_EVENT(ENTRIES);

    start(&layout);
    for (uint32_t i = 0; i < LAPS * ENTRIES; i++) {
        put16(used_event, (uint16_t)(i / 3 * 3 + 2)); /* at each third */
        ck_assert_int_eq(pass_one(), i % 3 == 2);
    }
    virtqueue_set_notify(&queue, false);
    ck_assert_uint_eq(get16(available_event), 0);
    virtqueue_set_notify(&queue, true);
    ck_assert_uint_eq(get16(available_event), LAPS * ENTRIES);
}
END_TEST

START_TEST(a_packed_driver_is_told_at_its_event)
{
    static const struct virtqueue_layout layout = {
        .entries = ENTRIES, .packed = true, .event_index = true};

    start(&layout);
    put16(DRIVER_AREA + EVENT_FLAGS, EVENT_DESCRIPTOR);
    for (uint32_t i = 0; i < 3 * LAPS * ENTRIES; i++) {
        uint32_t event = i / 3 * 3 + 2;
        uint32_t wrap = event / ENTRIES % 2 ? 0 : EVENT_WRAP;

        put16(DRIVER_AREA + EVENT_OFFSET, (uint16_t)(event % ENTRIES | wrap));
        ck_assert_int_eq(pass_one(), i % 3 == 2);
    }
    put16(DRIVER_AREA + EVENT_FLAGS, EVENT_DISABLE);
    ck_assert(!pass_one());
    virtqueue_set_notify(&queue, true);
    ck_assert_uint_eq(get16(DRIVER_DEVICE_AREA + EVENT_FLAGS), EVENT_DESCRIPTOR);
    ck_assert_uint_eq(get16(DRIVER_DEVICE_AREA + EVENT_OFFSET), 1); /* lap 15, wrap clear */
    virtqueue_set_notify(&queue, false);
    ck_assert_uint_eq(get16(DRIVER_DEVICE_AREA + EVENT_FLAGS), EVENT_DISABLE);
}
END_TEST

/* ---- where rings can't be ---- */

START_TEST(impossible_layouts_are_broken)
{
    static const struct {
        uint32_t entries;
        uint64_t descriptors, driver_area, device_area;
        bool packed;
    } bad[] = {
        {0, 0, 0x2000, 0x3000, false},
        {3, 0, 0x2000, 0x3000, false},
        {512, 0, 0x2000, 0x3000, false},
        {UINT32_MAX, 0, 0x2000, 0x3000, true},
        {8, 8, 0x2000, 0x3000, false},
        {8, 0, 0x2001, 0x3000, false},
        {8, 0, 0x2000, 0x3002, false},
        {8, DRIVER_MEMORY_BYTES, 0x2000, 0x3000, false},
        {8, DRIVER_MEMORY_BYTES - 64, 0x2000, 0x3000, false},
        {8, UINT64_C(0) - DRIVER_BASE - 16, 0x2000, 0x3000, false},
        {8, 0, 0x2000, DRIVER_MEMORY_BYTES - 4, false},
        {8, 0, DRIVER_MEMORY_BYTES - 4, 0x3000, false},
        {8, 0, 0x2002, 0x3000, true},
        {8, 0, 0x2000, UINT64_C(0) - DRIVER_BASE, true},
    };

    start(&forms[0]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct virtqueue_layout layout = {
            .entries = bad[i].entries,
            .descriptors = GPA(DRIVER_BASE + bad[i].descriptors),
            .driver_area = GPA(DRIVER_BASE + bad[i].driver_area),
            .device_area = GPA(DRIVER_BASE + bad[i].device_area),
            .packed = bad[i].packed,
        };

        virtqueue_init(&queue, &driver.memory, &layout);
        ck_assert_msg(queue.broken, "layout %zu", i);
        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_BROKEN);
        virtqueue_set_notify(&queue, true);
    }
}
END_TEST

/* ---- hostile chains, in rings of both forms ---- */

START_TEST(buffers_outside_of_ram_break_the_queue)
{
    static const struct driver_buffer bad[] = {
        {DRIVER_MEMORY_BYTES, 1, false},
        {DRIVER_MEMORY_BYTES - 1, 2, true},
        {UINT64_C(0) - DRIVER_BASE, 16, true},
        {UINT64_C(0) - 1, 2, true},
        {UINT64_C(0) - DRIVER_BASE - 1, UINT32_MAX, true},
        {DRIVER_BUFFERS, UINT32_MAX, true},
        {DRIVER_BUFFERS, 0, true},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(&forms[_i]);
        (void)virtio_driver_add(&driver, &bad[i], 1, driver.layout.indirect && i % 2);
        check_broken("not in RAM");
        teardown();
    }
}
END_TEST

START_TEST(readable_after_writable_breaks_the_queue)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, 16, true), BUFFER(1, 16, false)};

    start(&forms[_i]);
    (void)virtio_driver_add(&driver, buffers, 2, driver.layout.indirect);
    check_broken("readable buffer after");
}
END_TEST

START_TEST(a_chain_as_long_as_the_queue_is_the_longest)
{
    struct driver_buffer buffers[ENTRIES + 1];

    for (uint32_t i = 0; i <= ENTRIES; i++)
        buffers[i] = (struct driver_buffer)BUFFER(i, 16, true);
    start(&forms[_i]);
    (void)virtio_driver_add(&driver, buffers, ENTRIES, false);
    ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
    ck_assert_uint_eq(chain.writable_count, ENTRIES);
    virtqueue_return(&queue, &chain, 0);
    if (driver.layout.indirect) {
        (void)virtio_driver_add(&driver, buffers, ENTRIES + 1, true);
        check_broken("longer than the queue");
    }
}
END_TEST

START_TEST(loops_break_the_queue)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, 16, true), BUFFER(1, 16, true)};
    struct descriptor *table;

    start(&forms[0]);
    (void)virtio_driver_add(&driver, buffers, 2, false);
    table = virtio_driver_at(&driver, DRIVER_DESCRIPTORS);
    table[1].flags |= DESCRIPTOR_NEXT;
    table[1].next = 0;
    check_broken("loop");
    teardown();

    start(&forms[1]);
    (void)virtio_driver_add(&driver, buffers, 2, true);
    table = virtio_driver_at(&driver, DRIVER_TABLE);
    table[1].flags |= DESCRIPTOR_NEXT;
    table[1].next = 0;
    check_broken("loop");
    teardown();

    start(&forms[2]);
    struct packed_descriptor *ring = virtio_driver_at(&driver, DRIVER_DESCRIPTORS);
    for (uint32_t i = 0; i < ENTRIES; i++)
        ring[i] = (struct packed_descriptor){DRIVER_BASE + DRIVER_BUFFERS, 16, 0,
                                             DESCRIPTOR_AVAILABLE | DESCRIPTOR_NEXT};
    check_broken("longer than the queue");
}
END_TEST

START_TEST(indirect_tables_of_a_wrong_form_break_the_queue)
{
    static const struct driver_buffer buffer = BUFFER(0, 16, true);
    static const struct {
        uint64_t offset;
        uint32_t size_bytes;
        uint16_t flags;
    } bad[] = {
        {DRIVER_TABLE, 15, 0},
        {DRIVER_TABLE, 0, 0},
        {DRIVER_MEMORY_BYTES - 16, 32, 0},
        {DRIVER_TABLE, 16, DESCRIPTOR_NEXT},
    };

    for (int form = 1; form < FORM_COUNT; form += 2)
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            start(&forms[form]);
            (void)virtio_driver_add(&driver, &buffer, 1, true);
            uint8_t *first = virtio_driver_at(&driver, DRIVER_DESCRIPTORS);
            struct descriptor raw;

            memcpy(&raw, first, sizeof(raw));
            raw.address = DRIVER_BASE + bad[i].offset;
            raw.length = bad[i].size_bytes;
            raw.flags |= driver.layout.packed ? 0 : bad[i].flags;
            raw.next |= driver.layout.packed ? bad[i].flags : 0; /* where its flags are */
            memcpy(first, &raw, sizeof(raw));
            check_broken("indirect table");
            teardown();
        }
    for (int form = 0; form < FORM_COUNT; form += 2) { /* it was not negotiated */
        start(&forms[form]);
        (void)virtio_driver_add(&driver, &buffer, 1, true);
        check_broken("not negotiated");
        teardown();
    }
}
END_TEST

START_TEST(indirect_chains_stay_in_their_table)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, 16, true), BUFFER(1, 16, true)};
    struct descriptor *table;

    start(&forms[1]);
    (void)virtio_driver_add(&driver, buffers, 2, true);
    table = virtio_driver_at(&driver, DRIVER_TABLE);
    table[0].next = 2;
    check_broken("leaves it");
    teardown();

    start(&forms[1]);
    (void)virtio_driver_add(&driver, buffers, 2, true);
    table = virtio_driver_at(&driver, DRIVER_TABLE);
    table[1].flags = DESCRIPTOR_INDIRECT;
    check_broken("within another");
}
END_TEST

START_TEST(an_indirect_table_may_end_a_chain)
{
    static const struct driver_buffer outer[] = {BUFFER(0, 16, false), {DRIVER_TABLE, 16, false}};
    const struct descriptor inner = {DRIVER_BASE + DRIVER_BUFFERS, 512, DESCRIPTOR_WRITE, 0};

    start(&forms[1]);
    (void)virtio_driver_add(&driver, outer, 2, false);
    struct descriptor *table = virtio_driver_at(&driver, DRIVER_DESCRIPTORS);
    table[1].flags = DESCRIPTOR_INDIRECT;
    memcpy(virtio_driver_at(&driver, DRIVER_TABLE), &inner, sizeof(inner));
    ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
    ck_assert_uint_eq(chain.readable_bytes, 16);
    ck_assert_uint_eq(chain.writable_bytes, 512);
}
END_TEST

START_TEST(indices_that_jump_break_the_queue)
{
    start(&forms[0]);
    put16(DRIVER_AREA + AVAILABLE_INDEX, ENTRIES + 1);
    check_broken("index jumped");
    teardown();

    start(&forms[0]);
    put16(DRIVER_AREA + AVAILABLE_RING(0), ENTRIES);
    put16(DRIVER_AREA + AVAILABLE_INDEX, 1);
    check_broken("beyond the table");
    teardown();

    start(&forms[0]);
    static const struct driver_buffer buffer = BUFFER(0, 16, true);
    (void)virtio_driver_add(&driver, &buffer, 1, false);
    struct descriptor *table = virtio_driver_at(&driver, DRIVER_DESCRIPTORS);
    table[0].flags |= DESCRIPTOR_NEXT;
    table[0].next = UINT16_MAX;
    check_broken("beyond the table");
}
END_TEST

START_TEST(more_than_the_ring_holds_breaks_the_queue)
{
    static const struct driver_buffer buffer = BUFFER(0, 16, true);

    start(&forms[_i]);
    for (unsigned i = 0; i < ENTRIES; i++) {
        (void)virtio_driver_add(&driver, &buffer, 1, false);
        ck_assert_int_eq(virtqueue_take(&queue, &chain), VIRTQUEUE_TAKEN);
    }
    (void)virtio_driver_add(&driver, &buffer, 1, false);
    check_broken("more is available");
}
END_TEST

START_TEST(a_chain_of_more_than_4_gib_breaks_the_queue)
{
    static const struct driver_buffer buffers[] = {BUFFER(0, UINT32_MAX, true),
                                                   BUFFER(0, 16, true)};

    start(&forms[0]);
    /* Not backed: only the sum is looked at. */
    driver.memory.size_bytes = UINT64_C(1) << 33;
    (void)virtio_driver_add(&driver, buffers, 2, false);
    check_broken("longer than 4 GiB");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("virtqueue");
    TCase *honest = tcase_create("honest drivers");
    TCase *hostile = tcase_create("hostile drivers");

    tcase_add_checked_fixture(honest, NULL, teardown);
    tcase_add_loop_test(honest, chains_go_round_and_round, 0, FORM_COUNT);
    tcase_add_loop_test(honest, all_entries_are_taken_at_once, 0, FORM_COUNT);
    tcase_add_loop_test(honest, chains_are_given_up_and_returned_together, 0, FORM_COUNT);
    tcase_add_loop_test(honest, a_driver_by_flags_is_told_unless_it_says_no, 0, 2);
    tcase_add_test(honest, a_driver_by_event_index_is_told_at_its_event);
    tcase_add_test(honest, a_packed_driver_is_told_at_its_event);
    tcase_add_test(honest, an_indirect_table_may_end_a_chain);
    suite_add_tcase(suite, honest);
    tcase_add_checked_fixture(hostile, NULL, teardown);
    tcase_add_test(hostile, impossible_layouts_are_broken);
    tcase_add_loop_test(hostile, buffers_outside_of_ram_break_the_queue, 0, FORM_COUNT);
    tcase_add_loop_test(hostile, readable_after_writable_breaks_the_queue, 0, FORM_COUNT);
    tcase_add_loop_test(hostile, a_chain_as_long_as_the_queue_is_the_longest, 0, FORM_COUNT);
    tcase_add_test(hostile, loops_break_the_queue);
    tcase_add_test(hostile, indirect_tables_of_a_wrong_form_break_the_queue);
    tcase_add_test(hostile, indirect_chains_stay_in_their_table);
    tcase_add_test(hostile, indices_that_jump_break_the_queue);
    tcase_add_loop_test(hostile, more_than_the_ring_holds_breaks_the_queue, 0, FORM_COUNT);
    tcase_add_test(hostile, a_chain_of_more_than_4_gib_breaks_the_queue);
    suite_add_tcase(suite, hostile);
    return suite;
}
