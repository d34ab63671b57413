// SPDX-License-Identifier: Apache-2.0
/* What a device asked for, granted by hosts of all kinds, power-on after power-on. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_kvm.h"
#include "kvm_failures.h"
#include "machine_regions.h"

Suite *unit_suite(void);

#define BASE UINT64_C(0xc000000)

enum { INTID = 144, DOORBELL = 0x20, LOOPBACK = 0x40, COALESCED = 0x30, PAGE = 0x2000 };
enum {
    ALL = DEVICE_REGION_DOORBELL | DEVICE_REGION_COALESCED | DEVICE_REGION_LOOPBACK |
          DEVICE_REGION_PAGE
};

static struct fake_kvm fake;
static struct kvm kvm;
static struct vm vm;
static struct bus bus;
static struct coalesced coalesced;
static struct event_hub events;
static struct log log_of_test;
static struct irq_watch irq;
static struct irq_line line;
static struct machine_pages pages;
static struct machine_regions machine_regions;
static struct device_regions *regions;
static _Alignas(4096) uint8_t run_area[FAKE_KVM_RUN_BYTES];
static int doorbell_fd;

static const struct machine_regions_environment environment = {
    .vm = &vm, .coalesced = &coalesced, .pages = &pages, .events = &events, .log = &log_of_test};

static void setup(void)
{
    struct error error = {0};

    fake_kvm_init(&fake);
    fake_kvm_install(&fake);
    ck_assert(kvm_open(&kvm, &error));
    vm.fd = -1;
    log_of_test = (struct log){.fd = -1};
    coalesced_init(&coalesced, &bus);
    doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    irq.wire = (struct irq_line){.intid = INTID};
    irq_watch_init(&irq, &line, &events);
    machine_regions_init(&machine_regions, &environment, &irq, GPA(0));
    regions = &machine_regions.regions;
}

static void power_off(void)
{
    coalesced_detach(&coalesced);
    machine_regions_forget(&machine_regions);
    vm_destroy(&vm);
}

static void teardown(void)
{
    power_off();
    machine_regions_finish(&machine_regions);
    coalesced_finish(&coalesced);
    (void)close(doorbell_fd);
    kvm_close(&kvm);
    fake_kvm_finish(&fake);
}

static bool power_on(void *kernel_gic, struct error *error)
{
    const struct vm_config config = {.highest = {UINT32_MAX}};

    power_off();
    if (!vm_create(&vm, &kvm, &config, error))
        return false;
    fake.vm.gic_initialised = true;
    memset(run_area, 0, sizeof(run_area));
    coalesced_attach(&coalesced, &vm, (struct kvm_run *)run_area, sizeof(run_area));
    if (machine_regions_apply(&machine_regions, GPA(BASE), kernel_gic, error))
        return true;
    power_off();
    return false;
}

static void check_power_on(bool kernel_gic)
{
    struct error error = {0};

    ck_assert_msg(power_on(kernel_gic ? &fake : NULL, &error), "%s", error.message);
}

static void ask(bool on)
{
    device_regions_add_doorbell(regions, DOORBELL, ACCESS_32_BIT, doorbell_fd);
    device_regions_add_loopback(regions, LOOPBACK, ACCESS_32_BIT);
    device_regions_add_coalesced(regions, COALESCED, 8, on);
    device_regions_add_page(regions, PAGE, on);
}

START_TEST(all_is_granted_at_each_power_on)
{
    ask(true);
    for (int boot = 0; boot < 2; boot++) {
        check_power_on(true);
        ck_assert_uint_eq(device_regions_granted(regions), ALL);
        ck_assert_uint_eq(fake.vm.doorbell_count, 2);
        ck_assert_uint_eq(fake.vm.doorbells[0].addr, BASE + DOORBELL);
        ck_assert_int_eq(fake.vm.doorbells[0].fd, doorbell_fd);
        ck_assert_uint_eq(fake.vm.doorbells[1].addr, BASE + LOOPBACK);
        ck_assert_uint_eq(fake.vm.irqfd_count, 1);
        ck_assert_uint_eq(fake.vm.irqfds[0].gsi, INTID - 32);
        ck_assert_uint_eq(fake.vm.irqfds[0].fd, (unsigned)fake.vm.doorbells[1].fd);
        ck_assert_uint_eq(fake.vm.zone_count, 1);
        ck_assert_uint_eq(fake.vm.zones[0].addr, BASE + COALESCED);
        ck_assert_uint_eq(fake.vm.zones[0].size, 8);
        ck_assert_uint_eq(fake.vm.slot_count, 1);
        ck_assert_uint_eq(fake.vm.slots[0].guest_phys_addr, BASE + PAGE);
        ck_assert_uint_eq(fake.vm.slots[0].userspace_addr, (uintptr_t)device_regions_page(regions));
    }
    power_off();
    ck_assert_uint_eq(device_regions_granted(regions), 0);
}
END_TEST

/* Several at one offset, told apart by what is written. */
START_TEST(doorbells_of_values_are_granted)
{
    for (uint64_t value = 0; value < DEVICE_REGION_DOORBELLS; value++)
        device_regions_add_doorbell_of(regions, DOORBELL, ACCESS_32_BIT, value, doorbell_fd);
    check_power_on(true);
    ck_assert_uint_eq(device_regions_granted(regions), DEVICE_REGION_DOORBELL);
    ck_assert_uint_eq(fake.vm.doorbell_count, DEVICE_REGION_DOORBELLS);
    for (uint64_t value = 0; value < DEVICE_REGION_DOORBELLS; value++) {
        ck_assert_uint_eq(fake.vm.doorbells[value].flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
        ck_assert_uint_eq(fake.vm.doorbells[value].datamatch, value);
        ck_assert_uint_eq(fake.vm.doorbells[value].addr, BASE + DOORBELL);
    }
}
END_TEST

START_TEST(each_call_fails)
{
    static const struct kvm_failure failures[] = {
        {KVM_IOEVENTFD, 0, 0, "cannot place a doorbell at 0xc000020"},
        {KVM_IRQFD, 0, 0, "cannot connect an event to INTID 144"},
        {KVM_IOEVENTFD, 0, 1, "cannot place a doorbell at 0xc000040"},
    };
    struct error error = {0};

    device_regions_add_doorbell(regions, DOORBELL, ACCESS_32_BIT, doorbell_fd);
    device_regions_add_loopback(regions, LOOPBACK, ACCESS_32_BIT);
    ck_assert(power_on(&fake, &error));
    power_off();
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        fake_kvm_fail_request(&fake, failures[i].request, failures[i].nth, EL2HLT);
        ck_assert(!power_on(&fake, &error));
        ck_assert_int_eq(error.code, ERROR_HOST);
        ck_assert_int_eq(error.os_errno, EL2HLT);
        ck_assert_ptr_nonnull(strstr(error.message, failures[i].message));
        fake_kvm_fail_nothing(&fake);
    }
}
END_TEST

START_TEST(a_poor_host_grants_what_it_can)
{
    static const struct {
        long capability;
        unsigned lost;
    } lacks[] = {
        {KVM_CAP_IOEVENTFD, DEVICE_REGION_DOORBELL | DEVICE_REGION_LOOPBACK},
        {KVM_CAP_IRQFD, DEVICE_REGION_LOOPBACK},
        {KVM_CAP_COALESCED_MMIO, DEVICE_REGION_COALESCED},
        {KVM_CAP_READONLY_MEM, DEVICE_REGION_PAGE},
    };

    ask(true);
    fake_kvm_set_capability(&fake, lacks[_i].capability, 0);
    check_power_on(true);
    ck_assert_uint_eq(device_regions_granted(regions), ALL & ~lacks[_i].lost);
    fake_kvm_set_capability(&fake, lacks[_i].capability, 1);
    check_power_on(false);
    ck_assert_uint_eq(device_regions_granted(regions), ALL & ~(unsigned)DEVICE_REGION_LOOPBACK);
    ck_assert_uint_eq(fake.vm.irqfd_count, 0);
}
END_TEST

START_TEST(what_begins_off_costs_nothing)
{
    struct error error = {0};

    device_regions_add_coalesced(regions, COALESCED, 8, false);
    device_regions_add_page(regions, PAGE, false);
    check_power_on(true);
    unsigned calls = fake.call_count;
    ck_assert(machine_regions_apply(&machine_regions, GPA(BASE), true, &error));
    ck_assert_uint_eq(fake.call_count, calls);
    ck_assert(!machine_regions.page->memory);
    ck_assert(!coalesced_pending(&coalesced));
}
END_TEST

START_TEST(deferred_doorbells_come_when_they_are_asked_for)
{
    ask(false);
    device_regions_defer(regions);
    device_regions_connect(regions); /* no VM yet */
    for (int boot = 0; boot < 2; boot++) {
        check_power_on(true);
        ck_assert_uint_eq(device_regions_granted(regions), 0);
        ck_assert_uint_eq(fake.vm.doorbell_count, 0);
        for (int again = 0; again < 2; again++) {
            device_regions_connect(regions);
            ck_assert_uint_eq(device_regions_granted(regions),
                              DEVICE_REGION_DOORBELL | DEVICE_REGION_LOOPBACK);
            ck_assert_uint_eq(fake.vm.doorbell_count, 2);
            ck_assert_uint_eq(fake.vm.irqfd_count, 1);
        }
        uint64_t count = 0;
        ck_assert(device_regions_raise(regions));
        ck_assert_int_eq(read((int)fake.vm.irqfds[0].fd, &count, sizeof(count)), sizeof(count));
        ck_assert_uint_eq(count, 1);
    }
    check_power_on(false);
    device_regions_connect(regions);
    ck_assert_uint_eq(device_regions_granted(regions), DEVICE_REGION_DOORBELL);
    ck_assert(!device_regions_raise(regions));
}
END_TEST

START_TEST(deferred_doorbells_that_fail_exit)
{
    ask(false);
    device_regions_defer(regions);
    check_power_on(true);
    fake_kvm_fail_request(&fake, KVM_IOEVENTFD, 0, ENOMEM);
    device_regions_connect(regions);
    device_regions_connect(regions);
    ck_assert_uint_eq(device_regions_granted(regions), 0);
    ck_assert_uint_eq(fake.vm.doorbell_count, 0);
    check_power_on(true);
    device_regions_connect(regions);
    ck_assert_uint_eq(fake.vm.doorbell_count, 2);
}
END_TEST

START_TEST(who_watches_accesses_sees_them_all)
{
    ask(true);
    events.wanted = EVENT_MASK(EVENT_MMIO);
    check_power_on(true);
    ck_assert_uint_eq(device_regions_granted(regions), 0);
    ck_assert(!device_regions_set_page(regions, true));
    ck_assert(!device_regions_set_coalesced(regions, true));
    device_regions_connect(regions);
    ck_assert_uint_eq(fake.vm.doorbell_count, 0);
    events.wanted = 0;
}
END_TEST

START_TEST(switches_go_both_ways)
{
    ask(false);
    ck_assert(!device_regions_set_page(regions, true)); /* no VM yet */
    ck_assert(!device_regions_set_coalesced(regions, true));
    ck_assert(device_regions_set_page(regions, false));
    ck_assert(device_regions_set_coalesced(regions, false));
    check_power_on(true);
    for (int round = 0; round < 2; round++) {
        ck_assert(device_regions_set_page(regions, true));
        ck_assert(device_regions_set_coalesced(regions, true));
        ck_assert_uint_eq(fake.vm.slot_count, 1);
        ck_assert_uint_eq(fake.vm.zone_count, 1);
        device_regions_page_changed(regions, 0, 4);
        ck_assert(device_regions_set_page(regions, false));
        ck_assert(device_regions_set_coalesced(regions, false));
        ck_assert_uint_eq(fake.vm.slot_count, 0);
        ck_assert_uint_eq(fake.vm.zone_count, 0);
    }
    device_regions_drain(regions);
}
END_TEST

START_TEST(a_switch_that_fails_stays)
{
    ask(false);
    check_power_on(true);
    fake_kvm_fail_request(&fake, KVM_REGISTER_COALESCED_MMIO, 0, ENOMEM);
    ck_assert(!device_regions_set_coalesced(regions, true));
    ck_assert(device_regions_set_coalesced(regions, true));
    fake_kvm_fail_request(&fake, KVM_SET_USER_MEMORY_REGION, 0, ENOMEM);
    ck_assert(!device_regions_set_page(regions, true));
    ck_assert(device_regions_set_page(regions, true));
    fake_kvm_fail_request(&fake, KVM_SET_USER_MEMORY_REGION, 0, ENOMEM);
    ck_assert(!device_regions_set_page(regions, false));
    ck_assert_uint_eq(fake.vm.slot_count, 1);
    ck_assert(device_regions_set_page(regions, false));
}
END_TEST

/* Two devices in one page, and one in another. */
enum { PARTS = 3, PART_BYTES = 0x200, SINK = 0x64, SINK_VALUE = 1 };

static struct machine_regions parts[PARTS];
static struct irq_watch part_irqs[PARTS];

static struct device_regions *part(int i)
{
    return &parts[i].regions;
}

static gpa_t part_base(int i)
{
    static const uint64_t bases[PARTS] = {0xa000000, 0xa000e00, 0xa001000};

    return GPA(bases[i]);
}

static void make_parts(void)
{
    static struct irq_line lines[PARTS];

    pages.count = 0;
    for (int i = 0; i < PARTS; i++) {
        part_irqs[i].wire = (struct irq_line){.intid = (uint32_t)(48 + i)};
        irq_watch_init(&part_irqs[i], &lines[i], &events);
        machine_regions_init(&parts[i], &environment, &part_irqs[i], part_base(i));
        device_regions_add_part(part(i), PART_BYTES);
        device_regions_add_sink(part(i), SINK, ACCESS_32_BIT, SINK_VALUE);
    }
}

static void power_parts(bool on, bool kernel_gic)
{
    struct error error = {0};

    if (on)
        check_power_on(kernel_gic);
    for (int i = 0; i < PARTS; i++)
        if (on)
            ck_assert(machine_regions_apply(&parts[i], part_base(i), kernel_gic, &error));
        else
            machine_regions_forget(&parts[i]);
}

static void finish_parts(void)
{
    power_parts(false, false);
    for (int i = 0; i < PARTS; i++)
        machine_regions_finish(&parts[i]);
    machine_pages_finish(&pages);
}

START_TEST(devices_share_a_page)
{
    make_parts();
    uint8_t *first = device_regions_page(part(0));

    ck_assert_ptr_eq(device_regions_page(part(1)), first + 0xe00);
    ck_assert_uint_eq(pages.count, 2);
    for (int boot = 0; boot < 2; boot++) {
        power_parts(true, true);
        ck_assert_uint_eq(fake.vm.slot_count, 0);
        ck_assert(device_regions_set_page(part(1), true));
        ck_assert(device_regions_set_page(part(0), true));
        ck_assert_uint_eq(fake.vm.slot_count, 1);
        ck_assert_uint_eq(fake.vm.slots[0].guest_phys_addr, 0xa000000);
        ck_assert_uint_eq(fake.vm.slots[0].userspace_addr, (uintptr_t)first);
        ck_assert(device_regions_set_page(part(1), false));
        ck_assert_uint_eq(device_regions_granted(part(1)), DEVICE_REGION_PAGE); /* for the other */
        device_regions_page_changed(part(1), 0, PART_BYTES);
        ck_assert_uint_eq(device_regions_granted(part(2)), 0);
        ck_assert(device_regions_set_page(part(2), true));
        ck_assert_uint_eq(fake.vm.slot_count, 2);
        ck_assert(device_regions_set_page(part(0), false));
        ck_assert_uint_eq(device_regions_granted(part(1)), 0);
        ck_assert_uint_eq(fake.vm.slot_count, 1);
        ck_assert(device_regions_set_page(part(0), true)); /* for the next power-off */
        power_parts(false, false);
        ck_assert_uint_eq(device_regions_granted(part(0)), 0);
    }
    finish_parts();
}
END_TEST

START_TEST(a_shared_page_that_fails_stays)
{
    make_parts();
    ck_assert_ptr_nonnull(device_regions_page(part(0)));
    power_parts(true, true);
    fake_kvm_fail_request(&fake, KVM_SET_USER_MEMORY_REGION, 0, ENOMEM);
    ck_assert(!device_regions_set_page(part(0), true));
    ck_assert_uint_eq(device_regions_granted(part(0)), 0);
    ck_assert(device_regions_set_page(part(0), true));
    fake_kvm_fail_request(&fake, KVM_SET_USER_MEMORY_REGION, 0, ENOMEM);
    ck_assert(!device_regions_set_page(part(0), false));
    ck_assert_uint_eq(device_regions_granted(part(1)), DEVICE_REGION_PAGE);
    finish_parts();
}
END_TEST

START_TEST(a_sink_goes_both_ways)
{
    make_parts();
    ck_assert(!device_regions_set_sink(part(1), true)); /* no VM yet */
    power_parts(true, true);
    for (int round = 0; round < 2; round++) {
        ck_assert(device_regions_set_sink(part(1), true));
        ck_assert(device_regions_set_sink(part(1), true));
        ck_assert_uint_eq(fake.vm.doorbell_count, 1);
        ck_assert_uint_eq(fake.vm.doorbells[0].addr, 0xa000e00 + SINK);
        ck_assert_uint_eq(fake.vm.doorbells[0].len, 4);
        ck_assert_uint_eq(fake.vm.doorbells[0].flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
        ck_assert_uint_eq(fake.vm.doorbells[0].datamatch, SINK_VALUE);
        ck_assert(device_regions_set_sink(part(1), false));
        ck_assert_uint_eq(fake.vm.doorbell_count, 0);
    }
    fake_kvm_fail_request(&fake, KVM_IOEVENTFD, 0, ENOMEM);
    ck_assert(!device_regions_set_sink(part(1), true));
    fake_kvm_fail_nothing(&fake);
    fake_kvm_set_capability(&fake, KVM_CAP_IOEVENTFD, 0);
    ck_assert(!device_regions_set_sink(part(1), true));
    finish_parts();
}
END_TEST

START_TEST(pulses_go_by_an_event_once_connected)
{
    struct irq_line *pulsed = &(struct irq_line){0};
    uint64_t count = 0;

    make_parts();
    irq_watch_init(&part_irqs[0], pulsed, &events);
    ck_assert(!device_regions_connect_irq(part(0)));
    for (int boot = 1; boot <= 2; boot++) {
        power_parts(true, true);
        ck_assert_int_eq(irq_line_event_fd(pulsed), IRQ_NO_EVENT);
        ck_assert(device_regions_connect_irq(part(0)));
        ck_assert(device_regions_connect_irq(part(0)));
        ck_assert_uint_eq(fake.vm.irqfd_count, 1);
        ck_assert_uint_eq(fake.vm.irqfds[0].gsi, 16);
        ck_assert_int_eq(irq_line_event_fd(pulsed), (int)fake.vm.irqfds[0].fd);
        irq_line_pulse(pulsed);
        ck_assert_uint_eq(part_irqs[0].raised, (unsigned)boot);
        ck_assert_int_eq(read((int)fake.vm.irqfds[0].fd, &count, sizeof(count)), sizeof(count));
        ck_assert_uint_eq(count, 1);
        irq_line_pulse(pulsed); /* nobody listens any more, soon */
        part_irqs[0].raised--;
        power_parts(false, false);
        ck_assert_int_eq(irq_line_event_fd(pulsed), IRQ_NO_EVENT);
    }
    power_parts(true, false);
    ck_assert(!device_regions_connect_irq(part(0)));
    power_parts(true, true);
    fake_kvm_fail_request(&fake, KVM_IRQFD, 0, ENOMEM);
    ck_assert(!device_regions_connect_irq(part(0)));
    finish_parts();
}
END_TEST

START_TEST(a_device_that_is_lent_none_gets_none)
{
    regions = NULL;
    ask(true);
    ck_assert_uint_eq(device_regions_granted(regions), 0);
    ck_assert_ptr_null(device_regions_page(regions));
    ck_assert(!device_regions_set_page(regions, true));
    ck_assert(device_regions_set_page(regions, false));
    ck_assert(!device_regions_set_coalesced(regions, true));
    ck_assert(device_regions_set_coalesced(regions, false));
    device_regions_defer(regions);
    device_regions_connect(regions);
    ck_assert(!device_regions_raise(regions));
    device_regions_page_changed(regions, 0, 4);
    device_regions_drain(regions);
    device_regions_add_part(regions, PART_BYTES);
    device_regions_add_sink(regions, SINK, ACCESS_32_BIT, SINK_VALUE);
    ck_assert(!device_regions_set_sink(regions, true));
    ck_assert(device_regions_set_sink(regions, false));
    ck_assert(!device_regions_connect_irq(regions));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("machine_regions");
    TCase *tests = tcase_create("machine_regions");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, all_is_granted_at_each_power_on);
    tcase_add_test(tests, doorbells_of_values_are_granted);
    tcase_add_test(tests, each_call_fails);
    tcase_add_loop_test(tests, a_poor_host_grants_what_it_can, 0, 4);
    tcase_add_test(tests, what_begins_off_costs_nothing);
    tcase_add_test(tests, deferred_doorbells_come_when_they_are_asked_for);
    tcase_add_test(tests, deferred_doorbells_that_fail_exit);
    tcase_add_test(tests, who_watches_accesses_sees_them_all);
    tcase_add_test(tests, switches_go_both_ways);
    tcase_add_test(tests, a_switch_that_fails_stays);
    tcase_add_test(tests, devices_share_a_page);
    tcase_add_test(tests, a_shared_page_that_fails_stays);
    tcase_add_test(tests, a_sink_goes_both_ways);
    tcase_add_test(tests, pulses_go_by_an_event_once_connected);
    tcase_add_test(tests, a_device_that_is_lent_none_gets_none);
    suite_add_tcase(suite, tests);
    return suite;
}
