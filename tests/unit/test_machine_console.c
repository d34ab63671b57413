// SPDX-License-Identifier: Apache-2.0
/* A machine whose console is virtio's, too, and its ports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/virtio.h"
#include "devices/virtio_mmio.h"
#include "kvm_machine.h"

Suite *unit_suite(void);

#define UART    UINT64_C(0x09000000)
#define CONSOLE UINT64_C(0x0a000000)
#define PORTS   UINT64_C(0x0a000200)

enum { MOST_PORTS = VIRTIO_MMIO_CONFIG + 4, EMERGENCY_WRITE = VIRTIO_MMIO_CONFIG + 8 };

static char directory[] = "/tmp/armlet-console-XXXXXX";
static char console_option[64], socket_option[64], file_option[64];
static const char *console_path, *socket_path, *file_path;

static void set_up(void)
{
    trial_setup();
    (void)strcpy(directory, "/tmp/armlet-console-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(console_option, sizeof(console_option), "virtio,file:%s/console", directory);
    (void)snprintf(socket_option, sizeof(socket_option), "agent=unix:%s/socket", directory);
    (void)snprintf(file_option, sizeof(file_option), "log=file:%s/log", directory);
    console_path = strchr(console_option, '/');
    socket_path = strchr(socket_option, '/');
    file_path = strchr(file_option, '/');
}

static void tear_down(void)
{
    (void)unlink(console_path);
    (void)unlink(file_path);
    (void)rmdir(directory);
    trial_teardown();
}

START_TEST(both_devices_write_to_one_place)
{
    static const struct fake_step steps[] = {
        FAKE_WRITE(UART, 4, 'A'),
        FAKE_WRITE(CONSOLE + EMERGENCY_WRITE, 4, 'B'),
        FAKE_WRITE(UART, 4, 'C'),
        FAKE_READ(CONSOLE + VIRTIO_MMIO_DEVICE_ID, 4, VIRTIO_ID_CONSOLE),
        FAKE_READ(PORTS + VIRTIO_MMIO_DEVICE_ID, 4, VIRTIO_ID_CONSOLE),
        FAKE_READ(PORTS + MOST_PORTS, 4, 3),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };
    char text[8] = "";

    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", console_option, "--port",
                  socket_option, "--port", file_option, "--fast-console=off");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
    FILE *file = fopen(console_path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(text, 1, sizeof(text) - 1, file), 3);
    (void)fclose(file);
    ck_assert_str_eq(text, "ABC");
    ck_assert_int_ne(access(socket_path, F_OK), 0);
    ck_assert_int_eq(access(file_path, F_OK), 0);
}
END_TEST

START_TEST(a_port_that_cant_be_is_told)
{
    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", "none", "--port", socket_option,
                  "--port", "log=file:/nowhere/log");
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, ERROR_FILE);
    ck_assert_str_eq(trial.error.message, "--port log: cannot open '/nowhere/log' for port 'log': "
                                          "No such file or directory");
    ck_assert_int_ne(access(socket_path, F_OK), 0);
}
END_TEST

START_TEST(a_dry_run_makes_none)
{
    struct machine *machine;

    ASSERT_PARSES(&trial.options, "run", "--dry-run", "-m", "16M", "--console", console_option,
                  "--port", socket_option, "--port", file_option);
    machine = machine_create(&trial.options, &trial.log, &trial.error);
    ck_assert_msg(machine, "%s", trial.error.message);
    ck_assert_int_ne(access(console_path, F_OK), 0);
    ck_assert_int_ne(access(socket_path, F_OK), 0);
    ck_assert_int_ne(access(file_path, F_OK), 0);
    machine_destroy(machine);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine_console");
    TCase *tests = tcase_create("console");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, both_devices_write_to_one_place);
    tcase_add_test(tests, a_port_that_cant_be_is_told);
    tcase_add_test(tests, a_dry_run_makes_none);
    suite_add_tcase(suite, tests);
    return suite;
}
