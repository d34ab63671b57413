// SPDX-License-Identifier: Apache-2.0
/* --device: classes that the machine creates when asked, and where they are then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "armlet/fdt_writer.h"
#include "devices/builtin.h"
#include "kvm_machine.h"
#include "memory_map.h"

Suite *unit_suite(void);

#define FREE_BASE   UINT64_C(0x0c100000)
#define VIRTIO_BASE UINT64_C(0x0a000000)

enum { FREE_SPI = 120, SCRATCH_EXTRA_IRQS = 2, VIRTIO_SPI = 16, VIRTIO_SLOTS = 32 };

/* ---- a device with one register, which moves its lines ---- */

struct scratch_config {
    uint64_t value, size_bytes;
    bool broken;
};

static const struct property_row scratch_rows[] = {
    {"value", PROPERTY_NUMBER, offsetof(struct scratch_config, value), 0, 99, "at reset"},
    {"size", PROPERTY_SIZE, offsetof(struct scratch_config, size_bytes), 1, 0, "of its registers"},
    {"broken", PROPERTY_FLAG, offsetof(struct scratch_config, broken), 0, 0, "can't be created"},
    {0},
};

struct scratch {
    struct device device;
    struct scratch_config config;
    struct irq_line *irq;
    uint64_t value;
};

static uint64_t scratch_read(struct device *device, uint64_t offset, enum access_width width)
{
    (void)offset;
    (void)width;
    return container_of(device, struct scratch, device)->value;
}

/* Raises line n for a value of n. */
static void scratch_write(struct device *device, uint64_t offset, enum access_width width,
                          uint64_t value)
{
    struct scratch *scratch = container_of(device, struct scratch, device);

    (void)offset;
    (void)width;
    scratch->value = value;
    if (value <= SCRATCH_EXTRA_IRQS)
        irq_line_set(&scratch->irq[value], true);
}

static void scratch_reset(struct device *device)
{
    struct scratch *scratch = container_of(device, struct scratch, device);

    scratch->value = scratch->config.value;
}

static void scratch_destroy(struct device *device)
{
    free(container_of(device, struct scratch, device));
}

static const struct device_ops scratch_ops = {
    .read = scratch_read,
    .write = scratch_write,
    .reset = scratch_reset,
    .destroy = scratch_destroy,
};

static struct device *scratch_create(const struct device_resources *resources, struct error *error)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));

    ck_assert_ptr_nonnull(scratch);
    scratch->config.size_bytes = 0x1000;
    scratch->irq = resources->irq;
    if (!property_list_read(&resources->properties, scratch_rows, &scratch->config, error) ||
        (scratch->config.broken && !error_set(error, ERROR_HOST, 0, "it is broken"))) {
        free(scratch);
        return NULL;
    }
    scratch->device = (struct device){
        .ops = &scratch_ops, .name = "scratch", .size_bytes = scratch->config.size_bytes};
    return &scratch->device;
}

static const struct device_class scratch_class = {
    .name = "scratch",
    .purpose = "one register",
    .properties = scratch_rows,
    .extra_irqs = SCRATCH_EXTRA_IRQS,
    .create = scratch_create,
};

static const struct device_class fixed_class = {
    .name = "fixed",
    .purpose = "one register in its place",
    .base = {0x0c200000},
    .create = scratch_create,
};

static const struct device_class shared_class = {
    .name = "virtio-scratch",
    .purpose = "one register among others of its kind",
    .properties = scratch_rows,
    .create = scratch_create,
};

const struct device_class *const builtin_device_classes[] = {
    &pl011_class,   &pl031_class, &pl061_class,  &gicv2m_class,
    &scratch_class, &fixed_class, &shared_class, NULL,
};

/* ---- what is asked for, and what isn't ---- */

START_TEST(devices_are_placed_one_after_the_other)
{
    static const struct fake_step steps[] = {
        FAKE_READ(FREE_BASE, 4, 7),
        FAKE_READ(FREE_BASE + 0x2000, 4, 0),
        FAKE_READ(UINT64_C(0x0c200000), 4, 0),
        FAKE_WRITE(FREE_BASE, 4, 1),
        FAKE_WAIT_IRQ(GIC_SPI_BASE + FREE_SPI + 1, true),
        FAKE_WRITE(FREE_BASE + 0x2000, 4, 2),
        FAKE_WAIT_IRQ(GIC_SPI_BASE + FREE_SPI + 5, true),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", "none", "--device",
                  "scratch,value=7,size=4097", "--device", "scratch", "--device", "fixed");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

START_TEST(devices_of_a_kind_share_a_region)
{
    static const struct fake_step steps[] = {
        FAKE_READ(VIRTIO_BASE, 4, 1),          FAKE_READ(VIRTIO_BASE + 0x200, 4, 2),
        FAKE_WRITE(VIRTIO_BASE + 0x200, 4, 0), FAKE_WAIT_IRQ(GIC_SPI_BASE + VIRTIO_SPI + 1, true),
        FAKE_EVENT(KVM_SYSTEM_EVENT_SHUTDOWN),
    };

    ASSERT_PARSES(&trial.options, "run", "-m", "16M", "--console", "none", "--device",
                  "virtio-scratch,value=1,size=0x200", "--device",
                  "virtio-scratch,value=2,size=0x200");
    STEPS(&trial, 0, 0, steps);
    trial_check_run(MACHINE_POWERED_OFF, 0);
}
END_TEST

static void check_refused(enum error_code code, const char *message, const char *const *arguments)
{
    options_finish(&trial.options);
    ck_assert(parse(&trial.options, &trial.error, arguments));
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_int_eq(trial.error.code, code);
    ck_assert_str_eq(trial.error.message, message);
}

#define CHECK_REFUSED(code, message, ...)                                                          \
    check_refused(code, message, (const char *const[ARGUMENTS_MAX + 1]){"run", __VA_ARGS__})

START_TEST(what_cant_be_is_told)
{
    CHECK_REFUSED(ERROR_USAGE, "--device scrath: unknown device: did you mean 'scratch'?",
                  "--device", "scrath");
    CHECK_REFUSED(ERROR_USAGE,
                  "--device zebra: unknown device: '--device help' lists what there is", "--device",
                  "zebra");
    CHECK_REFUSED(ERROR_USAGE, "--device pl011: every machine has one already", "--device",
                  "pl011");
    CHECK_REFUSED(ERROR_USAGE, "--device fixed: given twice, and there is a place for one",
                  "--device", "fixed", "--device", "fixed");
    CHECK_REFUSED(ERROR_USAGE, "--device scratch: unknown property 'vaule': did you mean 'value'?",
                  "--device", "scratch,vaule=3");
    CHECK_REFUSED(ERROR_USAGE, "--device fixed: unknown property 'value': there are none",
                  "--device", "fixed,value=3");
    CHECK_REFUSED(ERROR_USAGE, "--device scratch: value=100: must be at most 99", "--device",
                  "scratch,value=100");
    CHECK_REFUSED(ERROR_HOST, "cannot create device 'scratch': it is broken", "--device",
                  "scratch,broken");
}
END_TEST

START_TEST(there_is_an_end_to_room_and_interrupts)
{
    CHECK_REFUSED(ERROR_USAGE,
                  "--device scratch: no room is left for its 0xff001 bytes at "
                  "0xc101000",
                  "--device", "scratch", "--device", "scratch,size=0xff001");

    const char *arguments[ARGUMENTS_MAX + 1] = {"run"};
    struct option_request many[GIC_SPI_COUNT];

    options_finish(&trial.options);
    ck_assert(parse(&trial.options, &trial.error, arguments));
    for (size_t i = 0; i < GIC_SPI_COUNT; i++)
        many[i] = (struct option_request){.name = "scratch"};
    trial.options.devices = (struct option_request_list){many, GIC_SPI_COUNT};
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_str_eq(trial.error.message, "--device scratch: no interrupt is left for it");
    static const struct property small = {"size", "0x200"};
    for (size_t i = 0; i <= VIRTIO_SLOTS; i++)
        many[i] = (struct option_request){.name = "virtio-scratch", .properties = {&small, 1}};
    trial.options.devices.count = VIRTIO_SLOTS + 1;
    ck_assert(!trial_run(&trial, &trial.error));
    ck_assert_str_eq(trial.error.message,
                     "--device virtio-scratch: there are places for 32 in 'virtio'");
    trial.options.devices = (struct option_request_list){0};
}
END_TEST

START_TEST(the_classes_are_listed)
{
    int out = memfd_create("stdout", MFD_CLOEXEC);
    int usual = dup(STDOUT_FILENO);

    ck_assert_int_ge(out, 0);
    ck_assert_int_eq(fflush(stdout), 0);
    ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
    bool good = machine_print_devices(&trial.options, &trial.log, &trial.error);
    ck_assert_int_ge(dup2(usual, STDOUT_FILENO), 0);
    (void)close(usual);
    ck_assert_msg(good, "%s", trial.error.message);
    ck_assert_ptr_nonnull(
        strstr(trial_read(&trial, out), "pl011        UART (in every machine)\n"));
    ck_assert_ptr_nonnull(strstr(trial_read(&trial, out), "scratch      one register\n"
                                                          "    value        at reset\n"));
    (void)close(out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine_devices");
    TCase *tests = tcase_create("machine_devices");

    tcase_add_checked_fixture(tests, trial_setup, trial_teardown);
    tcase_add_test(tests, devices_are_placed_one_after_the_other);
    tcase_add_test(tests, devices_of_a_kind_share_a_region);
    tcase_add_test(tests, what_cant_be_is_told);
    tcase_add_test(tests, there_is_an_end_to_room_and_interrupts);
    tcase_add_test(tests, the_classes_are_listed);
    suite_add_tcase(suite, tests);
    return suite;
}
