// SPDX-License-Identifier: Apache-2.0
/* What KVM handles without an exit: doorbells, interrupts, a page, and the ring of writes. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "coalesced.h"
#include "fake_kvm.h"
#include "kvm_failures.h"
#include "vm_regions.h"

Suite *unit_suite(void);

#define PAGE_BASE   UINT64_C(0x9000000)
#define DEVICE_BASE UINT64_C(0xa000000)

enum { SPI = 5, INTID = 32 + SPI, RING_ENTRIES = (4096 - 8) / 24, RUN_BYTES = 8192 };

static struct fake_kvm fake;
static struct kvm kvm;
static struct vm vm;
static struct error error;
static _Alignas(4096) uint8_t page_memory[VM_PAGE_BYTES];
static const struct vm_config config = {.highest = {UINT32_MAX}};

static void setup(void)
{
    fake_kvm_init(&fake);
    fake_kvm_install(&fake);
    error = (struct error){0};
    ck_assert(kvm_open(&kvm, &error));
    ck_assert(vm_create(&vm, &kvm, &config, &error));
    fake.vm.gic_initialised = true;
}

static void teardown(void)
{
    vm_destroy(&vm);
    kvm_close(&kvm);
    fake_kvm_finish(&fake);
}

/* ---- every failing call ---- */

static bool add_everything(void *context, struct error *failure)
{
    const struct vm_doorbell doorbell = {.address = GPA(DEVICE_BASE), .width = ACCESS_32_BIT};
    struct vm_page page;
    uint32_t slots = vm.slot_count;

    (void)context;
    vm_page_init(&vm, &page, GPA(PAGE_BASE), page_memory);
    bool good = vm_add_ioeventfd(&vm, &doorbell, failure) &&
                vm_add_irqfd(&vm, INTID, 0, VM_NO_RESAMPLE, failure) &&
                vm_set_coalesced(&vm, GPA(DEVICE_BASE), 4, true, failure) &&
                vm_page_set_present(&vm, &page, true, failure) &&
                vm_page_set_present(&vm, &page, false, failure) &&
                vm_set_coalesced(&vm, GPA(DEVICE_BASE), 4, false, failure);
    vm.slot_count = slots;
    fake.vm = (struct fake_vm){.gic_initialised = true};
    return good;
}

START_TEST(each_call_fails)
{
    static const struct kvm_failure failures[] = {
        {KVM_IOEVENTFD, 0, 0, "cannot place a doorbell at 0xa000000: KVM_IOEVENTFD"},
        {KVM_IRQFD, 0, 0, "cannot connect an event to INTID 37: KVM_IRQFD"},
        {KVM_REGISTER_COALESCED_MMIO, 0, 0,
         "cannot coalesce writes at 0xa000000: KVM_REGISTER_COALESCED_MMIO"},
        {KVM_SET_USER_MEMORY_REGION, 0, 0,
         "cannot place the read-only page at 0x9000000: KVM_SET_USER_MEMORY_REGION"},
        {KVM_SET_USER_MEMORY_REGION, 0, 1, "cannot remove the read-only page at 0x9000000"},
        {KVM_UNREGISTER_COALESCED_MMIO, 0, 0, "KVM_UNREGISTER_COALESCED_MMIO"},
    };

    check_each_call_fails(&fake, add_everything, NULL, 6);
    check_messages(&fake, add_everything, NULL, failures, sizeof(failures) / sizeof(failures[0]));
}
END_TEST

/* ---- what is asked for ---- */

START_TEST(a_doorbell_says_where_how_wide_and_what)
{
    struct vm_doorbell doorbell = {
        .address = GPA(DEVICE_BASE), .width = ACCESS_16_BIT, .value = 7, .event_fd = 9};

    ck_assert(vm_add_ioeventfd(&vm, &doorbell, &error));
    doorbell.match = true;
    ck_assert(vm_add_ioeventfd(&vm, &doorbell, &error));
    ck_assert_uint_eq(fake.vm.doorbell_count, 2);
    ck_assert_uint_eq(fake.vm.doorbells[0].addr, DEVICE_BASE);
    ck_assert_uint_eq(fake.vm.doorbells[0].len, 2);
    ck_assert_int_eq(fake.vm.doorbells[0].fd, 9);
    ck_assert_uint_eq(fake.vm.doorbells[0].flags, 0);
    ck_assert_uint_eq(fake.vm.doorbells[1].flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
    ck_assert_uint_eq(fake.vm.doorbells[1].datamatch, 7);
}
END_TEST

START_TEST(an_interrupt_is_an_edge_or_resampled)
{
    ck_assert(vm_add_irqfd(&vm, INTID, 8, VM_NO_RESAMPLE, &error));
    ck_assert(vm_add_irqfd(&vm, INTID, 8, 9, &error));
    ck_assert_uint_eq(fake.vm.irqfd_count, 2);
    ck_assert_uint_eq(fake.vm.irqfds[0].fd, 8);
    ck_assert_uint_eq(fake.vm.irqfds[0].gsi, SPI);
    ck_assert_uint_eq(fake.vm.irqfds[0].flags, 0);
    ck_assert_uint_eq(fake.vm.irqfds[1].flags, KVM_IRQFD_FLAG_RESAMPLE);
    ck_assert_uint_eq(fake.vm.irqfds[1].resamplefd, 9);
}
END_TEST

START_TEST(a_page_comes_and_goes_in_its_slot)
{
    struct vm_page first, second;

    vm_page_init(&vm, &first, GPA(PAGE_BASE), page_memory);
    vm_page_init(&vm, &second, GPA(DEVICE_BASE), page_memory);
    ck_assert_uint_eq(fake.vm.slot_count, 0);
    for (int round = 0; round < 2; round++) {
        unsigned before = fake.call_count;

        ck_assert(vm_page_set_present(&vm, &second, true, &error));
        ck_assert(vm_page_set_present(&vm, &second, true, &error));
        ck_assert_uint_eq(fake.call_count, before + 1);
        ck_assert_uint_eq(fake.vm.slot_count, 1);
        ck_assert_uint_eq(fake.vm.slots[1].guest_phys_addr, DEVICE_BASE);
        ck_assert_uint_eq(fake.vm.slots[1].memory_size, VM_PAGE_BYTES);
        ck_assert_uint_eq(fake.vm.slots[1].userspace_addr, (uintptr_t)page_memory);
        ck_assert_uint_eq(fake.vm.slots[1].flags, KVM_MEM_READONLY);
        ck_assert(vm_page_set_present(&vm, &second, false, &error));
        ck_assert(vm_page_set_present(&vm, &second, false, &error));
        ck_assert_uint_eq(fake.call_count, before + 2);
        ck_assert_uint_eq(fake.vm.slot_count, 0);
    }
}
END_TEST

START_TEST(a_page_that_stays_is_said_to)
{
    struct vm_page page;

    vm_page_init(&vm, &page, GPA(PAGE_BASE), page_memory);
    ck_assert(vm_page_set_present(&vm, &page, true, &error));
    fake_kvm_fail_request(&fake, KVM_SET_USER_MEMORY_REGION, 0, ENOMEM);
    ck_assert(!vm_page_set_present(&vm, &page, false, &error));
    ck_assert(page.present);
}
END_TEST

START_TEST(a_host_without_them_says_so)
{
    static const struct {
        enum vm_ability ability;
        long capability;
    } abilities[] = {
        {VM_CAN_IOEVENTFD, KVM_CAP_IOEVENTFD},
        {VM_CAN_IRQFD, KVM_CAP_IRQFD},
        {VM_CAN_COALESCE, KVM_CAP_COALESCED_MMIO},
        {VM_CAN_READONLY_PAGE, KVM_CAP_READONLY_MEM},
    };

    for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {
        ck_assert(vm_can(&vm, abilities[i].ability));
        fake_kvm_set_capability(&fake, abilities[i].capability, 0);
        ck_assert(!vm_can(&vm, abilities[i].ability));
    }
}
END_TEST

/* ---- the ring ---- */

enum { TAKEN = 512 };

static struct {
    struct device device;
    uint64_t values[TAKEN];
    uint64_t offsets[TAKEN];
    enum access_width widths[TAKEN];
    size_t count;
    size_t refills; /* so many writes more come while one is taken, one each time */
    bool was_pending;
} sink;
static struct arena arena;
static struct bus bus;
static struct coalesced coalesced;
static _Alignas(4096) uint8_t run_area[RUN_BYTES];
static struct kvm_coalesced_mmio_ring *const ring = (void *)(run_area + 4096);

static void append(uint64_t address, uint32_t size_bytes, uint64_t value)
{
    struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->last];

    entry->phys_addr = address;
    entry->len = size_bytes;
    memcpy(entry->data, &value, sizeof(value));
    ring->last = (ring->last + 1) % RING_ENTRIES;
}

static void take_write(struct device *device, uint64_t offset, enum access_width width,
                       uint64_t value)
{
    (void)device;
    ck_assert_uint_lt(sink.count, TAKEN);
    sink.offsets[sink.count] = offset;
    sink.widths[sink.count] = width;
    sink.values[sink.count++] = value;
    /* Whoever looks now must not believe that this write has arrived. */
    sink.was_pending = coalesced_pending(&coalesced);
    ck_assert(sink.was_pending);
    if (sink.refills > 0) {
        sink.refills--;
        append(DEVICE_BASE, 4, value + 1);
    }
}

static void setup_ring(void)
{
    static const struct device_ops ops = {.write = take_write};

    setup();
    memset(&sink, 0, sizeof(sink));
    memset(run_area, 0, sizeof(run_area));
    sink.device = (struct device){.ops = &ops, .name = "sink", .size_bytes = 0x1000};
    bus_init(&bus, &arena);
    ck_assert(bus_add(&bus, &sink.device, GPA(DEVICE_BASE), &error));
    ck_assert(bus_freeze(&bus, &error));
    coalesced_init(&coalesced, &bus);
    coalesced_attach(&coalesced, &vm, (struct kvm_run *)run_area, RUN_BYTES);
}

static void teardown_ring(void)
{
    coalesced_detach(&coalesced);
    coalesced_finish(&coalesced);
    arena_finish(&arena);
    teardown();
}

START_TEST(nothing_is_looked_at_before_it_begins)
{
    append(DEVICE_BASE, 4, 1);
    ck_assert(!coalesced_pending(&coalesced));
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 0);
    ck_assert(coalesced_begin(&coalesced));
    ck_assert(coalesced_pending(&coalesced));
    coalesced_drain(&coalesced);
    ck_assert(!coalesced_pending(&coalesced));
    ck_assert_uint_eq(sink.count, 1);
}
END_TEST

START_TEST(writes_arrive_in_order_and_as_they_were)
{
    ck_assert(coalesced_begin(&coalesced));
    append(DEVICE_BASE + 0x10, 1, 0xfff1);
    append(DEVICE_BASE + 0x20, 4, 2);
    append(DEVICE_BASE + 0x10, 8, 0x123456789abcdef0);
    append(DEVICE_BASE + 0x1000, 4, 9); /* where nothing is: lost, as any such write */
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 3);
    ck_assert_uint_eq(sink.offsets[0], 0x10);
    ck_assert_uint_eq(sink.widths[0], 1);
    ck_assert_uint_eq(sink.values[0], 0xf1);
    ck_assert_uint_eq(sink.offsets[1], 0x20);
    ck_assert_uint_eq(sink.values[2], 0x123456789abcdef0);
    ck_assert_uint_eq(coalesced.count, 4);
}
END_TEST

static unsigned told;

static void hear(void *context, const struct event *event)
{
    (void)context;
    told++;
    ck_assert_int_eq(event->mmio.access, ACCESS_WRITE);
    ck_assert_ptr_eq(event->mmio.device, told == 1 ? &sink.device : NULL);
    ck_assert_uint_eq(event->mmio.value, told == 1 ? 0x34 : 9);
}

START_TEST(writes_are_counted_and_told)
{
    const struct event_subscriber subscriber = {.notify = hear, .wanted = EVENT_MASK(EVENT_MMIO)};
    struct event_hub hub = {0};
    uint64_t writes[1] = {0};

    ck_assert(events_subscribe(&hub, &subscriber, &error));
    events_freeze(&hub);
    told = 0;
    coalesced.events = &hub;
    coalesced.device_writes = writes;
    ck_assert(coalesced_begin(&coalesced));
    append(DEVICE_BASE, 1, 0x1234);
    append(DEVICE_BASE + 0x1000, 4, 9);
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(told, 2);
    ck_assert_uint_eq(writes[0], 1);
    coalesced.events = NULL;
}
END_TEST

START_TEST(the_ring_goes_round)
{
    ck_assert(coalesced_begin(&coalesced));
    for (uint64_t i = 0; i < 2 * RING_ENTRIES; i++) {
        append(DEVICE_BASE, 4, i);
        if (i % 100 == 99)
            coalesced_drain(&coalesced);
    }
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 2 * RING_ENTRIES);
    for (uint64_t i = 0; i < sink.count; i++)
        ck_assert_uint_eq(sink.values[i], i);
}
END_TEST

START_TEST(a_guest_that_never_stops_writing_keeps_nobody)
{
    ck_assert(coalesced_begin(&coalesced));
    sink.refills = TAKEN - 10;
    append(DEVICE_BASE, 4, 1);
    append(DEVICE_BASE, 4, 1);
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 2); /* not the two that came meanwhile */
    ck_assert(coalesced_pending(&coalesced));
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 4);
    sink.refills = 0;
    coalesced_drain(&coalesced);
    ck_assert_uint_eq(sink.count, 6);
    ck_assert(!coalesced_pending(&coalesced));
}
END_TEST

START_TEST(the_last_writes_of_a_vm_arrive)
{
    ck_assert(coalesced_begin(&coalesced));
    append(DEVICE_BASE, 4, 1);
    coalesced_detach(&coalesced);
    ck_assert_uint_eq(sink.count, 1);
    append(DEVICE_BASE, 4, 2);
    ck_assert(!coalesced_pending(&coalesced));
    ck_assert(!coalesced_begin(&coalesced));
    coalesced_attach(&coalesced, &vm, (struct kvm_run *)run_area, RUN_BYTES);
    ck_assert(coalesced_begin(&coalesced));
}
END_TEST

START_TEST(a_host_without_a_ring_has_none)
{
    coalesced_detach(&coalesced);
    coalesced_attach(&coalesced, &vm, (struct kvm_run *)run_area, 4096); /* no room for it */
    ck_assert(!coalesced_begin(&coalesced));
    fake_kvm_set_capability(&fake, KVM_CAP_COALESCED_MMIO, 0);
    coalesced_attach(&coalesced, &vm, (struct kvm_run *)run_area, RUN_BYTES);
    ck_assert(!coalesced_begin(&coalesced));
    ck_assert(!coalesced_pending(&coalesced));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("vm_regions");
    TCase *calls = tcase_create("calls");
    TCase *rings = tcase_create("ring");

    tcase_add_checked_fixture(calls, setup, teardown);
    tcase_add_test(calls, each_call_fails);
    tcase_add_test(calls, a_doorbell_says_where_how_wide_and_what);
    tcase_add_test(calls, an_interrupt_is_an_edge_or_resampled);
    tcase_add_test(calls, a_page_comes_and_goes_in_its_slot);
    tcase_add_test(calls, a_page_that_stays_is_said_to);
    tcase_add_test(calls, a_host_without_them_says_so);
    suite_add_tcase(suite, calls);

    tcase_add_checked_fixture(rings, setup_ring, teardown_ring);
    tcase_add_test(rings, nothing_is_looked_at_before_it_begins);
    tcase_add_test(rings, writes_arrive_in_order_and_as_they_were);
    tcase_add_test(rings, writes_are_counted_and_told);
    tcase_add_test(rings, the_ring_goes_round);
    tcase_add_test(rings, a_guest_that_never_stops_writing_keeps_nobody);
    tcase_add_test(rings, the_last_writes_of_a_vm_arrive);
    tcase_add_test(rings, a_host_without_a_ring_has_none);
    suite_add_tcase(suite, rings);
    return suite;
}
