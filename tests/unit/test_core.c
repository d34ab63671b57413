// SPDX-License-Identifier: Apache-2.0
/* The small pieces that everything stands on. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "armlet/error.h"
#include "armlet/guest_memory.h"
#include "armlet/lifecycle.h"
#include "exit_status.h"
#include "memory_map.h"

Suite *unit_suite(void);

START_TEST(error_carries_code_errno_and_text)
{
    struct error error = {0};

    ck_assert(!error_set(&error, ERROR_FILE, ENOENT, "cannot open '%s'", "x"));
    ck_assert_int_eq(error.code, ERROR_FILE);
    ck_assert_int_eq(error.os_errno, ENOENT);
    ck_assert_str_eq(error.message, "cannot open 'x': No such file or directory");
}
END_TEST

START_TEST(error_context_reads_from_general_to_particular)
{
    struct error error = {0};

    (void)error_set(&error, ERROR_FILE, 0, "bad magic 0x%x", 0x1234);
    ck_assert(!error_add_context(&error, "cannot load kernel '%s'", "Image"));
    ck_assert_str_eq(error.message, "cannot load kernel 'Image': bad magic 0x1234");
    ck_assert_int_eq(error.code, ERROR_FILE);
}
END_TEST

START_TEST(error_message_is_cut_never_overrun)
{
    struct error error = {0};
    char text[2 * ERROR_MESSAGE_BYTES];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)error_set(&error, ERROR_HOST, ENOMEM, "%s", text);
    ck_assert_uint_eq(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
    for (int i = 0; i < 3; i++)
        (void)error_add_context(&error, "%s", text);
    ck_assert_uint_eq(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
}
END_TEST

START_TEST(arena_gives_zeroed_aligned_memory)
{
    struct arena arena = {0};
    struct error error = {0};

    for (size_t count = 1; count < 300; count += 7) {
        unsigned char *bytes = arena_alloc(&arena, count, 3, &error);
        ck_assert_ptr_nonnull(bytes);
        ck_assert_uint_eq((uintptr_t)bytes % CACHE_LINE_BYTES, 0);
        for (size_t i = 0; i < 3 * count; i++)
            ck_assert_uint_eq(bytes[i], 0);
        memset(bytes, 0xff, 3 * count);
    }
    arena_finish(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

START_TEST(arena_refuses_a_size_that_overflows)
{
    struct arena arena = {0};
    struct error error = {0};

    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX / 2, 3, &error));
    ck_assert_int_eq(error.code, ERROR_HOST);
    ck_assert_int_eq(error.os_errno, ENOMEM);
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8, 1, &error));
    arena_finish(&arena);
}
END_TEST

START_TEST(machine_moves_only_along_the_table)
{
    static const bool allowed[MACHINE_STATE_COUNT][MACHINE_STATE_COUNT] = {
        [MACHINE_CREATED][MACHINE_READY] = true,    [MACHINE_CREATED][MACHINE_STOPPED] = true,
        [MACHINE_CREATED][MACHINE_FAILED] = true,   [MACHINE_READY][MACHINE_RUNNING] = true,
        [MACHINE_READY][MACHINE_STOPPED] = true,    [MACHINE_READY][MACHINE_FAILED] = true,
        [MACHINE_RUNNING][MACHINE_STOPPING] = true, [MACHINE_RUNNING][MACHINE_FAILED] = true,
        [MACHINE_STOPPING][MACHINE_READY] = true,   [MACHINE_STOPPING][MACHINE_STOPPED] = true,
        [MACHINE_STOPPING][MACHINE_FAILED] = true,
    };

    for (int from = 0; from < MACHINE_STATE_COUNT; from++)
        for (int to = 0; to < MACHINE_STATE_COUNT; to++) {
            struct error error = {0};
            enum machine_state state = (enum machine_state)from;
            bool moved = machine_state_move(&state, (enum machine_state)to, &error);

            ck_assert_int_eq(moved, allowed[from][to]);
            ck_assert_int_eq(state, moved ? to : from);
            ck_assert_int_eq(error.code, moved ? ERROR_NONE : ERROR_INTERNAL);
        }
}
END_TEST

START_TEST(vcpu_moves_only_along_the_table)
{
    static const bool allowed[VCPU_STATE_COUNT][VCPU_STATE_COUNT] = {
        [VCPU_OFF][VCPU_RUNNING] = true,     [VCPU_OFF][VCPU_FAILED] = true,
        [VCPU_RUNNING][VCPU_STOPPED] = true, [VCPU_RUNNING][VCPU_FAILED] = true,
        [VCPU_STOPPED][VCPU_OFF] = true,     [VCPU_STOPPED][VCPU_FAILED] = true,
        [VCPU_FAILED][VCPU_OFF] = true,
    };

    for (int from = 0; from < VCPU_STATE_COUNT; from++)
        for (int to = 0; to < VCPU_STATE_COUNT; to++) {
            struct error error = {0};
            enum vcpu_state state = (enum vcpu_state)from;
            bool moved = vcpu_state_move(&state, (enum vcpu_state)to, &error);

            ck_assert_int_eq(moved, allowed[from][to]);
            ck_assert_int_eq(state, moved ? to : from);
        }
}
END_TEST

START_TEST(an_illegal_transition_names_both_states)
{
    struct error error = {0};
    enum machine_state machine = MACHINE_STOPPED;
    enum vcpu_state vcpu = VCPU_STATE_COUNT;

    ck_assert(!machine_state_move(&machine, MACHINE_RUNNING, &error));
    ck_assert_str_eq(error.message, "a machine can't go from 'stopped' to 'running'");
    ck_assert(!vcpu_state_move(&vcpu, VCPU_OFF, &error));
    ck_assert_str_eq(error.message, "a vCPU can't go from 'unknown' to 'off'");
    ck_assert_str_eq(machine_state_name(MACHINE_STATE_COUNT), "unknown");
}
END_TEST

START_TEST(span_is_inside_of_ram_or_nothing)
{
    uint8_t bytes[64];
    const struct guest_memory memory = {
        .base = GPA(0x40000000), .size_bytes = sizeof(bytes), .host = bytes};
    struct span span;

    ck_assert(guest_memory_span(&memory, GPA(0x40000000), sizeof(bytes), &span));
    ck_assert_ptr_eq(span.data, bytes);
    ck_assert_uint_eq(span.size_bytes, sizeof(bytes));
    ck_assert(guest_memory_span(&memory, GPA(0x4000003f), 1, &span));
    ck_assert_ptr_eq(span.data, bytes + 63);

    static const struct {
        uint64_t address, size;
    } outside[] = {
        {0x40000000, 0},
        {0x40000000, 65},
        {0x4000003f, 2},
        {0x40000040, 1},
        {0x3fffffff, 1},
        {0x3fffffff, 2},
        {0x40000010, UINT64_MAX},
        {0, UINT64_MAX},
        {UINT64_MAX, 1},
        {UINT64_MAX, 2},
        {0x40000001, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        ck_assert(!guest_memory_span(&memory, GPA(outside[i].address), outside[i].size, &span));
        ck_assert_ptr_null(span.data);
        ck_assert_uint_eq(span.size_bytes, 0);
    }
}
END_TEST

START_TEST(regions_do_not_overlap)
{
    for (int i = 0; i < REGION_COUNT; i++)
        for (int j = 0; j < REGION_COUNT; j++) {
            const struct region *a = memory_map_region((enum region_id)i);
            const struct region *b = memory_map_region((enum region_id)j);

            ck_assert_ptr_nonnull(a->name);
            if (i != j && a->base.value <= b->base.value)
                ck_assert_uint_le(a->base.value + a->size_bytes, b->base.value);
            if (i != j && a->spi != NO_SPI)
                ck_assert_int_ne(a->spi, b->spi);
        }
}
END_TEST

START_TEST(second_redistributor_region_is_above_ram)
{
    const uint64_t gib = 1ULL << 30;

    ck_assert_uint_eq(memory_map_low_redistributors(), 123);
    ck_assert_uint_eq(memory_map_high_redistributors(GPA(2 * gib)).value, 256 * gib);
    ck_assert_uint_eq(memory_map_high_redistributors(GPA(256 * gib)).value, 256 * gib);
    ck_assert_uint_eq(memory_map_high_redistributors(GPA(300 * gib + 1)).value, 301 * gib);
}
END_TEST

START_TEST(each_cause_has_its_exit_status)
{
    static const enum machine_outcome outcomes[] = {MACHINE_POWERED_OFF, MACHINE_RESET,
                                                    MACHINE_TIMED_OUT,   MACHINE_QUIT,
                                                    MACHINE_WATCHDOG,    MACHINE_SIGNALLED};
    static const int statuses[] = {0, 6, 7, 8, 9, 143};

    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        struct machine_result result = {.outcome = outcomes[i], .signal = 15};
        ck_assert_int_eq(exit_status_of_result(&result), statuses[i]);
    }
    for (uint64_t status = 0; status < 70; status++) {
        struct machine_result result = {.outcome = MACHINE_EXITED, .guest_status = status};
        int expected = status == 0 ? 0 : status < 63 ? 64 + (int)status : 127;

        ck_assert_int_eq(exit_status_of_result(&result), expected);
        result.guest_status = UINT64_MAX - status;
        ck_assert_int_eq(exit_status_of_result(&result), 127);
    }
    ck_assert_int_eq(exit_status_of_error(ERROR_NONE), 0);
    ck_assert_int_eq(exit_status_of_error(ERROR_INTERNAL), 1);
    ck_assert_int_eq(exit_status_of_error(ERROR_USAGE), 2);
    ck_assert_int_eq(exit_status_of_error(ERROR_HOST), 3);
    ck_assert_int_eq(exit_status_of_error(ERROR_FILE), 4);
    ck_assert_int_eq(exit_status_of_error(ERROR_GUEST), 5);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("core");
    TCase *tests = tcase_create("core");

    tcase_add_test(tests, error_carries_code_errno_and_text);
    tcase_add_test(tests, error_context_reads_from_general_to_particular);
    tcase_add_test(tests, error_message_is_cut_never_overrun);
    tcase_add_test(tests, arena_gives_zeroed_aligned_memory);
    tcase_add_test(tests, arena_refuses_a_size_that_overflows);
    tcase_add_test(tests, machine_moves_only_along_the_table);
    tcase_add_test(tests, vcpu_moves_only_along_the_table);
    tcase_add_test(tests, an_illegal_transition_names_both_states);
    tcase_add_test(tests, span_is_inside_of_ram_or_nothing);
    tcase_add_test(tests, regions_do_not_overlap);
    tcase_add_test(tests, second_redistributor_region_is_above_ram);
    tcase_add_test(tests, each_cause_has_its_exit_status);
    suite_add_tcase(suite, tests);
    return suite;
}
